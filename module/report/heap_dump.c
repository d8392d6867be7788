// SPDX-License-Identifier: GPL-2.0
/*
 * The heap dump: a line for every live object.  The line of a sampled object also has
 * the bytes asked for, its age and its site; the stacks of these sites follow below.
 *
 * A dump has some 90 bytes for each object, which can be more than the objects have.  So
 * it is made in pieces of some 64 KiB, each when a reader comes to it.  Nothing is held
 * between two pieces except a copy of the profile's table, whose size is bounded.
 */
#include <quarry/profile.h>

#include <linux/err.h>
#include <linux/kallsyms.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/numa.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <quarry/exposure.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/metadata.h"
#include "view/snapshot.h"
#include "report/text_buffer.h"

#define PIECE SZ_64K

/**
 * struct qr_dump - a heap dump that is being read
 * @p: the profile when the dump was begun, for the stacks of its sites
 * @text: the piece of the dump that was made last
 * @start: offset of @text in the whole dump
 * @whole: the dump is made in one piece
 * @walk: how far the walk over the objects has come
 * @seen: bitmap of the sites in the lines so far
 * @next_site: index of the site whose stack may come next
 * @now: when the dump was begun, monotonic clock
 * @lines: lines so far
 * @hide: see qr_address_text()
 */
struct qr_dump {
	struct quarry_profile *p;
	struct qr_text *text;
	loff_t start;
	bool whole;
	struct qr_walk walk;
	unsigned long *seen;
	u32 next_site;
	u64 now;
	unsigned int lines;
	bool hide;
};

static bool is_full(const struct qr_dump *d)
{
	return !d->whole && qr_text_size(d->text) >= PIECE;
}

static int dump_object(const struct qr_object *o, void *arg)
{
	char addr[QR_ADDRESS_LEN];
	struct qr_dump *d = arg;

	qr_address_text(addr, o->ptr, d->hide);
	qr_text_printf(d->text, "%s %10u %-20s %4d", addr, o->size, o->cache_name, o->node);
	if (o->sample.site != U32_MAX) {
		u64 us = div_u64(d->now - min(d->now, o->sample.time), NSEC_PER_USEC);

		qr_text_printf(d->text, " %10u %14llu %6u", o->sample.asked, us, o->sample.site);
		if (o->sample.site < d->p->nr)
			__set_bit(o->sample.site, d->seen);
	} else {
		qr_text_printf(d->text, " %10s %14s %6s", "-", "-", "-");
	}
	qr_text_puts(d->text, "\n");
	if (!(++d->lines % 256))
		cond_resched();
	d->walk.pause = is_full(d);
	return qr_text_error(d->text);
}

/* sprint_symbol() writes the address of what has no name.  @text begins with it or with a name. */
static void put_function(struct qr_dump *d, const char *text, int len)
{
	if (*text == '0')
		qr_text_puts(d->text, "#     [unknown]\n");
	else
		qr_text_printf(d->text, "#     %.*s\n", len, text);
}

static void dump_site(struct qr_dump *d, const struct quarry_site *site)
{
	const struct quarry_labels *labels = qr_labels_get(site->labels);
	const char *name = site->names;
	unsigned long *frames;
	unsigned int i, n = qr_site_stack(site, &frames);
	char text[KSYM_SYMBOL_LEN];
	int len;

	qr_text_printf(d->text, "# site %u, cache %s", site->id, site->cache_name);
	for (i = 0; labels && i < labels->n; i++)
		qr_text_printf(d->text, ", %s %s", labels->key[i], labels->value[i]);
	qr_text_puts(d->text, "\n");
	for (i = 0; !name && i < n; i++)
		put_function(d, text, sprint_symbol(text, frames[i] - 1));
	/* With names, a module of the stack has gone, and the addresses mean nothing. */
	for (; name && *name; name += len + 1) {
		len = strcspn(name, "\n");
		put_function(d, name, len);
	}
}

static int dump_sites(struct qr_dump *d)
{
	for (; d->next_site < d->p->nr && !is_full(d) && !qr_text_error(d->text); d->next_site++)
		if (test_bit(d->p->site[d->next_site].id, d->seen))
			dump_site(d, &d->p->site[d->next_site]);
	return qr_text_error(d->text);
}

/*
 * Makes the next piece.  It is empty after the last.  The first line names the columns.  A dash
 * stands for what is not known because the object is not sampled.
 */
static int dump_piece(struct qr_dump *d)
{
	int err = 0;

	if (d->text)
		d->start += qr_text_size(d->text);
	qr_text_free(d->text);
	d->text = qr_text_new();
	if (!d->text)
		return -ENOMEM;
	/* Asked for each piece, because the kernel may be locked down between two. */
	d->hide = d->hide || qr_hides_addresses();
	if (!d->start)
		qr_text_printf(d->text, "%-16s %10s %-20s %4s %10s %14s %6s\n", "#addr",
			       "size_bytes", "cache", "node", "asked", "age_us", "site");
	if (!d->walk.done)
		err = qr_walk_part(&d->walk, false, dump_object, d);
	if (!err && d->walk.done)
		err = dump_sites(d);
	return err;
}

struct qr_dump *qr_dump_open(void)
{
	struct qr_dump *d = qr_meta_alloc(sizeof(*d), GFP_KERNEL, NUMA_NO_NODE);

	if (!d)
		return ERR_PTR(-ENOMEM);
	d->now = ktime_get_mono_fast_ns();
	d->p = qr_profile_take(QUARRY_CACHE_ALL, false);
	if (IS_ERR(d->p)) {
		int err = PTR_ERR(d->p);

		qr_meta_free(d, sizeof(*d));
		return ERR_PTR(err);
	}
	d->seen = kvcalloc(BITS_TO_LONGS(d->p->nr), sizeof(long), GFP_KERNEL);
	if (!d->seen) {
		qr_dump_close(d);
		return ERR_PTR(-ENOMEM);
	}
	return d;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_dump_open);

void qr_dump_close(struct qr_dump *d)
{
	if (IS_ERR_OR_NULL(d))
		return;
	kvfree(d->seen);
	qr_text_free(d->text);
	qr_profile_free(d->p);
	qr_meta_free(d, sizeof(*d));
}
EXPORT_SYMBOL_QUARRY_TEST(qr_dump_close);

/* After an error the dump has a gap, so it cannot be continued. */
ssize_t qr_dump_read(struct qr_dump *d, char __user *buf, size_t len, loff_t *pos)
{
	loff_t at = *pos - d->start;
	ssize_t n;
	int err;

	if (at < 0)
		return -ESPIPE;
	if (!d->text || at == qr_text_size(d->text)) {
		err = dump_piece(d);
		if (err)
			return err;
		at = *pos - d->start;
	}
	if (at > qr_text_size(d->text))
		return -ESPIPE;
	n = qr_text_read(d->text, buf, len, &at);
	if (n > 0)
		*pos += n;
	return n;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_dump_read);

struct qr_text *qr_heapdump_render(void)
{
	struct qr_dump *d = qr_dump_open();
	struct qr_text *text;
	int err;

	if (IS_ERR(d))
		return ERR_CAST(d);
	d->whole = true;
	err = dump_piece(d);
	text = d->text;
	d->text = NULL;
	qr_dump_close(d);
	if (err) {
		qr_text_free(text);
		return ERR_PTR(err);
	}
	return qr_text_done(text);
}
