/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The depot of a cache on one node: batches of free objects on their way between CPUs, and below
 * them the cache's slabs on that node, sorted by fullness.
 *
 * Contexts: called with interrupts off unless a function says otherwise.  In an NMI the lock is
 * tried; a refused lock looks to the caller like an empty depot.  Work under the lock is bounded.
 */
#ifndef QR_DEPOT_H
#define QR_DEPOT_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <quarry/stats.h>
#include "core/limit.h"
#include "slab/misuse.h"
#include "slab/slab.h"

/**
 * struct qr_batch - free objects, up to half of what a magazine may hold
 * @next: in one of the depot's stacks
 * @nr: objects in it
 * @obj: the objects
 */
struct qr_batch {
	struct qr_batch *next;
	unsigned int nr;
	void *obj[QR_MAGAZINE_MAX / 2];
};

/* Copy a few pointers; a call of memcpy() would cost more. */
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
 * @lock: guards all members that change; taken with interrupts off, before a heap's lock and
 *	never together with another depot's
 * @cache: the cache
 * @limit: the cache's limit, to which the pages of its slabs are charged
 * @node: the node
 * @account: the kernel's counter of the slabs' bytes, see QUARRY_ACCOUNT_NODE; or QR_NO_ACCOUNT
 * @batch: objects in a full batch
 * @max_batches: batches that the depot may have
 * @nr_batches: batches that the depot has
 * @nr_cached: objects in batches
 * @wants_batches: objects that were given went to their slabs while no batch was spare
 * @borrow: the last slab came from another node's memory, so that about this many objects are to
 *	be taken from other nodes' depots before pages are asked for again.  A guess; no lock
 * @stocked: stack of batches with objects, so that objects freed last leave first; all but the
 *	topmost are full
 * @spare: stack of batches without objects
 * @bins: slabs with some objects free, the fullest in bin 0; the last bin has slabs that wait to
 *	be trimmed, see slab_trim.c
 * @used_bins: a bit for each of @bins that may hold a slab
 * @emergency: slabs from the emergency reserves that have objects free, by the access that they
 *	need, counted from QR_SOME_ACCESS.  Only qr_depot_take_emergency() takes from them
 * @empty: slabs with all objects free
 * @used_up: slabs with no object free
 * @takes: times that objects were taken: each is a miss of an allocation, or a batch for a bulk
 *	allocation
 * @gives: times that objects were given: each is a miss of a free, or a batch of remote frees.
 *	Those that a drain moves do not count
 * @moves_seen: @takes + @gives when the shrinker last looked
 * @changes: a new value whenever a slab comes, goes, or changes its list or its place there
 * @rounds: tasks that go round a list of the depot.  The walker moves no slab meanwhile
 * @nr_empty: slabs in @empty
 * @nr_slabs: slabs in all lists
 * @nr_pages: pages of all slabs
 * @nr_objects: objects that all slabs were cut into, without those on trimmed pages
 */
struct qr_depot {
	raw_spinlock_t lock;
	struct qr_cache *cache;
	struct qr_limit *limit;
	int node;
	int account;
	unsigned int batch;
	unsigned int max_batches;
	unsigned int nr_batches;
	unsigned int nr_cached;
	bool wants_batches;
	int borrow;
	unsigned long used_bins;
	struct qr_batch *stocked;
	struct qr_batch *spare;
	struct list_head bins[QR_SLAB_BINS + 1];
	struct list_head emergency[QR_FULL_ACCESS];
	struct list_head empty;
	struct list_head used_up;
	u64 takes;
	u64 gives;
	u64 moves_seen;
	u64 changes;
	atomic_t rounds;
	unsigned long nr_empty;
	unsigned long nr_slabs;
	unsigned long nr_pages;
	unsigned long nr_objects;
} ____cacheline_aligned;

/* --- For the files of this layer --- */

/* Slabs that are dealt with while the lock is held once, where there may be any number of them. */
#define QR_DEPOT_SLICE 64

/* The bin that a slab belongs in, counted from 1; 0: the list of slabs that are used up. */
static inline unsigned int qr_depot_bin(const struct qr_slab *slab)
{
	return DIV_ROUND_UP(slab->nr_free * QR_SLAB_BINS, slab->nr_objects);
}

/*
 * Must a slab that gives objects one by one move to another bin?  Not until it has fallen a whole
 * bin behind: otherwise each turn of one take and one give at a bin's edge would move it.
 */
