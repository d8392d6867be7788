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
#include <linux/string.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "draw.h"
#include "large.h"

void qr_head_init(struct qr_head *h, unsigned int capacity)
{
	h->nr = QR_HEAD_REST;
	h->capacity = capacity;
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

static __always_inline struct qr_depot *home_depot(struct qr_cache *c)
{
	return c->depot[raw_cpu_read(qr_home_node)];
}

static noinline struct qr_depot *depot_by_policy(struct qr_cache *c)
{
	unsigned int turn;
	int node;

	if (c->policy == QUARRY_NODE_FIXED)
		return c->depot[c->node];
	turn = (unsigned int)atomic_inc_return(&c->turn);
	for (node = turn % nr_node_ids; !c->depot[node]; node = (node + 1) % nr_node_ids)
		;
	return c->depot[node];
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
	trace_slab_get(c->name, slab->base, slab->run.nr, slab->run.chunk->node);
	got = page_to_nid(slab->run.chunk->page + slab->run.first);
	if (unlikely(!c->depot[got])) {
		/* Memory of a node that came up after the cache was made. */
		qr_slab_destroy(slab);
		goto no_slab;
	}
	qr_limit_give(&c->limit, pages - slab->run.nr);
	if (c->ctor) {
		unsigned int i;

		for (i = 0; i < slab->nr_objects; i++)
			c->ctor(slab->base + (size_t)i * slab->stride);
	}
	if (got != node)
		atomic64_inc(&c->fallbacks);
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

/*
 * Is an allocation that no countdown counts to be sampled?  If so, its weight, or
 * else 0.  Interrupts off.
 */
static u64 is_drawn(struct qr_cache *c)
{
	u32 rate = in_nmi() ? 0 : READ_ONCE(c->rate);

	return rate && qr_draw_one(rate, c->pub.size) ? qr_weight(rate, c->pub.size) : 0;
}

/*
 * The countdown has run out.  Returns the weight of this allocation if it is to
 * be sampled, or else 0.  If it may not be sampled, the sample stays due.
 */
static noinline u64 countdown_expired(struct qr_cache *c, struct qr_head *h, bool may_sample)
{
	u64 weight = h->weight;

	if (weight && !may_sample)
		return 0;
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
 * @weight it never is.
 */
static __always_inline void *take_one(struct qr_cache *c, struct qr_depot *d,
				      struct qr_head *h, int n, u64 *weight)
{
	void *p = NULL;

	if (unlikely(n < 0)) {
		if (weight) {
			*weight = is_drawn(c);
			if (unlikely(*weight))
				return NULL;
		}
		if (qr_depot_take(d, &p, 1))
			h->direct_allocs++;
		return p;
	}
	if (unlikely(h->countdown <= 0)) {
		u64 due = countdown_expired(c, h, weight);

		if (due) {
			*weight = due;
			qr_head_release(h, n);
			return NULL;
		}
	}
	if (!n) {
		n = qr_depot_take(d, h->obj, c->batch);
		count_refill(c, h, d, n);
	}
	if (likely(n)) {
		p = h->obj[--n];
		if (likely(h->countdown > 0))
			qr_head_count(h, 1);
		else
			h->drawn++;	/* counted, and not down */
	}
	qr_head_release(h, n);
	return p;
}

static void *take_from(struct qr_cache *c, struct qr_depot *d)
{
	struct qr_head *h;
	unsigned long flags;
	void *p;

	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	p = take_one(c, d, h, qr_head_claim(h), NULL);
	local_irq_restore(flags);
	return p;
}

/* The last resort before failure: what other nodes hold already. */
static void *take_elsewhere(struct qr_cache *c, struct qr_depot *not)
{
	void *p = NULL;
	int node;

	for (node = 0; !p && node < nr_node_ids; node++)
		if (c->depot[node] && c->depot[node] != not)
			p = take_from(c, c->depot[node]);
	return p;
}

/* Nothing was to be had from @d, or no sample: grow, and take from what has grown. */
static noinline void *alloc_grow(struct qr_cache *c, struct qr_depot *d, gfp_t gfp)
{
	struct qr_depot *from = d;
	void *p;

	might_alloc(gfp);
	for (;;) {
		p = take_from(c, from);	/* NULL after growth: others were faster */
		if (p)
			return p;
		from = grow(c, d->node, false, gfp);
		if (!from)
			break;
	}
	if (!(gfp & __GFP_THISNODE) && c->policy != QUARRY_NODE_FIXED)
		p = take_elsewhere(c, d);
	if (!p)
		alloc_failed(c, gfp);
	return p;
}

/*
 * An object that has been drawn.  It comes from a slab of its own kind, so that
 * its free cannot miss the slow path.  NULL if that cannot be had: the object is
 * then allocated as any other, and the sample lost.
 */
static noinline void *alloc_sampled(struct qr_cache *c, int node, u64 weight, size_t asked,
				    gfp_t gfp, unsigned long ip)
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
		if (likely(p))
			this_cpu_ptr(c->pub.head)->direct_allocs++;
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

static __always_inline void *alloc_finish(struct qr_cache *c, void *p, gfp_t gfp)
{
	if (likely(p) && qr_want_zero(gfp))
		qr_zero(&c->pub, p);
	return p;
}

/* After a failed qr_head_pop(): preemption is off, the claim as that left it. */
static __always_inline void *alloc_slow(struct qr_cache *c, gfp_t gfp, size_t asked,
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
	p = take_one(c, d, h, qr_head_enter_alloc(h), in_nmi() ? NULL : &weight);
	local_irq_restore(flags);
	preempt_enable();
	if (unlikely(weight))
		p = alloc_sampled(c, d->node, weight, asked, gfp, ip);
	if (unlikely(!p))
		p = alloc_grow(c, d, gfp);
	return alloc_finish(c, p, gfp);
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

/* Past the magazine, straight from @d. */
static void *alloc_direct(struct qr_cache *c, struct qr_depot *d, gfp_t gfp, size_t asked,
			  unsigned long ip)
{
	struct qr_depot *from;
	unsigned long flags;
	void *p = NULL;
	u64 weight;

	might_alloc(gfp);
	local_irq_save(flags);
	weight = is_drawn(c);
	local_irq_restore(flags);
	if (unlikely(weight)) {
		p = alloc_sampled(c, d->node, weight, asked, gfp, ip);
		if (p)
			return alloc_finish(c, p, gfp);
	}
	for (;;) {
		local_irq_save(flags);
		if (qr_depot_take(d, &p, 1))
			this_cpu_ptr(c->pub.head)->direct_allocs++;
		local_irq_restore(flags);
		if (p)
			break;
		from = grow(c, d->node, false, gfp);
		if (from) {
			d = from;
			continue;
		}
		if (!(gfp & __GFP_THISNODE) && c->policy != QUARRY_NODE_FIXED)
			p = take_elsewhere(c, d);
		if (!p)
			alloc_failed(c, gfp);
		break;
	}
	return alloc_finish(c, p, gfp);
}

/**
 * quarry_cache_alloc_node() - allocate an object on a node
 * @cache: from quarry_cache_create()
 * @gfp: as for quarry_cache_alloc(); with __GFP_THISNODE no other node will do
 * @node: NUMA node, or NUMA_NO_NODE for what the cache's policy says
 *
 * An object of this CPU's own node comes from the magazine unless
 * __GFP_THISNODE demands certainty; others come from their node's depot,
 * under its lock.  A node without memory stands for the nearest one, but not
 * with __GFP_THISNODE.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the object, or NULL when the memory could not be had.
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
	if (node == NUMA_NO_NODE)
		return qr_magazine_alloc(c, gfp, asked, ip);
	if (node < 0 || node >= nr_node_ids) {
		pr_warn_ratelimited("cache %s: there is no node %d\n", c->name, node);
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

/* Objects that a depot would not take: another depot's, or misused. */
static noinline void settle_refused(struct qr_cache *given, void **in, unsigned int n,
				    struct list_head *doomed, unsigned long ip)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct qr_slab *slab = qr_slab_of(in[i]);
		struct qr_cache *owner = slab ? READ_ONCE(slab->cache) : NULL;
		enum qr_misuse what = QR_MISUSE_FOREIGN;

		if (slab && owner)
			what = qr_depot_give_one(slab, given, in[i], doomed);
		else if (slab)
			what = QR_MISUSE_WRONG_CACHE;
		if (!what)
			continue;
		atomic64_inc(&given->refused);
		qr_report(what, in[i], owner ? owner->name : NULL,
			  owner != given ? given->name : NULL, ip);
	}
}

/* The lower half of a full magazine stays; interrupts off, head claimed. */
static __always_inline int flush(struct qr_cache *c, struct qr_head *h, int n,
				 struct list_head *doomed, unsigned long ip)
{
	unsigned int refused;

	n -= c->batch;
	h->flushed += c->batch;
	trace_flush(c->name, raw_cpu_read(qr_home_node), c->batch);
	refused = qr_depot_give(home_depot(c), h->obj + n, c->batch, doomed);
	if (unlikely(refused))
		settle_refused(c, h->obj + n, refused, doomed, ip);
	return n;
}

/* May a free put objects of @slab into this CPU's magazine?  Interrupts off. */
static __always_inline bool slab_is_near(const struct qr_slab *slab)
{
	const struct qr_chunk *chunk = slab->run.chunk;

	return chunk->kind == QR_ORDINARY && chunk->node == raw_cpu_read(qr_home_node);
}

/*
 * Everything that a free may meet.  @given is the cache it named, if any.
 * Entered with interrupts off, left with them as @flags says; a free that
 * comes from the fast path has preemption off, which ends here as well.
 */
static void free_any(struct qr_cache *given, void *p, unsigned long ip, unsigned long flags,
		     bool from_fast_path)
{
	enum qr_misuse what = QR_MISUSE_FOREIGN;
	struct qr_cache *c = NULL;
	struct qr_slab *slab;
	struct qr_head *h;
	LIST_HEAD(doomed);
	bool remote;
	int n, i;

	slab = qr_slab_of(p);
	if (unlikely(!slab)) {
		slab = qr_mapped_of(p);
		if (!slab)
			goto out;
	}
	c = READ_ONCE(slab->cache);
	if (unlikely(!c)) {
		if (!given)
			what = qr_large_claim(slab, p);
		else if (qr_is_large(slab))
			what = QR_MISUSE_WRONG_CACHE;
		goto out;
	}
	if (unlikely(given && c != given)) {
		what = QR_MISUSE_WRONG_CACHE;
		goto out;
	}
	i = qr_slab_index(slab, p);
	if (unlikely(i < 0)) {
		what = QR_MISUSE_INTERIOR;
		goto out;
	}
	what = QR_MISUSE_NONE;
	if (qr_want_wipe())
		qr_zero(&c->pub, p);

	h = this_cpu_ptr(c->pub.head);
	if (likely(slab_is_near(slab)) && likely(!c->zombie)) {
		n = qr_head_claim(h);
		if (likely(n >= 0)) {
			if (n >= h->capacity)
				n = flush(c, h, n, &doomed, ip);
			h->obj[n] = p;
			qr_head_release(h, n + 1);
			goto out;
		}
	}
	remote = slab->run.chunk->node != raw_cpu_read(qr_home_node);
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
	if (unlikely(what))
		qr_report(what, p, c ? c->name : slab ? "(large)" : NULL,
			  given && given != c ? given->name : NULL, ip);
	else if (unlikely(!c))
		qr_large_release(slab);
	if (unlikely(!list_empty(&doomed)))
		qr_slabs_destroy(&doomed);
}

/* After a failed qr_head_push(): preemption is off, the claim as that left it. */
void qr_free_full(void *p, struct qr_head __percpu *head, struct quarry_cache *cache)
{
	unsigned long flags;
	struct qr_head *h;
	int n;

	local_irq_save(flags);
	h = this_cpu_ptr(head);
	n = qr_head_enter_free(h);
	if (n >= 0)
		qr_head_release(h, n);
	free_any(cache ? qr_cache_of(cache) : NULL, p, _RET_IP_, flags, true);
}
EXPORT_SYMBOL_QUARRY(qr_free_full);

/* For everything that the fast path will not look at. */
void qr_free_slow(struct quarry_cache *cache, void *p)
{
	unsigned long flags;

	if (unlikely(!p))
		return;
	local_irq_save(flags);
	free_any(cache ? qr_cache_of(cache) : NULL, p, _RET_IP_, flags, false);
}
EXPORT_SYMBOL_QUARRY(qr_free_slow);

unsigned int qr_magazine_bypass(struct qr_cache *c, void **objs, unsigned int n)
{
	struct qr_depot *d;
	unsigned long flags;
	struct qr_head *h;
	int have;

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

unsigned int qr_magazine_redraw(struct qr_cache *c, unsigned int cpu)
{
	struct qr_head *h = per_cpu_ptr(c->pub.head, cpu);
	unsigned long flags;
	int n;

	local_irq_save(flags);
	n = qr_head_claim(h);
	if (n >= 0) {
		/*
		 * What is left of a countdown says nothing about the next
		 * sample: the exponential has no memory.
		 */
		h->drawn -= h->countdown;
		h->countdown = 0;
		head_draw(c, h);
		qr_head_release(h, n);
	}
	local_irq_restore(flags);
	return 0;
}

unsigned int qr_magazine_drain(struct qr_cache *c, unsigned int cpu)
{
	struct qr_head *h = per_cpu_ptr(c->pub.head, cpu);
	struct qr_depot *d = c->depot[per_cpu(qr_home_node, cpu)];
	unsigned int moved = 0;
	unsigned long flags;
	LIST_HEAD(doomed);
	int n;

	local_irq_save(flags);
	n = qr_head_claim(h);
	if (n >= 0) {
		moved = n;
		while (n) {
			unsigned int k = min_t(unsigned int, n, c->batch), refused;

			n -= k;
			h->flushed += k;
			trace_flush(c->name, per_cpu(qr_home_node, cpu), k);
			refused = qr_depot_give_slabs(d, h->obj + n, k, &doomed);
			if (unlikely(refused))
				settle_refused(c, h->obj + n, refused, &doomed, _RET_IP_);
		}
		qr_head_release(h, 0);
	}
	local_irq_restore(flags);
	qr_slabs_destroy(&doomed);
	return moved;
}

unsigned int qr_cache_settle(struct qr_cache *c)
{
	unsigned int moved = 0;
	int node;

	for (node = 0; node < qr_nr_depots(); node++) {
		struct qr_depot *d = c->depot[node];
		void *objs[QR_MAGAZINE_MAX / 2];
		unsigned long flags;
		unsigned int n;
		LIST_HEAD(doomed);

		if (!d)
			continue;
		do {
			unsigned int refused;

			local_irq_save(flags);
			n = qr_depot_unstock(d, objs);
			refused = qr_depot_give_slabs(d, objs, n, &doomed);
			if (unlikely(refused))
				settle_refused(c, objs, refused, &doomed, _RET_IP_);
			local_irq_restore(flags);
			moved += n;
		} while (n);
		qr_depot_reclaim(d, &doomed);
		qr_slabs_destroy(&doomed);
	}
	return moved;
}
