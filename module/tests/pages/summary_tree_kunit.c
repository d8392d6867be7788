// SPDX-License-Identifier: GPL-2.0
/* The summary tree, compared with maps that are searched page by page. */
#include "tests/kunit_util.h"

#include <linux/bitmap.h>
#include <linux/random.h>
#include "core/metadata.h"
#include "pages/summary_tree.h"

#define LEAF   8    /* pages: with small leaves, a small map makes a deep tree */
#define LEAVES 4500 /* three levels; the last entry of each sums up fewer than 64 entries */
#define PAGES  (LEAVES * LEAF)
#define MOST   700 /* pages in a row: more than an entry of the second level sums up */
#define STEPS  100000

/**
 * struct model - a tree, and the maps that it sums up
 * @tree: the tree
 * @used: bit set for each page in use
 * @inner: for each leaf the length of its longest free run
 */
struct model {
	struct qr_tree tree;
	DECLARE_BITMAP(used, PAGES);
	u8 inner[LEAVES];
};

static void model_exit(void *arg)
{
	struct model *m = arg;

	qr_tree_exit(&m->tree);
}

static struct model *model_new(struct kunit *test)
{
	struct model *m = qt_array(test, 1, sizeof(*m));
	unsigned int leaf;

	qr_tree_init(&m->tree, LEAF);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, model_exit, m));
	/* From the highest leaf down, and from the lowest up: the tree grows in both ways. */
	for (leaf = 0; leaf < LEAVES; leaf++) {
		unsigned int at = leaf % 2 ? LEAVES - 1 - leaf / 2 : leaf / 2;

		KUNIT_ASSERT_EQ(test, 0, qr_tree_cover(&m->tree, at, GFP_KERNEL));
	}
	KUNIT_ASSERT_EQ(test, 3, m->tree.levels);
	bitmap_fill(m->used, PAGES);
	return m;
}

/* The same as qr_sum_of(), page by page. */
static struct qr_sum naive_sum(const unsigned long *used, unsigned int pages)
{
	struct qr_sum sum = {};
	unsigned int i, row = 0;

	for (i = 0; i < pages; i++) {
		row = test_bit(i, used) ? 0 : row + 1;
		sum.longest = max(sum.longest, row);
		if (row == i + 1)
			sum.start = row;
	}
	sum.end = row;
	sum.inner = sum.longest;
	return sum;
}

static void expect_sum(struct kunit *test, const unsigned long *used, unsigned int pages)
{
	struct qr_sum want = naive_sum(used, pages), got = qr_sum_of(used, pages);

	KUNIT_ASSERT_EQ_MSG(test, want.start, got.start, "%*pb", pages, used);
	KUNIT_ASSERT_EQ_MSG(test, want.end, got.end, "%*pb", pages, used);
	KUNIT_ASSERT_EQ_MSG(test, want.longest, got.longest, "%*pb", pages, used);
	KUNIT_ASSERT_EQ_MSG(test, want.inner, got.inner, "%*pb", pages, used);
}

/* Fill [@from, @to) with random runs of free and used pages, mostly short ones. */
static void random_runs(unsigned long *used, unsigned int from, unsigned int to)
{
	while (from < to) {
		unsigned int n = 1 + get_random_u32_below(1 << get_random_u32_below(10));

		n = min(n, to - from);
		if (get_random_u32_below(2))
			bitmap_set(used, from, n);
		else
			bitmap_clear(used, from, n);
		from += n;
	}
}

static void sums_of_maps(struct kunit *test)
{
	static const unsigned int sizes[] = { 1, 8, 63, 64, 65, 100, 128, 511, 512 };
	DECLARE_BITMAP(used, 512);
	unsigned int i, k;

	for (k = 0; k < ARRAY_SIZE(sizes); k++) {
		unsigned int pages = sizes[k];

		bitmap_zero(used, 512);
		expect_sum(test, used, pages);
		/* Bits beyond @pages are ignored. */
		bitmap_set(used, 0, pages);
		expect_sum(test, used, pages);
		for (i = 0; i < pages; i++) {
			bitmap_zero(used, 512);
			__set_bit(i, used);
			expect_sum(test, used, pages);
			bitmap_complement(used, used, 512);
			expect_sum(test, used, pages);
		}
		for (i = 0; i < 300; i++) {
			random_runs(used, 0, 512);
			expect_sum(test, used, pages);
		}
		cond_resched();
	}
}

