// SPDX-License-Identifier: GPL-2.0
/*
 * Bookkeeping memory comes from the kernel's own allocators; this file only
 * keeps the account, so that `stats` can say what Quarry itself costs and a
 * test can say that all of it went back.
 */
#include "core/metadata.h"

#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/vmalloc.h>

atomic64_t qr_taken_bytes = ATOMIC64_INIT(0);
atomic64_t qr_returned_bytes = ATOMIC64_INIT(0);
atomic64_t qr_metadata_bytes = ATOMIC64_INIT(0);

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

/* One copy for every CPU that may ever come up. */
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
 * The flag keeps an object an object of its kind for a grace period, which
 * those who found one by a dangling address rely on.  It keeps the kernel from
 * merging the cache with others as well.
 */
struct kmem_cache *qr_meta_cache_create(const char *name, size_t size)
{
	return kmem_cache_create(name, size, 0, SLAB_HWCACHE_ALIGN | SLAB_TYPESAFE_BY_RCU, NULL);
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
