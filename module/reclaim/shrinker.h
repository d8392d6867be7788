/* SPDX-License-Identifier: GPL-2.0 */
/* The shrinker: gives pages back when the kernel is short of memory. */
#ifndef QR_SHRINKER_H
#define QR_SHRINKER_H

#include <linux/atomic.h>

/* Pages that the shrinker released, and time that it took, since the module was loaded. */
extern atomic64_t qr_shrunk_pages, qr_shrinker_ns;

/*
 * The number of pages of @node that could be given back, as an estimate; and give up to @want of
 * them back, returning how many.  For the kernel's shrinker, and for tests.
 */
unsigned long qr_shrink_count(int node);
unsigned long qr_shrink_scan(int node, unsigned long want);

int qr_shrinker_init(void);
void qr_shrinker_exit(void);

#endif /* QR_SHRINKER_H */
