// SPDX-License-Identifier: GPL-2.0
/* Large objects that are long runs: more pages side by side than a chunk has. */
#include "tests/kunit_util.h"

#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include "view/snapshot.h"

static void start_empty(void)
{
	qr_drain_all();
	qr_heap_release_idle();
}

static int count_it(const struct qr_object *o, void *arg)
{
	const void **p = arg;

	if (o->ptr == p[0]) {
		p[1]++;
		p[2] = (void *)(unsigned long)o->size;
	}
	return 0;
}

/* A walk over all objects finds @p once, with this size. */
static void expect_in_dump(struct kunit *test, const void *p, size_t size)
{
	const void *found[3] = { p };

	KUNIT_ASSERT_EQ(test, 0, qr_walk_objects(false, count_it, found));
	KUNIT_EXPECT_EQ(test, 1, (unsigned long)found[1]);
	KUNIT_EXPECT_EQ(test, size, (unsigned long)found[2]);
}

static void check_row(struct kunit *test, void *p, size_t size)
{
	size_t given = PAGE_ALIGN(size), at;
	struct qr_slab *slab = qr_slab_of(p);

	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_EXPECT_EQ(test, given, quarry_usable_size(p));
	if (given > SZ_2M)
		KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(p + SZ_2M));
	for (at = 0; at < given; at += PAGE_SIZE) {
		KUNIT_ASSERT_PTR_EQ(test, slab, qr_slab_of(p + at));
		KUNIT_ASSERT_EQ(test, qt_node_of(p), qt_node_of(p + at));
		KUNIT_ASSERT_EQ(test, QR_LARGE, qr_chunk_at(qr_chunk_index(p + at))->kind);
	}
	qt_fill(p, given, size);
}

static void sizes_over_a_chunk(struct kunit *test)
{
	static const size_t sizes[] = {
		SZ_2M - 1,	   SZ_2M, SZ_2M + 1, SZ_2M + PAGE_SIZE,
		SZ_4M - PAGE_SIZE, SZ_4M, SZ_4M + 1, 5 * SZ_1M,
		SZ_8M - 1,	   SZ_8M, SZ_8M + 1, SZ_16M,
	};
	struct quarry_stats *before, *st;
	void *p[ARRAY_SIZE(sizes)];
	u64 bytes = 0, n = 0;
	unsigned int i;

	start_empty();
	before = qt_stats(test);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p[i] = quarry_malloc(sizes[i], GFP_KERNEL | __GFP_NOWARN);
		if (!p[i] && sizes[i] > SZ_4M) {
			kunit_info(test, "%zu bytes in a row are not to be had\n", sizes[i]);
			continue;
		}
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		check_row(test, p[i], sizes[i]);
		expect_in_dump(test, p[i], PAGE_ALIGN(sizes[i]));
		bytes += PAGE_ALIGN(sizes[i]);
		n++;
	}
	KUNIT_EXPECT_GT_MSG(test, n, 6, "nothing above 4 MiB");
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->large_objects + n, st->large_objects);
	KUNIT_EXPECT_EQ(test, before->large_bytes + bytes, st->large_bytes);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes + bytes, st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, before->mapped_objects, st->mapped_objects);
	qt_exit(test);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (p[i])
			KUNIT_EXPECT_TRUE(test, qt_is_filled(p[i], PAGE_ALIGN(sizes[i]), sizes[i]));
		quarry_free(p[i]);
	}
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->large_bytes, st->large_bytes);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes, st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, before->live_bytes, st->live_bytes);
}

static void no_more_is_taken_than_needed(struct kunit *test)
{
	static const size_t sizes[] = { SZ_2M + 1, SZ_4M, SZ_4M + 1, 5 * SZ_1M, SZ_8M + 1, SZ_16M };
	struct quarry_stats *before;
	unsigned int i;
	void *p, *q;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 need = DIV_ROUND_UP(sizes[i], SZ_2M);

		start_empty();
		before = qt_stats(test);
		p = quarry_malloc(sizes[i], GFP_KERNEL | __GFP_NOWARN);
		KUNIT_EXPECT_EQ(test, before->chunks + (p ? need : 0), qt_stats(test)->chunks);
		quarry_free(p);
		if (!p)
			continue;
		/* The chunks stay with the heap and serve the next allocation. */
		q = quarry_malloc(sizes[i], GFP_KERNEL);
		KUNIT_EXPECT_PTR_EQ(test, p, q);
		KUNIT_EXPECT_EQ(test, before->chunks + need, qt_stats(test)->chunks);
		quarry_free(q);
	}
}

