/* SPDX-License-Identifier: GPL-2.0 */
/* The profiler's memory: metadata (core/metadata.h), with a bound on the sum of it. */
#ifndef QR_PROFILE_MEMORY_H
#define QR_PROFILE_MEMORY_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/types.h>

extern unsigned long qr_profile_memory_limit; /* bytes */
extern atomic_long_t qr_profile_memory_used;  /* bytes */

/*
 * The memory is zeroed.  NULL if it would exceed the limit, or without memory.  It is
 * freed with the same size.  The forms with a v allocate as vmalloc() does, and sleep.
 */
void *qr_profile_memory_alloc(size_t size, gfp_t gfp);
void qr_profile_memory_free(void *p, size_t size);
struct kmem_cache;
void *qr_profile_memory_cache_alloc(struct kmem_cache *cache, gfp_t gfp);
void qr_profile_memory_cache_free(struct kmem_cache *cache, void *p);
void *qr_profile_memory_valloc(size_t size);
void qr_profile_memory_vfree(void *p, size_t size);

void qr_profile_memory_init(void);

#endif /* QR_PROFILE_MEMORY_H */
