/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions that take the place of the kernel's slab API in modules that are built with
 * quarry/kmem_shim.h, which lists the pairs.
 *
 * Each function has the type of the kernel function that it replaces, in the kernel that Quarry
 * is built for, and works in the same contexts.  What Quarry cannot serve goes to the kernel.
 * So a module has caches and memory of both kinds, and the functions tell from the pointer
 * which kind it is.
 */
#ifndef QR_SHIM_H
#define QR_SHIM_H

#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "compat.h"

struct quarry_cache;

/* --- Caches --- */

struct kmem_cache *qr_shim_cache_create(const char *name, unsigned int size, unsigned int align,
					slab_flags_t flags, void (*ctor)(void *obj));
extern typeof(kmem_cache_create_usercopy) qr_shim_cache_create_usercopy;
struct kmem_cache *qr_shim_cache_create_args(const char *name, unsigned int size,
					     struct kmem_cache_args *args, slab_flags_t flags);
extern typeof(kmem_cache_destroy) qr_shim_cache_destroy;
extern typeof(kmem_cache_shrink) qr_shim_cache_shrink;
extern typeof(kmem_cache_size) qr_shim_cache_size;
bool qr_shim_cache_charge(void *obj, gfp_t gfp);
extern typeof(qr_compat_noprof(kmem_cache_alloc)) qr_shim_cache_alloc;
extern typeof(qr_compat_noprof(kmem_cache_alloc_lru)) qr_shim_cache_alloc_lru;
extern typeof(qr_compat_noprof(kmem_cache_alloc_node)) qr_shim_cache_alloc_node;
/* Some kernels return the number of objects, others a bool. */
typedef typeof(qr_compat_noprof(kmem_cache_alloc_bulk)(NULL, 0, 0, NULL)) qr_shim_bulk_t;
qr_shim_bulk_t qr_shim_cache_alloc_bulk(struct kmem_cache *s, gfp_t gfp, size_t n, void **objs);
extern typeof(kmem_cache_free) qr_shim_cache_free;
extern typeof(kmem_cache_free_bulk) qr_shim_cache_free_bulk;
extern typeof(mempool_alloc_slab) qr_shim_mempool_alloc;
extern typeof(mempool_free_slab) qr_shim_mempool_free;

/* --- Frees --- */

extern typeof(kfree) qr_shim_kfree;
extern typeof(kfree_sensitive) qr_shim_kfree_sensitive;
extern typeof(kvfree) qr_shim_kvfree;
extern typeof(kvfree_sensitive) qr_shim_kvfree_sensitive;
void qr_shim_kfree_nolock(const void *p);
void qr_shim_kvfree_atomic(const void *p);
extern typeof(kfree_const) qr_shim_kfree_const;
extern typeof(kfree_link) qr_shim_kfree_link;
extern typeof(seq_release_private) qr_shim_seq_release_private;
extern typeof(ksize) qr_shim_ksize;
extern typeof(kvfree_call_rcu) qr_shim_kvfree_call_rcu;
void qr_shim_kvfree_rcu_barrier(void);
void qr_shim_kvfree_rcu_barrier_on_cache(struct kmem_cache *s);

/*
 * Does @p point into Quarry's pages?  @p is a live object of any allocator, or an object of
 * Quarry that may have been freed already.
 */
bool qr_shim_owns(const void *p);

/* Is there room for @size bytes where @p is?  With __GFP_ZERO, what is left over is zeroed. */
bool qr_shim_fits(const void *p, size_t usable, size_t size, size_t align, gfp_t gfp);

/* --- kmalloc() and its family --- */

extern typeof(qr_compat_noprof(__kmalloc)) qr_shim_kmalloc;
extern typeof(qr_compat_noprof(__kmalloc_node)) qr_shim_kmalloc_node;
extern typeof(QR_COMPAT_KMALLOC_CACHE) qr_shim_kmalloc_cache;
/* The same for a size known at compile time, of which the shim in C has found the class. */
void *qr_shim_kmalloc_class(struct quarry_cache *cache, gfp_t gfp, size_t size);
extern typeof(QR_COMPAT_KMALLOC_CACHE_NODE) qr_shim_kmalloc_cache_node;
extern typeof(QR_COMPAT_KMALLOC_LARGE_NODE) qr_shim_kmalloc_large_node;
extern typeof(qr_compat_noprof(__kmalloc_node_track_caller)) qr_shim_kmalloc_track;
extern typeof(QR_COMPAT_KVMALLOC_NODE) qr_shim_kvmalloc_node;
extern typeof(QR_COMPAT_KREALLOC) qr_shim_krealloc;
extern typeof(QR_COMPAT_KVREALLOC) qr_shim_kvrealloc;
extern typeof(kmalloc_size_roundup) qr_shim_size_roundup;
void *qr_shim_kmemdup(const void *src, size_t size, gfp_t gfp);
extern typeof(kmemdup_nul) qr_shim_kmemdup_nul;
extern typeof(kstrdup) qr_shim_kstrdup;
extern typeof(kstrndup) qr_shim_kstrndup;

/* --- Caches that the kernel takes for its own: their names, before it faults --- */

/* The module with the code at @ip knows a cache of Quarry's as @as.  Sleeps. */
void qr_handed_add(const struct kmem_cache *as, const char *name, unsigned long ip);
/* The cache is about to be destroyed.  Process context. */
void qr_handed_del(const struct kmem_cache *as);

int qr_handed_init(void);
void qr_handed_exit(void);

#endif /* QR_SHIM_H */
