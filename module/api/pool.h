/* SPDX-License-Identifier: GPL-2.0 */
/* What the shrinker and observers use of pools. */
#ifndef QR_POOL_H
#define QR_POOL_H

#include <quarry/stats.h>

/* Roughly how many pages the unused objects of the CPUs of @node fill; 0 if a lock is taken. */
unsigned long qr_pools_pages(int node);

/*
 * One round of the shrinker on @node.  Undoes and frees the objects that were unused in the last
 * round already, and marks those that are unused now as the victims of the next round.  Waits
 * for nothing but interrupts on other CPUs: a pool whose lock is taken is passed over.  Returns
 * the number of objects freed.
 */
unsigned long qr_pools_age(int node);

/* The statistics of one pool; exact while no other context uses the pool. */
void qr_pool_sum(struct quarry_pool *pool, struct quarry_pool_stats *st);

#endif /* QR_POOL_H */
