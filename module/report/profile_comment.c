// SPDX-License-Identifier: GPL-2.0
/* Comments in a profile: what it shows, of which time, and what it could not record. */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/utsname.h>
#include "compat.h"
#include "report/profile_report.h"

static int rate_comment(u32 rate, char *buf, size_t size)
{
	if (rate > 1)
		return scnprintf(buf, size, "one sample per %u bytes on average", rate);
	return scnprintf(buf, size, rate ? "every allocation is sampled" : "sampling is off");
}

/* Two profiles of the same history have the same comment, so the age of a history is not in it. */
static int time_comment(const struct quarry_profile *p, char *buf, size_t size)
{
	u32 ms;
	u64 s;

	if (!p->delta)
		return scnprintf(buf, size, "since %s or the profile was reset",
				 p->domain == QUARRY_DOMAIN_QUARRY ? "the module was loaded" :
								     "the profile was switched on");
	s = div_u64_rem(div_u64(p->duration_ns, NSEC_PER_MSEC), MSEC_PER_SEC, &ms);
	return scnprintf(buf, size,
			 "delta of %llu.%03u s: allocations since the base, live objects at the end",
			 s, ms);
}

static int others_comment(const struct quarry_profile *p, char *buf, size_t size)
{
	if (!p->others)
		return 0;
	return scnprintf(buf, size, "%u rows hold less than these, together \"(other)\"",
			 p->others);
}

int qr_report_comment(const struct qr_report *r, unsigned int i, char *buf, size_t size)
{
	const struct quarry_profile *p = r->p;

	if (i >= 6 && r->kind != QUARRY_PROFILE_PEAK)
		i++;
	switch (i) {
	case 0:
		if (p->domain != QUARRY_DOMAIN_QUARRY)
			return scnprintf(buf, size, "%s of the kernel's %s: %s",
					 qr_profile_kind_name[r->kind], qr_domain_name(p->domain),
					 r->comment);
		return scnprintf(buf, size, "%s: %s", qr_profile_kind_name[r->kind], r->comment);
	case 1:
		return scnprintf(buf, size, "Linux %s %s", init_utsname()->release,
				 init_utsname()->version);
	case 2:
		return scnprintf(buf, size, "Quarry %s", THIS_MODULE->version ?: "");
	case 3:
		return rate_comment(p->rate, buf, size);
	case 4:
		return scnprintf(buf, size,
				 "dropped_samples %llu dropped_space %llu other_samples %llu",
				 p->dropped_samples, p->dropped_space, p->other_samples);
	case 5:
		return time_comment(p, buf, size);
	case 6:
		return scnprintf(buf, size, "peak at %llu s since the epoch",
				 div_u64(p->peak_time_ns, NSEC_PER_SEC));
	case 7:
		if (r->bound.merged)
			return scnprintf(buf, size,
					 "the %u smallest rows are merged (profile_rows)",
					 r->bound.merged);
		return others_comment(p, buf, size);
	case 8:
		return r->bound.merged ? others_comment(p, buf, size) : 0;
	default:
		return 0;
	}
}
