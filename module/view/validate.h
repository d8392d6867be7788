/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the walker share: validate.c, and for the form in slices validate_slices.c and
 * validate_caches.c.
 */
#ifndef QR_VALIDATE_H
#define QR_VALIDATE_H

#include <quarry/stats.h>
#include "cache/cache.h"
#include "slab/large.h"

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

/* --- In slices --- */

/**
 * struct qr_walk - a walk in slices; with walk_lock
 * @v: what was found so far
 * @look: what the look under way has found
 * @id: the cache or arena that is looked at
 * @index: the chunk, depot or CPU
 * @place: the page of the chunk, the batch of the depot, or an object of the shelf
 * @more: there is something at @place or behind it
 * @large: what large objects add up to
 * @before: the cache's numbers before the look
 * @after: the same after it
 * @depot: how far the look has come in a depot
 */
struct qr_walk {
	struct quarry_validation *v;
	struct quarry_validation look;
	unsigned long id;
	unsigned long index;
	unsigned int place;
	bool more;
	struct qr_large_sum large;
	struct quarry_cache_stats before;
	struct quarry_cache_stats after;
	struct qr_depot_look depot;
};

/* Returns false if what was to be compared changed meanwhile. */
typedef bool (*qr_look_fn)(struct qr_walk *w);

/* Look, and repeat that a few times while something changes or an error is found. */
void qr_look_at(struct qr_walk *w, qr_look_fn look);
/* A fatal signal ends the walk.  Also lets other tasks run. */
bool qr_walk_is_stopped(void);

/* Look at all caches, and at the CPUs' budgets. */
void qr_walk_all_caches(struct qr_walk *w);

#endif /* QR_VALIDATE_H */
