// SPDX-License-Identifier: GPL-2.0
/*
 * When the module is unloaded, all its clients have gone.  If they left objects behind, the log
 * names the call stacks that allocated most of them.  The clients' code has gone too, so the
 * names are those that were saved when it was unloaded.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "report/leak_report.h"

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <quarry/profile.h>
#include <quarry/stats.h>
#include "report/site_text.h"

#define SITES	   5
#define FRAMES_MAX 4

static void report(struct quarry_profile *p, u64 live)
{
	u32 i, n = qr_sites_merge(p->site, p->nr);
	struct qr_site_text text;

	if (!n) {
		pr_warn("%llu objects were never freed; none of them was sampled (rate=1 samples all)\n",
			live);
		return;
	}
	for (i = 0; i < min_t(u32, n, SITES); i++) {
		const struct quarry_site *site = &p->site[i];

		pr_warn("never freed: about %llu bytes in %llu objects, cache %s, allocated in %s\n",
			site->inuse.space, qr_whole_objects(site->inuse.objects), site->cache_name,
			qr_site_text(&text, site, FRAMES_MAX));
	}
	if (n > SITES)
		pr_warn("never freed: less than that in each of %u other sites\n", n - SITES);
}

void qr_leaks_report(void)
{
	struct quarry_profile *p;
	struct quarry_stats st;

	quarry_stats_read(&st);
	if (!st.live_objects)
		return;
	p = qr_profile_take(QUARRY_CACHE_ALL, false);
	if (IS_ERR_OR_NULL(p)) {
		pr_warn("%llu objects were never freed; no memory to name their sites\n",
			st.live_objects);
		return;
	}
	report(p, st.live_objects);
	qr_profile_free(p);
}
