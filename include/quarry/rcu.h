/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frees after a grace period, and allocation and free in any context, NMI included.  Included by
 * quarry/quarry.h.
 */
#ifndef QUARRY_RCU_H
#define QUARRY_RCU_H

void quarry_free_rcu(const void *p);
void quarry_cache_free_rcu(struct quarry_cache *cache, void *obj);
void quarry_rcu_barrier(void);

void *quarry_cache_alloc_nolock(struct quarry_cache *cache, gfp_t gfp) __malloc;
void quarry_cache_free_nolock(struct quarry_cache *cache, void *obj);

#endif /* QUARRY_RCU_H */
