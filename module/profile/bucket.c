// SPDX-License-Identifier: GPL-2.0
/*
 * Making, copying and retiring the rows of the profiler's table.  bucket.h explains
 * how rows follow events that concern all of them.
 */
#include "profile/bucket.h"

#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include "compat.h"
#include "core/metadata.h"
#include "profile/label.h"
#include "profile/profile_memory.h"

DEFINE_RAW_SPINLOCK(qr_profile_lock);
struct qr_table qr_table;

static struct qr_bucket other = { .site.cache_name = "(other)" };
static struct kmem_cache *bucket_cache;

static DEFINE_MUTEX(copy_mutex);

/* --- Rows --- */

static void forget_history(struct quarry_site *site, struct qr_freed *freed)
{
	memset(&site->alloc, 0, sizeof(site->alloc));
	site->peak_objects = site->inuse.objects;
	site->peak_space = site->inuse.space;
	memset(freed, 0, sizeof(*freed));
}

/*
 * Copies a row as it was when the copy was begun.  The row has not changed since:
 * qr_bucket_touch() copies it out before its first change.
 */
static void copy_out(struct qr_bucket *b)
{
	struct quarry_profile *p = qr_table.copy;
	struct quarry_site *site = &p->site[b->site.id];
	struct qr_freed freed = b->freed;

	b->snapshot = qr_table.snapshot;
	*site = b->site;
	qr_labels_note(p->label_sets, site->labels);
	if (b->peaks != qr_table.copy_peaks) {
		site->peak_objects = site->inuse.objects;
		site->peak_space = site->inuse.space;
	}
	if (b->resets != qr_table.copy_resets)
		forget_history(site, &freed);
	if (p->ages) {
		struct quarry_ages *ages = &p->ages[b->site.id];

		memcpy(ages->freed_objects, freed.objects, sizeof(freed.objects));
		memcpy(ages->freed_space, freed.space, sizeof(freed.space));
	}
}

void qr_bucket_catch_up(struct qr_bucket *b)
{
	if (unlikely(qr_table.copy) && b->snapshot != qr_table.snapshot &&
	    b->site.id < qr_table.copy->nr)
		copy_out(b);
	if (b->peaks != qr_table.peaks) {
		b->site.peak_objects = b->site.inuse.objects;
		b->site.peak_space = b->site.inuse.space;
		b->peaks = qr_table.peaks;
	}
	if (unlikely(b->resets != qr_table.resets)) {
		forget_history(&b->site, &b->freed);
		b->resets = qr_table.resets;
	}
	b->news = qr_table.news;
}

/* Returns an unused row, or @new with the next number, or NULL if the table is full. */
static struct qr_bucket *give_number(struct qr_bucket *new)
{
	struct qr_bucket *b;

	if (!hlist_empty(&qr_table.unused)) {
		b = hlist_entry(qr_table.unused.first, struct qr_bucket, link);
		qr_bucket_touch(b);
		hlist_del_init(&b->link);
		b->unused = false;
		return b;
	}
	if (qr_table.nr == qr_table.max)
		return NULL;
	new->site.id = qr_table.nr;
	new->news = qr_table.news;
	new->peaks = qr_table.peaks;
	new->resets = qr_table.resets;
	qr_table.bucket[qr_table.nr] = new;
	WRITE_ONCE(qr_table.nr, qr_table.nr + 1);
	return new;
}

/* Returns false without memory or room, or if the label set is gone. */
static noinline bool add(const char *name, u32 cache, u32 stack, u32 labels, gfp_t gfp)
{
	struct qr_bucket *new = qr_profile_memory_cache_alloc(bucket_cache, gfp), *b;
	unsigned long flags;

	if (!new)
		return false;
	raw_spin_lock_irqsave(&qr_profile_lock, flags);
	b = qr_bucket_find(cache, stack, labels);
	/* The set may have made room for another one since the caller found it. */
	if (!b && qr_labels_hold(labels)) {
		b = give_number(new);
		if (b) {
			b->site.cache = cache;
			b->site.stack = stack;
			b->site.labels = labels;
			strscpy(b->site.cache_name, name, QUARRY_NAME_LEN);
			hlist_add_head(&b->link, qr_bucket_list(cache, stack, labels));
		} else {
			qr_labels_drop(labels);
		}
	}
	raw_spin_unlock_irqrestore(&qr_profile_lock, flags);
	if (b != new)
		qr_profile_memory_cache_free(bucket_cache, new);
	return b;
}

