/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The depot of a cache on one node: full batches on their way between CPUs,
 * and below them the node's slabs by fullness.
 *
 * Contexts: interrupts off, except qr_depot_add() and qr_depot_reclaim().
 * Bounded work under the lock.
 */
#ifndef QR_DEPOT_H
#define QR_DEPOT_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <quarry/stats.h>
#include "core/limit.h"
#include "core/misuse.h"
#include "slab/slab.h"

/**
 * struct qr_batch - up to half a magazine of objects
 * @next: in one of the depot's stacks
 * @nr: objects in it
 * @obj: the objects
 */
struct qr_batch {
	struct qr_batch *next;
	unsigned int nr;
	void *obj[QR_MAGAZINE_MAX / 2];
};

/* A short copy; a call to memcpy would cost more. */
static __always_inline void qr_copy(void **to, void *const *from, unsigned int n)
{
	for (; n >= 4; n -= 4, to += 4, from += 4) {
		WRITE_ONCE(to[0], from[0]);
		WRITE_ONCE(to[1], from[1]);
		WRITE_ONCE(to[2], from[2]);
		WRITE_ONCE(to[3], from[3]);
	}
	while (n--)
		WRITE_ONCE(*to++, *from++);
}

/**
 * struct qr_depot - one cache's objects on one node
 * @lock: everything below; taken with interrupts off, before a heap's lock and
 *	never together with another depot's
 * @cache: whose
 * @limit: the cache's, to which its slabs' pages are charged
 * @node: where
 * @account: its pages are in the kernel's books as slabs', see QUARRY_ACCOUNT_NODE
 * @batch: objects in a batch
 * @max_batches: batches that it may have
 * @nr_batches: batches that it has
 * @nr_cached: objects in them
 * @borrow: objects that may be taken from other nodes' depots before this one asks for
 *	pages again, since the last time they came from there.  A guess; no lock
 * @stocked: stack of batches with objects, so that the warmest leaves first;
 *	all but the first are full
 * @spare: stack of the others
 * @bins: slabs with some objects free, fullest in bin 0; in the last one those that
 *	are to be trimmed next
 * @used_bins: a bit for each of @bins that may hold a slab
 * @empty: slabs with all objects free
 * @used_up: slabs with none
 * @moves: batches and single objects that came or went
 * @moves_seen: the same when the shrinker last looked
 * @nr_empty: slabs in @empty
 * @nr_slabs: slabs in all
 * @nr_pages: their pages
 * @nr_objects: objects cut from them
 */
struct qr_depot {
	raw_spinlock_t lock;
	struct qr_cache *cache;
	struct qr_limit *limit;
	int node;
	bool account;
	unsigned int batch;
	unsigned int max_batches;
	unsigned int nr_batches;
	unsigned int nr_cached;
	int borrow;
	unsigned long used_bins;
	struct qr_batch *stocked;
	struct qr_batch *spare;
	struct list_head bins[QR_SLAB_BINS + 1];
	struct list_head empty;
	struct list_head used_up;
	unsigned int moves;
	unsigned int moves_seen;
	unsigned long nr_empty;
	unsigned long nr_slabs;
	unsigned long nr_pages;
	unsigned long nr_objects;
} ____cacheline_aligned;

/* --- For the files of this layer --- */

/* The bin that a slab belongs in, from 1; 0 means used up. */
static inline unsigned int qr_depot_bin(const struct qr_slab *slab)
{
	return DIV_ROUND_UP(slab->nr_free * QR_SLAB_BINS, slab->nr_objects);
}

/*
 * A slab that gives objects one by one may stay where it is until it has lost a bin's
 * worth, or others in turn with a give would move it each time.
 */
static inline bool qr_depot_lags(const struct qr_slab *slab)
{
	/* Not of a bin: it was empty. */
	if (slab->bin > QR_SLAB_BINS || !slab->nr_free)
		return true;
	return slab->nr_free * QR_SLAB_BINS + slab->nr_objects <=
	       (slab->bin - 1) * slab->nr_objects;
}

/*
 * Every list that a slab of @d may be in, one after the other.  With the lock, and none is
 * being trimmed.
 */
