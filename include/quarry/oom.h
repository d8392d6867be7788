/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What was live when memory ran out, for observers: the last snapshots, of Quarry's own heap and of
 * the domains that were on.  One is taken when the kernel calls its OOM notifiers, and when a
 * request is refused because of a hard limit of Quarry's.
 */
#ifndef QUARRY_OOM_H
#define QUARRY_OOM_H

#include <linux/types.h>
#include <quarry/profile.h>

#define QUARRY_OOM_SLOTS 4 /* snapshots that are kept */
#define QUARRY_OOM_WHY	 128

/**
 * struct quarry_oom - a snapshot
 * @number: how many there had been, this one included; 0: the slot is empty
 * @time_ns: when it was taken, wall clock
 * @uptime_ns: the same since the machine was started
 * @skipped: occasions since the snapshot before it for which there was none
 * @heaps: a bit for each heap that it has
 * @busy: a bit for each that it might have had if it had not been switched on or off just then
 * @bytes: estimated live bytes of each heap
 * @error: their standard error
 * @why: what happened, as text
 */
struct quarry_oom {
	u64 number;
	u64 time_ns;
	u64 uptime_ns;
	u64 skipped;
	u32 heaps;
	u32 busy;
	u64 bytes[QUARRY_DOMAINS];
	u64 error[QUARRY_DOMAINS];
	char why[QUARRY_OOM_WHY];
};

/*
 * What is in a slot.  A new snapshot takes the place of the oldest: number n is in slot
 * (n - 1) % QUARRY_OOM_SLOTS.  Sleeps.
 */
void qr_oom_read(unsigned int slot, struct quarry_oom *oom);

/*
 * Render the live objects of a heap as they were.  The text is empty if the slot is empty or the
 * snapshot does not have the heap.  Errors are those of qr_profile_render().
 */
struct qr_text *qr_oom_render(unsigned int slot, enum quarry_domain heap,
			      enum quarry_profile_format format);

#endif /* QUARRY_OOM_H */
