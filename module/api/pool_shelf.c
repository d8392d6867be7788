// SPDX-License-Identifier: GPL-2.0
/*
 * Pools: the slow paths of get and put.
 *
 * A pool is a cache whose magazines hold objects that are set up.  Below a magazine lies not
 * the depot, whose objects are raw, but a shelf: each CPU has one, with a lock.  A CPU moves
 * objects to its shelf when its magazine is full, and refills the magazine from its shelf.
 * Other CPUs take objects from the shelf before they make new ones.  Maps of the shelves that have
 * objects, and of those that have room, lead them there, so that a get or a put that finds nothing
 * on its own CPU costs the same on any number of CPUs.
 *
 * The pool undoes and frees an object in three cases.  It has no room for the object.  Or the
 * object is a sampled one: the profiler then notes the free, and the memory returns to the
 * slabs of sampled objects.  Or the kernel is short of memory: the shrinker makes all objects
 * on the shelves victims, which may still be got, and in its next round frees those that still
 * are victims.
 *
 * A private place per CPU, shelves to steal from, and victims are the design of Go's sync.Pool
 * (src/sync/pool.go), where the garbage collector makes the victims.
 *
 * The cache's counters show a get as an allocation and a put as a free.  The magazine's
 * countdown counts gets: a new object bypasses the magazine and goes straight to the client.
 */
#include "api/pool_shelf.h"

#include <linux/cpumask.h>
#include <linux/irqflags.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <trace/events/quarry.h>
#include "api/pool.h"
#include "cache/cache.h"
#include "compat.h"
#include "core/metadata.h"
#include "core/task_count.h"

static size_t map_bytes(const struct qr_pool *pool)
{
	return (size_t)nr_node_ids * pool->row * sizeof(long);
}

bool qr_shelves_new(struct qr_pool *pool)
{
	unsigned int cpu, room;

	pool->places = 2 * pool->cache->capacity;
	room = pool->places + pool->cache->capacity;
	pool->shelf_bytes = round_up(struct_size_t(struct qr_shelf, obj, room), SMP_CACHE_BYTES);
	pool->row = BITS_TO_LONGS(nr_cpu_ids);
	pool->shelves = qr_meta_percpu(pool->shelf_bytes, SMP_CACHE_BYTES);
	pool->stocked = qr_meta_alloc(map_bytes(pool), GFP_KERNEL, NUMA_NO_NODE);
	pool->roomy = qr_meta_alloc(map_bytes(pool), GFP_KERNEL, NUMA_NO_NODE);
	if (!pool->shelves || !pool->stocked || !pool->roomy)
		return false;
	for_each_possible_cpu(cpu) {
		struct qr_shelf *s = per_cpu_ptr(pool->shelves, cpu);

		raw_spin_lock_init(&s->lock);
		s->cpu = cpu;
		s->node = per_cpu(qr_home_node, cpu);
		__set_bit(cpu, pool->roomy + (size_t)s->node * pool->row);
	}
	return true;
}

void qr_shelves_free(struct qr_pool *pool)
{
	qr_meta_free(pool->stocked, map_bytes(pool));
	qr_meta_free(pool->roomy, map_bytes(pool));
	qr_meta_percpu_free(pool->shelves, pool->shelf_bytes);
}

bool qr_shelf_look(struct qr_keeper *keeper, unsigned int cpu, unsigned int from,
		   void (*fn)(void *p, void *arg), void *arg)
{
	struct qr_pool *pool = container_of(keeper, struct qr_pool, keeper);
	struct qr_shelf *s = per_cpu_ptr(pool->shelves, cpu);
	unsigned long flags;
	unsigned int i;
	bool more;

	raw_spin_lock_irqsave(&s->lock, flags);
	for (i = from; i < s->nr && i < from + QR_LOOK_OBJECTS; i++)
		fn(s->obj[i], arg);
	more = i < s->nr;
	raw_spin_unlock_irqrestore(&s->lock, flags);
	return more;
}

/*
 * Take up to @want objects that are no victims; if there are victims only, take one and set
 * *@victim.  Returns how many were taken.  Interrupts off.
 */
static unsigned int shelf_take(struct qr_pool *pool, struct qr_shelf *s, void **out,
			       unsigned int want, bool *victim)
{
	unsigned int n;

	if (!READ_ONCE(s->nr))
		return 0;
	raw_spin_lock(&s->lock);
	*victim = s->nr <= s->nr_victims;
	n = *victim ? min(s->nr, 1U) : min(want, s->nr - s->nr_victims);
	qr_shelf_set_nr(pool, s, s->nr - n);
	s->nr_victims = min(s->nr_victims, s->nr);
	qr_copy(out, s->obj + s->nr, n);
	raw_spin_unlock(&s->lock);
	return n;
}

