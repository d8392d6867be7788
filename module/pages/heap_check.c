// SPDX-License-Identifier: GPL-2.0
/*
 * What the walker checks of the heaps: chunks, the maps of their pages, trees and counters; with
 * the machine stopped, or in parts while the heaps are in use.
 */
#include "pages/node_heap.h"

#include <linux/bitmap.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <quarry/stats.h>
#include "core/limit.h"

/* Clients may have references of their own.  So only a lack of them is an error. */
static void validate_refs(const struct qr_chunk *chunk, struct quarry_validation *v)
{
	unsigned int page;
	int lost;

	for (page = 0; page < QR_CHUNK_PAGES; page++) {
		if (chunk->kind == QR_MIXED ? !chunk->slab[page] : test_bit(page, chunk->holes))
			continue;
		lost = qr_page_lost_refs(chunk->page + page);
		if (lost)
			qr_invalid(v, "chunk %lu page %u: freed %d times by somebody else",
				   chunk->index, page, lost);
	}
}

static void validate_chunk(const struct qr_chunk *chunk, struct quarry_validation *v)
{
	bool hollow = chunk->nr_holes && !chunk->nr_used;
	unsigned int page;

	v->chunks++;
	if (qr_chunk_at(chunk->index) != chunk)
		qr_invalid(v, "chunk %lu is not in the chunk array", chunk->index);
	if (bitmap_weight(chunk->used, QR_CHUNK_PAGES) != chunk->nr_used + chunk->nr_holes)
		qr_invalid(v, "chunk %lu: map and count of pages differ", chunk->index);
	if (bitmap_weight(chunk->holes, QR_CHUNK_PAGES) != chunk->nr_holes)
		qr_invalid(v, "chunk %lu: map and count of holes differ", chunk->index);
	if (chunk->nr_holes == QR_CHUNK_PAGES)
		qr_invalid(v, "chunk %lu is all holes", chunk->index);
	if (list_empty(&chunk->link) == hollow)
		qr_invalid(v, "chunk %lu: wrongly listed as hollow or not", chunk->index);
	for (page = 0; page < QR_CHUNK_PAGES; page++) {
		bool hole = test_bit(page, chunk->holes);

		if (!!chunk->slab[page] != (test_bit(page, chunk->used) && !hole))
			qr_invalid(v, "chunk %lu page %u: map and slab differ", chunk->index, page);
		if (chunk->class[page] && !chunk->slab[page])
			qr_invalid(v, "chunk %lu page %u: class without slab", chunk->index, page);
		if (hole && !test_bit(page, chunk->used))
			qr_invalid(v, "chunk %lu page %u: a hole that is free", chunk->index, page);
		if (test_bit(page, chunk->fresh) && test_bit(page, chunk->used))
			qr_invalid(v, "chunk %lu page %u: used and fresh", chunk->index, page);
	}
}

/* @chunk: the chunk of this heap at @leaf, or NULL if there is none. */
static void validate_sums(struct qr_heap *heap, unsigned long leaf, const struct qr_chunk *chunk,
			  struct quarry_validation *v)
{
	struct qr_sum now, there;
	int kind;

	for (kind = 0; kind < QR_MIXED; kind++) {
		now = (struct qr_sum){};
		there = qr_tree_leaf(&heap->tree[kind], leaf);
		if (chunk && chunk->kind == kind)
			now = qr_sum_of(chunk->used, QR_CHUNK_PAGES);
		if (memcmp(&there, &now, sizeof(now)))
			qr_invalid(v, "chunk %lu, kind %d: map and summary differ", leaf, kind);
	}
}

static void validate_count(struct quarry_validation *v, int node, const char *what,
			   unsigned long found, unsigned long counted)
{
	if (found != counted)
		qr_invalid(v, "node %d: %lu %s, %lu counted", node, found, what, counted);
}

/* What the chunks of a heap add up to. */
struct sums {
	unsigned long chunks[QR_NR_KINDS];
	unsigned long used;
	unsigned long holes;
	unsigned long all;
};

static void add_chunk(struct sums *sums, const struct qr_chunk *chunk)
{
	sums->chunks[chunk->kind]++;
	sums->all += QR_CHUNK_PAGES;
	sums->used += chunk->nr_used;
	sums->holes += chunk->nr_holes;
}

static void validate_counts(const struct qr_heap *heap, const struct sums *sums,
			    struct quarry_validation *v)
{
	int kind, node = heap->node;

	for (kind = 0; kind < QR_MIXED; kind++)
		validate_count(v, node, "chunks of a kind", sums->chunks[kind],
			       heap->nr_chunks[kind]);
	validate_count(v, node, "pages used", sums->used, heap->used);
	validate_count(v, node, "holes", sums->holes, heap->holes);
	validate_count(v, node, "pages owned", sums->all - sums->holes, heap->owned);
}

/* More may be charged: pages are charged before they arrive, until they have left. */
static void validate_charge(unsigned long held, unsigned long charged, struct quarry_validation *v)
{
	if (held > charged)
		qr_invalid(v, "%lu pages held, %ld charged", held, charged);
}

/* The chunk at @index if it is the heap's, or NULL.  With the heap's lock. */
static struct qr_chunk *chunk_of(const struct qr_heap *heap, unsigned long index)
{
	struct qr_chunk *chunk = qr_chunk_at(index);

