// SPDX-License-Identifier: GPL-2.0
/* The slow paths of allocation.  The overview at the head of magazine.c has the whole way. */
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
#include "magazine/twin.h"

/* The head was refilled with @n objects of @d. */
static __always_inline void count_refill(struct qr_cache *c, struct qr_head *h, struct qr_depot *d,
					 unsigned int n)
{
	h->refilled += n;
	if (trace_refill_enabled() && n)
		trace_refill(c->name, d->node, n);
}

/* @n objects came from another node than was asked for.  It was short of memory. */
static __always_inline void count_remote(struct qr_cache *c, unsigned int n)
{
	if (unlikely(n))
		atomic64_add(n, &c->remote_allocs);
}

/*
 * Take an object from @d for a claimed head without capacity, unless a twin is asked @first.
 * Releases the head.
 */
static noinline void *take_single(struct qr_cache *c, struct qr_depot *d, struct qr_head *h,
				  bool far, bool first)
{
	void *p = NULL;
	unsigned int n = 0;

	if (likely(!first) || likely(!rcu_access_pointer(c->twin)))
		n = qr_depot_take(d, &p, 1);
	count_refill(c, h, d, n);
	count_remote(c, far ? n : 0);
	if (n)
		qr_head_count_one(h);
	qr_head_release(h, 0);
	return p;
}

/*
 * The claimed head is empty: refill it from @d, and take an object.  @far: @d is not the depot that
 * was asked for.  @first: see take_single().  Releases the head.
 */
static __always_inline void *refill(struct qr_cache *c, struct qr_depot *d, struct qr_head *h,
				    bool far, bool first)
{
	unsigned int n, unit = qr_head_unit(c, h);
	void **obj = h->obj, *p = NULL;

	if (unlikely(!h->capacity))
		return take_single(c, d, h, far, first);
	n = qr_depot_take(d, obj, unit);
	count_refill(c, h, d, n);
	count_remote(c, far ? n : 0);
	qr_head_array(h)->far = far ? n : 0;
	if (likely(n)) {
		p = obj[--n];
		qr_head_count_one(h);
	}
	qr_head_release(h, n);
	return p;
}

static noinline void alloc_failed(struct qr_cache *c, gfp_t gfp)
{
	atomic64_inc(&c->failed);
	if (!(gfp & __GFP_NOWARN))
		qr_limit_refused("cache", c->name, &c->limit, c->geo.pages, c->pub.size, gfp);
}

/*
 * Take an object out of the magazine, which is refilled from @d if it is empty; if the head is
 * claimed by code that this one interrupted, take it straight from @d.  Interrupts are off, and
 * @n is what qr_head_claim() or qr_head_enter_alloc() returned.  Releases the head.  If the
 * object is to be sampled, sets *@weight and returns NULL; with @weight NULL nothing is sampled.
 * @far: @d is not the depot that was asked for.  NULL also if there is no object, or if the cache's
 * twin is to be asked first, which is so only with @weight.
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
			count_remote(c, far);
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
	if (!n)
		return refill(c, d, h, far, weight);
	p = h->obj[--n];
	qr_head_count_one(h);
	qr_head_release(h, n);
	return p;
}

/*
 * Take an object from @d for a caller who asked for one from @asked.  It bypasses the magazine
 * with @direct, or if this CPU's magazine is not for objects of @asked or @d.
 */
static void *take_from(struct qr_cache *c, struct qr_depot *asked, struct qr_depot *d, bool direct)
{
	struct qr_head *h;
	unsigned long flags;
	void *p = NULL;

	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	/* The task may have moved to a CPU of another node while it asked for pages. */
	if (c->policy == QUARRY_NODE_LOCAL)
		direct |= asked != qr_home_depot(c);
	else
		direct |= asked != d;
	if (!direct) {
		p = take_one(c, d, h, qr_head_claim(h), NULL, d != asked);
	} else if (qr_depot_take(d, &p, 1)) {
		h->direct_allocs++;
		count_remote(c, d != asked);
		qr_count_alloc();
	}
	local_irq_restore(flags);
	return p;
}

/* Take an object that the depot of any other node has. */
static void *take_elsewhere(struct qr_cache *c, struct qr_depot *asked, bool direct)
{
	void *p = NULL;
	int node;

	for (node = 0; !p && node < nr_node_ids; node++)
		if (c->depot[node] && c->depot[node] != asked)
			p = take_from(c, asked, c->depot[node], direct);
	/* A guess: one object was taken, or about a batch, or nothing was left there. */
	WRITE_ONCE(asked->borrow,
		   p ? max(READ_ONCE(asked->borrow) - (direct ? 1 : (int)c->batch), 0) : 0);
	return p;
}

/* Would another slab go beyond the soft limit of the cache or of the module? */
static bool is_tight(struct qr_cache *c)
{
	return qr_limit_is_near(&c->limit, c->geo.pages) ||
	       qr_limit_is_near(&qr_limit_all, c->geo.pages);
}

/* Take an object from the emergency reserves that a depot has, that of @asked first. */
static void *take_emergency(struct qr_cache *c, struct qr_depot *asked, enum qr_access access,
			    bool stay)
{
	struct qr_depot *d = asked;
	unsigned long flags;
	void *p = NULL;
	int node = -1;

	local_irq_save(flags);
	for (;;) {
		if (d)
			p = qr_depot_take_emergency(d, access);
		if (p || stay || ++node == nr_node_ids)
			break;
		d = c->depot[node];
	}
	if (p) {
		struct qr_head *h = this_cpu_ptr(c->pub.head);

		h->direct_allocs++;
		count_remote(c, d != asked);
		qr_count_alloc();
	}
	local_irq_restore(flags);
	return p;
}

