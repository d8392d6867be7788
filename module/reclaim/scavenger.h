/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The scavenger: in the background, it lets the number of idle pages decay to a share of the
 * pages in use.  Functions for observers are in <quarry/stats.h>.
 *
 * This is the main header of the layer reclaim/, which decides when pages go back to the kernel:
 *
 *	scavenger.h		all the time, a little at a time, and more near a limit
 *	shrinker.h		when the kernel is short of memory, or an allocation is near a limit
 *	memory_hotplug.h	when a block of memory goes offline
 *
 * reclaim/ uses all folders below it: api/ (pools), cache/, magazine/, slab/, pages/ and core/.
 * They call it through qr_heap_watcher, qr_heap_helper, qr_limit_watcher and qr_depot_watcher.
 *
 * Locks: none of its own.  The scavenger is a work item, which sleeps and takes qr_caches_lock.
 * The shrinker is called by allocations, also Quarry's own, under any lock that their callers
 * hold: so it only tries mutexes.  The watchers may be called in any context but NMI; they
 * only queue work.
 */
#ifndef QR_SCAVENGER_H
#define QR_SCAVENGER_H

#include <linux/atomic.h>
#include <linux/types.h>

/* Pages that the scavenger released, and CPU time that it took, since the module was loaded. */
extern atomic64_t qr_scavenged_pages, qr_scavenger_ns;
/* When the module was loaded, by ktime_get_mono_fast_ns(). */
extern u64 qr_loaded_ns;

int qr_scavenger_init(void);
void qr_scavenger_exit(void);

/* Set by tests: the scavenger releases nothing by itself. */
extern bool qr_scavenger_paused;

#endif /* QR_SCAVENGER_H */
