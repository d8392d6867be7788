// SPDX-License-Identifier: GPL-2.0
/* Frees by RCU: readers, barriers, all kinds of memory, the profile, cleanups and interrupts. */
#include "tests/cache/rcu_free_util.h"
#include "tests/profile_util.h"

#include <linux/bsearch.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/sort.h>

#define SEEN 500 /* objects that a reader sees: several blocks and a rest */

static int compare(const void *a, const void *b)
{
	const void *x = *(void *const *)a, *y = *(void *const *)b;

	return x < y ? -1 : x > y;
}

/* Allocate @n objects: none of them may be one of the @nr in @old, which is sorted. */
static void none_again(struct kunit *test, struct quarry_cache *cache, void **old, unsigned int nr,
		       void **new, unsigned int n)
{
	unsigned int i, again = 0;

	for (i = 0; i < n; i++) {
		new[i] = quarry_cache_alloc(cache, GFP_ATOMIC);
		if (new[i] && bsearch(&new[i], old, nr, sizeof(*old), compare))
			again++;
	}
	for (i = 0; i < n; i++)
		quarry_cache_free(cache, new[i]);
	KUNIT_EXPECT_EQ(test, 0, again);
}

/*
 * Objects that a reader may see are neither changed nor allocated again.  This task is the reader,
 * so no grace period can end while it looks.
 */
static void readers_see_no_reuse(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void **seen = qt_array(test, SEEN, sizeof(*seen));
	void **new = qt_array(test, 2 * SEEN, sizeof(*new));
	unsigned int i, round, changed = 0;

	qt_pin(test, 0);
	for (round = 0; round < 2; round++) {
		if (round)
			qf_no_blocks(test);
		qt_alloc_n(test, cache, seen, SEEN);
		sort(seen, SEEN, sizeof(*seen), compare, NULL);
		for (i = 0; i < SEEN; i++)
			qt_fill(seen[i], 64, i);
		/* Have enough free objects for none_again(). */
		qt_alloc_n(test, cache, new, 2 * SEEN);
		qt_free_n(cache, new, 2 * SEEN);

		rcu_read_lock();
		for (i = 0; i < SEEN; i++)
			quarry_cache_free_rcu(cache, seen[i]);
		preempt_disable();
		qr_rcu_flush();
		preempt_enable();
		KUNIT_EXPECT_EQ(test, SEEN, qr_rcu_pending());
		KUNIT_EXPECT_EQ(test, SEEN, qt_sum(cache).live_objects);
		for (i = 0; i < 5; i++) {
			mdelay(10);
			none_again(test, cache, seen, SEEN, new, 2 * SEEN);
		}
		for (i = 0; i < SEEN; i++)
			if (!qt_is_filled(seen[i], 64, i))
				changed++;
		rcu_read_unlock();

		KUNIT_EXPECT_EQ(test, 0, changed);
		qf_settle(test);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	}
}

static int hurry(void *unused)
{
	qr_rcu_hurry();
	return 0;
}

static int wait_all(void *unused)
{
	quarry_rcu_barrier();
	return 0;
}