static noinline bool is_there(u32 cache, u32 stack, u32 labels)
{
	unsigned long flags;
	bool found;

	raw_spin_lock_irqsave(&qr_profile_lock, flags);
	found = qr_bucket_find(cache, stack, labels);
	raw_spin_unlock_irqrestore(&qr_profile_lock, flags);
	return found;
}

void qr_bucket_make(const char *name, u32 cache, u32 stack, u32 labels, gfp_t gfp)
{
	if (labels && qr_table_has_room(2) && add(name, cache, stack, labels, gfp))
		return;
	if (!is_there(cache, stack, 0) && qr_table_has_room(1))
		add(name, cache, stack, 0, gfp);
}

struct qr_bucket *qr_bucket_find_made(u32 cache, u32 stack, u32 labels)
{
	return qr_bucket_find(cache, stack, labels) ?: qr_bucket_find(cache, stack, 0) ?: &other;
}

u32 qr_profile_stack(u32 id)
{
	u32 stack = 0;

	raw_spin_lock_irq(&qr_profile_lock);
	if (id < qr_table.nr && !qr_table.bucket[id]->site.names)
		stack = qr_table.bucket[id]->site.stack;
	raw_spin_unlock_irq(&qr_profile_lock);
	return stack;
}

/* --- Retired rows --- */

static struct hlist_head *retired_list(const struct quarry_site *site)
{
	u64 what = site->names ? (unsigned long)site->names : site->stack;

	return &qr_table.retired[hash_64(what + site->labels, QR_RETIRED_BITS)];
}

static bool reads_the_same(const struct quarry_site *a, const struct quarry_site *b)
{
	return a->names == b->names && (a->names || a->stack == b->stack) &&
	       a->labels == b->labels && a->cache == b->cache &&
	       !strcmp(a->cache_name, b->cache_name);
}

/* Makes @b, which has no live objects, a row to be reused.  @heir took its numbers, or is 0. */
static void set_unused(struct qr_bucket *b, u32 heir)
{
	qr_labels_drop(b->site.labels);
	memset(&b->freed, 0, sizeof(b->freed));
	b->site = (struct quarry_site){ .id = b->site.id, .heir = heir };
	b->unused = true;
	hlist_del(&b->link);
	hlist_add_head(&b->link, &qr_table.unused);
}

/* Adds @from to @to.  @from has no live objects, and is reused afterwards. */
static void merge(struct qr_bucket *to, struct qr_bucket *from)
{
	struct quarry_sum *a = &to->site.alloc, *b = &from->site.alloc;
	unsigned int i;

	qr_bucket_touch(to);
	qr_bucket_touch(from);
	a->samples += b->samples;
	a->objects += b->objects;
	a->space += b->space;
	a->var_objects += b->var_objects;
	a->var_space += b->var_space;
	to->site.peak_objects += from->site.peak_objects;
	to->site.peak_space += from->site.peak_space;
	for (i = 0; i < QR_AGES; i++) {
		to->freed.objects[i] += from->freed.objects[i];
		to->freed.space[i] += from->freed.space[i];
	}
	set_unused(from, to->site.id);
}

/*
 * Retires @b.  The oldest of the retired rows that read the same takes in all others that
 * have no live objects: @b, and rows that still had some when they retired.
 */
static void retire(struct qr_bucket *b)
{
	struct hlist_head *list = retired_list(&b->site);
	struct qr_bucket *same, *oldest = NULL;
	struct hlist_node *next;

	hlist_del_init(&b->link);
	hlist_add_head(&b->link, list);
	hlist_for_each_entry(same, list, link)
		if (reads_the_same(&same->site, &b->site))
			oldest = same;
	hlist_for_each_entry_safe(same, next, list, link)
		if (same != oldest && !same->site.inuse.samples &&
		    reads_the_same(&same->site, &oldest->site))
			merge(oldest, same);
}

void qr_profile_retire(u32 id, const char *names)
{
	struct qr_bucket *b = qr_table.bucket[id];

	raw_spin_lock_irq(&qr_profile_lock);
	/* Its cache may have been destroyed since the caller looked at the row. */
	if (!b->unused && !b->site.names) {
		qr_bucket_touch(b);
		b->site.names = names;
		retire(b);
	}
	raw_spin_unlock_irq(&qr_profile_lock);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_retire);

