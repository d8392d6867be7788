/* SPDX-License-Identifier: GPL-2.0 */
/* A pool, and the shelves on which CPUs keep its unused objects for all CPUs. */
#ifndef QR_POOL_SHELF_H
#define QR_POOL_SHELF_H

#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include "core/misuse.h"
#include "magazine/magazine.h"

/* Objects that are undone and freed at a time. */
#define QR_POOL_LEAVING 16U

/**
 * struct qr_shelf - unused objects of one CPU that every CPU may take
 * @lock: protects @nr, @nr_victims and @obj; interrupts off
 * @nr: objects in @obj, last in first out
 * @nr_victims: the first objects of @obj, which lay here in the shrinker's last round
 * @shared: gets that this CPU served from this shelf.  Only this CPU changes this counter and
 *	those that follow
 * @stolen: gets that this CPU served from other CPUs' shelves
 * @victims: gets that this CPU served with a victim, from any shelf
 * @remote: gets that this CPU served with an object of another node
 * @misses: gets for which this CPU made a new object
 * @put_misses: puts that this CPU's magazine could not serve
 * @dropped: puts for which this CPU found no room
 * @obj: the objects
 */
struct qr_shelf {
	raw_spinlock_t lock;
	unsigned int nr;
	unsigned int nr_victims;
	u64 shared;
	u64 stolen;
	u64 victims;
	u64 remote;
	u64 misses;
	u64 put_misses;
	u64 dropped;
	void *obj[];
} ____cacheline_aligned;

/**
 * struct qr_pool - a pool
 * @pub: what clients see
 * @keeper: what the cache sees
 * @cache: the cache that the objects are from; the fast paths work on its magazines
 * @shelves: one for each CPU
 * @places: objects that a shelf takes from puts.  It has room for a full magazine beyond that
 * @shelf_bytes: size of one shelf
 * @init: see &struct quarry_pool_args
 * @exit: see &struct quarry_pool_args
 * @lock: held while objects are taken out of the pool to be freed; taken inside of pools_lock
 * @nr_leaving: objects in @leaving.  It changes with interrupts off, so that the walker, which
 *	stops the machine, finds each object exactly once
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
	struct mutex lock; /* protects @nr_leaving and @leaving */
	unsigned int nr_leaving;
	void *leaving[QR_POOL_LEAVING];
	struct list_head link;
};

static inline struct qr_pool *qr_pool_of(struct quarry_pool *pub)
{
	return container_of(pub, struct qr_pool, pub);
}

/*
 * Put the last ones of @n objects on a shelf, until it has @most.  Returns how many it took.
 * Interrupts off.
 */
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

/*
 * Returns what is wrong with an object that is about to be put or to be freed, and its slab, if
 * it has one, in *@slab.  Preemption off.
 */
enum qr_misuse qr_pool_look_at(struct qr_cache *cache, const void *p, struct qr_slab **slab);
/* Report misuse that qr_pool_look_at() found. */
void qr_pool_report(struct qr_cache *cache, enum qr_misuse what, const void *p, unsigned long ip);

#endif /* QR_POOL_SHELF_H */
