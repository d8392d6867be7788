// SPDX-License-Identifier: GPL-2.0
/* Counts of allocations: each one of the counting task counts once, and no other task's. */
#include "tests/profile_util.h"

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>
#include <quarry/kunit.h>
#include "core/task_count.h"
#include "slab/mapped.h"

struct work {
	struct quarry_cache *cache;
	struct quarry_pool *pool;
	void **objs;
	unsigned int n;
	unsigned int runs;
	int node;
	size_t size;
	gfp_t gfp;
	struct irq_work irq;
	struct tasklet_struct tasklet;
	unsigned int interrupts;
	struct task_struct *other;
	atomic_t others;
	struct completion done;
	struct kunit *test;
	long made;
};

static struct work *work(struct kunit *test, unsigned int size, unsigned int n)
{
	struct work *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->cache = qt_cache(test, size, NULL);
	w->objs = qt_array(test, n + 1, sizeof(void *));
	w->n = n;
	w->size = size;
	w->gfp = GFP_KERNEL;
	w->test = test;
	init_completion(&w->done);
	return w;
}

/* Expects @each allocations per run, for any number of runs, and in the statistics as well. */
static void expect_each(struct kunit *test, long each, void (*fn)(void *arg), struct work *w)
{
	static const unsigned int runs[] = { 1, 2, 7, 60 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		struct quarry_stats *before = qt_stats(test), *after;

		KUNIT_EXPECT_EQ(test, each, quarry_allocs_per_run(fn, w, runs[i]));
		after = qt_stats(test);
		KUNIT_EXPECT_EQ(test, each * (runs[i] + 1), after->mallocs - before->mallocs);
		KUNIT_EXPECT_EQ(test, before->live_objects, after->live_objects);
		kunit_kfree(test, before);
		kunit_kfree(test, after);
	}
}

static void by_malloc(void *arg)
{
	struct work *w = arg;
	unsigned int i;

	for (i = 0; i < w->n; i++)
		w->objs[i] = quarry_malloc(w->size + i % 200, GFP_KERNEL);
	w->objs[i] = quarry_malloc(24, GFP_KERNEL | __GFP_ZERO);
	for (i = 0; i <= w->n; i++)
		quarry_free(w->objs[i]);
}

static void by_call(void *arg)
{
	quarry_free(quarry_strdup("a string", GFP_KERNEL));
	qr_free_call(qr_malloc_call(100, GFP_KERNEL));
	quarry_free(quarry_aligned_alloc(256, 100, GFP_KERNEL));
}

static void by_cache(void *arg)
{
	struct work *w = arg;
	unsigned int i;

	for (i = 0; i < w->n; i++)
		w->objs[i] = quarry_cache_alloc(w->cache, w->gfp);
	quarry_cache_free_bulk(w->cache, w->n, w->objs);
}

static void by_bulk(void *arg)
{
	struct work *w = arg;

	quarry_cache_free_bulk(w->cache,
			       quarry_cache_alloc_bulk(w->cache, GFP_KERNEL, w->n, w->objs),
			       w->objs);
}

static void by_node(void *arg)
{
	struct work *w = arg;
	unsigned int i;

	for (i = 0; i < w->n; i++) {
		gfp_t gfp = i % 2 ? GFP_KERNEL : GFP_KERNEL | __GFP_THISNODE;

		w->objs[i] = quarry_cache_alloc_node(w->cache, gfp, w->node);
	}
	quarry_cache_free_bulk(w->cache, w->n, w->objs);
	quarry_free(quarry_malloc_node(100, GFP_KERNEL, w->node));
	quarry_free(quarry_malloc_node(SZ_64K, GFP_KERNEL, w->node));
}

static void by_page(void *arg)
{
	void *p = quarry_malloc(SZ_64K + 1, GFP_KERNEL), *q = quarry_vmalloc(SZ_1M, GFP_KERNEL);

	quarry_free(p);
	quarry_free(q);
}

