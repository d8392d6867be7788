// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations per run of a function, as testing.AllocsPerRun of Go has it; but of one
 * task, so that it does not matter what else the machine does.
 *
 * While a task counts, no magazine has a countdown.  Whether an object is sampled is then
 * drawn for each by itself, which the profile cannot tell from a countdown: what
 * is left of one says nothing about the next sample.
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
#include "core/task_count.h"

static DEFINE_MUTEX(owner_lock); /* changes of qr_counted */
static DECLARE_WAIT_QUEUE_HEAD(owner_gone);

/* Every magazine draws anew: nothing while somebody counts. */
static void redraw_all(void)
{
	mutex_lock(&qr_caches_lock);
	qr_visit_magazines(NULL, qr_magazine_redraw);
	mutex_unlock(&qr_caches_lock);
}

/* One that dies does not end its counting; a case of KUnit that gives up dies. */
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
 * quarry_alloc_count_begin() - count this task's allocations
 *
 * Until quarry_alloc_count_end(), which the same task has to call.  What counts is what this
 * task gets from Quarry in process context: from whatever size, cache or node, on whatever
 * CPU, sampled or not; objects by the bulk count one by one, and a quarry_realloc() that
 * leaves memory where it is does not count.  So does every quarry_pool_get(), wherever its
 * object comes from, and of a reserve what fills it and what is taken.  Arenas do not: they know
 * nothing of objects.  Other tasks do not count, nor do interrupts.
 *
 * Meanwhile all allocations of the machine take Quarry's slow path.  One task counts at a
 * time; others wait here.
 *
 * Context: process; sleeps.
 * Return: 0; -EDEADLK if this task counts already, or -EINTR if it was killed while it waited.
 */
int quarry_alloc_count_begin(void)
{
	might_sleep();
	if (READ_ONCE(qr_counted) == current)
		return -EDEADLK;
	while (!become_owner())
		/* It may die, of which nobody tells. */
		if (wait_event_killable_timeout(owner_gone, !qr_is_counting(), HZ / 10) < 0)
			return -EINTR;
	redraw_all();
	return 0;
}
EXPORT_SYMBOL_QUARRY(quarry_alloc_count_begin);

/**
 * quarry_alloc_count_end() - how many allocations has this task made?
 *
 * Context: process; sleeps.
 * Return: allocations since quarry_alloc_count_begin(), frees not taken off; or -EINVAL if this
 * task does not count.
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
 * quarry_allocs_per_run() - how many allocations does a function make?
 * @fn: the function; it may sleep, and move to another CPU
 * @arg: what it is given
 * @runs: times that it is called, after a first call that does not count
 *
 * Exact, and the same each time if @fn is: see quarry_alloc_count_begin() for what counts.
 *
 * Context: process; sleeps.
 * Return: allocations per run, on average and rounded down; -EINVAL if @runs is 0, -EDEADLK if
 * this task counts already, as it does inside of @fn, or -EINTR if it was killed while another
 * counted.
 */
long quarry_allocs_per_run(void (*fn)(void *arg), void *arg, unsigned int runs)
{
	unsigned int i;
	long made;

	if (!fn || !runs) {
		pr_warn_ratelimited("allocations per run: no run to count, from %pS\n",
				    (void *)_RET_IP_);
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
