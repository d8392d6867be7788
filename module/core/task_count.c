// SPDX-License-Identifier: GPL-2.0
#include "core/task_count.h"

#include <linux/cache.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include "compat.h"

struct task_struct *qr_counted __read_mostly;
EXPORT_SYMBOL_QUARRY_TEST(qr_counted);

/* Allocations that the counted task made.  Only the task writes it; its interrupts do not. */
static unsigned long made;

void qr_count_made(void)
{
	if (current == READ_ONCE(qr_counted) && in_task())
		made++;
}

void qr_count_reset(void)
{
	made = 0;
}

unsigned long qr_count_read(void)
{
	return made;
}
