// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's slab API for unedited modules (see quarry/kmem_shim.h): kmalloc() and its family.
 *
 * kmalloc() promises more than quarry_malloc(): memory is aligned to the largest power of two
 * that divides its size.  Requests that Quarry cannot serve so go to the kernel, and so do
 * requests for memory of a zone.
 */
#include "api/shim.h"

#include <linux/log2.h>
#include <linux/string.h>
#include <quarry/quarry.h>
#include "api/malloc.h"
#include "magazine/magazine.h"
#include "slab/large.h"
#include "slab/sizeclass.h"

static noinline void *kernels(size_t size, gfp_t gfp, int node)
{
	return kmalloc_node(size, gfp, node);
}

static size_t alignment(size_t size)
{
	return size & -size;
}

/* The size class for @size bytes with kmalloc()'s alignment; not for 0 or large sizes. */
static __always_inline unsigned int class_for(size_t size)
{
	unsigned int class = qr_size_class[(size + 7) / 8];
	size_t bytes = qr_class_cache[class]->size, align = alignment(size);

	if (unlikely(bytes & (align - 1)) || unlikely(align > PAGE_SIZE && bytes != align))
		return qr_class_aligned(align, size);
	return class;
}

static noinline void *large(size_t size, gfp_t gfp, int node, unsigned long ip)
{
	size_t align = alignment(size);

	might_alloc(gfp);
	if (align > PAGE_SIZE) {
		if (size > QUARRY_MAX_ALIGN || node != NUMA_NO_NODE)
			return kernels(size, gfp, node);
		return qr_large_alloc_aligned(align, size, gfp, ip) ?: qr_large_refuse(size, gfp);
	}
	if (node != NUMA_NO_NODE)
		return quarry_malloc_node(size, gfp, node);
	return qr_large_alloc(size, gfp, NUMA_NO_NODE, ip) ?: qr_large_refuse(size, gfp);
}

static __always_inline bool is_odd(size_t size, gfp_t gfp)
{
	return unlikely(size - 1 >= QUARRY_MAX_SMALL) || unlikely(gfp & GFP_ZONEMASK);
}

/* Serves size 0, large sizes and requests for a zone. */
static noinline void *malloc_odd(size_t size, gfp_t gfp, int node, unsigned long ip)
{
	if (!size)
		return ZERO_SIZE_PTR;
	if (gfp & GFP_ZONEMASK)
		return kernels(size, gfp, node);
	return large(size, gfp, node, ip);
}

static __always_inline void *malloc_here(size_t size, gfp_t gfp, unsigned long ip)
{
	if (is_odd(size, gfp))
		return malloc_odd(size, gfp, NUMA_NO_NODE, ip);
	return qr_magazine_alloc(qr_cache_of(qr_class_cache[class_for(size)]), gfp, size, ip);
}

static void *malloc_node(size_t size, gfp_t gfp, int node, unsigned long ip)
{
	if (is_odd(size, gfp))
		return malloc_odd(size, gfp, node, ip);
	return qr_magazine_alloc_node(qr_cache_of(qr_class_cache[class_for(size)]), gfp, node, size,
				      ip);
}

/*
 * An exported function must call this last.  Its call of qr_malloc_class_call() is then a tail
 * call, and a profile names the exported function's caller.
 */
static __always_inline void *malloc_inline(size_t size, gfp_t gfp, unsigned long ip)
{
	if (is_odd(size, gfp))
		return malloc_odd(size, gfp, NUMA_NO_NODE, ip);
	return qr_malloc_class_call(qr_class_cache[class_for(size)], gfp, size);
}

