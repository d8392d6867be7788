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
#include "profile/largest.h"
#include "profile/profile_memory.h"

struct qr_table qr_own_table;
EXPORT_SYMBOL_QUARRY_TEST(qr_own_table);

static struct kmem_cache *bucket_cache;

static LIST_HEAD(tables);
static DEFINE_MUTEX(tables_mutex); /* protects the list */
static DEFINE_MUTEX(copy_mutex);   /* one copy is made at a time */

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
static void copy_out(struct qr_table *t, struct qr_bucket *b)
{
	struct quarry_profile *p = t->copy;
	struct quarry_site *site = t->largest ? &t->largest->next : &p->site[b->site.id];
	struct qr_freed freed = b->freed;

	b->snapshot = t->snapshot;
	*site = b->site;
	if (!t->largest)
		qr_labels_note(p->label_sets, site->labels);
	if (b->peaks != t->copy_peaks) {
		site->peak_objects = site->inuse.objects;
		site->peak_space = site->inuse.space;
	}
	if (b->resets != t->copy_resets)
		forget_history(site, &freed);
	if (p->ages) {
		struct quarry_ages *ages = &p->ages[b->site.id];

		memcpy(ages->freed_objects, freed.objects, sizeof(freed.objects));
		memcpy(ages->freed_space, freed.space, sizeof(freed.space));
	}
	if (t->largest)
		qr_largest_add(t->largest);
}

void qr_bucket_catch_up(struct qr_table *t, struct qr_bucket *b)
{
	if (unlikely(t->copy) && b->snapshot != t->snapshot && b->site.id < t->copy->nr)
		copy_out(t, b);
	if (b->peaks != t->peaks) {
		b->site.peak_objects = b->site.inuse.objects;
		b->site.peak_space = b->site.inuse.space;
		b->peaks = t->peaks;
	}
	if (unlikely(b->resets != t->resets)) {
		forget_history(&b->site, &b->freed);
		b->resets = t->resets;
	}
	b->news = t->news;
}

/*
 * Returns an unused row, or @new with the next number, or NULL if the table is full.  A table that
 * has memory for all of its rows needs no @new.
 */
static struct qr_bucket *give_number(struct qr_table *t, struct qr_bucket *new)
{
	struct qr_bucket *b;

	if (!hlist_empty(&t->unused)) {
		b = hlist_entry(t->unused.first, struct qr_bucket, link);
		qr_bucket_touch(t, b);
		hlist_del_init(&b->link);
		b->unused = false;
		return b;
	}
	if (t->nr == t->max)
		return NULL;
	if (t->rows)
		new = &t->rows[t->nr];
	new->site.id = t->nr;
	new->news = t->news;
	new->peaks = t->peaks;
	new->resets = t->resets;
	t->bucket[t->nr] = new;
	WRITE_ONCE(t->nr, t->nr + 1);
	return new;
}

/* Returns false without memory or room, or if the label set is gone. */
static noinline bool add(struct qr_table *t, const char *name, u32 cache, u32 stack, u32 labels,
			 gfp_t gfp)
{
	struct qr_bucket *fresh = NULL, *b;
	unsigned long flags;

	if (!t->rows) {
		fresh = qr_profile_memory_cache_alloc(bucket_cache, gfp);
		if (!fresh)
			return false;
	}
	raw_spin_lock_irqsave(&t->lock, flags);
	b = qr_bucket_find(t, cache, stack, labels);
	/* The set may have made room for another one since the caller found it. */
	if (!b && qr_labels_hold(labels)) {
		b = give_number(t, fresh);
		if (b) {
			b->site.cache = cache;
			b->site.stack = stack;
			b->site.labels = labels;
			strscpy(b->site.cache_name, name, QUARRY_NAME_LEN);
			hlist_add_head(&b->link, qr_bucket_list(t, cache, stack, labels));
		} else {
			qr_labels_drop(labels);
		}
	}
	raw_spin_unlock_irqrestore(&t->lock, flags);
	if (fresh && b != fresh)
		qr_profile_memory_cache_free(bucket_cache, fresh);
	return b;
}

static noinline bool is_there(struct qr_table *t, u32 cache, u32 stack, u32 labels)
{
	unsigned long flags;
	bool found;

	raw_spin_lock_irqsave(&t->lock, flags);
	found = qr_bucket_find(t, cache, stack, labels);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return found;
}

void qr_bucket_make(struct qr_table *t, const char *name, u32 cache, u32 stack, u32 labels,
		    gfp_t gfp)
{
	if (labels && qr_table_has_room(t, 2) && add(t, name, cache, stack, labels, gfp))
		return;
	if (!is_there(t, cache, stack, 0) && qr_table_has_room(t, 1))
		add(t, name, cache, stack, 0, gfp);
}

struct qr_bucket *qr_bucket_find_made(struct qr_table *t, u32 cache, u32 stack, u32 labels)
{
	return qr_bucket_find(t, cache, stack, labels)	  ?:
		       qr_bucket_find(t, cache, stack, 0) ?:
							    &t->other;
}

