// SPDX-License-Identifier: GPL-2.0
/*
 * The malloc family, and the public header's inline functions out of line.
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
#include "core/metadata.h"
#include "core/misuse.h"
#include "slab/large.h"
#include "slab/sizeclass.h"

struct quarry_cache *qr_class_cache[QR_NR_CLASSES] __read_mostly;
EXPORT_SYMBOL_QUARRY(qr_class_cache);
struct qr_head __percpu *qr_class_head[QR_NR_CLASSES] __read_mostly;
EXPORT_SYMBOL_QUARRY(qr_class_head);

/* Not part of the called form, whose stack frame it would enlarge. */
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
 * @gfp: as for quarry_cache_alloc_node()
 * @node: NUMA node, NUMA_NO_NODE or QUARRY_CALL_LOCAL for this CPU's, or
 *	QUARRY_CALL_INTERLEAVE for each in turn
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL when it could not be had or @size is too large.
 */
void *quarry_malloc_node(size_t size, gfp_t gfp, int node)
{
	static atomic_t turn;

	qr_check_gfp(gfp);
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
 * The twin of kvmalloc().  What quarry_malloc() would give is tried first, without much
 * effort above 32 KiB; if there is no such memory, single pages and whatever is
 * contiguous among them are mapped in a row, if @gfp allows to sleep.  The result is not for
 * DMA, nor for virt_to_page() unless is_vmalloc_addr() says no.  Aligned to a page above
 * 32 KiB.  Normally from this CPU's node.
 *
 * With __GFP_NOFAIL it does not fail up to 2 MiB.  Above that it may, and says so in the
 * log whether or not there is __GFP_NOWARN.
 *
 * Freed by quarry_free(), from any context that is good for that: where it may not sleep
 * the pages go back a little later.
 *
 * Context: process, softirq, hardirq; not NMI.  Mapped memory in process context only.
 * Return: the memory, or NULL when it could not be had or @size is too large.
 */
void *quarry_vmalloc(size_t size, gfp_t gfp)
{
	qr_check_gfp(gfp);
	if (size <= QUARRY_MAX_SMALL)
		return malloc_small(size, gfp, _RET_IP_);
	return qr_large_alloc_mapped(size, gfp, _RET_IP_) ?: qr_large_refuse(size, gfp);
}
EXPORT_SYMBOL_QUARRY(quarry_vmalloc);

/* Whose object begins at @p, and how much room it has? */
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

/* Can the object at @p serve as one of @size bytes, without waste? */
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

	/* For what is smaller there is a way out. */
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
 * quarry_realloc() - change the size of memory
 * @p: from quarry_malloc(), quarry_vmalloc() and their like, or NULL
 * @size: bytes that it shall have, as for quarry_malloc(); mapped memory as for
 *	quarry_vmalloc()
 * @gfp: as for quarry_cache_alloc()
 *
 * As krealloc(): what is in it stays, up to the smaller of the two sizes.  NULL is
 * allocated, as by quarry_malloc().  With a @size of 0, @p is freed.  With __GFP_ZERO what is
 * added is zero if @p was allocated, and all its sizes were set, with __GFP_ZERO.
 *
 * It stays where it is while it has the room and is not more than twice too large.  Over
 * 32 KiB it is cut to the pages that it needs, and grows where it is when the pages behind
 * are free; in the books that is a free and an allocation.  Otherwise it moves to this CPU's
 * node, contiguous if it was so before.  To make something smaller never fails.  Its cleanups,
 * see quarry_cleanup_add(), go where it goes.
 *
 * Objects of a cache have one size: for those, NULL is returned, and logged.  Anything else
 * that is not the start of an object is misuse, reported as by quarry_free(), and NULL.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, where @p may no longer be used if it is another; or NULL when it
 * could not be had, and @p is as it was, or when @size is 0.
 */
void *quarry_realloc(void *p, size_t size, gfp_t gfp)
{
	struct qr_slab *slab;
	enum qr_misuse what;
	size_t usable;
	void *copy;

	qr_check_gfp(gfp);
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
		pr_warn_ratelimited("cache %s: realloc of an object to %zu bytes, from %pS\n",
				    slab->cache->name, size, (void *)_RET_IP_);
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
 * quarry_usable_size() - how much memory lies behind a pointer
 * @p: from any Quarry allocation and not yet freed, or NULL
 *
 * Context: any.
 * Return: bytes, at least what was asked for; 0 for NULL and for pointers that
 * are not the start of a Quarry object.
 */
size_t quarry_usable_size(const void *p)
{
	struct qr_slab *slab;
	size_t size;

	return p && !find_object(p, &slab, &size) ? size : 0;
}
EXPORT_SYMBOL_QUARRY(quarry_usable_size);

/*
 * Worth a cache line of their own, and not worth an ftrace site, which costs
 * an instruction even when it is off; the inline forms have none either.
 */
#define QR_CALLED __attribute__((hot)) __aligned(64) notrace

QR_CALLED void *qr_cache_alloc_call(struct quarry_cache *cache, gfp_t gfp)
{
	return qr_cache_alloc(cache, gfp);
}
EXPORT_SYMBOL_QUARRY(qr_cache_alloc_call);

QR_CALLED void *qr_malloc_class_call(struct quarry_cache *cache, gfp_t gfp, size_t size)
{
	void *p;

	qr_check_gfp(gfp);
	preempt_disable();
	if (unlikely(!qr_head_pop(cache->head, &p)))
		return qr_malloc_slow(cache, gfp, size);
	preempt_enable();
	if (qr_want_zero(gfp))
		return qr_zero(cache, p, gfp);
	return p;
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

	/* Class 0: the magazine of everything that has none.  Always full. */
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

/* The classes themselves go with all other caches. */
void qr_malloc_exit(void)
{
	qr_meta_percpu_free(qr_class_head[0], sizeof(struct qr_head));
	qr_class_head[0] = NULL;
}