enum qr_misuse qr_pool_look_at(struct qr_cache *c, const void *p, struct qr_slab **slabp)
{
	struct qr_slab *slab = qr_slab_of(p);
	int i;

	*slabp = slab;
	if (unlikely(!slab))
		return QR_MISUSE_FOREIGN;
	if (unlikely(READ_ONCE(slab->cache) != c))
		return QR_MISUSE_WRONG_CACHE;
	i = qr_slab_index(slab, p);
	if (unlikely(i < 0))
		return QR_MISUSE_INTERIOR;
	return qr_slab_is_free(slab, i) ? QR_MISUSE_DOUBLE_FREE : QR_MISUSE_NONE;
}

void qr_pool_report(struct qr_cache *c, enum qr_misuse what, const void *p, unsigned long ip)
{
	struct qr_cache *owner;
	struct qr_slab *slab;

	rcu_read_lock();
	slab = qr_slab_of(p);
	owner = slab ? READ_ONCE(slab->cache) : NULL;
	qr_report(what, p,
		  owner ? owner->name :
		  slab	? "(large)" :
			  NULL,
		  owner != c ? c->name : NULL, ip);
	rcu_read_unlock();
}

/* --- Get --- */

/*
 * Get an object from this CPU's magazine or shelf.  @n is from qr_head_claim() or its like.
 * NULL if there is none, or if this get is to be sampled, and then *@weight is set.  Releases
 * the head if @n shows that it is claimed.  Interrupts off.
 */
static void *get_own(struct qr_pool *pool, struct qr_head *h, int n, u64 *weight)
{
	struct qr_shelf *s = this_cpu_ptr(pool->shelves);
	struct qr_cache *c = pool->cache;
	bool victim = false;
	void *p = NULL;

	if (unlikely(n < 0)) {
		*weight = qr_is_drawn(c);
		if (*weight || !shelf_take(pool, s, &p, 1, &victim))
			return NULL;
		h->direct_allocs++;
		qr_count_alloc();
		s->victims += victim;
		s->shared += !victim;
		return p;
	}
	if (unlikely(h->countdown <= 0)) {
		*weight = qr_head_expired(c, h, true);
		if (*weight) {
			qr_head_release(h, n);
			return NULL;
		}
	}
	if (!n) {
		/* Without capacity there is no array. */
		void **to = h->capacity ? h->obj : &p;

		n = shelf_take(pool, s, to, max(h->capacity / 2, 1U), &victim);
		h->refilled += n;
		s->victims += n && victim;
		s->shared += n && !victim;
		if (n)
			p = to[--n];
	} else {
		p = h->obj[--n];
	}
	if (likely(p))
		qr_head_count_one(h);
	qr_head_release(h, n);
	/*
	 * A get that is served elsewhere is not counted down, so it is drawn by itself.  Without
	 * a countdown qr_head_expired() has drawn for it already.
	 */
	if (!p && likely(h->countdown > 0))
		*weight = qr_is_drawn(c);
	return p;
}

/* Get an object from a shelf of @node.  Tries at most *@tries shelves.  Interrupts off. */
static void *steal_from(struct qr_pool *pool, int node, unsigned int *tries, bool *victim)
{
	unsigned int this = smp_processor_id(), cpu = this + 1;
	struct qr_shelf *s;
	void *p;

	for (; *tries && (s = qr_shelf_next(pool, pool->stocked, node, cpu)); --*tries) {
		if (s->cpu != this && shelf_take(pool, s, &p, 1, victim))
			return p;
		cpu = s->cpu + 1; /* others were faster */
	}
	return NULL;
}

/*
 * Get an object from another CPU's shelf, those of this node first.  NULL if there is none, or if
 * others took what the first few shelves had.  Interrupts off.
 */
