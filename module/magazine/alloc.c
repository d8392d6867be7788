// SPDX-License-Identifier: GPL-2.0
/* The slow paths of allocation; the way down is at the head of magazine/magazine.c. */
#define pr_fmt(fmt) "quarry: " fmt

#include "magazine/magazine.h"

#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "core/slow_path_time.h"
#include "core/task_count.h"

/* Objects came from @d. */
static __always_inline void count_refill(struct qr_cache *c, struct qr_head *h, struct qr_depot *d,
					 unsigned int n)
{
	h->refilled += n;
	if (trace_refill_enabled() && n)
		trace_refill(c->name, d->node, n);
}

static noinline void alloc_failed(struct qr_cache *c, gfp_t gfp)
{
	const char *why = "no memory";

	atomic64_inc(&c->failed);
	if (gfp & __GFP_NOWARN)
		return;
	if (qr_limit_is_full(&c->limit, c->geo.pages))
		why = "its hard limit leaves no memory";
	else if (qr_limit_is_full(&qr_limit_all, c->geo.pages))
		why = "Quarry's hard limit leaves no memory";
	pr_warn_ratelimited("cache %s: %s for an object of %u bytes, gfp %pGg\n", c->name, why,
			    c->pub.size, &gfp);
}

/*
 * Interrupts off, @n from qr_head_claim() or its like.  Releases the head.
 * Where the object is to be sampled, *@weight is set and none is taken; without
 * @weight it never is.  @far: @d is not the depot that was asked for.
 */
static __always_inline void *take_one(struct qr_cache *c, struct qr_depot *d, struct qr_head *h,
				      int n, u64 *weight, bool far)
{
	void *p = NULL;

	if (unlikely(n < 0)) {
		if (weight) {
			*weight = qr_is_drawn(c);
			if (unlikely(*weight))
				return NULL;
		}
		if (qr_depot_take(d, &p, 1)) {
			h->direct_allocs++;
			h->remote_allocs += far;
		}
		return p;
	}
	if (unlikely(h->countdown <= 0)) {
		u64 due = qr_head_expired(c, h, weight);

		if (due) {
			*weight = due;
			qr_head_release(h, n);
			return NULL;
		}
	}
	if (!n) {
		n = qr_depot_take(d, h->obj, qr_head_unit(c, h));
		count_refill(c, h, d, n);
		h->far = far ? n : 0;
		if (far)
			h->remote_allocs += n;
	}
	if (likely(n)) {
		p = h->obj[--n];
		qr_head_count_one(h);
	}
	qr_head_release(h, n);
	return p;
}

/*
 * An object of @d for somebody who asked for one of @asked.  With @direct, or if
 * the magazine is not for such objects, it goes past that.
 */
static void *take_from(struct qr_cache *c, struct qr_depot *asked, struct qr_depot *d, bool direct)
{
	struct qr_head *h;
	unsigned long flags;
	void *p = NULL;

	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	/* A local one may have moved to another node's CPU while it asked for pages. */
	if (c->policy == QUARRY_NODE_LOCAL)
		direct |= asked != qr_home_depot(c);
	else
		direct |= asked != d;
	if (!direct) {
		p = take_one(c, d, h, qr_head_claim(h), NULL, d != asked);
	} else if (qr_depot_take(d, &p, 1)) {
		h->direct_allocs++;
		h->remote_allocs += d != asked;
		qr_count_alloc();
	}
	local_irq_restore(flags);
	return p;
}

/* What other nodes hold already. */
static void *take_elsewhere(struct qr_cache *c, struct qr_depot *asked, bool direct)
{
	void *p = NULL;
	int node;

	for (node = 0; !p && node < nr_node_ids; node++)
		if (c->depot[node] && c->depot[node] != asked)
			p = take_from(c, asked, c->depot[node], direct);
	/* Roughly: a magazine's worth has been taken, or nothing. */
	WRITE_ONCE(asked->borrow,
		   p ? max(READ_ONCE(asked->borrow) - (direct ? 1 : (int)c->batch), 0) : 0);
	return p;
}

static bool is_tight(struct qr_cache *c)
{
	return qr_limit_is_near(&c->limit, c->geo.pages) ||
	       qr_limit_is_near(&qr_limit_all, c->geo.pages);
}

