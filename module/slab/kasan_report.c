// SPDX-License-Identifier: GPL-2.0
/*
 * When KASAN reports an access to a guarded object, the log also says which object it is, and where
 * it was allocated and freed, as far as that is known.  KASAN knows that of its own allocators'
 * objects only.  The kernel's tracepoint error_report_end comes at the end of each of its reports.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "slab/shadow.h"

#ifdef CONFIG_KASAN_GENERIC

#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/tracepoint.h>
#include <trace/events/error_report.h>
#include "compat.h"
#include "profile/stack.h"
#include "slab/slab.h"

static void show_stack_of(u32 stack, const char *what)
{
	unsigned long *frames;
	unsigned int n = qr_stack_frames(stack, &frames), i;

	for (i = 0; i < n; i++)
		pr_err("KASAN: %s in %pB\n", what, (void *)frames[i]);
}

static void show_object(const struct qr_slab *slab, const struct qr_guard *guard, const void *p)
{
	u32 offset = p - slab->base, i = offset / guard->stride;
	struct qr_origin origin;

	pr_err("KASAN: byte %u of %u of a %s object, cache %s\n", offset % guard->stride,
	       guard->size, qr_slab_is_free(slab, i) ? "free" : "live", guard->name);
	/* Whoever made the access may have interrupted the one that has the lock. */
	if (!qr_sample_origin(&slab->samples, i, &origin, false))
		return;
	show_stack_of(origin.allocated, "allocated");
	show_stack_of(origin.freed, "freed");
}

static void after_report(void *unused, enum error_detector detector, unsigned long address)
{
	const void *p = (const void *)address;
	const struct qr_guard *guard;
	const struct qr_slab *slab;

	if (detector != ERROR_DETECTOR_KASAN)
		return;
	rcu_read_lock();
	slab = qr_slab_of(p);
	guard = slab ? READ_ONCE(slab->guard) : NULL;
	if (guard)
		show_object(slab, guard, p);
	rcu_read_unlock();
}

int qr_shadow_init(void)
{
	return register_trace_error_report_end(after_report, NULL);
}

void qr_shadow_exit(void)
{
	unregister_trace_error_report_end(after_report, NULL);
	tracepoint_synchronize_unregister();
}

#endif /* CONFIG_KASAN_GENERIC */
