// SPDX-License-Identifier: GPL-2.0
#include "profile/stack_later.h"

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <quarry/profile.h>
#include "compat.h"
#include "core/work_queue.h"

/*
 * The one stack that waits.  Whoever changes @taken from 0 to 1 fills in the rest; the work item
 * changes it back.
 */
static struct {
	atomic_t taken;
	unsigned int nr;
	unsigned long entries[QUARRY_STACK_MAX];
} waiting;

static void save_fn(struct work_struct *work)
{
	qr_compat_depot_save(waiting.entries, waiting.nr, GFP_KERNEL | __GFP_NOWARN, true);
	atomic_set_release(&waiting.taken, 0);
}

static DECLARE_WORK(save_work, save_fn);

/* Whoever allocates may hold a lock of the scheduler, so a worker cannot be woken at once. */
static void wake_fn(struct irq_work *work)
{
	queue_work(qr_work_queue, &save_work);
}

static DEFINE_IRQ_WORK(wake, wake_fn);

void qr_stack_later(const unsigned long *entries, unsigned int nr)
{
	if (atomic_cmpxchg_acquire(&waiting.taken, 0, 1))
		return;
	waiting.nr = min(nr, QUARRY_STACK_MAX);
	memcpy(waiting.entries, entries, waiting.nr * sizeof(*entries));
	irq_work_queue(&wake);
}

void qr_stack_later_exit(void)
{
	irq_work_sync(&wake);
	flush_work(&save_work);
}
