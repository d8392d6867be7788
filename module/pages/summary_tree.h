/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The summary tree: finds a run of free pages in a bounded number of steps.
 *
 * Each leaf is a block of pages (for the page heap: a chunk).  Its entry says how many pages
 * are free at its beginning, at its end, and in the longest run anywhere.  An entry of the next
 * level sums up 64 entries of the level below, and so on.  A search looks at no more than 64
 * entries on each level, and skips entries that cannot serve.  Entries without a free page
 * are not even looked at: for each 64 entries, one word has a bit set for those with one.
 *
 * The idea comes from Go's page allocator (runtime/mpagealloc.go).  A fourth number, @inner, is
 * added because a slab must not cross the end of a chunk.
 *
 * The tree has no lock; the caller holds one (the page heap: the heap's lock).
 */
#ifndef QR_SUMMARY_TREE_H
#define QR_SUMMARY_TREE_H

#include <linux/gfp.h>
#include <linux/types.h>

#define QR_TREE_SHIFT  6 /* log2 of QR_TREE_FANOUT */
#define QR_TREE_FANOUT 64u
#define QR_TREE_LEVELS 6 /* 2^36 leaves: more than any address space has */

/**
 * struct qr_sum - the free pages of one leaf, or of some leaves side by side
 * @start: free pages at the beginning
 * @end: free pages at the end
 * @longest: pages of the longest free run
 * @inner: pages of the longest free run within one leaf
 */
struct qr_sum {
	u32 start;
	u32 end;
	u32 longest;
	u32 inner;
};

/**
 * struct qr_tree_block - up to 64 entries of one level side by side
 * @any: the bit of an entry with a free page is set
 * @sum: the entries
 * @child: the block that an entry sums up, or NULL; leaves have no children
 */
struct qr_tree_block {
	u64 any;
	struct qr_sum sum[QR_TREE_FANOUT];
	struct qr_tree_block *child[];
};

/**
 * struct qr_tree - the tree
 * @leaf_pages: pages in a leaf
 * @levels: levels in use; the tree grows with the highest leaf that it gets
 * @root: the block of the highest level, or NULL
 *
 * A block exists only if a leaf below it was ever needed, so a tree costs nothing for the parts of
 * the address space that have no memory.
 */
struct qr_tree {
	unsigned int leaf_pages;
	unsigned int levels;
	struct qr_tree_block *root;
};

/* Make a tree without leaves. */
void qr_tree_init(struct qr_tree *tree, unsigned int leaf_pages);
void qr_tree_exit(struct qr_tree *tree);

/*
 * The blocks that a leaf needs are allocated without the lock that guards the tree, and one at a
 * time.  qr_tree_missing() returns the level of the next one that is missing, or -1 when @leaf has
 * all; qr_tree_put_block() puts a block of that level there.
 */
int qr_tree_missing(const struct qr_tree *tree, unsigned long leaf);
struct qr_tree_block *qr_tree_block_new(int level, gfp_t gfp, int node);
void qr_tree_block_free(struct qr_tree_block *block, int level);
void qr_tree_put_block(struct qr_tree *tree, unsigned long leaf, struct qr_tree_block *block);
/* All of that, for a tree that nobody else uses.  Returns 0, -ENOMEM, or -E2BIG. */
int qr_tree_cover(struct qr_tree *tree, unsigned long leaf, gfp_t gfp);

/* The entry of a leaf.  A leaf that the tree does not have has no free page. */
struct qr_sum qr_tree_leaf(const struct qr_tree *tree, unsigned long leaf);

/* Caches of the kernel for blocks. */
int qr_trees_init(void);
void qr_trees_exit(void);

/* The summary of a leaf's map, in which a set bit is a page that is not free. */
struct qr_sum qr_sum_of(const unsigned long *used, unsigned int pages);

/* Replace the summary of @leaf, which the tree has, and update the levels above. */
void qr_tree_set(struct qr_tree *tree, unsigned long leaf, const struct qr_sum *sum);
/*
 * The same for leaves side by side, from left to right; for all but the @last one the levels above
 * may be left as they are.  So a block is summed up once, and not for each of its leaves.
 */
void qr_tree_set_next(struct qr_tree *tree, unsigned long leaf, const struct qr_sum *sum,
		      bool last);

/* For the walker: does every entry agree with the entries below it? */
bool qr_tree_is_consistent(const struct qr_tree *tree);
/*
 * The same for the blocks that @leaf lies in, in steps that do not depend on the size of the tree.
 * Asked for one leaf of each 64, it looks at all entries.
 */
bool qr_tree_path_is_consistent(const struct qr_tree *tree, unsigned long leaf);

/*
 * The first leaf at or after @from that has @nr free pages in a row, or -1.  Adds the number
 * of entries looked at to *@steps: at most QR_TREE_FANOUT for each level, or twice that if
 * @from is not 0.
 */
long qr_tree_find_leaf(const struct qr_tree *tree, unsigned long from, u32 nr, unsigned int *steps);

/* The last leaf that has @nr free pages in a row, or -1.  The same bound on each level. */
long qr_tree_find_last_leaf(const struct qr_tree *tree, u32 nr);

/*
 * Find the first @nr free pages in a row; they may go over several leaves.  Returns the number
 * of the first of them, counted from the beginning of leaf 0, or -1.  If the run lies inside
 * one leaf, at neither end, then only the leaf's map can tell where: *@inside is set, and the
 * number of the leaf's first page is returned.
 */
long qr_tree_find(const struct qr_tree *tree, u32 nr, bool *inside, unsigned int *steps);

#endif /* QR_SUMMARY_TREE_H */
