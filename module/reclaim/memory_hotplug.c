// SPDX-License-Identifier: GPL-2.0
/*
 * Memory hotplug: when a block of memory goes offline, its idle pages go back to the kernel.
 *
 * The kernel isolates the pages of the block before it calls notifiers, and fails at once if it
 * finds a page that it cannot move.  An idle page of Quarry is such a page.  So the notifier only
 * serves pages that became idle after that.  To take a block offline in which Quarry has
 * pages, write to control/drain and control/scavenge first.
 */
#include "reclaim/memory_hotplug.h"

#include <linux/memory.h>
#include <linux/notifier.h>
#include "pages/release.h"

static int on_memory(struct notifier_block *nb, unsigned long action, void *arg)
{
	const struct memory_notify *range = arg;

	/* No drain here: it takes cpus_read_lock(), which memory hotplug holds already. */
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
