// SPDX-License-Identifier: GPL-2.0
/* Made-up profiles, for the suites of reports and formats. */
#include "tests/report/fake_profile_util.h"

#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stackdepot.h>
#include <linux/workqueue.h>
#include "report/profile_report.h"
#include "report/text_buffer.h"

struct quarry_profile *qf_profile_new(struct kunit *test, u32 nr)
{
	struct quarry_profile *p = qt_array(test, 1, sizeof(*p));
	u32 i;

	p->time_ns = 1700000000ULL * NSEC_PER_SEC;
	p->rate = QUARRY_RATE_DEFAULT;
	p->cache = QUARRY_CACHE_ALL;
	p->nr = nr;
	p->site = qt_array(test, max(nr, 1U), sizeof(p->site[0]));
	p->ages = qt_array(test, max(nr, 1U), sizeof(p->ages[0]));
	for (i = 0; i < nr; i++) {
		p->site[i].id = i + 1;
		p->site[i].cache = 1000000 + i % 3;
		snprintf(p->site[i].cache_name, QUARRY_NAME_LEN, "fake%u", i % 3);
	}
	return p;
}

/* A stack of real functions, of the kernel and of Quarry.  Each @i gives another stack. */
static u32 stack_new(unsigned int i)
{
	unsigned long f[] = {
		(unsigned long)qr_text_put,	  (unsigned long)qr_report_next,
		(unsigned long)qr_profile_render, (unsigned long)sprint_symbol,
		(unsigned long)queue_work_on,	  (unsigned long)kfree,
		(unsigned long)schedule,	  (unsigned long)msleep,
	};
	unsigned long entries[QUARRY_STACK_MAX];
	unsigned int n = 4 + i % 8, k;

	for (k = 0; k < n; k++) {
		entries[k] = f[(i >> (3 * (k % 6))) % ARRAY_SIZE(f)] + 1 + k % 2;
		/* The octal digits of @i choose six functions; these here make all of @f occur. */
		if (k >= 6)
			entries[k] = f[k % ARRAY_SIZE(f)] + 1;
	}
	return stack_depot_save(entries, n, GFP_KERNEL);
}

void qf_set_sum(struct quarry_sum *sum, u64 samples, u64 objects, u64 size)
{
	sum->samples = samples;
	sum->objects = objects * ONE;
	sum->space = objects * size;
	sum->var_objects = (qr_u128)samples << (2 * QR_OBJECTS_SHIFT);
	sum->var_space = sum->var_objects * size * size;
}

void qf_set_site(struct quarry_profile *p, u32 i, u64 allocs, u64 live, u64 size)
{
	struct quarry_site *site = &p->site[i];

	qf_set_sum(&site->alloc, allocs, allocs, size);
	qf_set_sum(&site->inuse, live, live, size);
	site->peak_objects = site->alloc.objects;
	site->peak_space = site->alloc.space;
	site->asked = site->inuse.space - live;
	p->ages[i].freed_objects[i % QR_AGES] = site->alloc.objects - site->inuse.objects;
	p->ages[i].freed_space[i % QR_AGES] = site->alloc.space - site->inuse.space;
	p->ages[i].live_objects[(i + 1) % QR_AGES] = site->inuse.objects;
	p->ages[i].live_space[(i + 1) % QR_AGES] = site->inuse.space;
}

struct quarry_profile *qf_profile_filled(struct kunit *test, u32 nr, u32 stacks)
{
	struct quarry_profile *p = qf_profile_new(test, nr);
	u32 i;

	for (i = 0; i < nr; i++) {
		qf_set_site(p, i, 20 + i % 7, i % 5, 64 + i % 3 * 8);
		p->site[i].stack = stack_new(i % stacks);
	}
	return p;
}