static void zeroed_rows(struct kunit *test)
{
	unsigned int i;
	void *p;

	for (i = 0; i < 3; i++) {
		p = quarry_zalloc(3 * SZ_1M, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_TRUE(test, qt_is_zero(p, 3 * SZ_1M));
		memset(p, 0xa5, 3 * SZ_1M);
		quarry_free(p);
	}
}

static void node_of_rows(struct kunit *test)
{
	int node;
	void *p;

	for_each_node_mask(node, qr_nodes) {
		p = quarry_malloc_node(SZ_4M, GFP_KERNEL | __GFP_THISNODE, node);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_EQ(test, node, qt_node_of(p));
		KUNIT_EXPECT_EQ(test, node, qt_node_of(p + SZ_4M - 1));
		quarry_free(p);
	}
}

/* --- When blocks do not lie side by side --- */

#define BLOCK_ORDER (QR_CHUNK_ORDER + 1)

struct blocks {
	struct list_head list;
	unsigned int nr;
};

static int by_pfn(void *unused, const struct list_head *a, const struct list_head *b)
{
	return list_entry(a, struct page, lru) > list_entry(b, struct page, lru);
}

static void put_blocks(void *arg)
{
	struct blocks *b = arg;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &b->list, lru)
		__free_pages(page, BLOCK_ORDER);
	INIT_LIST_HEAD(&b->list);
}

/* Take every second one of the node's largest free blocks, so that none lie side by side. */
static struct blocks *take_blocks(struct kunit *test, int node)
{
	gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN | __GFP_THISNODE;
	struct blocks *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);
	struct page *page, *next;
	unsigned int i = 0;

	KUNIT_ASSERT_NOT_NULL(test, b);
	INIT_LIST_HEAD(&b->list);
	while ((page = alloc_pages_node(node, gfp, BLOCK_ORDER))) {
		list_add(&page->lru, &b->list);
		b->nr++;
	}
	list_sort(NULL, &b->list, by_pfn);
	list_for_each_entry_safe(page, next, &b->list, lru) {
		if (i++ & 1)
			continue;
		list_del(&page->lru);
		__free_pages(page, BLOCK_ORDER);
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_blocks, b));
	return b;
}

static void in_vain(struct kunit *test)
{
	gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN | __GFP_THISNODE;
	int node = qt_other_node(test, first_node(qr_nodes));
	struct quarry_stats *before, *st;
	struct blocks *b;
	void *p;

	start_empty();
	b = take_blocks(test, node);
	if (b->nr < 8)
		kunit_skip(test, "no more than %u blocks of 4 MiB", b->nr);
	before = qt_stats(test);
	/* At most a block and two halves can lie side by side, which is not enough for this. */
	p = quarry_malloc_node(SZ_8M + 1, gfp, node);
	KUNIT_EXPECT_NULL(test, p);
	st = qt_stats(test);
	rcu_barrier();
	KUNIT_EXPECT_GE_MSG(test, st->taken_bytes, before->taken_bytes + 3 * SZ_4M, "not tried");
	KUNIT_EXPECT_EQ(test, before->chunks, st->chunks);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes, st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, before->idle_bytes, st->idle_bytes);
	KUNIT_EXPECT_EQ(test, before->failed_allocs + 1, st->failed_allocs);
	p = quarry_malloc_node(SZ_4M, gfp, node);
	KUNIT_EXPECT_NOT_NULL(test, p);
	quarry_free(p);
	/* A long run fails in spite of __GFP_NOFAIL: it does not wait for ever. */
	p = quarry_malloc_node(QUARRY_MAX_LARGE, GFP_KERNEL | __GFP_NOFAIL | __GFP_THISNODE, node);
	KUNIT_EXPECT_NULL(test, p);
	quarry_free(p);
	put_blocks(b);
}

static struct kunit_case cases[] = { KUNIT_CASE(sizes_over_a_chunk),
				     KUNIT_CASE(no_more_is_taken_than_needed),
				     KUNIT_CASE(zeroed_rows),
				     KUNIT_CASE(node_of_rows),
				     KUNIT_CASE(in_vain),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite large_suite = {
	.name = "quarry_large",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(large_suite);
