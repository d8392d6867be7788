// SPDX-License-Identifier: GPL-2.0
/*
 * A chunk without a page in use is released in one piece.  From other chunks single pages are
 * released, which leaves holes.  The kernel may use those pages for anything, and its block is
 * whole again only after the rest was released as well.  So chunks with pages in use come
 * last, the highest first: allocation takes the lowest address that fits, so the highest
 * chunks become empty soonest.
 */
#include "pages/release.h"

#include <linux/bitmap.h>
#include <linux/nodemask.h>
#include "compat.h"
#include "pages/page_heap.h"

atomic64_t qr_released_pages;

/* Most pages that leave a chunk while the lock is held once. */
#define DIG_MAX 64u

/*
 * A whole chunk (@chunk), or @nr pages from @page on, that left the heap and are not with the
 * kernel yet: packed under the heap's lock, sent after it is dropped.
 */
struct parcel {
	struct qr_chunk *chunk;
	struct page *page;
	unsigned int nr;
};

static unsigned long parcel_send(const struct parcel *p)
{
	unsigned int nr = p->nr;

	if (p->chunk)
		nr = qr_chunk_destroy(p->chunk);
	else
		qr_chunk_release_pages(p->page, nr);
	atomic64_add(nr, &qr_released_pages);
	return nr;
}

static void pack_chunk(struct qr_heap *heap, struct qr_chunk *chunk, struct parcel *p)
{
	qr_heap_remove_chunk(heap, chunk);
	*p = (struct parcel){ .chunk = chunk };
}

static struct qr_chunk *chunk_at(const struct qr_heap *heap, long leaf)
{
	return qr_chunk_at(leaf);
}

/* The chunk with the highest address that has @nr free pages in a row, or NULL. */
static struct qr_chunk *highest(struct qr_heap *heap, unsigned int nr)
{
	long best = -1;
	int kind;

	for (kind = 0; kind < QR_MIXED; kind++)
		best = max(best, qr_tree_find_last_leaf(&heap->tree[kind], nr));
	return best < 0 ? NULL : chunk_at(heap, best);
}

/* Idle pages [first, first + nr) of a chunk become holes.  A chunk that is all holes goes. */
static void pack_pages(struct qr_heap *heap, struct qr_chunk *chunk, unsigned int first,
		       unsigned int nr, struct parcel *p)
{
	bool hollow = !list_empty(&chunk->link);

	if (!chunk->nr_used && chunk->nr_holes + nr == QR_CHUNK_PAGES) {
		pack_chunk(heap, chunk, p);
		return;
	}
	qr_chunk_dig(chunk, first, nr);
	if (!chunk->nr_used && !hollow)
		list_add(&chunk->link, &heap->hollow);
	heap->owned -= nr;
	heap->holes += nr;
	qr_heap_summarize(heap, chunk);
	*p = (struct parcel){ .page = chunk->page + first, .nr = nr };
}

/*
 * The last run of idle pages before page @end, at most @most pages of it.  There is one.
 * Returns the number of pages; @first gets the first of them.
 */
static unsigned int last_free(const struct qr_chunk *chunk, unsigned int end, unsigned int most,
			      unsigned int *first)
{
	while (test_bit(end - 1, chunk->used))
		end--;
	for (*first = end - 1; *first && end - *first < most; --*first)
		if (test_bit(*first - 1, chunk->used))
			break;
	return end - *first;
}

/* Pack a chunk that has no page in use and at most @want pages.  False if there is none. */
static bool pack_idle_chunk(struct qr_heap *heap, unsigned long want, struct parcel *p)
{
	struct qr_chunk *chunk = want < QR_CHUNK_PAGES ? NULL : highest(heap, QR_CHUNK_PAGES);

	if (!chunk) {
		chunk = list_first_entry_or_null(&heap->hollow, struct qr_chunk, link);
		if (!chunk || QR_CHUNK_PAGES - chunk->nr_holes > want)
			return false;
	}
	pack_chunk(heap, chunk, p);
	return true;
}

static bool pack_any(struct qr_heap *heap, unsigned long want, struct parcel *p)
{
	struct qr_chunk *chunk;
	unsigned int first, nr;

	if (pack_idle_chunk(heap, want, p))
		return true;
	chunk = highest(heap, 1);
	if (!chunk)
		return false;
	nr = last_free(chunk, QR_CHUNK_PAGES, min_t(unsigned long, want, DIG_MAX), &first);
	pack_pages(heap, chunk, first, nr, p);
	return true;
}

