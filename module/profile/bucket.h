/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rows of a table of samples, called buckets: one for each combination of
 * stack, cache and label set (a site).  A row is never freed, only reused, so that
 * its number can index an array.  Samples that find no row are counted in bucket 0.
 * Each heap that is profiled has a table of its own; Quarry's is qr_own_table.
 *
 * One raw lock protects all rows of a table.  Samples are rare, and a snapshot in which all rows
 * are of the same moment is worth more than throughput while every allocation is
 * sampled.  No step under the lock takes time in proportion to the table's size.
 * Three events concern all rows: such an event only increments a counter of the
 * table, and each row follows it before the row's own next change:
 *
 *	new peak	the row's inuse before that change was part of the peak
 *	reset		the row forgets its history
 *	snapshot	the row copies itself, in case the reader that copies the
 *			table has not reached it yet
 *
 * The counter @news of all these events tells whether a row has anything to follow.
 */
#ifndef QR_BUCKET_H
#define QR_BUCKET_H

#include <linux/hash.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <quarry/profile.h>

#define QR_RETIRED_BITS 8

/* Stands for the cache's number in a row whose cache was destroyed. */
#define QR_CACHE_GONE (U32_MAX - 1)

/**
 * struct qr_freed - a row's freed objects, by the age they reached
 * @objects: how many, with QR_OBJECTS_SHIFT fractional bits
 * @space: their bytes
 */
struct qr_freed {
	u64 objects[QR_AGES];
	u64 space[QR_AGES];
};

/**
 * struct qr_bucket - a row
 * @link: in one list of &struct qr_table: hash, retired or unused
 * @news: value of the table's news that the row has followed
 * @peaks: value of the table's peaks that site.peak_* belong to
 * @resets: value of the table's resets that the row has followed
 * @snapshot: value of the table's snapshot for which the row was copied
 * @unused: the row is in the list of rows to be reused
 * @freed: its freed objects
 * @site: its numbers
 */
struct qr_bucket {
	struct hlist_node link;
	u32 news;
	u32 peaks;
	u32 resets;
	u32 snapshot;
	bool unused;
	struct qr_freed freed;
	struct quarry_site site;
};

/**
 * struct qr_table - all rows of one heap
 * @lock: protects the table, its rows and its samples.  Taken with interrupts off
 * @link: in the list of all tables
 * @watchers: observers of its samples, see qr_watch()
 * @rows: memory for all rows, if the table was made with it; otherwise NULL, and a row gets its
 *	memory when it is made
 * @bucket: the rows by number
 * @hash: rows in use, by cache, stack and labels
 * @retired: rows whose module or cache is gone, by stack (or names) and labels
 * @unused: rows to be reused
 * @bits: log2 of the lists in @hash
 * @max: the most rows that there may be
 * @nr: rows that there are
 * @news: counts the events that concern all rows: peaks, resets and snapshots
 * @peaks: counts new peaks
 * @resets: counts resets
 * @snapshot: counts copies of the table
 * @live_space: estimate of the bytes that are live
 * @peak_space: the largest value that @live_space has had
 * @peak_time: when it had that value, ns of the monotonic clock
 * @samples: objects sampled so far
 * @live_samples: sampled objects that are live
 * @dropped_samples: samples that could not be recorded
 * @dropped_space: bytes that these stood for
 * @other_samples: samples recorded without stack or labels
 * @since: when history began, ns of the monotonic clock
 * @copy: the copy that is being made, or NULL
 * @largest: keeps the largest rows of that copy; NULL if it has room for all
 * @copy_peaks: value of @peaks when that copy was begun
 * @copy_resets: value of @resets when that copy was begun
 * @other: row 0
 */
struct qr_table {
	raw_spinlock_t lock; /* see above */
	struct list_head link;
	struct list_head watchers;
	struct qr_bucket *rows;
	struct qr_bucket **bucket;
	struct hlist_head *hash;
	struct hlist_head retired[1 << QR_RETIRED_BITS];
	struct hlist_head unused;
	unsigned int bits;
	unsigned int max;
	unsigned int nr;
	u32 news;
	u32 peaks;
	u32 resets;
	u32 snapshot;
	u64 live_space;
	u64 peak_space;
	u64 peak_time;
	u64 samples;
	u64 live_samples;
	u64 dropped_samples;
	u64 dropped_space;
	u64 other_samples;
	u64 since;
	struct quarry_profile *copy;
	struct qr_largest *largest;
	u32 copy_peaks;
	u32 copy_resets;
	struct qr_bucket other;
};

/* The table of Quarry's own heap. */
extern struct qr_table qr_own_table;

