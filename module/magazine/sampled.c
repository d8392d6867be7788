// SPDX-License-Identifier: GPL-2.0
/* Allocation of an object that is sampled. */
#include "magazine/twin.h"

#include <linux/atomic.h>
#include <linux/irqflags.h>
#include <linux/rcupdate.h>
#include "compat.h"
#include "core/task_count.h"

/*
 * Allocate an object that is to be sampled, and record the sample.  It comes from a slab in a
 * chunk of kind QR_SAMPLED, so its free always takes the slow path, which ends the sample.  If
 * there is no memory for such a slab the sample is lost: NULL is returned, and the caller
 * allocates an ordinary object.
 */
static __always_inline void *sampled(struct qr_cache *c, const struct qr_cache *as, int node,
				     u64 weight, size_t asked, gfp_t gfp, unsigned long ip)
{
	gfp_t modest = qr_gfp_modest(gfp) | (gfp & __GFP_THISNODE);
	struct qr_depot *d = qr_sampled_depot(c, node);
	struct qr_sampled what = {
		.cache = as->id,
		.name = as->name,
		.size = c->pub.size,
		.asked = asked,
		.weight = weight,
		.ip = ip,
	};
	struct qr_slab *slab;
	unsigned long flags;
	unsigned int i;
	void *p;

	for (;;) {
		local_irq_save(flags);
		p = qr_depot_take_one(d, &slab, &i);
		if (likely(p)) {
			struct qr_head *h = this_cpu_ptr(c->pub.head);

			h->direct_allocs++;
			if (unlikely(d->node != node))
				atomic64_inc(&c->remote_allocs);
			qr_count_alloc();
		}
		local_irq_restore(flags);
		if (likely(p))
			break;
		d = qr_cache_grow(c, node, true, modest);
		if (!d) {
			qr_profile_dropped(weight, c->pub.size);
			return NULL;
		}
	}
	what.ptr = p;
	what.node = slab->run.chunk->node;
	qr_profile_alloced(&slab->samples.at[i], &what, gfp);
	return p;
}

/* A cache's twin serves it first, as all of its objects are sampled. */
void *qr_alloc_sampled(struct qr_cache *c, int node, u64 weight, size_t asked, gfp_t gfp,
		       unsigned long ip)
{
	void *p = NULL;

	if (unlikely(rcu_access_pointer(c->twin)))
		p = qr_twin_alloc(c, node, asked, gfp, ip);
	return p ?: sampled(c, c, node, weight, asked, gfp, ip);
}

void *qr_alloc_sampled_as(struct qr_cache *c, const struct qr_cache *as, int node, u64 weight,
			  size_t asked, gfp_t gfp, unsigned long ip)
{
	return sampled(c, as, node, weight, asked, gfp, ip);
}
