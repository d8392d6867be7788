// SPDX-License-Identifier: GPL-2.0
/*
 * First fit by lowest address, in bounded steps: a tree of summaries over the
 * chunks of a node and kind leads to the chunk, whose map tells the place.
 * See tree.h.
 */
#include "pageheap.h"

#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <quarry/stats.h>
#include "compat.h"
#include "meta.h"
#include "tree.h"

/**
 * struct qr_heap - one node's chunks
 * @lock: everything below and the chunks' lock-protected members; innermost
 * @base: index of the first chunk that can be the node's
 * @tree: whole chunks by kind; a chunk that is not there has no free page
 * @nr_chunks: how many, mixed ones not included
 * @used: pages handed out of whole chunks
 * @searches: for runs of pages
 * @steps: summaries that these looked at
 * @compact_after: in jiffies; the kernel could not make a free block, and it is
 *	too dear to have it try again for every slab.  Written without the lock
 */
struct qr_heap {
	raw_spinlock_t lock;
	unsigned long base;
	struct qr_tree tree[QR_MIXED];
	unsigned long nr_chunks[QR_MIXED];
	unsigned long used;
	u64 searches;
	u64 steps;
	unsigned long compact_after;
} ____cacheline_aligned;

static struct qr_heap *heaps[MAX_NUMNODES];
static atomic_long_t mixed_pages[MAX_NUMNODES];

bool qr_heap_no_chunks;
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_no_chunks);

static void summarize(struct qr_heap *heap, struct qr_chunk *chunk)
{
	struct qr_sum sum = qr_sum_of(chunk->used, QR_CHUNK_PAGES);

	WRITE_ONCE(chunk->longest, sum.longest);
	qr_tree_set(&heap->tree[chunk->kind], chunk->index - heap->base, &sum);
}

/* The chunk that lies behind, where a run goes on; at the end there may be none. */
static struct qr_chunk *next_chunk(const struct qr_chunk *chunk)
{
	return qr_chunks[chunk->index + 1];
}

/* Did the kernel zero them, and has nobody had them since?  Somebody will have now. */
static bool take_fresh(struct qr_chunk *chunk, unsigned int first, unsigned int nr)
{
	bool fresh = find_next_zero_bit(chunk->fresh, first + nr, first) >= first + nr;

	bitmap_clear(chunk->fresh, first, nr);
	return fresh;
}

/* A run of free pages, which may go on in the chunks behind, changes hands. */
static void run_take(struct qr_heap *heap, struct qr_run *run, struct qr_chunk *chunk,
		     unsigned int first, unsigned int nr, struct qr_slab *owner)
{
	unsigned int n;

	*run = (struct qr_run) { .chunk = chunk, .first = first, .nr = nr, .zeroed = true };
	heap->used += nr;
	for (;;) {
		n = min(nr, QR_CHUNK_PAGES - first);
		run->zeroed &= take_fresh(chunk, first, n);
		qr_chunk_own(chunk, first, n, owner);
		summarize(heap, chunk);
		nr -= n;
		if (!nr)
			return;
		chunk = next_chunk(chunk);
		first = 0;
	}
}

static void run_put(struct qr_heap *heap, const struct qr_run *run)
{
	unsigned int nr = run->nr, first = run->first, n;
	struct qr_chunk *chunk = run->chunk;

	heap->used -= nr;
	for (;;) {
		n = min(nr, QR_CHUNK_PAGES - first);
		qr_chunk_disown(chunk, first, n);
		summarize(heap, chunk);
		nr -= n;
		if (!nr)
			return;
		chunk = next_chunk(chunk);
		first = 0;
	}
}

static unsigned int place_in(const struct qr_chunk *chunk, unsigned int nr, unsigned int align)
{
	return bitmap_find_next_zero_area((unsigned long *)chunk->used, QR_CHUNK_PAGES, 0, nr,
					  align - 1);
}

#define ALIGNED_TRIES	16

/*
 * Slabs lie within a chunk, whose class table and fate they share.  Where the first
 * run that is long enough is not aligned a few more may be; after that only one that
 * is so long that it must have an aligned place in it.
 */
static struct qr_chunk *find_within(struct qr_heap *heap, enum qr_kind kind, unsigned int nr,
				    unsigned int align, unsigned int *first, unsigned int *steps)
{
	unsigned int tries = align > 1 ? ALIGNED_TRIES : 1;
	const struct qr_tree *tree = &heap->tree[kind];
	unsigned long from = 0;
	struct qr_chunk *chunk;
	long leaf;

	for (; tries && from < tree->nr[0]; tries--, from = leaf + 1) {
		leaf = qr_tree_find_leaf(tree, from, nr, steps);
		if (leaf < 0)
			return NULL;
		chunk = qr_chunks[heap->base + leaf];
		*first = place_in(chunk, nr, align);
		if (*first + nr <= QR_CHUNK_PAGES)
			return chunk;
	}
	leaf = qr_tree_find_leaf(tree, 0, nr + align - 1, steps);
	if (leaf < 0)
		return NULL;
	chunk = qr_chunks[heap->base + leaf];
	*first = place_in(chunk, nr, align);
	return chunk;
}

