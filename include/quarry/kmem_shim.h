/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Moves a module from the kernel's slab API to Quarry, by one line of the module's Makefile:
 *
 *	ccflags-y += -I/path/to/quarry/include -include quarry/kmem_shim.h
 *
 * The module's caches and all of its frees then go to Quarry.  With -DQUARRY_SHIM_KMALLOC,
 * kmalloc() and its family go there too.  Documentation/porting.rst says what to check first.
 *
 * How it works: the assembler renames symbols.  Whatever form the API takes in the source
 * (macros, inline functions of headers, function pointers, clean-up attributes), the compiled
 * code refers to a few symbols only.  module/api/shim.c and module/api/shim_malloc.c define
 * functions that take their place; those that had another type would not compile.
 *
 * Two functions are inline in C, so that the compiler can do what it knows: kfree() of NULL
 * returns at once, and a size known at compile time has its size class.  A declaration in the
 * kernel's headers that follows such a definition means the same function.
 *
 * This file includes no kernel header with pr_fmt() and defines no macro that remains, so that
 * the source file can still define its own.  Renaming a symbol that a kernel does not have does
 * no harm.  Do not use this file with clang's link-time optimization, which merges the
 * assembler parts of all files.
 */
#ifndef QUARRY_KMEM_SHIM_H
#define QUARRY_KMEM_SHIM_H

#ifndef __ASSEMBLY__

#include <linux/types.h>
#include <quarry/sizeclass.h>

struct kmem_cache;
struct quarry_cache;

/* What QUARRY_IMPORT_NS does.  Several files of a module may contain the same string. */
asm(".pushsection .modinfo, \"a\"\n\t.asciz \"import_ns=QUARRY\"\n\t.popsection");

#define QR_SHIM(symbol, instead) asm(".set " #symbol ", " #instead)

/* --- Caches --- */

QR_SHIM(kmem_cache_create, qr_shim_cache_create);		    /* to 6.11 */
QR_SHIM(kmem_cache_create_usercopy, qr_shim_cache_create_usercopy); /* to 6.11 */
QR_SHIM(__kmem_cache_create_args, qr_shim_cache_create_args);	    /* from 6.12 */
QR_SHIM(kmem_cache_destroy, qr_shim_cache_destroy);
QR_SHIM(kmem_cache_shrink, qr_shim_cache_shrink);
QR_SHIM(kmem_cache_size, qr_shim_cache_size);
QR_SHIM(kmem_cache_charge, qr_shim_cache_charge);

/* From 6.10, the names end in _noprof. */
QR_SHIM(kmem_cache_alloc, qr_shim_cache_alloc);
QR_SHIM(kmem_cache_alloc_noprof, qr_shim_cache_alloc);
QR_SHIM(kmem_cache_alloc_lru, qr_shim_cache_alloc_lru);
QR_SHIM(kmem_cache_alloc_lru_noprof, qr_shim_cache_alloc_lru);
QR_SHIM(kmem_cache_alloc_node, qr_shim_cache_alloc_node);
QR_SHIM(kmem_cache_alloc_node_noprof, qr_shim_cache_alloc_node);
QR_SHIM(kmem_cache_alloc_bulk, qr_shim_cache_alloc_bulk);
QR_SHIM(kmem_cache_alloc_bulk_noprof, qr_shim_cache_alloc_bulk);
QR_SHIM(kmem_cache_free, qr_shim_cache_free);
QR_SHIM(kmem_cache_free_bulk, qr_shim_cache_free_bulk);
QR_SHIM(mempool_alloc_slab, qr_shim_mempool_alloc);
QR_SHIM(mempool_free_slab, qr_shim_mempool_free);

/* --- Frees, of Quarry's memory and of the kernel's --- */

void qr_shim_kfree(const void *p);

static __always_inline void kfree(const void *p)
{
	if (p)
		qr_shim_kfree(p);
}

QR_SHIM(kfree_sensitive, qr_shim_kfree_sensitive);
QR_SHIM(kvfree, qr_shim_kvfree);
QR_SHIM(kvfree_sensitive, qr_shim_kvfree_sensitive);
QR_SHIM(kfree_nolock, qr_shim_kfree_nolock);   /* 7.x */
QR_SHIM(kvfree_atomic, qr_shim_kvfree_atomic); /* 7.x */
QR_SHIM(kfree_const, qr_shim_kfree_const);
QR_SHIM(kvfree_call_rcu, qr_shim_kvfree_call_rcu);
QR_SHIM(kvfree_rcu_barrier, qr_shim_kvfree_rcu_barrier);		   /* from 6.12 */
QR_SHIM(kvfree_rcu_barrier_on_cache, qr_shim_kvfree_rcu_barrier_on_cache); /* 7.x */
QR_SHIM(kfree_link, qr_shim_kfree_link);
QR_SHIM(seq_release_private, qr_shim_seq_release_private);
QR_SHIM(ksize, qr_shim_ksize);
QR_SHIM(__ksize, qr_shim_ksize);

/* --- kmalloc() and its family --- */