static void in_vain(void *arg)
{
	struct work *w = arg;

	if (quarry_malloc(QUARRY_MAX_LARGE + 1, GFP_KERNEL | __GFP_NOWARN) ||
	    quarry_cache_alloc_node(w->cache, GFP_KERNEL, 12345))
		WARN_ON(1);
}

static void nothing(void *unused)
{
}

/* Each object counts once, whether the magazine is empty or full. */
static void exact(struct kunit *test)
{
	struct work *w = work(test, 64, 700);
	unsigned int n;

	expect_each(test, 0, nothing, NULL);
	expect_each(test, 701, by_malloc, w);
	expect_each(test, 3, by_call, w);
	for (n = 0; n <= 700; n = 3 * n + 1) {
		w->n = n;
		expect_each(test, n, by_cache, w);
		expect_each(test, n, by_bulk, w);
		quarry_cache_shrink(w->cache);
		expect_each(test, n, by_bulk, w);
	}
	w->n = 100;
	for_each_node_mask(w->node, qr_nodes)
		expect_each(test, 102, by_node, w);
	expect_each(test, 2, by_page, w);
	qt_longest_run(test, 8);
	expect_each(test, 2, by_page, w);
	expect_each(test, 0, in_vain, w);
}

/* A realloc counts only if the memory moves. */
static void resized(struct kunit *test)
{
	void *p = quarry_malloc(100, GFP_KERNEL), *q;

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_ALLOCS(test, 0, p = quarry_realloc(p, 90, GFP_KERNEL));
	KUNIT_ASSERT_ALLOCS(test, 1, p = quarry_realloc(p, 300, GFP_KERNEL));
	KUNIT_ASSERT_ALLOCS(test, 1, p = quarry_realloc(p, 20, GFP_KERNEL));
	KUNIT_ASSERT_ALLOCS(test, 1, p = quarry_realloc(p, SZ_256K, GFP_KERNEL));
	KUNIT_ASSERT_ALLOCS(test, 0, q = quarry_realloc(p, SZ_256K - PAGE_SIZE, GFP_KERNEL));
	KUNIT_ASSERT_PTR_EQ(test, p, q);
	KUNIT_ASSERT_ALLOCS(test, 0, q = quarry_realloc(p, 0, GFP_KERNEL));
	KUNIT_ASSERT_ALLOCS(test, 1, q = quarry_realloc(NULL, 1, GFP_KERNEL));
	KUNIT_ASSERT_ALLOCS(test, 0, quarry_free(q));
}

static void once(void *arg)
{
	struct work *w = arg;

	if (!w->runs++)
		by_malloc(w);
}

static void every_other(void *arg)
{
	struct work *w = arg;

	/* Allocates in every other run; the first run that counts is one that does not. */
	if (!(w->runs++ % 2))
		quarry_free(quarry_malloc(10, GFP_KERNEL));
}

static void averages(struct kunit *test)
{
	struct work *w = work(test, 64, 100);

	KUNIT_EXPECT_EQ(test, 0, quarry_allocs_per_run(once, w, 5));
	KUNIT_EXPECT_EQ(test, 6, w->runs);
	w->runs = 0;
	KUNIT_EXPECT_EQ(test, 0, quarry_allocs_per_run(every_other, w, 100));
	KUNIT_EXPECT_EQ(test, 101, w->runs);
	w->runs = 0;
	KUNIT_ASSERT_EQ(test, 0, quarry_alloc_count_begin());
	for (w->runs = 0; w->runs < 100;)
		every_other(w);
	KUNIT_EXPECT_EQ(test, 50, quarry_alloc_count_end());
}

static void nested_fn(void *arg)
{
	struct work *w = arg;

	w->made = quarry_allocs_per_run(nothing, NULL, 1);
	w->runs++;
	quarry_free(quarry_malloc(10, GFP_KERNEL));
}

