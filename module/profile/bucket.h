/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rows of the profiler's table, here called buckets, one for each stack, cache
 * and set of labels that was seen.  They are never freed, only used again, so that
 * their numbers index an array; what does not fit into the table is counted in
 * bucket 0.
 *
 * Every change is made under one raw lock: samples are rare, and a moment that
 * is the same for all rows is worth more than throughput while everything is
 * sampled.  Nothing under the lock takes time in proportion to the qr_table.
 * Where a change concerns all rows, a number is counted up, and each row does
 * its part before it changes for the next time:
 *
 *	a new peak	its inuse of before that change was part of the peak
 *	a reset		its history is over
 *	a snapshot	who copies the table may not have come to it yet: it copies
 *			itself
 *
 * A number that counts all of these says whether there is anything to do at all.
 */
#ifndef QR_BUCKET_H
#define QR_BUCKET_H

#include <linux/hash.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <quarry/profile.h>

#define QR_RETIRED_BITS 8

/* The cache of a row whose cache is gone. */
#define QR_CACHE_GONE (U32_MAX - 1)

/**
 * struct qr_freed - what became of a bucket's objects, by the age they reached
 * @objects: how many
 * @space: their bytes
 */
struct qr_freed {
	u64 objects[QR_AGES];
	u64 space[QR_AGES];
};

/**
 * struct qr_bucket - a row
 * @link: in a hash table, of those in use or of those retired, or not
 * @news: of changes that concern all rows, those that it has followed
 * @peaks: the peak that site.peak_* tell of
 * @resets: the reset that it has followed
 * @snapshot: the snapshot that has a copy of it
 * @unused: it is in the list of those to be used again
 * @freed: what became of its objects
 * @site: the numbers
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
 * struct qr_table - all rows
 * @bucket: by number
 * @hash: those in use, by what they are about
 * @retired: those whose module or cache has gone, by how they read
 * @unused: those to be used again
 * @bits: of @hash
 * @max: rows that there may be
 * @nr: rows that there are
 * @news: changes that concern all rows
 * @peaks: of these, new peaks
 * @resets: and resets
 * @snapshot: and copies
 * @live_space: bytes that are live, by estimate
 * @peak_space: the largest that this has been
 * @peak_time: when, by the monotonic clock
 * @samples: objects sampled so far
 * @live_samples: those of them that are live
 * @dropped_samples: those that could not be recorded
 * @dropped_space: bytes they stood for
 * @other_samples: those recorded without stack or labels
 * @since: when history began
 * @copy: a copy in the making, or NULL
 * @copy_peaks: @peaks when it was begun
 * @copy_resets: @resets likewise
 */
struct qr_table {
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
	u32 copy_peaks;
	u32 copy_resets;
};

/* Everything here and all samples; interrupts off. */
extern raw_spinlock_t qr_profile_lock;
extern struct qr_table qr_table;

void qr_bucket_catch_up(struct qr_bucket *b);

/* Before every change of a row. */
static __always_inline void qr_bucket_touch(struct qr_bucket *b)
{
	if (b->news != qr_table.news)
		qr_bucket_catch_up(b);
}

static __always_inline struct hlist_head *qr_bucket_list(u32 cache, u32 stack, u32 labels)
{
	u64 what = (u64)stack << 32 | ((cache << 12) ^ labels);

	return &qr_table.hash[hash_64(what, qr_table.bits)];
}

static __always_inline struct qr_bucket *qr_bucket_find(u32 cache, u32 stack, u32 labels)
{
	struct qr_bucket *b;

	hlist_for_each_entry(b, qr_bucket_list(cache, stack, labels), link)
		if (b->site.stack == stack && b->site.cache == cache && b->site.labels == labels)
			return b;
	return NULL;
}

/* Is there room for another row? */
static inline bool qr_table_has_room(unsigned int part)
{
	return READ_ONCE(qr_table.nr) < qr_table.max / part || !hlist_empty(&qr_table.unused);
}

/*
 * A row for what has none, if that can be; in the caller's context, without the
 * lock.  Stacks matter more than labels: when half of the table is used, what is
 * new is put under "other" labels.
 */
void qr_bucket_make(const char *cache_name, u32 cache, u32 stack, u32 labels, gfp_t gfp);

/* The row that has been made, or the one that comes closest.  Under the lock. */
struct qr_bucket *qr_bucket_find_made(u32 cache, u32 stack, u32 labels);

/*
 * Rows retire when what they are about has gone for good.  They keep what they
 * tell, and new samples have rows of their own.  Where nothing of it is live, rows
 * that read the same are made one, so that a client that comes and goes does not
 * fill the qr_table.
 *
 * The stack of row @id, or 0 if it is not known by address (any more).  A module of
 * it goes: from now on it is known by @names, which last as long as the table, and are
 * the same pointer where they are the same.  The cache goes, and has no live objects.
 */
u32 qr_profile_stack(u32 id);
void qr_profile_retire(u32 id, const char *names);
void qr_profile_cache_gone(u32 cache);

/*
 * Copy all rows into @p, which has room for p->nr of them, and the ages of what was
 * freed if it has room for those.  All are of the same moment.  Sleeps.
 */
void qr_profile_copy(struct quarry_profile *p);

int qr_buckets_init(void);
void qr_buckets_exit(void);

#endif /* QR_BUCKET_H */