/* Neither quarry_rcu_barrier() nor qr_rcu_hurry() ends before the reader; both free all objects. */
static void waiters_wait_for_readers(struct kunit *test)
{
	int (*const waiters[])(void *) = { wait_all, hurry };
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void **objs = qt_array(test, SEEN, sizeof(*objs));
	struct task_struct *reading, *waiting;
	struct qf_reader r;
	unsigned int k, i;

	if (num_online_cpus() < 2)
		kunit_skip(test, "one CPU");
	qt_pin(test, 0);
	for (k = 0; k < ARRAY_SIZE(waiters); k++) {
		qf_settle(test);
		r = (struct qf_reader){};
		init_completion(&r.in);
		qt_alloc_n(test, cache, objs, SEEN);
		reading = kthread_create_on_cpu(qf_read_on, &r, 1, "quarry_reader/%u");
		KUNIT_ASSERT_FALSE(test, IS_ERR(reading));
		get_task_struct(reading);
		wake_up_process(reading);
		wait_for_completion(&r.in);
		for (i = 0; i < SEEN; i++)
			quarry_cache_free_rcu(cache, objs[i]);
		waiting = kthread_create_on_cpu(waiters[k], NULL, 0, "quarry_waiter/%u");
		if (!IS_ERR(waiting)) {
			get_task_struct(waiting);
			wake_up_process(waiting);
		}
		/* The reader keeps its CPU; the waiter runs on this one. */
		msleep(50);
		KUNIT_EXPECT_EQ(test, SEEN, qr_rcu_pending());
		KUNIT_EXPECT_EQ(test, SEEN, qt_sum(cache).live_objects);
		WRITE_ONCE(r.leave, true);
		kthread_stop(reading);
		put_task_struct(reading);
		KUNIT_ASSERT_FALSE(test, IS_ERR(waiting));
		kthread_stop(waiting);
		put_task_struct(waiting);
		KUNIT_EXPECT_EQ(test, 0, qr_rcu_pending());
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	}
}

/* Objects are freed after a while without a barrier. */
static void nobody_has_to_wait(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned long end = jiffies + 30 * HZ;
	void *objs[3];
	unsigned int round;

	for (round = 0; round < 2; round++) {
		qt_alloc_n(test, cache, objs, ARRAY_SIZE(objs));
		quarry_cache_free_rcu(cache, objs[0]);
		quarry_free_rcu(objs[1]);
		quarry_cache_free_rcu(cache, objs[2]);
		while (qr_rcu_pending() && time_before(jiffies, end))
			msleep(20);
		KUNIT_EXPECT_EQ(test, 0, qr_rcu_pending());
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
		/* The timer finds nothing and stops. */
		msleep(300);
	}
}

static void memory_of_any_kind(struct kunit *test)
{
	static const size_t sizes[] = {
		0, 1, 8, 100, 4096, QUARRY_MAX_SMALL, QUARRY_MAX_SMALL + 1, 300000, 1 << 21,
	};
	struct quarry_stats *before = qt_stats(test), *st;
	unsigned int i, k, round;

	for (round = 0; round < 2; round++) {
		if (round)
			qf_no_blocks(test);
		for (k = 0; k < 40; k++) {
			for (i = 0; i < ARRAY_SIZE(sizes); i++) {
				void *p = quarry_malloc(sizes[i], GFP_KERNEL);

				KUNIT_ASSERT_NOT_NULL(test, p);
				qt_fill(p, sizes[i], i);
				quarry_free_rcu(p);
			}
		}
		qf_settle(test);
	}
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
	KUNIT_EXPECT_EQ(test, before->mallocs + 2 * 40 * ARRAY_SIZE(sizes), st->mallocs);
	KUNIT_EXPECT_EQ(test, before->misuse_double_free, st->misuse_double_free);
	KUNIT_EXPECT_EQ(test, before->misuse_foreign, st->misuse_foreign);
}

static void mapped_memory(struct kunit *test)
{
	unsigned int round;

	qt_longest_run(test, 4);
	for (round = 0; round < 2; round++) {
		void *p = quarry_vmalloc(300000, GFP_KERNEL);

		if (round)
			qf_no_blocks(test);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(p));
		memset(p, 1, 300000);
		rcu_read_lock();
		quarry_free_rcu(p);
		preempt_disable();
		qr_rcu_flush();
		preempt_enable();
		mdelay(20);
		KUNIT_EXPECT_EQ(test, 1, *(u8 *)p);
		rcu_read_unlock();
		qf_settle(test);
	}
}

