// SPDX-License-Identifier: GPL-2.0
/*
 * Metadata comes from the kernel's own allocators.  This file only counts its bytes: `stats`
 * shows from them what Quarry itself costs, and tests check that all of it was returned.
 */
#include "core/metadata.h"

#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/vmalloc.h>
#include "compat.h"

atomic64_t qr_taken_bytes = ATOMIC64_INIT(0);
atomic64_t qr_returned_bytes = ATOMIC64_INIT(0);
atomic64_t qr_metadata_bytes = ATOMIC64_INIT(0);
EXPORT_SYMBOL_QUARRY_TEST(qr_metadata_bytes);

static void account(long bytes)
{
	atomic64_add(bytes, &qr_metadata_bytes);
	if (bytes >= 0)
		atomic64_add(bytes, &qr_taken_bytes);
	else
		atomic64_add(-bytes, &qr_returned_bytes);
}

void *qr_meta_alloc(size_t size, gfp_t gfp, int node)
{
	void *p = kzalloc_node(size, gfp & QR_GFP_MASK, node);

	if (p)
		account(size);
	return p;
}

void qr_meta_free(void *p, size_t size)
{
	if (!p)
		return;
	account(-(long)size);
	kfree(p);
}

void *qr_meta_valloc(size_t size)
{
	void *p = vzalloc(size);

	if (p)
		account(size);
	return p;
}

void *qr_meta_kvalloc(size_t size, gfp_t gfp)
{
	void *p = kvzalloc(size, gfp & QR_GFP_MASK & ~__GFP_NOFAIL);

	if (p)
		account(size);
	return p;
}

void qr_meta_kvfree(void *p, size_t size)
{
	if (!p)
		return;
	account(-(long)size);
	kvfree(p);
}

void *qr_meta_valloc_user(size_t size)
{
	void *p = vmalloc_user(size);

	if (p)
		account(size);
	return p;
}

void qr_meta_vfree(void *p, size_t size)
{
	if (!p)
		return;
	account(-(long)size);
	vfree(p);
}

struct page *qr_meta_page(int node)
{
	struct page *page = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, 0);

	if (page)
		account(PAGE_SIZE);
	return page;
}

void qr_meta_page_free(struct page *page)
{
	if (!page)
		return;
	account(-(long)PAGE_SIZE);
	__free_page(page);
}

static long page_table_bytes(unsigned int nr)
{
	return (long)DIV_ROUND_UP(nr * sizeof(pte_t), PAGE_SIZE) << PAGE_SHIFT;
}

void *qr_meta_vmap(struct page **pages, unsigned int nr)
{
	void *p = vmap(pages, nr, VM_MAP, PAGE_KERNEL);

	if (p)
		account(page_table_bytes(nr));
	return p;
}

void qr_meta_vunmap(void *p, unsigned int nr)
{
	if (!p)
		return;
	account(-page_table_bytes(nr));
	vunmap(p);
}

/* @size bytes for each possible CPU, also for those that are not online. */
void __percpu *qr_meta_percpu(size_t size, size_t align)
{
	void __percpu *p = __alloc_percpu(size, align);

	if (p)
		account(size * num_possible_cpus());
	return p;
}

void qr_meta_percpu_free(void __percpu *p, size_t size)
{
	if (!p)
		return;
	account(-(long)(size * num_possible_cpus()));
	free_percpu(p);
}

/*
 * The caches for qr_meta_shrink().  The module makes all of them before the scavenger starts, and
 * destroys them after it has stopped.
 */
static struct kmem_cache *to_shrink[16];
static unsigned int nr_to_shrink;

/*
 * SLAB_TYPESAFE_BY_RCU: after its free an object stays an object of the same type for a grace
 * period.  A reader that found the object by a dangling address relies on that.  The flag also
 * keeps the kernel from merging this cache with others.
 */
struct kmem_cache *qr_meta_cache_create(const char *name, size_t size, bool shrink)
{
	struct kmem_cache *cache = kmem_cache_create(name, size, 0,
						     SLAB_HWCACHE_ALIGN | SLAB_TYPESAFE_BY_RCU,
						     NULL);

	if (cache && shrink && !WARN_ON(nr_to_shrink == ARRAY_SIZE(to_shrink)))
		to_shrink[nr_to_shrink++] = cache;
	return cache;
}

void qr_meta_shrink(void)
{
	unsigned int i;

	for (i = 0; i < nr_to_shrink; i++)
		kmem_cache_shrink(to_shrink[i]);
}

void *qr_meta_cache_alloc(struct kmem_cache *cache, gfp_t gfp, int node)
{
	void *p = kmem_cache_alloc_node(cache, (gfp & QR_GFP_MASK) | __GFP_ZERO, node);

	if (p)
		account(kmem_cache_size(cache));
	return p;
}

void qr_meta_cache_free(struct kmem_cache *cache, void *p)
{
	account(-(long)kmem_cache_size(cache));
	kmem_cache_free(cache, p);
}
