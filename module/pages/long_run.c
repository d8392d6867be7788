// SPDX-License-Identifier: GPL-2.0
/* Runs over several chunks, and runs that change their length. */
#include "pages/long_run.h"

#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/nodemask.h>
#include "compat.h"
#include "core/limit.h"
#include "core/metadata.h"

/* Of those taken for one row, see row_get(). */
#define ROW_CHUNKS (2 * DIV_ROUND_UP(QUARRY_MAX_LARGE >> PAGE_SHIFT, QR_CHUNK_PAGES) + 1)

/* One or two chunks more; returns how many, and their indices. */
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
		/* Once it is there anybody may take and release it. */
		taken[got] = chunk[i]->index;
		if (qr_heap_add(heap, chunk[i]))
			got++;
		else
			qr_chunk_destroy(chunk[i]);
	}
	return got;
}

/* The chunk of that index goes back if nobody has a page of it, or is gone already. */
static void row_drop(struct qr_heap *heap, unsigned long index)
{
	const struct qr_tree *tree = &heap->tree[QR_LARGE];
	unsigned long leaf = index - heap->base, flags;
	struct qr_chunk *chunk = NULL;

	raw_spin_lock_irqsave(&heap->lock, flags);
	if (tree->level[0][leaf].longest == QR_CHUNK_PAGES) {
		chunk = qr_chunks[index];
		qr_heap_remove_chunk(heap, chunk);
	}
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	if (chunk)
		qr_chunk_destroy(chunk);
}

/*
 * The kernel's largest block is two chunks.  Where more are wanted it is asked for as
 * many, or, if it may be troubled, for twice as many, in the hope that some turn out
 * to lie side by side, as they do while its lists are in order.  New ones go @beyond the
 * soft limit if so said.
 */
static bool row_get(int node, unsigned int nr, gfp_t gfp, struct qr_slab *owner, struct qr_run *run,
		    bool beyond)
{
	unsigned int most = DIV_ROUND_UP(nr, QR_CHUNK_PAGES), n = 0, more;
	struct qr_heap *heap = qr_heaps[node];
	u32 taken[ROW_CHUNKS];
	bool found;

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
	gfp_t lean = (gfp & QR_GFP_MASK & ~__GFP_DIRECT_RECLAIM) | __GFP_NOWARN;
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
	/* What is idle elsewhere pays; then the soft limit is no reason to fail. */
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
 * Are the @nr pages from @page of the heap's first on free, and the heap's?  The first of
 * them may be inside of a chunk only if the one before it is in use.  Under the lock.
 */
static bool is_free(const struct qr_heap *heap, unsigned long page, unsigned int nr)
{
	const struct qr_tree *tree = &heap->tree[QR_LARGE];
	unsigned int n;

	for (; nr; nr -= n, page += n) {
		unsigned long leaf = page / QR_CHUNK_PAGES;
		unsigned int first = page % QR_CHUNK_PAGES;

		n = min(nr, QR_CHUNK_PAGES - first);
		if (leaf >= tree->nr[0])
			return false;
		if (!first) {
			if (tree->level[0][leaf].start < n)
				return false;
		} else {
			const struct qr_chunk *chunk = qr_chunks[heap->base + leaf];

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

	if (chunk->kind != QR_LARGE)
		return false;
	heap = qr_heaps[chunk->node];
	page = (chunk->index - heap->base) * QR_CHUNK_PAGES + run->first + run->nr;
	raw_spin_lock_irqsave(&heap->lock, flags);
	free = is_free(heap, page, more);
	if (free)
		qr_heap_take_run(heap, added, qr_chunks[heap->base + page / QR_CHUNK_PAGES],
				 page % QR_CHUNK_PAGES, more, owner);
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	return free;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_extend);

void qr_heap_trim(const struct qr_run *run, unsigned int keep)
{
	unsigned int end = run->first + keep;
	const struct qr_run tail = {
		.chunk = qr_chunks[run->chunk->index + end / QR_CHUNK_PAGES],
		.first = end % QR_CHUNK_PAGES,
		.nr = run->nr - keep,
	};

	qr_heap_put(&tail);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_trim);
