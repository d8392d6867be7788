// SPDX-License-Identifier: GPL-2.0
/*
 * The heap dump: a line for every live object.  The line of a sampled object also has
 * the bytes asked for, its age and its site; the stacks of these sites follow below.
 */
#include <quarry/profile.h>

#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "cache/cache.h"
#include "compat.h"
#include "view/snapshot.h"
#include "view/text_buffer.h"

struct dump {
	struct qr_text *text;
	unsigned long *seen; /* bitmap of the sites in the lines so far */
	u32 nr_sites;
	u64 now;
	unsigned int lines;
};

static int dump_object(const struct qr_object *o, void *arg)
{
	char name[QUARRY_NAME_LEN];
	struct dump *d = arg;

	qr_text_clean(name, o->cache_name, sizeof(name) - 1, ' ');
	qr_text_printf(d->text, "%016lx %10u %-20s %4d", (unsigned long)o->ptr, o->size, name,
		       o->node);
	if (o->sample.site != U32_MAX) {
		u64 us = div_u64(d->now - min(d->now, o->sample.time), NSEC_PER_USEC);

		qr_text_printf(d->text, " %10u %14llu %6u", o->sample.asked, us, o->sample.site);
		if (o->sample.site < d->nr_sites)
			__set_bit(o->sample.site, d->seen);
	} else {
		qr_text_printf(d->text, " %10s %14s %6s", "-", "-", "-");
	}
	qr_text_puts(d->text, "\n");
	if (!(++d->lines % 256))
		cond_resched();
	return qr_text_error(d->text);
}

static void dump_site(struct dump *d, const struct quarry_site *site)
{
	const struct quarry_labels *labels = qr_labels_get(site->labels);
	const char *name = site->names;
	unsigned long *frames;
	unsigned int i, n = qr_site_stack(site, &frames);
	int len;

	qr_text_printf(d->text, "# site %u, cache %s", site->id, site->cache_name);
	for (i = 0; labels && i < labels->n; i++)
		qr_text_printf(d->text, ", %s %s", labels->key[i], labels->value[i]);
	qr_text_puts(d->text, "\n");
	for (i = 0; !name && i < n; i++)
		qr_text_printf(d->text, "#     %pS\n", (void *)(frames[i] - 1));
	/* With names, a module of the stack has gone, and the addresses mean nothing. */
	for (; name && *name; name += len + 1) {
		len = strcspn(name, "\n");
		qr_text_printf(d->text, "#     %.*s\n", len, name);
	}
}

/*
 * The first line names the columns.  A dash stands for what is not known because the object
 * is not sampled.
 */
struct qr_text *qr_heapdump_render(void)
{
	struct quarry_profile *p = qr_profile_take(QUARRY_CACHE_ALL, false);
	struct dump d = { .now = ktime_get_mono_fast_ns() };
	int err;
	u32 i;

	if (IS_ERR(p))
		return ERR_CAST(p);
	d.nr_sites = p->nr;
	d.text = qr_text_new();
	d.seen = kvcalloc(BITS_TO_LONGS(p->nr), sizeof(long), GFP_KERNEL);
	if (!d.text || !d.seen) {
		err = -ENOMEM;
		goto fail;
	}
	qr_text_printf(d.text, "%-16s %10s %-20s %4s %10s %14s %6s\n", "#addr", "size_bytes",
		       "cache", "node", "asked", "age_us", "site");
	err = qr_walk_objects(false, dump_object, &d);
	if (err)
		goto fail;
	for (i = 0; i < p->nr; i++)
		if (test_bit(p->site[i].id, d.seen))
			dump_site(&d, &p->site[i]);
	kvfree(d.seen);
	qr_profile_free(p);
	return qr_text_done(d.text);

fail:
	kvfree(d.seen);
	qr_text_free(d.text);
	qr_profile_free(p);
	return ERR_PTR(err);
}
