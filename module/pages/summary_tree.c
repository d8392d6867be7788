// SPDX-License-Identifier: GPL-2.0
/* The summary tree.  See summary_tree.h. */
#include "pages/summary_tree.h"

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "compat.h"
#include "core/metadata.h"

int qr_tree_init(struct qr_tree *tree, unsigned long leaves, unsigned int leaf_pages)
{
	unsigned long nr = leaves;

	memset(tree, 0, sizeof(*tree));
	tree->leaf_pages = leaf_pages;
	if (leaves > 1UL << (QR_TREE_LEVELS * QR_TREE_SHIFT))
		return -E2BIG;
	do {
		unsigned int k = tree->levels++;

		tree->nr[k] = nr;
		tree->level[k] = qr_meta_valloc(nr * sizeof(struct qr_sum));
		nr = DIV_ROUND_UP(nr, QR_TREE_FANOUT);
		tree->any[k] = qr_meta_valloc(nr * sizeof(u64));
		if (!tree->level[k] || !tree->any[k]) {
			qr_tree_exit(tree);
			return -ENOMEM;
		}
	} while (nr > 1);
	return 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_init);

void qr_tree_exit(struct qr_tree *tree)
{
	unsigned int k;

	for (k = 0; k < tree->levels; k++) {
		qr_meta_vfree(tree->level[k], tree->nr[k] * sizeof(struct qr_sum));
		qr_meta_vfree(tree->any[k],
			      DIV_ROUND_UP(tree->nr[k], QR_TREE_FANOUT) * sizeof(u64));
	}
	tree->levels = 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_exit);

static __always_inline bool is_same(const struct qr_sum *a, const struct qr_sum *b)
{
	return a->start == b->start && a->end == b->end && a->longest == b->longest &&
	       a->inner == b->inner;
}

/* Pages that a full entry of @level sums up. */
static u32 span(const struct qr_tree *tree, unsigned int level)
{
	return tree->leaf_pages << (level * QR_TREE_SHIFT);
}

/* The length of the longest row of set bits in @bits, but at least @least. */
static unsigned int longest_row(u64 bits, unsigned int least)
{
	unsigned int n = 0;

	if (likely(hweight64(bits) <= least))
		return least;
	for (; bits; n++)
		bits &= bits >> 1;
	return max(n, least);
}

struct qr_sum qr_sum_of(const unsigned long *used, unsigned int pages)
{
	unsigned int row = 0, longest = 0, word, words = DIV_ROUND_UP(pages, 64);
	struct qr_sum sum = {};
	bool any_used = false;

	BUILD_BUG_ON(BITS_PER_LONG != 64);
	for (word = 0; word < words; word++) {
		unsigned int bits = min(pages - word * 64, 64U), low, high;
		u64 all = GENMASK_ULL(bits - 1, 0), free = ~(u64)used[word] & all;

		if (free == all) {
			row += bits;
			continue;
		}
		low = free ? __ffs64(~free) : 0;
		row += low;
		if (!any_used)
			sum.start = row;
		any_used = true;
		longest = max(longest, row);
		if (!free) {
			row = 0;
			continue;
		}
		/*
		 * The free pages at this word's end may go on in the next word.  Free pages
		 * between @low and @high are rare.
		 */
		high = fls64(~free & all);
		row = bits - high;
		longest = longest_row(free & GENMASK_ULL(high - 1, low), longest);
	}
	sum.end = row;
	if (!any_used)
		sum.start = row;
	sum.longest = max(longest, row);
	sum.inner = sum.longest;
	return sum;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_sum_of);

/* Compute entry @i of @level from the up to 64 entries below it. */
static struct qr_sum sum_of_block(const struct qr_tree *tree, unsigned int level, unsigned long i)
{
	const struct qr_sum *child = &tree->level[level - 1][i << QR_TREE_SHIFT], *c;
	unsigned int next = 0, k; /* @next: the child after the last one looked at */
	u32 row = 0, all = span(tree, level - 1);
	struct qr_sum sum = {};
	bool whole = true; /* all pages so far are free */
	u64 word;

	for (word = tree->any[level - 1][i]; word; word &= word - 1) {
		k = __ffs64(word);
		c = &child[k];
		if (k != next) {
			whole = false;
			row = 0;
		}
		row += c->start;
		sum.longest = max3(sum.longest, row, c->longest);
		sum.inner = max(sum.inner, c->inner);
		if (whole)
			sum.start += c->start;
		if (c->start != all) {
			whole = false;
			row = c->end;
		}
		next = k + 1;
	}
	/* The last block of a level may be shorter. */
	if (next == min(tree->nr[level - 1] - (i << QR_TREE_SHIFT), (unsigned long)QR_TREE_FANOUT))
		sum.end = row;
	return sum;
}

