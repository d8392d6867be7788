/* SPDX-License-Identifier: GPL-2.0 */
/* Twins: what allocations and frees ask of them.  See twin.c. */
#ifndef QR_TWIN_H
#define QR_TWIN_H

#include "magazine/magazine.h"

/* As qr_alloc_sampled(), but the sample is one of the cache @as, and no twin is asked. */
void *qr_alloc_sampled_as(struct qr_cache *cache, const struct qr_cache *as, int node, u64 weight,
			  size_t asked, gfp_t gfp, unsigned long ip);
/*
 * Allocate an object from the cache's twin.  NULL if it has none, or there is no memory for such an
 * object.  Any context but NMI, where it returns NULL.
 */
void *qr_twin_alloc(struct qr_cache *cache, int node, size_t asked, gfp_t gfp, unsigned long ip);

/* May a caller who names the cache @given free an object of @cache? */
static __always_inline bool qr_serves(const struct qr_cache *cache, const struct qr_cache *given)
{
	return likely(cache == given) || READ_ONCE(cache->stands_for) == given;
}

/* For a report: the name of @given, if an object of @cache should not have been freed to it. */
static inline const char *qr_given_name(const struct qr_cache *cache, const struct qr_cache *given)
{
	return given && (!cache || !qr_serves(cache, given)) ? given->name : NULL;
}

#endif /* QR_TWIN_H */
