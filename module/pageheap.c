// SPDX-License-Identifier: GPL-2.0
/*
 * First fit by lowest address: over the chunks of a node in address order,
 * and in a chunk over its bitmap.  What keeps this short is the chunk's bound
 * on its longest free run.  A tree of summaries over the chunks has its place
 * in heap_first_fit().
 */
#include "pageheap.h"

#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <quarry/stats.h>
#include "compat.h"
#include "meta.h"

/**
 * struct qr_heap - one node's chunks
 * @lock: everything below and the chunks' lock-protected members; innermost
 * @chunks: whole chunks by kind, in address order
 * @nr_chunks: how many, mixed ones not included
 * @used: pages handed out of whole chunks
 * @compact_after: in jiffies; the kernel could not make a free block, and it is
 *	too dear to have it try again for every slab.  Written without the lock
 */
struct qr_heap {
	raw_spinlock_t lock;
	struct list_head chunks[QR_MIXED];
	unsigned long nr_chunks[QR_MIXED];
	unsigned long used;
	unsigned long compact_after;
} ____cacheline_aligned;

static struct qr_heap *heaps[MAX_NUMNODES];
static atomic_long_t mixed_pages[MAX_NUMNODES];

bool qr_heap_no_chunks;
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_no_chunks);

static bool chunk_take(struct qr_chunk *chunk, unsigned int nr, unsigned int align,
		       struct qr_slab *owner, struct qr_run *run)
{
	unsigned long pos;

	if (nr > chunk->longest)
		return false;
	pos = bitmap_find_next_zero_area(chunk->used, QR_CHUNK_PAGES, 0, nr, align - 1);
	if (pos + nr > QR_CHUNK_PAGES) {
		if (align == 1)
			chunk->longest = nr - 1;
		return false;
	}
	run->chunk = chunk;
	run->first = pos;
	run->nr = nr;
	run->zeroed = find_next_zero_bit(chunk->fresh, pos + nr, pos) >= pos + nr;
	bitmap_clear(chunk->fresh, pos, nr);
	qr_chunk_own(chunk, pos, nr, owner);
	chunk->longest = min(chunk->longest, QR_CHUNK_PAGES - chunk->nr_used);
	return true;
}

static bool heap_first_fit(struct qr_heap *heap, enum qr_kind kind, unsigned int nr,
			   unsigned int align, struct qr_slab *owner, struct qr_run *run)
{
	struct qr_chunk *chunk;
	unsigned long flags;
	bool found = false;

	raw_spin_lock_irqsave(&heap->lock, flags);
	list_for_each_entry(chunk, &heap->chunks[kind], link) {
		found = chunk_take(chunk, nr, align, owner, run);
		if (found) {
			heap->used += nr;
			break;
		}
	}
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	return found;
}

/* A new chunk mostly lies above the others, so look from the end. */
static void heap_add(struct qr_heap *heap, struct qr_chunk *new)
{
	struct qr_chunk *chunk;
	unsigned long flags;

	raw_spin_lock_irqsave(&heap->lock, flags);
	list_for_each_entry_reverse(chunk, &heap->chunks[new->kind], link)
		if (chunk->index < new->index)
			break;
	list_add(&new->link, &chunk->link);
	heap->nr_chunks[new->kind]++;
	raw_spin_unlock_irqrestore(&heap->lock, flags);
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
		if (chunk)
			heap_add(heap, chunk);
		else if (gfp & __GFP_DIRECT_RECLAIM)
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
	qr_chunk_disown(chunk, run->first, run->nr);
	chunk->longest = QR_CHUNK_PAGES - chunk->nr_used;
	heap->used -= run->nr;
	raw_spin_unlock_irqrestore(&heap->lock, flags);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_put);

unsigned long qr_heap_release_idle(void)
{
	unsigned long flags, pages = 0;
	struct qr_chunk *chunk, *next;
	int node, kind;

	for_each_node_mask(node, qr_nodes) {
		struct qr_heap *heap = heaps[node];
		LIST_HEAD(idle);

		if (!heap)
			continue;
		raw_spin_lock_irqsave(&heap->lock, flags);
		for (kind = 0; kind < QR_MIXED; kind++) {
			list_for_each_entry_safe(chunk, next, &heap->chunks[kind], link) {
				if (chunk->nr_used)
					continue;
				list_move(&chunk->link, &idle);
				heap->nr_chunks[kind]--;
			}
		}
		raw_spin_unlock_irqrestore(&heap->lock, flags);
		list_for_each_entry_safe(chunk, next, &idle, link) {
			qr_chunk_destroy(chunk);
			pages += QR_CHUNK_PAGES;
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

void qr_heap_validate(struct quarry_validation *v)
{
	int node, kind;

	for_each_node_mask(node, qr_nodes) {
		struct qr_heap *heap = heaps[node];
		unsigned long used = 0;
		struct qr_chunk *chunk;

		for (kind = 0; kind < QR_MIXED; kind++) {
			unsigned long n = 0, last = 0;

			list_for_each_entry(chunk, &heap->chunks[kind], link) {
				n++;
				used += chunk->nr_used;
				if (chunk->kind != kind || chunk->node != node)
					qr_invalid(v, "chunk %lu is in a wrong list", chunk->index);
				if (last > chunk->index)
					qr_invalid(v, "chunk %lu is out of order", chunk->index);
				last = chunk->index;
				validate_chunk(chunk, v);
			}
			if (n != heap->nr_chunks[kind])
				qr_invalid(v, "node %d: %lu chunks listed, %lu counted", node, n,
					   heap->nr_chunks[kind]);
		}
		if (used != heap->used)
			qr_invalid(v, "node %d: %lu pages used, %lu counted", node, used,
				   heap->used);
	}
}

int qr_heaps_init(void)
{
	int node, kind;

	for_each_node_mask(node, qr_nodes) {
		struct qr_heap *heap = qr_meta_alloc(sizeof(*heap), GFP_KERNEL, node);

		if (!heap) {
			qr_heaps_exit();
			return -ENOMEM;
		}
		raw_spin_lock_init(&heap->lock);
		heap->compact_after = jiffies;
		for (kind = 0; kind < QR_MIXED; kind++)
			INIT_LIST_HEAD(&heap->chunks[kind]);
		heaps[node] = heap;
	}
	return 0;
}

void qr_heaps_exit(void)
{
	int node;

	qr_heap_release_idle();
	for_each_node_mask(node, qr_nodes) {
		qr_meta_free(heaps[node], sizeof(*heaps[node]));
		heaps[node] = NULL;
	}
}
