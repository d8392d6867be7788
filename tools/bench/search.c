// SPDX-License-Identifier: GPL-2.0
/*
 * How many summaries the page heap looks at to find a run of pages, in heaps of up to
 * 1 TiB: the tree alone, without any page behind it.
 *
 * Heaps are
 *	empty		no page in use
 *	fragmented	every second page in use, but for one run of 512 pages, the last
 *	moved		the same with that run in one of RUNS places, which a search that
 *			likes the end, or the beginning, does not know
 *
 * and each is searched for all sizes by all finds.  SLUB has nothing to compare: it
 * knows no runs of pages.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "compat.h"
#include "measure.h"

/*
 * A stock kernel's quarry.ko exports nothing of its tree, so here is another: the same
 * file, with memory that is not in Quarry's books.
 */
#undef EXPORT_SYMBOL_QUARRY_TEST
#define EXPORT_SYMBOL_QUARRY_TEST(sym)
#include "pages/summary_tree.c"

void *qr_meta_valloc(size_t size)
{
	return vzalloc(size);
}

void qr_meta_vfree(void *p, size_t size)
{
	vfree(p);
}

#define LEAF_PAGES 512u /* of 4 KiB: a leaf is 2 MiB */
#define RUNS	   1024u

static const unsigned int heaps_mib[] = { 64, 1024, 1024 * 1024 };
static const unsigned int sizes[] = { 1, 8, 64, 512 };

/**
 * struct tally - what the searches of one row looked at
 * @searches: how many
 * @steps: summaries, of all
 * @worst: of the one that looked at most
 * @wrong: searches that found another place than they should
 */
struct tally {
	unsigned int searches;
	u64 steps;
	unsigned int worst;
	unsigned int wrong;
};

enum find { FIND_ACROSS, FIND_LEAF, FIND_NEXT, NR_FINDS };

/* As qr_tree_find(), qr_tree_find_leaf() from the first leaf, and from another. */
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
		/* A run may begin with the page before the leaf, which is free. */
		at = at < 0 ? at : (at + 1) / LEAF_PAGES;
	} else {
		at = qr_tree_find_leaf(tree, from, nr, &steps);
	}
	count(t, steps, at == wanted);
}

/* The leaf from @from on that a search of @nr pages must come to. */
static long wanted(unsigned long from, u32 nr, unsigned long free, bool empty)
{
	return empty || nr == 1 || from > free ? from : free;
}

/* @free: the leaf without a page in use, if not all are. */
static void search_all(const struct qr_tree *tree, enum find find, unsigned long free, bool empty,
		       struct rnd_state *rnd, struct tally *t)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* No further than to the leaf that has it. */
		unsigned long from = find == FIND_NEXT ? prandom_u32_state(rnd) % (free + 1) : 0;

		search(tree, find, from, sizes[i], wanted(from, sizes[i], free, empty), t);
	}
}

/* A search that goes elsewhere may well look at less: that is no result. */
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
	unsigned long leaves = tree->nr[0], last = leaves - 1, i;
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
	for (i = 0; i < leaves; i++)
		qr_tree_set(tree, i, &all);
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
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(heaps_mib); i++) {
		err = qr_tree_init(&tree, heaps_mib[i] / 2, LEAF_PAGES);
		if (err)
			break;
		err = run_heap(&tree, heaps_mib[i]);
		qr_tree_exit(&tree);
	}
	return err;
}
