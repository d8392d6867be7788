/* SPDX-License-Identifier: GPL-2.0 */
/* What the two parts of the walker in slices share: validate_slices.c, validate_caches.c. */
#ifndef QR_VALIDATE_SLICES_H
#define QR_VALIDATE_SLICES_H

#include <quarry/stats.h>
#include "slab/large.h"
#include "view/validate.h"

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

#endif /* QR_VALIDATE_SLICES_H */