/* Destroying the cache waits for its objects, so none is reported as live. */
static void destroy_waits(struct kunit *test)
{
	struct quarry_stats *before = qt_stats(test), *st;
	unsigned int i, round;
	void *objs[200];

	for (round = 0; round < 2; round++) {
		struct quarry_cache *cache = quarry_cache_create("waited-for", 128, NULL);

		KUNIT_ASSERT_NOT_NULL(test, cache);
		if (round)
			qf_no_blocks(test);
		KUNIT_EXPECT_EQ(test, 200, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 200, objs));
		for (i = 0; i < 200; i++) {
			if (i % 2)
				quarry_cache_free_rcu(cache, objs[i]);
			else
				quarry_free_rcu(objs[i]);
		}
		quarry_cache_destroy(cache);
	}
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_busy_destroy, st->misuse_busy_destroy);
	KUNIT_EXPECT_EQ(test, before->zombie_caches, st->zombie_caches);
	KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
}

/* Waiting objects are live in the profile, exactly; after their free it has none of them. */
static void profile_knows_of_them(struct kunit *test)
{
	struct quarry_cache *cache;
	void **objs = qt_array(test, 1000, sizeof(*objs));
	struct qp_books books;
	struct quarry_site *sum;
	unsigned int i, round;

	qp_rate(test, 1);
	cache = qt_cache(test, 64, NULL);
	qp_books_open(test, &books, cache);
	for (round = 0; round < 2; round++) {
		if (round)
			qf_no_blocks(test);
		qt_alloc_n(test, cache, objs, 300);
		for (i = 0; i < 150; i++)
			quarry_cache_free_rcu(cache, objs[i]);
		qf_settle(test);
		qp_books_agree(test, &books, 150 * 64);
		for (i = 150; i < 300; i++)
			quarry_free_rcu(objs[i]);
		qf_settle(test);
		qp_books_agree(test, &books, 0);
	}
	/* Some objects are sampled: their samples end with the free by RCU. */
	qp_rate(test, 2048);
	qt_alloc_n(test, cache, objs, 1000);
	for (i = 0; i < 1000; i++)
		quarry_cache_free_rcu(cache, objs[i]);
	qf_settle(test);
	sum = kunit_kzalloc(test, sizeof(*sum), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sum);
	qp_now(test, qp_id(cache), sum);
	KUNIT_EXPECT_EQ(test, 0, sum->inuse.samples);
	KUNIT_EXPECT_EQ(test, 0, sum->inuse.objects);
	KUNIT_EXPECT_EQ(test, 0, sum->inuse.space);
}

/* The profile estimates a known number of objects, of which every other one is freed by RCU. */
static void profile_is_unbiased(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned int n = 20000, i;
	void **objs = qt_array(test, n, sizeof(*objs));
	struct quarry_site sum;

	qp_cache_rate(test, cache, 512);
	qt_alloc_n(test, cache, objs, n);
	for (i = 0; i < n; i += 2) {
		if (i % 4)
			quarry_cache_free_rcu(cache, objs[i]);
		else
			quarry_free_rcu(objs[i]);
		objs[i] = NULL;
	}
	qp_now(test, qp_id(cache), &sum);
	qp_expect_near(test, &sum.alloc, n);
	qf_settle(test);
	qp_now(test, qp_id(cache), &sum);
	qp_expect_near(test, &sum.alloc, n);
	qp_expect_near(test, &sum.inuse, n / 2);
	qp_expect_all_found(test);
	for (i = 1; i < n; i += 2)
		quarry_free_rcu(objs[i]);
	qf_settle(test);
	qp_now(test, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.objects);
}

static void count_one(void *p, void *arg)
{
	atomic_inc(arg);
}

static void run_cleanups(struct kunit *test, void **objs, unsigned int n,
			 struct quarry_cache *nolock)
{
	atomic_t *ran = qt_array(test, 1, sizeof(*ran));
	unsigned int i;

	for (i = 0; i < n; i++) {
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(objs[i], count_one, ran));
	}
	rcu_read_lock();
	for (i = 0; i < n; i++) {
		if (nolock && i)
			quarry_cache_free_nolock(nolock, objs[i]);
		else
			quarry_free_rcu(objs[i]);
	}
	preempt_disable();
	qr_rcu_flush();
	preempt_enable();
	mdelay(20);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(ran));
	rcu_read_unlock();
	qf_settle(test);
	KUNIT_EXPECT_EQ(test, n, atomic_read(ran));
}

