// SPDX-License-Identifier: GPL-2.0
/*
 * The layer api: what clients call, beyond the functions of a single cache.
 *
 * It offers the malloc family (malloc.c, malloc_family.c), the kernel's slab API for unedited
 * modules (shim.c, shim_malloc.c), reserves (reserve.c), arenas (arena*.c), pools (pool.c,
 * pool_shelf.c) and counts of a task's allocations (allocs_per_run.c).  It uses all folders
 * below it: core, pages, profile, slab, magazine and cache.
 *
 * Contexts: allocations and frees work in process, softirq and hardirq context, with interrupts
 * on or off, but not in NMI; quarry_reserve_alloc() works in NMI too.  Functions that create,
 * destroy, drain or walk something sleep.
 *
 * Locks: malloc and reserves have none.  The mutexes qr_arenas_lock, pools_lock (pool.c) and
 * owner_lock (allocs_per_run.c) protect lists and owners.  A pool's mutex protects the objects
 * that leave the pool.  The raw spinlocks of an arena, of its samples and of a pool's shelf are
 * taken with interrupts off and held for a bounded time.
 *
 * This file has the functions of the malloc family that take any size, and the copies of the
 * public header's inline functions for clients that call instead of inlining.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "api/malloc.h"

#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/caller.h"
#include "core/metadata.h"
#include "magazine/cleanup.h"
#include "slab/misuse.h"
#include "slab/large.h"
#include "slab/sizeclass.h"

struct quarry_cache *qr_class_cache[QR_NR_CLASSES] __read_mostly;
EXPORT_SYMBOL_QUARRY(qr_class_cache);
struct qr_head __percpu *qr_class_head[QR_NR_CLASSES] __read_mostly;
EXPORT_SYMBOL_QUARRY(qr_class_head);

/* Kept out of line: inlined, it would enlarge the stack frame of qr_malloc_call(). */
noinline void *qr_malloc_other(size_t size, gfp_t gfp)
{
	if (size <= QR_MAX_TINY) {
		struct quarry_cache *cache = qr_class_cache[qr_class_for(size)];

		return qr_magazine_alloc(qr_cache_of(cache), gfp, size, _RET_IP_);
	}
	might_alloc(gfp);
	return qr_large_alloc(size, gfp, NUMA_NO_NODE, _RET_IP_) ?: qr_large_refuse(size, gfp);
}
EXPORT_SYMBOL_QUARRY(qr_malloc_other);

/**
 * quarry_malloc_node() - allocate memory of any size on a node
 * @size: bytes, as for quarry_malloc()
 * @gfp: as for quarry_cache_alloc(); with __GFP_THISNODE no other node serves
 * @node: NUMA node; NUMA_NO_NODE or QUARRY_CALL_LOCAL for this CPU's node; or
 *	QUARRY_CALL_INTERLEAVE for the nodes in turn
 *
 * Without __GFP_THISNODE another node serves if @node has no memory.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL if there is none, @size is too large or there is no such node;
 * the latter is logged.
 */
void *quarry_malloc_node(size_t size, gfp_t gfp, int node)
{
	static atomic_t turn;

	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp))
		return qr_zone_refused(gfp);
	if (size <= QUARRY_MAX_SMALL) {
		struct quarry_cache *cache = qr_class_cache[qr_class_for(size)];

		return qr_magazine_alloc_node(qr_cache_of(cache), gfp, node, size, _RET_IP_);
	}
	if (node != NUMA_NO_NODE) {
		int named = node;

		node = qr_call_node(node, &turn);
		if (node < 0) {
			pr_warn_ratelimited("there is no node %d\n", named);
			return NULL;
		}
		if (!node_isset(node, qr_nodes)) {
			if (gfp & __GFP_THISNODE)
				return NULL;
			node = NUMA_NO_NODE;
		}
	}
	might_alloc(gfp);
	return qr_large_alloc(size, gfp, node, _RET_IP_) ?: qr_large_refuse(size, gfp);
}
EXPORT_SYMBOL_QUARRY(quarry_malloc_node);

static void *malloc_small(size_t size, gfp_t gfp, unsigned long ip)
{
	struct quarry_cache *cache = qr_class_cache[qr_class_for(size)];

	return qr_magazine_alloc(qr_cache_of(cache), gfp, size, ip);
}

