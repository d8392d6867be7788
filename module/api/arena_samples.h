/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The samples of an arena's objects, in the order of allocation: those at the end go first.
 * In memory of the profiler's.
 */
#ifndef QR_ARENA_SAMPLES_H
#define QR_ARENA_SAMPLES_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include "profile/profile.h"

struct qr_arena_samples_part;

/**
 * struct qr_arena_samples - samples in a row
 * @lock: everything below; taken before the profiler's, with interrupts off
 * @parts: so many samples each; all but the last are full
 * @next: the part that whoever reads the trail comes to next, or NULL
 *
 * One writer, and one reader beside it.
 */
struct qr_arena_samples {
	raw_spinlock_t lock;
	struct list_head parts;
	struct qr_arena_samples_part *next;
};

/**
 * struct qr_arena_sample - one of the objects
 * @ptr: where it is
 * @size: bytes it was given
 * @sample: what is known of it
 */
struct qr_arena_sample {
	const void *ptr;
	u32 size;
	struct qr_live_sample sample;
};

void qr_arena_samples_init(struct qr_arena_samples *t);
/*
 * An object was drawn, @offset bytes from the beginning of the arena.  Without memory it is
 * counted as dropped.  In the caller's context, no lock held.
 */
void qr_arena_samples_add(struct qr_arena_samples *t, const struct qr_sampled *what, u64 offset,
			  gfp_t gfp);
/* The objects at @offset and behind it are gone.  The memory of a few samples is kept. */
void qr_arena_samples_cut(struct qr_arena_samples *t, u64 offset);
/* The memory, too; no sample is left. */
void qr_arena_samples_exit(struct qr_arena_samples *t);

#define QR_ARENA_SAMPLES_PART 16

/*
 * Read the trail, oldest objects first: what one call returned, up to QR_ARENA_SAMPLES_PART, may be
 * gone at the next.  Returns how many; 0 is the end.
 */
void qr_arena_samples_rewind(struct qr_arena_samples *t);
unsigned int qr_arena_samples_read(struct qr_arena_samples *t, struct qr_arena_sample *out);

#endif /* QR_ARENA_SAMPLES_H */