static void *steal(struct qr_pool *pool, struct qr_head *h)
{
	struct qr_shelf *s = this_cpu_ptr(pool->shelves);
	unsigned int tries = QR_SHELF_TRIES;
	int home = raw_cpu_read(qr_home_node), node;
	bool victim = false;
	void *p;

	p = steal_from(pool, home, &tries, &victim);
	for_each_node_mask(node, qr_nodes)
		if (!p && node != home)
			p = steal_from(pool, node, &tries, &victim);
	if (!p)
		return NULL;
	h->direct_allocs++;
	qr_count_alloc();
	/* Not in remote_allocs: no memory was asked for, so no node was short of it. */
	s->remote += page_to_nid(virt_to_page(p)) != home;
	s->victims += victim;
	s->stolen += !victim;
	return p;
}

/* Allocate a new object, which is sampled if @weight is set, and set it up. */
static noinline void *get_new(struct qr_pool *pool, u64 weight, gfp_t gfp, unsigned long ip)
{
	struct qr_cache *c = pool->cache;
	void *p = NULL;

	if (unlikely(weight)) {
		p = qr_alloc_sampled(c, raw_cpu_read(qr_home_node), weight, c->asked, gfp, ip);
		if (p && qr_want_zero(gfp))
			qr_zero(&c->pub, p, gfp);
	}
	if (likely(!p))
		p = qr_alloc_past(c, gfp);
	if (unlikely(!p))
		return NULL;
	this_cpu_inc(pool->shelves->misses);
	if (pool->init && unlikely(pool->init(p, pool->pub.arg, gfp))) {
		qr_free_slow(&c->pub, p);
		return NULL;
	}
	return p;
}

/* Called after a failed qr_head_pop(), with preemption off and the head as that left it. */
void *qr_pool_get_slow(struct quarry_pool *pub, gfp_t gfp)
{
	struct qr_pool *pool = qr_pool_of(pub);
	unsigned long flags;
	struct qr_head *h;
	u64 weight = 0;
	void *p;

	local_irq_save(flags);
	h = this_cpu_ptr(pool->cache->pub.head);
	p = get_own(pool, h, qr_head_enter_alloc(h), &weight);
	if (!p && likely(!weight))
		p = steal(pool, h);
	local_irq_restore(flags);
	preempt_enable();
	if (unlikely(!p))
		return get_new(pool, weight, gfp, _RET_IP_);
	if (pub->reset)
		pub->reset(p, pub->arg);
	return p;
}
EXPORT_SYMBOL_QUARRY(qr_pool_get_slow);

/* --- Put --- */

/* Undo and free an object that the pool does not keep. */
static void undo(struct qr_pool *pool, void *p)
{
	if (pool->exit)
		pool->exit(p, pool->pub.arg);
	qr_free_slow(&pool->cache->pub, p);
}

/*
 * Move half of a full magazine to the shelf, as far as there is room.  Pointers that turn out to
 * be misuse are reported and dropped.  Returns how many objects stay in the magazine.
 * Interrupts off, the head claimed.
 */
static int flush(struct qr_pool *pool, struct qr_head *h, int n, unsigned long ip)
{
	unsigned int unit = max(h->capacity / 2, 1U), bad = 0, i, k;
	struct qr_cache *c = pool->cache;
	void **objs = h->obj + n - unit;
	struct qr_slab *slab;

	if (n < (int)unit)
		return n;
	for (i = unit; i--;) {
		enum qr_misuse what = qr_pool_look_at(c, objs[i], &slab);

		if (likely(!what))
			continue;
		atomic64_inc(&c->refused);
		qr_pool_report(c, what, objs[i], ip);
		objs[i] = objs[unit - ++bad];
	}
	h->flushed += bad;
	k = qr_shelf_give(pool, this_cpu_ptr(pool->shelves), objs, unit - bad, pool->places);
	h->flushed += k;
	trace_flush(c->name, raw_cpu_read(qr_home_node), k);
	return n - bad - k;
}

/*
 * Put a valid object into the magazine and release the head.  False if there is no room.
 * Interrupts off, the head claimed.
 */
static bool put_own(struct qr_pool *pool, struct qr_head *h, int n, void *p, unsigned long ip)
{
	struct qr_cache *c = pool->cache;
	bool kept = false;

	if (n >= h->capacity && h->capacity < c->capacity)
		qr_head_grant(c, h);
	if (n >= h->capacity)
		n = flush(pool, h, n, ip);
	if (likely(n < h->capacity)) {
		h->obj[n++] = p;
		kept = true;
	}
	qr_head_release(h, n);
	return kept;
}

/*
 * Put a valid object on a shelf of its node: this CPU's own shelf, or for another node's object one
 * of the shelves there that have room.  False if there is no room.  Interrupts off.
 */
