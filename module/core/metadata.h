/* SPDX-License-Identifier: GPL-2.0 */
/* Bookkeeping memory, and the account of all that the kernel gave. */
#ifndef QR_METADATA_H
#define QR_METADATA_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/types.h>

/*
 * What an allocation of ours may pass on to the kernel.  The caller's zone,
 * zeroing and cgroup wishes are not about our bookkeeping or whole chunks.
 */
#define QR_GFP_MASK                                                                                \
	(__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HIGH | __GFP_MEMALLOC | __GFP_NOMEMALLOC |    \
	 __GFP_NORETRY | __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | __GFP_NOWARN | __GFP_HARDWALL)

extern atomic64_t qr_taken_bytes, qr_returned_bytes, qr_metadata_bytes;

/* Zeroed; NULL on failure.  Free with the size that was asked for. */
void *qr_meta_alloc(size_t size, gfp_t gfp, int node);
void qr_meta_free(void *p, size_t size);
void *qr_meta_valloc(size_t size);
/* Of any size, while @gfp says that it may sleep; the free may sleep too. */
void *qr_meta_kvalloc(size_t size, gfp_t gfp);
void qr_meta_kvfree(void *p, size_t size);
/* For remap_vmalloc_range(); @size is whole pages. */
void *qr_meta_valloc_user(size_t size);
void qr_meta_vfree(void *p, size_t size);
void __percpu *qr_meta_percpu(size_t size, size_t align);
void qr_meta_percpu_free(void __percpu *p, size_t size);

/*
 * Bookkeeping of one size has a cache of its own in the kernel, so that its
 * pages leave with us instead of staying in a kmalloc cache's reserve.
 */
struct kmem_cache *qr_meta_cache_create(const char *name, size_t size);
void *qr_meta_cache_alloc(struct kmem_cache *cache, gfp_t gfp, int node);
void qr_meta_cache_free(struct kmem_cache *cache, void *p);

static inline void qr_account_pages(long pages)
{
	if (pages >= 0)
		atomic64_add((s64)pages << PAGE_SHIFT, &qr_taken_bytes);
	else
		atomic64_add((s64)-pages << PAGE_SHIFT, &qr_returned_bytes);
}

#endif /* QR_METADATA_H */
