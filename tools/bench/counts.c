// SPDX-License-Identifier: GPL-2.0
/* The cost of an operation on one processor.  scripts/bench runs these cases under -icount. */
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include "measure.h"

#define PAIRS	      1000    /* pairs per repeat */
#define PAIRS_BYTES   0x10000 /* bytes per repeat at most, so that most repeats have no sample */
#define BULKS	      200     /* bulk operations per repeat */
#define BATCH_OBJECTS 4096    /* objects per repeat at least */

static const struct bench_side *const sides[] = { &bench_slub, &bench_inline, &bench_called };

/* Run one case on one cache.  @bulk: objects per bulk operation, or 0 for single objects. */
static s64 run_pairs(const struct bench_side *side, void *cache, unsigned int n, bool zeroed,
		     unsigned int bulk)
{
	if (bulk)
		return side->bulk(cache, bench_objs, bulk, n);
	if (zeroed)
		return side->zeroed(cache, n);
	return side->pair(cache, n);
}

static int repeat_pairs(const char *name, const struct bench_side *side, void *cache,
			unsigned int size, bool zeroed, unsigned int bulk)
{
	u64 values[BENCH_REPEATS];
	unsigned int n = bulk ? BULKS : min_t(unsigned int, PAIRS, PAIRS_BYTES / size);
	u64 ops = bulk ? (u64)n * bulk : n;
	u64 overhead = bulk ? bench_overhead.pair / bulk : bench_overhead.pair;
	unsigned int r;
	s64 ticks;

	/* The first run fills the magazine and is not counted. */
	ticks = run_pairs(side, cache, n, zeroed, bulk);
	for (r = 0; ticks >= 0 && r < BENCH_REPEATS; r++) {
		cond_resched();
		ticks = run_pairs(side, cache, n, zeroed, bulk);
		values[r] = bench_x100(ticks - bench_overhead.clock, ops, overhead);
	}
	if (ticks < 0)
		return ticks;
	bench_report(name, size, bulk ? bulk : 1, side->name, values, BENCH_REPEATS);
	return 0;
}

static int pairs(const char *name, unsigned int size, bool zeroed, unsigned int bulk)
{
	unsigned int i;
	void *cache;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(sides); i++) {
		if (bulk && !sides[i]->bulk)
			continue;
		cache = sides[i]->create(size);
		if (!cache)
			return -ENOMEM;
		err = repeat_pairs(name, sides[i], cache, size, zeroed, bulk);
		sides[i]->destroy(cache);
	}
	return err;
}

int bench_hot(void)
{
	static const unsigned int sizes[] = { 8, 64, 256, 1024, 4096 };
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(sizes); i++)
		err = pairs("hot", sizes[i], false, 0);
	return err;
}

int bench_zeroed(void)
{
	int err = pairs("zeroed", 64, true, 0);

	return err ? err : pairs("zeroed", 1024, true, 0);
}

int bench_bulk(void)
{
	int err = pairs("bulk", 64, false, 16);

	return err ? err : pairs("bulk", 64, false, 64);
}

static int repeat_malloc(const char *name, const struct bench_side *side, bool constant)
{
	u64 values[BENCH_REPEATS];
	unsigned int r;
	s64 ticks;

	ticks = constant ? side->malloc_const(PAIRS) : side->malloc_var(64, PAIRS);
	for (r = 0; ticks >= 0 && r < BENCH_REPEATS; r++) {
		cond_resched();
		ticks = constant ? side->malloc_const(PAIRS) : side->malloc_var(64, PAIRS);
		values[r] = bench_x100(ticks - bench_overhead.clock, PAIRS, bench_overhead.pair);
	}
	if (ticks < 0)
		return ticks;
	bench_report(name, 64, 1, side->name, values, BENCH_REPEATS);
	return 0;
}

int bench_malloc(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(sides); i++)
		err = repeat_malloc("malloc-const", sides[i], true);
	for (i = 0; !err && i < ARRAY_SIZE(sides); i++)
		err = repeat_malloc("malloc-var", sides[i], false);
	return err;
}

