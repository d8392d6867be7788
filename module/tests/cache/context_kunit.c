// SPDX-License-Identifier: GPL-2.0
/*
 * Caches are created and destroyed where the kernel's may be, and where the kernel's may not: in
 * callbacks of CPU hotplug, with cpus_read_lock() held, beside a real-time task that never yields,
 * and by work items that reclaim memory.  On a kernel with lockdep the suite also shows that the
 * locks have one order: it makes all calls that wait for other CPUs.
 */
#include "tests/kunit_util.h"

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include "cache/capacity_balance.h"

/* The life of a cache, a pool and an arena, with objects that wait for a grace period. */
static int live_and_die(void)
{
	static const struct quarry_pool_args pool_args = { .name = "context", .size = 64 };
	struct quarry_cache *cache = quarry_cache_create("context", 200, NULL);
	struct quarry_arena *arena = quarry_arena_create("context", NULL);
	struct quarry_pool *pool = quarry_pool_create(&pool_args);
	unsigned int i;
	int bad = 0;

	for (i = 0; i < 20 && cache && pool && arena; i++) {
		void *p = quarry_cache_alloc(cache, GFP_KERNEL);
		void *q = quarry_pool_get(pool, GFP_KERNEL);

		bad += !p || !q || !quarry_arena_alloc(arena, 100, GFP_KERNEL);
		if (i % 2)
			quarry_cache_free_rcu(cache, p);
		else
			quarry_cache_free(cache, p);
		quarry_pool_put(pool, q);
	}
	bad += !cache || !pool || !arena;
	quarry_cache_destroy(cache);
	quarry_pool_destroy(pool);
	quarry_arena_destroy(arena);
	return bad;
}

static atomic_t called, went_wrong;

static int live_and_die_here(unsigned int cpu)
{
	atomic_inc(&called);
	atomic_add(live_and_die(), &went_wrong);
	return 0;
}

/* All calls that wait for other CPUs, or that stop the machine. */
static void call_all(struct quarry_cache *cache)
{
	struct quarry_validation v;

	quarry_cache_shrink(cache);
	qr_magazines_tick();
	qr_drain_all();
	qr_trim_all(ULONG_MAX, true);
	qr_rate_set(0);
	qr_cache_rate_set(qr_cache_of(cache)->id, 0, true);
	qr_percpu_kib_set(qr_percpu_kib_get());
	quarry_rcu_barrier();
	qr_rcu_hurry();
	atomic_add(!!qr_validate(&v), &went_wrong);
}

static int calls(void *cache)
{
	while (!kthread_should_stop()) {
		quarry_free(quarry_malloc(100, GFP_KERNEL));
		call_all(cache);
		cond_resched();
	}
	return 0;
}

static void stop(void *task)
{
	kthread_stop(task);
}

static void start_calls(struct kunit *test)
{
	struct task_struct *t = kthread_run(calls, qt_cache(test, 64, NULL), "quarry calls");

	KUNIT_ASSERT_FALSE(test, IS_ERR(t));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop, t));
}

static void remove_state(void *state)
{
	cpuhp_remove_state_nocalls((unsigned long)state);
}

static void add_callbacks(struct kunit *test, enum cpuhp_state where)
{
	int state = cpuhp_setup_state_nocalls(where, "quarry:test", live_and_die_here,
					      live_and_die_here);

	if (!state)
		state = where;
	KUNIT_ASSERT_GT(test, state, 0);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, remove_state,
						  (void *)(unsigned long)state));
}

static void bring_back(void *arg)
{
	unsigned int cpu = (unsigned long)arg;

	if (!cpu_online(cpu))
		add_cpu(cpu);
}

static void in_hotplug_callbacks(struct kunit *test)
{
	unsigned int cpu = cpumask_last(cpu_online_mask), round;

	if (!cpu || !cpu_is_hotpluggable(cpu))
		kunit_skip(test, "CPU %u cannot go", cpu);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, bring_back, (void *)(unsigned long)cpu));
	atomic_set(&called, 0);
	atomic_set(&went_wrong, 0);
	/* Before Quarry's own callbacks and after, on the CPU itself and on another one. */
	add_callbacks(test, CPUHP_BP_PREPARE_DYN);
	add_callbacks(test, CPUHP_AP_ONLINE_DYN);
	qt_pin(test, 0);
	start_calls(test);
	for (round = 0; round < 6; round++) {
		KUNIT_ASSERT_EQ(test, 0, remove_cpu(cpu));
		KUNIT_ASSERT_EQ(test, 0, add_cpu(cpu));
	}
	KUNIT_EXPECT_EQ(test, 6 * 4, atomic_read(&called));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&went_wrong));
}

static void with_cpus_read_lock(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned int round;

	atomic_set(&went_wrong, 0);
	start_calls(test);
	for (round = 0; round < 5; round++) {
		cpus_read_lock();
		KUNIT_EXPECT_EQ(test, 0, live_and_die());
		cpus_read_unlock();
		call_all(cache);
	}
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&went_wrong));
}

/* An object that waits on a CPU which is dead, before Quarry's own callback knows of it. */
static struct quarry_cache *doomed;