static __always_inline void qr_sum_add(struct quarry_sum *to, const struct quarry_sum *from)
{
	to->samples += from->samples;
	to->objects += from->objects;
	to->space += from->space;
	to->var_objects += from->var_objects;
	to->var_space += from->var_space;
}

void qr_bucket_catch_up(struct qr_table *t, struct qr_bucket *b);

/* Let a row follow the events that concern all rows.  Called before every change of it. */
static __always_inline void qr_bucket_touch(struct qr_table *t, struct qr_bucket *b)
{
	if (b->news != t->news)
		qr_bucket_catch_up(t, b);
}

static __always_inline struct hlist_head *qr_bucket_list(struct qr_table *t, u32 cache, u32 stack,
							 u32 labels)
{
	u64 what = (u64)stack << 32 | ((cache << 12) ^ labels);

	return &t->hash[hash_64(what, t->bits)];
}

static __always_inline struct qr_bucket *qr_bucket_find(struct qr_table *t, u32 cache, u32 stack,
							u32 labels)
{
	struct qr_bucket *b;

	hlist_for_each_entry(b, qr_bucket_list(t, cache, stack, labels), link)
		if (b->site.stack == stack && b->site.cache == cache && b->site.labels == labels)
			return b;
	return NULL;
}

/* Is there an unused row, or room for a new one in the first 1/@part of the table? */
static inline bool qr_table_has_room(const struct qr_table *t, unsigned int part)
{
	return READ_ONCE(t->nr) < t->max / part || !hlist_empty(&t->unused);
}

/*
 * Make a row, if there is room and memory.  Runs in the context of the allocation;
 * takes the lock, so the caller does not hold it.  Stacks matter more than labels:
 * when half of the table is used, a new row has the label set "other".
 */
void qr_bucket_make(struct qr_table *t, const char *cache_name, u32 cache, u32 stack, u32 labels,
		    gfp_t gfp);

/* The row that was made: exact, with "other" labels, or bucket 0.  Under the lock. */
struct qr_bucket *qr_bucket_find_made(struct qr_table *t, u32 cache, u32 stack, u32 labels);

/*
 * A row retires when a module of its stack is unloaded or its cache is destroyed.  A
 * retired row keeps its numbers, and new samples get new rows.  Retired rows that read
 * the same and have no live objects are merged, so that a client that is loaded and
 * unloaded again and again does not fill the table.
 */

/* The stack of row @id, or 0 if the row has no stack or is known by names only. */
u32 qr_profile_stack(struct qr_table *t, u32 id);

/*
 * A module of row @id's stack goes: from now on the row is known by @names.  These last as
 * long as the table; equal names are the same pointer.  Process context.
 */
void qr_profile_retire(struct qr_table *t, u32 id, const char *names);

/* The cache of Quarry is gone and has no live objects: retire its rows.  Process context. */
void qr_profile_cache_gone(u32 cache);

/* The table was reset: rows without live objects are reused.  Sleeps. */
void qr_profile_reuse_rows(struct qr_table *t);

/*
 * Copy the rows into @p, up to p->nr of them, and the ages of freed objects if p->ages is
 * not NULL.  All rows are of the same moment.  Sleeps.
 */
void qr_profile_copy(struct qr_table *t, struct quarry_profile *p);

/*
 * The same for the QR_LARGEST rows that hold most, with all others summed in row 0; @p has room for
 * them.  No memory is asked for.  @only: rows of other caches than that of this name do not count;
 * NULL: all count.
 *
 * One copy is made at a time, so the caller takes the lock of copies first.  False: it is held, and
 * @wait is not set.  Whoever holds it asks for no memory.
 */
bool qr_profile_copy_lock(bool wait);
void qr_profile_copy_unlock(void);
void qr_profile_copy_largest(struct qr_table *t, struct quarry_profile *p, const char *only);

/* Call @fn for each table.  No table comes or goes meanwhile.  Sleeps. */
void qr_tables_each(void (*fn)(struct qr_table *t, void *arg), void *arg);

/*
 * Make @t, which is all zero, a table with memory for @max rows, a power of two.  It asks for no
 * memory later, and its memory does not count against the limit of Quarry's own profiler.
 * @resets is where its count of resets begins: a copy of the table with another count is no base
 * of a delta.  0 or -ENOMEM.  Sleeps.
 */
int qr_table_init(struct qr_table *t, unsigned int max, u32 resets);
/* No probe, watcher or reader uses the table any more.  Sleeps. */
void qr_table_exit(struct qr_table *t);
/* Bytes of a table with @max rows. */
size_t qr_table_bytes(unsigned int max);

int qr_buckets_init(void);
void qr_buckets_exit(void);

#endif /* QR_BUCKET_H */