static void model_set(struct model *m, unsigned int leaf)
{
	unsigned long map = bitmap_get_value8(m->used, leaf * LEAF);
	struct qr_sum sum = qr_sum_of(&map, LEAF);

	m->inner[leaf] = sum.inner;
	qr_tree_set(&m->tree, leaf, &sum);
}

static void model_set_pages(struct model *m, unsigned int first, unsigned int nr)
{
	unsigned int leaf;

	for (leaf = first / LEAF; leaf <= (first + nr - 1) / LEAF; leaf++)
		model_set(m, leaf);
}

/* Ask the tree, and the leaf's map if needed.  Returns a page, or -1. */
static long tree_find(struct kunit *test, const struct model *m, unsigned int nr)
{
	unsigned int steps = 0, at;
	unsigned long map;
	bool inside;
	long page;

	page = qr_tree_find(&m->tree, nr, &inside, &steps);
	KUNIT_ASSERT_LE(test, steps, 2 * QR_TREE_FANOUT * m->tree.levels);
	if (page < 0 || !inside)
		return page;
	KUNIT_ASSERT_EQ(test, 0, page % LEAF);
	map = bitmap_get_value8(m->used, page);
	at = bitmap_find_next_zero_area(&map, LEAF, 0, nr, 0);
	KUNIT_ASSERT_LE(test, at + nr, LEAF);
	return page + at;
}

static long naive_find(struct model *m, unsigned int nr)
{
	unsigned long page = bitmap_find_next_zero_area(m->used, PAGES, 0, nr, 0);

	return page + nr <= PAGES ? page : -1;
}

static void expect_leaf(struct kunit *test, const struct model *m)
{
	unsigned int nr = 1 + get_random_u32_below(LEAF + 1), steps = 0;
	unsigned int from = get_random_u32_below(LEAVES), want = from;

	while (want < LEAVES && m->inner[want] < nr)
		want++;
	KUNIT_ASSERT_EQ(test, want < LEAVES ? (long)want : -1,
			qr_tree_find_leaf(&m->tree, from, nr, &steps));
	KUNIT_ASSERT_LE(test, steps, 2 * QR_TREE_FANOUT * m->tree.levels);
}

/*
 * Pages are taken first fit and given back at random.  Whole leaves come and go, as chunks do.
 * Phases with many free pages alternate with phases with few.
 */
static void random_operations_match_model(struct kunit *test)
{
	struct model *m = model_new(test);
	unsigned int i, found = 0, crossing = 0;

	for (i = 0; i < STEPS; i++) {
		bool growing = i / 5000 % 2;
		unsigned int nr = 1 + get_random_u32_below(1 << get_random_u32_below(11));
		unsigned int what = get_random_u32_below(8), first;
		long page;

		nr = min(nr, MOST);
		if (what < (growing ? 6 : 3)) {
			page = naive_find(m, nr);
			KUNIT_ASSERT_EQ_MSG(test, page, tree_find(test, m, nr), "%u pages, step %u",
					    nr, i);
			if (page < 0)
				continue;
			found++;
			crossing += page / LEAF != (page + nr - 1) / LEAF;
			bitmap_set(m->used, page, nr);
			model_set_pages(m, page, nr);
		} else if (what < 7) {
			first = get_random_u32_below(PAGES - nr);
			bitmap_clear(m->used, first, nr);
			model_set_pages(m, first, nr);
		} else {
			first = get_random_u32_below(LEAVES);
			bitmap_set(m->used, first * LEAF, LEAF);
			model_set(m, first);
		}
		if (!(i % 8))
			expect_leaf(test, m);
		if (!(i % 1000)) {
			KUNIT_ASSERT_TRUE(test, qr_tree_is_consistent(&m->tree));
			cond_resched();
		}
	}
	KUNIT_ASSERT_TRUE(test, qr_tree_is_consistent(&m->tree));
	kunit_info(test, "%u runs found, %u of them over leaves\n", found, crossing);
	KUNIT_EXPECT_GT(test, found, STEPS / 10);
	KUNIT_EXPECT_GT(test, crossing, STEPS / 100);
}

