// SPDX-License-Identifier: GPL-2.0
/*
 * Chunks.  See chunk.h for their kinds, and directory.h for how they are found.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "pages/chunk.h"

#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/nodemask.h>
#include <linux/page_ref.h>
#include <linux/printk.h>
#include <linux/spinlock.h>
#include "compat.h"
#include "core/limit.h"
#include "core/metadata.h"
#include "pages/directory.h"

static struct kmem_cache *descriptors;

nodemask_t qr_nodes;
EXPORT_SYMBOL_QUARRY_TEST(qr_nodes);

atomic_long_t qr_mixed_pages[MAX_NUMNODES];

DEFINE_RAW_SPINLOCK(qr_mixed_lock);

static struct qr_chunk *chunk_new(struct page *page, int node, enum qr_kind kind, gfp_t gfp)
{
	unsigned long index = qr_chunk_index(page_address(page));
	struct qr_chunk *chunk;

	if (!qr_directory_covers(index, gfp) || !qr_directory_prepare(index, gfp))
		return NULL;
	chunk = qr_meta_cache_alloc(descriptors, gfp, node);
	if (!chunk)
		return NULL;
	chunk->page = page;
	chunk->index = index;
	chunk->node = node;
	chunk->kind = kind;
	chunk->longest = QR_CHUNK_PAGES;
	INIT_LIST_HEAD(&chunk->link);
	return chunk;
}

static void chunk_free_rcu(struct rcu_head *rcu)
{
	qr_meta_cache_free(descriptors, container_of(rcu, struct qr_chunk, rcu));
}

/*
 * The kernel may hold a reference of its own for a moment, for a page that it looks up without a
 * lock.  So Quarry's are added atomically.
 */
void qr_chunk_hold_pages(struct page *page, unsigned int nr)
{
	while (nr--)
		page_ref_add(page++, QR_PAGE_BIAS);
}

int qr_page_lost_refs(const struct page *page)
{
	return max_t(int, QR_PAGE_REFS - page_ref_count(page), 0);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_page_lost_refs);

struct qr_chunk *qr_chunk_create(int node, enum qr_kind kind, gfp_t gfp)
{
	struct qr_chunk *chunk;
	struct page *page;

	gfp = qr_gfp_chunk(gfp);
	if (!qr_limit_charge(QR_CHUNK_PAGES, gfp))
		return NULL;
	page = alloc_pages_node(node, gfp | __GFP_THISNODE, QR_CHUNK_ORDER);
	if (!page)
		goto no_page;
	chunk = chunk_new(page, node, kind, gfp);
	if (!chunk)
		goto no_chunk;
	/* Clients may take references on single pages of an object. */
	split_page(page, QR_CHUNK_ORDER);
	qr_chunk_hold_pages(page, QR_CHUNK_PAGES);
	if (want_init_on_alloc(gfp))
		bitmap_fill(chunk->fresh, QR_CHUNK_PAGES);
	qr_account_pages(QR_CHUNK_PAGES);
	return chunk;

no_chunk:
	__free_pages(page, QR_CHUNK_ORDER);
no_page:
	qr_limit_uncharge(QR_CHUNK_PAGES);
	return NULL;
}

/* Drop all of Quarry's references on a page but one. */
static void unbias_page(struct page *page)
{
	int lost = qr_page_lost_refs(page);

	if (unlikely(lost)) {
		pr_err_ratelimited("page %p was freed %d times by code that does not own it\n",
				   page_address(page), lost);
		page_ref_add(page, lost);
	}
	page_ref_sub(page, QR_PAGE_BIAS);
}

/*
 * Make the @nr pages one block again, of which the first page has the references.  False if
 * another page has more or fewer references than Quarry's.
 */
static bool unsplit_page(struct page *page, unsigned int nr)
{
	unsigned int i;

	for (i = 1; i < nr; i++) {
		if (page_ref_freeze(page + i, QR_PAGE_REFS))
			continue;
		while (--i)
			page_ref_unfreeze(page + i, QR_PAGE_REFS);
		return false;
	}
	return true;
}

static void release_block(struct page *page, unsigned int order)
{
	unsigned int i;

	if (unsplit_page(page, 1U << order)) {
		unbias_page(page);
		__free_pages(page, order);
		return;
	}
	for (i = 0; i < 1U << order; i++) {
		unbias_page(page + i);
		__free_page(page + i);
	}
}

/*
 * Pages are freed in blocks as large as possible.  Single pages would stay in the kernel's
 * per-CPU page lists, where MemFree does not count them.
 */
void qr_chunk_release_pages(struct page *page, unsigned int nr)
{
	qr_account_pages(-(long)nr);
	qr_limit_uncharge(nr);
	while (nr) {
		unsigned int order = min_t(unsigned int, __ffs(page_to_pfn(page) | QR_CHUNK_PAGES),
					   ilog2(nr));

		release_block(page, order);
		page += 1U << order;
		nr -= 1U << order;
	}
}

void qr_chunk_attach(struct qr_chunk *chunk)
{
	if (chunk->kind == QR_ORDINARY)
		qr_view_attach(chunk);
	else
		qr_directory_set(chunk->index, chunk);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_chunk_attach);

void qr_chunk_detach(struct qr_chunk *chunk)
{
	if (chunk->kind == QR_ORDINARY)
		qr_view_detach(chunk);
	else
		qr_directory_set(chunk->index, NULL);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_chunk_detach);

unsigned int qr_chunk_destroy(struct qr_chunk *chunk)
{
	unsigned int first, last, pages = QR_CHUNK_PAGES - chunk->nr_holes;

	for_each_clear_bitrange(first, last, chunk->holes, QR_CHUNK_PAGES)
		qr_chunk_release_pages(chunk->page + first, last - first);
	call_rcu(&chunk->rcu, chunk_free_rcu);
	return pages;
}