u32 qr_profile_stack(struct qr_table *t, u32 id)
{
	u32 stack = 0;

	raw_spin_lock_irq(&t->lock);
	if (id < t->nr && !t->bucket[id]->site.names)
		stack = t->bucket[id]->site.stack;
	raw_spin_unlock_irq(&t->lock);
	return stack;
}

/* --- Retired rows --- */

static struct hlist_head *retired_list(struct qr_table *t, const struct quarry_site *site)
{
	u64 what = site->names ? (unsigned long)site->names : site->stack;

	return &t->retired[hash_64(what + site->labels, QR_RETIRED_BITS)];
}

static bool reads_the_same(const struct quarry_site *a, const struct quarry_site *b)
{
	return a->names == b->names && (a->names || a->stack == b->stack) &&
	       a->labels == b->labels && a->cache == b->cache &&
	       !strcmp(a->cache_name, b->cache_name);
}

/* Makes @b, which has no live objects, a row to be reused.  @heir took its numbers, or is 0. */
static void set_unused(struct qr_table *t, struct qr_bucket *b, u32 heir)
{
	qr_labels_drop(b->site.labels);
	memset(&b->freed, 0, sizeof(b->freed));
	b->site = (struct quarry_site){ .id = b->site.id, .heir = heir };
	b->unused = true;
	hlist_del(&b->link);
	hlist_add_head(&b->link, &t->unused);
}

/* Adds @from to @to.  @from has no live objects, and is reused afterwards. */
static void merge(struct qr_table *t, struct qr_bucket *to, struct qr_bucket *from)
{
	unsigned int i;

	qr_bucket_touch(t, to);
	qr_bucket_touch(t, from);
	qr_sum_add(&to->site.alloc, &from->site.alloc);
	to->site.peak_objects += from->site.peak_objects;
	to->site.peak_space += from->site.peak_space;
	for (i = 0; i < QR_AGES; i++) {
		to->freed.objects[i] += from->freed.objects[i];
		to->freed.space[i] += from->freed.space[i];
	}
	set_unused(t, from, to->site.id);
}

/*
 * Retires @b.  The oldest of the retired rows that read the same takes in all others that
 * have no live objects: @b, and rows that still had some when they retired.
 */
static void retire(struct qr_table *t, struct qr_bucket *b)
{
	struct hlist_head *list = retired_list(t, &b->site);
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
			merge(t, oldest, same);
}

void qr_profile_retire(struct qr_table *t, u32 id, const char *names)
{
	struct qr_bucket *b = t->bucket[id];

	raw_spin_lock_irq(&t->lock);
	/* Its cache may have been destroyed since the caller looked at the row. */
	if (!b->unused && !b->site.names) {
		qr_bucket_touch(t, b);
		b->site.names = names;
		retire(t, b);
	}
	raw_spin_unlock_irq(&t->lock);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_retire);

void qr_profile_cache_gone(u32 cache)
{
	struct qr_table *t = &qr_own_table;
	unsigned int i, nr = READ_ONCE(t->nr);

	for (i = 1; i < nr; i++) {
		struct qr_bucket *b = READ_ONCE(t->bucket[i]);

		if (READ_ONCE(b->site.cache) != cache)
			continue;
		raw_spin_lock_irq(&t->lock);
		if (b->site.cache == cache && !b->unused) {
			qr_bucket_touch(t, b);
			b->site.cache = QR_CACHE_GONE;
			retire(t, b);
		}
		raw_spin_unlock_irq(&t->lock);
	}
}

/* --- Reset --- */

/*
 * After a reset a row without live objects has no numbers.  Such a row is reused, so that its label
 * set can be used again, too.  A row that has followed the reset is left alone: it is new, or its
 * objects were freed since.  The first sample of a row that is made at this very moment may find
 * that the row is gone; it is counted as one without labels.
 */
void qr_profile_reuse_rows(struct qr_table *t)
{
	unsigned int i = 1, end, nr = READ_ONCE(t->nr);

	while (i < nr) {
		raw_spin_lock_irq(&t->lock);
		for (end = min(i + 32, nr); i < end; i++) {
			struct qr_bucket *b = t->bucket[i];

			if (b->unused || b->site.inuse.samples || b->resets == t->resets)
				continue;
			qr_bucket_touch(t, b);
			set_unused(t, b, 0);
		}
		raw_spin_unlock_irq(&t->lock);
		cond_resched();
	}
}

/* --- Copies --- */

/* Under copy_mutex. */
static void copy(struct qr_table *t, struct quarry_profile *p, struct qr_largest *largest)
{
	u64 now, real;
	unsigned int i = 0;

	qr_labels_copy_begin();
	raw_spin_lock_irq(&t->lock);
	now = ktime_get_mono_fast_ns();
	real = ktime_get_real_ns();
	p->nr = min(p->nr, t->nr);
	p->time_ns = real;
	p->mono_ns = now;
	p->since_ns = t->since;
	p->duration_ns = 0;
	p->resets = t->resets;
	p->peak_time_ns = real - (now - t->peak_time);
	p->dropped_samples = t->dropped_samples;
	p->dropped_space = t->dropped_space;
	p->other_samples = t->other_samples;
	t->copy = p;
	t->largest = largest;
	t->copy_peaks = t->peaks;
	t->copy_resets = t->resets;
	t->snapshot++;
	t->news++;
	while (i < p->nr) {
		unsigned int end = min(i + 32, p->nr);

		for (; i < end; i++)
			if (t->bucket[i]->snapshot != t->snapshot)
				copy_out(t, t->bucket[i]);
		raw_spin_unlock_irq(&t->lock);
		cond_resched();
		raw_spin_lock_irq(&t->lock);
	}
	t->copy = NULL;
	t->largest = NULL;
	raw_spin_unlock_irq(&t->lock);
	if (largest)
		qr_largest_end(largest);
	qr_labels_copy_end(p->label_sets);
}

