// SPDX-License-Identifier: GPL-2.0
/*
 * Loading initialises the layers from the lowest to the highest; unloading goes back down.  The
 * overview of what the layers do is at the head of magazine/magazine.c.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/module.h>
#include <quarry/stats.h>
#include "../debugfs/debugfs.h"
#include "api/allocs_per_run.h"
#include "api/arena.h"
#include "api/kernel_free.h"
#include "api/malloc.h"
#include "api/shim.h"
#include "cache/cache.h"
#include "cache/capacity_balance.h"
#include "cache/rcu_free.h"
#include "cache/sample_rate.h"
#include "compat.h"
#include "core/exposure.h"
#include "core/metadata.h"
#include "core/work_queue.h"
#include "device/chardev.h"
#include "kernel/domain.h"
#include "magazine/depot.h"
#include "pages/chunk.h"
#include "pages/page_heap.h"
#include "profile/bucket.h"
#include "profile/draw.h"
#include "profile/label.h"
#include "profile/label_scope.h"
#include "profile/profile_memory.h"
#include "profile/stack.h"
#include "profile/unloaded.h"
#include "reclaim/memory_hotplug.h"
#include "reclaim/scavenger.h"
#include "reclaim/shrinker.h"
#include "report/leak_report.h"
#include "report/oom_report.h"
#include "slab/large.h"
#include "slab/shadow.h"
#include "slab/sizeclass.h"
#include "slab/slab.h"

#ifdef QR_COMPAT_NOTE
#pragma message QR_COMPAT_NOTE
#endif

static int __init quarry_init(void)
{
	int err;

	qr_exposure_init();
	qr_sizeclass_init();
	qr_profile_memory_init();
	err = qr_work_queues_init();
	if (err)
		goto no_queues;
	err = qr_label_scopes_init();
	if (err)
		goto no_scopes;
	err = qr_draw_init();
	if (err)
		goto no_draw;
	err = qr_stacks_init();
	if (err)
		goto no_draw;
	err = qr_buckets_init();
	if (err)
		goto no_profile;
	err = qr_unloaded_init();
	if (err)
		goto no_gone;
	err = qr_chunks_init();
	if (err)
		goto no_chunks;
	err = qr_heaps_init();
	if (err)
		goto no_heaps;
	err = qr_slabs_init();
	if (err)
		goto no_slabs;
	err = qr_shadow_init();
	if (err)
		goto no_shadow;
	err = qr_depots_init();
	if (err)
		goto no_depots;
	err = qr_rcu_init();
	if (err)
		goto no_rcu;
	err = qr_caches_init();
	if (err)
		goto no_caches;
	err = qr_malloc_init();
	if (err)
		goto no_malloc;
	err = qr_scavenger_init();
	if (err)
		goto no_scavenger;
	err = qr_shrinker_init();
	if (err)
		goto no_shrinker;
	err = qr_memory_hotplug_init();
	if (err)
		goto no_hotmem;
	err = qr_oom_init();
	if (err)
		goto no_oom;
	err = qr_debugfs_init();
	if (err)
		goto no_debugfs;
	err = qr_chardev_init();
	if (err)
		goto no_chardev;
	err = qr_handed_init();
	if (err)
		goto no_handed;
	err = qr_kernel_free_init();
	if (err)
		goto no_kernel_free;
	err = qr_domains_init();
	if (err)
		goto no_domains;
	qr_rate_init();
	qr_balance_init();
	return 0;

no_domains:
	qr_kernel_free_exit();
no_kernel_free:
	qr_handed_exit();
no_handed:
	qr_chardev_exit();
no_chardev:
	qr_debugfs_exit();
no_debugfs:
	qr_oom_exit();
no_oom:
	qr_memory_hotplug_exit();
no_hotmem:
	qr_shrinker_exit();
no_shrinker:
	qr_scavenger_exit();
no_scavenger:
	qr_malloc_exit();
no_malloc:
	qr_caches_exit();
no_caches:
	qr_rcu_exit();
no_rcu:
	qr_depots_exit();
no_depots:
	qr_shadow_exit();
no_shadow:
	qr_slabs_exit();
no_slabs:
	qr_heaps_exit();
no_heaps:
	qr_chunks_exit();
no_chunks:
	qr_unloaded_exit();
no_gone:
	qr_buckets_exit();
no_profile:
	qr_stacks_exit();
no_draw:
	qr_label_scopes_exit();
no_scopes:
	qr_work_queues_exit();
no_queues:
	pr_err("not loaded: error %d\n", err);
	return err;
}

static void __exit quarry_exit(void)
{
	qr_kernel_free_exit();
	qr_handed_exit();
	qr_chardev_exit();
	qr_debugfs_exit();
	qr_oom_exit();
	qr_domains_exit();
	qr_rate_exit();
	qr_memory_hotplug_exit();
	qr_shrinker_exit();
	qr_scavenger_exit();
	qr_balance_exit();
	qr_rcu_exit();
	qr_allocs_per_run_exit();
	qr_leaks_report();
	qr_arenas_exit();
	qr_malloc_exit();
	qr_caches_exit();
	qr_large_exit();
	qr_depots_exit();
	qr_shadow_exit();
	qr_slabs_exit();
	qr_heaps_exit();
	qr_chunks_exit();
	qr_unloaded_exit();
	qr_labels_exit();
	qr_label_scopes_exit();
	qr_buckets_exit();
	qr_stacks_exit();
	qr_work_queues_exit();
	if (atomic64_read(&qr_taken_bytes) != atomic64_read(&qr_returned_bytes))
		pr_err("unloaded with %lld bytes of %lld not given back\n",
		       atomic64_read(&qr_taken_bytes) - atomic64_read(&qr_returned_bytes),
		       atomic64_read(&qr_taken_bytes));
}

module_init(quarry_init);
module_exit(quarry_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The Quarry developers");
MODULE_DESCRIPTION("Per-CPU object caches over size-classed slabs that can be seen into");
MODULE_VERSION(QUARRY_VERSION);