void qr_chunk_dig(struct qr_chunk *chunk, unsigned int page, unsigned int nr)
{
	bitmap_set(chunk->used, page, nr);
	bitmap_set(chunk->holes, page, nr);
	bitmap_clear(chunk->fresh, page, nr);
	chunk->nr_holes += nr;
}

void qr_chunk_fill(struct qr_chunk *chunk, unsigned int page, unsigned int nr, bool fresh)
{
	bitmap_clear(chunk->used, page, nr);
	bitmap_clear(chunk->holes, page, nr);
	if (fresh)
		bitmap_set(chunk->fresh, page, nr);
	chunk->nr_holes -= nr;
}

void qr_chunk_set_owner(struct qr_chunk *chunk, unsigned int page, unsigned int nr,
			struct qr_slab *owner)
{
	unsigned int i;

	for (i = page; i < page + nr; i++)
		WRITE_ONCE(chunk->slab[i], owner);
}

void qr_chunk_own(struct qr_chunk *chunk, unsigned int page, unsigned int nr, struct qr_slab *owner)
{
	bitmap_set(chunk->used, page, nr);
	chunk->nr_used += nr;
	if (likely(owner))
		qr_chunk_set_owner(chunk, page, nr, owner);
}

void qr_chunk_disown(struct qr_chunk *chunk, unsigned int page, unsigned int nr)
{
	unsigned int i;

	for (i = page; i < page + nr; i++) {
		WRITE_ONCE(chunk->class[i], 0);
		WRITE_ONCE(chunk->slab[i], NULL);
	}
	bitmap_clear(chunk->used, page, nr);
	chunk->nr_used -= nr;
}

struct qr_chunk *qr_mixed_get(struct page *page, unsigned int nr, struct qr_slab *owner, gfp_t gfp)
{
	unsigned long i = qr_chunk_index(page_address(page));
	struct qr_chunk *chunk, *new = NULL;
	unsigned long flags;

again:
	raw_spin_lock_irqsave(&qr_mixed_lock, flags);
	chunk = qr_chunk_at(i);
	if (!chunk && new) {
		chunk = new;
		new = NULL;
		qr_directory_set(i, chunk);
	}
	if (chunk) {
		qr_chunk_hold_pages(page, nr);
		qr_chunk_own(chunk, qr_page_in_chunk(page_address(page)), nr, owner);
	}
	raw_spin_unlock_irqrestore(&qr_mixed_lock, flags);
	if (!chunk) {
		new = chunk_new(pfn_to_page(round_down(page_to_pfn(page), QR_CHUNK_PAGES)),
				page_to_nid(page), QR_MIXED, gfp);
		if (!new)
			return NULL;
		goto again;
	}
	if (new)
		qr_meta_cache_free(descriptors, new);
	qr_account_pages(nr);
	atomic_long_add(nr, &qr_mixed_pages[page_to_nid(page)]);
	return chunk;
}

void qr_mixed_put(struct qr_chunk *chunk, unsigned int page, unsigned int nr)
{
	unsigned long flags;
	bool last;

	atomic_long_sub(nr, &qr_mixed_pages[page_to_nid(chunk->page + page)]);
	raw_spin_lock_irqsave(&qr_mixed_lock, flags);
	qr_chunk_disown(chunk, page, nr);
	last = !chunk->nr_used;
	if (last)
		qr_directory_set(chunk->index, NULL);
	raw_spin_unlock_irqrestore(&qr_mixed_lock, flags);
	qr_chunk_release_pages(chunk->page + page, nr);
	if (last)
		call_rcu(&chunk->rcu, chunk_free_rcu);
}

int qr_chunks_init(void)
{
	int err;

	BUILD_BUG_ON(QR_CHUNK_ORDER > QR_COMPAT_MAX_ORDER);

	qr_nodes = node_states[N_MEMORY];
	descriptors = qr_meta_cache_create("quarry_chunk", sizeof(struct qr_chunk), true);
	if (!descriptors)
		return -ENOMEM;
	err = qr_directory_init();
	if (err)
		kmem_cache_destroy(descriptors);
	return err;
}

void qr_chunks_exit(void)
{
	rcu_barrier(); /* chunk_free_rcu() is code of this module */
	kmem_cache_destroy(descriptors);
	qr_directory_exit();
}

bool qr_chunk_create_pair(struct qr_chunk *pair[2], int node, gfp_t gfp)
{
	unsigned int order = QR_CHUNK_ORDER + 1, i;
	struct page *page;

	if (order > QR_COMPAT_MAX_ORDER)
		return false;
	gfp = qr_gfp_chunk(gfp);
	if (!qr_limit_charge(2 * QR_CHUNK_PAGES, gfp))
		return false;
	page = alloc_pages_node(node, gfp | __GFP_THISNODE, order);
	if (!page)
		goto no_page;
	pair[0] = chunk_new(page, node, QR_LARGE, gfp);
	if (!pair[0])
		goto no_chunk;
	pair[1] = chunk_new(page + QR_CHUNK_PAGES, node, QR_LARGE, gfp);
	if (!pair[1]) {
		qr_meta_cache_free(descriptors, pair[0]);
		goto no_chunk;
	}
	split_page(page, order);
	qr_chunk_hold_pages(page, 2 * QR_CHUNK_PAGES);
	qr_account_pages(2 * QR_CHUNK_PAGES);
	for (i = 0; i < 2; i++)
		if (want_init_on_alloc(gfp))
			bitmap_fill(pair[i]->fresh, QR_CHUNK_PAGES);
	return true;

no_chunk:
	__free_pages(page, order);
no_page:
	qr_limit_uncharge(2 * QR_CHUNK_PAGES);
	return false;
}