static void misused(struct kunit *test)
{
	struct work *w = work(test, 64, 1);

	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_allocs_per_run(nothing, NULL, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_allocs_per_run(NULL, NULL, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_alloc_count_end());
	KUNIT_EXPECT_EQ(test, 1, quarry_allocs_per_run(nested_fn, w, 4));
	KUNIT_EXPECT_EQ(test, -EDEADLK, w->made);
	KUNIT_EXPECT_EQ(test, 5, w->runs);
	KUNIT_ASSERT_EQ(test, 0, quarry_alloc_count_begin());
	KUNIT_EXPECT_EQ(test, -EDEADLK, quarry_alloc_count_begin());
	quarry_free(quarry_malloc(10, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, quarry_alloc_count_end());
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_alloc_count_end());
}

/* --- Other tasks and interrupts --- */

static void sleeping(void *arg)
{
	struct work *w = arg;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		set_cpus_allowed_ptr(current, cpumask_of(cpu));
		by_cache(w);
		usleep_range(500, 1000);
		by_bulk(w);
	}
}

static void sleeps_and_migrates(struct kunit *test)
{
	struct work *w = work(test, 64, 40);

	expect_each(test, 80 * num_online_cpus(), sleeping, w);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

static int allocate_like_mad(void *arg)
{
	struct work *w = arg;
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
	struct work *w = arg;

	reinit_completion(&w->done);
	by_cache(w);
	by_bulk(w);
	by_malloc(w);
	wait_for_completion(&w->done);
}

static void beside_another(struct kunit *test, unsigned int mine, unsigned int its)
{
	struct work *w = work(test, 64, 50);
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

static void interrupt(struct work *w)
{
	void *p = quarry_cache_alloc(w->cache, GFP_ATOMIC);

	w->interrupts++;
	if (p)
		quarry_cache_free(w->cache, p);
	quarry_free(quarry_malloc_node(100, GFP_ATOMIC, 0));
}

static void irq_fn(struct irq_work *irq)
{
	interrupt(container_of(irq, struct work, irq));
}

static void tasklet_fn(struct tasklet_struct *t)
{
	interrupt(container_of(t, struct work, tasklet));
}

static void interrupted(void *arg)
{
	struct work *w = arg;

	irq_work_queue(&w->irq);
	by_cache(w);
	irq_work_sync(&w->irq);
	local_bh_disable();
	tasklet_schedule(&w->tasklet);
	by_cache(w);
	local_bh_enable();
	tasklet_unlock_wait(&w->tasklet);
}

static void interrupts(struct kunit *test)
{
	struct work *w = work(test, 64, 20);
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

/* Creates and destroys a cache in each run. */
static void create(void *arg)
{
	struct quarry_cache *cache = quarry_cache_create("as_it_goes", 48, NULL);

	if (cache)
		quarry_cache_free(cache, quarry_cache_alloc(cache, GFP_KERNEL));
	quarry_cache_destroy(cache);
}

static void new_caches(struct kunit *test)
{
	expect_each(test, 1, create, NULL);
}

/* --- Sampling --- */

static void all_sampled(struct kunit *test)
{
	struct work *w = work(test, 64, 200);
	struct qp_books b, large;

	qt_pin(test, 0);
	qp_rate(test, 1);
	qp_books_open(test, &b, w->cache);
	qp_books_open(test, &large, NULL);
	expect_each(test, 200, by_cache, w);
	expect_each(test, 200, by_bulk, w);
	expect_each(test, 201, by_malloc, w);
	for_each_node_mask(w->node, qr_nodes)
		expect_each(test, 202, by_node, w);
	qp_books_agree(test, &b, 0);
	qp_books_agree(test, &large, 0);
	expect_each(test, 2, by_page, w);
	qp_expect_all_found(test);
}

/* Sampling object by object is as exact as by countdown: within six standard errors. */
static void unbiased(struct kunit *test)
{
	struct work *w = work(test, 64, 500);
	struct quarry_site sum;
	qr_u128 square;
	s64 off;
	u64 n;

	qp_cache_rate(test, w->cache, 1000);
	KUNIT_EXPECT_EQ(test, 500, quarry_allocs_per_run(by_cache, w, 100));
	for (n = 0; n < 40; n++) {
		by_bulk(w);
		KUNIT_EXPECT_EQ(test, 500, quarry_allocs_per_run(by_bulk, w, 1));
	}
	n = 500 * (101 + 40 * 3);
	KUNIT_EXPECT_EQ(test, n, qt_sum(w->cache).mallocs);
	qp_now(test, qp_id(w->cache), &sum);
	off = sum.alloc.objects - qp_objects(n);
	square = (qr_u128)abs(off) * abs(off);
	kunit_info(test, "%llu objects by %llu samples, off by %lld\n", n, sum.alloc.samples,
		   off >> QR_OBJECTS_SHIFT);
	KUNIT_EXPECT_GT(test, sum.alloc.samples, n / 30);
	KUNIT_EXPECT_TRUE(test, square <= 36 * sum.alloc.var_objects);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.objects);
}

/* --- The fast path --- */

static void expect_heads(struct kunit *test, struct quarry_cache *cache, bool at_zero)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct qr_head *h = per_cpu_ptr(cache->head, cpu);

		if (at_zero)
			KUNIT_EXPECT_EQ(test, 0, h->countdown);
		else
			KUNIT_EXPECT_GT(test, h->countdown, 0);
	}
}