void qr_profile_copy(struct qr_table *t, struct quarry_profile *p)
{
	mutex_lock(&copy_mutex);
	copy(t, p, NULL);
	mutex_unlock(&copy_mutex);
}

bool qr_profile_copy_lock(bool wait)
{
	if (!wait)
		return mutex_trylock(&copy_mutex);
	mutex_lock(&copy_mutex);
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_copy_lock);

void qr_profile_copy_unlock(void)
{
	mutex_unlock(&copy_mutex);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_copy_unlock);

void qr_profile_copy_largest(struct qr_table *t, struct quarry_profile *p, const char *only)
{
	static struct qr_largest largest; /* with copy_mutex */

	qr_largest_begin(&largest, p, only);
	copy(t, p, &largest);
}

/* --- Life --- */

void qr_tables_each(void (*fn)(struct qr_table *t, void *arg), void *arg)
{
	struct qr_table *t;

	mutex_lock(&tables_mutex);
	list_for_each_entry(t, &tables, link)
		fn(t, arg);
	mutex_unlock(&tables_mutex);
}

static void *table_valloc(struct qr_table *t, size_t size)
{
	return t == &qr_own_table ? qr_profile_memory_valloc(size) : qr_meta_valloc(size);
}

static void table_vfree(struct qr_table *t, void *p, size_t size)
{
	if (t == &qr_own_table)
		qr_profile_memory_vfree(p, size);
	else
		qr_meta_vfree(p, size);
}

static void free_rows(struct qr_table *t)
{
	unsigned int i;

	if (t->rows)
		qr_meta_vfree(t->rows, t->max * sizeof(*t->rows));
	for (i = 1; !t->rows && i < t->nr; i++)
		qr_profile_memory_cache_free(bucket_cache, t->bucket[i]);
}

void qr_table_exit(struct qr_table *t)
{
	unsigned int i;

	if (t->nr) {
		mutex_lock(&tables_mutex);
		list_del(&t->link);
		mutex_unlock(&tables_mutex);
	}
	for (i = 1; t != &qr_own_table && i < t->nr; i++)
		if (!t->bucket[i]->unused)
			qr_labels_drop(t->bucket[i]->site.labels);
	free_rows(t);
	table_vfree(t, t->bucket, t->max * sizeof(*t->bucket));
	table_vfree(t, t->hash, sizeof(*t->hash) << t->bits);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_table_exit);

static int table_init(struct qr_table *t, unsigned int max)
{
	raw_spin_lock_init(&t->lock);
	INIT_LIST_HEAD(&t->watchers);
	t->max = max;
	t->bits = ilog2(max);
	t->bucket = table_valloc(t, t->max * sizeof(*t->bucket));
	t->hash = table_valloc(t, sizeof(*t->hash) << t->bits);
	if (!t->bucket || !t->hash) {
		qr_table_exit(t);
		return -ENOMEM;
	}
	strscpy(t->other.site.cache_name, "(other)", QUARRY_NAME_LEN);
	t->bucket[0] = &t->other;
	t->nr = 1;
	t->since = ktime_get_mono_fast_ns();
	t->peak_time = t->since;
	mutex_lock(&tables_mutex);
	list_add_tail(&t->link, &tables);
	mutex_unlock(&tables_mutex);
	return 0;
}

int qr_table_init(struct qr_table *t, unsigned int max, u32 resets)
{
	t->resets = resets;
	t->other.resets = resets;
	t->max = max;
	t->rows = qr_meta_valloc(max * sizeof(*t->rows));
	return t->rows ? table_init(t, max) : -ENOMEM;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_table_init);

size_t qr_table_bytes(unsigned int max)
{
	const struct qr_table *t;

	return max * (sizeof(*t->rows) + sizeof(*t->bucket) + sizeof(*t->hash));
}

int qr_buckets_init(void)
{
	int err;

	bucket_cache = qr_meta_cache_create("quarry_site", sizeof(struct qr_bucket), false);
	if (!bucket_cache)
		return -ENOMEM;
	/* Half of the profiler's memory is for rows, the rest for samples and labels. */
	err = table_init(&qr_own_table, rounddown_pow_of_two(qr_profile_memory_limit / 2 /
							     sizeof(struct qr_bucket)));
	if (err)
		kmem_cache_destroy(bucket_cache);
	return err;
}

void qr_buckets_exit(void)
{
	qr_table_exit(&qr_own_table);
	kmem_cache_destroy(bucket_cache);
}
