// SPDX-License-Identifier: GPL-2.0
/*
 * How pools are created and destroyed, and what takes objects out of them: the shrinker,
 * quarry_pool_drain() and the cache below.  pool_shelf.c explains what a pool is.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "api/pool.h"

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <linux/string.h>
#include "api/pool_shelf.h"
#include "cache/cache.h"
#include "compat.h"
#include "core/clean_name.h"
#include "core/metadata.h"

/* Largest capacity of a pool's magazine.  Its objects are out of reach for other CPUs. */
#define PRIVATE_MAX 16U
/* Lock order: cpus_read_lock(), pools_lock, a pool's lock. */
static DEFINE_MUTEX(pools_lock);
static LIST_HEAD(pools);

static struct qr_pool *keeper_pool(struct qr_keeper *keeper)
{
	return container_of(keeper, struct qr_pool, keeper);
}

/* --- Objects that leave --- */

/*
 * Return the object at @p, which the counters show as freed and cached, to its slab.  @what is
 * what qr_pool_look_at() found; misuse is reported and the object stays where it is.  A slab
 * that becomes empty goes to @doomed.  Interrupts off.
 */
static void give_back(struct qr_cache *c, void *p, enum qr_misuse what, struct qr_slab *slab,
		      struct list_head *doomed)
{
	if (likely(!what)) {
		if (qr_want_wipe())
			qr_zero(&c->pub, p, 0);
		what = qr_depot_give_one(slab, c, p, doomed);
	}
	if (likely(!what))
		return;
	atomic64_inc(&c->refused);
	qr_pool_report(c, what, p, _RET_IP_);
}

/* Undo and free the objects in @pool->leaving.  With the pool's lock held. */
static void leave(struct qr_pool *pool)
{
	struct qr_cache *c = pool->cache;
	LIST_HEAD(doomed);

	while (pool->nr_leaving) {
		void *p = pool->leaving[pool->nr_leaving - 1];
		struct qr_slab *slab;
		enum qr_misuse what;
		unsigned long flags;

		preempt_disable(); /* @p may be a pointer to anything */
		what = qr_pool_look_at(c, p, &slab);
		preempt_enable();
		if (likely(!what) && pool->exit)
			pool->exit(p, pool->pub.arg);
		local_irq_save(flags);
		pool->nr_leaving--;
		give_back(c, p, what, slab, &doomed);
		local_irq_restore(flags);
	}
	qr_slabs_destroy(&doomed);
}

/* Move up to QR_POOL_LEAVING victims from a shelf to @pool->leaving; returns how many. */
static unsigned int take_victims(struct qr_pool *pool, struct qr_shelf *s)
{
	unsigned long flags;
	unsigned int n;

	raw_spin_lock_irqsave(&s->lock, flags);
	n = min(s->nr_victims, QR_POOL_LEAVING);
	memcpy(pool->leaving, s->obj, n * sizeof(*s->obj));
	memmove(s->obj, s->obj + n, (s->nr - n) * sizeof(*s->obj));
	qr_shelf_set_nr(pool, s, s->nr - n);
	s->nr_victims -= n;
	pool->nr_leaving = n;
	raw_spin_unlock_irqrestore(&s->lock, flags);
	return n;
}

static unsigned int free_victims(struct qr_pool *pool, const struct cpumask *cpus)
{
	unsigned int sum = 0, cpu, n;

	for_each_cpu(cpu, cpus) {
		while ((n = take_victims(pool, per_cpu_ptr(pool->shelves, cpu)))) {
			leave(pool);
			sum += n;
		}
	}
	return sum;
}

static void make_victims(struct qr_pool *pool, const struct cpumask *cpus)
{
	unsigned int cpu;

	for_each_cpu(cpu, cpus) {
		struct qr_shelf *s = per_cpu_ptr(pool->shelves, cpu);
		unsigned long flags;

		raw_spin_lock_irqsave(&s->lock, flags);
		s->nr_victims = s->nr;
		raw_spin_unlock_irqrestore(&s->lock, flags);
	}
}