static inline bool qr_depot_lags(const struct qr_slab *slab)
{
	/* It is in no bin: all of its objects were free. */
	if (slab->bin > QR_SLAB_BINS || !slab->nr_free)
		return true;
	return slab->nr_free * QR_SLAB_BINS + slab->nr_objects <=
	       (slab->bin - 1) * slab->nr_objects;
}

/*
 * The lists that a slab of @d may be in, by number: bins, empty, used up, emergency.  The bin of
 * slabs that wait to be trimmed is left out, so no trim may be under way.  With the lock.
 */
static inline struct list_head *qr_depot_list(struct qr_depot *d, unsigned int i)
{
	switch (i) {
	case QR_SLAB_BINS:
		return &d->empty;
	case QR_SLAB_BINS + 1:
		return &d->used_up;
	default:
		return i < QR_SLAB_BINS ? &d->bins[i] : &d->emergency[i - QR_SLAB_BINS - 2];
	}
}

#define QR_DEPOT_LISTS (QR_SLAB_BINS + 2 + QR_FULL_ACCESS)

#define qr_for_each_depot_slab(slab, next, d, i)                                                   \
	for (i = 0; i < QR_DEPOT_LISTS; i++)                                                       \
		list_for_each_entry_safe(slab, next, qr_depot_list(d, i), link)

/* --- For other files --- */

/* A number that changes whenever objects come or go.  No lock. */
static inline u64 qr_depot_moves(const struct qr_depot *d)
{
	return READ_ONCE(d->takes) + READ_ONCE(d->gives);
}

/* No counter of the kernel's has the slabs' bytes. */
#define QR_NO_ACCOUNT (-1)

/* Without @batches, objects that are given always go straight to their slabs. */
void qr_depot_init(struct qr_depot *d, struct qr_cache *cache, struct qr_limit *limit, int node,
		   unsigned int stride, bool batches, int account);

/* Take up to @want objects, from batches first, then from slabs; returns how many. */
unsigned int qr_depot_take(struct qr_depot *d, void **out, unsigned int want);
/* The same for code that may have interrupted a holder of the lock: tries it; 0 if it is held. */
unsigned int qr_depot_take_nolock(struct qr_depot *d, void **out, unsigned int want);

/*
 * Take one object straight from a slab; NULL if there is none.  Sets *@slab to its slab and
 * *@index to its number there.
 */
void *qr_depot_take_one(struct qr_depot *d, struct qr_slab **slab, unsigned int *index);

/* Module parameter: batches from magazines that a CPU checks in a tick; see depot.c. */
extern unsigned int qr_checked_flushes;

/*
 * Take one object that is from the emergency reserves; NULL if there is none that a caller with
 * @access may have.
 */
void *qr_depot_take_emergency(struct qr_depot *d, enum qr_access access);

/*
 * Give @n objects.  If they are a full batch, this CPU has checked enough of them in this tick, and
 * the depot has a spare batch, they stay a batch; otherwise they go to their slabs.  A batch is not
 * looked at.  Of objects that go to slabs, those of another depot and
 * those that are misused are refused: they are moved to the front of @in, and their number is
 * returned.  Slabs that became empty and are not kept go to @doomed, for qr_slabs_destroy() after
 * the caller has restored interrupts.
 */
unsigned int qr_depot_give(struct qr_depot *d, void **in, unsigned int n, struct list_head *doomed);

/*
 * Give one object straight to its slab, in whichever depot that is.  Returns what is wrong with
 * the free; @cache, if not NULL, is the cache that was named.
 */
enum qr_misuse qr_depot_give_one(struct qr_slab *slab, struct qr_cache *cache, void *p,
				 struct list_head *doomed);

/*
 * Add a new slab, whose pages are charged, and spare batches in proportion to its objects.  Any
 * context but NMI, interrupts on or off.
 */
void qr_depot_add(struct qr_depot *d, struct qr_slab *slab, gfp_t gfp);

/*
 * Take the objects of one batch out; returns how many.  The caller gives them to their slabs with
 * qr_depot_give_slabs(), which refuses objects as qr_depot_give() does.
 */
unsigned int qr_depot_unstock(struct qr_depot *d, void **out);
unsigned int qr_depot_give_slabs(struct qr_depot *d, void **in, unsigned int n,
				 struct list_head *doomed);

