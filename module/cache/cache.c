// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a cache: creating and destroying it, and draining all caches.  The overview in
 * magazine/magazine.c has the ways that objects take.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "cache/cache.h"

#include <linux/cpuhotplug.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>
#include "cache/rcu_free.h"
#include "compat.h"
#include "core/clean_name.h"
#include "core/metadata.h"
#include "profile/bucket.h"
#include "slab/mapped.h"

/*
 * Lock order: cpus_read_lock(), observer_lock, qr_caches_lock, a CPU's lock in magazine/drain.c, a
 * depot's lock, a heap's lock.  CPU hotplug comes first, because clients create and destroy caches
 * in its callbacks.
 */
DEFINE_MUTEX(qr_caches_lock);
EXPORT_SYMBOL_QUARRY_TEST(qr_caches_lock);
LIST_HEAD(qr_caches);
EXPORT_SYMBOL_QUARRY_TEST(qr_caches);

/* The same caches by their numbers, to be looked up by RCU. */
static DEFINE_XARRAY_ALLOC1(cache_ids);
static u32 next_id;

atomic64_t qr_gone_mallocs, qr_gone_frees, qr_gone_remote_allocs;
u32 qr_default_rate;

/*
 * Guards @observer; taken before qr_caches_lock.  The observer waits for readers of a cache's
 * files, so these must not wait for CPU hotplug either.
 */
static DEFINE_MUTEX(observer_lock);
static const struct qr_observer *observer;

/* Up to so many bytes an inline loop zeroes faster than a call of memset(). */
#define ZERO_INLINE_MAX 512

static size_t cache_bytes(void)
{
	return struct_size_t(struct qr_cache, depot, qr_nr_depots());
}

static void cache_free_rcu(struct rcu_head *rcu)
{
	struct qr_cache *c = container_of(rcu, struct qr_cache, rcu);
	unsigned int i;

	if (c->keeper)
		c->keeper->gone(c->keeper);

	for (i = 0; i < qr_nr_depots(); i++)
		qr_meta_free(c->depot[i], sizeof(*c->depot[i]));
	qr_meta_percpu_free(c->pub.head, sizeof(*c->pub.head));
	qr_meta_free(c, cache_bytes());
}

/* Set the size of an object, the distance between objects, magazines, red zone and poison. */
static void set_layout(struct qr_cache *c, unsigned int size, unsigned int align,
		       unsigned int flags)
{
	c->asked = size;
	c->pub.size = c->class ? size : round_up(size, QR_MIN_OBJECT);
	if (flags & QUARRY_RED_ZONE) {
		c->pub.size = size; /* not rounded up: the red zone begins where the object ends */
		size += QR_RED_ZONE;
	}
	c->geo = qr_geometry(size, align);
	c->capacity = qr_magazine_capacity(c->geo.stride);
	if (flags & (QUARRY_RED_ZONE | QUARRY_POISON)) {
		c->guard = (struct qr_guard){
			.size = c->pub.size,
			.stride = c->geo.stride,
			.poison = flags & QUARRY_POISON,
			.red_zone = flags & QUARRY_RED_ZONE,
			.shared = flags & QUARRY_TYPESAFE_BY_RCU,
			.name = c->name,
		};
		c->guarded = true;
		c->single = true;
		c->apart = true;
		c->capacity = 0;
	}
	c->batch = max(c->capacity / 2, 1U);
}

struct qr_cache *qr_cache_new(const char *name, unsigned int size, unsigned int class,
			      const struct quarry_cache_args *args)
{
	return qr_cache_new_twin(name, size, class, args, NULL);
}

struct qr_cache *qr_cache_new_twin(const char *name, unsigned int size, unsigned int class,
				   const struct quarry_cache_args *args,
				   struct qr_cache *stands_for)
{
	unsigned int align = class ? args->align : max(args->align, QR_MIN_OBJECT), cpu;
	struct qr_cache *c;
	int node;

