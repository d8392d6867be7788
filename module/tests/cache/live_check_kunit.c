// SPDX-License-Identifier: GPL-2.0
/* Checks that are switched on and off while the cache is in use. */
#include "tests/profile_util.h"

#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <quarry/misuse.h>
#include "tests/api/pool_util.h"

#define SIZE  128
#define N     300
#define TURNS 100

static u64 double_frees(struct kunit *test)
{
	return qt_stats(test)->misuse_double_free;
}

/* Without the check the magazine has the object twice, and only its flush shows that. */
static void double_free_at_once(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	void *p = quarry_cache_alloc(cache, GFP_KERNEL), *q = quarry_cache_alloc(cache, GFP_KERNEL);
	u64 was = double_frees(test);

	KUNIT_ASSERT_TRUE(test, p && q);
	KUNIT_ASSERT_EQ(test, 0, quarry_cache_check(cache, QUARRY_CHECK_SANE));
	quarry_cache_free(cache, p);
	quarry_cache_free(cache, q);
	KUNIT_EXPECT_EQ(test, was, double_frees(test));
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, was + 1, double_frees(test));
	quarry_free(q);
	KUNIT_EXPECT_EQ(test, was + 2, double_frees(test));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static void in_bulk_at_once(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	void *objs[3];
	u64 was = double_frees(test);

	KUNIT_ASSERT_EQ(test, 0, quarry_cache_check(cache, QUARRY_CHECK_SANE));
	KUNIT_ASSERT_EQ(test, 2, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 2, objs));
	objs[2] = objs[0];
	quarry_cache_free_bulk(cache, 3, objs);
	KUNIT_EXPECT_EQ(test, was + 1, double_frees(test));
}

static void interior_at_once(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	void *p = quarry_cache_alloc(cache, GFP_KERNEL);
	u64 was = qt_stats(test)->misuse_interior;

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, 0, quarry_cache_check(cache, QUARRY_CHECK_SANE));
	quarry_cache_free(cache, p + 8);
	KUNIT_EXPECT_EQ(test, was + 1, qt_stats(test)->misuse_interior);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
	quarry_cache_free(cache, p);
}

/* What the magazines of all CPUs have goes to slabs, and live objects stay. */
static void nothing_is_lost(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	void **objs = qt_array(test, N, sizeof(*objs));
	struct quarry_cache_stats st;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		qt_pin(test, cpu);
		qt_alloc_n(test, cache, objs, N);
		qt_free_n(cache, objs, N);
	}
	qt_alloc_n(test, cache, objs, N);
	st = qt_sum(cache);
	KUNIT_EXPECT_EQ(test, N, st.live_objects);
	KUNIT_EXPECT_GT(test, st.cached_objects, 0);
	KUNIT_ASSERT_EQ(test, 0, quarry_cache_check(cache, QUARRY_CHECK_SANE));
	st = qt_sum(cache);
	KUNIT_EXPECT_EQ(test, N, st.live_objects);
	KUNIT_EXPECT_EQ(test, 0, st.cached_objects);
	for_each_online_cpu(cpu)
		KUNIT_EXPECT_EQ(test, 0, per_cpu_ptr(cache->head, cpu)->capacity);
	qt_free_n(cache, objs, N);
	qt_alloc_n(test, cache, objs, N);
	st = qt_sum(cache);
	KUNIT_EXPECT_EQ(test, N, st.live_objects);
	KUNIT_EXPECT_EQ(test, 0, st.cached_objects);
	KUNIT_EXPECT_EQ(test, 0, qt_head(cache)->capacity);
	qt_free_n(cache, objs, N);
}

/*
 * Afterwards the cache is as it was: its magazine has capacity, serves nearly everything, and gives
 * what it has no room for to the depot.
 */
static void off_again(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	void **objs = qt_array(test, N, sizeof(*objs));
	struct quarry_cache_stats before, after;
	unsigned int i, capacity;
	void *p;

	qt_pin(test, 0);
	qp_cache_rate(test, cache, 0);
	for (i = 0; i < 8; i++)
		quarry_cache_free(cache, quarry_cache_alloc(cache, GFP_KERNEL));
	capacity = qt_head(cache)->capacity;
	KUNIT_ASSERT_GT(test, capacity, 0);
	KUNIT_ASSERT_EQ(test, 0, quarry_cache_check(cache, QUARRY_CHECK_SANE));
	KUNIT_EXPECT_EQ(test, 0, qt_head(cache)->capacity);
	KUNIT_ASSERT_EQ(test, 0, quarry_cache_check(cache, 0));
	for (i = 0; i < 8; i++)
		quarry_cache_free(cache, quarry_cache_alloc(cache, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, capacity, qt_head(cache)->capacity);
	before = qt_sum(cache);
	for (i = 0; i < 100; i++) {
		p = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		quarry_cache_free(cache, p);
	}
	after = qt_sum(cache);
	KUNIT_EXPECT_EQ(test, before.alloc_misses, after.alloc_misses);
	KUNIT_EXPECT_EQ(test, before.free_misses, after.free_misses);
	qt_alloc_n(test, cache, objs, N);
	before = qt_sum(cache);
	qt_free_n(cache, objs, N);
	after = qt_sum(cache);
	KUNIT_EXPECT_GT(test, after.flushed, before.flushed);
	KUNIT_EXPECT_EQ(test, before.direct_frees, after.direct_frees);
}

static void what_cannot_be_switched(struct kunit *test)
{
	static const struct quarry_cache_args guarded = { .flags = QUARRY_POISON };
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	struct qo_pool *pool = qo_pool(test, SIZE);
	unsigned int checks = 1;

	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			quarry_cache_check(qt_cache(test, SIZE, &guarded), QUARRY_CHECK_SANE));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			qr_cache_check_set(qr_cache_of(pool->cache)->id, QUARRY_CHECK_SANE));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cache_check(cache, QUARRY_CHECK_SANE | BIT(7)));
	KUNIT_EXPECT_EQ(test, 0, qr_cache_check_get(qr_cache_of(cache)->id, &checks));
	KUNIT_EXPECT_EQ(test, 0, checks);
	KUNIT_EXPECT_EQ(test, -ENOENT, qr_cache_check_get(U32_MAX - 1, &checks));
	KUNIT_EXPECT_EQ(test, -ENOENT, qr_cache_check_set(U32_MAX - 1, 0));
}