void qr_tree_set(struct qr_tree *tree, unsigned long leaf, const struct qr_sum *sum)
{
	struct qr_sum now = *sum;
	unsigned long i = leaf;
	unsigned int k;

	for (k = 0; !is_same(&tree->level[k][i], &now); k++) {
		u64 *any = &tree->any[k][i >> QR_TREE_SHIFT];
		u64 bit = BIT_ULL(i % QR_TREE_FANOUT);

		tree->level[k][i] = now;
		*any = now.longest ? *any | bit : *any & ~bit;
		if (k + 1 == tree->levels)
			return;
		i >>= QR_TREE_SHIFT;
		now = sum_of_block(tree, k + 1, i);
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_set);

bool qr_tree_is_consistent(const struct qr_tree *tree)
{
	struct qr_sum sum;
	unsigned long i;
	unsigned int k;

	for (k = 0; k < tree->levels; k++) {
		for (i = 0; i < tree->nr[k]; i++) {
			bool any = tree->any[k][i >> QR_TREE_SHIFT] & BIT_ULL(i % QR_TREE_FANOUT);

			if (any != !!tree->level[k][i].longest)
				return false;
			if (!k)
				continue;
			sum = sum_of_block(tree, k, i);
			if (!is_same(&tree->level[k][i], &sum))
				return false;
		}
	}
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_is_consistent);

/* The first entry that has its bit in @word and @nr free pages in a row in a leaf, or -1. */
static long find_entry(const struct qr_tree *tree, unsigned int level, unsigned long block,
		       u64 word, u32 nr, unsigned int *steps)
{
	const struct qr_sum *entry = &tree->level[level][block << QR_TREE_SHIFT];

	for (; word; word &= word - 1) {
		++*steps;
		if (entry[__ffs64(word)].inner >= nr)
			return (block << QR_TREE_SHIFT) + __ffs64(word);
	}
	return -1;
}

long qr_tree_find_leaf(const struct qr_tree *tree, unsigned long from, u32 nr, unsigned int *steps)
{
	unsigned long i = from, block;
	long found = -1;
	unsigned int k;

	/*
	 * Go up: look at the rest of this block of 64, then at the blocks behind it through
	 * the level above.  Then go down to the leaf.
	 */
	for (k = 0; k < tree->levels; k++) {
		for (; k + 1 < tree->levels && !(i % QR_TREE_FANOUT); k++)
			i >>= QR_TREE_SHIFT;
		if (i >= tree->nr[k])
			return -1;
		block = i >> QR_TREE_SHIFT;
		found = find_entry(tree, k, block,
				   tree->any[k][block] & (~0ULL << i % QR_TREE_FANOUT), nr, steps);
		if (found >= 0)
			break;
		i = block + 1;
	}
	while (found >= 0 && k--)
		found = find_entry(tree, k, found, tree->any[k][found], nr, steps);
	return found;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_find_leaf);

long qr_tree_find_last_leaf(const struct qr_tree *tree, u32 nr)
{
	unsigned int k = tree->levels;
	unsigned long i = 0;

	while (k--) {
		u64 word = tree->any[k][i];
		unsigned int bit;

		for (;; word ^= BIT_ULL(bit)) {
			if (!word)
				return -1;
			bit = fls64(word) - 1;
			if (tree->level[k][(i << QR_TREE_SHIFT) + bit].inner >= nr)
				break;
		}
		i = (i << QR_TREE_SHIFT) + bit;
	}
	return i;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_find_last_leaf);

long qr_tree_find(const struct qr_tree *tree, u32 nr, bool *inside, unsigned int *steps)
{
	unsigned int k = tree->levels - 1;
	u64 word = tree->any[k][0];
	unsigned long block = 0, next = 0, begin = 0;
	u32 row = 0; /* free pages just before entry @next, from page @begin on */

	*inside = false;
	while (word) {
		unsigned long i = block + __ffs64(word), first = i * span(tree, k);
		const struct qr_sum *c = &tree->level[k][i];

		++*steps;
		if (i != next)
			row = 0;
		if (!row)
			begin = first;
		if (row + c->start >= nr)
			return begin;
		if (c->longest >= nr) {
			if (!k) {
				*inside = true;
				return first;
			}
			/* It begins before or below this entry: @row still counts.  Go down. */
			k--;
			word = tree->any[k][i];
			block = i << QR_TREE_SHIFT;
			next = block;
			continue;
		}
		if (c->start == span(tree, k)) {
			row += c->start;
		} else {
			row = c->end;
			begin = first + span(tree, k) - row;
		}
		next = i + 1;
		word &= word - 1;
	}
	return -1;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_find);