	c = qr_meta_alloc(cache_bytes(), GFP_KERNEL, NUMA_NO_NODE);
	if (!c)
		return NULL;
	if (args->flags & QUARRY_HWCACHE_ALIGN)
		align = max_t(unsigned int, align, cache_line_size());
	c->class = class;
	c->stands_for = stands_for;
	c->align = align;
	set_layout(c, size, align, args->flags);
	c->typesafe = args->flags & QUARRY_TYPESAFE_BY_RCU;
	c->pub.no_init = args->ctor || c->typesafe;
	if (!c->pub.no_init && c->pub.size <= ZERO_INLINE_MAX && c->pub.size % 32 == 0)
		c->pub.zero_inline = c->pub.size;
	c->ctor = args->ctor;
	c->no_sample = args->flags & QUARRY_NO_SAMPLE;
	c->account_reclaim = args->flags & QUARRY_ACCOUNT_RECLAIM;
	c->account_node = args->flags & QUARRY_ACCOUNT_NODE;
	c->useroffset = args->useroffset;
	c->usersize = args->usersize;
	c->policy = args->policy;
	c->node = args->node;
	c->limit = QR_LIMIT_NONE;
	if (args->limit)
		c->limit.hard = max(args->limit >> PAGE_SHIFT, 1UL);
	qr_clean_name(c->name, name, sizeof(c->name));
	INIT_LIST_HEAD(&c->link);

	if (nodes_weight(qr_nodes) > 1 && c->capacity)
		c->remote_room = min(QR_REMOTE_MAX, c->batch);
	c->pub.head = qr_meta_percpu(sizeof(*c->pub.head), SMP_CACHE_BYTES);
	if (!c->pub.head)
		goto no_memory;
	for_each_possible_cpu(cpu)
		qr_head_init(per_cpu_ptr(c->pub.head, cpu));
	for_each_node_mask(node, qr_nodes)
		if (!qr_cache_add_depots(c, node, GFP_KERNEL))
			goto no_memory;

	if (qr_cache_id_get(&c->id))
		goto no_memory;

	/* A twin is made by a writer of a cache's file, for whom the observer may be waiting. */
	if (!stands_for)
		mutex_lock(&observer_lock);
	mutex_lock(&qr_caches_lock);
	/* A node may have got its first memory since.  From now on qr_caches_add_node() sees us. */
	for_each_node_mask(node, qr_nodes)
		if (!qr_cache_add_depots(c, node, GFP_KERNEL))
			goto no_depot;
	c->rate = c->no_sample ? 0 : qr_default_rate;
	/* The walker may stop the machine between any two steps of this. */
	list_add_tail_rcu(&c->link, &qr_caches);
	xa_store(&cache_ids, c->id, c, GFP_KERNEL); /* its place is reserved */
	mutex_unlock(&qr_caches_lock);
	if (!stands_for) {
		if (observer)
			observer->created(c->id, c->name);
		mutex_unlock(&observer_lock);
	}
	return c;

no_depot:
	mutex_unlock(&qr_caches_lock);
	if (!stands_for)
		mutex_unlock(&observer_lock);
	qr_cache_id_put(c->id);
no_memory:
	cache_free_rcu(&c->rcu);
	return NULL;
}

/*
 * The order matters: code that finds a node in qr_nodes expects its heap and its view, and every
 * cache's depots on it.
 */
int qr_caches_add_node(int node)
{
	struct qr_cache *c;
	int err = 0;

	mutex_lock(&qr_caches_lock);
	if (node_isset(node, qr_nodes))
		goto out;
	if (!qr_heaps[node])
		err = qr_heap_create(node);
	if (!err)
		err = qr_directory_add_node(node);
	list_for_each_entry(c, &qr_caches, link)
		if (!err && !qr_cache_add_depots(c, node, GFP_KERNEL))
			err = -ENOMEM;
	if (!err) {
		smp_wmb(); /* pairs with the address dependencies of readers of qr_nodes */
		node_set(node, qr_nodes);
	}
out:
	mutex_unlock(&qr_caches_lock);
	return err;
}

static struct quarry_cache *refuse(const char *name, const char *why)
{
	char clean[QUARRY_NAME_LEN] = "(no name)";

	if (name && *name)
		qr_clean_name(clean, name, sizeof(clean));
	pr_err("cache %s not created: %s\n", clean, why);
	return NULL;
}

/**
 * quarry_cache_create() - create a cache of objects of one size
 * @name: for people; copied and cut to 47 bytes.  Need not be unique.  Blanks, control
 *	characters and others that have a meaning in a text (" \ ; = #) become '_'
 * @size: bytes per object, 1 to 32 KiB; rounded up to a multiple of 8, also below 8
 * @args: alignment, flags, constructor and so on; NULL for the defaults
 *
 * Context: process; sleeps.  Also in callbacks of CPU hotplug and with cpus_read_lock() held.
 * Return: the cache, or NULL when there is no memory or an argument is bad; the log says which.
 */