static int destroy_it(unsigned int cpu)
{
	quarry_cache_destroy(doomed);
	doomed = NULL;
	return 0;
}

static void waiting_on_a_dead_cpu(struct kunit *test)
{
	unsigned int cpu = cpumask_last(cpu_online_mask);
	u64 zombies = qt_stats(test)->zombie_caches;
	int state;

	if (!cpu || !cpu_is_hotpluggable(cpu))
		kunit_skip(test, "CPU %u cannot go", cpu);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, bring_back, (void *)(unsigned long)cpu));
	state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "quarry:test", NULL, destroy_it);
	KUNIT_ASSERT_GT(test, state, 0);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, remove_state,
						  (void *)(unsigned long)state));
	doomed = quarry_cache_create("doomed", 64, NULL);
	KUNIT_ASSERT_NOT_NULL(test, doomed);
	qt_pin(test, cpu);
	quarry_cache_free_rcu(doomed, quarry_cache_alloc(doomed, GFP_KERNEL));
	qt_pin(test, 0);
	KUNIT_ASSERT_EQ(test, 0, remove_cpu(cpu));
	KUNIT_EXPECT_NULL(test, doomed);
	KUNIT_EXPECT_EQ(test, zombies, qt_stats(test)->zombie_caches);
	KUNIT_ASSERT_EQ(test, 0, add_cpu(cpu));
}

/* --- A real-time task --- */

static bool hog_runs, visit_over;

static int hog(void *unused)
{
	WRITE_ONCE(hog_runs, true);
	while (!kthread_should_stop())
		cond_resched(); /* gives way to no other task, but lets grace periods end */
	return 0;
}

static int visit(void *unused)
{
	qr_drain_all();
	WRITE_ONCE(visit_over, true);
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

static int plain_life(void)
{
	struct quarry_cache *cache = quarry_cache_create("context", 200, NULL);
	void *p = cache ? quarry_cache_alloc(cache, GFP_KERNEL) : NULL;
	bool bad = !p;

	if (p)
		quarry_cache_free(cache, p);
	quarry_cache_destroy(cache);
	return bad;
}

/* Does a cache come and go while a call waits for a CPU that a real-time task does not share? */
static bool comes_and_goes(struct kunit *test, unsigned int cpu)
{
	struct task_struct *rt, *caller;
	bool before;

	WRITE_ONCE(hog_runs, false);
	WRITE_ONCE(visit_over, false);
	rt = kthread_create(hog, NULL, "quarry hog");
	KUNIT_ASSERT_FALSE(test, IS_ERR(rt));
	caller = kthread_create(visit, NULL, "quarry visit");
	if (IS_ERR(caller)) {
		kthread_stop(rt);
		KUNIT_FAIL_AND_ABORT(test, "no task");
	}
	kthread_bind(rt, cpu);
	kthread_bind(caller, 0);
	sched_set_fifo(rt);
	wake_up_process(rt);
	while (!READ_ONCE(hog_runs))
		usleep_range(500, 1000);
	wake_up_process(caller);
	msleep(20); /* it has queued its work, and waits */
	KUNIT_EXPECT_EQ(test, 0, plain_life());
	before = !READ_ONCE(visit_over);
	kthread_stop(rt);
	kthread_stop(caller);
	return before;
}

/* The kernel may take the CPU from the real-time task for a moment each second, so try again. */
static void beside_a_real_time_task(struct kunit *test)
{
	unsigned int cpu = cpumask_last(cpu_online_mask), round;
	bool ok = false;

	if (!cpu)
		kunit_skip(test, "one CPU only");
	qt_pin(test, 0);
	for (round = 0; round < 5 && !ok; round++)
		ok = comes_and_goes(test, cpu);
	KUNIT_EXPECT_TRUE(test, ok);
}

/* --- Reclaim --- */

struct reclaimer {
	struct work_struct work;
	struct quarry_cache *cache;
	int bad;
};

static void reclaim(struct work_struct *work)
{
	struct reclaimer *r = container_of(work, struct reclaimer, work);

	call_all(r->cache);
	r->bad = live_and_die();
}

/* A wait for work on a queue without a rescuer is a WARNING of the kernel's in a work of this. */
static void from_a_reclaim_worker(struct kunit *test)
{
	struct workqueue_struct *wq = alloc_workqueue("quarry_test",
						      WQ_MEM_RECLAIM | QR_COMPAT_WQ_PERCPU, 0);
	struct reclaimer r = { .cache = qt_cache(test, 64, NULL) };

	KUNIT_ASSERT_NOT_NULL(test, wq);
	INIT_WORK_ONSTACK(&r.work, reclaim);
	queue_work(wq, &r.work);
	flush_work(&r.work);
	destroy_work_on_stack(&r.work);
	destroy_workqueue(wq);
	KUNIT_EXPECT_EQ(test, 0, r.bad);
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(in_hotplug_callbacks),
				     KUNIT_CASE_SLOW(with_cpus_read_lock),
				     KUNIT_CASE_SLOW(waiting_on_a_dead_cpu),
				     KUNIT_CASE_SLOW(beside_a_real_time_task),
				     KUNIT_CASE(from_a_reclaim_worker),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite context_suite = {
	.name = "quarry_context",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(context_suite);
