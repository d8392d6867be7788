// SPDX-License-Identifier: GPL-2.0
/*
 * Runs are found first fit, lowest address first, in a bounded number of steps: the summary
 * tree over a node's chunks of a kind leads to the chunk, and the chunk's map shows where the
 * run begins.  See summary_tree.h.
 */
#include "pages/page_heap.h"

#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "compat.h"
#include "core/limit.h"
#include "core/metadata.h"
#include "pages/release.h"

qr_heap_fn qr_heap_watcher;
qr_heap_help_fn qr_heap_helper;

bool qr_heap_no_chunks;
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_no_chunks);
bool qr_heap_is_short;
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_is_short);

/* Tests pretend that the kernel has only its emergency reserves left. */
static bool is_refused(gfp_t gfp)
{
	return unlikely(READ_ONCE(qr_heap_is_short)) && !qr_access_of(gfp);
}

static unsigned int place_in(const struct qr_chunk *chunk, unsigned int nr, unsigned int align)
{
	return bitmap_find_next_zero_area((unsigned long *)chunk->used, QR_CHUNK_PAGES, 0, nr,
					  align - 1);
}

#define ALIGNED_TRIES 16

/*
 * Find a run within one chunk, as a slab needs it: its pages share the chunk's class table.  If
 * the first run that is long enough has no aligned place, try up to ALIGNED_TRIES chunks.
 * After that look for @nr + @align - 1 free pages in a row: they always have an aligned place.
 */
static struct qr_chunk *find_within(struct qr_heap *heap, enum qr_kind kind, unsigned int nr,
				    unsigned int align, unsigned int *first, unsigned int *steps)
{
	unsigned int tries = align > 1 ? ALIGNED_TRIES : 1;
	const struct qr_tree *tree = &heap->tree[kind];
	unsigned long from = 0;
	struct qr_chunk *chunk;
	long leaf;

	for (; tries; tries--, from = leaf + 1) {
		leaf = qr_tree_find_leaf(tree, from, nr, steps);
		if (leaf < 0)
			return NULL;
		chunk = qr_chunk_at(leaf);
		*first = place_in(chunk, nr, align);
		if (*first + nr <= QR_CHUNK_PAGES)
			return chunk;
	}
	leaf = qr_tree_find_leaf(tree, 0, nr + align - 1, steps);
	if (leaf < 0)
		return NULL;
	chunk = qr_chunk_at(leaf);
	*first = place_in(chunk, nr, align);
	return chunk;
}

/* Find a run that may cross the end of a chunk, as large objects may. */
static struct qr_chunk *find_across(struct qr_heap *heap, enum qr_kind kind, unsigned int nr,
				    unsigned int *first, unsigned int *steps)
{
	struct qr_chunk *chunk;
	bool inside;
	long page;

	page = qr_tree_find(&heap->tree[kind], nr, &inside, steps);
	if (page < 0)
		return NULL;
	chunk = qr_chunk_at(page / QR_CHUNK_PAGES);
	*first = inside ? place_in(chunk, nr, 1) : page % QR_CHUNK_PAGES;
	return chunk;
}

bool qr_heap_first_fit(struct qr_heap *heap, enum qr_kind kind, unsigned int nr, unsigned int align,
		       struct qr_slab *owner, struct qr_run *run)
{
	unsigned int first, steps = 0;
	struct qr_chunk *chunk;
	unsigned long flags;

	preempt_disable();
	raw_spin_lock_irqsave(&heap->lock, flags);
	if (kind == QR_LARGE && align == 1)
		chunk = find_across(heap, kind, nr, &first, &steps);
	else
		chunk = find_within(heap, kind, nr, align, &first, &steps);
	if (chunk)
		qr_heap_take_run(heap, run, chunk, first, nr, owner);
	heap->searches++;
	heap->steps += steps;
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	if (chunk && unlikely(nr > QR_OWN_AT_ONCE))
		qr_heap_own_run(run, owner);
	preempt_enable();
	return chunk;
}