struct quarry_cache *quarry_cache_create(const char *name, unsigned int size,
					 const struct quarry_cache_args *args)
{
	static const struct quarry_cache_args plain;
	struct qr_cache *c;

	might_sleep();
	if (!args)
		args = &plain;
	if (!name || !*name)
		return refuse(name, "it needs a name");
	if (!size || size > QR_MAX_OBJECT)
		return refuse(name, "objects are 1 byte to 32 KiB");
	if (args->align && (!is_power_of_2(args->align) || args->align > QR_MAX_ALIGN))
		return refuse(name, "the alignment is no power of two up to 32 KiB");
	if (args->flags & ~QUARRY_CACHE_FLAGS)
		return refuse(name, "unknown flags");
	if (round_up(size + (args->flags & QUARRY_RED_ZONE ? QR_RED_ZONE : 0),
		     max(args->align, QR_MIN_OBJECT)) > QR_MAX_OBJECT)
		return refuse(name,
			      args->flags & QUARRY_RED_ZONE ?
				      "with red zone and alignment objects are larger than 32 KiB" :
				      "aligned objects are larger than 32 KiB");
	if ((args->flags & QUARRY_POISON) && (args->ctor || args->flags & QUARRY_TYPESAFE_BY_RCU))
		return refuse(name,
			      args->ctor ?
				      "constructed objects cannot be poisoned" :
				      "objects that readers look at when they are free cannot be poisoned");
	if (args->usersize > size || args->useroffset > size - args->usersize)
		return refuse(name, "the part for user space is not within the object");
	if (args->policy > QUARRY_NODE_INTERLEAVE)
		return refuse(name, "unknown node policy");
	if (args->policy == QUARRY_NODE_FIXED &&
	    (args->node < 0 || args->node >= nr_node_ids || !node_isset(args->node, qr_nodes)))
		return refuse(name, "its node has no memory");

	c = qr_cache_new(name, size, 0, args);
	return c ? &c->pub : refuse(name, "no memory");
}
EXPORT_SYMBOL_QUARRY(quarry_cache_create);

/* No CPU uses the cache any more, so this one may empty the magazines of all. */
static void cache_empty(struct qr_cache *c)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		qr_magazine_close(c, cpu);
	qr_cache_settle(c);
}

void qr_cache_gone(struct qr_cache *c)
{
	struct quarry_cache_stats st;
	unsigned int cpu;

	lockdep_assert_held(&qr_caches_lock);
	/* A late free may have been granted capacity before its CPU saw that this is a zombie. */
	for_each_possible_cpu(cpu)
		qr_magazine_close(c, cpu);
	qr_cache_sum(c, &st);
	atomic64_add(st.mallocs, &qr_gone_mallocs);
	atomic64_add(st.frees, &qr_gone_frees);
	atomic64_add(st.remote_allocs, &qr_gone_remote_allocs);
	list_del_rcu(&c->link);
	xa_erase(&cache_ids, c->id);
	qr_profile_cache_gone(c->id);
	call_rcu(&c->rcu, cache_free_rcu);
}

/**
 * quarry_cache_destroy() - destroy a cache
 * @cache: from quarry_cache_create(), or NULL.  The caller must have stopped using the cache on
 *	every CPU
 *
 * All objects should be free by now; the call waits for those that RCU is to free.  If an object
 * is live, this is reported as misuse and the cache becomes a zombie: clients can no longer use
 * it, but late frees of its objects do no harm.  Its memory is given back soon after the last
 * object is free, or when the module is unloaded.  Cleanups of live objects will not run.
 *
 * Context: process; sleeps.  Also in callbacks of CPU hotplug and with cpus_read_lock() held.
 */
void quarry_cache_destroy(struct quarry_cache *cache)
{
	struct qr_cache *c = cache ? qr_cache_of(cache) : NULL;

	might_sleep();
	if (!c)
		return;
	mutex_lock(&observer_lock);
	if (observer)
		observer->destroyed(c->id);
	mutex_unlock(&observer_lock);

	if (READ_ONCE(c->rcu_frees) || c->had_twin)
		quarry_rcu_barrier();
	cache_empty(c);
	/* Its slabs go back after a grace period, and must find the cache until then. */
	if (c->typesafe)
		rcu_barrier();
	mutex_lock(&qr_caches_lock);
	if (c->had_twin)
		qr_twins_end(c, _RET_IP_);
	qr_cache_end(c, _RET_IP_);
	mutex_unlock(&qr_caches_lock);
}
EXPORT_SYMBOL_QUARRY(quarry_cache_destroy);

