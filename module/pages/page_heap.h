/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page heap: runs of pages out of chunks, one heap per NUMA node.
 *
 * Contexts: any but NMI; qr_heap_get() sleeps if its gfp flags allow it and
 * is called with no lock held.
 */
#ifndef QR_PAGE_HEAP_H
#define QR_PAGE_HEAP_H

#include "pages/node_heap.h"

/**
 * qr_heap_get() - take a run of pages
 * @run: what was taken
 * @owner: what qr_slab_of() is to find for its pages
 * @kind: any but QR_MIXED; where no whole chunk of that kind can be had,
 *	the run lies in a mixed chunk
 * @node: the node that it should come from
 * @nr: pages, at most QR_CHUNK_PAGES
 * @least: pages to be content with when memory is fragmented
 * @align: pages, a power of two: the run starts at a multiple of it
 * @gfp: may it sleep, may it come from another node (not with __GFP_THISNODE),
 *	must it succeed
 *
 * Return: true, or false when there is no such run.
 */
bool qr_heap_get(struct qr_run *run, struct qr_slab *owner, enum qr_kind kind, int node,
		 unsigned int nr, unsigned int least, unsigned int align, gfp_t gfp);

/* Give a run back.  Its pages stay with the heap; a mixed chunk's leave. */
void qr_heap_put(const struct qr_run *run);

/* For pages/long_run.c: a run in chunks that are there, and a chunk for the heap, if it can be its own. */
bool qr_heap_first_fit(struct qr_heap *heap, enum qr_kind kind, unsigned int nr, unsigned int align,
		       struct qr_slab *owner, struct qr_run *run);
bool qr_heap_add(struct qr_heap *heap, struct qr_chunk *chunk);
/*
 * Make room for @nr pages under the module's limits: idle pages go, and then what caches
 * do not need.  Those who went beyond a limit when nothing was to be had are paid for here,
 * a part at a time; all of them if @nr pages would be refused and @gfp allows sleep.
 */
void qr_heap_make_room(int node, unsigned int nr, gfp_t gfp);

/*
 * Told, in any context but NMI, that a node has more idle pages than its surplus, which
 * is none from then on until the watcher sets it anew.
 */
typedef void (*qr_heap_fn)(void);
extern qr_heap_fn qr_heap_watcher;

/*
 * Asked by whoever needs so many pages near a limit and may sleep, when no more pages are
 * idle: what the layers above can spare.  Takes no lock for which it would have to wait.
 */
typedef unsigned long (*qr_heap_help_fn)(int node, unsigned long pages);
extern qr_heap_help_fn qr_heap_helper;

int qr_heaps_init(void);
void qr_heaps_exit(void);

/* Tests set it: whole chunks cannot be had. */
extern bool qr_heap_no_chunks;

#endif /* QR_PAGE_HEAP_H */