static void all_or_nothing(struct kunit *test)
{
	struct model *m = model_new(test);
	unsigned int steps = 0, leaf;
	bool inside;

	KUNIT_EXPECT_EQ(test, -1, qr_tree_find(&m->tree, 1, &inside, &steps));
	KUNIT_EXPECT_EQ(test, -1, qr_tree_find_leaf(&m->tree, 0, 1, &steps));
	bitmap_zero(m->used, PAGES);
	for (leaf = 0; leaf < LEAVES; leaf++)
		model_set(m, leaf);
	KUNIT_EXPECT_TRUE(test, qr_tree_is_consistent(&m->tree));
	KUNIT_EXPECT_EQ(test, 0, tree_find(test, m, PAGES));
	KUNIT_EXPECT_EQ(test, -1, tree_find(test, m, PAGES + 1));
	KUNIT_EXPECT_EQ(test, LEAVES - 1, qr_tree_find_leaf(&m->tree, LEAVES - 1, LEAF, &steps));
	KUNIT_EXPECT_EQ(test, -1, qr_tree_find_leaf(&m->tree, 0, LEAF + 1, &steps));
}

/* Half a million leaves of 2 MiB: the number of steps does not grow with the memory. */
static void a_terabyte_takes_few_steps(struct kunit *test)
{
	static const struct qr_sum half = { 1, 0, 1, 1 }, nothing,
				   whole = { QR_CHUNK_PAGES, QR_CHUNK_PAGES, QR_CHUNK_PAGES,
					     QR_CHUNK_PAGES };
	unsigned long leaves = 1UL << (40 - QR_CHUNK_SHIFT), i;
	struct model *m = qt_array(test, 1, sizeof(*m));
	unsigned int steps, most = 0;
	bool inside;

	qr_tree_init(&m->tree, QR_CHUNK_PAGES);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, model_exit, m));
	for (i = 0; i < leaves; i++) {
		if (qr_tree_cover(&m->tree, i, GFP_KERNEL | __GFP_NORETRY))
			kunit_skip(test, "no memory for such a tree");
		qr_tree_set(&m->tree, i, &half);
	}
	for (i = 0; i < 2000; i++) {
		unsigned long leaf = get_random_u32_below(leaves);

		qr_tree_set(&m->tree, leaf, &whole);
		steps = 0;
		KUNIT_ASSERT_EQ(test, leaf, qr_tree_find_leaf(&m->tree, 0, 2, &steps));
		most = max(most, steps);
		steps = 0;
		KUNIT_ASSERT_EQ(test, leaf * QR_CHUNK_PAGES,
				qr_tree_find(&m->tree, QR_CHUNK_PAGES, &inside, &steps));
		most = max(most, steps);
		qr_tree_set(&m->tree, leaf, i % 2 ? &half : &nothing);
	}
	kunit_info(test, "%u levels, at most %u steps\n", m->tree.levels, most);
	KUNIT_EXPECT_LE(test, most, QR_TREE_FANOUT * m->tree.levels);
}

