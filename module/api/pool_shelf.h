/* SPDX-License-Identifier: GPL-2.0 */
/* A pool, and what each CPU has put aside in it for all. */
#ifndef QR_POOL_SHELF_H
#define QR_POOL_SHELF_H

#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include "core/misuse.h"
#include "magazine/magazine.h"

/* Objects that are on their way out at a time. */
#define QR_POOL_LEAVING 16U

/**
 * struct qr_shelf - what one CPU has put aside for all
 * @lock: all of the below but the counters; interrupts off
 * @nr: objects in @obj, last in first out
 * @nr_victims: the first ones, that were here in the shrinker's last round
 * @shared: gets that this CPU served from here; this and what follows is the CPU's own
 * @stolen: those that it served from other CPUs' shelves
 * @victims: those that it served with a victim, from any
 * @misses: those for which it made one
 * @dropped: puts for which it found no room
 * @obj: the objects
 */
struct qr_shelf {
	raw_spinlock_t lock;
	unsigned int nr;
	unsigned int nr_victims;
	u64 shared;
	u64 stolen;
	u64 victims;
	u64 misses;
	u64 dropped;
	void *obj[];
} ____cacheline_aligned;

/**
 * struct qr_pool - a pool
 * @pub: what clients see
 * @keeper: what the cache sees
 * @cache: whose objects these are, and whose magazines the fast path works on
 * @shelves: by CPU
 * @places: objects that a shelf takes from puts; it has room for a magazine more
 * @shelf_bytes: size of one
 * @init: see &struct quarry_pool_args
 * @exit: likewise
 * @lock: who takes objects away
 * @nr_leaving: objects in @leaving; changed with interrupts off, so that the walker finds
 *	each object somewhere
 * @leaving: objects that are being undone
 * @link: in the list of pools
 */
struct qr_pool {
	struct quarry_pool pub;
	struct qr_keeper keeper;
	struct qr_cache *cache;
	struct qr_shelf __percpu *shelves;
	unsigned int places;
	unsigned int shelf_bytes;
	int (*init)(void *obj, void *arg, gfp_t gfp);
	void (*exit)(void *obj, void *arg);
	struct mutex lock; /* @nr_leaving and @leaving */
	unsigned int nr_leaving;
	void *leaving[QR_POOL_LEAVING];
	struct list_head link;
};

static inline struct qr_pool *qr_pool_of(struct quarry_pool *pub)
{
	return container_of(pub, struct qr_pool, pub);
}

/* The last ones of @n objects, while there are no more than @most; returns how many.  IRQs off. */
static inline unsigned int qr_shelf_give(struct qr_shelf *s, void **objs, unsigned int n,
					 unsigned int most)
{
	unsigned int k;

	raw_spin_lock(&s->lock);
	k = min(n, most - min(most, s->nr));
	qr_copy(s->obj + s->nr, objs + n - k, k);
	WRITE_ONCE(s->nr, s->nr + k);
	raw_spin_unlock(&s->lock);
	return k;
}

/* What is wrong with an object that is about to be put or to leave?  Preemption off. */
enum qr_misuse qr_pool_look_at(struct qr_cache *cache, const void *p, struct qr_slab **slab);
/* Say so. */
void qr_pool_report(struct qr_cache *cache, enum qr_misuse what, const void *p, unsigned long ip);

#endif /* QR_POOL_SHELF_H */