#ifdef QUARRY_SHIM_KMALLOC

extern struct quarry_cache *qr_class_cache[];
void *qr_shim_kmalloc_class(struct quarry_cache *cache, gfp_t gfp, size_t size);
void *qr_shim_kmalloc_cache(struct kmem_cache *s, gfp_t gfp, size_t size);

/* Bytes of a page.  PAGE_SIZE has them, but its header may bring pr_fmt(), see above. */
#ifdef CONFIG_PAGE_SHIFT /* from 6.9 */
#define QR_SHIM_PAGE (4096UL << (CONFIG_PAGE_SHIFT - 12))
#elif defined(CONFIG_ARM64_16K_PAGES) || defined(CONFIG_PAGE_SIZE_16KB)
#define QR_SHIM_PAGE 16384UL
#else
#define QR_SHIM_PAGE 4096UL
#endif

/*
 * The kernel's kmalloc() of a constant size calls a function with the cache for this size.  If
 * the objects of Quarry's class for it are not aligned as kmalloc() promises, another class is
 * found at run time: see class_for() in module/api/shim_malloc.c.
 */
static __always_inline void *qr_shim_kmalloc_const(struct kmem_cache *s, gfp_t gfp, size_t size)
{
	unsigned int class = qr_class_const(size <= 8 ? 8 : size);
	size_t bytes = qr_class_const_size(class), align = size & -size;

	if (__builtin_constant_p(size) && class && !(bytes & (align - 1)) &&
	    (align <= QR_SHIM_PAGE || bytes == align))
		return qr_shim_kmalloc_class(qr_class_cache[class], gfp, size);
	return qr_shim_kmalloc_cache(s, gfp, size);
}

/* The kernel declares them with these attributes.  clang wants them where the definition is. */
#define QR_SHIM_ALLOC __assume_aligned(8) __alloc_size(3)

static __always_inline QR_SHIM_ALLOC void *__kmalloc_cache_noprof(struct kmem_cache *s, gfp_t gfp,
								  size_t size)
{
	return qr_shim_kmalloc_const(s, gfp, size);
}

static __always_inline QR_SHIM_ALLOC void *kmalloc_trace(struct kmem_cache *s, gfp_t gfp,
							 size_t size)
{
	return qr_shim_kmalloc_const(s, gfp, size);
}

static __always_inline QR_SHIM_ALLOC void *kmalloc_trace_noprof(struct kmem_cache *s, gfp_t gfp,
								size_t size)
{
	return qr_shim_kmalloc_const(s, gfp, size);
}

QR_SHIM(__kmalloc, qr_shim_kmalloc);
QR_SHIM(__kmalloc_noprof, qr_shim_kmalloc);
QR_SHIM(kmalloc_large, qr_shim_kmalloc);
QR_SHIM(__kmalloc_large_noprof, qr_shim_kmalloc);
QR_SHIM(__kmalloc_node, qr_shim_kmalloc_node);
QR_SHIM(__kmalloc_node_noprof, qr_shim_kmalloc_node);
QR_SHIM(kmalloc_large_node, qr_shim_kmalloc_large_node);
QR_SHIM(__kmalloc_large_node_noprof, qr_shim_kmalloc_large_node);
QR_SHIM(kmalloc_node_trace, qr_shim_kmalloc_cache_node);
QR_SHIM(kmalloc_node_trace_noprof, qr_shim_kmalloc_cache_node);
QR_SHIM(__kmalloc_cache_node_noprof, qr_shim_kmalloc_cache_node);
QR_SHIM(__kmalloc_node_track_caller, qr_shim_kmalloc_track);
QR_SHIM(__kmalloc_node_track_caller_noprof, qr_shim_kmalloc_track);
QR_SHIM(kvmalloc_node, qr_shim_kvmalloc_node);
QR_SHIM(__kvmalloc_node_noprof, qr_shim_kvmalloc_node);
QR_SHIM(krealloc, qr_shim_krealloc);
QR_SHIM(krealloc_noprof, qr_shim_krealloc);
QR_SHIM(krealloc_node_align_noprof, qr_shim_krealloc); /* from 6.18 */
QR_SHIM(kvrealloc, qr_shim_kvrealloc);
QR_SHIM(kvrealloc_noprof, qr_shim_kvrealloc);
QR_SHIM(kvrealloc_node_align_noprof, qr_shim_kvrealloc); /* from 6.18 */
QR_SHIM(kmalloc_size_roundup, qr_shim_size_roundup);
QR_SHIM(kmemdup, qr_shim_kmemdup);
QR_SHIM(kmemdup_noprof, qr_shim_kmemdup);
QR_SHIM(kmemdup_nul, qr_shim_kmemdup_nul);
QR_SHIM(kstrdup, qr_shim_kstrdup);
QR_SHIM(kstrndup, qr_shim_kstrndup);

#undef QR_SHIM_ALLOC
#undef QR_SHIM_PAGE
#endif

#undef QR_SHIM

#endif /* __ASSEMBLY__ */
#endif /* QUARRY_KMEM_SHIM_H */
