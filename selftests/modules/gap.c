// SPDX-License-Identifier: GPL-2.0
/*
 * "gap" measures the longest time for which interrupts are off in one call.  A timer ticks every
 * STEP_NS.  The result shows by how many nanoseconds a tick was late at most: so long, or up to
 * STEP_NS longer, interrupts were off.  With "scripts/vm --icount" a nanosecond is an instruction.
 * The log has the stack of that tick: the code that had just let interrupts in again.
 *
 * With "preempt=1" a thread of the highest priority but that of the kernel's own wakes up every
 * WAKE_NS instead, and the result shows by how much it was late at most: so long, or up to WAKE_NS
 * longer, nothing could preempt the call.  This takes a kernel with PREEMPT_RT.
 */
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <linux/vmalloc.h>
#include <quarry/cleanup.h>
#include "client.h"

#define STEP_NS 5000
#define WAKE_NS 10000
#define LONG_NS 25000 /* gaps whose stack is logged */

static struct hrtimer timer;
static u64 last, longest;
static unsigned long stack[16];
static unsigned int depth;

static enum hrtimer_restart tick(struct hrtimer *t)
{
	u64 now = ktime_get_ns();

	if (now - last > longest) {
		longest = now - last;
		depth = stack_trace_save(stack, ARRAY_SIZE(stack), 0);
	}
	/* Saving the stack is no part of the next gap. */
	last = ktime_get_ns();
	hrtimer_forward_now(t, ns_to_ktime(STEP_NS));
	return HRTIMER_RESTART;
}

static struct task_struct *waker;
static DECLARE_COMPLETION(awake);
static bool preempt;

static int wake(void *unused)
{
	ktime_t next;

	sched_set_fifo(current);
	complete(&awake);
	next = ktime_get();
	while (!kthread_should_stop()) {
		next = ktime_add_ns(next, WAKE_NS);
		set_current_state(TASK_INTERRUPTIBLE);
		schedule_hrtimeout(&next, HRTIMER_MODE_ABS);
		last = ktime_get_ns();
		longest = max_t(s64, longest, last - ktime_to_ns(next));
		next = last;
	}
	return 0;
}

static void begin(void)
{
	longest = 0;
	depth = 0;
	last = ktime_get_ns();
	if (preempt) {
		waker = kthread_run(wake, NULL, "quarry_gap");
		/* A thread that is stopped before it begins never does. */
		if (!IS_ERR(waker))
			wait_for_completion(&awake);
		return;
	}
#ifdef HAS_HRTIMER_SETUP
	hrtimer_setup(&timer, tick, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
#else
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	timer.function = tick;
#endif
	hrtimer_start(&timer, ns_to_ktime(STEP_NS), HRTIMER_MODE_REL_PINNED_HARD);
}

static void end(const char *what)
{
	unsigned int i;
	u64 now;

	if (preempt) {
		if (IS_ERR(waker) || kthread_stop(waker))
			longest = U64_MAX;
		client_say("%s_ns %llu\n", what, longest);
		return;
	}
	/* A tick after the clock was read would make @last the later one. */
	hrtimer_cancel(&timer);
	now = ktime_get_ns();
	longest = max(longest, now - last);
	for (i = 0; longest > LONG_NS && i < depth; i++)
		pr_info("gap %s: %llu ns: %pS\n", what, longest, (void *)stack[i]);
	client_say("%s_ns %llu\n", what, longest > STEP_NS ? longest - STEP_NS : 0);
}

static void nothing(void *p, void *arg)
{
}

/* The caches of objects: fill, free all or half, shrink, destroy with or without live objects. */
static int objects(u64 mb, bool live)
{
	struct quarry_cache *cache = quarry_cache_create("client/gap", 4096, NULL);
	unsigned long n = mb << 8, i;
	void **objs = vzalloc(array_size(n, sizeof(*objs)));
	int err = -ENOMEM;

	if (!cache || !objs)
		goto out;
	for (i = 0; i < n; i++) {
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL | __GFP_NOWARN);
		if (!objs[i])
			goto out;
		/* A cleanup on one object in eight */
		if (live && i % 8 == 0 && quarry_cleanup_add(objs[i], nothing, NULL))
			goto out;
		cond_resched();
	}
	err = 0;
	if (live) {
		begin();
		quarry_cache_destroy(cache);
		end("destroy_live");
		cache = NULL;
	}
	begin();
	for (i = 0; i < n; i++)
		quarry_free(objs[i]);
	end("free");
	if (!live) {
		begin();
		quarry_cache_shrink(cache);
		end("shrink");
		begin();
		quarry_cache_destroy(cache);
		end("destroy");
		cache = NULL;
	}
out:
	if (err && objs)
		for (i = 0; i < n; i++)
			quarry_free(objs[i]);
	quarry_cache_destroy(cache);
	vfree(objs);
	return err;
}

static int cleanups(u64 mb)
{
	unsigned long n = mb << 12, i;
	void *p = quarry_malloc(64, GFP_KERNEL);
	int err = p ? 0 : -ENOMEM;

	for (i = 0; !err && i < n; i++)
		err = quarry_cleanup_add(p, nothing, (void *)i);
	if (!err) {
		begin();
		err = quarry_cleanup_remove(p, nothing, (void *)n) ? -EINVAL : 0;
		end("remove_none");
		begin();
		err = err ?: quarry_cleanup_remove(p, nothing, NULL) ? 0 : -EINVAL;
		end("remove_last");
	}
	begin();
	quarry_free(p);
	end("free_cleaned");
	return err;
}

static int large(u64 mb)
{
	unsigned int round;
	void *p;

	for (round = 0; round < 2; round++) {
		begin();
		p = quarry_malloc(mb << 20, GFP_KERNEL | __GFP_NOWARN);
		end("large_alloc");
		if (!p)
			return -ENOMEM;
		begin();
		quarry_free(p);
		end("large_free");
	}
	return 0;
}

static const char *const kinds[] = { "objects", "live", "cleanups", "large", "begin", "end", NULL };

static int gap_run(const u64 *v)
{
	preempt = v[2];
	if (preempt && !IS_ENABLED(CONFIG_PREEMPT_RT))
		return -EOPNOTSUPP;
	switch (v[0]) {
	case 0:
	case 1:
		return objects(v[1], v[0]);
	case 2:
		return cleanups(v[1]);
	case 4: /* for what is done between two commands */
		begin();
		return 0;
	case 5:
		end("between");
		return 0;
	default:
		return large(v[1]);
	}
}

const struct client_command client_gap = {
	.name = "gap",
	.run = gap_run,
	.args = { { "what", 0, 0, kinds }, { "mb", 64, 4096 }, { "preempt", 0, 1 } },
};
