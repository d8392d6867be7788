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

/**
 * struct qr_cache - a cache
 * @pub: what clients see, and the magazines
 * @geo: how its slabs are cut
 * @batch: objects that move between a magazine and a depot at a time
 * @class: the size class that it serves, or 0
 * @id: unique since the module was loaded
 * @ctor: see &struct quarry_cache_args
 * @policy: where objects come from
 * @node: for QUARRY_NODE_FIXED
 * @turn: for QUARRY_NODE_INTERLEAVE
 * @failed: allocations that returned NULL
 * @refused: frees that went into a magazine and turned out to be misuse
 * @fallbacks: slabs that came from a node not asked for
 * @head_bytes: size of one CPU's head
 * @zombie: destroyed while objects were live; no CPU keeps objects of it
 * @link: in the list of caches
 * @rcu: freed after readers that came from a dangling object
 * @name: for people
 * @depot: by node; NULL for nodes that had no memory
 */
struct qr_cache {
	struct quarry_cache pub;
	struct qr_geometry geo;
	unsigned int batch;
	unsigned int class;
	unsigned int id;
	void (*ctor)(void *obj);
	enum quarry_policy policy;
	int node;
	atomic_t turn;
	atomic64_t failed;
	atomic64_t refused;
	atomic64_t fallbacks;
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
 * What goes into a countdown when it has run out.  Large enough that drawing
 * costs nothing, small enough that the sum cannot overflow the countdown.
 */
#define QR_DRAW 65536

/* Make a magazine ready for its first operation. */
void qr_head_init(struct qr_head *h, unsigned int capacity);

void qr_head_draw(struct qr_head *h);

/* @n allocations were made from a claimed head. */
static __always_inline void qr_head_count(struct qr_head *h, unsigned int n)
{
	h->countdown -= n;
	if (unlikely(h->countdown < 0))
		qr_head_draw(h);
}

/*
 * Up to @n objects from the depot that this CPU would refill from, past the
 * magazine but counted there; returns how many.
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