/**
 * quarry_vmalloc() - allocate memory that need not be physically contiguous
 * @size: bytes, up to QUARRY_MAX_MAPPED; 0 gives the smallest object
 * @gfp: as for quarry_cache_alloc()
 *
 * The counterpart of kvmalloc().  It tries contiguous memory first, as quarry_malloc() gives
 * it, but above 32 KiB without much effort.  If that fails and @gfp allows to sleep, it maps
 * separate pages to contiguous addresses.  Mapped memory is not for DMA, and virt_to_page()
 * works only where is_vmalloc_addr() is false.  Memory above 32 KiB is aligned to a page.  It
 * normally comes from this CPU's node.
 *
 * With __GFP_NOFAIL the call does not fail up to 2 MiB.  Above that it may; such a failure is
 * logged, even with __GFP_NOWARN.
 *
 * quarry_free() frees the memory, in every context in which it may be called.  Where it may
 * not sleep, mapped pages are given back a little later.
 *
 * Context: process, softirq, hardirq; not NMI.  Only process context gets mapped memory.
 * Return: the memory, or NULL if there is none or @size is too large.
 */
void *quarry_vmalloc(size_t size, gfp_t gfp)
{
	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp))
		return qr_zone_refused(gfp);
	if (size <= QUARRY_MAX_SMALL)
		return malloc_small(size, gfp, _RET_IP_);
	return qr_large_alloc_mapped(size, gfp, _RET_IP_) ?: qr_large_refuse(size, gfp);
}
EXPORT_SYMBOL_QUARRY(quarry_vmalloc);

/*
 * Find the slab of the object that begins at @p, and how many bytes the object offers.  Returns
 * QR_MISUSE_NONE, or what is wrong with @p.
 */
static enum qr_misuse find_object(const void *p, struct qr_slab **slabp, size_t *usable)
{
	enum qr_misuse what = QR_MISUSE_NONE;
	struct qr_slab *slab;
	struct qr_cache *c;

	rcu_read_lock();
	slab = qr_slab_of(p) ?: qr_mapped_of(p);
	c = slab ? READ_ONCE(slab->cache) : NULL;
	if (c) {
		*usable = c->pub.size;
		if (qr_slab_index(slab, p) < 0)
			what = QR_MISUSE_INTERIOR;
	} else if (slab && qr_is_large(slab)) {
		*usable = qr_slab_bytes(slab);
		if (p != slab->base)
			what = QR_MISUSE_INTERIOR;
	} else {
		what = QR_MISUSE_FOREIGN;
	}
	rcu_read_unlock();
	*slabp = slab;
	return what;
}

/*
 * Let the object at @p have @size bytes where it is.  False if it has no room or would waste
 * too much of it.
 */
static bool resize_in_place(struct qr_slab *slab, void *p, size_t usable, size_t size, gfp_t gfp,
			    unsigned long ip)
{
	if (!slab->cache)
		return (size > QUARRY_MAX_SMALL || size > usable / 2) &&
		       qr_large_resize(slab, size, gfp, ip);
	if (size > usable)
		return false;
	if (size <= usable / 2 && qr_class_for(size) != slab->cache->class)
		return false;
	if (qr_want_zero(gfp))
		memset(p + size, 0, usable - size);
	return true;
}

static void *resize_by_copy(struct qr_slab *slab, void *p, size_t usable, size_t size, gfp_t gfp,
			    unsigned long ip)
{
	void *copy;

	/* If there is no memory for a smaller copy, the object can stay: do not insist. */
	if (size <= usable)
		gfp = (gfp & ~__GFP_NOFAIL) | __GFP_NOWARN;
	if (size <= QUARRY_MAX_SMALL)
		copy = malloc_small(size, gfp, ip);
	else if (slab->pages)
		copy = qr_large_alloc_mapped(size, gfp, ip);
	else
		copy = qr_large_alloc(size, gfp, NUMA_NO_NODE, ip);
	if (copy && unlikely(!qr_cleanups_move(slab, p, copy, gfp))) {
		qr_free(copy);
		copy = NULL;
	}
	if (copy) {
		memcpy(copy, p, min(usable, size));
		qr_free(p);
		return copy;
	}
	if (size > usable)
		return qr_large_refuse(size, gfp);
	if (qr_want_zero(gfp))
		memset(p + size, 0, usable - size);
	return p;
}

/**
 * quarry_realloc() - change the size of allocated memory
 * @p: from quarry_malloc(), quarry_vmalloc() or another function of their family, or NULL
 * @size: the new size in bytes, with the limit of quarry_malloc(); for mapped memory with that
 *	of quarry_vmalloc()
 * @gfp: as for quarry_cache_alloc()
 *
 * Works like krealloc().  The contents stay, up to the smaller of the two sizes.  If @p is
 * NULL, this is quarry_malloc().  If @size is 0 and @p is not NULL, this is quarry_free().
 * With __GFP_ZERO the added bytes are zero, provided that @p was allocated with __GFP_ZERO and
 * so was every change of its size.
 *
 * The memory stays in its place if it has room for @size bytes and more than half of it is
 * then used.  Contiguous memory above 32 KiB gives back the pages that it no longer needs, and
 * grows in place if the pages behind it are free; the statistics count either as a free and an
 * allocation.  Otherwise the memory moves to this CPU's node; contiguous memory stays
 * contiguous.  A smaller @size never fails.  Cleanups (see quarry_cleanup_add()) move along.
 *
 * An object of a cache from quarry_cache_create() has a fixed size: the call is logged and
 * returns NULL.  A pointer that is not the start of an object is reported as by quarry_free(),
 * and the call returns NULL.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory.  If it differs from @p, do not use @p any more.  NULL if @size is 0 and
 * @p was freed; or if there is no memory or @size is too large, and @p stays valid and
 * unchanged.
 */
