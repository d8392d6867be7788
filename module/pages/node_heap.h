/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One node's chunks, and which of their pages are free.  A page of a chunk is in
 * use, idle (ours, and free), or a hole (it went back to the kernel while other
 * pages stayed).
 */
#ifndef QR_NODE_HEAP_H
#define QR_NODE_HEAP_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include "pages/chunk.h"
#include "pages/summary_tree.h"

/**
 * struct qr_run - pages in a row, in use
 * @chunk: where it begins; large objects may go on in the chunks behind
 * @first: first page in the chunk
 * @nr: pages
 * @zeroed: the kernel zeroed them and nobody wrote to them since
 */
struct qr_run {
	struct qr_chunk *chunk;
	unsigned int first;
	unsigned int nr;
	bool zeroed;
};

/**
 * struct qr_heap - one node's chunks
 * @lock: everything below and the chunks' lock-protected members; innermost
 * @base: index of the first chunk that can be the node's
 * @tree: whole chunks by kind; a chunk that is not there has no free page
 * @nr_chunks: how many, mixed ones not included
 * @owned: their pages, holes not included
 * @used: those of them that are handed out
 * @holes: pages missing in them
 * @hollow: those with holes and without a page in use
 * @keep: idle pages that it may have, by the scavenger's last look
 * @surplus: idle pages from which on the scavenger is told
 * @reported: idle pages, as the kernel was told
 * @searches: for runs of pages
 * @steps: summaries that these looked at
 * @compact_after: in jiffies; the kernel could not make a free block, and it is
 *	too dear to have it try again for every slab.  Written without the lock
 * @node: which it is
 */
struct qr_heap {
	raw_spinlock_t lock;
	unsigned long base;
	struct qr_tree tree[QR_MIXED];
	unsigned long nr_chunks[QR_MIXED];
	unsigned long owned;
	unsigned long used;
	unsigned long holes;
	struct list_head hollow;
	unsigned long keep;
	unsigned long surplus;
	unsigned long reported;
	u64 searches;
	u64 steps;
	unsigned long compact_after;
	int node;
} ____cacheline_aligned;

/* By node; NULL without memory. */
extern struct qr_heap *qr_heaps[MAX_NUMNODES];

static inline unsigned long qr_heap_idle(const struct qr_heap *heap)
{
	return heap->owned - heap->used;
}

/* All of these under the lock. */

/* What is free in a chunk has changed. */
void qr_heap_summarize(struct qr_heap *heap, struct qr_chunk *chunk);
/* A run of free pages, which may go on in the chunks behind, changes hands. */
void qr_heap_take_run(struct qr_heap *heap, struct qr_run *run, struct qr_chunk *chunk,
		      unsigned int first, unsigned int nr, struct qr_slab *owner);
void qr_heap_put_run(struct qr_heap *heap, const struct qr_run *run);
/* A chunk comes, without a page in use. */
void qr_heap_add_chunk(struct qr_heap *heap, struct qr_chunk *chunk);
/* One without a page in use is no longer found, by search or by address. */
void qr_heap_remove_chunk(struct qr_heap *heap, struct qr_chunk *chunk);

/* The idle pages have changed by much, or should be exact now: tell the kernel. */
void qr_heap_report(struct qr_heap *heap);

struct quarry_node_stats;
struct quarry_validation;
/* With the machine stopped: do trees, bitmaps and counters agree? */
void qr_heap_validate(struct quarry_validation *v);

#endif /* QR_NODE_HEAP_H */