/*
 * There is no memory left but the emergency reserves, to which @gfp or the task has access.  First
 * use up objects that came from there before.
 */
static noinline void *alloc_emergency(struct qr_cache *c, struct qr_depot *asked, gfp_t gfp,
				      bool stay)
{
	enum qr_access access = qr_access_of(gfp);
	struct qr_depot *from;
	void *p;

	for (;;) {
		p = take_emergency(c, asked, access, stay);
		if (p)
			return p;
		/* The refusal has been counted already. */
		if (qr_limit_is_full(&c->limit, c->geo.pages) && !(gfp & __GFP_NOFAIL))
			return NULL;
		from = qr_cache_grow(c, asked->node, false, gfp);
		if (!from)
			return NULL;
		/* In the meantime other memory may have become free, so that it was taken. */
		p = take_from(c, asked, from, true);
		if (p)
			return p;
	}
}

/* The depot @d had no object, or none to sample: add slabs until one yields an object. */
static noinline void *alloc_grow(struct qr_cache *c, struct qr_depot *d, gfp_t gfp, bool direct)
{
	bool stay = (gfp & __GFP_THISNODE) || c->policy == QUARRY_NODE_FIXED;
	bool access = qr_access_of(gfp);
	gfp_t ask = unlikely(access) ? qr_gfp_humble(gfp & ~__GFP_NOFAIL) : gfp;
	struct qr_depot *from = d;
	void *p;

	might_alloc(gfp);
	for (;;) {
		/* NULL after growth: other CPUs took the new objects first. */
		p = take_from(c, d, from, direct);
		if (p)
			return p;
		/*
		 * If the last slab had to come from another node, use up its objects before
		 * asking for the next slab; otherwise each batch would get a new slab there.
		 * Near a soft limit, use any object that exists, on any node, before growing.
		 */
		if (!stay && (READ_ONCE(d->borrow) > 0 || is_tight(c))) {
			p = take_elsewhere(c, d, direct);
			if (p)
				return p;
		}
		from = qr_cache_grow(c, d->node, false, ask);
		if (!from)
			break;
	}
	if (!stay)
		p = take_elsewhere(c, d, direct);
	if (!p && unlikely(access))
		p = alloc_emergency(c, d, gfp, stay);
	if (!p)
		alloc_failed(c, gfp);
	return p;
}

/* Neither the magazine nor a sample: ask the cache's twin if it has one, and then the depots. */
static noinline void *alloc_more(struct qr_cache *c, struct qr_depot *d, gfp_t gfp, bool direct,
				 size_t asked, unsigned long ip)
{
	void *p = rcu_access_pointer(c->twin) ? qr_twin_alloc(c, d->node, asked, gfp, ip) : NULL;

	return p ?: alloc_grow(c, d, gfp, direct);
}

/*
 * Look at a free object of a guarded cache that is about to be allocated.  If it was written to
 * while it was free, it is reported and leaked, and another one is taken.
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
	int n;

	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	n = qr_head_enter_alloc(h);
	if (unlikely(!n && qr_head_is_short(c, h, false))) {
		n = qr_head_fetch(c, n, flags);
		h = this_cpu_ptr(c->pub.head);
	}
	d = qr_depot_for(c);
	p = take_one(c, d, h, n, in_nmi() ? NULL : &weight, false);
	local_irq_restore(flags);
	preempt_enable();
	if (unlikely(weight))
		p = qr_alloc_sampled(c, d->node, weight, asked, gfp, ip);
	if (unlikely(!p))
		p = alloc_more(c, d, gfp, false, asked, ip);
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

/* After a failed qr_head_pop(): preemption is off, the claim is as qr_head_pop() left it. */
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

/* Allocate an object straight from @d, bypassing the magazine. */
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
		p = alloc_more(c, d, gfp, true, asked, ip);
	if (unlikely(c->guarded))
		p = take_guarded(c, d, p, gfp, ip);
	return alloc_finish(c, p, gfp);
}

/**
 * quarry_cache_alloc_node() - allocate an object on a node
 * @cache: from quarry_cache_create()
 * @gfp: as for quarry_cache_alloc(); with __GFP_THISNODE from @node or not at all
 * @node: NUMA node; NUMA_NO_NODE: the cache's policy decides; QUARRY_CALL_LOCAL: this CPU's
 *	node; QUARRY_CALL_INTERLEAVE: each node in turn
 *
 * If @node is this CPU's node and the cache's policy is QUARRY_NODE_LOCAL, the object comes from
 * the magazine, which may hold objects of other nodes when memory is short; __GFP_THISNODE
 * bypasses it.  All other objects come from the depot of @node, under its lock.
 *
 * When @node has no memory left, the object comes from another node and is counted in
 * remote_allocs; not so with __GFP_THISNODE, nor for a cache of a fixed node.  If @node has
 * never had memory, the cache's policy decides, but with __GFP_THISNODE the allocation fails.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the object, or NULL when there is no memory, which is logged unless @gfp has
 * __GFP_NOWARN, or when there is no such node, which is logged.
 */
void *quarry_cache_alloc_node(struct quarry_cache *cache, gfp_t gfp, int node)
{
	struct qr_cache *c = qr_cache_of(cache);

	if (qr_wants_zone(gfp))
		return qr_zone_refused(gfp);
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
