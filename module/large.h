/* SPDX-License-Identifier: GPL-2.0 */
/* Objects over 32 KiB: a run of whole pages each. */
#ifndef QR_LARGE_H
#define QR_LARGE_H

#include <linux/atomic.h>
#include "check.h"
#include "slab.h"

extern atomic64_t qr_large_allocs, qr_large_frees, qr_large_failed, qr_large_pages;

/* A large object's slab has no cache and is not cut. */
static inline bool qr_is_large(const struct qr_slab *slab)
{
	return !slab->cache && slab->run.chunk && slab->bin == QR_LARGE_LIVE;
}

/* Bytes between samples of large objects; 0 is off. */
extern u32 qr_large_rate;

void *qr_large_alloc(size_t size, gfp_t gfp, int node, unsigned long ip);

/*
 * A free, in two steps: whoever gets QR_MISUSE_NONE of the first, which wants
 * interrupts off, must do the second, which does not.
 */
enum qr_misuse qr_large_claim(struct qr_slab *slab, const void *p);
void qr_large_release(struct qr_slab *slab);

/* Give back what was never freed; slabs are gone already. */
void qr_large_exit(void);

#endif /* QR_LARGE_H */
