// SPDX-License-Identifier: GPL-2.0
/* The summary tree.  See summary_tree.h. */
#include "pages/summary_tree.h"

#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/minmax.h>
#include "compat.h"

/* The place of @leaf in its block on @level. */
static unsigned int place_of(unsigned long leaf, unsigned int level)
{
	return (leaf >> (level * QR_TREE_SHIFT)) % QR_TREE_FANOUT;
}

static bool is_beyond(const struct qr_tree *tree, unsigned long leaf)
{
	return leaf >> (tree->levels * QR_TREE_SHIFT);
}

/* The block of @level that has @leaf, or the entry that sums it up; NULL if there is none. */
static struct qr_tree_block *block_of(const struct qr_tree *tree, unsigned int level,
				      unsigned long leaf)
{
	struct qr_tree_block *block = tree->root;
	unsigned int k;

	if (!block || is_beyond(tree, leaf))
		return NULL;
	for (k = tree->levels - 1; block && k > level; k--)
		block = block->child[place_of(leaf, k)];
	return block;
}

int qr_tree_missing(const struct qr_tree *tree, unsigned long leaf)
{
	struct qr_tree_block *block = tree->root;
	unsigned int k;

	if (!block || is_beyond(tree, leaf))
		return tree->levels;
	for (k = tree->levels - 1; k; k--) {
		block = block->child[place_of(leaf, k)];
		if (!block)
			return k - 1;
	}
	return -1;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_missing);

struct qr_sum qr_tree_leaf(const struct qr_tree *tree, unsigned long leaf)
{
	const struct qr_tree_block *block = block_of(tree, 0, leaf);

	return block ? block->sum[place_of(leaf, 0)] : (struct qr_sum){};
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_leaf);

static __always_inline bool is_same(const struct qr_sum *a, const struct qr_sum *b)
{
	return a->start == b->start && a->end == b->end && a->longest == b->longest &&
	       a->inner == b->inner;
}

