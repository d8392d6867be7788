// SPDX-License-Identifier: GPL-2.0
/*
 * The slow paths of allocation and free.
 *
 * An allocation climbs down: (1) this CPU's magazine, inline; (2) the depot of
 * the node, for a batch; (3) the depot's slabs, fullest first; (4) a new slab,
 * from the node's page heap; (5) a new chunk, from the kernel; (6) other nodes.
 * A free climbs up: (1) this CPU's magazine, if the object is of this node;
 * (2) a full magazine gives a batch to the depot; (3) a depot without room
 * gives it to the slabs; (4) a slab that is empty goes back to the page heap.
 * A magazine without capacity (see grant.c) is passed by, and another node's
 * object waits for some more before it goes home (remote.c).
 *
 * Steps 2 and 3 run with interrupts off and the head claimed; steps 4 to 6
 * with neither, so that they may sleep.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "magazine.h"

#include <linux/cpumask.h>
#include <linux/irqflags.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/sched/clock.h>
#include <linux/string.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "count.h"
#include "draw.h"
#include "large.h"

/*
 * One slow path in so many of a CPU is timed, and stands for the others.  A prime,
 * so that no loop of a client's has the same ones timed again and again.
 */
#define TIMED_ONE_IN	61

static DEFINE_PER_CPU(int, untimed);	/* slow paths until one is timed */
static DEFINE_PER_CPU(u64, slow_ns);

static __always_inline bool timing_due(void)
{
	raw_cpu_dec(untimed);
	return unlikely(raw_cpu_read(untimed) < 0);
}

/* It may have moved to another CPU meanwhile, whose clock is only nearly the same. */
static void timing_done(u64 begin)
{
	s64 took = local_clock() - begin;

	if (took > 0)
		this_cpu_add(slow_ns, took * TIMED_ONE_IN);
}

u64 qr_slow_path_ns(void)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(slow_ns, cpu));
	return sum;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slow_path_ns);

void qr_head_init(struct qr_head *h)
{
	h->nr = QR_HEAD_REST;
	h->capacity = 0;
	h->countdown = QR_DRAW;
	h->drawn = QR_DRAW;
}

/* Interrupts off, the head claimed, its countdown at zero. */
static __always_inline void head_draw(struct qr_cache *c, struct qr_head *h)
{
	u32 rate = READ_ONCE(c->rate);
	unsigned int n = QR_DRAW;
	bool drawn = false;

	if (rate)
		n = qr_draw(rate, c->pub.size, &drawn);
	h->countdown += n;
	h->drawn += n;
	if (!drawn) {
		h->weight = 0;
	} else if (unlikely(!h->weight) || unlikely(h->rate != rate)) {
		h->weight = qr_weight(rate, c->pub.size);
		h->rate = rate;
	}
}

void qr_head_redraw(struct qr_cache *c, struct qr_head *h)
{
	/*
	 * What is left of a countdown says nothing about the next sample: the
	 * exponential has no memory.
	 */
	h->drawn -= h->countdown;
	h->countdown = 0;
	if (unlikely(qr_is_counting()))
		h->weight = 0;
	else
		head_draw(c, h);
}

/* How many objects to move at a miss: half of what fits.  Claimed, interrupts off. */
static __always_inline unsigned int head_unit(struct qr_cache *c, struct qr_head *h)
{
	if (unlikely(h->capacity < c->capacity))
		return qr_head_grant(c, h);
	return c->batch;
}

static unsigned int count_far(void *const *obj, unsigned int n, int home)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (page_to_nid(virt_to_page(READ_ONCE(obj[i]))) == home)
			break;
	return i;
}

/*
 * Objects of another node come into a magazine when it is empty, and none is
 * ever put there by a free: they are the first ones, as many as still are.
 */
unsigned int qr_head_far(const struct qr_head *h, unsigned int n, int home)
{
	unsigned int far = READ_ONCE(h->far);

	return far ? count_far(h->obj, min(n, far), home) : 0;
}

void qr_head_far_leave(struct qr_head *h, unsigned int n, unsigned int left, int home)
{
	unsigned int far = qr_head_far(h, n, home);

	if (far > left)
		h->remote_allocs -= far - left;
	h->far = min(far, left);
}

static __always_inline struct qr_depot *home_depot(struct qr_cache *c)
{
	return c->depot[raw_cpu_read(qr_home_node)];
}

static int node_in_turn(atomic_t *turn)
{
	int node = (unsigned int)atomic_inc_return(turn) % nr_node_ids;

	while (!node_isset(node, qr_nodes))
		node = (node + 1) % nr_node_ids;
	return node;
}

