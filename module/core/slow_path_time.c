// SPDX-License-Identifier: GPL-2.0
#include "core/slow_path_time.h"

#include <linux/cpumask.h>
#include "compat.h"

DEFINE_PER_CPU(int, qr_untimed);
static DEFINE_PER_CPU(u64, slow_ns);

/*
 * The task may have moved to another CPU since @begin was read.  CPUs' clocks differ a little,
 * so the difference can be negative; it is then ignored.
 */
void qr_timing_done(u64 begin)
{
	s64 took = local_clock() - begin;

	if (took > 0)
		this_cpu_add(slow_ns, took * QR_TIMED_ONE_IN);
}

u64 qr_slow_path_ns(void)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(slow_ns, cpu));
	return sum;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slow_path_ns);
