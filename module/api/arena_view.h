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

/* What the blocks of an arena add up to; the end of the last one, and the last that is shared. */
struct qr_arena_sums {
	u64 pages;
	u64 blocks;
	u64 last;
	const struct qr_slab *at_hand;
};

/**
 * struct qr_arena_look - how far the walker has come with an arena that is in use
 * @sums: of the blocks so far
 * @begun: the first slice has been done
 * @same: no block came or went meanwhile.  False ends the look
 * @block: the block under way, or NULL behind the last one
 * @page: the page of it that comes next
 * @changes: qr_arena.changes at the beginning
 */
struct qr_arena_look {
	struct qr_arena_sums sums;
	bool begun;
	bool same;
	const struct qr_slab *block;
	unsigned int page;
	u64 changes;
};

/* The number of the first arena from *@id on; false if there is none.  Sleeps. */
bool qr_arena_next(u32 *id);
/*
 * Check some pages of the arena with this number.  @at is all zero before the first call.  Returns
 * true while there is more.  Sleeps.
 */
bool qr_arena_look(u32 id, struct qr_arena_look *at, struct quarry_validation *v);

#endif /* QR_ARENA_VIEW_H */