int qr_call_node(int node, atomic_t *turn)
{
	switch (node) {
	case QUARRY_CALL_LOCAL:
		return raw_cpu_read(qr_home_node);
	case QUARRY_CALL_INTERLEAVE:
		return node_in_turn(turn);
	default:
		return node < 0 || node >= nr_node_ids ? -EINVAL : node;
	}
}

static noinline struct qr_depot *depot_by_policy(struct qr_cache *c)
{
	return c->depot[c->policy == QUARRY_NODE_FIXED ? c->node : node_in_turn(&c->turn)];
}

/* Where the cache's policy wants objects from. */
static __always_inline struct qr_depot *depot_for(struct qr_cache *c)
{
	return likely(c->policy == QUARRY_NODE_LOCAL) ? home_depot(c) : depot_by_policy(c);
}

/*
 * The first slabs of sampled objects are short: most caches never have more
 * than a few.
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

/* What lies empty on any node makes room. */
static void spare_empties(struct qr_cache *c)
{
	LIST_HEAD(doomed);
	unsigned int i;

	for (i = 0; i < qr_nr_depots(); i++)
		if (c->depot[i])
			qr_depot_reclaim(c->depot[i], &doomed);
	qr_slabs_destroy(&doomed);
}

/* May the cache have @pages more?  Beyond its soft limit yes, but it has to tidy up first. */
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
	if (!sampled)	/* or it is tried again as any other object */
		qr_limit_hit_hard(&c->limit, c->name);
	return false;
}

/* Its objects are as free ones are. */
static void prepare(struct qr_cache *c, struct qr_slab *slab)
{
	unsigned int i;

	if (c->guarded)
		slab->guard = &c->guard;
	for (i = 0; i < slab->nr_objects; i++) {
		void *p = slab->base + (size_t)i * slab->stride;

		if (c->guarded)
			qr_guard_cut(&c->guard, p);
		if (c->ctor)
			c->ctor(p);
	}
}

/* A new slab for @node; returns the depot that has it now. */
static noinline struct qr_depot *grow(struct qr_cache *c, int node, bool sampled, gfp_t gfp)
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
	if (unlikely(!c->depot[got])) {
		/* Memory of a node that came up after the cache was made.  Nobody had it. */
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

/* Objects came from @d. */
static __always_inline void count_refill(struct qr_cache *c, struct qr_head *h,
					 struct qr_depot *d, unsigned int n)
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

u64 qr_is_drawn(struct qr_cache *c)
{
	u32 rate = in_nmi() ? 0 : READ_ONCE(c->rate);

	return rate && qr_draw_one(rate, c->pub.size) ? qr_weight(rate, c->pub.size) : 0;
}

noinline u64 qr_head_expired(struct qr_cache *c, struct qr_head *h, bool may_sample)
{
	u64 weight = h->weight;

	if (weight && !may_sample)
		return 0;
	if (unlikely(qr_is_counting())) {
		/* It stays at zero, for the next one to come here as well: see perrun.c. */
		h->weight = 0;
		return weight || !may_sample ? weight : qr_is_drawn(c);
	}
	do {
		head_draw(c, h);
		if (weight)
			return weight;
		weight = h->weight;
	} while (!h->countdown);
	return 0;
}

/*
 * Interrupts off, @n from qr_head_claim() or its like.  Releases the head.
 * Where the object is to be sampled, *@weight is set and none is taken; without
 * @weight it never is.  @far: @d is not the depot that was asked for.
 */
static __always_inline void *take_one(struct qr_cache *c, struct qr_depot *d,
				      struct qr_head *h, int n, u64 *weight, bool far)
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
		n = qr_depot_take(d, h->obj, head_unit(c, h));
		count_refill(c, h, d, n);
		h->far = far ? n : 0;
		if (far)
			h->remote_allocs += n;
	}
	if (likely(n)) {
		p = h->obj[--n];
		if (likely(h->countdown > 0)) {
			qr_head_count(h, 1);
		} else {
			h->drawn++;	/* counted, and not down */
			qr_count_alloc();
		}
	}
	qr_head_release(h, n);
	return p;
}

/*
 * An object of @d for somebody who asked for one of @asked.  With @direct, or if
 * the magazine is not for such objects, it goes past that.
 */
