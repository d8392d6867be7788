/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The samples of an arena's objects, in the order of allocation: those at the end go first.
 * In memory of the profiler's.
 */
#ifndef QR_TRAIL_H
#define QR_TRAIL_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include "profile/profile.h"

struct qr_trail_part;

/**
 * struct qr_trail - samples in a row
 * @lock: everything below; taken before the profiler's, with interrupts off
 * @parts: so many samples each; all but the last are full
 * @next: the part that whoever reads the trail comes to next, or NULL
 *
 * One writer, and one reader beside it.
 */
struct qr_trail {
	raw_spinlock_t lock;
	struct list_head parts;
	struct qr_trail_part *next;
};

/**
 * struct qr_trail_object - one of the objects
 * @ptr: where it is
 * @size: bytes it was given
 * @sample: what is known of it
 */
struct qr_trail_object {
	const void *ptr;
	u32 size;
	struct qr_live_sample sample;
};

void qr_trail_init(struct qr_trail *t);
/*
 * An object was drawn, @offset bytes from the beginning of the arena.  Without memory it is
 * counted as dropped.  In the caller's context, no lock held.
 */
void qr_trail_add(struct qr_trail *t, const struct qr_sampled *what, u64 offset, gfp_t gfp);
/* The objects at @offset and behind it are gone.  The memory of a few samples is kept. */
void qr_trail_cut(struct qr_trail *t, u64 offset);
/* The memory, too; no sample is left. */
void qr_trail_exit(struct qr_trail *t);

#define QR_TRAIL_PART	16

/*
 * Read the trail, oldest objects first: what one call returned, up to QR_TRAIL_PART, may be
 * gone at the next.  Returns how many; 0 is the end.
 */
void qr_trail_rewind(struct qr_trail *t);
unsigned int qr_trail_read(struct qr_trail *t, struct qr_trail_object *out);

#endif /* QR_TRAIL_H */