static void by_number(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	u32 id = qr_cache_of(cache)->id;
	unsigned int checks;

	KUNIT_EXPECT_EQ(test, 0, qr_cache_check_set(id, QUARRY_CHECK_SANE));
	KUNIT_EXPECT_EQ(test, 0, qr_cache_check_set(id, QUARRY_CHECK_SANE));
	KUNIT_EXPECT_EQ(test, 0, qr_cache_check_get(id, &checks));
	KUNIT_EXPECT_EQ(test, QUARRY_CHECK_SANE, checks);
	KUNIT_EXPECT_EQ(test, 0, qr_cache_check_set(id, 0));
	KUNIT_EXPECT_EQ(test, 0, qr_cache_check_get(id, &checks));
	KUNIT_EXPECT_EQ(test, 0, checks);
}

/* A cache may be destroyed while it is checked, with live objects, too. */
static void destroyed(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	void *p = quarry_cache_alloc(cache, GFP_KERNEL);
	u64 was = qt_stats(test)->misuse_busy_destroy;

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, 0, quarry_cache_check(cache, QUARRY_CHECK_SANE));
	qt_cache_destroy(test, cache);
	KUNIT_EXPECT_EQ(test, was + 1, qt_stats(test)->misuse_busy_destroy);
	quarry_free(p);
}

struct worker {
	struct quarry_cache *cache;
	struct qt_shadow *shadow;
	struct rnd_state rnd;
	void *held[N];
	unsigned int n;
	unsigned int rounds;
};

static int work(void *arg)
{
	struct worker *w = arg;
	unsigned int want;

	while (!kthread_should_stop()) {
		want = prandom_u32_state(&w->rnd) % N;
		while (w->n < want) {
			void *p = qt_got(w->shadow, quarry_cache_alloc(w->cache, GFP_KERNEL));

			if (!p)
				break;
			w->held[w->n++] = p;
		}
		while (w->n > want)
			quarry_cache_free(w->cache, qt_put(w->shadow, w->held[--w->n]));
		WRITE_ONCE(w->rounds, w->rounds + 1);
		cond_resched();
	}
	while (w->n)
		quarry_cache_free(w->cache, qt_put(w->shadow, w->held[--w->n]));
	return 0;
}

KUNIT_DEFINE_ACTION_WRAPPER(stop_action, kthread_stop, struct task_struct *);

/* Each CPU allocates and frees meanwhile, and goes on for some rounds between any two switches. */
static void under_load(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	struct worker *w = qt_array(test, nr_cpu_ids, sizeof(*w));
	struct task_struct **thread = qt_array(test, nr_cpu_ids, sizeof(*thread));
	struct qt_shadow shadow;
	unsigned int cpu, i, was;

	qt_shadow_init(&shadow);
	for_each_online_cpu(cpu) {
		w[cpu].cache = cache;
		w[cpu].shadow = &shadow;
		prandom_seed_state(&w[cpu].rnd, get_random_u64());
		thread[cpu] = kthread_create(work, &w[cpu], "quarry_check/%u", cpu);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread[cpu]);
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop_action, thread[cpu]));
		kthread_bind(thread[cpu], cpu);
		wake_up_process(thread[cpu]);
	}
	for (i = 0; i < TURNS; i++) {
		KUNIT_EXPECT_EQ(test, 0, quarry_cache_check(cache, QUARRY_CHECK_SANE));
		for_each_online_cpu(cpu) {
			was = READ_ONCE(w[cpu].rounds);
			while (READ_ONCE(w[cpu].rounds) - was < 2)
				cond_resched();
			KUNIT_EXPECT_EQ(test, 0,
					READ_ONCE(per_cpu_ptr(cache->head, cpu)->capacity));
		}
		KUNIT_EXPECT_EQ(test, 0, quarry_cache_check(cache, 0));
		for_each_online_cpu(cpu) {
			was = READ_ONCE(w[cpu].rounds);
			while (READ_ONCE(w[cpu].rounds) - was < 2)
				cond_resched();
		}
	}
	for_each_online_cpu(cpu)
		kunit_release_action(test, stop_action, thread[cpu]);
	qt_shadow_check(test, &shadow, cache);
}

static struct kunit_case cases[] = { KUNIT_CASE(double_free_at_once),
				     KUNIT_CASE(in_bulk_at_once),
				     KUNIT_CASE(interior_at_once),
				     KUNIT_CASE(nothing_is_lost),
				     KUNIT_CASE(off_again),
				     KUNIT_CASE(what_cannot_be_switched),
				     KUNIT_CASE(by_number),
				     KUNIT_CASE(destroyed),
				     KUNIT_CASE_SLOW(under_load),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite live_check_suite = {
	.name = "quarry_live_check",
	.suite_init = qt_suite_init,
	.init = qt_unseen_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(live_check_suite);
