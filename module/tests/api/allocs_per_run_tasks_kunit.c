// SPDX-License-Identifier: GPL-2.0
/* Counts of allocations: other tasks, interrupts, and tasks that count one after the other. */
#include "tests/api/allocs_per_run_util.h"

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>
#include <linux/sizes.h>
#include "core/task_count.h"

/* --- Other tasks and interrupts --- */

static void sleeping(void *arg)
{
	struct qw_work *w = arg;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		set_cpus_allowed_ptr(current, cpumask_of(cpu));
		qw_by_cache(w);
		usleep_range(500, 1000);
		qw_by_bulk(w);
	}
}

static void sleeps_and_migrates(struct kunit *test)
{
	struct qw_work *w = qw_work(test, 64, 40);

	qw_expect_each(test, 80 * num_online_cpus(), sleeping, w);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

static int allocate_like_mad(void *arg)
{
	struct qw_work *w = arg;
	void *objs[8];

	while (!kthread_should_stop()) {
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(objs); i++)
			objs[i] = quarry_cache_alloc(w->cache, GFP_KERNEL);
		qt_free_n(w->cache, objs, ARRAY_SIZE(objs));
		quarry_free(quarry_malloc(100, GFP_KERNEL));
		quarry_free(quarry_malloc(SZ_64K, GFP_KERNEL));
		atomic_inc(&w->others);
		complete(&w->done);
		cond_resched();
	}
	return 0;
}

/* Allocates, and waits until the other task has allocated as well. */
static void with_others(void *arg)
{
	struct qw_work *w = arg;

	reinit_completion(&w->done);
	qw_by_cache(w);
	qw_by_bulk(w);
	qw_by_malloc(w);
	wait_for_completion(&w->done);
}

static void beside_another(struct kunit *test, unsigned int mine, unsigned int its)
{
	struct qw_work *w = qw_work(test, 64, 50);
	struct task_struct *other = kthread_create(allocate_like_mad, w, "quarry_mad");

	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	kthread_bind(other, its);
	wake_up_process(other);
	qt_pin(test, mine);
	KUNIT_EXPECT_EQ(test, 151, quarry_allocs_per_run(with_others, w, 30));
	KUNIT_EXPECT_GE(test, atomic_read(&w->others), 30);
	kthread_stop(other);
}

static void other_tasks(struct kunit *test)
{
	beside_another(test, 0, 0);
	if (num_online_cpus() > 1)
		beside_another(test, 0, cpumask_last(cpu_online_mask));
}

static void interrupt(struct qw_work *w)
{
	void *p = quarry_cache_alloc(w->cache, GFP_ATOMIC);

	w->interrupts++;
	if (p)
		quarry_cache_free(w->cache, p);
	quarry_free(quarry_malloc_node(100, GFP_ATOMIC, 0));
}

static void irq_fn(struct irq_work *irq)
{
	interrupt(container_of(irq, struct qw_work, irq));
}

static void tasklet_fn(struct tasklet_struct *t)
{
	interrupt(container_of(t, struct qw_work, tasklet));
}

static void interrupted(void *arg)
{
	struct qw_work *w = arg;

	irq_work_queue(&w->irq);
	qw_by_cache(w);
	irq_work_sync(&w->irq);
	local_bh_disable();
	tasklet_schedule(&w->tasklet);
	qw_by_cache(w);
	local_bh_enable();
	tasklet_unlock_wait(&w->tasklet);
}

static void interrupts(struct kunit *test)
{
	struct qw_work *w = qw_work(test, 64, 20);
	void *filled[30];

	qt_pin(test, 0);
	qt_alloc_n(test, w->cache, filled, 30);
	qt_free_n(w->cache, filled, 30);
	quarry_free(quarry_malloc_node(100, GFP_KERNEL, 0));
	w->gfp = GFP_ATOMIC;
	init_irq_work(&w->irq, irq_fn);
	tasklet_setup(&w->tasklet, tasklet_fn);
	KUNIT_EXPECT_EQ(test, 40, quarry_allocs_per_run(interrupted, w, 20));
	tasklet_kill(&w->tasklet);
	KUNIT_EXPECT_EQ(test, 42, w->interrupts);
}

/* --- The task that counts --- */

static int count_and_die(void *arg)
{
	struct qw_work *w = arg;

	w->made = quarry_alloc_count_begin();
	quarry_free(quarry_malloc(10, GFP_KERNEL));
	complete(&w->done);
	return 0;
}

static void died(struct kunit *test)
{
	struct qw_work *w = qw_work(test, 64, 10);
	struct task_struct *other = kthread_create(count_and_die, w, "quarry_dies");
	unsigned int i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	get_task_struct(other);
	wake_up_process(other);
	wait_for_completion(&w->done);
	kthread_stop(other);
	KUNIT_ASSERT_EQ(test, 0, w->made);
	KUNIT_EXPECT_TRUE(test, qr_is_counting());
	qw_expect_each(test, 10, qw_by_cache, w);
	KUNIT_EXPECT_FALSE(test, qr_is_counting());
	/* Only our reference is left once the kernel has dropped its own. */
	for (i = 0; i < 1000 && refcount_read(&other->usage) > 1; i++)
		usleep_range(500, 1000);
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&other->usage));
	put_task_struct(other);
}

/* Counting holds a reference to the task and drops it at the end. */
static void held_meanwhile(struct kunit *test)
{
	unsigned int held = refcount_read(&current->usage), i;

	for (i = 0; i < 100; i++) {
		KUNIT_ASSERT_EQ(test, 0, quarry_alloc_count_begin());
		KUNIT_EXPECT_EQ(test, 0, quarry_alloc_count_end());
	}
	/* Other references may come and go, but not 50 of them. */
	KUNIT_EXPECT_LT(test, refcount_read(&current->usage), held + 50);
}

static int count_once(void *arg)
{
	struct qw_work *w = arg;

	complete(&w->done);
	w->made = quarry_allocs_per_run(qw_by_bulk, w, 1);
	while (!kthread_should_stop())
		usleep_range(500, 1000);
	return 0;
}

/* A second task waits for the first, and neither counts the other's allocations. */
static void in_turn(struct kunit *test)
{
	struct qw_work *w = qw_work(test, 64, 10);
	struct task_struct *other;

	w->made = -1;
	KUNIT_ASSERT_EQ(test, 0, quarry_alloc_count_begin());
	other = kthread_run(count_once, w, "quarry_waits");
	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	wait_for_completion(&w->done);
	msleep(20);
	KUNIT_EXPECT_EQ(test, -1, READ_ONCE(w->made));
	quarry_free(quarry_malloc(10, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, quarry_alloc_count_end());
	while (READ_ONCE(w->made) == -1)
		usleep_range(500, 1000);
	KUNIT_EXPECT_EQ(test, 10, w->made);
	kthread_stop(other);
}

static struct kunit_case cases[] = { KUNIT_CASE(sleeps_and_migrates), KUNIT_CASE(other_tasks),
				     KUNIT_CASE(interrupts),	      KUNIT_CASE(died),
				     KUNIT_CASE(held_meanwhile),      KUNIT_CASE(in_turn),
				     KUNIT_CASE(qt_books_balance),    {} };

static struct kunit_suite count_tasks_suite = {
	.name = "quarry_allocs_per_run_tasks",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(count_tasks_suite);