typedef bool (*pack_fn)(struct qr_heap *heap, unsigned long want, struct parcel *p);

static unsigned long release(int node, unsigned long want, pack_fn pack)
{
	struct qr_heap *heap = qr_heaps[node];
	unsigned long done = 0, flags;
	struct parcel p;
	bool found;

	while (heap && done < want) {
		raw_spin_lock_irqsave(&heap->lock, flags);
		found = pack(heap, want - done, &p);
		qr_heap_report(heap);
		raw_spin_unlock_irqrestore(&heap->lock, flags);
		if (!found)
			break;
		done += parcel_send(&p);
	}
	return done;
}

unsigned long qr_heap_release(int node, unsigned long want)
{
	return release(node, want, pack_any);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_release);

static void drop(const struct qr_run *run, bool may_keep)
{
	struct qr_heap *heap = qr_heaps[run->chunk->node];
	struct parcel p = {};
	unsigned long flags;
	bool news;

	if (run->chunk->kind == QR_MIXED) {
		qr_mixed_put(run->chunk, run->first, run->nr);
		return;
	}
	raw_spin_lock_irqsave(&heap->lock, flags);
	if (may_keep && qr_heap_idle(heap) + run->nr <= heap->keep) {
		qr_heap_put_run(heap, run);
	} else {
		heap->used -= run->nr;
		qr_chunk_disown(run->chunk, run->first, run->nr);
		pack_pages(heap, run->chunk, run->first, run->nr, &p);
	}
	news = qr_heap_has_news(heap);
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	if (unlikely(news))
		qr_heap_watcher();
	if (p.nr || p.chunk)
		parcel_send(&p);
}

void qr_heap_drop(const struct qr_run *run)
{
	drop(run, !run->access);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_drop);

void qr_heap_expel(const struct qr_run *run)
{
	drop(run, false);
}

unsigned long qr_heaps_release(int node, unsigned long want)
{
	unsigned long done = qr_heap_release(node, want);
	int other;

	for_each_node_mask(other, qr_nodes)
		if (other != node && done < want)
			done += qr_heap_release(other, want - done);
	return done;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heaps_release);

unsigned long qr_heap_release_idle(void)
{
	unsigned long done = 0;
	int node;

	for_each_node_mask(node, qr_nodes)
		done += release(node, ULONG_MAX, pack_idle_chunk);
	return done;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_release_idle);

/* Pack the last idle pages of the chunk at @index within the page frames [start, end). */
static bool pack_range(struct qr_heap *heap, unsigned long index, unsigned long start,
		       unsigned long end, struct parcel *p)
{
	struct qr_chunk *chunk = qr_chunk_at(index);
	unsigned long base;
	unsigned int from, to, nr, first;

	if (!chunk || chunk->kind == QR_MIXED || chunk->node != heap->node)
		return false;
	base = page_to_pfn(chunk->page);
	from = max(start, base) - base;
	to = min(end, base + QR_CHUNK_PAGES) - base;
	if (find_next_zero_bit(chunk->used, to, from) >= to)
		return false;
	nr = last_free(chunk, to, DIG_MAX, &first);
	if (first < from) {
		nr -= from - first;
		first = from;
	}
	pack_pages(heap, chunk, first, nr, p);
	return true;
}

unsigned long qr_heap_release_range(unsigned long start, unsigned long end)
{
	unsigned long done = 0, flags, i, first, last;
	struct parcel p;
	bool found;
	int node;

	if (start >= end)
		return 0;
	first = qr_chunk_index(pfn_to_kaddr(start));
	last = min(qr_chunk_index(pfn_to_kaddr(end - 1)), qr_directory->nr - 1);
	for_each_node_mask(node, qr_nodes) {
		struct qr_heap *heap = qr_heaps[node];

		for (i = qr_directory_next(first); heap && i <= last;
		     i = qr_directory_next(i + 1)) {
			do {
				raw_spin_lock_irqsave(&heap->lock, flags);
				found = pack_range(heap, i, start, end, &p);
				qr_heap_report(heap);
				raw_spin_unlock_irqrestore(&heap->lock, flags);
				if (found)
					done += parcel_send(&p);
			} while (found);
		}
	}
	return done;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_release_range);
