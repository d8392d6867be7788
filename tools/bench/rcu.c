// SPDX-License-Identifier: GPL-2.0
/*
 * Frees after a grace period: the cost of the call ("rcu-call"), and the cost of the call and
 * everything that follows until the object is free ("rcu-all").
 *
 * For "rcu-all", the busy time of the processor is measured over ALL_MS, which is long enough for
 * the timers of either side, and the busy time of as long a period without frees is subtracted.
 * Of both, the least of several repeats is used, because the kernel also has other work to do.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kernel_stat.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/tick.h>
#include "measure.h"

#define SIZE	    64
#define CALLS	    1000 /* frees per repeat */
#define ALL_OBJECTS BENCH_MAX_BATCH
#define ALL_REPEATS 8
#define ALL_MS	    7000 /* kfree_rcu() waits up to five seconds before it begins */

static const struct bench_side *const sides[] = { &bench_slub, &bench_inline, &bench_called };

static int the_call(const struct bench_side *side)
{
	u64 values[BENCH_REPEATS];
	unsigned int r;
	s64 ticks;

	for (r = 0; r < BENCH_REPEATS; r++) {
		ticks = side->rcu_fill(bench_objs, CALLS);
		if (ticks < 0)
			return ticks;
		ticks = side->rcu_drain(bench_objs, CALLS);
		values[r] = bench_x100(ticks - bench_overhead.clock, CALLS, bench_overhead.drain);
		/* Let the grace period end, so that the objects can be used again. */
		msleep(100);
	}
	bench_report("rcu-call", SIZE, 1, side->name, values, BENCH_REPEATS);
	return 0;
}

/* Free @n objects and wait ALL_MS.  Returns the busy time of the processor in ns, or -ENOMEM. */
static s64 busy(const struct bench_side *side, unsigned int n)
{
	u64 start, idle;
	s64 err = 0;

	if (n)
		err = side->rcu_fill(bench_objs, n);
	if (err < 0)
		return err;
	idle = get_cpu_idle_time_us(smp_processor_id(), NULL);
	start = ktime_get_ns();
	if (n)
		side->rcu_drain(bench_objs, n);
	msleep(ALL_MS);
	idle = get_cpu_idle_time_us(smp_processor_id(), NULL) - idle;
	return ktime_get_ns() - start - idle * NSEC_PER_USEC;
}

static int everything(const struct bench_side *side)
{
	s64 with = S64_MAX, without = S64_MAX;
	unsigned int r;
	u64 value;

	for (r = 0; r < ALL_REPEATS; r++) {
		s64 took = busy(side, ALL_OBJECTS);

		if (took < 0)
			return took;
		with = min(with, took);
		without = min(without, busy(side, 0));
	}
	value = bench_x100(max(with - without, 0), ALL_OBJECTS, bench_overhead.drain);
	bench_report("rcu-all", SIZE, ALL_OBJECTS, side->name, &value, 1);
	return 0;
}

int bench_rcu(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(sides); i++)
		err = the_call(sides[i]);
	/* Without NO_HZ the kernel counts idle time in ticks. */
	if (!IS_ENABLED(CONFIG_NO_HZ_COMMON))
		return err;
	for (i = 0; !err && i < ARRAY_SIZE(sides); i++)
		err = everything(sides[i]);
	return err;
}
