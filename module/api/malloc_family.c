// SPDX-License-Identifier: GPL-2.0
/*
 * More of the malloc family: aligned memory, many allocations at a time, memory with secrets.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/log2.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include "compat.h"
#include "core/caller.h"
#include "magazine/magazine.h"
#include "slab/large.h"
#include "slab/sizeclass.h"

void *qr_malloc_overflow(size_t n, size_t size, gfp_t gfp)
{
	atomic64_inc(&qr_large_failed);
	if (!(gfp & __GFP_NOWARN) || (gfp & __GFP_NOFAIL))
		pr_warn_ratelimited("no %zu times %zu bytes: that is no size\n", n, size);
	return NULL;
}
EXPORT_SYMBOL_QUARRY(qr_malloc_overflow);

/* --- Alignment --- */

/**
 * quarry_aligned_alloc() - allocate memory with a given alignment
 * @align: alignment in bytes, a power of two up to QUARRY_MAX_ALIGN
 * @size: bytes, up to QUARRY_MAX_LARGE, or up to QUARRY_MAX_ALIGN if @align is more than a
 *	page.  It need not be a multiple of @align.  0 gives the smallest object
 * @gfp: as for quarry_cache_alloc()
 *
 * The memory normally comes from this CPU's node.  quarry_free() frees it.  quarry_realloc()
 * may move it to memory that is only aligned as quarry_malloc() aligns.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL if there is none, @size is too large, or @align is not a power
 * of two or too large; a bad @align is logged.
 */
void *quarry_aligned_alloc(size_t align, size_t size, gfp_t gfp)
{
	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp))
		return qr_zone_refused(gfp);
	if (!is_power_of_2(align) || align > QUARRY_MAX_ALIGN) {
		pr_warn_ratelimited("no memory is aligned to %zu bytes, from %s\n", align,
				    qr_caller_name(_RET_IP_));
		return NULL;
	}
	if (size > QUARRY_MAX_ALIGN && align > PAGE_SIZE)
		return qr_large_refuse(size, gfp);
	if (max(size, align) <= QUARRY_MAX_SMALL) {
		struct quarry_cache *cache = qr_class_cache[qr_class_aligned(align, size)];

		return qr_magazine_alloc(qr_cache_of(cache), gfp, size, _RET_IP_);
	}
	might_alloc(gfp);
	return qr_large_alloc_aligned(align, size, gfp, _RET_IP_) ?: qr_large_refuse(size, gfp);
}
EXPORT_SYMBOL_QUARRY(quarry_aligned_alloc);

/* --- Many at a time --- */

/**
 * quarry_malloc_bulk() - make many allocations of one size
 * @size: bytes of each allocation, as for quarry_malloc()
 * @gfp: as for quarry_cache_alloc()
 * @n: number of allocations
 * @objs: array of @n entries that receives the pointers
 *
 * Allocates all or none.  Up to 32 KiB it is as fast as quarry_cache_alloc_bulk().  The memory
 * normally comes from this CPU's node.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: @n, or 0 if there is not enough memory for all or @size is too large.
 */
unsigned int quarry_malloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **objs)
{
	unsigned int i;

	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp) && !qr_zone_refused(gfp))
		return 0;
	if (size <= QUARRY_MAX_SMALL) {
		struct quarry_cache *cache = qr_class_cache[qr_class_for(size)];

		return qr_bulk_alloc(qr_cache_of(cache), gfp, size, n, objs, _RET_IP_);
	}
	might_alloc(gfp);
	for (i = 0; i < n; i++) {
		objs[i] = qr_large_alloc(size, gfp, NUMA_NO_NODE, _RET_IP_);
		if (!objs[i]) {
			qr_large_refuse(size, gfp);
			quarry_free_bulk(i, objs);
			return 0;
		}
	}
	return n;
}
EXPORT_SYMBOL_QUARRY(quarry_malloc_bulk);

/* The size class of @p if this CPU can free it on the fast path, or 0. */
static unsigned int class_here(const void *p)
{
	unsigned long off = qr_offset(p);
	unsigned int class = 0;

	preempt_disable();
	if (likely(off >> QR_CHUNK_SHIFT < qr_nr_chunks))
		class = __this_cpu_read(
			qr_view.class)[off >> QR_CHUNK_SHIFT][(u32)off >> PAGE_SHIFT];
	preempt_enable();
	return class;
}

/**
 * quarry_free_bulk() - free many allocations
 * @n: number of entries in @objs
 * @objs: array of pointers, each as for quarry_free(); sizes and caches may differ, and NULLs
 *	are skipped
 *
 * Frees each as quarry_free() does, so memory of another node is sent back to that node.
 * Neighbouring entries of the same size class are freed together, which is faster.
 *
 * Context: process, softirq, hardirq; not NMI.
 */
void quarry_free_bulk(unsigned int n, void **objs)
{
	unsigned int i, end, class;

	for (i = 0; i < n; i = end) {
		class = class_here(objs[i]);
		end = i + 1;
		if (!class) {
			qr_free(objs[i]);
			continue;
		}
		while (end < n && class_here(objs[end]) == class)
			end++;
		quarry_cache_free_bulk(qr_class_cache[class], end - i, objs + i);
	}
}
EXPORT_SYMBOL_QUARRY(quarry_free_bulk);

/**
 * quarry_free_sensitive() - zero memory that holds secrets, and free it
 * @p: from quarry_malloc(), another function of its family or a cache; NULL is allowed and
 *	does nothing
 *
 * Zeroes all bytes up to quarry_usable_size(), whether or not init_on_free is on, and frees
 * the memory as quarry_free() does.  Not for objects of a cache with a constructor, which
 * must be freed in the state that the constructor left.
 *
 * Context: process, softirq, hardirq; not NMI.
 */
void quarry_free_sensitive(const void *p)
{
	memzero_explicit((void *)p, quarry_usable_size(p));
	qr_free((void *)p);
}
EXPORT_SYMBOL_QUARRY(quarry_free_sensitive);