/* Nothing was to be had from @d, or no sample: grow, and take from what has grown. */
static noinline void *alloc_grow(struct qr_cache *c, struct qr_depot *d, gfp_t gfp, bool direct)
{
	bool stay = (gfp & __GFP_THISNODE) || c->policy == QUARRY_NODE_FIXED;
	struct qr_depot *from = d;
	void *p;

	might_alloc(gfp);
	for (;;) {
		p = take_from(c, d, from, direct); /* NULL after growth: others were faster */
		if (p)
			return p;
		/*
		 * A slab that had to come from another node is used up before the next
		 * is asked for, or each batch would have a new one there.  And beyond a soft
		 * limit what there is serves first, wherever it is.
		 */
		if (!stay && (READ_ONCE(d->borrow) > 0 || is_tight(c))) {
			p = take_elsewhere(c, d, direct);
			if (p)
				return p;
		}
		from = qr_cache_grow(c, d->node, false, gfp);
		if (!from)
			break;
	}
	if (!stay)
		p = take_elsewhere(c, d, direct);
	if (!p)
		alloc_failed(c, gfp);
	return p;
}

/*
 * An object that has been drawn.  It comes from a slab of its own kind, so that
 * its free cannot miss the slow path.  NULL if that cannot be had: the object is
 * then allocated as any other, and the sample lost.
 */