static void fast_again(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void *objs[40];
	int before, k;

	qt_pin(test, 0);
	for (k = 0; k < 3; k++) {
		qt_alloc_n(test, cache, objs, 40);
		qt_free_n(cache, objs, 40);
		before = qt_head(cache)->countdown;
		expect_heads(test, cache, false);
		qt_alloc_n(test, cache, objs, 40);
		KUNIT_EXPECT_EQ(test, before - 40, qt_head(cache)->countdown);
		qt_free_n(cache, objs, 40);

		KUNIT_ASSERT_EQ(test, 0, quarry_alloc_count_begin());
		expect_heads(test, cache, true);
		qt_alloc_n(test, cache, objs, 40);
		qt_free_n(cache, objs, 40);
		/* Not even a new sampling rate gives the heads a countdown. */
		qr_rate_set(k ? 512 * SZ_1K : 0);
		expect_heads(test, cache, true);
		qt_exit(test);
		KUNIT_EXPECT_EQ(test, 40, quarry_alloc_count_end());
		expect_heads(test, qr_class_cache[5], false);
		qr_rate_set(0);
	}
	KUNIT_EXPECT_EQ(test, 3 * 120, qt_sum(cache).mallocs);
}

/* --- The task that counts --- */

static int count_and_die(void *arg)
{
	struct work *w = arg;

	w->made = quarry_alloc_count_begin();
	quarry_free(quarry_malloc(10, GFP_KERNEL));
	complete(&w->done);
	return 0;
}

static void died(struct kunit *test)
{
	struct work *w = work(test, 64, 10);
	struct task_struct *other = kthread_create(count_and_die, w, "quarry_dies");
	unsigned int i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	get_task_struct(other);
	wake_up_process(other);
	wait_for_completion(&w->done);
	kthread_stop(other);
	KUNIT_ASSERT_EQ(test, 0, w->made);
	KUNIT_EXPECT_TRUE(test, qr_is_counting());
	expect_each(test, 10, by_cache, w);
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
	struct work *w = arg;

	complete(&w->done);
	w->made = quarry_allocs_per_run(by_bulk, w, 1);
	while (!kthread_should_stop())
		usleep_range(500, 1000);
	return 0;
}