void *qr_shim_kmalloc(qr_compat_size(size), gfp_t gfp)
{
	return malloc_inline(size, gfp, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kmalloc);

/* @s is the kernel's cache for a constant size; @size is enough to find Quarry's. */
void *qr_shim_kmalloc_cache(struct kmem_cache *s, gfp_t gfp, size_t size)
{
	return malloc_inline(size, gfp, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kmalloc_cache);

QR_CALLED void *qr_shim_kmalloc_class(struct quarry_cache *cache, gfp_t gfp, size_t size)
{
	if (unlikely(gfp & GFP_ZONEMASK))
		return kernels(size, gfp, NUMA_NO_NODE);
	return qr_malloc_class(cache, gfp, size);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kmalloc_class);

void *qr_shim_kmalloc_cache_node(struct kmem_cache *s, gfp_t gfp, int node, size_t size)
{
	return malloc_node(size, gfp, node, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kmalloc_cache_node);

void *qr_shim_kmalloc_large_node(size_t size, gfp_t gfp, int node)
{
	return malloc_node(size, gfp, node, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kmalloc_large_node);

/* A module that created buckets of its own (a set of caches) keeps using them. */
void *qr_shim_kmalloc_node(qr_compat_size_of(size, b), gfp_t gfp, int node)
{
	if (PASS_BUCKET_PARAM(b))
		return qr_compat_buckets_alloc(b, size, gfp);
	return malloc_node(size, gfp, node, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kmalloc_node);

void *qr_shim_kmalloc_track(qr_compat_size_of(size, b), gfp_t gfp, int node, unsigned long caller)
{
	if (PASS_BUCKET_PARAM(b))
		return qr_compat_buckets_alloc(b, size, gfp);
	return malloc_node(size, gfp, node, caller);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kmalloc_track);

/*
 * Quarry cannot map memory of one chosen node.  If @node is given and has no contiguous memory,
 * the kernel serves the request.
 */
static void *kvmalloc_any(size_t size, gfp_t gfp, int node)
{
	gfp_t light = (gfp & ~__GFP_NOFAIL) | __GFP_NORETRY | __GFP_NOWARN;

	if (size <= QUARRY_MAX_SMALL || (gfp & GFP_ZONEMASK))
		return malloc_node(size, gfp, node, _RET_IP_);
	if (node == NUMA_NO_NODE)
		return quarry_vmalloc(size, gfp);
	return quarry_malloc_node(size, light, node) ?: kvmalloc_node(size, gfp, node);
}

/* Round @size up to @align: kmalloc() aligns a multiple of @align to @align. */
static size_t aligned_size(size_t size, size_t align)
{
	size_t rounded = round_up(size, align);

	return max(size, rounded);
}

void *qr_shim_kvmalloc_node(QR_COMPAT_KVMALLOC_ARGS)
{
	return kvmalloc_any(aligned_size(size, QR_COMPAT_ALIGN), gfp, node);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kvmalloc_node);

/*
 * Memory that has room for @size bytes stays in its place, however much is left over, as the
 * kernel does it.  With __GFP_ZERO the rest is zeroed.
 */
bool qr_shim_fits(const void *p, size_t usable, size_t size, size_t align, gfp_t gfp)
{
	if (size > usable || !IS_ALIGNED((unsigned long)p, align))
		return false;
	if (gfp & __GFP_ZERO)
		memset((void *)p + size, 0, usable - size);
	return true;
}

void *qr_shim_krealloc(QR_COMPAT_KREALLOC_ARGS)
{
	size_t usable, want = aligned_size(size, QR_COMPAT_ALIGN);
	void *copy;

	if (ZERO_OR_NULL_PTR(p))
		return malloc_node(want, gfp, QR_COMPAT_NODE, _RET_IP_);
	if (!size) {
		qr_shim_kfree(p);
		return ZERO_SIZE_PTR;
	}
	usable = quarry_usable_size(p);
	if (!usable)
		return qr_compat_krealloc(p, size, gfp);
	if (qr_shim_fits(p, usable, size, QR_COMPAT_ALIGN, gfp))
		return (void *)p;
	/* quarry_realloc() can grow it in place if the pages behind it are free. */
	if (usable > QUARRY_MAX_SMALL && want > usable && alignment(want) <= PAGE_SIZE &&
	    QR_COMPAT_NODE == NUMA_NO_NODE && !(gfp & GFP_ZONEMASK))
		return quarry_realloc((void *)p, want, gfp);
	copy = malloc_node(want, gfp, QR_COMPAT_NODE, _RET_IP_);
	if (copy) {
		memcpy(copy, p, min(usable, size));
		qr_shim_kfree(p);
	}
	return copy;
}
EXPORT_SYMBOL_QUARRY(qr_shim_krealloc);

void *qr_shim_kvrealloc(QR_COMPAT_KVREALLOC_ARGS)
{
	size_t usable;
	void *copy;

	if (!size) {
		qr_shim_kvfree(p);
		return ZERO_SIZE_PTR;
	}
	usable = quarry_usable_size(p);
	if (!usable && !ZERO_OR_NULL_PTR(p))
		return qr_compat_kvrealloc(p, size, gfp);
	if (usable && qr_shim_fits(p, usable, size, QR_COMPAT_ALIGN, gfp))
		return (void *)p;
	copy = kvmalloc_any(aligned_size(size, QR_COMPAT_ALIGN), gfp, QR_COMPAT_NODE);
	if (copy && usable) {
		memcpy(copy, p, min(usable, size));
		qr_shim_kvfree(p);
	}
	return copy;
}
EXPORT_SYMBOL_QUARRY(qr_shim_kvrealloc);

size_t qr_shim_size_roundup(size_t size)
{
	if (!size)
		return 0;
	if (size <= QUARRY_MAX_SMALL)
		return qr_class_cache[class_for(size)]->size;
	return size <= QUARRY_MAX_LARGE ? PAGE_ALIGN(size) : size;
}
EXPORT_SYMBOL_QUARRY(qr_shim_size_roundup);

void *qr_shim_kmemdup(const void *src, size_t size, gfp_t gfp)
{
	void *p = malloc_here(size, gfp, _RET_IP_);

	if (!ZERO_OR_NULL_PTR(p))
		memcpy(p, src, size);
	return p;
}
EXPORT_SYMBOL_QUARRY(qr_shim_kmemdup);

static char *dup_chars(const char *s, size_t len, gfp_t gfp, unsigned long ip)
{
	char *p = malloc_here(len + 1, gfp, ip);

	if (p) {
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

char *qr_shim_kmemdup_nul(const char *s, size_t len, gfp_t gfp)
{
	return s ? dup_chars(s, len, gfp, _RET_IP_) : NULL;
}
EXPORT_SYMBOL_QUARRY(qr_shim_kmemdup_nul);

char *qr_shim_kstrdup(const char *s, gfp_t gfp)
{
	return s ? dup_chars(s, strlen(s), gfp, _RET_IP_) : NULL;
}
EXPORT_SYMBOL_QUARRY(qr_shim_kstrdup);

char *qr_shim_kstrndup(const char *s, size_t max, gfp_t gfp)
{
	return s ? dup_chars(s, strnlen(s, max), gfp, _RET_IP_) : NULL;
}
EXPORT_SYMBOL_QUARRY(qr_shim_kstrndup);
