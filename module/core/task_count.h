/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counts the allocations of one task exactly, for a test.  The fast path has no code for this:
 * while a task is counted, the countdowns of all heads are at zero, so that every allocation
 * takes the slow path (magazine/alloc.c), and the slow path counts it.
 */
#ifndef QR_TASK_COUNT_H
#define QR_TASK_COUNT_H

#include <linux/compiler.h>

struct task_struct;

/* The counted task, with a reference held, or NULL if none is.  See api/allocs_per_run.c. */
extern struct task_struct *qr_counted;

/* The answer may change at any time: call this once and act on the result. */
static __always_inline bool qr_is_counting(void)
{
	return READ_ONCE(qr_counted);
}

/* Count an allocation if the current task is the counted one and no interrupt made it. */
void qr_count_made(void);

static __always_inline void qr_count_alloc(void)
{
	if (unlikely(qr_is_counting()))
		qr_count_made();
}

/* The allocations since the last reset.  Both are called by the counted task itself. */
void qr_count_reset(void);
unsigned long qr_count_read(void);

#endif /* QR_TASK_COUNT_H */
