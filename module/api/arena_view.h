/* SPDX-License-Identifier: GPL-2.0 */
/* What observers see of arenas; qr_walk_arenas() is declared in quarry/stats.h. */
#ifndef QR_ARENA_VIEW_H
#define QR_ARENA_VIEW_H

#include "api/arena.h"

/*
 * Call @fn for every sampled object of every arena, until it returns non-zero, and return that.
 * @fn may sleep.  Takes qr_arenas_lock.
 */
typedef int (*qr_arena_object_fn)(const struct qr_arena *a, const struct qr_arena_sample *o,
				  void *arg);
int qr_walk_arena_samples(qr_arena_object_fn fn, void *arg);

/*
 * Check that each arena's blocks agree with its counters and own their pages.  Called with the
 * machine stopped and qr_arenas_lock held.
 */
void qr_arenas_validate(struct quarry_validation *v);

#endif /* QR_ARENA_VIEW_H */