/* The tree gets the blocks that the chunk needs one by one, because the lock must be dropped. */
bool qr_heap_add(struct qr_heap *heap, struct qr_chunk *chunk, gfp_t gfp)
{
	struct qr_tree *tree = &heap->tree[chunk->kind];
	struct qr_tree_block *block = NULL;
	int level = -1, missing;
	unsigned long flags;

	for (;;) {
		raw_spin_lock_irqsave(&heap->lock, flags);
		missing = qr_tree_missing(tree, chunk->index);
		if (block && missing == level) {
			qr_tree_put_block(tree, chunk->index, block);
			block = NULL;
			missing = qr_tree_missing(tree, chunk->index);
		}
		if (missing < 0)
			qr_heap_add_chunk(heap, chunk);
		raw_spin_unlock_irqrestore(&heap->lock, flags);
		if (block)
			qr_tree_block_free(block, level);
		if (missing < 0)
			return true;
		level = missing;
		block = qr_tree_block_new(level, qr_gfp_chunk(gfp), heap->node);
		if (!block)
			return false;
	}
}

/* Take a run, from a new chunk if needed; with @beyond that may exceed the soft limit. */
static bool heap_get_whole(int node, enum qr_kind kind, unsigned int nr, unsigned int align,
			   gfp_t gfp, struct qr_slab *owner, struct qr_run *run, bool beyond)
{
	struct qr_heap *heap = qr_heaps[node];
	struct qr_chunk *chunk;

	/* A node that has just got its first memory has no heap yet. */
	if (unlikely(!heap))
		return false;
	do {
		if (qr_heap_first_fit(heap, kind, nr, align, owner, run))
			return true;
		if (unlikely(READ_ONCE(qr_heap_no_chunks)) ||
		    unlikely(READ_ONCE(qr_heap_is_short)) ||
		    (!beyond && qr_limit_is_near(&qr_limit_all, QR_CHUNK_PAGES)))
			return false;
		if (time_before(jiffies, READ_ONCE(heap->compact_after)))
			gfp &= ~__GFP_DIRECT_RECLAIM;
		chunk = qr_chunk_create(node, kind, gfp);
		if (chunk && !qr_heap_add(heap, chunk, gfp)) {
			qr_chunk_destroy(chunk);
			return false;
		}
		if (!chunk && (gfp & __GFP_DIRECT_RECLAIM))
			WRITE_ONCE(heap->compact_after, jiffies + HZ);
		/* Another CPU may take all of the new chunk.  Then ask for one more. */
	} while (chunk);
	return false;
}

/*
 * May a run of @kind lie in a chunk of kind @host?  Sampled objects must not lie in an ordinary
 * chunk, where their free could take the fast path, which the profiler does not see.  A large
 * object may: it has no size class and no cache, so no fast path takes its free.
 */
static bool may_lie_in(enum qr_kind kind, enum qr_kind host)
{
	return kind != QR_SAMPLED || host != QR_ORDINARY;
}

enum filled { NO_HOLE, HOLE_TAKEN, WRONG_HOLE };

/*
 * Pages that the kernel gives may lie in a hole of one of our chunks.  Then they belong to that
 * chunk again (HOLE_TAKEN), unless a run of @kind must not lie there (WRONG_HOLE).  Nor may it lie
 * where no chunk can be.
 */
static enum filled fill_hole(struct page *page, unsigned int nr, enum qr_kind kind,
			     struct qr_slab *owner, struct qr_run *run, gfp_t gfp)
{
	unsigned long i = qr_chunk_index(page_address(page)), flags;
	unsigned int first = qr_page_in_chunk(page_address(page));
	struct qr_heap *heap = qr_heaps[page_to_nid(page)];
	enum filled what = NO_HOLE;
	struct qr_chunk *chunk;

	/* The directory does not cover memory that was just added, and this context cannot wait. */
	if (!qr_directory_covers(i, gfp))
		return WRONG_HOLE;
	if (!heap)
		return NO_HOLE;
	raw_spin_lock_irqsave(&heap->lock, flags);
	chunk = qr_chunk_at(i);
	if (chunk && chunk->kind != QR_MIXED) {
		what = may_lie_in(kind, chunk->kind) ? HOLE_TAKEN : WRONG_HOLE;
		if (what == HOLE_TAKEN) {
			qr_chunk_hold_pages(page, nr);
			qr_chunk_fill(chunk, first, nr, want_init_on_alloc(gfp));
			heap->holes -= nr;
			heap->owned += nr;
			if (!chunk->nr_holes)
				list_del_init(&chunk->link);
			qr_heap_take_run(heap, run, chunk, first, nr, owner);
		}
	}
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	if (what == HOLE_TAKEN)
		qr_account_pages(nr);
	return what;
}

