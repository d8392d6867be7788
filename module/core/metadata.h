/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory for metadata, and the account of all memory that Quarry takes from the kernel.
 *
 * This file is of the layer core/, the lowest one.  core/ offers what every other layer needs:
 *
 *	metadata.h		memory for Quarry's own structs, and the account of it
 *	emergency.h		who may use the kernel's emergency reserves
 *	limit.h			soft and hard limits on pages
 *	misuse.h		reports of double frees and the like
 *	clean_name.h		names as words that no text misreads
 *	parse_size.h		reads "64K"
 *	slow_path_time.h	estimates the time spent in slow paths
 *	task_count.h		counts the allocations of one task, for tests
 *	trace.c			the tracepoints
 *	walker_report.c		qr_invalid(): errors that the walker found
 *	work_queue.h		the queues that all work items of Quarry are on
 *
 * core/ uses the kernel, compat.h and the headers under include/, and no other folder of module/.
 * It has no locks: counters are atomic or per CPU.  Any function may be called in any context
 * but NMI, unless its comment says otherwise; the allocations below sleep if @gfp allows it.
 */
#ifndef QR_METADATA_H
#define QR_METADATA_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/types.h>
#include "core/emergency.h"

/*
 * The bits of a client's gfp flags that are passed on to the kernel when Quarry allocates
 * metadata or pages.  Zone, zeroing and cgroup bits are left out: they are about the client's
 * object, not about metadata or whole chunks.
 */
#define QR_GFP_MASK                                                                                \
	(__GFP_RECLAIM | __GFP_IO | __GFP_FS | QR_GFP_ACCESS | __GFP_NOMEMALLOC | __GFP_NORETRY |  \
	 __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | __GFP_NOWARN | __GFP_HARDWALL | __GFP_NOLOCKDEP)

extern atomic64_t qr_taken_bytes, qr_returned_bytes, qr_metadata_bytes;

/*
 * All of these return zeroed memory, or NULL when there is none.  The free takes the size that
 * was asked for.  Memory of vmalloc() and per-CPU memory is allocated and freed by callers that
 * may sleep.
 */
void *qr_meta_alloc(size_t size, gfp_t gfp, int node);
void qr_meta_free(void *p, size_t size);
void *qr_meta_valloc(size_t size);
/* Memory of any size, provided that @gfp allows sleep; the free may sleep too. */
void *qr_meta_kvalloc(size_t size, gfp_t gfp);
void qr_meta_kvfree(void *p, size_t size);
/* Memory that remap_vmalloc_range() can map to user space; @size is a multiple of a page. */
void *qr_meta_valloc_user(size_t size);
void qr_meta_vfree(void *p, size_t size);
void __percpu *qr_meta_percpu(size_t size, size_t align);
void qr_meta_percpu_free(void __percpu *p, size_t size);

/* A page, and a mapping of pages, which is accounted for by its page tables.  Both sleep. */
struct page *qr_meta_page(int node);
void qr_meta_page_free(struct page *page);
void *qr_meta_vmap(struct page **pages, unsigned int nr);
void qr_meta_vunmap(void *p, unsigned int nr);

/*
 * A kmem_cache for structs of one type.  Its pages go back to the kernel when the module
 * leaves; with kmalloc() some would stay in the partial lists of a kmalloc cache.
 * @shrink: qr_meta_shrink() gives back its empty slabs.  It looks at each slab that has a free
 * struct with interrupts off, so this is for structs that are few when few pages are in use.
 */
struct kmem_cache *qr_meta_cache_create(const char *name, size_t size, bool shrink);
void *qr_meta_cache_alloc(struct kmem_cache *cache, gfp_t gfp, int node);
void qr_meta_cache_free(struct kmem_cache *cache, void *p);
/* The kernel keeps some empty slabs of each kmem_cache: give those back too.  Sleeps. */
void qr_meta_shrink(void);

/* Account for @pages taken from the kernel, or, if negative, returned to the kernel. */
static inline void qr_account_pages(long pages)
{
	if (pages >= 0)
		atomic64_add((s64)pages << PAGE_SHIFT, &qr_taken_bytes);
	else
		atomic64_add((s64)-pages << PAGE_SHIFT, &qr_returned_bytes);
}

#endif /* QR_METADATA_H */
