// SPDX-License-Identifier: GPL-2.0
/* The summary tree, beside a map that is searched page by page. */
#include "fuzz.h"
#include "pages/summary_tree.h"

#define LEAF   128u  /* pages: two words of a map */
#define LEAVES 4200u /* three levels, and the last block of each is not full */
#define PAGES  (LEAF * LEAVES)

static u64 used[LEAVES][LEAF / 64];
static struct qr_tree tree;
static unsigned int high; /* leaves from 0 to there may have free pages */

static bool is_free(unsigned long page)
{
	return !(used[page / LEAF][page % LEAF / 64] >> (page % 64) & 1);
}

static void set(unsigned long page, bool free)
{
	u64 bit = 1ULL << (page % 64), *word = &used[page / LEAF][page % LEAF / 64];

	*word = free ? *word & ~bit : *word | bit;
}

/* The first page of @nr free ones in a row, at or after @from, all before @end; or -1. */
static long naive_find(unsigned long from, unsigned long end, unsigned int nr)
{
	unsigned long page;
	unsigned int row = 0;

	for (page = from; page < end; page++) {
		row = is_free(page) ? row + 1 : 0;
		if (row == nr)
			return page - nr + 1;
	}
	return -1;
}

static struct qr_sum naive_sum(unsigned int leaf)
{
	unsigned int i, row = 0;
	struct qr_sum sum = {};

	for (i = 0; i < LEAF; i++) {
		row = is_free(leaf * LEAF + i) ? row + 1 : 0;
		sum.longest = max(sum.longest, row);
		if (row == i + 1)
			sum.start = row;
	}
	sum.end = row;
	sum.inner = sum.longest;
	return sum;
}

static void change(struct bytes *in)
{
	unsigned int leaf = take(in, 2) % LEAVES, first = take(in, 1) % LEAF,
		     nr = take(in, 2) % (3 * LEAF);
	unsigned long page = leaf * LEAF + first, end = min(page + nr + 1, (unsigned long)PAGES);
	bool free = take(in, 1) & 1, at_once = take(in, 1) & 1;
	unsigned int last;
	struct qr_sum sum;

	for (; page < end; page++)
		set(page, free);
	last = (end - 1) / LEAF;
	high = max(high, last + 1);
	for (; leaf <= last; leaf++) {
		expect(!qr_tree_cover(&tree, leaf, GFP_KERNEL));
		sum = qr_sum_of((unsigned long *)used[leaf], LEAF);
		if (at_once)
			qr_tree_set(&tree, leaf, &sum);
		else
			qr_tree_set_next(&tree, leaf, &sum, leaf == last);
	}
}

static void check_leaf(struct bytes *in)
{
	unsigned int leaf = take(in, 2) % LEAVES;
	struct qr_sum want = naive_sum(leaf), got = qr_tree_leaf(&tree, leaf);

	expect(got.start == want.start && got.end == want.end && got.longest == want.longest &&
	       got.inner == want.inner);
	expect(qr_tree_path_is_consistent(&tree, leaf));
}

static void search(struct bytes *in)
{
	unsigned int nr = 1 + take(in, 2) % (2 * LEAF), steps = 0;
	long want = naive_find(0, (unsigned long)high * LEAF, nr), got;
	bool inside;

	got = qr_tree_find(&tree, nr, &inside, &steps);
	if (inside) {
		/* Only the leaf's map can tell where. */
		expect(got >= 0 && !(got % LEAF));
		got = naive_find(got, got + LEAF, nr);
	}
	expect(got == want);
	expect(steps <= QR_TREE_FANOUT * QR_TREE_LEVELS);
}

/* Runs that lie within one leaf. */
static void search_leaf(struct bytes *in)
{
	unsigned int nr = 1 + take(in, 1) % LEAF, from = take(in, 2) % LEAVES, steps = 0, leaf;
	long first = -1, last = -1;

	for (leaf = 0; leaf < high; leaf++) {
		if (naive_find(leaf * LEAF, (leaf + 1) * LEAF, nr) < 0)
			continue;
		if (first < 0 && leaf >= from)
			first = leaf;
		last = leaf;
	}
	expect(qr_tree_find_leaf(&tree, from, nr, &steps) == first);
	expect(steps <= 2 * QR_TREE_FANOUT * QR_TREE_LEVELS);
	expect(qr_tree_find_last_leaf(&tree, nr) == last);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	expect(!qr_trees_init());
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	unsigned int ops = 0;

	memset(used, 0xff, sizeof(used));
	high = 0;
	qr_tree_init(&tree, LEAF);
	while (in.left && ops++ < 100) {
		switch (take(&in, 1) % 8) {
		case 0:
			check_leaf(&in);
			break;
		case 1:
			search(&in);
			break;
		case 2:
			search_leaf(&in);
			break;
		default:
			change(&in);
		}
	}
	expect(qr_tree_is_consistent(&tree));
	qr_tree_exit(&tree);
	return 0;
}
