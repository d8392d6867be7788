// SPDX-License-Identifier: GPL-2.0
/*
 * Memory hotplug.
 *
 * Before memory comes online, the directory of chunks and the views are extended to cover it.  If
 * it is the first memory of a node, that node then gets a heap, and depots in all caches.
 *
 * When a block of memory goes offline, its idle pages go back to the kernel.  The kernel isolates
 * the pages of the block before it calls notifiers, and fails at once if it finds a page that it
 * cannot move.  An idle page of Quarry is such a page.  So the notifier only serves pages that
 * became idle after that.  To take a block offline in which Quarry has pages, write to
 * control/drain and control/scavenge first.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "reclaim/memory_hotplug.h"

#include <linux/memory.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include "cache/cache.h"
#include "core/work_queue.h"
#include "pages/release.h"

/* In a work item, because the notifier is called with locks held that come after qr_caches_lock. */
static void add_nodes(struct work_struct *work)
{
	int node, err;

	for_each_node_state(node, N_MEMORY) {
		if (node_isset(node, qr_nodes))
			continue;
		err = qr_caches_add_node(node);
		if (err)
			pr_warn("node %d gets no heap: error %d; its memory is used page by page\n",
				node, err);
		else if (qr_heap_watcher)
			qr_heap_watcher();
	}
}

static DECLARE_WORK(add_nodes_work, add_nodes);

static int on_memory(struct notifier_block *nb, unsigned long action, void *arg)
{
	const struct memory_notify *range = arg;

	switch (action) {
	case MEM_GOING_ONLINE:
		/* If this fails, it is tried again when the memory is used. */
		qr_directory_grow(range->start_pfn + range->nr_pages);
		break;
	case MEM_ONLINE:
		queue_work(qr_work_queue, &add_nodes_work);
		break;
	case MEM_GOING_OFFLINE:
		/* No drain here: it takes cpus_read_lock(), which memory hotplug holds already. */
		qr_heap_release_range(range->start_pfn, range->start_pfn + range->nr_pages);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block notifier = { .notifier_call = on_memory };

/* Memory may have come while the layers below were being initialised. */
int qr_memory_hotplug_init(void)
{
	int err = register_memory_notifier(&notifier);

	if (err)
		return err;
	queue_work(qr_work_queue, &add_nodes_work);
	return 0;
}

void qr_memory_hotplug_exit(void)
{
	unregister_memory_notifier(&notifier);
	cancel_work_sync(&add_nodes_work);
}