/*
 * Cleanups run when the object is freed, and not before.  Objects of size classes are tested apart,
 * because cleanups on a cache's objects make all frees in the chunk slow.
 */
static void cleanups_run(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void *of_classes[] = {
		quarry_malloc(64, GFP_KERNEL),
		quarry_malloc(3, GFP_KERNEL),
		quarry_malloc(100000, GFP_KERNEL),
	};
	void *of_cache[] = {
		quarry_cache_alloc(cache, GFP_KERNEL),
		quarry_cache_alloc(cache, GFP_KERNEL),
	};

	qt_pin(test, 0);
	run_cleanups(test, of_classes, ARRAY_SIZE(of_classes), NULL);
	run_cleanups(test, of_cache, ARRAY_SIZE(of_cache), cache);
}

static void nothing_is_nothing(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned long pending;

	qf_settle(test);
	quarry_free_rcu(NULL);
	quarry_cache_free_rcu(cache, NULL);
	quarry_cache_free_nolock(cache, NULL);
	pending = qr_rcu_pending();
	KUNIT_EXPECT_EQ(test, 0, pending);
	quarry_rcu_barrier();
	quarry_rcu_barrier();
}

/* A hard interrupt frees by RCU, again and again, while a task does the same. */
struct storm {
	struct hrtimer timer;
	struct quarry_cache *cache;
	atomic_t frees;
	unsigned int turn;
	bool stop;
};

static enum hrtimer_restart storm_tick(struct hrtimer *timer)
{
	struct storm *s = container_of(timer, struct storm, timer);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		void *p = quarry_cache_alloc(s->cache, GFP_ATOMIC | __GFP_NOWARN);

		if (p)
			atomic_inc(&s->frees);
		quarry_cache_free_rcu(s->cache, p);
	}
	if (READ_ONCE(s->stop))
		return HRTIMER_NORESTART;
	/* Vary the period, to interrupt the loop at different places. */
	s->turn = (s->turn * 75 + 74) % 65537;
	hrtimer_forward_now(timer, ns_to_ktime(20000 + s->turn % 20000));
	return HRTIMER_RESTART;
}

static void interrupts_may_free(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct storm *s = qt_array(test, 1, sizeof(*s));
	unsigned long end;
	u64 frees = 0;

	qt_pin(test, 0);
	s->cache = cache;
	qr_compat_hrtimer_setup(&s->timer, storm_tick, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	hrtimer_start(&s->timer, ns_to_ktime(20000), HRTIMER_MODE_REL_PINNED);
	for (end = jiffies + HZ; time_before(jiffies, end);) {
		unsigned int i;

		for (i = 0; i < 64; i++) {
			void *p = quarry_cache_alloc(cache, GFP_KERNEL);

			if (p) {
				frees++;
				quarry_cache_free_rcu(cache, p);
			}
		}
		cond_resched();
	}
	WRITE_ONCE(s->stop, true);
	while (hrtimer_active(&s->timer))
		msleep(20);
	hrtimer_cancel(&s->timer);
	KUNIT_EXPECT_GT(test, atomic_read(&s->frees), 100);
	qf_settle(test);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	KUNIT_EXPECT_EQ(test, frees + atomic_read(&s->frees), qt_sum(cache).frees);
}

static struct kunit_case cases[] = { KUNIT_CASE(readers_see_no_reuse),
				     KUNIT_CASE(waiters_wait_for_readers),
				     KUNIT_CASE(nobody_has_to_wait),
				     KUNIT_CASE(memory_of_any_kind),
				     KUNIT_CASE(mapped_memory),
				     KUNIT_CASE(destroy_waits),
				     KUNIT_CASE(profile_knows_of_them),
				     KUNIT_CASE(profile_is_unbiased),
				     KUNIT_CASE(cleanups_run),
				     KUNIT_CASE(nothing_is_nothing),
				     KUNIT_CASE(interrupts_may_free),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite suite = {
	.name = "quarry_rcu_free",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