/* Large objects may go over the end of a chunk. */
static struct qr_chunk *find_across(struct qr_heap *heap, enum qr_kind kind, unsigned int nr,
				    unsigned int *first, unsigned int *steps)
{
	struct qr_chunk *chunk;
	bool inside;
	long page;

	page = qr_tree_find(&heap->tree[kind], nr, &inside, steps);
	if (page < 0)
		return NULL;
	chunk = qr_chunks[heap->base + page / QR_CHUNK_PAGES];
	*first = inside ? place_in(chunk, nr, 1) : page % QR_CHUNK_PAGES;
	return chunk;
}

static bool heap_first_fit(struct qr_heap *heap, enum qr_kind kind, unsigned int nr,
			   unsigned int align, struct qr_slab *owner, struct qr_run *run)
{
	unsigned int first, steps = 0;
	struct qr_chunk *chunk;
	unsigned long flags;

	raw_spin_lock_irqsave(&heap->lock, flags);
	if (kind == QR_LARGE && align == 1)
		chunk = find_across(heap, kind, nr, &first, &steps);
	else
		chunk = find_within(heap, kind, nr, align, &first, &steps);
	if (chunk)
		run_take(heap, run, chunk, first, nr, owner);
	heap->searches++;
	heap->steps += steps;
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	return chunk;
}

/* False for memory that was plugged in beyond what was there when we were loaded. */
static bool heap_add(struct qr_heap *heap, struct qr_chunk *chunk)
{
	unsigned long flags;

	if (chunk->index - heap->base >= heap->tree[chunk->kind].nr[0])
		return false;
	raw_spin_lock_irqsave(&heap->lock, flags);
	summarize(heap, chunk);
	heap->nr_chunks[chunk->kind]++;
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	return true;
}

static bool heap_get_whole(int node, enum qr_kind kind, unsigned int nr, unsigned int align,
			   gfp_t gfp, struct qr_slab *owner, struct qr_run *run)
{
	struct qr_heap *heap = heaps[node];
	struct qr_chunk *chunk;

	do {
		if (heap_first_fit(heap, kind, nr, align, owner, run))
			return true;
		if (unlikely(READ_ONCE(qr_heap_no_chunks)))
			return false;
		if (time_before(jiffies, READ_ONCE(heap->compact_after)))
			gfp &= ~__GFP_DIRECT_RECLAIM;
		chunk = qr_chunk_create(node, kind, gfp);
		if (chunk && !heap_add(heap, chunk)) {
			qr_chunk_destroy(chunk);
			return false;
		}
		if (!chunk && (gfp & __GFP_DIRECT_RECLAIM))
			WRITE_ONCE(heap->compact_after, jiffies + HZ);
		/* Another CPU may take it all; then ask for one more. */
	} while (chunk);
	return false;
}

/* Single pages, wherever the kernel has them.  @gfp decides about the node. */
static bool heap_get_mixed(int node, unsigned int nr, unsigned int align, gfp_t gfp,
			   struct qr_slab *owner, struct qr_run *run)
{
	unsigned int order = get_order((unsigned long)max(nr, align) << PAGE_SHIFT), i;
	struct page *page;

	/* The kernel promises single and double pages only. */
	if (order > 1)
		gfp &= ~__GFP_NOFAIL;
	page = alloc_pages_node(node, gfp, order);
	if (!page)
		return false;
	split_page(page, order);
	for (i = nr; i < 1u << order; i++)
		__free_page(page + i);
	run->chunk = qr_mixed_get(page, nr, owner, gfp);
	if (!run->chunk) {
		for (i = 0; i < nr; i++)
			__free_page(page + i);
		return false;
	}
	run->first = qr_page_in_chunk(page_address(page));
	run->nr = nr;
	run->zeroed = want_init_on_alloc(gfp);
	atomic_long_add(nr, &mixed_pages[page_to_nid(page)]);
	return true;
}

