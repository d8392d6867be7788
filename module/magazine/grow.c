// SPDX-License-Identifier: GPL-2.0
/*
 * A cache gets another slab: its pages are charged to the cache's limit, they come from the
 * wanted node if that has memory, and its objects are constructed, poisoned and so on like any
 * free object of the cache.  No lock is held here; the functions sleep if the gfp flags allow it.
 */
#include "magazine/magazine.h"

#include <linux/minmax.h>
#include <linux/preempt.h>
#include <trace/events/quarry.h>
#include "core/metadata.h"

/*
 * Pages of a slab for sampled objects.  A depot's first four slabs have as few pages as one object
 * needs: most caches never have more than a few samples.
 */
static unsigned int sampled_pages(struct qr_cache *c, int node)
{
	unsigned int least = DIV_ROUND_UP(c->geo.stride, QR_GEO_PAGE);
	struct qr_depot *d = qr_sampled_depot(c, node);

	if (READ_ONCE(d->nr_slabs) < 4)
		return least;
	return clamp(DIV_ROUND_UP(QR_SAMPLED_OBJECTS * c->geo.stride, QR_GEO_PAGE), least,
		     c->geo.pages);
}

/* Destroy the empty slabs of all nodes, to make room under a limit. */
static void spare_empties(struct qr_cache *c)
{
	LIST_HEAD(doomed);
	unsigned int i;

	for (i = 0; i < qr_nr_depots(); i++)
		if (c->depot[i])
			qr_depot_reclaim(c->depot[i], &doomed);
	qr_slabs_destroy(&doomed);
}

/*
 * Charge @pages to the cache.  Near its soft limit, empty slabs are destroyed first, but the
 * pages are granted.  False if they would exceed the hard limit.
 */
static bool charge(struct qr_cache *c, unsigned int pages, bool sampled, gfp_t gfp)
{
	if (qr_limit_is_near(&c->limit, pages)) {
		spare_empties(c);
		if (qr_limit_is_near(&c->limit, pages))
			qr_limit_hit_soft(&c->limit, c->name);
	}
	if (likely(qr_limit_take(&c->limit, pages, gfp)))
		return true;
	spare_empties(c);
	if (qr_limit_take(&c->limit, pages, gfp))
		return true;
	if (!sampled) /* a sampled object is tried again as an ordinary one */
		qr_limit_hit_hard(&c->limit, c->name);
	return false;
}

/* Bring the objects of a new slab into the state of free ones. */
static void prepare(struct qr_cache *c, struct qr_slab *slab)
{
	void *end = slab->base + (size_t)slab->nr_objects * slab->stride;
	unsigned int i;

	if (c->guarded) {
		slab->guard = &c->guard;
		qr_guard_hide_rest(&c->guard, end, slab->base + qr_slab_bytes(slab));
	}
	for (i = 0; i < slab->nr_objects; i++) {
		void *p = slab->base + (size_t)i * slab->stride;

		if (c->guarded)
			qr_guard_cut(&c->guard, p);
		if (c->ctor)
			c->ctor(p);
		if (c->guarded)
			qr_guard_hide(&c->guard, p);
	}
}

static bool add_depot(struct qr_cache *c, unsigned int i, int node, bool batches, gfp_t gfp)
{
	struct qr_depot *d;

	if (likely(READ_ONCE(c->depot[i])))
		return true;
	d = qr_meta_alloc(sizeof(*d), gfp, node);
	if (!d)
		return false;
	qr_depot_init(d, c, &c->limit, node, c->geo.stride, batches,
		      c->account_reclaim ? NR_SLAB_RECLAIMABLE_B :
		      c->account_node	 ? NR_SLAB_UNRECLAIMABLE_B :
					   QR_NO_ACCOUNT);
	if (cmpxchg(&c->depot[i], NULL, d))
		qr_meta_free(d, sizeof(*d));
	return true;
}

/* The depot of ordinary objects comes last: whoever finds it may use the other. */
bool qr_cache_add_depots(struct qr_cache *c, int node, gfp_t gfp)
{
	return add_depot(c, nr_node_ids + node, node, false, gfp) &&
	       add_depot(c, node, node, !c->guarded, gfp);
}

noinline struct qr_depot *qr_cache_grow(struct qr_cache *c, int node, bool sampled, gfp_t gfp)
{
	unsigned int pages = sampled ? sampled_pages(c, node) : c->geo.pages;
	struct qr_slab *slab;
	struct qr_depot *d;
	int got;

	if (in_nmi())
		return NULL;
	if (c->policy == QUARRY_NODE_FIXED)
		gfp |= __GFP_THISNODE;
	if (!charge(c, pages, sampled, gfp))
		return NULL;
	if (sampled)
		slab = qr_slab_create_sampled(&c->geo, pages, node, gfp);
	else
		slab = qr_slab_create(&c->geo, c->class, node, gfp);
	if (!slab)
		goto no_slab;
	slab->typesafe = c->typesafe;
	trace_slab_get(c->name, slab->base, slab->run.nr, slab->run.chunk->node);
	got = page_to_nid(slab->run.chunk->page + slab->run.first);
	/* The node may have got its memory just now: qr_caches_add_node() has not come here yet. */
	if (unlikely(!qr_cache_add_depots(c, got, gfp))) {
		qr_slab_destroy(slab);
		goto no_slab;
	}
	qr_limit_give(&c->limit, pages - slab->run.nr);
	if (c->ctor || c->guarded)
		prepare(c, slab);
	if (got != node) {
		atomic64_inc(&c->fallbacks);
		if (!sampled)
			WRITE_ONCE(c->depot[node]->borrow, slab->nr_objects);
	}
	d = sampled ? qr_sampled_depot(c, got) : c->depot[got];
	qr_depot_add(d, slab, gfp);
	return d;

no_slab:
	qr_limit_give(&c->limit, pages);
	return NULL;
}
