// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading: the layers from the bottom up, and back.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/module.h>
#include <quarry/stats.h>
#include "cache.h"
#include "chunk.h"
#include "depot.h"
#include "large.h"
#include "malloc.h"
#include "meta.h"
#include "pageheap.h"
#include "sizeclass.h"
#include "slab.h"
#include "../debugfs/debugfs.h"

static int __init quarry_init(void)
{
	int err;

	qr_sizeclass_init();
	err = qr_chunks_init();
	if (err)
		goto no_chunks;
	err = qr_heaps_init();
	if (err)
		goto no_heaps;
	err = qr_slabs_init();
	if (err)
		goto no_slabs;
	err = qr_depots_init();
	if (err)
		goto no_depots;
	err = qr_caches_init();
	if (err)
		goto no_caches;
	err = qr_malloc_init();
	if (err)
		goto no_malloc;
	err = qr_debugfs_init();
	if (err)
		goto no_debugfs;
	return 0;

no_debugfs:
	qr_malloc_exit();
no_malloc:
	qr_caches_exit();
no_caches:
	qr_depots_exit();
no_depots:
	qr_slabs_exit();
no_slabs:
	qr_heaps_exit();
no_heaps:
	qr_chunks_exit();
no_chunks:
	pr_err("not loaded: error %d\n", err);
	return err;
}

static void __exit quarry_exit(void)
{
	qr_debugfs_exit();
	qr_malloc_exit();
	qr_caches_exit();
	qr_large_exit();
	qr_depots_exit();
	qr_slabs_exit();
	qr_heaps_exit();
	qr_chunks_exit();
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
MODULE_VERSION("0.1.0");