bool qr_heap_get(struct qr_run *run, struct qr_slab *owner, enum qr_kind kind, int node,
		 unsigned int nr, unsigned int least, unsigned int align, gfp_t gfp)
{
	gfp_t lean = (gfp & QR_GFP_MASK & ~(__GFP_DIRECT_RECLAIM | __GFP_NOFAIL)) | __GFP_NOWARN;
	gfp_t full = (gfp & (QR_GFP_MASK | __GFP_THISNODE)) | __GFP_NOWARN;
	int other;

	/*
	 * Near memory first, with one light attempt at making a free block but
	 * no reclaim of single pages; then memory of other nodes; then whatever
	 * the caller's flags can squeeze out.
	 */
	if (heap_get_whole(node, kind, nr, align, gfp, owner, run))
		return true;
	if (heap_get_mixed(node, nr, align, lean | __GFP_THISNODE, owner, run))
		return true;
	if (!(gfp & __GFP_THISNODE)) {
		for_each_node_mask(other, qr_nodes)
			if (other != node &&
			    heap_get_whole(other, kind, nr, align, lean, owner, run))
				return true;
	}
	if (heap_get_mixed(node, nr, align, full & ~__GFP_NOFAIL, owner, run))
		return true;
	if (least < nr && heap_get_mixed(node, least, align, full & ~__GFP_NOFAIL, owner, run))
		return true;
	if (!(gfp & __GFP_NOFAIL) || !gfpflags_allow_blocking(gfp))
		return false;
	while (!heap_get_mixed(node, least, align, full, owner, run))
		msleep(20);
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_get);

void qr_heap_put(const struct qr_run *run)
{
	struct qr_chunk *chunk = run->chunk;
	struct qr_heap *heap;
	unsigned long flags;

	if (chunk->kind == QR_MIXED) {
		atomic_long_sub(run->nr, &mixed_pages[page_to_nid(chunk->page + run->first)]);
		qr_mixed_put(chunk, run->first, run->nr);
		return;
	}
	heap = heaps[chunk->node];
	raw_spin_lock_irqsave(&heap->lock, flags);
	run_put(heap, run);
	raw_spin_unlock_irqrestore(&heap->lock, flags);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_put);

/* One without a page in use, which nobody will find any more; NULL if there is none. */
static struct qr_chunk *take_idle(struct qr_heap *heap, enum qr_kind kind)
{
	static const struct qr_sum nothing;
	struct qr_chunk *chunk = NULL;
	unsigned int steps = 0;
	unsigned long flags;
	long leaf;

	raw_spin_lock_irqsave(&heap->lock, flags);
	leaf = qr_tree_find_leaf(&heap->tree[kind], 0, QR_CHUNK_PAGES, &steps);
	if (leaf >= 0) {
		chunk = qr_chunks[heap->base + leaf];
		qr_tree_set(&heap->tree[kind], leaf, &nothing);
		heap->nr_chunks[kind]--;
	}
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	return chunk;
}

unsigned long qr_heap_release_idle(void)
{
	struct qr_chunk *chunk;
	unsigned long pages = 0;
	int node, kind;

	for_each_node_mask(node, qr_nodes) {
		for (kind = 0; heaps[node] && kind < QR_MIXED; kind++) {
			while ((chunk = take_idle(heaps[node], kind))) {
				qr_chunk_destroy(chunk);
				pages += QR_CHUNK_PAGES;
			}
		}
	}
	return pages;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_release_idle);

void qr_node_stats_read(int node, struct quarry_node_stats *st)
{
	struct qr_heap *heap = node >= 0 && node < MAX_NUMNODES ? heaps[node] : NULL;
	unsigned long flags, owned = 0, mixed;
	int kind;

	memset(st, 0, sizeof(*st));
	if (!heap)
		return;
	raw_spin_lock_irqsave(&heap->lock, flags);
	for (kind = 0; kind < QR_MIXED; kind++) {
		st->chunks[kind] = heap->nr_chunks[kind];
		owned += heap->nr_chunks[kind] * QR_CHUNK_PAGES;
	}
	mixed = atomic_long_read(&mixed_pages[node]);
	st->mixed_bytes = (u64)mixed << PAGE_SHIFT;
	st->inuse_bytes = (u64)(heap->used + mixed) << PAGE_SHIFT;
	st->idle_bytes = (u64)(owned - heap->used) << PAGE_SHIFT;
	st->searches = heap->searches;
	st->search_steps = heap->steps;
	raw_spin_unlock_irqrestore(&heap->lock, flags);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_node_stats_read);

int qr_walk_chunks(int node, qr_chunk_fn fn, void *arg)
{
	static const char *const kinds[] = { "ordinary", "sampled", "large", "mixed" };
	struct quarry_chunk_info ci;
	unsigned long i;
	int err;

	/* By address, and a chunk at a time: @fn may sleep. */
	for (i = 0; i < qr_nr_chunks; i++) {
		struct qr_chunk *chunk;
		bool found;

		if (!READ_ONCE(qr_chunks[i]))
			continue;
		rcu_read_lock();
		chunk = READ_ONCE(qr_chunks[i]);
		found = chunk && chunk->node == node;
		if (found) {
			ci.pfn = page_to_pfn(chunk->page);
			ci.kind = kinds[chunk->kind];
			ci.used = READ_ONCE(chunk->nr_used);
			ci.owned = chunk->kind == QR_MIXED ? ci.used : QR_CHUNK_PAGES;
			ci.longest = chunk->kind == QR_MIXED ? 0 : READ_ONCE(chunk->longest);
		}
		rcu_read_unlock();
		if (!found)
			continue;
		err = fn(&ci, arg);
		if (err)
			return err;
	}
	return 0;
}

