/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The samples of an arena's objects, in the order of allocation.  They are removed from the
 * end, as the arena is given up from the end.  The profiler's budget pays for their memory.
 */
#ifndef QR_ARENA_SAMPLES_H
#define QR_ARENA_SAMPLES_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include "profile/profile.h"

struct qr_arena_samples_part;

/**
 * struct qr_arena_samples - the samples of one arena
 * @lock: protects the members below; interrupts off; the profiler's lock is taken inside
 * @parts: up to QR_ARENA_SAMPLES_PART samples each; all parts but the last are full
 * @next: the part that the reader comes to next, or NULL
 *
 * There is one writer, the arena's user, and at most one reader at the same time, which holds
 * qr_arenas_lock.
 */
struct qr_arena_samples {
	raw_spinlock_t lock;
	struct list_head parts;
	struct qr_arena_samples_part *next;
};

/**
 * struct qr_arena_sample - a copy of one sample
 * @ptr: address of the object
 * @size: bytes that the object was given
 * @sample: what the profiler knows of the object
 */
struct qr_arena_sample {
	const void *ptr;
	u32 size;
	struct qr_live_sample sample;
};

void qr_arena_samples_init(struct qr_arena_samples *t);
/*
 * Add the sample of an object that was drawn, @offset bytes from the beginning of the arena.  If
 * there is no memory, the sample is counted as dropped.  Called in the client's context, with
 * no lock held.
 */
void qr_arena_samples_add(struct qr_arena_samples *t, const struct qr_sampled *what, u64 offset,
			  gfp_t gfp);
/* Remove the samples of objects at @offset and behind it.  One part stays allocated. */
void qr_arena_samples_cut(struct qr_arena_samples *t, u64 offset);
/* Free the last part.  All samples must have been removed. */
void qr_arena_samples_exit(struct qr_arena_samples *t);

#define QR_ARENA_SAMPLES_PART 16

/*
 * Read the samples from the beginning, oldest objects first.  Each call copies up to
 * QR_ARENA_SAMPLES_PART of them to @out and returns their number; 0 is the end.  The objects of
 * one call may be gone by the next.
 */
void qr_arena_samples_rewind(struct qr_arena_samples *t);
unsigned int qr_arena_samples_read(struct qr_arena_samples *t, struct qr_arena_sample *out);

#endif /* QR_ARENA_SAMPLES_H */
