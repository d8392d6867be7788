// SPDX-License-Identifier: GPL-2.0
/*
 * The malloc family, and the public header's inline functions out of line.
 */
#include "malloc.h"

#include <linux/cpumask.h>
#include <linux/kernel.h>
#include "cache.h"
#include "compat.h"
#include "large.h"
#include "meta.h"
#include "sizeclass.h"

struct quarry_cache *qr_class_cache[QR_NR_CLASSES] __read_mostly;
EXPORT_SYMBOL_QUARRY(qr_class_cache);
struct qr_head __percpu *qr_class_head[QR_NR_CLASSES] __read_mostly;
EXPORT_SYMBOL_QUARRY(qr_class_head);

void *qr_malloc_large(size_t size, gfp_t gfp)
{
	might_alloc(gfp);
	return qr_large_alloc(size, gfp, NUMA_NO_NODE, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_malloc_large);

/**
 * quarry_malloc_node() - allocate memory of any size on a node
 * @size: bytes, as for quarry_malloc()
 * @gfp: as for quarry_cache_alloc_node()
 * @node: NUMA node, or NUMA_NO_NODE for this CPU's
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL when it could not be had or @size is too large.
 */
void *quarry_malloc_node(size_t size, gfp_t gfp, int node)
{
	qr_check_gfp(gfp);
	if (size <= QUARRY_MAX_SMALL) {
		struct quarry_cache *cache = qr_class_cache[qr_size_class[(size + 7) / 8]];

		return qr_magazine_alloc_node(qr_cache_of(cache), gfp, node, size, _RET_IP_);
	}
	if (node != NUMA_NO_NODE &&
	    (node < 0 || node >= nr_node_ids || !node_isset(node, qr_nodes))) {
		if (node < 0 || node >= nr_node_ids || (gfp & __GFP_THISNODE))
			return NULL;
		node = NUMA_NO_NODE;
	}
	might_alloc(gfp);
	return qr_large_alloc(size, gfp, node, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_malloc_node);

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
	const struct qr_slab *slab;
	size_t size = 0;

	rcu_read_lock();
	slab = p ? qr_slab_of(p) : NULL;
	if (slab && slab->cache) {
		if (qr_slab_index(slab, p) >= 0)
			size = slab->cache->pub.size;
	} else if (slab && qr_is_large(slab) && p == slab->base) {
		size = qr_slab_bytes(slab);
	}
	rcu_read_unlock();
	return size;
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
		return qr_zero(cache, p);
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
		qr_head_init(per_cpu_ptr(qr_class_head[0], cpu), 0);

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