/* A tree over any span costs what its used parts cost. */
static void a_span_without_memory_costs_nothing(struct kunit *test)
{
	static const unsigned long leaves[] = { 3, BIT(25) - 1, BIT(24) + 70, BIT(35) };
	static const struct qr_sum whole = { QR_CHUNK_PAGES, QR_CHUNK_PAGES, QR_CHUNK_PAGES,
					     QR_CHUNK_PAGES },
				   nothing;
	struct model *m = qt_array(test, 1, sizeof(*m));
	u64 before = atomic64_read(&qr_metadata_bytes);
	unsigned int i, steps = 0;
	bool inside;

	qr_tree_init(&m->tree, QR_CHUNK_PAGES);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, model_exit, m));
	KUNIT_EXPECT_EQ(test, -1, qr_tree_find_leaf(&m->tree, 0, 1, &steps));
	KUNIT_EXPECT_EQ(test, -1, qr_tree_find_last_leaf(&m->tree, 1));
	KUNIT_EXPECT_EQ(test, -E2BIG,
			qr_tree_cover(&m->tree, BIT(QR_TREE_LEVELS * QR_TREE_SHIFT), GFP_KERNEL));
	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		KUNIT_ASSERT_EQ(test, 0, qr_tree_cover(&m->tree, leaves[i], GFP_KERNEL));
		qr_tree_set(&m->tree, leaves[i], &whole);
		KUNIT_EXPECT_TRUE(test, qr_tree_is_consistent(&m->tree));
		KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES, qr_tree_leaf(&m->tree, leaves[i]).longest);
		KUNIT_EXPECT_EQ(test, 0, qr_tree_leaf(&m->tree, leaves[i] + 1).longest);
	}
	KUNIT_EXPECT_LT(test, atomic64_read(&qr_metadata_bytes) - before, 32768);
	KUNIT_EXPECT_EQ(test, 0, qr_tree_leaf(&m->tree, BIT(30)).longest);
	KUNIT_EXPECT_EQ(test, 3 * QR_CHUNK_PAGES,
			qr_tree_find(&m->tree, QR_CHUNK_PAGES, &inside, &steps));
	KUNIT_EXPECT_EQ(test, -1, qr_tree_find(&m->tree, 513, &inside, &steps));
	KUNIT_EXPECT_EQ(test, BIT(24) + 70, qr_tree_find_leaf(&m->tree, 4, QR_CHUNK_PAGES, &steps));
	KUNIT_EXPECT_EQ(test, BIT(25) - 1, qr_tree_find_leaf(&m->tree, BIT(24) + 71, 1, &steps));
	KUNIT_EXPECT_EQ(test, BIT(35), qr_tree_find_leaf(&m->tree, BIT(25), 1, &steps));
	KUNIT_EXPECT_EQ(test, -1, qr_tree_find_leaf(&m->tree, BIT(35) + 1, 1, &steps));
	KUNIT_EXPECT_EQ(test, BIT(35), qr_tree_find_last_leaf(&m->tree, QR_CHUNK_PAGES));
	qr_tree_set(&m->tree, BIT(35), &nothing);
	KUNIT_EXPECT_EQ(test, BIT(25) - 1, qr_tree_find_last_leaf(&m->tree, QR_CHUNK_PAGES));
	KUNIT_EXPECT_TRUE(test, qr_tree_is_consistent(&m->tree));
}

/* Leaves side by side: the levels above follow at the end of each block, and after the last one. */
static void a_row_of_leaves(struct kunit *test)
{
	static const struct qr_sum whole = { QR_CHUNK_PAGES, QR_CHUNK_PAGES, QR_CHUNK_PAGES,
					     QR_CHUNK_PAGES },
				   nothing;
	struct model *m = qt_array(test, 1, sizeof(*m));
	unsigned int from, to, i, steps = 0;
	bool inside;

	qr_tree_init(&m->tree, QR_CHUNK_PAGES);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, model_exit, m));
	for (i = 0; i < 3 * QR_TREE_FANOUT; i++) {
		KUNIT_ASSERT_EQ(test, 0, qr_tree_cover(&m->tree, i, GFP_KERNEL));
		qr_tree_set(&m->tree, i, &whole);
	}
	for (from = 1; from < QR_TREE_FANOUT; from += 21) {
		for (to = from + 1; to < 3 * QR_TREE_FANOUT; to += 21) {
			for (i = from; i < to; i++)
				qr_tree_set_next(&m->tree, i, &nothing, i + 1 == to);
			KUNIT_ASSERT_TRUE(test, qr_tree_is_consistent(&m->tree));
			KUNIT_ASSERT_EQ(test, to,
					qr_tree_find_leaf(&m->tree, from, QR_CHUNK_PAGES, &steps));
			for (i = from; i < to; i++)
				qr_tree_set_next(&m->tree, i, &whole, i + 1 == to);
			KUNIT_ASSERT_TRUE(test, qr_tree_is_consistent(&m->tree));
		}
	}
	KUNIT_EXPECT_EQ(test, 0,
			qr_tree_find(&m->tree, 3 * QR_TREE_FANOUT * QR_CHUNK_PAGES, &inside,
				     &steps));
}

static struct kunit_case cases[] = { KUNIT_CASE(sums_of_maps),
				     KUNIT_CASE_SLOW(random_operations_match_model),
				     KUNIT_CASE(all_or_nothing),
				     KUNIT_CASE(a_terabyte_takes_few_steps),
				     KUNIT_CASE(a_span_without_memory_costs_nothing),
				     KUNIT_CASE(a_row_of_leaves),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite tree_suite = {
	.name = "quarry_summary_tree",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(tree_suite);
