/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What takes the place of the kernel's slab API in modules that are built with
 * quarry/kmem_shim.h, which lists what stands for what.
 *
 * Each is of the type of the function that it stands for, of the kernel that this is built
 * for.  What Quarry cannot do stays the kernel's: caches and memory of both kinds live side
 * by side in a module, and it is told from the pointer whose they are.
 */
#ifndef QR_PORT_H
#define QR_PORT_H

#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "compat.h"

/* --- Caches --- */

struct kmem_cache *qr_port_cache_create(const char *name, unsigned int size, unsigned int align,
					slab_flags_t flags, void (*ctor)(void *obj));
extern typeof(kmem_cache_create_usercopy) qr_port_cache_create_usercopy;
struct kmem_cache *qr_port_cache_create_args(const char *name, unsigned int size,
					     struct kmem_cache_args *args, slab_flags_t flags);
extern typeof(kmem_cache_destroy) qr_port_cache_destroy;
extern typeof(kmem_cache_shrink) qr_port_cache_shrink;
extern typeof(kmem_cache_size) qr_port_cache_size;
bool qr_port_cache_charge(void *obj, gfp_t gfp);
extern typeof(qr_compat_noprof(kmem_cache_alloc)) qr_port_cache_alloc;
extern typeof(qr_compat_noprof(kmem_cache_alloc_lru)) qr_port_cache_alloc_lru;
extern typeof(qr_compat_noprof(kmem_cache_alloc_node)) qr_port_cache_alloc_node;
/* A number, or whether it is that number. */
typedef typeof(qr_compat_noprof(kmem_cache_alloc_bulk)(NULL, 0, 0, NULL)) qr_port_bulk_t;
qr_port_bulk_t qr_port_cache_alloc_bulk(struct kmem_cache *s, gfp_t gfp, size_t n, void **objs);
extern typeof(kmem_cache_free) qr_port_cache_free;
extern typeof(kmem_cache_free_bulk) qr_port_cache_free_bulk;
extern typeof(mempool_alloc_slab) qr_port_mempool_alloc;
extern typeof(mempool_free_slab) qr_port_mempool_free;

/* --- Frees --- */

extern typeof(kfree) qr_port_kfree;
extern typeof(kfree_sensitive) qr_port_kfree_sensitive;
extern typeof(kvfree) qr_port_kvfree;
extern typeof(kvfree_sensitive) qr_port_kvfree_sensitive;
void qr_port_kfree_nolock(const void *p);
void qr_port_kvfree_atomic(const void *p);
extern typeof(kfree_const) qr_port_kfree_const;
extern typeof(kfree_link) qr_port_kfree_link;
extern typeof(seq_release_private) qr_port_seq_release_private;
extern typeof(ksize) qr_port_ksize;
extern typeof(kvfree_call_rcu) qr_port_kvfree_call_rcu;
void qr_port_kvfree_rcu_barrier(void);
void qr_port_kvfree_rcu_barrier_on_cache(struct kmem_cache *s);

/*
 * Does @p point into Quarry's pages?  It may be what any allocator returned, and is
 * live; or it was Quarry's, and is not.
 */
bool qr_port_owns(const void *p);

/* --- kmalloc() and its like --- */

extern typeof(qr_compat_noprof(__kmalloc)) qr_port_kmalloc;
extern typeof(qr_compat_noprof(__kmalloc_node)) qr_port_kmalloc_node;
extern typeof(QR_COMPAT_KMALLOC_CACHE) qr_port_kmalloc_cache;
extern typeof(QR_COMPAT_KMALLOC_CACHE_NODE) qr_port_kmalloc_cache_node;
extern typeof(QR_COMPAT_KMALLOC_LARGE_NODE) qr_port_kmalloc_large_node;
extern typeof(qr_compat_noprof(__kmalloc_node_track_caller)) qr_port_kmalloc_track;
extern typeof(QR_COMPAT_KVMALLOC_NODE) qr_port_kvmalloc_node;
extern typeof(QR_COMPAT_KREALLOC) qr_port_krealloc;
extern typeof(QR_COMPAT_KVREALLOC) qr_port_kvrealloc;
extern typeof(kmalloc_size_roundup) qr_port_size_roundup;
void *qr_port_kmemdup(const void *src, size_t size, gfp_t gfp);
extern typeof(kmemdup_nul) qr_port_kmemdup_nul;
extern typeof(kstrdup) qr_port_kstrdup;
extern typeof(kstrndup) qr_port_kstrndup;

#endif /* QR_PORT_H */
