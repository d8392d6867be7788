/* SPDX-License-Identifier: GPL-2.0 */
/* Estimates the time spent in slow paths, by timing only some of them. */
#ifndef QR_SLOW_PATH_TIME_H
#define QR_SLOW_PATH_TIME_H

#include <linux/percpu.h>
#include <linux/sched/clock.h>
#include <linux/types.h>

/*
 * A CPU times one slow path in 61 and counts its time 61 times.  61 is a prime, so that a
 * client's loop with a fixed pattern of slow paths does not get the same one timed every time.
 */
#define QR_TIMED_ONE_IN 61

DECLARE_PER_CPU(int, qr_untimed); /* slow paths left until the next one is timed */

/*
 * A slow path begins: is it one to time?  A caller that may be preempted here can make another
 * CPU's count off by one, which does not matter.
 */
static __always_inline bool qr_timing_due(void)
{
	raw_cpu_dec(qr_untimed);
	return unlikely(raw_cpu_read(qr_untimed) < 0);
}

/* Start to time a slow path; @until is the number of slow paths until the next timed one. */
static inline u64 qr_timing_begin(int until)
{
	raw_cpu_write(qr_untimed, until);
	return local_clock();
}

void qr_timing_done(u64 begin);

/* Estimated time spent in slow paths since the module was loaded, in ns, on all CPUs. */
u64 qr_slow_path_ns(void);

#endif /* QR_SLOW_PATH_TIME_H */
