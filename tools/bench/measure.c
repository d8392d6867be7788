// SPDX-License-Identifier: GPL-2.0
/* The clock, the overhead of the timed loops, and the order in which a batch is freed. */
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>
#include "measure.h"

/* Turns of a loop that are timed to find its overhead: to a thousandth of a tick a turn. */
#define CALIBRATION_TURNS 1000

/* A clock within 1 % of one tick per nanosecond counts as exactly that. */
#define CLOCK_TOLERANCE 10 /* of 1000 */

struct bench_overhead bench_overhead;
void **bench_objs, **bench_order;
static u32 *permutation;
static u64 ticks_per_us = 1000;

int bench_buffers_alloc(void)
{
	bench_objs = vzalloc(BENCH_MAX_BATCH * sizeof(*bench_objs));
	bench_order = vzalloc(BENCH_MAX_BATCH * sizeof(*bench_order));
	permutation = vzalloc(BENCH_MAX_BATCH * sizeof(*permutation));
	if (bench_objs && bench_order && permutation)
		return 0;
	bench_buffers_free();
	return -ENOMEM;
}

void bench_buffers_free(void)
{
	vfree(bench_objs);
	vfree(bench_order);
	vfree(permutation);
}

static noinline bench_timed u64 empty_clock(void)
{
	u64 start = bench_ticks();

	return bench_ticks() - start;
}

/* The same loops as in pairs.h, without allocations and frees. */
static noinline bench_timed u64 empty_pair(unsigned int n)
{
	void *p = bench_objs;
	u64 start = bench_ticks();

	do {
		OPTIMIZER_HIDE_VAR(p);
		if (unlikely(!p))
			break;
		barrier();
	} while (--n);
	return bench_ticks() - start;
}

static noinline bench_timed u64 empty_fill(void **objs, unsigned int n)
{
	void *p = objs;
	u64 start = bench_ticks();

	do {
		*objs++ = p;
		barrier();
	} while (--n);
	return bench_ticks() - start;
}

static noinline bench_timed u64 empty_drain(void **objs, unsigned int n)
{
	u64 start = bench_ticks();

	do {
		(void)READ_ONCE(*objs);
		objs++;
		barrier();
	} while (--n);
	return bench_ticks() - start;
}

/*
 * Measure how many ticks the clock makes per microsecond.  Under -icount the TSC counts
 * instructions, whatever frequency it reports; elsewhere it can have any frequency.
 */
static void calibrate_clock(void)
{
	u64 ticks, ns;

	ns = ktime_get_ns();
	ticks = bench_ticks();
	while (ktime_get_ns() - ns < 5 * NSEC_PER_MSEC)
		cpu_relax();
	ticks = bench_ticks() - ticks;
	ns = ktime_get_ns() - ns;
	ticks_per_us = max_t(u64, div64_u64(ticks * 1000, ns), 1);
	bench_note("clock %llu ticks per us", ticks_per_us);
	if (ticks_per_us >= 1000 - CLOCK_TOLERANCE && ticks_per_us <= 1000 + CLOCK_TOLERANCE)
		ticks_per_us = 1000;
}

void bench_calibrate(void)
{
	struct bench_overhead least = { U64_MAX, U64_MAX, U64_MAX, U64_MAX };
	unsigned int n = CALIBRATION_TURNS, r;

	calibrate_clock();
	for (r = 0; r < BENCH_REPEATS; r++) {
		cond_resched();
		least.clock = min(least.clock, empty_clock());
		least.pair = min(least.pair, empty_pair(n));
		least.fill = min(least.fill, empty_fill(bench_objs, n));
		least.drain = min(least.drain, empty_drain(bench_objs, n));
	}
	bench_overhead.clock = least.clock;
	bench_overhead.pair = div_u64((least.pair - min(least.pair, least.clock)) * 100, n);
	bench_overhead.fill = div_u64((least.fill - min(least.fill, least.clock)) * 100, n);
	bench_overhead.drain = div_u64((least.drain - min(least.drain, least.clock)) * 100, n);
	bench_note("overhead clock %llu pair %llu fill %llu drain %llu", bench_overhead.clock,
		   bench_overhead.pair, bench_overhead.fill, bench_overhead.drain);
}

/* The permutation is the same in every run, so that results can be compared. */
void bench_shuffle(unsigned int n, bool shuffled)
{
	u64 x = 88172645463325252ULL;
	unsigned int i;
	u32 j;

	for (i = 0; i < n; i++)
		permutation[i] = i;
	if (!shuffled)
		return;
	for (i = n - 1; i > 0; i--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		div_u64_rem(x >> 8, i + 1, &j);
		swap(permutation[i], permutation[j]);
	}
}

void bench_permute(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		bench_order[i] = bench_objs[permutation[i]];
}

/* @ticks for @ops operations: 100 times the nanoseconds of one, without the loop's overhead. */
u64 bench_x100(u64 ticks, u64 ops, u64 overhead)
{
	u64 x100 = div64_u64(ticks * 100, ops);

	x100 -= min(x100, overhead);
	return div64_u64(x100 * 1000, ticks_per_us);
}

int bench_batch_once(const struct bench_side *side, void *cache, unsigned int n, u64 *alloc,
		     u64 *free)
{
	unsigned int i, failed = 0;

	cond_resched();
	*alloc = side->fill(cache, bench_objs, n);
	*alloc -= min(*alloc, bench_overhead.clock);
	for (i = 0; i < n; i++)
		failed += !bench_objs[i];
	if (failed) {
		for (i = 0; i < n; i++) {
			if (bench_objs[i])
				side->free(cache, bench_objs[i]);
		}
		return -ENOMEM;
	}
	bench_permute(n);
	cond_resched();
	*free = side->drain(cache, bench_order, n);
	*free -= min(*free, bench_overhead.clock);
	return 0;
}