struct qr_cache *qr_cache_find(unsigned int id)
{
	return xa_load(&cache_ids, id);
}

struct qr_cache *qr_cache_next(unsigned long *id, unsigned long last)
{
	return xa_find(&cache_ids, id, last, XA_PRESENT);
}

int qr_cache_id_get(u32 *id)
{
	int err = xa_alloc_cyclic(&cache_ids, id, NULL, xa_limit_31b, &next_id, GFP_KERNEL);

	return err < 0 ? err : 0; /* 1: the ids have wrapped around */
}

void qr_cache_id_put(u32 id)
{
	xa_erase(&cache_ids, id);
}

/**
 * quarry_cache_shrink() - give back the memory that a cache holds but does not use
 * @cache: from quarry_cache_create(); may be in use meanwhile
 *
 * Empties the magazines and depots of all CPUs and nodes into slabs.  Slabs without a live object
 * go back to their node's page heap, and so do pages of other slabs without a live object.
 *
 * Context: process; sleeps.  Not in callbacks of CPU hotplug, because it waits for other CPUs.
 * Return: free objects that left magazines and depots.
 */
unsigned int quarry_cache_shrink(struct quarry_cache *cache)
{
	struct qr_cache *c = qr_cache_of(cache);
	unsigned int moved;

	might_sleep();
	moved = qr_visit_magazines(c->id, qr_magazine_drain);
	mutex_lock(&qr_trim_lock);
	mutex_lock(&qr_caches_lock);
	moved += qr_cache_settle(c);
	qr_cache_trim(c, ULONG_MAX);
	mutex_unlock(&qr_caches_lock);
	mutex_unlock(&qr_trim_lock);
	return moved;
}
EXPORT_SYMBOL_QUARRY(quarry_cache_shrink);

u64 qr_drain_all(void)
{
	struct qr_cache *c;
	u64 moved;

	qr_mapped_flush();
	moved = qr_visit_magazines(0, qr_magazine_drain);
	mutex_lock(&qr_caches_lock);
	list_for_each_entry(c, &qr_caches, link) {
		moved += qr_cache_settle(c);
		cond_resched();
	}
	mutex_unlock(&qr_caches_lock);
	qr_zombies_collect();
	return moved;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_drain_all);

void qr_observe(const struct qr_observer *new)
{
	struct qr_cache *c;

	mutex_lock(&observer_lock);
	observer = new;
	if (new) {
		mutex_lock(&qr_caches_lock);
		list_for_each_entry(c, &qr_caches, link)
			if (!c->zombie && !c->stands_for)
				new->created(c->id, c->name);
		mutex_unlock(&qr_caches_lock);
	}
	mutex_unlock(&observer_lock);
}

static enum cpuhp_state hotplug_state;

static int cpu_prepare(unsigned int cpu)
{
	qr_view_set_cpu(cpu);
	/* The rate of some cache may have changed while the CPU was offline. */
	qr_each_cache(0, cpu, qr_magazine_redraw);
	return 0;
}

/* The objects in its magazines go to their slabs, where other CPUs can use them. */
static int cpu_dead(unsigned int cpu)
{
	qr_each_cache(0, cpu, qr_magazine_close);
	qr_rcu_cpu_dead(cpu);
	return 0;
}

int qr_caches_init(void)
{
	int err = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "quarry:magazines", cpu_prepare,
					    cpu_dead);

	if (err < 0)
		return err;
	hotplug_state = err;
	qr_zombies_init();
	return 0;
}

void qr_caches_exit(void)
{
	struct qr_cache *c, *next;

	cpuhp_remove_state_nocalls(hotplug_state);
	qr_zombies_exit();
	mutex_lock(&qr_caches_lock);
	list_for_each_entry_safe(c, next, &qr_caches, link) {
		unsigned long live = 0;
		LIST_HEAD(doomed);
		unsigned int i;

		cache_empty(c);
		for (i = 0; i < qr_nr_depots(); i++)
			if (c->depot[i])
				live += qr_depot_abandon(c->depot[i], &doomed);
		if (live)
			pr_warn("cache %s: %lu objects of %u bytes were never freed\n", c->name,
				live, c->pub.size);
		qr_slabs_destroy(&doomed);
		qr_cache_gone(c);
	}
	mutex_unlock(&qr_caches_lock);
	rcu_barrier();
}
