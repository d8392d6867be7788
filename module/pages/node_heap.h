/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heap of one node: its chunks, and the state of their pages.  A page of a chunk is in
 * use, idle (Quarry has it, and it is free), or a hole (it went back to the kernel while
 * other pages of the chunk stayed).
 */
#ifndef QR_NODE_HEAP_H
#define QR_NODE_HEAP_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include "core/emergency.h"
#include "pages/chunk.h"
#include "pages/summary_tree.h"

/**
 * struct qr_run - pages side by side that are in use
 * @chunk: the chunk in which the run begins.  A long run goes on in the chunks behind
 * @first: number of the run's first page in that chunk
 * @nr: number of pages
 * @zeroed: true if the pages are still zero since the kernel gave them
 * @access: QR_NO_ACCESS, or the access to the emergency reserves with which the pages were taken
 *	from them.  Such pages never become idle: they go straight back to the kernel
 */
struct qr_run {
	struct qr_chunk *chunk;
	unsigned int first;
	unsigned int nr;
	bool zeroed;
	u8 access;
};

/**
 * struct qr_heap - one node's chunks
 * @lock: guards all members, and those of the chunks that say so; innermost
 * @tree: for each kind, which pages of chunks are idle; a leaf's number is the chunk's index
 * @nr_chunks: chunks of each kind, without mixed ones
 * @owned: pages of these chunks, without holes
 * @used: pages of these that are in use
 * @holes: holes in these chunks
 * @hollow: chunks that have holes and no page in use
 * @peak: most pages that were in use since the scavenger set this to @used
 * @last_peak: the same, for the time before
 * @peak_since: when the scavenger did so, in jiffies
 * @keep: idle pages that the heap may keep, as the scavenger set it last
 * @surplus: qr_heap_watcher is called when more pages than this are idle
 * @low: it is also called when fewer pages than this are in use
 * @reported: idle pages, as last reported to the kernel
 * @searches: number of searches for a run
 * @steps: entries of the tree that all searches looked at
 * @changes: a new value whenever chunks or their pages change
 * @compact_after: until then, in jiffies, the kernel is not asked to make a free block.  It
 *	failed to, and to try again for every slab costs too much.  Written without the lock
 * @node: the node
 */
struct qr_heap {
	raw_spinlock_t lock;
	struct qr_tree tree[QR_MIXED];
	unsigned long nr_chunks[QR_MIXED];
	unsigned long owned;
	unsigned long used;
	unsigned long holes;
	struct list_head hollow;
	unsigned long peak;
	unsigned long last_peak;
	unsigned long peak_since;
	unsigned long keep;
	unsigned long surplus;
	unsigned long low;
	unsigned long reported;
	u64 searches;
	u64 steps;
	u64 changes;
	unsigned long compact_after;
	int node;
} ____cacheline_aligned;

/* The heap of each node; NULL for a node without memory. */
extern struct qr_heap *qr_heaps[MAX_NUMNODES];

static inline unsigned long qr_heap_idle(const struct qr_heap *heap)
{
	return heap->owned - heap->used;
}

/* Call these under the heap's lock. */

/*
 * Pages became idle, or fewer are in use.  Returns true if the caller must call qr_heap_watcher,
 * after it has dropped the lock.
 */
bool qr_heap_has_news(struct qr_heap *heap);
/* Update the tree after a change of the chunk's map. */
void qr_heap_summarize(struct qr_heap *heap, struct qr_chunk *chunk);
/*
 * Idle pages become a run in use, and idle again.  The run may go on in the chunks behind.  If it
 * is longer than QR_OWN_AT_ONCE, the caller calls qr_heap_own_run() after it has dropped the lock,
 * and has preemption off from before, so that the walker does not find pages in use without an
 * owner.
 */
#define QR_OWN_AT_ONCE QR_CHUNK_PAGES
void qr_heap_take_run(struct qr_heap *heap, struct qr_run *run, struct qr_chunk *chunk,
		      unsigned int first, unsigned int nr, struct qr_slab *owner);
void qr_heap_put_run(struct qr_heap *heap, const struct qr_run *run);
/* Add a new chunk, all of whose pages are idle. */
void qr_heap_add_chunk(struct qr_heap *heap, struct qr_chunk *chunk);
/* Remove a chunk without a page in use: neither a search nor an address finds it any more. */
void qr_heap_remove_chunk(struct qr_heap *heap, struct qr_chunk *chunk);

/* Not under the lock: let the addresses of the run's pages lead to @owner. */
void qr_heap_own_run(const struct qr_run *run, struct qr_slab *owner);
/* Cut pages off the front of @rest, so many that they go quickly; returns them. */
struct qr_run qr_run_cut(struct qr_run *rest);

/* Report the exact number of idle pages to the kernel. */
void qr_heap_report(struct qr_heap *heap);

struct quarry_node_stats;
struct quarry_validation;
/* For the walker, with the machine stopped: do trees, maps and counters agree? */
void qr_heap_validate(struct quarry_validation *v);
/*
 * The same in parts, while the heaps are in use.  With qr_trim_lock, the chunk at @index, its pages
 * and its entries in the trees of all nodes.  Then the counters of a node, and the pages that are
 * charged: these return false if something changed meanwhile, and then they compared nothing.
 */
void qr_heap_look_at_chunk(unsigned long index, struct quarry_validation *v);
bool qr_heap_look_at_counts(int node, struct quarry_validation *v);
bool qr_heap_look_at_charge(struct quarry_validation *v);

/* The lock that guards a chunk.  The chunk may be gone when it is taken: look it up again. */
static inline raw_spinlock_t *qr_chunk_lock(const struct qr_chunk *chunk)
{
	return chunk->kind == QR_MIXED ? &qr_mixed_lock : &qr_heaps[chunk->node]->lock;
}

/* Make the heap of a node that has memory now.  Sleeps. */
int qr_heap_create(int node);
int qr_heaps_init(void);
void qr_heaps_exit(void);

#endif /* QR_NODE_HEAP_H */
