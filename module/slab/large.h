/* SPDX-License-Identifier: GPL-2.0 */
/* Objects over 32 KiB: whole pages each, in a row or mapped in a row. */
#ifndef QR_LARGE_H
#define QR_LARGE_H

#include <linux/atomic.h>
#include "core/misuse.h"
#include "slab/mapped.h"

/**
 * struct qr_large_count - what there was and is of one kind
 * @allocs: allocations
 * @frees: frees
 * @pages: of those that are live
 */
struct qr_large_count {
	atomic64_t allocs;
	atomic64_t frees;
	atomic64_t pages;
};

extern struct qr_large_count qr_large_count, qr_mapped_count;
extern atomic64_t qr_large_failed;
/* Those of the allocations in a row that came from another node than was asked for. */
extern atomic64_t qr_large_remote;

/* A large object's slab has no cache and is not cut. */
static inline bool qr_is_large(const struct qr_slab *slab)
{
	return !slab->cache && slab->run.chunk && slab->bin == QR_LARGE_LIVE;
}

/* Bytes between samples of large objects; 0 is off. */
extern u32 qr_large_rate;

/* In a row; NULL if that cannot be had, of which nobody is told. */
void *qr_large_alloc(size_t size, gfp_t gfp, int node, unsigned long ip);
/*
 * At a multiple of @align, a power of two up to 2 MiB; more than that in bytes is
 * not to be had at more than a page's.
 */
void *qr_large_alloc_aligned(size_t align, size_t size, gfp_t gfp, unsigned long ip);
/* In a row if that takes no effort; mapped, if @gfp allows to sleep. */
void *qr_large_alloc_mapped(size_t size, gfp_t gfp, unsigned long ip);
/* Count and log that there is no such memory.  Returns NULL. */
void *qr_large_refuse(size_t size, gfp_t gfp);

/*
 * Another size for a live object of the caller's, where it is.  What is new is zeroed if
 * @gfp says so.  For the books it is freed and allocated.  False if that cannot be, or
 * would leave it far too large; then nothing has changed.
 */
bool qr_large_resize(struct qr_slab *slab, size_t size, gfp_t gfp, unsigned long ip);

/*
 * A free, in two steps: whoever gets QR_MISUSE_NONE of the first, which wants
 * interrupts off, must do the second, which does not.  The slab has no cache, but
 * may be of any kind.
 */
enum qr_misuse qr_large_claim(struct qr_slab *slab, const void *p);
void qr_large_release(struct qr_slab *slab);

struct quarry_validation;
/* With the machine stopped: do objects, their pages, their mappings and counters agree? */
void qr_large_validate(struct quarry_validation *v);

/* Give back what was never freed; slabs are gone already. */
void qr_large_exit(void);

#endif /* QR_LARGE_H */