/*
 * Move every empty slab to @doomed, and free spare batches that the other slabs have no objects
 * for.  Slabs that become empty meanwhile may stay.  Returns slabs moved.  Interrupts on or off;
 * not NMI.
 */
unsigned int qr_depot_reclaim(struct qr_depot *d, struct list_head *doomed);

/*
 * Free all spare batches of a depot that nobody uses; and when somebody does again, allocate those
 * that it wanted meanwhile, without waiting for memory.  Interrupts on.
 */
void qr_depot_rest(struct qr_depot *d);
void qr_depot_restock(struct qr_depot *d);

/*
 * For slab_trim.c and this layer's other files, with the lock: put a slab into the bin for the
 * objects that it has now; move a slab out of the depot to @doomed and off its books; count
 * pages that came (positive) or went (negative).
 */
void qr_depot_place(struct qr_depot *d, struct qr_slab *slab);
void qr_depot_forget(struct qr_depot *d, struct qr_slab *slab, struct list_head *doomed);
void qr_depot_count_pages(struct qr_depot *d, long pages);

/*
 * The module is unloaded: move every slab to @doomed, in use or not.  Returns live objects.  No CPU
 * uses the depot any more.
 */
unsigned long qr_depot_abandon(struct qr_depot *d, struct list_head *doomed);

/*
 * Free the cleanups of all objects without running them.  Nothing is allocated from the depot any
 * more, but objects may be freed meanwhile.
 */
void qr_depot_strip(struct qr_depot *d);

/* Destroy slabs that left their depots.  No lock held; any context but NMI. */
void qr_slabs_destroy(struct list_head *doomed);

/* An object that is not in its slab, or NULL.  With qr_caches_lock: no trim is under way. */
const void *qr_depot_first_live(struct qr_depot *d);

/* Call @fn for a copy of what is known of each slab, until it returns other than 0.  Sleeps. */
int qr_depot_walk_slabs(struct qr_depot *d, qr_slab_fn fn, void *arg);

/*
 * For the walker (view/validate.c), with the machine stopped: check lists, bins and counters.
 * Calls @fn for each slab; returns the sum of the live objects that @fn reports.
 */
typedef u64 (*qr_slab_check_fn)(struct qr_depot *d, struct qr_slab *slab,
				struct quarry_validation *v);
u64 qr_depot_validate(struct qr_depot *d, qr_slab_check_fn fn, struct quarry_validation *v);

/**
 * struct qr_depot_look - how far the walker has come with the lists of a depot that is in use
 * @sums: what the slabs add up to; @taken: objects that are not in their slab
 * @begun: the first slice has been done
 * @same: at the end: no slab moved meanwhile, so the sums have been compared.  False if another
 *	task goes round a list, which ends the look
 * @list: the list under way
 * @first: the first slab of that list that was looked at; it has moved to the list's end
 * @left: slabs that the list may still have
 * @changes: qr_depot.changes at the beginning
 */
struct qr_depot_look {
	struct qr_depot_sums {
		unsigned long slabs;
		unsigned long pages;
		unsigned long objects;
		unsigned long empty;
		unsigned long taken;
	} sums;
	bool begun;
	bool same;
	unsigned int list;
	const struct qr_slab *first;
	unsigned long left;
	u64 changes;
};

/*
 * For the walker while the depot is in use: check the lists and counters of the depot, up to
 * QR_DEPOT_SLICE slabs in a call.  @at is all zero before the first call.  Returns true while there
 * is more.  With qr_trim_lock; one walker at a time.
 */
bool qr_depot_look(struct qr_depot *d, struct qr_depot_look *at, struct quarry_validation *v);
/* Call @fn for each object of batch @nr, with the lock.  False if the depot has no such batch. */
bool qr_depot_look_at_batch(struct qr_depot *d, unsigned int nr, void (*fn)(void *p, void *arg),
			    void *arg);

/*
 * Called once when objects have come back to slabs, with a depot's lock held, and when a cache
 * begins to rest, which from then on keeps fewer pages.  It is set to NULL before the call; the
 * watcher sets it again when it wants another one.
 */
typedef void (*qr_depot_fn)(void);
extern qr_depot_fn qr_depot_watcher;
void qr_depot_call_watcher(void);

int qr_depots_init(void);
void qr_depots_exit(void);

#endif /* QR_DEPOT_H */