void qr_profile_cache_gone(u32 cache)
{
	unsigned int i, nr = READ_ONCE(qr_table.nr);

	for (i = 1; i < nr; i++) {
		struct qr_bucket *b = READ_ONCE(qr_table.bucket[i]);

		if (READ_ONCE(b->site.cache) != cache)
			continue;
		raw_spin_lock_irq(&qr_profile_lock);
		if (b->site.cache == cache && !b->unused) {
			qr_bucket_touch(b);
			b->site.cache = QR_CACHE_GONE;
			retire(b);
		}
		raw_spin_unlock_irq(&qr_profile_lock);
	}
}

/* --- Reset --- */

/*
 * After a reset a row without live objects has no numbers.  Such a row is reused, so that
 * its label set can be used again, too.  A row that has followed the reset is left alone: it is
 * new, or its objects were freed since.  The first sample of a row that is made at this very
 * moment may find that the row is gone; it is counted as one without labels.
 */
void qr_profile_reuse_rows(void)
{
	unsigned int i = 1, end, nr = READ_ONCE(qr_table.nr);

	while (i < nr) {
		raw_spin_lock_irq(&qr_profile_lock);
		for (end = min(i + 32, nr); i < end; i++) {
			struct qr_bucket *b = qr_table.bucket[i];

			if (b->unused || b->site.inuse.samples || b->resets == qr_table.resets)
				continue;
			qr_bucket_touch(b);
			set_unused(b, 0);
		}
		raw_spin_unlock_irq(&qr_profile_lock);
		cond_resched();
	}
}

/* --- Copies --- */

void qr_profile_copy(struct quarry_profile *p)
{
	u64 now, real;
	unsigned int i = 0;

	mutex_lock(&copy_mutex);
	qr_labels_copy_begin();
	raw_spin_lock_irq(&qr_profile_lock);
	now = ktime_get_mono_fast_ns();
	real = ktime_get_real_ns();
	p->nr = min(p->nr, qr_table.nr);
	p->time_ns = real;
	p->mono_ns = now;
	p->since_ns = qr_table.since;
	p->duration_ns = 0;
	p->resets = qr_table.resets;
	p->peak_time_ns = real - (now - qr_table.peak_time);
	p->dropped_samples = qr_table.dropped_samples;
	p->dropped_space = qr_table.dropped_space;
	p->other_samples = qr_table.other_samples;
	qr_table.copy = p;
	qr_table.copy_peaks = qr_table.peaks;
	qr_table.copy_resets = qr_table.resets;
	qr_table.snapshot++;
	qr_table.news++;
	while (i < p->nr) {
		unsigned int end = min(i + 32, p->nr);

		for (; i < end; i++)
			if (qr_table.bucket[i]->snapshot != qr_table.snapshot)
				copy_out(qr_table.bucket[i]);
		raw_spin_unlock_irq(&qr_profile_lock);
		cond_resched();
		raw_spin_lock_irq(&qr_profile_lock);
	}
	qr_table.copy = NULL;
	raw_spin_unlock_irq(&qr_profile_lock);
	qr_labels_copy_end(p->label_sets);
	mutex_unlock(&copy_mutex);
}

/* --- Life --- */

int qr_buckets_init(void)
{
	/* Half of the profiler's memory is for rows, the rest for samples and labels. */
	qr_table.max = rounddown_pow_of_two(qr_profile_memory_limit / 2 / sizeof(struct qr_bucket));
	qr_table.bits = ilog2(qr_table.max);
	qr_table.bucket = qr_profile_memory_valloc(qr_table.max * sizeof(*qr_table.bucket));
	qr_table.hash = qr_profile_memory_valloc(sizeof(*qr_table.hash) << qr_table.bits);
	bucket_cache = qr_meta_cache_create("quarry_site", sizeof(struct qr_bucket), false);
	if (!qr_table.bucket || !qr_table.hash || !bucket_cache) {
		qr_buckets_exit();
		return -ENOMEM;
	}
	qr_table.bucket[0] = &other;
	qr_table.nr = 1;
	qr_table.since = ktime_get_mono_fast_ns();
	return 0;
}

void qr_buckets_exit(void)
{
	unsigned int i;

	for (i = 1; i < qr_table.nr; i++)
		qr_profile_memory_cache_free(bucket_cache, qr_table.bucket[i]);
	qr_profile_memory_vfree(qr_table.bucket, qr_table.max * sizeof(*qr_table.bucket));
	qr_profile_memory_vfree(qr_table.hash, sizeof(*qr_table.hash) << qr_table.bits);
	kmem_cache_destroy(bucket_cache);
}