static bool shelve(struct qr_pool *pool, struct qr_head *h, void *p, int node)
{
	bool remote = node != raw_cpu_read(qr_home_node);
	unsigned int tries = remote ? QR_SHELF_TRIES : 1;
	struct qr_shelf *s = this_cpu_ptr(pool->shelves);

	if (remote)
		s = qr_shelf_next(pool, pool->roomy, node, smp_processor_id());
	for (; s && tries; tries--) {
		if (qr_shelf_give(pool, s, &p, 1, pool->places)) {
			h->direct_frees++;
			if (unlikely(remote))
				atomic64_inc(&pool->cache->remote_frees);
			return true;
		}
		if (remote)
			s = qr_shelf_next(pool, pool->roomy, node, s->cpu + 1);
	}
	__this_cpu_inc(pool->shelves->dropped);
	return false;
}

/*
 * Put an object of any kind.  Called with interrupts off and restores them from @flags.  @n is
 * the number of objects in a head that is claimed; below zero, the head may not be used.
 */
static void put_any(struct qr_pool *pool, struct qr_head *h, int n, void *p, unsigned long flags,
		    bool from_fast_path, unsigned long ip)
{
	struct qr_cache *c = pool->cache;
	struct qr_slab *slab;
	enum qr_misuse what = qr_pool_look_at(c, p, &slab);
	/* An object from the emergency reserves is not kept for callers without access to them. */
	bool keep = !what && slab->run.chunk->kind != QR_SAMPLED && !slab->run.access &&
		    !READ_ONCE(c->zombie);
	bool kept = false;

	if (n >= 0) {
		if (unlikely(keep && qr_head_repeats(h, n, p))) {
			what = QR_MISUSE_DOUBLE_FREE;
			keep = false;
		}
		if (likely(keep))
			kept = put_own(pool, h, n, p, ip);
		else
			qr_head_release(h, n);
	}
	if (keep && !kept)
		kept = shelve(pool, h, p, slab->run.chunk->node);
	if (likely(!what))
		__this_cpu_inc(pool->shelves->put_misses);
	local_irq_restore(flags);
	if (from_fast_path)
		preempt_enable();
	if (unlikely(what))
		qr_pool_report(c, what, p, ip);
	else if (unlikely(!kept))
		undo(pool, p);
}

/* Called after a failed qr_head_push(), with preemption off and the head as that left it. */
void qr_pool_put_full(struct quarry_pool *pub, void *p)
{
	struct qr_pool *pool = qr_pool_of(pub);
	struct qr_cache *c = pool->cache;
	unsigned long flags;
	struct qr_head *h;
	int n;

	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	n = qr_head_enter_free(h);
	if (n >= (int)h->capacity && unlikely(qr_head_is_short(c, h, false)))
		n = qr_head_fetch(c, n, flags);
	put_any(pool, this_cpu_ptr(c->pub.head), n, p, flags, true, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_pool_put_full);

/* Called for an object that is sampled, of another node or of a mixed chunk, or not ours. */
void qr_pool_put_slow(struct quarry_pool *pub, void *p)
{
	struct qr_pool *pool = qr_pool_of(pub);
	unsigned long flags;

	if (unlikely(!p))
		return;
	local_irq_save(flags);
	put_any(pool, this_cpu_ptr(pool->cache->pub.head), -1, p, flags, false, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_pool_put_slow);

void qr_pool_sum(struct quarry_pool *pub, struct quarry_pool_stats *st)
{
	struct qr_pool *pool = qr_pool_of(pub);
	struct quarry_cache_stats cs;
	unsigned int cpu;

	qr_cache_sum(pool->cache, &cs);
	memset(st, 0, sizeof(*st));
	strscpy(st->name, cs.name, sizeof(st->name));
	st->id = cs.id;
	st->size = cs.size;
	st->gets = cs.mallocs;
	st->puts = cs.frees;
	st->idle = cs.cached_objects;
	for_each_possible_cpu(cpu) {
		const struct qr_shelf *s = per_cpu_ptr(pool->shelves, cpu);

		st->shared_hits += READ_ONCE(s->shared);
		st->stolen_hits += READ_ONCE(s->stolen);
		st->victim_hits += READ_ONCE(s->victims);
		st->misses += READ_ONCE(s->misses);
		st->remote_hits += READ_ONCE(s->remote);
		st->dropped += READ_ONCE(s->dropped);
	}
	st->private_hits = st->gets - st->shared_hits - st->stolen_hits - st->victim_hits -
			   st->misses;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_pool_sum);