static inline struct list_head *qr_depot_list(struct qr_depot *d, unsigned int i)
{
	return i < QR_SLAB_BINS ? &d->bins[i] : i == QR_SLAB_BINS ? &d->empty : &d->used_up;
}

#define qr_for_each_depot_slab(slab, next, d, i)                                                   \
	for (i = 0; i < QR_SLAB_BINS + 2; i++)                                                     \
		list_for_each_entry_safe(slab, next, qr_depot_list(d, i), link)

/* --- For others --- */

/* @batches false: objects go straight to their slabs. */
void qr_depot_init(struct qr_depot *d, struct qr_cache *cache, struct qr_limit *limit, int node,
		   unsigned int stride, bool batches, bool account);

/* Up to @want objects, from batches by preference; returns how many. */
unsigned int qr_depot_take(struct qr_depot *d, void **out, unsigned int want);
/* The same for whoever may hold the lock already, or any other: 0 if somebody does. */
unsigned int qr_depot_take_nolock(struct qr_depot *d, void **out, unsigned int want);

/*
 * One object straight from a slab; NULL if there is none.  Says which slab's, and its
 * number there.
 */
void *qr_depot_take_one(struct qr_depot *d, struct qr_slab **slab, unsigned int *index);

/*
 * Give @n objects: as a batch if they are one and there is room, else to their
 * slabs.  Objects that this depot cannot take, because they are
 * another depot's or because something is wrong with them, are moved to the
 * front of @in; returns how many.  Slabs to be destroyed, once the
 * interrupts are on again, go to @doomed.
 */
unsigned int qr_depot_give(struct qr_depot *d, void **in, unsigned int n, struct list_head *doomed);

/* One object straight to its slab, whichever depot's it is; says what is wrong. */
enum qr_misuse qr_depot_give_one(struct qr_slab *slab, struct qr_cache *cache, void *p,
				 struct list_head *doomed);

/* A new slab, its pages charged, and empty batches in proportion.  Any context. */
void qr_depot_add(struct qr_depot *d, struct qr_slab *slab, gfp_t gfp);

/*
 * Take one batch's objects out, for them to be given to their slabs with
 * qr_depot_give_slabs(); returns how many.
 */
unsigned int qr_depot_unstock(struct qr_depot *d, void **out);
unsigned int qr_depot_give_slabs(struct qr_depot *d, void **in, unsigned int n,
				 struct list_head *doomed);

/* Take every empty slab away, and batches without one. Returns slabs moved to @doomed. */
unsigned int qr_depot_reclaim(struct qr_depot *d, struct list_head *doomed);

/*
 * For magazine/slab_trim.c, with the lock.  A slab's place among the bins, by what it has now; a slab
 * or some of its pages and objects are not the depot's any more; so many pages came, or went.
 */
void qr_depot_place(struct qr_depot *d, struct qr_slab *slab);
void qr_depot_forget(struct qr_depot *d, struct qr_slab *slab, struct list_head *doomed);
void qr_depot_count_pages(struct qr_depot *d, long pages);

/* The cache is going: give up every slab, in use or not.  Returns live objects. */
unsigned long qr_depot_abandon(struct qr_depot *d, struct list_head *doomed);

/* No cleanup of its objects will run. */
void qr_depot_strip(struct qr_depot *d);

void qr_slabs_destroy(struct list_head *doomed);

/* Objects that its slabs miss; *first is set to one of them. */
unsigned long qr_depot_live(struct qr_depot *d, const void **first);

int qr_depot_walk_slabs(struct qr_depot *d, qr_slab_fn fn, void *arg);

/*
 * With the machine stopped: are lists, bins and counters right?  Looks at each
 * slab with @fn, and adds up what that says is live.
 */
typedef u64 (*qr_slab_check_fn)(struct qr_depot *d, struct qr_slab *slab,
				struct quarry_validation *v);
u64 qr_depot_validate(struct qr_depot *d, qr_slab_check_fn fn, struct quarry_validation *v);

/*
 * Told once, with a depot's lock held, that objects have come back to slabs; NULL from
 * then on until the watcher sets it anew.
 */
typedef void (*qr_depot_fn)(void);
extern qr_depot_fn qr_depot_watcher;

int qr_depots_init(void);
void qr_depots_exit(void);

#endif /* QR_DEPOT_H */
