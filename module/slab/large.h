/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Large objects: more than 32 KiB, whole pages each.  The pages are a run, or lie anywhere and are
 * mapped side by side (mapped.h).
 */
#ifndef QR_LARGE_H
#define QR_LARGE_H

#include <linux/atomic.h>
#include "slab/misuse.h"
#include "slab/mapped.h"

/**
 * struct qr_large_count - counters of one kind of large objects
 * @allocs: allocations
 * @frees: frees
 * @pages: pages of live objects
 */
struct qr_large_count {
	atomic64_t allocs;
	atomic64_t frees;
	atomic64_t pages;
};

/* Objects that are a run, and mapped objects. */
extern struct qr_large_count qr_large_count, qr_mapped_count;
/* Allocations that failed. */
extern atomic64_t qr_large_failed;
/* Allocations of a run that came from another node than the one asked for. */
extern atomic64_t qr_large_remote;

/* Is this the slab of a live large object?  It has no cache and is not cut. */
static inline bool qr_is_large(const struct qr_slab *slab)
{
	return !slab->cache && slab->run.chunk && slab->bin == QR_LARGE_LIVE;
}

/* Mean number of bytes between samples of large objects; 0 means none are sampled. */
extern u32 qr_large_rate;

/* A run of pages.  NULL if there is none; the caller reports that with qr_large_refuse(). */
void *qr_large_alloc(size_t size, gfp_t gfp, int node, unsigned long ip);
/*
 * The same at a multiple of @align, a power of two up to 2 MiB.  For a @size above 2 MiB,
 * @align can be at most a page.
 */
void *qr_large_alloc_aligned(size_t align, size_t size, gfp_t gfp, unsigned long ip);
/* A run if one can be had without effort; else, if @gfp allows sleep, a mapped object. */
void *qr_large_alloc_mapped(size_t size, gfp_t gfp, unsigned long ip);
/* Count a failed allocation, and log it unless @gfp has __GFP_NOWARN.  Returns NULL. */
void *qr_large_refuse(size_t size, gfp_t gfp);

/*
 * Change the size of a live object in place.  Bytes that are added are zeroed if @gfp says so.
 * Counters and profile see a free and an allocation.  False if the object cannot be resized in
 * place, or would keep far too many pages; then nothing has changed.
 */
bool qr_large_resize(struct qr_slab *slab, size_t size, gfp_t gfp, unsigned long ip);

/*
 * A free has two steps.  qr_large_claim() runs with interrupts off.  A caller that gets
 * QR_MISUSE_NONE from it must then call qr_large_release(), with interrupts on or off.  The
 * slab given to qr_large_claim() has no cache, but need not be a large object's.
 */
enum qr_misuse qr_large_claim(struct qr_slab *slab, const void *p);
void qr_large_release(struct qr_slab *slab);

struct quarry_validation;
/* For the walker, with the machine stopped: do objects, pages, mappings and counters agree? */
void qr_large_validate(struct quarry_validation *v);

/* What large objects add up to: those that are a run, and mapped ones. */
struct qr_large_sum {
	u64 objects[2];
	u64 pages[2];
};

/*
 * For the walker while objects come and go.  Look at some pages of a large object, from *@from on,
 * which is set to the next one; returns true while there are more.  With the lock that guards the
 * chunk of the object's first page, and that page still the object's.
 */
bool qr_large_look(const struct qr_slab *slab, unsigned int *from, struct quarry_validation *v);
/* Its count of cleanups.  With qr_cleanups_lock as well. */
void qr_large_validate_cleaned(const struct qr_slab *slab, struct quarry_validation *v);
/* Add an object; compare the sum of all with the counters. */
void qr_large_add(struct qr_large_sum *sum, const struct qr_slab *slab);
void qr_large_validate_sum(const struct qr_large_sum *sum, struct quarry_validation *v);
/* A number that changes whenever a large object comes, goes or is resized. */
u64 qr_large_moves(void);

/* Free all objects that clients never freed.  All caches' slabs are gone by now. */
void qr_large_exit(void);

#endif /* QR_LARGE_H */
