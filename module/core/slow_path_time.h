/* SPDX-License-Identifier: GPL-2.0 */
/* How long slow paths take: an estimate, for little of their time. */
#ifndef QR_SLOW_PATH_TIME_H
#define QR_SLOW_PATH_TIME_H

#include <linux/percpu.h>
#include <linux/sched/clock.h>
#include <linux/types.h>

/*
 * One slow path in so many of a CPU is timed, and stands for the others.  A prime,
 * so that no loop of a client's has the same ones timed again and again.
 */
#define QR_TIMED_ONE_IN 61

DECLARE_PER_CPU(int, qr_untimed); /* slow paths until one is timed */

/* One begins; is it the one?  Preemption or interrupts off, or it does not matter much. */
static __always_inline bool qr_timing_due(void)
{
	raw_cpu_dec(qr_untimed);
	return unlikely(raw_cpu_read(qr_untimed) < 0);
}

/* So many more until the next one. */
static inline u64 qr_timing_begin(int until)
{
	raw_cpu_write(qr_untimed, until);
	return local_clock();
}

void qr_timing_done(u64 begin);

/* The sum over all CPUs of an estimate of the time spent in slow paths. */
u64 qr_slow_path_ns(void);

#endif /* QR_SLOW_PATH_TIME_H */
