// SPDX-License-Identifier: GPL-2.0
/*
 * Long runs, and runs that change their length.  A row is a number of chunks side by side, as
 * a long run needs them.
 */
#include "pages/long_run.h"

#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/nodemask.h>
#include <linux/preempt.h>
#include "compat.h"
#include "core/limit.h"
#include "core/metadata.h"

/* The most new chunks that row_get() takes for one row. */
#define ROW_CHUNKS (2 * DIV_ROUND_UP(QUARRY_MAX_LARGE >> PAGE_SHIFT, QR_CHUNK_PAGES) + 1)

/* Add one or two new chunks to the heap.  Returns how many; @taken gets their indices. */
static unsigned int row_grow(struct qr_heap *heap, int node, gfp_t gfp, u32 *taken)
{
	unsigned int nr = 2, got = 0, i;
	struct qr_chunk *chunk[2];

	if (time_before(jiffies, READ_ONCE(heap->compact_after)))
		gfp &= ~__GFP_DIRECT_RECLAIM;
	if (!qr_chunk_create_pair(chunk, node, gfp)) {
		nr = 1;
		chunk[0] = qr_chunk_create(node, QR_LARGE, gfp);
		if (!chunk[0]) {
			if (gfp & __GFP_DIRECT_RECLAIM)
				WRITE_ONCE(heap->compact_after, jiffies + HZ);
			return 0;
		}
	}
	for (i = 0; i < nr; i++) {
		/* Read it now: in the heap, others may use and release the chunk at any time. */
		taken[got] = chunk[i]->index;
		if (qr_heap_add(heap, chunk[i], gfp))
			got++;
		else
			qr_chunk_destroy(chunk[i]);
	}
	return got;
}

/* Give the chunk at @index back, unless a page of it is in use or it is gone already. */
static void row_drop(struct qr_heap *heap, unsigned long index)
{
	const struct qr_tree *tree = &heap->tree[QR_LARGE];
	unsigned long flags;
	struct qr_chunk *chunk = NULL;

	raw_spin_lock_irqsave(&heap->lock, flags);
	if (qr_tree_leaf(tree, index).longest == QR_CHUNK_PAGES) {
		chunk = qr_chunk_at(index);
		qr_heap_remove_chunk(heap, chunk);
	}
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	if (chunk)
		qr_chunk_destroy(chunk);
}

/*
 * With pages of 4 KiB, the kernel's largest block has two chunks, and with larger pages no more
 * than two are asked for.  For a longer run, take as many new chunks as it needs, or twice as many
 * if @gfp allows sleep.  Some of them often lie side by side, as long as the kernel's free lists
 * are in order.  The surplus chunks go back at the end.  With @beyond, new chunks may exceed the
 * soft limit.
 */
static bool row_get(int node, unsigned int nr, gfp_t gfp, struct qr_slab *owner, struct qr_run *run,
		    bool beyond)
{
	unsigned int most = DIV_ROUND_UP(nr, QR_CHUNK_PAGES), n = 0, more;
	struct qr_heap *heap = qr_heaps[node];
	u32 taken[ROW_CHUNKS];
	bool found;

	if (unlikely(!heap))
		return false;
	if (gfpflags_allow_blocking(gfp))
		most *= 2;
	for (;;) {
		found = qr_heap_first_fit(heap, QR_LARGE, nr, 1, owner, run);
		if (found || n >= most || unlikely(READ_ONCE(qr_heap_no_chunks)) ||
		    (!beyond && qr_limit_is_near(&qr_limit_all, QR_CHUNK_PAGES)))
			break;
		more = row_grow(heap, node, gfp, taken + n);
		if (!more)
			break;
		n += more;
	}
	while (n--)
		row_drop(heap, taken[n]);
	return found;
}