/* kfree() of NULL.  The loop is that of a drain. */
static void repeat_null(const struct bench_side *side)
{
	u64 values[BENCH_REPEATS];
	unsigned int r;

	for (r = 0; r < BENCH_REPEATS; r++) {
		cond_resched();
		values[r] = bench_x100(side->free_null(PAIRS) - bench_overhead.clock, PAIRS,
				       bench_overhead.drain);
	}
	bench_report("shim-null", 64, 1, side->name, values, BENCH_REPEATS);
}

/* Frees, by the side @by, of memory of the kernel's. */
static int repeat_kernels(const struct bench_side *by)
{
	u64 values[BENCH_REPEATS];
	unsigned int r, i;
	void *cache = bench_slub.create(64);
	int err = 0;

	if (!cache)
		return -ENOMEM;
	for (r = 0; !err && r < BENCH_REPEATS; r++) {
		cond_resched();
		bench_slub.fill(cache, bench_objs, PAIRS);
		for (i = 0; i < PAIRS; i++)
			if (!bench_objs[i])
				err = -ENOMEM;
		values[r] = bench_x100(by->malloc_drain(bench_objs, PAIRS) - bench_overhead.clock,
				       PAIRS, bench_overhead.drain);
	}
	bench_slub.destroy(cache);
	if (!err)
		bench_report("shim-kernels", 64, 1, by->name, values, BENCH_REPEATS);
	return err;
}

/* A moved module's calls, compared with the same calls of SLUB. */
int bench_shim(void)
{
	static const struct bench_side *const shim[] = { &bench_slub, &bench_shimmed };
	unsigned int i;
	void *cache;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(shim); i++) {
		cache = shim[i]->create(64);
		if (!cache)
			return -ENOMEM;
		err = repeat_pairs("shim-hot", shim[i], cache, 64, false, 0);
		shim[i]->destroy(cache);
		if (!err)
			err = repeat_malloc("shim-const", shim[i], true);
		if (!err)
			err = repeat_malloc("shim-var", shim[i], false);
		if (!err)
			err = repeat_kernels(shim[i]);
		if (!err)
			repeat_null(shim[i]);
	}
	return err;
}

/* Allocate and free @n objects at a time, in several rounds if @n is small. */
static int repeat_batch(const struct bench_side *side, void *cache, unsigned int size,
			unsigned int n, bool shuffled)
{
	u64 both[BENCH_REPEATS], allocs[BENCH_REPEATS], frees[BENCH_REPEATS];
	unsigned int rounds = max(1U, BATCH_OBJECTS / n), k;
	const char *name = shuffled ? "batch-shuffled" : "batch-ordered";
	u64 ops = (u64)n * rounds, a, f;
	int r, err;

	bench_shuffle(n, shuffled);
	for (r = -1; r < BENCH_REPEATS; r++) {
		u64 alloc = 0, free = 0;

		for (k = 0; k < rounds; k++) {
			err = bench_batch_once(side, cache, n, &a, &f);
			if (err)
				return err;
			alloc += a;
			free += f;
		}
		if (r < 0) /* the first repeat creates the slabs and is not counted */
			continue;
		allocs[r] = bench_x100(alloc, ops, bench_overhead.fill);
		frees[r] = bench_x100(free, ops, bench_overhead.drain);
		both[r] = allocs[r] + frees[r];
	}
	bench_report(name, size, n, side->name, both, BENCH_REPEATS);
	bench_report(shuffled ? "batch-shuffled-alloc" : "batch-ordered-alloc", size, n, side->name,
		     allocs, BENCH_REPEATS);
	bench_report(shuffled ? "batch-shuffled-free" : "batch-ordered-free", size, n, side->name,
		     frees, BENCH_REPEATS);
	return 0;
}

int bench_batch(void)
{
	static const struct {
		unsigned int size, n;
		bool shuffled;
	} cases[] = {
		{ 64, 1024, false },   { 64, 1024, true },   { 64, BENCH_MAX_BATCH, true },
		{ 1024, 1024, false }, { 1024, 1024, true }, { 4096, 1024, false },
		{ 4096, 1024, true },
	};
	unsigned int i, s;
	void *cache;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (s = 0; !err && s < ARRAY_SIZE(sides); s++) {
			cache = sides[s]->create(cases[i].size);
			if (!cache)
				return -ENOMEM;
			err = repeat_batch(sides[s], cache, cases[i].size, cases[i].n,
					   cases[i].shuffled);
			sides[s]->destroy(cache);
		}
	}
	return err;
}