static void free_pages_of(struct page *page, unsigned int nr)
{
	while (nr--)
		__free_page(page + nr);
}

/* The first @nr pages of a block of 2^@order; the other pages go back to the kernel at once. */
static struct page *page_get(int node, unsigned int nr, unsigned int order, gfp_t gfp)
{
	struct page *page = alloc_pages_node(node, gfp, order);

	if (page) {
		split_page(page, order);
		free_pages_of(page + nr, (1u << order) - nr);
	}
	return page;
}

/*
 * The kernel gives out first the pages that it got back last, which often are those that just
 * left holes.  Pages of a wrong hole are kept aside, up to HOLE_TRIES times and ASIDE_MAX pages,
 * so that the kernel gives others.  The last try asks for a whole block of a chunk's size:
 * a block that is entirely free has no page of a chunk in it, and so no hole.
 */
#define HOLE_TRIES 128
#define ASIDE_MAX  QR_CHUNK_PAGES

/* Pages that may serve @kind, or NULL.  If *@what is HOLE_TAKEN, @run is set already. */
static struct page *page_get_for(int node, enum qr_kind kind, unsigned int nr, unsigned int order,
				 gfp_t gfp, struct qr_slab *owner, struct qr_run *run,
				 enum filled *what)
{
	struct page *page, *other, *next;
	unsigned int tries = 0;
	LIST_HEAD(aside);

	while ((page = page_get(node, nr, order, gfp))) {
		*what = fill_hole(page, nr, kind, owner, run, gfp);
		if (*what != WRONG_HOLE)
			break;
		list_add(&page->lru, &aside);
		page = NULL;
		if (order == QR_CHUNK_ORDER)
			break;
		if (++tries < HOLE_TRIES && tries * nr < ASIDE_MAX)
			continue;
		order = QR_CHUNK_ORDER;
		gfp &= ~(__GFP_NOFAIL | __GFP_DIRECT_RECLAIM);
	}
	list_for_each_entry_safe(other, next, &aside, lru) {
		list_del(&other->lru);
		free_pages_of(other, nr);
	}
	return page;
}

/*
 * Take @nr pages in a row from the kernel, wherever they lie: in a mixed chunk or in a hole.
 * @gfp says whether other nodes may serve.
 */
static bool heap_get_mixed(int node, enum qr_kind kind, unsigned int nr, unsigned int align,
			   gfp_t gfp, struct qr_slab *owner, struct qr_run *run)
{
	unsigned int order = get_order((unsigned long)max(nr, align) << PAGE_SHIFT);
	/* The kernel supports __GFP_NOFAIL for one or two pages only. */
	gfp_t ask = order > 1 ? gfp & ~__GFP_NOFAIL : gfp;
	enum filled what = NO_HOLE;
	struct page *page;

	if (is_refused(gfp) || !qr_limit_charge(nr, gfp))
		return false;
	page = page_get_for(node, kind, nr, order, ask, owner, run, &what);
	if (!page)
		goto no_page;
	if (what == HOLE_TAKEN)
		return true;
	run->chunk = qr_mixed_get(page, nr, owner, ask);
	if (!run->chunk)
		goto no_chunk;
	run->first = qr_page_in_chunk(page_address(page));
	run->nr = nr;
	run->zeroed = want_init_on_alloc(gfp);
	run->access = QR_NO_ACCESS;
	return true;

no_chunk:
	free_pages_of(page, nr);
no_page:
	qr_limit_uncharge(nr);
	return false;
}

/*
 * Take pages with the caller's access to the emergency reserves, after requests without access
 * have failed.
 */
static bool heap_get_emergency(int node, enum qr_kind kind, unsigned int nr, unsigned int align,
			       gfp_t gfp, struct qr_slab *owner, struct qr_run *run)
{
	if (!heap_get_mixed(node, kind, nr, align, gfp, owner, run))
		return false;
	run->access = qr_access_of(gfp);
	return true;
}

#define ROOM_MAX 1024UL /* pages that qr_heap_make_room() gives back in one round */