static void *take_from(struct qr_cache *c, struct qr_depot *asked, struct qr_depot *d,
		       bool direct)
{
	struct qr_head *h;
	unsigned long flags;
	void *p = NULL;

	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	/* A local one may have moved to another node's CPU while it asked for pages. */
	if (c->policy == QUARRY_NODE_LOCAL)
		direct |= asked != home_depot(c);
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
		p = take_from(c, d, from, direct);	/* NULL after growth: others were faster */
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
		from = grow(c, d->node, false, gfp);
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
		d = grow(c, node, true, humble);
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
	d = depot_for(c);
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
	u64 begin = local_clock();
	void *p;

	raw_cpu_write(untimed, TIMED_ONE_IN - 1);
	p = alloc_untimed(c, gfp, asked, ip);
	timing_done(begin);
	return p;
}

/* After a failed qr_head_pop(): preemption is off, the claim as that left it. */
static __always_inline void *alloc_slow(struct qr_cache *c, gfp_t gfp, size_t asked,
					unsigned long ip)
{
	if (timing_due())
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
	return alloc_finish(c, alloc_grow(c, home_depot(c), gfp, true), gfp);
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

/*
 * The lower half of a full magazine stays; interrupts off, head claimed.  Returns what
 * it holds then.
 */
static __always_inline int flush(struct qr_cache *c, struct qr_head *h, int n,
				 struct list_head *doomed, unsigned long ip)
{
	unsigned int refused, unit = head_unit(c, h);

	/* It had no capacity, or has more now. */
	if (unlikely(n < unit) || unlikely(n < h->capacity))
		return n;
	n -= unit;
	h->flushed += unit;
	trace_flush(c->name, raw_cpu_read(qr_home_node), unit);
	qr_head_cut(h, n + unit, n, raw_cpu_read(qr_home_node));
	refused = qr_depot_give(home_depot(c), h->obj + n, unit, doomed);
	if (unlikely(refused))
		qr_settle_refused(c, h->obj + n, refused, doomed, ip);
	return n;
}

/*
 * A good object of an ordinary slab goes into the magazine, or with others home to
 * its node; false if it must go to its slab at once.  Interrupts off.
 */
static __always_inline bool keep(struct qr_cache *c, struct qr_head *h, void *p, bool remote,
				 struct list_head *doomed, unsigned long ip)
{
	int n = qr_head_claim(h);
	bool kept = true;

	if (unlikely(n < 0))
		return false;
	if (unlikely(remote)) {
		kept = qr_remote_put(c, h, p, doomed, ip);
	} else {
		if (n >= h->capacity)
			n = flush(c, h, n, doomed, ip);
		if (likely(n < h->capacity))
			h->obj[n++] = p;
		else
			kept = false;
	}
	qr_head_release(h, n);
	return kept;
}

/*
 * Everything that a free may meet.  @given is the cache it named, if any.
 * Entered with interrupts off, left with them as @flags says; a free that
 * comes from the fast path has preemption off, which ends here as well.
 *
 * Where the object has cleanups nothing has been done yet but to take them: they are
 * returned, to be run before it is freed once more, @cleaned.
 */
static struct qr_cleanup *free_any(struct qr_cache *given, void *p, unsigned long ip,
				   unsigned long flags, bool from_fast_path, bool cleaned);

static noinline struct qr_cleanup *free_timed(struct qr_cache *given, void *p, unsigned long ip,
					      unsigned long flags, bool from_fast_path,
					      bool cleaned)
{
	u64 begin = local_clock();
	struct qr_cleanup *list;

	raw_cpu_write(untimed, TIMED_ONE_IN);
	list = free_any(given, p, ip, flags, from_fast_path, cleaned);
	timing_done(begin);
	return list;
}

/* Some object of the slab has cleanups. */
static noinline enum qr_misuse look_for_cleanups(struct qr_slab *slab, void *p, bool cleaned,
						 struct qr_cleanup **list)
{
	if (!cleaned)
		return qr_cleanups_take(slab, p, list);
	qr_cleanups_done(slab, p);
	return QR_MISUSE_NONE;
}

const char *qr_owner_name(const struct qr_cache *c, const struct qr_slab *slab)
{
	if (c)
		return c->name;
	if (!slab)
		return NULL;
	return READ_ONCE(slab->bin) == QR_ARENA_BLOCK ? "(arena)" : "(large)";
}

static struct qr_cleanup *free_any(struct qr_cache *given, void *p, unsigned long ip,
				   unsigned long flags, bool from_fast_path, bool cleaned)
{
	enum qr_misuse what = QR_MISUSE_FOREIGN;
	struct qr_cleanup *list = NULL;
	struct qr_cache *c = NULL;
	struct qr_slab *slab;
	struct qr_head *h;
	LIST_HEAD(doomed);
	bool remote;
	int i;

	if (timing_due())
		return free_timed(given, p, ip, flags, from_fast_path, cleaned);
	slab = qr_slab_of(p);
	if (unlikely(!slab)) {
		slab = qr_mapped_of(p);
		if (!slab)
			goto out;
	}
	c = READ_ONCE(slab->cache);
	if (unlikely(!c)) {
		if (given) {
			if (qr_is_large(slab))
				what = QR_MISUSE_WRONG_CACHE;
			goto out;
		}
		what = QR_MISUSE_NONE;
		if (unlikely(READ_ONCE(slab->nr_cleaned)))
			what = look_for_cleanups(slab, p, cleaned, &list);
		if (likely(!what && !list))
			what = qr_large_claim(slab, p);
		goto out;
	}
	if (unlikely(given ? c != given : !!c->keeper)) {
		what = QR_MISUSE_WRONG_CACHE;
		goto out;
	}
	i = qr_slab_index(slab, p);
	if (unlikely(i < 0)) {
		what = QR_MISUSE_INTERIOR;
		goto out;
	}
	what = QR_MISUSE_NONE;
	if (unlikely(READ_ONCE(slab->nr_cleaned))) {
		what = look_for_cleanups(slab, p, cleaned, &list);
		if (what || list)
			goto out;
	}
	if (qr_want_wipe())
		qr_zero(&c->pub, p, 0);

	h = this_cpu_ptr(c->pub.head);
	remote = slab->run.chunk->node != raw_cpu_read(qr_home_node);
	if (likely(slab->run.chunk->kind == QR_ORDINARY) && likely(!c->apart) &&
	    likely(keep(c, h, p, remote, &doomed, ip)))
		goto out;
	if (unlikely(slab->samples.at) &&
	    !qr_profile_freed(&slab->samples, i, p, c->pub.size))
		what = QR_MISUSE_FOREIGN;	/* NMI */
	else
		what = qr_depot_give_one(slab, c, p, &doomed);
	if (likely(!what)) {
		h->direct_frees++;
		h->remote_frees += remote;
	}
out:
	local_irq_restore(flags);
	if (from_fast_path)
		preempt_enable();
	if (unlikely(list))
		return list;
	if (unlikely(what == QR_MISUSE_RED_ZONE))
		qr_guard_report(&c->guard, what, p, false, ip, true);
	else if (unlikely(what))
		qr_report(what, p, qr_owner_name(c, slab),
			  given && given != c ? given->name : NULL, ip);
	else if (unlikely(!c))
		qr_large_release(slab);
	if (unlikely(!list_empty(&doomed)))
		qr_slabs_destroy(&doomed);
	return NULL;
}

static noinline void free_cleaned(struct qr_cache *given, void *p, unsigned long ip,
				  struct qr_cleanup *list)
{
	unsigned long flags;

	qr_cleanups_run(list, p);
	local_irq_save(flags);
	free_any(given, p, ip, flags, false, true);
}

/* After a failed qr_head_push(): preemption is off, the claim as that left it. */
void qr_free_full(void *p, struct qr_head __percpu *head, struct quarry_cache *cache)
{
	struct qr_cache *given = cache ? qr_cache_of(cache) : NULL;
	struct qr_cleanup *list;
	unsigned long flags;
	struct qr_head *h;
	int n;

	local_irq_save(flags);
	h = this_cpu_ptr(head);
	n = qr_head_enter_free(h);
	if (n >= 0)
		qr_head_release(h, n);
	list = free_any(given, p, _RET_IP_, flags, true, false);
	if (unlikely(list))
		free_cleaned(given, p, _RET_IP_, list);
}
EXPORT_SYMBOL_QUARRY(qr_free_full);

/* For everything that the fast path will not look at. */
void qr_free_slow(struct quarry_cache *cache, void *p)
{
	struct qr_cache *given = cache ? qr_cache_of(cache) : NULL;
	struct qr_cleanup *list;
	unsigned long flags;

	if (unlikely(!p))
		return;
	local_irq_save(flags);
	list = free_any(given, p, _RET_IP_, flags, false, false);
	if (unlikely(list))
		free_cleaned(given, p, _RET_IP_, list);
}
EXPORT_SYMBOL_QUARRY(qr_free_slow);

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
		n = 0;		/* one by one, as each may be sampled */
	} else {
		/* A few batches at a time: interrupts are off. */
		n = min3(n, 4 * c->batch, qr_head_quota(h));
		if (n) {
			d = depot_for(c);
			n = qr_depot_take(d, objs, n);
			count_refill(c, h, d, n);
		}
		qr_head_count(h, n);
		qr_head_release(h, have);
	}
	local_irq_restore(flags);
	return n;
}
