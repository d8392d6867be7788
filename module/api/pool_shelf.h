/* SPDX-License-Identifier: GPL-2.0 */
/* A pool, and the shelves on which CPUs keep its unused objects for all CPUs. */
#ifndef QR_POOL_SHELF_H
#define QR_POOL_SHELF_H

#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/find.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include "slab/misuse.h"
#include "magazine/magazine.h"

/* Objects that are undone and freed at a time. */
#define QR_POOL_LEAVING 16U

/**
 * struct qr_shelf - unused objects of one CPU that every CPU may take
 * @lock: protects @nr, @nr_victims and @obj; interrupts off
 * @cpu: the CPU
 * @node: its row in the pool's maps: the CPU's home node when @nr last changed
 * @nr: objects in @obj, last in first out; only qr_shelf_set_nr() changes it
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
	unsigned int cpu;
	int node;
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
 * @stocked: a bit for each shelf that has an object, in a row for each node
 * @roomy: the same for each shelf that has less than @places
 * @row: longs in a row of these maps
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
	unsigned long *stocked;
	unsigned long *roomy;
	unsigned int row;
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

/* Make the shelves and their maps; @cache is set.  False if there is no memory.  Sleeps. */
bool qr_shelves_new(struct qr_pool *pool);
/* Free them, all or those that were made. */
void qr_shelves_free(struct qr_pool *pool);

/* The keeper's @look: the walker looks at objects of a shelf.  See struct qr_keeper. */
bool qr_shelf_look(struct qr_keeper *keeper, unsigned int cpu, unsigned int from,
		   void (*fn)(void *p, void *arg), void *arg);

/* How many shelves beside its own a CPU tries, one after the other, with interrupts off. */
#define QR_SHELF_TRIES 8U

/*
 * The next shelf in a row of a map (@stocked, @roomy) from @cpu on, at whose end it begins again;
 * NULL if the row is empty.  So no shelf is read to find one, however many CPUs there are.  A bit
 * may change meanwhile: that costs a try, or overlooks a shelf.
 */
static inline struct qr_shelf *qr_shelf_next(struct qr_pool *pool, const unsigned long *map,
					     int node, unsigned int cpu)
{
	const unsigned long *row = map + (size_t)node * pool->row;
	/* Shelves are marked meanwhile: this may try one in vain, or overlook one. */
	unsigned int next = data_race(find_next_bit_wrap(row, nr_cpu_ids, cpu));

	return next < nr_cpu_ids ? per_cpu_ptr(pool->shelves, next) : NULL;
}

/* The home node of the shelf's CPU has changed.  With its lock. */
static inline void qr_shelf_move(struct qr_pool *pool, struct qr_shelf *s, int node)
{
	size_t from = (size_t)s->node * pool->row, to = (size_t)node * pool->row;

	clear_bit(s->cpu, pool->stocked + from);
	clear_bit(s->cpu, pool->roomy + from);
	assign_bit(s->cpu, pool->stocked + to, s->nr);
	assign_bit(s->cpu, pool->roomy + to, s->nr < pool->places);
	s->node = node;
}

/* Change the number of objects on a shelf, and its bits in the maps.  With its lock. */
static inline void qr_shelf_set_nr(struct qr_pool *pool, struct qr_shelf *s, unsigned int nr)
{
	bool roomy = nr < pool->places, was_roomy = s->nr < pool->places;
	int node = per_cpu(qr_home_node, s->cpu);
	size_t at = (size_t)node * pool->row;

	if (unlikely(node != s->node))
		qr_shelf_move(pool, s, node);
	if (!nr != !s->nr)
		assign_bit(s->cpu, pool->stocked + at, nr);
	if (roomy != was_roomy)
		assign_bit(s->cpu, pool->roomy + at, roomy);
	WRITE_ONCE(s->nr, nr);
}

/*
 * Put the last ones of @n objects on a shelf, until it has @most.  Returns how many it took.
 * Interrupts off.
 */
static inline unsigned int qr_shelf_give(struct qr_pool *pool, struct qr_shelf *s, void **objs,
					 unsigned int n, unsigned int most)
{
	unsigned int k;

	raw_spin_lock(&s->lock);
	k = min(n, most - min(most, s->nr));
	qr_copy(s->obj + s->nr, objs + n - k, k);
	qr_shelf_set_nr(pool, s, s->nr + k);
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