	return chunk && chunk->node == heap->node && chunk->kind != QR_MIXED ? chunk : NULL;
}

void qr_heap_validate(struct quarry_validation *v)
{
	unsigned long held = 0;
	int node, kind;

	for_each_node_mask(node, qr_nodes) {
		struct qr_heap *heap = qr_heaps[node];
		struct sums sums = {};
		unsigned long i;

		for (i = qr_directory_next(0); i < qr_directory->nr; i = qr_directory_next(i + 1)) {
			struct qr_chunk *chunk = qr_chunk_at(i);

			if (chunk && chunk->node == node)
				validate_refs(chunk, v);
			chunk = chunk_of(heap, i);
			validate_sums(heap, i, chunk, v);
			if (!chunk)
				continue;
			add_chunk(&sums, chunk);
			validate_chunk(chunk, v);
		}
		for (kind = 0; kind < QR_MIXED; kind++)
			if (!qr_tree_is_consistent(&heap->tree[kind]))
				qr_invalid(v, "node %d: summaries of kind %d differ", node, kind);
		validate_counts(heap, &sums, v);
		held += heap->owned + atomic_long_read(&qr_mixed_pages[node]);
	}
	validate_charge(held, atomic_long_read(&qr_limit_all.held), v);
}

/* Each step with the lock takes time for one chunk at most. */
static void look_at_chunk(struct qr_heap *heap, unsigned long index, struct quarry_validation *v)
{
	const struct qr_chunk *chunk;
	unsigned long flags;
	int kind;

	raw_spin_lock_irqsave(&heap->lock, flags);
	chunk = chunk_of(heap, index);
	validate_sums(heap, index, chunk, v);
	if (chunk)
		validate_chunk(chunk, v);
	raw_spin_unlock_irqrestore(&heap->lock, flags);

	raw_spin_lock_irqsave(&heap->lock, flags);
	chunk = chunk_of(heap, index);
	if (chunk)
		validate_refs(chunk, v);
	raw_spin_unlock_irqrestore(&heap->lock, flags);

	for (kind = 0; kind < QR_MIXED && !(index % QR_TREE_FANOUT); kind++) {
		raw_spin_lock_irqsave(&heap->lock, flags);
		if (!qr_tree_path_is_consistent(&heap->tree[kind], index))
			qr_invalid(v, "node %d: summaries of kind %d differ", heap->node, kind);
		raw_spin_unlock_irqrestore(&heap->lock, flags);
	}
}

void qr_heap_look_at_chunk(unsigned long index, struct quarry_validation *v)
{
	const struct qr_chunk *chunk;
	unsigned long flags;
	int node;

	for_each_node_mask(node, qr_nodes)
		if (READ_ONCE(qr_heaps[node]))
			look_at_chunk(qr_heaps[node], index, v);
	raw_spin_lock_irqsave(&qr_mixed_lock, flags);
	chunk = qr_chunk_at(index);
	if (chunk && chunk->kind == QR_MIXED)
		validate_refs(chunk, v);
	raw_spin_unlock_irqrestore(&qr_mixed_lock, flags);
}

/* Chunks whose counters are added up while the lock is held once. */
#define LOOK_SLICE 64

bool qr_heap_look_at_counts(int node, struct quarry_validation *v)
{
	struct qr_heap *heap = READ_ONCE(qr_heaps[node]);
	const struct qr_chunk *chunk;
	unsigned long i, end, flags;
	struct sums sums = {};
	u64 before;
	bool same;

	if (!heap)
		return true;
	before = READ_ONCE(heap->changes);
	for (i = 0; (i = qr_directory_next(i)) < READ_ONCE(qr_directory)->nr;) {
		raw_spin_lock_irqsave(&heap->lock, flags);
		for (end = round_up(i + 1, LOOK_SLICE); i < end; i++) {
			chunk = chunk_of(heap, i);
			if (chunk)
				add_chunk(&sums, chunk);
		}
		raw_spin_unlock_irqrestore(&heap->lock, flags);
		cond_resched();
	}
	raw_spin_lock_irqsave(&heap->lock, flags);
	same = heap->changes == before;
	if (same)
		validate_counts(heap, &sums, v);
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	return same;
}

static u64 all_changes(void)
{
	u64 sum = 0;
	int node;

	for_each_node_mask(node, qr_nodes)
		if (READ_ONCE(qr_heaps[node]))
			sum += READ_ONCE(qr_heaps[node]->changes);
	return sum;
}

bool qr_heap_look_at_charge(struct quarry_validation *v)
{
	unsigned long held = 0, charged = atomic_long_read(&qr_limit_all.held);
	u64 before = all_changes();
	int node;

	for_each_node_mask(node, qr_nodes)
		if (READ_ONCE(qr_heaps[node]))
			held += READ_ONCE(qr_heaps[node]->owned) +
				atomic_long_read(&qr_mixed_pages[node]);
	/* Pages of mixed chunks show in the second number only. */
	if (all_changes() != before || atomic_long_read(&qr_limit_all.held) != charged)
		return false;
	validate_charge(held, charged, v);
	return true;
}
