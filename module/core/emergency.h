/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's emergency reserves: the pages below a zone's min watermark.  The gfp flags and the
 * task say whether an allocation may use them.
 *
 * Quarry asks for memory without access first.  So whatever comes from a second request, with the
 * caller's access, is known to come from the reserves.  It is marked (qr_run.access), so that
 * others without access do not get it.
 */
#ifndef QR_EMERGENCY_H
#define QR_EMERGENCY_H

#include <linux/gfp.h>
#include <linux/oom.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/deadline.h>
#include <linux/sched/rt.h>
#include "compat.h"

/**
 * enum qr_access - how far an allocation may go into the emergency reserves
 * @QR_NO_ACCESS: not at all
 * @QR_SOME_ACCESS: __GFP_HIGH, as in GFP_ATOMIC: a part of them
 * @QR_FULL_ACCESS: __GFP_MEMALLOC, PF_MEMALLOC, or a task that the OOM killer has chosen: all
 */
enum qr_access {
	QR_NO_ACCESS,
	QR_SOME_ACCESS,
	QR_FULL_ACCESS,
};

/* The flags that ask for access. */
#define QR_GFP_ACCESS (__GFP_HIGH | __GFP_MEMALLOC | QR_COMPAT_GFP_ATOMIC)

/* The same rules as in the kernel's gfp_pfmemalloc_allowed(), which is not exported. */
static inline enum qr_access qr_access_of(gfp_t gfp)
{
	enum qr_access some = gfp & __GFP_HIGH ? QR_SOME_ACCESS : QR_NO_ACCESS;

	if (unlikely(gfp & __GFP_NOMEMALLOC))
		return some;
	if (unlikely(gfp & __GFP_MEMALLOC))
		return QR_FULL_ACCESS;
	if (unlikely(current->flags & PF_MEMALLOC) && (in_serving_softirq() || !in_interrupt()))
		return QR_FULL_ACCESS;
	if (unlikely(tsk_is_oom_victim(current)) && !in_interrupt())
		return QR_FULL_ACCESS;
	return some;
}

/* The same request without access.  __GFP_NOMEMALLOC takes precedence over PF_MEMALLOC. */
static inline gfp_t qr_gfp_humble(gfp_t gfp)
{
	return (gfp & ~QR_GFP_ACCESS) | __GFP_NOMEMALLOC;
}

/*
 * For memory that nothing depends on, such as the profiler's: no access, no retry and no warning.
 * Whether to sleep is left as the caller wants it.
 */
static inline gfp_t qr_gfp_modest(gfp_t gfp)
{
	gfp &= __GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HARDWALL | __GFP_NOLOCKDEP;
	return gfp | __GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC;
}

/*
 * For a whole chunk, of which the caller needs a page or two.  The kernel gives a realtime task
 * some access by itself, but only if it may reclaim (since 6.3) or lacks __GFP_ATOMIC (before).
 */
static inline gfp_t qr_gfp_chunk(gfp_t gfp)
{
	gfp = qr_gfp_modest(gfp);
	if (in_task() && unlikely(rt_task(current) || dl_task(current)))
		gfp = (gfp & ~__GFP_DIRECT_RECLAIM) | QR_COMPAT_GFP_ATOMIC;
	return gfp;
}

#endif /* QR_EMERGENCY_H */
