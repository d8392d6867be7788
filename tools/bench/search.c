// SPDX-License-Identifier: GPL-2.0
/*
 * How many summaries the page heap looks at to find a run of pages, in heaps of up to 1 TiB.  Only
 * the tree is there, without any pages.
 *
 * The states of a heap are
 *	empty		no page is in use
 *	fragmented	every second page is in use, except in the last leaf, which is a free run
 *			of 512 pages
 *	moved		the same, with the free run in RUNS random places in turn, so that a search
 *			gains nothing if it prefers the beginning or the end
 *
 * In each state, all finds search for all sizes.  There is no figure for SLUB, which has no runs
 * of pages.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "compat.h"
#include "measure.h"

/*
 * On a stock kernel quarry.ko does not export its tree.  So the same file is compiled here again,
 * with memory that is not part of Quarry's account.
 */
#undef EXPORT_SYMBOL_QUARRY_TEST
#define EXPORT_SYMBOL_QUARRY_TEST(sym)
#include "pages/summary_tree.c"
#include "pages/tree_block.c"

struct kmem_cache *qr_meta_cache_create(const char *name, size_t size, bool shrink)
{
	return kmem_cache_create(name, size, 0, 0, NULL);
}

void *qr_meta_cache_alloc(struct kmem_cache *cache, gfp_t gfp, int node)
{
	return kmem_cache_zalloc(cache, gfp);
}

void qr_meta_cache_free(struct kmem_cache *cache, void *p)
{
	kmem_cache_free(cache, p);
}

#define LEAF_PAGES 512u /* pages of 4 KiB: a leaf is 2 MiB */
#define RUNS	   1024u

static const unsigned int heaps_mib[] = { 64, 1024, 1024 * 1024 };
static const unsigned int sizes[] = { 1, 8, 64, 512 };

/**
 * struct tally - what the searches of one line of the result looked at
 * @searches: number of searches
 * @steps: summaries that all searches looked at
 * @worst: summaries that one search looked at, at most
 * @wrong: searches that found a wrong place
 */
struct tally {
	unsigned int searches;
	u64 steps;
	unsigned int worst;
	unsigned int wrong;
};

enum find { FIND_ACROSS, FIND_LEAF, FIND_NEXT, NR_FINDS };

/* qr_tree_find(), qr_tree_find_leaf() from the first leaf, and the latter from another leaf. */
static const char *const find_names[] = { "across", "leaf", "next" };

static void count(struct tally *t, unsigned int steps, bool right)
{
	t->searches++;
	t->steps += steps;
	t->worst = max(t->worst, steps);
	t->wrong += !right;
}

static void search(const struct qr_tree *tree, enum find find, unsigned long from, u32 nr,
		   long wanted, struct tally *t)
{
	unsigned int steps = 0;
	bool inside;
	long at;

	if (find == FIND_ACROSS) {
		at = qr_tree_find(tree, nr, &inside, &steps);
		/* The run may begin with the last page of the leaf before, which is free. */
		at = at < 0 ? at : (at + 1) / LEAF_PAGES;
	} else {
		at = qr_tree_find_leaf(tree, from, nr, &steps);
	}
	count(t, steps, at == wanted);
}

/* The leaf that a search for @nr pages from leaf @from on must find. */
static long wanted(unsigned long from, u32 nr, unsigned long free, bool empty)
{
	return empty || nr == 1 || from > free ? from : free;
}

/* @free: the leaf without a page in use; if @empty, all leaves are, and it is the last. */
static void search_all(const struct qr_tree *tree, enum find find, unsigned long free, bool empty,
		       struct rnd_state *rnd, struct tally *t)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* A leaf not behind the one that has the run. */
		unsigned long from = find == FIND_NEXT ? prandom_u32_state(rnd) % (free + 1) : 0;

		search(tree, find, from, sizes[i], wanted(from, sizes[i], free, empty), t);
	}
}

/* A search that finds a wrong place may take fewer steps, so that is an error. */
static int report(const char *state, enum find find, unsigned int mib, const struct qr_tree *tree,
		  const struct tally *t)
{
	unsigned int bound = tree->levels * QR_TREE_FANOUT * (find == FIND_NEXT ? 2 : 1);

	bench_line("search %s %s %u %u %llu %u %u\n", state, find_names[find], mib, t->searches,
		   div_u64(t->steps * 100, t->searches), t->worst, bound);
	if (!t->wrong)
		return 0;
	bench_note("search %s %s %u MiB: %u wrong places", state, find_names[find], mib, t->wrong);
	return -EIO;
}

static int run_heap(struct qr_tree *tree, unsigned int mib)
{
	unsigned long leaves = mib / 2, last = leaves - 1, i;
	unsigned long map[BITS_TO_LONGS(LEAF_PAGES)] = {};
	struct tally tallies[3][NR_FINDS] = {};
	struct qr_sum all = qr_sum_of(map, LEAF_PAGES), half;
	static const char *const states[] = { "empty", "fragmented", "moved" };
	struct rnd_state rnd;
	unsigned int state, r;
	enum find f;
	int err = 0;

	prandom_seed_state(&rnd, mib);
	memset(map, 0x55, sizeof(map));
	half = qr_sum_of(map, LEAF_PAGES);
	for (i = 0; !err && i < leaves; i++) {
		err = qr_tree_cover(tree, i, GFP_KERNEL);
		if (!err)
			qr_tree_set(tree, i, &all);
	}
	if (err)
		return err;
	for (f = 0; f < NR_FINDS; f++)
		for (r = 0; r < (f == FIND_NEXT ? RUNS : 1); r++)
			search_all(tree, f, last, true, &rnd, &tallies[0][f]);
	for (i = 0; i < leaves; i++) {
		qr_tree_set(tree, i, i == last ? &all : &half);
		if (!(i % 4096))
			cond_resched();
	}
	for (f = 0; f < NR_FINDS; f++)
		for (r = 0; r < (f == FIND_NEXT ? RUNS : 1); r++)
			search_all(tree, f, last, false, &rnd, &tallies[1][f]);
	qr_tree_set(tree, last, &half);
	for (r = 0; r < RUNS; r++) {
		i = prandom_u32_state(&rnd) % leaves;
		qr_tree_set(tree, i, &all);
		for (f = 0; f < NR_FINDS; f++)
			search_all(tree, f, i, false, &rnd, &tallies[2][f]);
		qr_tree_set(tree, i, &half);
		cond_resched();
	}
	for (state = 0; state < 3; state++)
		for (f = 0; f < NR_FINDS; f++)
			err = report(states[state], f, mib, tree, &tallies[state][f]) ?: err;
	return err;
}

int bench_search(void)
{
	struct qr_tree tree;
	unsigned int i;
	int err = qr_trees_init();

	if (err)
		return err;
	for (i = 0; !err && i < ARRAY_SIZE(heaps_mib); i++) {
		qr_tree_init(&tree, LEAF_PAGES);
		err = run_heap(&tree, heaps_mib[i]);
		qr_tree_exit(&tree);
	}
	qr_trees_exit();
	return err;
}