static bool has_private(int cpu, void *arg)
{
	struct qr_pool *pool = arg;

	return qr_head_peek(per_cpu_ptr(pool->cache->pub.head, cpu));
}

static void collect_here(void *arg)
{
	struct qr_pool *pool = arg;

	qr_magazine_drain(pool->cache, smp_processor_id());
}

/*
 * Move what the magazines of @cpus hold to the shelves, by an interrupt on each CPU.  A work
 * item would not do: the shrinker calls this, and reclaim may wait for interrupts of other CPUs,
 * as it does to flush their TLBs, but not for work items.
 */
static void collect(struct qr_pool *pool, const struct cpumask *cpus)
{
	on_each_cpu_cond_mask(has_private, collect_here, pool, true, cpus);
}

static unsigned int empty_shelves(struct qr_pool *pool)
{
	make_victims(pool, cpu_possible_mask);
	return free_victims(pool, cpu_possible_mask);
}

/* Undo and free all unused objects; returns how many.  Other CPUs may use the pool meanwhile. */
static unsigned int drain(struct qr_pool *pool)
{
	unsigned int sum;

	/* For a CPU that goes: qr_magazine_close() moves its objects to a shelf. */
	cpus_read_lock();
	mutex_lock(&pool->lock);
	/* The shelves first, which makes room for what the magazines hold. */
	sum = empty_shelves(pool);
	collect(pool, cpu_possible_mask);
	sum += empty_shelves(pool);
	mutex_unlock(&pool->lock);
	cpus_read_unlock();
	qr_cache_settle(pool->cache);
	return sum;
}

/*
 * The same for a pool that no CPU uses any more.  Does not wait for CPU hotplug, as pools are
 * destroyed in its callbacks: so this empties the magazines of all CPUs itself.
 */
static void drain_last(struct qr_pool *pool)
{
	unsigned int cpu;

	mutex_lock(&pool->lock);
	empty_shelves(pool);
	for_each_possible_cpu(cpu)
		qr_magazine_close(pool->cache, cpu);
	empty_shelves(pool);
	mutex_unlock(&pool->lock);
}

/* --- The keeper of the pool's cache, see struct qr_keeper --- */

/*
 * Undo and free an object for which no shelf has room.  Interrupts are off, so the walker, which
 * stops the machine, does not miss the object while it is on no list.
 */
static void undo_here(struct qr_pool *pool, void *p, struct list_head *doomed)
{
	struct qr_slab *slab;
	enum qr_misuse what = qr_pool_look_at(pool->cache, p, &slab);

	if (likely(!what) && pool->exit)
		pool->exit(p, pool->pub.arg);
	give_back(pool->cache, p, what, slab, doomed);
}

static unsigned int keeper_take(struct qr_keeper *keeper, unsigned int cpu, void **objs,
				unsigned int n, bool must, struct list_head *doomed)
{
	struct qr_pool *pool = keeper_pool(keeper);
	unsigned int most = pool->places + pool->cache->capacity, left = n, tries;
	struct qr_shelf *s = per_cpu_ptr(pool->shelves, cpu);

	left -= qr_shelf_give(pool, s, objs, left, most);
	if (likely(!left || !must))
		return n - left;
	for (tries = QR_SHELF_TRIES; left && tries; tries--) {
		s = qr_shelf_next(pool, pool->roomy, per_cpu(qr_home_node, cpu), s->cpu + 1);
		if (!s)
			break;
		left -= qr_shelf_give(pool, s, objs, left, most);
	}
	while (left)
		undo_here(pool, objs[--left], doomed);
	return n;
}

static u64 keeper_count(struct qr_keeper *keeper)
{
	struct qr_pool *pool = keeper_pool(keeper);
	u64 n = READ_ONCE(pool->nr_leaving);
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu_ptr(pool->shelves, cpu)->nr);
	return n;
}

