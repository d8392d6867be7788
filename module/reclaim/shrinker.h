/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel gets when it is short of memory. */
#ifndef QR_SHRINKER_H
#define QR_SHRINKER_H

#include <linux/atomic.h>

extern atomic64_t qr_shrunk_pages, qr_shrinker_ns;

/* Pages of @node that could be had, and at most @want of them given back. */
unsigned long qr_shrink_count(int node);
unsigned long qr_shrink_scan(int node, unsigned long want);

int qr_shrinker_init(void);
void qr_shrinker_exit(void);

#endif /* QR_SHRINKER_H */