static bool row_get_any(int node, unsigned int nr, gfp_t gfp, struct qr_slab *owner,
			struct qr_run *run, bool beyond)
{
	gfp_t lean = gfp & ~__GFP_DIRECT_RECLAIM;
	int other;

	if (row_get(node, nr, gfp, owner, run, beyond))
		return true;
	if (gfp & __GFP_THISNODE)
		return false;
	for_each_node_mask(other, qr_nodes)
		if (other != node && row_get(other, nr, lean, owner, run, beyond))
			return true;
	return false;
}

bool qr_heap_get_long(struct qr_run *run, struct qr_slab *owner, int node, unsigned int nr,
		      gfp_t gfp)
{
	unsigned int whole = round_up(nr, QR_CHUNK_PAGES);
	bool near, full;

	if (nr > QUARRY_MAX_LARGE >> PAGE_SHIFT)
		return false;
	if (row_get_any(node, nr, gfp, owner, run, false))
		return true;
	near = qr_limit_is_near(&qr_limit_all, whole);
	full = qr_limit_is_full(&qr_limit_all, whole);
	if (!near && !full)
		return false;
	/* Idle pages, of any node, make room.  Then exceed the soft limit rather than fail. */
	qr_heap_make_room(node, whole, gfp);
	if (near)
		qr_limit_hit_soft(&qr_limit_all, "all");
	if (row_get_any(node, nr, gfp, owner, run, true))
		return true;
	if (qr_limit_is_full(&qr_limit_all, whole))
		qr_limit_hit_hard(&qr_limit_all, "all");
	return false;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_get_long);

/* --- Runs that change their length --- */

/*
 * Are these @nr pages all idle and in chunks of the heap?  @page is the number of the first one in
 * the direct map.  It may lie in the middle of a chunk only if the page before it
 * is in use.  Under the heap's lock.
 */
static bool is_free(const struct qr_heap *heap, unsigned long page, unsigned int nr)
{
	const struct qr_tree *tree = &heap->tree[QR_LARGE];
	unsigned int n;

	for (; nr; nr -= n, page += n) {
		unsigned long leaf = page / QR_CHUNK_PAGES;
		unsigned int first = page % QR_CHUNK_PAGES;

		n = min(nr, QR_CHUNK_PAGES - first);
		if (!first) {
			if (qr_tree_leaf(tree, leaf).start < n)
				return false;
		} else {
			const struct qr_chunk *chunk = qr_chunk_at(leaf);

			if (find_next_bit(chunk->used, first + n, first) < first + n)
				return false;
		}
	}
	return true;
}

bool qr_heap_extend(const struct qr_run *run, unsigned int more, struct qr_slab *owner,
		    struct qr_run *added)
{
	struct qr_chunk *chunk = run->chunk;
	struct qr_heap *heap;
	unsigned long page, flags;
	bool free;

	/* A run from the emergency reserves stays in one chunk, for qr_heap_expel(). */
	if (chunk->kind != QR_LARGE || run->access)
		return false;
	heap = qr_heaps[chunk->node];
	page = chunk->index * QR_CHUNK_PAGES + run->first + run->nr;
	preempt_disable();
	raw_spin_lock_irqsave(&heap->lock, flags);
	free = is_free(heap, page, more);
	if (free)
		qr_heap_take_run(heap, added, qr_chunk_at(page / QR_CHUNK_PAGES),
				 page % QR_CHUNK_PAGES, more, owner);
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	if (free && more > QR_OWN_AT_ONCE)
		qr_heap_own_run(added, owner);
	preempt_enable();
	return free;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_extend);

void qr_heap_trim(const struct qr_run *run, unsigned int keep)
{
	unsigned int end = run->first + keep;
	const struct qr_run tail = {
		.chunk = qr_chunk_at(run->chunk->index + end / QR_CHUNK_PAGES),
		.first = end % QR_CHUNK_PAGES,
		.nr = run->nr - keep,
		.access = run->access,
	};

	qr_heap_put(&tail);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_trim);