/* Pages that a full entry of @level sums up. */
static u64 span(const struct qr_tree *tree, unsigned int level)
{
	return (u64)tree->leaf_pages << (level * QR_TREE_SHIFT);
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

/* Sum up a block of @level. */
static struct qr_sum sum_of_block(const struct qr_tree *tree, unsigned int level,
				  const struct qr_tree_block *block)
{
	const struct qr_sum *c;
	unsigned int next = 0, k; /* @next: the child after the last one looked at */
	u64 all = span(tree, level);
	struct qr_sum sum = {};
	bool whole = true; /* all pages so far are free */
	u32 row = 0;
	u64 word;

	for (word = block->any; word; word &= word - 1) {
		k = __ffs64(word);
		c = &block->sum[k];
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
	if (next == QR_TREE_FANOUT)
		sum.end = row;
	return sum;
}

static void set_entry(struct qr_tree_block *block, unsigned int i, const struct qr_sum *sum)
{
	block->sum[i] = *sum;
	if (sum->longest)
		block->any |= BIT_ULL(i);
	else
		block->any &= ~BIT_ULL(i);
}

/* A tree that becomes higher has what it had before as the first entry of its new root. */
void qr_tree_put_block(struct qr_tree *tree, unsigned long leaf, struct qr_tree_block *block)
{
	struct qr_tree_block *at = tree->root, **slot;
	struct qr_sum sum;
	unsigned int k;

	if (!at || is_beyond(tree, leaf)) {
		if (at) {
			sum = sum_of_block(tree, tree->levels - 1, at);
			set_entry(block, 0, &sum);
			block->child[0] = at;
		}
		tree->root = block;
		tree->levels++;
		return;
	}
	for (k = tree->levels - 1; k; k--) {
		slot = &at->child[place_of(leaf, k)];
		if (!*slot) {
			*slot = block;
			return;
		}
		at = *slot;
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_put_block);

/* The blocks from the root to @leaf; path[0] has the leaf's own entry. */
static void find_path(const struct qr_tree *tree, unsigned long leaf, struct qr_tree_block **path)
{
	struct qr_tree_block *block = tree->root;
	unsigned int k;

	for (k = tree->levels - 1; k; k--) {
		path[k] = block;
		block = block->child[place_of(leaf, k)];
	}
	path[0] = block;
}

void qr_tree_set(struct qr_tree *tree, unsigned long leaf, const struct qr_sum *sum)
{
	struct qr_tree_block *path[QR_TREE_LEVELS];
	struct qr_sum now = *sum;
	unsigned int k;

	find_path(tree, leaf, path);
	for (k = 0; !is_same(&path[k]->sum[place_of(leaf, k)], &now); k++) {
		set_entry(path[k], place_of(leaf, k), &now);
		if (k + 1 == tree->levels)
			return;
		now = sum_of_block(tree, k, path[k]);
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_set);

void qr_tree_set_next(struct qr_tree *tree, unsigned long leaf, const struct qr_sum *sum, bool last)
{
	struct qr_tree_block *path[QR_TREE_LEVELS];
	struct qr_sum now = *sum;
	unsigned int k;

	find_path(tree, leaf, path);
	set_entry(path[0], place_of(leaf, 0), &now);
	if (!last && (leaf + 1) % QR_TREE_FANOUT)
		return;
	for (k = 1; k < tree->levels; k++) {
		now = sum_of_block(tree, k - 1, path[k - 1]);
		set_entry(path[k], place_of(leaf, k), &now);
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_set_next);

/* Check an entry against its bit in the map of the block, and against the block below it. */
static bool entry_is_consistent(const struct qr_tree *tree, unsigned int level,
				const struct qr_tree_block *block, unsigned int i)
{
	struct qr_sum sum = {};

	if (!(block->any & BIT_ULL(i)) != !block->sum[i].longest)
		return false;
	if (!level)
		return true;
	if (block->child[i])
		sum = sum_of_block(tree, level - 1, block->child[i]);
	return is_same(&block->sum[i], &sum);
}

static bool block_is_consistent(const struct qr_tree *tree, unsigned int level,
				const struct qr_tree_block *block)
{
	unsigned int i;

	for (i = 0; i < QR_TREE_FANOUT; i++)
		if (!entry_is_consistent(tree, level, block, i))
			return false;
	return true;
}

bool qr_tree_path_is_consistent(const struct qr_tree *tree, unsigned long leaf)
{
	const struct qr_tree_block *block = block_of(tree, 0, leaf);
	unsigned int k;

	if (block && !block_is_consistent(tree, 0, block))
		return false;
	for (k = 1; k < tree->levels; k++) {
		block = block_of(tree, k, leaf);
		if (block && !entry_is_consistent(tree, k, block, place_of(leaf, k)))
			return false;
	}
	return true;
}

bool qr_tree_is_consistent(const struct qr_tree *tree)
{
	const struct qr_tree_block *path[QR_TREE_LEVELS], *block;
	unsigned int i[QR_TREE_LEVELS] = {};
	int k = tree->levels - 1, top = k;

	if (!tree->root)
		return !tree->levels;
	path[k] = tree->root;
	while (k <= top) {
		if (!i[k] && !block_is_consistent(tree, k, path[k]))
			return false;
		if (!k || i[k] == QR_TREE_FANOUT) {
			k++;
			continue;
		}
		block = path[k]->child[i[k]++];
		if (!block)
			continue;
		path[--k] = block;
		i[k] = 0;
	}
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_is_consistent);

/* The first entry that has its bit in @word and @nr free pages in a row in a leaf, or -1. */
static int find_entry(const struct qr_tree_block *block, u64 word, u32 nr, unsigned int *steps)
{
	for (; word; word &= word - 1) {
		++*steps;
		if (block->sum[__ffs64(word)].inner >= nr)
			return __ffs64(word);
	}
	return -1;
}

long qr_tree_find_leaf(const struct qr_tree *tree, unsigned long from, u32 nr, unsigned int *steps)
{
	const struct qr_tree_block *block = NULL;
	unsigned long i = from; /* an entry of level @k, counted from the first leaf */
	unsigned int k;
	int found = -1;

	/*
	 * Go up: look at the rest of this block of 64, then at the blocks behind it through
	 * the level above.  Then go down to the leaf.
	 */
	for (k = 0; k < tree->levels; k++) {
		for (; k + 1 < tree->levels && !(i % QR_TREE_FANOUT); k++)
			i >>= QR_TREE_SHIFT;
		if (is_beyond(tree, i << (k * QR_TREE_SHIFT)))
			return -1;
		block = block_of(tree, k, i << (k * QR_TREE_SHIFT));
		if (block)
			found = find_entry(block, block->any & (~0ULL << i % QR_TREE_FANOUT), nr,
					   steps);
		if (found >= 0)
			break;
		i = (i >> QR_TREE_SHIFT) + 1;
	}
	if (found < 0)
		return -1;
	i = (i & ~(unsigned long)(QR_TREE_FANOUT - 1)) + found;
	while (k--) {
		block = block->child[found];
		found = find_entry(block, block->any, nr, steps);
		if (found < 0)
			return -1;
		i = (i << QR_TREE_SHIFT) + found;
	}
	return i;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_find_leaf);

long qr_tree_find_last_leaf(const struct qr_tree *tree, u32 nr)
{
	const struct qr_tree_block *block = tree->root;
	unsigned int k = tree->levels, bit;
	unsigned long i = 0;
	u64 word;

	if (!block)
		return -1;
	while (k--) {
		for (word = block->any;; word ^= BIT_ULL(bit)) {
			if (!word)
				return -1;
			bit = fls64(word) - 1;
			if (block->sum[bit].inner >= nr)
				break;
		}
		i = (i << QR_TREE_SHIFT) + bit;
		if (k)
			block = block->child[bit];
	}
	return i;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_find_last_leaf);

long qr_tree_find(const struct qr_tree *tree, u32 nr, bool *inside, unsigned int *steps)
{
	const struct qr_tree_block *block = tree->root;
	u64 base = 0, next = 0, begin = 0; /* pages; @base: where the block begins */
	unsigned int k = tree->levels - 1;
	u32 row = 0; /* free pages just before page @next, from page @begin on */
	u64 word = block ? block->any : 0;

	*inside = false;
	while (word) {
		unsigned int i = __ffs64(word);
		u64 first = base + i * span(tree, k);
		const struct qr_sum *c = &block->sum[i];

		++*steps;
		if (first != next)
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
			block = block->child[i];
			word = block->any;
			base = first;
			next = first;
			continue;
		}
		if (c->start == span(tree, k)) {
			row += c->start;
		} else {
			row = c->end;
			begin = first + span(tree, k) - row;
		}
		next = first + span(tree, k);
		word &= word - 1;
	}
	return -1;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_find);