static void validate_chunk(const struct qr_chunk *chunk, struct quarry_validation *v)
{
	unsigned int page;

	v->chunks++;
	if (qr_chunks[chunk->index] != chunk)
		qr_invalid(v, "chunk %lu is not in the chunk array", chunk->index);
	if (bitmap_weight(chunk->used, QR_CHUNK_PAGES) != chunk->nr_used)
		qr_invalid(v, "chunk %lu: map and count of pages differ", chunk->index);
	for (page = 0; page < QR_CHUNK_PAGES; page++) {
		if (!!chunk->slab[page] != test_bit(page, chunk->used))
			qr_invalid(v, "chunk %lu page %u: map and slab differ", chunk->index,
				   page);
		if (chunk->class[page] && !chunk->slab[page])
			qr_invalid(v, "chunk %lu page %u: class without slab", chunk->index, page);
	}
}

/* @chunk: the one at @leaf that is this heap's, or NULL. */
static void validate_sums(struct qr_heap *heap, unsigned long leaf, const struct qr_chunk *chunk,
			  struct quarry_validation *v)
{
	struct qr_sum now;
	int kind;

	for (kind = 0; kind < QR_MIXED; kind++) {
		now = (struct qr_sum) { };
		if (chunk && chunk->kind == kind)
			now = qr_sum_of(chunk->used, QR_CHUNK_PAGES);
		if (memcmp(&heap->tree[kind].level[0][leaf], &now, sizeof(now)))
			qr_invalid(v, "chunk %lu, kind %d: map and summary differ",
				   heap->base + leaf, kind);
	}
}

void qr_heap_validate(struct quarry_validation *v)
{
	int node, kind;

	for_each_node_mask(node, qr_nodes) {
		struct qr_heap *heap = heaps[node];
		unsigned long n[QR_NR_KINDS] = { }, used = 0, i;

		for (i = 0; i < heap->tree[0].nr[0]; i++) {
			struct qr_chunk *chunk = qr_chunks[heap->base + i];

			if (chunk && (chunk->node != node || chunk->kind == QR_MIXED))
				chunk = NULL;
			validate_sums(heap, i, chunk, v);
			if (!chunk)
				continue;
			n[chunk->kind]++;
			used += chunk->nr_used;
			validate_chunk(chunk, v);
		}
		for (kind = 0; kind < QR_MIXED; kind++) {
			if (!qr_tree_is_consistent(&heap->tree[kind]))
				qr_invalid(v, "node %d: summaries of kind %d differ", node, kind);
			if (n[kind] != heap->nr_chunks[kind])
				qr_invalid(v, "node %d: %lu chunks of kind %d, %lu counted", node,
					   n[kind], kind, heap->nr_chunks[kind]);
		}
		if (used != heap->used)
			qr_invalid(v, "node %d: %lu pages used, %lu counted", node, used,
				   heap->used);
	}
}

/* The blocks that the node's memory lies in. */
static int heap_init_trees(struct qr_heap *heap, int node)
{
	unsigned long first = NODE_DATA(node)->node_start_pfn / QR_CHUNK_PAGES;
	unsigned long last = DIV_ROUND_UP(pgdat_end_pfn(NODE_DATA(node)), QR_CHUNK_PAGES);
	int kind, err;

	heap->base = first;
	for (kind = 0; kind < QR_MIXED; kind++) {
		err = qr_tree_init(&heap->tree[kind], last - first, QR_CHUNK_PAGES);
		if (err)
			return err;
	}
	return 0;
}

int qr_heaps_init(void)
{
	int node, err;

	for_each_node_mask(node, qr_nodes) {
		struct qr_heap *heap = qr_meta_alloc(sizeof(*heap), GFP_KERNEL, node);

		if (!heap) {
			qr_heaps_exit();
			return -ENOMEM;
		}
		raw_spin_lock_init(&heap->lock);
		heap->compact_after = jiffies;
		heaps[node] = heap;
		err = heap_init_trees(heap, node);
		if (err) {
			qr_heaps_exit();
			return err;
		}
	}
	return 0;
}

void qr_heaps_exit(void)
{
	int node, kind;

	qr_heap_release_idle();
	for_each_node_mask(node, qr_nodes) {
		struct qr_heap *heap = heaps[node];

		if (!heap)
			continue;
		for (kind = 0; kind < QR_MIXED; kind++)
			qr_tree_exit(&heap->tree[kind]);
		qr_meta_free(heap, sizeof(*heap));
		heaps[node] = NULL;
	}
}
