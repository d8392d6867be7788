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
#include "compat.h"
#include "large.h"

void qr_head_init(struct qr_head *h, unsigned int capacity)
{
	h->nr = QR_HEAD_REST;
	h->capacity = capacity;
	h->countdown = QR_DRAW;
	h->drawn = QR_DRAW;
}

noinline void qr_head_draw(struct qr_head *h)
{
	do {
		h->countdown += QR_DRAW;
		h->drawn += QR_DRAW;
	} while (h->countdown < 0);
}

static __always_inline struct qr_depot *home_depot(struct qr_cache *c)
{
	return c->depot[raw_cpu_read(qr_home_node)];
}

/* Where the cache's policy wants objects from. */
static struct qr_depot *depot_for(struct qr_cache *c)
{
	unsigned int turn;
	int node;

	if (likely(c->policy == QUARRY_NODE_LOCAL))
		return home_depot(c);
	if (c->policy == QUARRY_NODE_FIXED)
		return c->depot[c->node];
	turn = (unsigned int)atomic_inc_return(&c->turn);
	for (node = turn % nr_node_ids; !c->depot[node]; node = (node + 1) % nr_node_ids)
		;
	return c->depot[node];
}

static int depot_node(struct qr_cache *c, struct qr_depot *d)
{
	int node;

	for (node = 0; c->depot[node] != d; node++)
		;
	return node;
}

/* A new slab for @node; returns the depot that has it now. */
static noinline struct qr_depot *grow(struct qr_cache *c, int node, gfp_t gfp)
{
	struct qr_slab *slab;
	int got;

	if (in_nmi())
		return NULL;
	if (c->policy == QUARRY_NODE_FIXED)
		gfp |= __GFP_THISNODE;
	slab = qr_slab_create(&c->geo, c->class, node, gfp);
	if (!slab)
		return NULL;
	got = page_to_nid(slab->run.chunk->page + slab->run.first);
	if (unlikely(!c->depot[got])) {
		/* Memory of a node that came up after the cache was made. */
		qr_slab_destroy(slab);
		return NULL;
	}
	if (c->ctor) {
		unsigned int i;

		for (i = 0; i < slab->nr_objects; i++)
			c->ctor(slab->base + (size_t)i * slab->stride);
	}
	if (got != node)
		atomic64_inc(&c->fallbacks);
	qr_depot_add(c->depot[got], slab, gfp);
	return c->depot[got];
}

static noinline void alloc_failed(struct qr_cache *c, gfp_t gfp)
{
	atomic64_inc(&c->failed);
	if (!(gfp & __GFP_NOWARN))
		pr_warn_ratelimited("cache %s: no memory for an object of %u bytes, gfp %pGg\n",
				    c->name, c->pub.size, &gfp);
}

/* Interrupts off, @n from qr_head_claim() or its like.  Releases the head. */
static __always_inline void *take_one(struct qr_cache *c, struct qr_depot *d,
				      struct qr_head *h, int n)
{
	void *p = NULL;

	if (unlikely(n < 0)) {
		if (qr_depot_take(d, &p, 1))
			h->direct_allocs++;
		return p;
	}
	if (!n) {
		n = qr_depot_take(d, h->obj, c->batch);
		h->refilled += n;
	}
	if (likely(n)) {
		p = h->obj[--n];
		qr_head_count(h, 1);
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
	p = take_one(c, d, h, qr_head_claim(h));
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

/* Nothing was to be had from @d: grow, and take from what has grown. */
static noinline void *alloc_grow(struct qr_cache *c, struct qr_depot *d, gfp_t gfp)
{
	void *p = NULL;

	might_alloc(gfp);
	while (!p) {
		struct qr_depot *from = grow(c, depot_node(c, d), gfp);

		if (!from)
			break;
		p = take_from(c, from);	/* NULL: others were faster */
	}
	if (!p && !(gfp & __GFP_THISNODE) && c->policy != QUARRY_NODE_FIXED)
		p = take_elsewhere(c, d);
	if (!p)
		alloc_failed(c, gfp);
	return p;
}

static __always_inline void *alloc_finish(struct qr_cache *c, void *p, gfp_t gfp)
{
	if (likely(p) && qr_want_zero(gfp))
		qr_zero(&c->pub, p);
	return p;
}

/* After a failed qr_head_pop(): preemption is off, the claim as that left it. */
void *qr_alloc_slow(struct quarry_cache *cache, gfp_t gfp)
{
	struct qr_cache *c = qr_cache_of(cache);
	struct qr_depot *d;
	unsigned long flags;
	struct qr_head *h;
	void *p;

	local_irq_save(flags);
	d = depot_for(c);
	h = this_cpu_ptr(cache->head);
	p = take_one(c, d, h, qr_head_enter_alloc(h));
	local_irq_restore(flags);
	preempt_enable();
	if (unlikely(!p))
		p = alloc_grow(c, d, gfp);
	return alloc_finish(c, p, gfp);
}
EXPORT_SYMBOL_QUARRY(qr_alloc_slow);

/* Past the magazine, straight from @d. */
static void *alloc_direct(struct qr_cache *c, struct qr_depot *d, gfp_t gfp)
{
	struct qr_depot *from;
	unsigned long flags;
	void *p = NULL;

	might_alloc(gfp);
	for (;;) {
		local_irq_save(flags);
		if (qr_depot_take(d, &p, 1))
			this_cpu_ptr(c->pub.head)->direct_allocs++;
		local_irq_restore(flags);
		if (p)
			break;
		from = grow(c, depot_node(c, d), gfp);
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

	if (node == NUMA_NO_NODE)
		return qr_cache_alloc(cache, gfp);
	if (node < 0 || node >= nr_node_ids) {
		pr_warn_ratelimited("cache %s: there is no node %d\n", c->name, node);
		return NULL;
	}
	if (node == raw_cpu_read(qr_home_node) && c->policy == QUARRY_NODE_LOCAL &&
	    !(gfp & __GFP_THISNODE))
		return qr_cache_alloc(cache, gfp);
	if (!c->depot[node]) {
		if (!(gfp & __GFP_THISNODE))
			return qr_cache_alloc(cache, gfp);
		alloc_failed(c, gfp);
		return NULL;
	}
	return alloc_direct(c, c->depot[node], gfp);
}
EXPORT_SYMBOL_QUARRY(quarry_cache_alloc_node);

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
	int n;

	slab = qr_slab_of(p);
	if (unlikely(!slab))
		goto out;
	c = READ_ONCE(slab->cache);
	if (unlikely(!c)) {
		if (qr_is_large(slab))
			what = given ? QR_MISUSE_WRONG_CACHE : qr_large_claim(slab, p);
		goto out;
	}
	if (unlikely(given && c != given)) {
		what = QR_MISUSE_WRONG_CACHE;
		goto out;
	}
	if (unlikely(qr_slab_index(slab, p) < 0)) {
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
	unsigned long flags;
	struct qr_head *h;
	int have;

	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	have = qr_head_claim(h);
	/* A few batches at a time: interrupts are off. */
	n = qr_depot_take(depot_for(c), objs, min(n, 4 * c->batch));
	if (likely(have >= 0)) {
		h->refilled += n;
		qr_head_count(h, n);
		qr_head_release(h, have);
	} else {
		h->direct_allocs += n;
	}
	local_irq_restore(flags);
	return n;
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

	for (node = 0; node < nr_node_ids; node++) {
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
