// SPDX-License-Identifier: GPL-2.0
/*
 * The cost of the heap profiler at the rate that is set.  On the hot path it must be zero: that is
 * the least of many short repeats, some of which have no sample.  The cost of samples is a
 * mean over enough steps for hundreds of samples.  Interrupts are off meanwhile, so that the
 * instructions of their handlers are not counted.
 */
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include "measure.h"

#define HOT_PAIRS    250 /* pairs per repeat */
#define HOT_REPEATS  60
#define SLOTS	     1024 /* live objects */
#define STEPS	     512  /* steps with interrupts off at a time */
#define WARM	     (32 * STEPS)
#define CHURN_STEPS  (2048 * STEPS)
#define STACKS_STEPS (512 * STEPS)
#define PAGE_STEPS   (256 * STEPS)
#define STACKS_DEPTH 6 /* 2^6 stacks: more than the profiler remembers */

static int hot(const struct bench_side *side, void *cache)
{
	u64 values[HOT_REPEATS];
	int r;

	for (r = -1; r < HOT_REPEATS; r++) { /* the first fills the magazine, uncounted */
		s64 ticks;

		cond_resched();
		ticks = cache ? side->pair(cache, HOT_PAIRS) : side->malloc_const(HOT_PAIRS);
		if (ticks < 0)
			return ticks;
		if (r >= 0)
			values[r] = bench_x100(ticks - bench_overhead.clock, HOT_PAIRS,
					       bench_overhead.pair);
	}
	bench_report(cache ? "hot" : "malloc-const", 64, HOT_PAIRS, side->name, values,
		     HOT_REPEATS);
	return 0;
}

int bench_rate_hot(const struct bench_side *side)
{
	void *cache = side->create(64);
	int err;

	if (!cache)
		return -ENOMEM;
	err = hot(side, cache);
	side->destroy(cache);
	return err ? err : hot(side, NULL);
}

/* Runs STEPS steps of a case; returns their ticks, or -ENOMEM. */
typedef s64 (*steps_fn)(const struct bench_side *side, void *cache, u64 *seed);

static int mean(const char *name, unsigned int size, const struct bench_side *side, void *cache,
		steps_fn fn, unsigned int total, u64 overhead)
{
	u64 seed = 1, sum = 0, value;
	unsigned int n;
	s64 ticks;

	for (n = 0; n < WARM + total; n += STEPS) {
		cond_resched();
		local_irq_disable();
		ticks = fn(side, cache, &seed);
		local_irq_enable();
		if (ticks < 0)
			return ticks;
		if (n >= WARM)
			sum += ticks;
	}
	value = bench_x100(sum, total, overhead);
	bench_report(name, size, WARM + total, side->name, &value, 1);
	return 0;
}

static s64 churn_steps(const struct bench_side *side, void *cache, u64 *seed)
{
	return side->replace(cache, bench_objs, SLOTS - 1, seed, STEPS) - bench_overhead.clock;
}

static s64 bare_steps(const struct bench_side *side, void *cache, u64 *seed)
{
	return side->atomic(cache, STEPS) - bench_overhead.clock;
}

/*
 * Allocate from one of 2^@depth call stacks that end at the same place.  The assembler comments
 * differ so that the compiler does not merge the two calls.
 */
static noinline __noclone s64 by_path(const struct bench_side *side, void *cache, unsigned int path,
				      unsigned int depth)
{
	s64 ticks;

	if (!depth)
		return side->atomic(cache, 1);
	if (path & 1) {
		ticks = by_path(side, cache, path >> 1, depth - 1);
		asm volatile("# odd");
	} else {
		ticks = by_path(side, cache, path >> 1, depth - 1);
		asm volatile("# even");
	}
	return ticks;
}

static s64 stacks_steps(const struct bench_side *side, void *cache, u64 *seed)
{
	s64 ticks, sum = 0;
	unsigned int i;

	for (i = 0; i < STEPS; i++) {
		*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
		ticks = by_path(side, cache, *seed >> 33, STACKS_DEPTH);
		if (ticks < 0)
			return ticks;
		sum += ticks - bench_overhead.clock;
	}
	return sum;
}

int bench_rate_churn(const struct bench_side *side)
{
	void *cache = side->create(BENCH_CHURN_SIZE);
	unsigned int i;
	int err;

	if (!cache)
		return -ENOMEM;
	side->fill(cache, bench_objs, SLOTS);
	for (err = 0, i = 0; i < SLOTS; i++)
		if (!bench_objs[i])
			err = -ENOMEM;
	if (!err)
		err = mean("churn", BENCH_CHURN_SIZE, side, cache, churn_steps, CHURN_STEPS, 0);
	for (i = 0; i < SLOTS; i++)
		if (bench_objs[i])
			side->free(cache, bench_objs[i]);
	side->destroy(cache);
	return err;
}

static int without_slots(const char *name, const struct bench_side *side, steps_fn fn,
			 unsigned int total)
{
	void *cache = side->create(BENCH_CHURN_SIZE);
	int err;

	if (!cache)
		return -ENOMEM;
	err = mean(name, BENCH_CHURN_SIZE, side, cache, fn, total, bench_overhead.pair);
	side->destroy(cache);
	return err;
}

static bench_timed s64 page_pairs(unsigned int n)
{
	return BENCH_LOOP(n, alloc_page(GFP_ATOMIC), __free_page(p));
}

static s64 page_steps(const struct bench_side *side, void *cache, u64 *seed)
{
	return page_pairs(STEPS) - bench_overhead.clock;
}

/* The kernel's pages, whatever @side is. */
int bench_page(const struct bench_side *side)
{
	return mean("page", PAGE_SIZE, side, NULL, page_steps, PAGE_STEPS, bench_overhead.pair);
}

int bench_rate_bare(const struct bench_side *side)
{
	return without_slots("bare", side, bare_steps, CHURN_STEPS);
}

int bench_rate_stacks(const struct bench_side *side)
{
	return without_slots("stacks", side, stacks_steps, STACKS_STEPS);
}
