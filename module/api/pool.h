/* SPDX-License-Identifier: GPL-2.0 */
/* Pools, for the shrinker and for observers. */
#ifndef QR_POOL_H
#define QR_POOL_H

#include <quarry/stats.h>

/* What the CPUs of @node have put aside, in pages, about. */
unsigned long qr_pools_pages(int node);

/*
 * A round of the shrinker on @node: what was there at the last one and has not been got
 * since is undone and freed, and what is there now will be in the next.  Nothing is waited
 * for but other CPUs' interrupts.  Returns objects freed.
 */
unsigned long qr_pools_age(int node);

/* One pool's numbers, exact when it is at rest. */
void qr_pool_sum(struct quarry_pool *pool, struct quarry_pool_stats *st);

#endif /* QR_POOL_H */
