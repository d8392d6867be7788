/* SPDX-License-Identifier: GPL-2.0 */
/* What the two forms of the walker share: validate.c, validate_slices.c. */
#ifndef QR_VALIDATE_H
#define QR_VALIDATE_H

#include "cache/cache.h"

struct quarry_validation;

/*
 * Check one cached object; @where says in what it is cached.  Returns its slab and, in *@index, its
 * number there; NULL if that is an error.  The object must not leave that place meanwhile.
 */
struct qr_slab *qr_check_cached(struct qr_cache *c, const void *p, const char *where,
				unsigned int *index, struct quarry_validation *v);
/* Check that a head, of @cpu, has room for its @held objects and its remote frees. */
void qr_check_head(const struct qr_cache *c, const struct qr_head *h, unsigned int held,
		   unsigned int cpu, struct quarry_validation *v);
/*
 * Check a slab: its map, counts, pages and cleanups.  With the locks of its depot and of cleanups,
 * or with the machine stopped.  Returns how many of its objects are live or cached.
 */
u64 qr_check_slab(struct qr_depot *d, struct qr_slab *slab, struct quarry_validation *v);
/* Compare the live objects of a cache's slabs, and its pages, with its counters. */
void qr_check_sums(const struct qr_cache *c, const struct quarry_cache_stats *st, u64 live,
		   struct quarry_validation *v);
/* Check whether frees are fast in an ordinary chunk.  With qr_cleanups_lock, or as above. */
void qr_check_view(const struct qr_chunk *chunk, struct quarry_validation *v);

/* Check all books with the machine stopped. */
void qr_check_stopped(struct quarry_validation *v);
/* What qr_validate() returns.  Errors go to the log. */
int qr_verdict(const struct quarry_validation *v);

#endif /* QR_VALIDATE_H */