static void keeper_misses(struct qr_keeper *keeper, u64 *allocs, u64 *frees)
{
	struct qr_pool *pool = keeper_pool(keeper);
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct qr_shelf *s = per_cpu_ptr(pool->shelves, cpu);

		*allocs += READ_ONCE(s->shared) + READ_ONCE(s->stolen) + READ_ONCE(s->victims) +
			   READ_ONCE(s->misses);
		*frees += READ_ONCE(s->put_misses);
	}
}

static void keeper_walk(struct qr_keeper *keeper, void (*fn)(void *p, void *arg), void *arg)
{
	struct qr_pool *pool = keeper_pool(keeper);
	unsigned int cpu, i;

	for (i = 0; i < pool->nr_leaving; i++)
		fn(pool->leaving[i], arg);
	for_each_possible_cpu(cpu) {
		const struct qr_shelf *s = per_cpu_ptr(pool->shelves, cpu);

		for (i = 0; i < s->nr; i++)
			fn(s->obj[i], arg);
	}
}

static void pool_free(struct qr_pool *pool)
{
	qr_shelves_free(pool);
	qr_meta_free(pool, sizeof(*pool));
}

static void keeper_gone(struct qr_keeper *keeper)
{
	pool_free(keeper_pool(keeper));
}

/* --- The life of a pool --- */

static struct quarry_pool *refuse(const char *name, const char *why)
{
	char clean[QUARRY_NAME_LEN] = "(no name)";

	if (name && *name)
		qr_clean_name(clean, name, sizeof(clean));
	pr_err("pool %s not created: %s\n", clean, why);
	return NULL;
}

/**
 * quarry_pool_create() - create a pool for objects that are expensive to set up
 * @args: name, size, functions and so on; copied
 *
 * The pool has a cache of its own, which appears in the statistics like any other: objects that
 * clients hold are live, unused objects of the pool are cached.
 *
 * Context: process; sleeps.  Also in callbacks of CPU hotplug and with cpus_read_lock() held.
 * Return: the pool, or NULL if there is no memory or an argument is bad; the log says why.
 */
struct quarry_pool *quarry_pool_create(const struct quarry_pool_args *args)
{
	struct quarry_cache *cache;
	struct qr_pool *pool;
	struct qr_cache *c;

	might_sleep();
	if (!args)
		return refuse(NULL, "no arguments");
	if (args->flags & ~QUARRY_POOL_FLAGS)
		return refuse(args->name, "unknown flags");
	cache = quarry_cache_create(args->name, args->size,
				    &(struct quarry_cache_args){ .align = args->align });
	if (!cache)
		return NULL;
	c = qr_cache_of(cache);
	pool = qr_meta_alloc(sizeof(*pool), GFP_KERNEL, NUMA_NO_NODE);
	if (!pool) {
		quarry_cache_destroy(cache);
		return refuse(args->name, "no memory");
	}
	pool->pub = (struct quarry_pool){
		.head = cache->head,
		.reset = args->reset,
		.arg = args->arg,
	};
	pool->keeper = (struct qr_keeper){
		.take = keeper_take,
		.count = keeper_count,
		.misses = keeper_misses,
		.walk = keeper_walk,
		.look = qr_shelf_look,
		.gone = keeper_gone,
	};
	pool->cache = c;
	pool->init = args->init;
	pool->exit = args->exit;
	mutex_init(&pool->lock);
	mutex_lock(&qr_caches_lock);
	c->capacity = min(c->capacity, PRIVATE_MAX);
	c->batch = c->capacity / 2;
	c->remote_room = 0;
	mutex_unlock(&qr_caches_lock);
	if (!qr_shelves_new(pool)) {
		pool_free(pool);
		quarry_cache_destroy(cache);
		return refuse(args->name, "no memory");
	}
	mutex_lock(&qr_caches_lock);
	c->apart = true;
	c->keeper = &pool->keeper;
	mutex_unlock(&qr_caches_lock);
	mutex_lock(&pools_lock);
	list_add_tail(&pool->link, &pools);
	mutex_unlock(&pools_lock);
	return &pool->pub;
}
EXPORT_SYMBOL_QUARRY(quarry_pool_create);