void *quarry_realloc(void *p, size_t size, gfp_t gfp)
{
	struct qr_slab *slab;
	enum qr_misuse what;
	size_t usable;
	void *copy;

	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp))
		return qr_zone_refused(gfp);
	if (!p && size <= QUARRY_MAX_SMALL)
		return malloc_small(size, gfp, _RET_IP_);
	if (!p) {
		copy = qr_large_alloc(size, gfp, NUMA_NO_NODE, _RET_IP_);
		return copy ?: qr_large_refuse(size, gfp);
	}
	what = find_object(p, &slab, &usable);
	if (unlikely(what)) {
		qr_report(what, p, NULL, NULL, _RET_IP_);
		return NULL;
	}
	if (slab->cache && !slab->cache->class) {
		pr_warn_ratelimited("cache %s: realloc of an object to %zu bytes, from %s\n",
				    slab->cache->name, size, qr_caller_name(_RET_IP_));
		return NULL;
	}
	if (!size) {
		qr_free(p);
		return NULL;
	}
	if (resize_in_place(slab, p, usable, size, gfp, _RET_IP_))
		return p;
	return resize_by_copy(slab, p, usable, size, gfp, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_realloc);

/**
 * quarry_usable_size() - how many bytes of an allocation may be used
 * @p: from any Quarry allocation except an arena's, and not yet freed; or NULL
 *
 * Context: any.
 * Return: bytes, at least as many as were asked for; 0 if @p is NULL or not the start of an
 * object.
 */
size_t quarry_usable_size(const void *p)
{
	struct qr_slab *slab;
	size_t size;

	return p && !find_object(p, &slab, &size) ? size : 0;
}
EXPORT_SYMBOL_QUARRY(quarry_usable_size);

QR_CALLED void *qr_cache_alloc_call(struct quarry_cache *cache, gfp_t gfp)
{
	return qr_cache_alloc(cache, gfp);
}
EXPORT_SYMBOL_QUARRY(qr_cache_alloc_call);

QR_CALLED void *qr_malloc_class_call(struct quarry_cache *cache, gfp_t gfp, size_t size)
{
	return qr_malloc_class(cache, gfp, size);
}
EXPORT_SYMBOL_QUARRY(qr_malloc_class_call);

QR_CALLED void qr_cache_free_call(struct quarry_cache *cache, void *obj)
{
	qr_cache_free(cache, obj);
}
EXPORT_SYMBOL_QUARRY(qr_cache_free_call);

QR_CALLED void *qr_malloc_call(size_t size, gfp_t gfp)
{
	return qr_malloc(size, gfp);
}
EXPORT_SYMBOL_QUARRY(qr_malloc_call);

QR_CALLED void qr_free_call(void *p)
{
	qr_free(p);
}
EXPORT_SYMBOL_QUARRY(qr_free_call);

int qr_malloc_init(void)
{
	unsigned int k, cpu;

	/* Class 0 is for pointers without a size class.  Its magazine is always full. */
	qr_class_head[0] = qr_meta_percpu(sizeof(struct qr_head), SMP_CACHE_BYTES);
	if (!qr_class_head[0])
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		qr_head_init(per_cpu_ptr(qr_class_head[0], cpu));

	for (k = 1; k < QR_NR_CLASSES; k++) {
		unsigned int size = qr_class_bytes(k);
		struct quarry_cache_args args = { .align = qr_class_align(size) };
		char name[QUARRY_NAME_LEN];
		struct qr_cache *c;

		snprintf(name, sizeof(name), "malloc-%u", size);
		c = qr_cache_new(name, size, k, &args);
		if (!c) {
			qr_malloc_exit();
			return -ENOMEM;
		}
		qr_class_cache[k] = &c->pub;
		qr_class_head[k] = c->pub.head;
	}
	return 0;
}

/* The caches of the size classes are destroyed together with all other caches. */
void qr_malloc_exit(void)
{
	qr_meta_percpu_free(qr_class_head[0], sizeof(struct qr_head));
	qr_class_head[0] = NULL;
}