noinline void *qr_alloc_sampled(struct qr_cache *c, int node, u64 weight, size_t asked, gfp_t gfp,
				unsigned long ip)
{
	gfp_t humble = (gfp & ~(__GFP_NOFAIL | __GFP_RETRY_MAYFAIL)) | __GFP_NORETRY | __GFP_NOWARN;
	struct qr_depot *d = qr_sampled_depot(c, node);
	struct qr_sampled what = {
		.cache = c->id,
		.name = c->name,
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
			h->remote_allocs += d->node != node;
			qr_count_alloc();
		}
		local_irq_restore(flags);
		if (likely(p))
			break;
		d = qr_cache_grow(c, node, true, humble);
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

/*
 * An object that was written to since it was last freed is nobody's any more, and another takes
 * its place.
 */
static noinline void *take_guarded(struct qr_cache *c, struct qr_depot *d, void *p, gfp_t gfp,
				   unsigned long ip)
{
	enum qr_misuse what;

	while (p && unlikely(what = qr_guard_take(&c->guard, p))) {
		qr_guard_report(&c->guard, what, p, true, ip, true);
		p = alloc_grow(c, d, gfp, true);
	}
	return p;
}

static __always_inline void *alloc_finish(struct qr_cache *c, void *p, gfp_t gfp)
{
	if (likely(p) && qr_want_zero(gfp))
		qr_zero(&c->pub, p, gfp);
	return p;
}

static __always_inline void *alloc_untimed(struct qr_cache *c, gfp_t gfp, size_t asked,
					   unsigned long ip)
{
	struct qr_depot *d;
	unsigned long flags;
	struct qr_head *h;
	u64 weight = 0;
	void *p;

	local_irq_save(flags);
	d = qr_depot_for(c);
	h = this_cpu_ptr(c->pub.head);
	p = take_one(c, d, h, qr_head_enter_alloc(h), in_nmi() ? NULL : &weight, false);
	local_irq_restore(flags);
	preempt_enable();
	if (unlikely(weight))
		p = qr_alloc_sampled(c, d->node, weight, asked, gfp, ip);
	if (unlikely(!p))
		p = alloc_grow(c, d, gfp, false);
	if (unlikely(c->guarded))
		p = take_guarded(c, d, p, gfp, ip);
	return alloc_finish(c, p, gfp);
}

static noinline void *alloc_timed(struct qr_cache *c, gfp_t gfp, size_t asked, unsigned long ip)
{
	u64 begin = qr_timing_begin(QR_TIMED_ONE_IN - 1);
	void *p = alloc_untimed(c, gfp, asked, ip);

	qr_timing_done(begin);
	return p;
}

/* After a failed qr_head_pop(): preemption is off, the claim as that left it. */
static __always_inline void *alloc_slow(struct qr_cache *c, gfp_t gfp, size_t asked,
					unsigned long ip)
{
	if (qr_timing_due())
		return alloc_timed(c, gfp, asked, ip);
	return alloc_untimed(c, gfp, asked, ip);
}

void *qr_alloc_slow(struct quarry_cache *cache, gfp_t gfp)
{
	struct qr_cache *c = qr_cache_of(cache);

	return alloc_slow(c, gfp, c->asked, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_alloc_slow);

void *qr_malloc_slow(struct quarry_cache *cache, gfp_t gfp, size_t size)
{
	return alloc_slow(qr_cache_of(cache), gfp, size, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_malloc_slow);

void *qr_magazine_alloc(struct qr_cache *c, gfp_t gfp, size_t asked, unsigned long ip)
{
	void *p;

	qr_check_gfp(gfp);
	preempt_disable();
	if (unlikely(!qr_head_pop(c->pub.head, &p)))
		return alloc_slow(c, gfp, asked, ip);
	preempt_enable();
	return alloc_finish(c, p, gfp);
}

void *qr_alloc_past(struct qr_cache *c, gfp_t gfp)
{
	return alloc_finish(c, alloc_grow(c, qr_home_depot(c), gfp, true), gfp);
}

/* Past the magazine, straight from @d. */
static void *alloc_direct(struct qr_cache *c, struct qr_depot *d, gfp_t gfp, size_t asked,
			  unsigned long ip)
{
	unsigned long flags;
	void *p = NULL;
	u64 weight;

	might_alloc(gfp);
	local_irq_save(flags);
	weight = qr_is_drawn(c);
	local_irq_restore(flags);
	if (unlikely(weight))
		p = qr_alloc_sampled(c, d->node, weight, asked, gfp, ip);
	if (likely(!p))
		p = alloc_grow(c, d, gfp, true);
	if (unlikely(c->guarded))
		p = take_guarded(c, d, p, gfp, ip);
	return alloc_finish(c, p, gfp);
}

/**
 * quarry_cache_alloc_node() - allocate an object on a node
 * @cache: from quarry_cache_create()
 * @gfp: as for quarry_cache_alloc(); with __GFP_THISNODE no other node will do
 * @node: NUMA node; NUMA_NO_NODE for what the cache's policy says; or, whatever that is,
 *	QUARRY_CALL_LOCAL for this CPU's node or QUARRY_CALL_INTERLEAVE for each in turn
 *
 * An object of this CPU's own node comes from the magazine, if the cache's policy is
 * QUARRY_NODE_LOCAL, unless __GFP_THISNODE demands certainty; others come from their
 * node's depot, under its lock.  Another node's object is taken where that one has no
 * memory, and counted in remote_allocs, but not with __GFP_THISNODE nor from a cache of
 * a fixed node.  A node that never had memory stands for the nearest one that has, but
 * not with __GFP_THISNODE.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the object, or NULL when the memory could not be had or there is no such
 * node; the latter is logged.
 */
void *quarry_cache_alloc_node(struct quarry_cache *cache, gfp_t gfp, int node)
{
	struct qr_cache *c = qr_cache_of(cache);

	return qr_magazine_alloc_node(c, gfp, node, c->asked, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_cache_alloc_node);

void *qr_magazine_alloc_node(struct qr_cache *c, gfp_t gfp, int node, size_t asked,
			     unsigned long ip)
{
	int named = node;

	if (node == NUMA_NO_NODE)
		return qr_magazine_alloc(c, gfp, asked, ip);
	node = qr_call_node(node, &c->turn);
	if (node < 0) {
		pr_warn_ratelimited("cache %s: there is no node %d\n", c->name, named);
		return NULL;
	}
	if (node == raw_cpu_read(qr_home_node) && c->policy == QUARRY_NODE_LOCAL &&
	    !(gfp & __GFP_THISNODE))
		return qr_magazine_alloc(c, gfp, asked, ip);
	if (!c->depot[node]) {
		if (!(gfp & __GFP_THISNODE))
			return qr_magazine_alloc(c, gfp, asked, ip);
		alloc_failed(c, gfp);
		return NULL;
	}
	return alloc_direct(c, c->depot[node], gfp, asked, ip);
}

unsigned int qr_magazine_bypass(struct qr_cache *c, void **objs, unsigned int n)
{
	struct qr_depot *d;
	unsigned long flags;
	struct qr_head *h;
	int have;

	if (unlikely(c->guarded))
		return 0;
	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	have = qr_head_claim(h);
	if (unlikely(have < 0)) {
		n = 0; /* one by one, as each may be sampled */
	} else {
		/* A few batches at a time: interrupts are off. */
		n = min3(n, 4 * c->batch, qr_head_quota(h));
		if (n) {
			d = qr_depot_for(c);
			n = qr_depot_take(d, objs, n);
			count_refill(c, h, d, n);
		}
		qr_head_count(h, n);
		qr_head_release(h, have);
	}
	local_irq_restore(flags);
	return n;
}
