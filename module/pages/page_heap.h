/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page heap: gives out runs of pages, from one heap per NUMA node.
 *
 * This is the main header of the layer pages/.  The layer takes 2 MiB blocks (chunks) from the
 * kernel, gives out runs of their pages, and gives idle pages back to the kernel:
 *
 *	chunk.h		chunks, and from an address to its chunk and slab
 *	directory.h	from an index to its chunk
 *	view.h		what the fast path sees of the chunks
 *	summary_tree.h	finds free pages in a bounded number of steps
 *	node_heap.h	one node's chunks: which pages are in use, idle, or holes
 *	page_heap.h	a run within a chunk: get and put
 *	long_run.h	a run over several chunks; runs that grow and shrink
 *	release.h	idle pages go back to the kernel
 *
 * pages/ uses core/ only.  What it needs from layers above comes through the two function
 * pointers below.
 *
 * Locks: qr_heap.lock for each node and qr_mixed_lock (chunk.h), raw spinlocks taken with
 * interrupts off.  They are innermost: under them only a tree and maps of chunks are changed, and
 * no memory is asked for.
 *
 * Contexts: any but NMI, in which only an address can be looked up (qr_slab_of()).  Functions
 * with gfp flags are called with no lock held, and sleep if the flags allow it.
 */
#ifndef QR_PAGE_HEAP_H
#define QR_PAGE_HEAP_H

#include "pages/node_heap.h"

/**
 * qr_heap_get() - take a run of pages
 * @run: set to the run that was taken
 * @owner: the slab that qr_slab_of() finds for its pages from now on
 * @kind: any but QR_MIXED.  If no whole chunk of that kind can be had, the run lies in a
 *	mixed chunk, or in a hole of another chunk
 * @node: preferred node
 * @nr: pages, at most QR_CHUNK_PAGES
 * @least: pages that are enough when memory is fragmented, at most @nr
 * @align: pages, a power of two: the run starts at a multiple of it
 * @gfp: says whether the call may sleep, whether other nodes may serve (not with
 *	__GFP_THISNODE), whether the call must succeed (__GFP_NOFAIL), and whether it may use the
 *	emergency reserves.  These are asked last, for @least pages, and @run->access tells
 *
 * Context: Any but NMI, no lock held.
 *
 * Return: true, or false when there is no such run.
 */
bool qr_heap_get(struct qr_run *run, struct qr_slab *owner, enum qr_kind kind, int node,
		 unsigned int nr, unsigned int least, unsigned int align, gfp_t gfp);

/*
 * Give a run back.  Its pages become idle and stay with the heap.  Pages of a mixed chunk go
 * back to the kernel.
 */
void qr_heap_put(const struct qr_run *run);

/*
 * For long_run.c.  Take a run from chunks that the heap has; add a chunk to the heap.  False if
 * there is no such run, or no memory for the tree's blocks.
 */
bool qr_heap_first_fit(struct qr_heap *heap, enum qr_kind kind, unsigned int nr, unsigned int align,
		       struct qr_slab *owner, struct qr_run *run);
bool qr_heap_add(struct qr_heap *heap, struct qr_chunk *chunk, gfp_t gfp);
/*
 * Make room for @nr pages under the module's limits.  Idle pages go back to the kernel first.
 * Then, if @gfp allows sleep, so do pages that caches can spare.  Earlier allocations may have
 * exceeded a limit while nothing could be given back: one call makes up for a part of that
 * only.  But if the hard limit is in the way and @gfp allows sleep, the call goes on until @nr
 * pages fit or nothing more can be given back.
 */
void qr_heap_make_room(int node, unsigned int nr, gfp_t gfp);

/*
 * Called, in any context but NMI, when a node has more idle pages than heap->surplus, or fewer in
 * use than heap->low.  There is no second call before the watcher sets these two again.
 */
typedef void (*qr_heap_fn)(void);
extern qr_heap_fn qr_heap_watcher;

/*
 * Called by an allocation near a limit that may sleep, when too few pages are idle: the layers
 * above give up to @pages pages that they can spare back to the kernel, @node's first.  Returns
 * how many.  The function must not wait for a mutex.
 */
typedef unsigned long (*qr_heap_help_fn)(int node, unsigned long pages);
extern qr_heap_help_fn qr_heap_helper;

/* Set by tests: no new chunk can be had, as if memory were fragmented. */
extern bool qr_heap_no_chunks;
/* Set by tests: only requests with access to the emergency reserves get pages from the kernel. */
extern bool qr_heap_is_short;

#endif /* QR_PAGE_HEAP_H */