/**
 * quarry_pool_drain() - undo and free all unused objects of a pool
 * @pool: from quarry_pool_create(); other contexts may use it meanwhile
 *
 * Context: process; sleeps.  Not in callbacks of CPU hotplug.
 * Return: number of objects that were freed.
 */
unsigned int quarry_pool_drain(struct quarry_pool *pool)
{
	might_sleep();
	return drain(qr_pool_of(pool));
}
EXPORT_SYMBOL_QUARRY(quarry_pool_drain);

/**
 * quarry_pool_destroy() - destroy a pool
 * @pool: from quarry_pool_create(), or NULL.  The caller must have stopped using it
 *
 * Clients should have put all objects.  As with quarry_cache_destroy(), objects that are still
 * held are reported, and putting them later does no harm.
 *
 * Context: process; sleeps.  Also in callbacks of CPU hotplug and with cpus_read_lock() held.
 */
void quarry_pool_destroy(struct quarry_pool *pool)
{
	struct qr_pool *p = pool ? qr_pool_of(pool) : NULL;

	might_sleep();
	if (!p)
		return;
	mutex_lock(&pools_lock);
	list_del(&p->link);
	mutex_unlock(&pools_lock);
	drain_last(p);
	quarry_cache_destroy(&p->cache->pub); /* frees the pool too, by keeper_gone() */
}
EXPORT_SYMBOL_QUARRY(quarry_pool_destroy);

/* --- For the shrinker and for observers --- */

static bool mask_of_node(int node, struct cpumask *cpus)
{
	unsigned int cpu;

	cpumask_clear(cpus);
	for_each_possible_cpu(cpu)
		if (per_cpu(qr_home_node, cpu) == node)
			cpumask_set_cpu(cpu, cpus);
	return !cpumask_empty(cpus);
}

static unsigned long pages_of(struct qr_pool *pool, int node)
{
	u64 n = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (per_cpu(qr_home_node, cpu) == node)
			n += READ_ONCE(per_cpu_ptr(pool->shelves, cpu)->nr) +
			     qr_head_peek(per_cpu_ptr(pool->cache->pub.head, cpu));
	return n * pool->cache->geo.stride >> PAGE_SHIFT;
}

unsigned long qr_pools_pages(int node)
{
	unsigned long pages = 0;
	struct qr_pool *pool;

	if (!mutex_trylock(&pools_lock))
		return 0;
	list_for_each_entry(pool, &pools, link)
		pages += pages_of(pool, node);
	mutex_unlock(&pools_lock);
	return pages;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_pools_pages);

unsigned long qr_pools_age(int node)
{
	static struct cpumask cpus; /* protected by pools_lock */
	unsigned long freed = 0;
	struct qr_pool *pool;

	if (!mutex_trylock(&pools_lock))
		return 0;
	list_for_each_entry(pool, &pools, link) {
		unsigned long n;

		if (!mask_of_node(node, &cpus) || !mutex_trylock(&pool->lock))
			continue;
		n = free_victims(pool, &cpus);
		collect(pool, &cpus);
		make_victims(pool, &cpus);
		mutex_unlock(&pool->lock);
		if (n)
			qr_cache_settle(pool->cache);
		freed += n;
	}
	mutex_unlock(&pools_lock);
	return freed;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_pools_age);

int qr_walk_pools(qr_pool_fn fn, void *arg)
{
	struct quarry_pool_stats st;
	struct qr_pool *pool;
	int err = 0;

	mutex_lock(&pools_lock);
	list_for_each_entry(pool, &pools, link) {
		qr_pool_sum(&pool->pub, &st);
		err = fn(&st, arg);
		if (err)
			break;
	}
	mutex_unlock(&pools_lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_walk_pools);
