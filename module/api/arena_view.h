/* SPDX-License-Identifier: GPL-2.0 */
/* Arenas, for observers; <quarry/stats.h> has qr_walk_arenas(). */
#ifndef QR_ARENA_VIEW_H
#define QR_ARENA_VIEW_H

#include "api/arena.h"

/*
 * Call @fn for every object of an arena that is sampled, until it returns non-zero, and return
 * that.  @fn may sleep.
 */
typedef int (*qr_arena_object_fn)(const struct qr_arena *a, const struct qr_arena_sample *o,
				  void *arg);
int qr_walk_arena_samples(qr_arena_object_fn fn, void *arg);

/* With the machine stopped and the lock held: are pages and counters what blocks say? */
void qr_arenas_validate(struct quarry_validation *v);

#endif /* QR_ARENA_VIEW_H */
