/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where free pages are: a tree of summaries over a row of leaves, each a block of
 * pages.  A leaf says how many of its pages are free at its beginning, at its end,
 * and in a row anywhere; 64 leaves are summed up in one entry of the level above, and so
 * on, so that a search looks at no more than 64 entries a level and passes over what
 * cannot serve.  Of entries without any free page not even that: a word says which
 * those are.
 *
 * The idea is that of Go's page allocator (runtime/mpagealloc.go); here there is a
 * fourth number, because slabs must not cross from one chunk into the next.
 *
 * The caller has a lock around all of it.
 */
#ifndef QR_SUMMARY_TREE_H
#define QR_SUMMARY_TREE_H

#include <linux/types.h>

#define QR_TREE_SHIFT  6 /* of QR_TREE_FANOUT */
#define QR_TREE_FANOUT 64u
#define QR_TREE_LEVELS 4 /* 32 TiB of 2 MiB leaves */

/**
 * struct qr_sum - the free pages of some blocks in a row
 * @start: at their beginning
 * @end: at their end
 * @longest: in a row anywhere
 * @inner: in a row within one leaf
 */
struct qr_sum {
	u32 start;
	u32 end;
	u32 longest;
	u32 inner;
};

/**
 * struct qr_tree - summaries of summaries
 * @leaf_pages: pages of each leaf
 * @levels: how many there are
 * @nr: entries of each level
 * @level: the entries; [0] are the leaves
 * @any: a word for each 64 of these: the bits of those with a free page
 */
struct qr_tree {
	unsigned int leaf_pages;
	unsigned int levels;
	unsigned long nr[QR_TREE_LEVELS];
	struct qr_sum *level[QR_TREE_LEVELS];
	u64 *any[QR_TREE_LEVELS];
};

/* @leaves without a free page.  -ENOMEM; -E2BIG if that is more than there may be. */
int qr_tree_init(struct qr_tree *tree, unsigned long leaves, unsigned int leaf_pages);
void qr_tree_exit(struct qr_tree *tree);

/* The summary of a leaf's map; set bits are pages in use. */
struct qr_sum qr_sum_of(const unsigned long *used, unsigned int pages);

/* A leaf has changed. */
void qr_tree_set(struct qr_tree *tree, unsigned long leaf, const struct qr_sum *sum);

/* For the walker: is every entry what those under it say? */
bool qr_tree_is_consistent(const struct qr_tree *tree);

/*
 * The first leaf from @from on that has @nr pages in a row, or -1.  Adds what was looked
 * at to *@steps: at most QR_TREE_FANOUT for each level, or twice that if @from is not 0.
 */
long qr_tree_find_leaf(const struct qr_tree *tree, unsigned long from, u32 nr, unsigned int *steps);

/* The last leaf that has @nr pages in a row, or -1.  At most QR_TREE_FANOUT steps a level. */
long qr_tree_find_last_leaf(const struct qr_tree *tree, u32 nr);

/*
 * Where the first @nr pages in a row lie, which may go over several leaves: a page, counted
 * from the first leaf's first; or -1.  When they lie within a leaf, neither at its
 * beginning nor at its end, only its map knows where: then *@inside is set, and the leaf's
 * first page returned.
 */
long qr_tree_find(const struct qr_tree *tree, u32 nr, bool *inside, unsigned int *steps);

#endif /* QR_SUMMARY_TREE_H */
