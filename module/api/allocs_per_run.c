// SPDX-License-Identifier: GPL-2.0
/*
 * Counts the allocations that one task makes, for tests.  The idea is Go's
 * testing.AllocsPerRun, but only one task counts, so that the result does not depend on what
 * else the machine does.
 *
 * While a task counts, all countdowns are zero and every allocation takes the slow path.  Each
 * object is then drawn for sampling by itself.  The profile is the same as with countdowns,
 * because the rest of a countdown says nothing about when the next sample comes.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "api/allocs_per_run.h"

#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/sched/task.h>
#include <linux/wait.h>
#include <quarry/testing.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/caller.h"
#include "core/task_count.h"

static DEFINE_MUTEX(owner_lock); /* protects changes of qr_counted */
static DECLARE_WAIT_QUEUE_HEAD(owner_gone);

/* Make all heads draw their countdowns anew.  While a task counts, they become zero. */
static void redraw_all(void)
{
	qr_visit_magazines(0, qr_magazine_redraw);
}

/*
 * Is the counting task still there?  A task that exits may not have ended its counting: KUnit
 * ends the thread of a case whose assertion fails.
 */
static bool is_held(const struct task_struct *owner)
{
	return owner && !(READ_ONCE(owner->flags) & PF_EXITING);
}

static bool become_owner(void)
{
	struct task_struct *owner;
	bool held;

	mutex_lock(&owner_lock);
	owner = qr_counted;
	held = is_held(owner);
	if (!held) {
		qr_count_reset();
		WRITE_ONCE(qr_counted, get_task_struct(current));
		if (owner)
			put_task_struct(owner);
	}
	mutex_unlock(&owner_lock);
	return !held;
}

/**
 * quarry_alloc_count_begin() - start counting this task's allocations
 *
 * Counting ends with quarry_alloc_count_end(), which the same task must call.
 *
 * Every object that this task gets from Quarry in process context counts, of any size, cache
 * and node, on any CPU, sampled or not.  A bulk allocation counts each of its objects.  Every
 * quarry_pool_get() counts, wherever its object comes from.  An object of a reserve counts
 * twice: when the reserve is filled and when the object is taken.  A quarry_realloc() that
 * leaves memory in its place does not count.  Allocations from arenas do not count, because
 * an arena knows nothing of objects.  Other tasks and interrupts do not count.
 *
 * Meanwhile every allocation on the machine takes Quarry's slow path.  Only one task counts at
 * a time; another one waits here until it is done.
 *
 * Context: process; sleeps.
 * Return: 0; -EDEADLK if this task counts already; -EINTR if this task was killed while it
 * waited.
 */
int quarry_alloc_count_begin(void)
{
	might_sleep();
	if (READ_ONCE(qr_counted) == current)
		return -EDEADLK;
	while (!become_owner())
		/* The owner may exit without a wake-up, so look again after a while. */
		if (wait_event_killable_timeout(owner_gone, !qr_is_counting(), HZ / 10) < 0)
			return -EINTR;
	redraw_all();
	return 0;
}
EXPORT_SYMBOL_QUARRY(quarry_alloc_count_begin);

/**
 * quarry_alloc_count_end() - stop counting this task's allocations
 *
 * Context: process; sleeps.
 * Return: number of allocations since quarry_alloc_count_begin(), regardless of frees; or
 * -EINVAL if this task does not count.
 */
long quarry_alloc_count_end(void)
{
	long made;

	might_sleep();
	if (READ_ONCE(qr_counted) != current)
		return -EINVAL;
	made = qr_count_read();
	mutex_lock(&owner_lock);
	WRITE_ONCE(qr_counted, NULL);
	mutex_unlock(&owner_lock);
	put_task_struct(current);
	redraw_all();
	wake_up(&owner_gone);
	return made;
}
EXPORT_SYMBOL_QUARRY(quarry_alloc_count_end);

/**
 * quarry_allocs_per_run() - count the allocations that a function makes
 * @fn: the function; it may sleep and migrate to another CPU
 * @arg: passed to @fn
 * @runs: number of calls that count; one call before them does not count
 *
 * The result is exact: it varies only if @fn does.  quarry_alloc_count_begin() says which
 * allocations count.
 *
 * Context: process; sleeps.
 * Return: average number of allocations per run, rounded down; -EINVAL if @fn is NULL or @runs
 * is 0, which is logged; -EDEADLK if this task counts already, which is also the case inside
 * of @fn; -EINTR if this task was killed while it waited for another that counts.
 */
long quarry_allocs_per_run(void (*fn)(void *arg), void *arg, unsigned int runs)
{
	unsigned int i;
	long made;

	if (!fn || !runs) {
		pr_warn_ratelimited("allocations per run: no run to count, from %s\n",
				    qr_caller_name(_RET_IP_));
		return -EINVAL;
	}
	made = quarry_alloc_count_begin();
	if (made)
		return made;
	fn(arg);
	qr_count_reset();
	for (i = 0; i < runs; i++)
		fn(arg);
	made = quarry_alloc_count_end();
	return made < 0 ? made : made / runs;
}
EXPORT_SYMBOL_QUARRY(quarry_allocs_per_run);

void qr_allocs_per_run_exit(void)
{
	if (qr_counted)
		put_task_struct(qr_counted);
}