void qr_heap_make_room(int node, unsigned int nr, gfp_t gfp)
{
	qr_heap_help_fn helper = READ_ONCE(qr_heap_helper);
	bool may_sleep = gfpflags_allow_blocking(gfp);
	unsigned long want, done;

	do {
		want = min(qr_limit_excess(&qr_limit_all, nr), ROOM_MAX);
		done = qr_heaps_release(node, want);
		if (done < want && helper && may_sleep)
			done += helper(node, want - done);
		if (may_sleep)
			cond_resched();
		/* More rounds are needed when a limit was set far below what is held. */
	} while (done && may_sleep && qr_limit_is_full(&qr_limit_all, nr));
}

bool qr_heap_get(struct qr_run *run, struct qr_slab *owner, enum qr_kind kind, int node,
		 unsigned int nr, unsigned int least, unsigned int align, gfp_t gfp)
{
	gfp_t full = (gfp & (QR_GFP_MASK | __GFP_THISNODE)) | __GFP_NOWARN;
	gfp_t squeeze = qr_gfp_humble(full & ~__GFP_NOFAIL);
	gfp_t lean = squeeze & ~(__GFP_DIRECT_RECLAIM | __GFP_THISNODE);
	int other;

	/*
	 * First memory of @node, with one light attempt of the kernel at making a free block
	 * but no reclaim of single pages.  Then memory of other nodes.  Then everything that
	 * the caller's flags allow, and at last the emergency reserves.
	 */
	if (heap_get_whole(node, kind, nr, align, gfp, owner, run, false))
		return true;
	/* Near the soft limit no new chunk is taken.  Idle pages, of any node, make room. */
	if (qr_limit_is_near(&qr_limit_all, QR_CHUNK_PAGES)) {
		if (qr_limit_is_near(&qr_limit_all, nr))
			qr_heap_make_room(node, nr, gfp);
		qr_limit_hit_soft(&qr_limit_all, "all");
	}
	if (heap_get_mixed(node, kind, nr, align, lean | __GFP_THISNODE, owner, run))
		return true;
	if (!(gfp & __GFP_THISNODE)) {
		for_each_node_mask(other, qr_nodes)
			if (other != node &&
			    heap_get_whole(other, kind, nr, align, lean, owner, run, false))
				return true;
	}
	if (qr_limit_is_full(&qr_limit_all, nr))
		qr_heap_make_room(node, nr, gfp);
	if (heap_get_mixed(node, kind, nr, align, squeeze, owner, run))
		return true;
	if (least < nr && heap_get_mixed(node, kind, least, align, squeeze, owner, run))
		return true;
	/* Exceed the soft limit rather than fail. */
	if (qr_limit_is_near(&qr_limit_all, QR_CHUNK_PAGES) &&
	    heap_get_whole(node, kind, nr, align, squeeze, owner, run, true))
		return true;
	if (qr_access_of(gfp) &&
	    heap_get_emergency(node, kind, least, align, full & ~__GFP_NOFAIL, owner, run))
		return true;
	if (qr_limit_is_full(&qr_limit_all, least))
		qr_limit_hit_hard(&qr_limit_all, "all");
	if (!(gfp & __GFP_NOFAIL) || !gfpflags_allow_blocking(gfp))
		return false;
	while (!heap_get_emergency(node, kind, least, align, full, owner, run))
		msleep(20);
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_get);

void qr_heap_put(const struct qr_run *run)
{
	struct qr_chunk *chunk = run->chunk;
	struct qr_run rest = *run;
	struct qr_heap *heap;
	unsigned long flags;
	bool news;

	if (chunk->kind == QR_MIXED) {
		qr_mixed_put(chunk, run->first, run->nr);
		return;
	}
	if (unlikely(run->access)) {
		qr_heap_expel(run);
		return;
	}
	heap = qr_heaps[chunk->node];
	do {
		struct qr_run part = rest;

		if (unlikely(rest.nr > QR_OWN_AT_ONCE))
			part = qr_run_cut(&rest);
		else
			rest.nr = 0;
		raw_spin_lock_irqsave(&heap->lock, flags);
		qr_heap_put_run(heap, &part);
		news = qr_heap_has_news(heap);
		raw_spin_unlock_irqrestore(&heap->lock, flags);
		if (unlikely(news))
			qr_heap_watcher();
	} while (unlikely(rest.nr));
}
EXPORT_SYMBOL_QUARRY_TEST(qr_heap_put);
