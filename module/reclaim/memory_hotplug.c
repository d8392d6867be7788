// SPDX-License-Identifier: GPL-2.0
/*
 * A block of memory that goes offline is asked for here: what is idle of it goes back.
 *
 * The kernel isolates the block's pages first, and fails at once where it finds one that it
 * cannot move, an idle one of ours among them; it asks only when there is none.  What the
 * notifier is for are pages that became idle in the meantime.  Whoever wants a block
 * offline that Quarry lies in writes to control/drain and control/scavenge first.
 */
#include "reclaim/memory_hotplug.h"

#include <linux/memory.h>
#include <linux/notifier.h>
#include "pages/release.h"

static int on_memory(struct notifier_block *nb, unsigned long action, void *arg)
{
	const struct memory_notify *range = arg;

	/* Memory hotplug holds the CPUs' lock already, so nothing is drained here. */
	if (action == MEM_GOING_OFFLINE)
		qr_heap_release_range(range->start_pfn, range->start_pfn + range->nr_pages);
	return NOTIFY_OK;
}

static struct notifier_block notifier = { .notifier_call = on_memory };

int qr_memory_hotplug_init(void)
{
	return register_memory_notifier(&notifier);
}

void qr_memory_hotplug_exit(void)
{
	unregister_memory_notifier(&notifier);
}