/* A second task waits for the first, and neither counts the other's allocations. */
static void in_turn(struct kunit *test)
{
	struct work *w = work(test, 64, 10);
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

static void by_pool(void *arg)
{
	struct work *w = arg;
	unsigned int i;

	for (i = 0; i < w->n; i++)
		w->objs[i] = quarry_pool_get(w->pool, GFP_KERNEL);
	for (i = 0; i < w->n; i++)
		quarry_pool_put(w->pool, w->objs[i]);
}

static void by_reserve(void *arg)
{
	struct quarry_reserve r = {};
	struct work *w = arg;
	unsigned int i;

	KUNIT_EXPECT_EQ(w->test, 0, quarry_reserve_fill(&r, w->cache, w->n, GFP_KERNEL));
	for (i = 0; i < w->n; i++)
		quarry_cache_free(w->cache, quarry_reserve_alloc(&r));
	quarry_reserve_return(&r);
}

/* The object that was just freed is in the magazine, so the nolock call finds it. */
static void by_nolock(void *arg)
{
	struct work *w = arg;
	void *p = quarry_cache_alloc(w->cache, GFP_KERNEL);

	quarry_cache_free(w->cache, p);
	p = quarry_cache_alloc_nolock(w->cache, 0);
	KUNIT_EXPECT_NOT_NULL(w->test, p);
	quarry_cache_free_nolock(w->cache, p);
}

static void pool_destroy(void *pool)
{
	quarry_pool_destroy(pool);
}

/* Each pool get counts; an object of a reserve counts when it is filled in and when taken. */
static void what_was_put_aside(struct kunit *test)
{
	struct quarry_pool_args args = { .name = "count", .size = 256 };
	struct work *w = work(test, 128, 40);

	w->pool = quarry_pool_create(&args);
	KUNIT_ASSERT_NOT_NULL(test, w->pool);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pool_destroy, w->pool));
	qt_pin(test, 0);
	expect_each(test, w->n, by_pool, w);
	expect_each(test, 2 * w->n, by_reserve, w);
	expect_each(test, 2, by_nolock, w);
	/* A get that is sampled makes a new object each time. */
	qp_rate(test, 1);
	expect_each(test, w->n, by_pool, w);
	expect_each(test, 2 * w->n, by_reserve, w);
	qp_rate(test, 4096);
	expect_each(test, w->n, by_pool, w);
}

/* An expectation that is not met fails its test. */
static void expectations(struct kunit *test)
{
	struct kunit *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	unsigned int evaluated = 0;

	KUNIT_ASSERT_NOT_NULL(test, fake);
	kunit_init_test(fake, "expected_to_fail", NULL);
	KUNIT_EXPECT_ALLOCS(fake, 2, evaluated++, by_page(NULL));
	KUNIT_EXPECT_EQ(test, KUNIT_SUCCESS, fake->status);
	KUNIT_EXPECT_ALLOCS(fake, 1 + 0, {
		evaluated++;
		by_page(NULL);
	});
	KUNIT_EXPECT_EQ(test, KUNIT_FAILURE, fake->status);
	KUNIT_EXPECT_EQ(test, 2, evaluated);
	KUNIT_EXPECT_FALSE(test, qr_is_counting());
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(exact),
				     KUNIT_CASE(resized),
				     KUNIT_CASE(averages),
				     KUNIT_CASE(misused),
				     KUNIT_CASE(sleeps_and_migrates),
				     KUNIT_CASE(other_tasks),
				     KUNIT_CASE(interrupts),
				     KUNIT_CASE_SLOW(new_caches),
				     KUNIT_CASE_SLOW(all_sampled),
				     KUNIT_CASE(unbiased),
				     KUNIT_CASE(fast_again),
				     KUNIT_CASE(died),
				     KUNIT_CASE(held_meanwhile),
				     KUNIT_CASE(in_turn),
				     KUNIT_CASE(what_was_put_aside),
				     KUNIT_CASE(expectations),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite count_suite = {
	.name = "quarry_allocs_per_run",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(count_suite);
