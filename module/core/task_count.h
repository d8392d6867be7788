/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One task's allocations, counted one by one for a test.  The fast path knows nothing of
 * it: while somebody counts all countdowns are at zero, with which every allocation
 * comes to the slow path (magazine/alloc.c), and that one asks.
 */
#ifndef QR_TASK_COUNT_H
#define QR_TASK_COUNT_H

#include <linux/compiler.h>

struct task_struct;

/* Whose allocations are counted, or NULL; a reference is held.  See api/allocs_per_run.c. */
extern struct task_struct *qr_counted;

/* Read it once and act on that: it changes at any time. */
static __always_inline bool qr_is_counting(void)
{
	return READ_ONCE(qr_counted);
}

/* An allocation was made, and may be the counted task's. */
void qr_count_made(void);

static __always_inline void qr_count_alloc(void)
{
	if (unlikely(qr_is_counting()))
		qr_count_made();
}

/* What it has made since it began; both for the counted task itself. */
void qr_count_reset(void);
unsigned long qr_count_read(void);

#endif /* QR_TASK_COUNT_H */
