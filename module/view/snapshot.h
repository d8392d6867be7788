/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What observers read: numbers, copies of the heap profile, and text made from them.
 *
 *	stats.c			the whole allocator's numbers
 *	validate.c		the walker: checks that the books of all layers agree
 *	validate_slices.c	the same in slices, while the machine goes on
 *	snapshot.c		copies of the profiler's table, and a walk over all live objects
 *	profile_report.c	rows and values of a kind of profile, for every format
 *	profile_bound.c		merges the smallest rows of a profile that has too many
 *	profile_comment.c	the comments of a profile, for every format
 *	pprof.c, profile_table.c, profile_format.c, heap_dump.c	the formats
 *	leak_report.c		what the log says of objects that were never freed
 *	oom_report.c		what it says when memory runs out, and snapshots of that moment
 *	site_text.c		sites as the log names them
 *	symbol.c, code_mapping.c	the function and the module of an address
 *	text_buffer.c		text that grows page by page
 *
 * This layer changes nothing in the layers below, all of which it may use, and they do
 * not know it.  Observers use it through <quarry/stats.h> and <quarry/profile.h>.
 *
 * Its only lock lets one walk in slices be under way.  It takes the mutexes of caches and arenas,
 * and looks at a slab under the lock of the slab's depot; the strict walker stops the machine.
 * All functions are for process context and may sleep, except quarry_cache_stats_read(), which
 * may be called in any context.
 */
#ifndef QR_SNAPSHOT_H
#define QR_SNAPSHOT_H

#include "profile/profile.h"
#include "slab/slab.h"

/**
 * struct qr_object - an object that a client holds
 * @ptr: its address
 * @size: bytes it was given
 * @cache: its cache's number, 0 for objects over 32 KiB
 * @cache_name: its cache's name
 * @node: the node of its memory
 * @sample: its sample; its site is U32_MAX if the object is not sampled
 */
struct qr_object {
	const void *ptr;
	u32 size;
	u32 cache;
	const char *cache_name;
	int node;
	struct qr_live_sample sample;
};

/*
 * Call @fn for every live object, or every sampled one if @sampled is set, until @fn returns
 * non-zero, and return that value.  -ENOMEM without memory, -EINTR if the task is being killed.
 * The order is by address; sampled objects of arenas come last.  Objects in magazines and depots
 * look live: call qr_drain_all() first if that matters.  @fn may sleep.
 */
typedef int (*qr_object_fn)(const struct qr_object *o, void *arg);
int qr_walk_objects(bool sampled, qr_object_fn fn, void *arg);

/**
 * struct qr_walk - how far a walk in several parts has come; all zero at first
 * @chunk: index of the chunk that comes next
 * @page: the page in it that comes next
 * @pause: set by @fn: return 0 when it has been called for all objects of a page
 * @done: set by the walk: all objects have been found
 */
struct qr_walk {
	unsigned long chunk;
	unsigned int page;
	bool pause;
	bool done;
};

/* As qr_walk_objects(), for a part of the objects.  Nothing is held between two parts. */
int qr_walk_part(struct qr_walk *w, bool sampled, qr_object_fn fn, void *arg);

#endif /* QR_SNAPSHOT_H */
