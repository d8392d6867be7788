/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Magazines: the slow half of what quarry.h does inline, and a cache as this
 * layer knows it.
 */
#ifndef QR_MAGAZINE_H
#define QR_MAGAZINE_H

#include <linux/atomic.h>
#include <linux/rcupdate.h>
#include <quarry/stats.h>
#include "depot.h"
#include "limit.h"

/**
 * struct qr_cache - a cache
 * @pub: what clients see, and the magazines
 * @geo: how its slabs are cut
 * @batch: objects that move between a magazine and a depot at a time
 * @class: the size class that it serves, or 0
 * @id: unique since the module was loaded
 * @asked: bytes per object that were asked for
 * @rate: bytes between samples; 0 is off
 * @own_rate: @rate is this cache's own, not that of all
 * @no_sample: QUARRY_NO_SAMPLE
 * @ctor: see &struct quarry_cache_args
 * @policy: where objects come from
 * @node: for QUARRY_NODE_FIXED
 * @turn: for QUARRY_NODE_INTERLEAVE
 * @failed: allocations that returned NULL
 * @refused: frees that went into a magazine and turned out to be misuse
 * @limit: of its slabs' pages
 * @trim_wait: times that the scavenger passes it over, after trimming brought little
 * @trim_backoff: how many these were the last time
 * @fallbacks: slabs that came from a node not asked for
 * @head_bytes: size of one CPU's head
 * @zombie: destroyed while objects were live; no CPU keeps objects of it
 * @link: in the list of caches
 * @rcu: freed after readers that came from a dangling object
 * @name: for people
 * @depot: by node, and from nr_node_ids on again by node those of sampled objects;
 *	NULL for nodes that had no memory
 */
struct qr_cache {
	struct quarry_cache pub;
	struct qr_geometry geo;
	unsigned int batch;
	unsigned int class;
	unsigned int id;
	unsigned int asked;
	u32 rate;
	bool own_rate;
	bool no_sample;
	void (*ctor)(void *obj);
	enum quarry_policy policy;
	int node;
	atomic_t turn;
	atomic64_t failed;
	atomic64_t refused;
	atomic64_t fallbacks;
	struct qr_limit limit;
	u8 trim_wait;
	u8 trim_backoff;
	unsigned int head_bytes;
	bool zombie;
	struct list_head link;
	struct rcu_head rcu;
	char name[QUARRY_NAME_LEN];
	struct qr_depot *depot[];
};

static inline struct qr_cache *qr_cache_of(struct quarry_cache *pub)
{
	return container_of(pub, struct qr_cache, pub);
}

/*
 * What goes into a countdown while nothing is sampled.  Large enough that the
 * slow path costs nothing, small enough that the sum cannot overflow the countdown.
 */
#define QR_DRAW 65536

static inline unsigned int qr_nr_depots(void)
{
	return 2 * nr_node_ids;
}

static inline struct qr_depot *qr_sampled_depot(struct qr_cache *c, int node)
{
	return c->depot[nr_node_ids + node];
}

/* Make a magazine ready for its first operation. */
void qr_head_init(struct qr_head *h, unsigned int capacity);

/*
 * How many allocations in a row a claimed head may serve: the one after them is
 * the slow path's.  They are counted by qr_head_count().
 */
static __always_inline unsigned int qr_head_quota(const struct qr_head *h)
{
	return h->countdown;
}

static __always_inline void qr_head_count(struct qr_head *h, unsigned int n)
{
	h->countdown -= n;
}

/* What qr_malloc_slow() and its like are made of. */
void *qr_magazine_alloc(struct qr_cache *cache, gfp_t gfp, size_t asked, unsigned long ip);
void *qr_magazine_alloc_node(struct qr_cache *cache, gfp_t gfp, int node, size_t asked,
			     unsigned long ip);

/* The cache's rate has changed: @cpu draws anew.  @cpu is as for qr_magazine_drain(). */
unsigned int qr_magazine_redraw(struct qr_cache *cache, unsigned int cpu);

/*
 * Up to @n objects from the depot that this CPU would refill from, past the
 * magazine but counted there; returns how many.  0 may mean that the next one is
 * to be sampled, or that this is nested: go the usual way.
 */
unsigned int qr_magazine_bypass(struct qr_cache *cache, void **objs, unsigned int n);

/*
 * Empty @cpu's magazine into slabs.  @cpu is this one, with preemption off,
 * or one that runs nothing of this cache.  Returns objects moved.
 */
unsigned int qr_magazine_drain(struct qr_cache *cache, unsigned int cpu);

/* Empty the depots into slabs and destroy what is empty.  Process context. */
unsigned int qr_cache_settle(struct qr_cache *cache);

#endif /* QR_MAGAZINE_H */
