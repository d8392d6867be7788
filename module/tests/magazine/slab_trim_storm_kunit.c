// SPDX-License-Identifier: GPL-2.0
/*
 * Trimming while every CPU allocates and frees.  The number of live objects grows, falls to a
 * fraction and grows again, and some objects are freed by another CPU than allocated them.
 */
#include "tests/profile_util.h"

#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/string.h>

#define STORM_MS    3000
#define HELD	    1200 /* objects that a thread holds at most */
#define PASSED	    64	 /* objects on their way to another thread */
#define LEAST_PAGES 1000 /* pages that must have left slabs */

static const unsigned int sizes[] = { 64, 200, 1000, 4096, 5000 };

/* The use of an object's 8-byte words. */
enum { SHADOW, KIND, BYTE, REST };

struct storm {
	struct quarry_cache *cache[ARRAY_SIZE(sizes)];
	struct qt_shadow shadow[ARRAY_SIZE(sizes)];
	void *passed[PASSED];
	atomic_t changed;
	atomic_t failed;
};

struct worker {
	struct storm *storm;
	struct rnd_state rnd;
	void *held[HELD];
	unsigned int n;
	unsigned int rounds;
};

static void *storm_alloc(struct storm *st, struct rnd_state *rnd)
{
	unsigned int kind = prandom_u32_state(rnd) % ARRAY_SIZE(sizes);
	u64 *p = qt_got(&st->shadow[kind], quarry_cache_alloc(st->cache[kind], GFP_KERNEL));

	if (!p) {
		atomic_inc(&st->failed);
		return NULL;
	}
	p[KIND] = kind;
	p[BYTE] = prandom_u32_state(rnd) % 256;
	memset(p + REST, p[BYTE], sizes[kind] - REST * sizeof(*p));
	return p;
}

static void storm_free(struct storm *st, u64 *p)
{
	unsigned int kind;

	if (!p)
		return;
	kind = p[KIND];
	if (kind >= ARRAY_SIZE(sizes) ||
	    memchr_inv(p + REST, p[BYTE], sizes[kind] - REST * sizeof(*p))) {
		atomic_inc(&st->changed);
		return;
	}
	quarry_cache_free(st->cache[kind], qt_put(&st->shadow[kind], p));
}

static int storm_thread(void *arg)
{
	struct worker *w = arg;
	struct storm *st = w->storm;
	struct rnd_state *rnd = &w->rnd;
	unsigned int left;

	while (!kthread_should_stop()) {
		while (w->n < HELD) {
			void *p = storm_alloc(st, rnd);

			if (!p)
				break;
			if (prandom_u32_state(rnd) % 4 == 0)
				p = xchg(&st->passed[prandom_u32_state(rnd) % PASSED], p);
			if (p)
				w->held[w->n++] = p;
		}
		cond_resched();
		for (left = prandom_u32_state(rnd) % (HELD / 8); w->n > left;) {
			unsigned int i = prandom_u32_state(rnd) % w->n;

			storm_free(st, w->held[i]);
			w->held[i] = w->held[--w->n];
		}
		w->rounds++;
		cond_resched();
	}
	while (w->n)
		storm_free(st, w->held[--w->n]);
	return 0;
}

KUNIT_DEFINE_ACTION_WRAPPER(stop_action, kthread_stop, struct task_struct *);

static void storm(struct kunit *test, bool drain)
{
	struct storm *st = qt_array(test, 1, sizeof(*st));
	struct task_struct **thread = qt_array(test, nr_cpu_ids, sizeof(*thread));
	struct worker *w = qt_array(test, nr_cpu_ids, sizeof(*w));
	unsigned int cpu, i, trims = 0;
	unsigned long pages = 0;
	ktime_t until;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		st->cache[i] = qt_cache(test, sizes[i], NULL);
		qt_shadow_init(&st->shadow[i]);
	}
	for_each_online_cpu(cpu) {
		w[cpu].storm = st;
		prandom_seed_state(&w[cpu].rnd, get_random_u64());
		thread[cpu] = kthread_create(storm_thread, &w[cpu], "quarry_trim/%u", cpu);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread[cpu]);
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop_action, thread[cpu]));
		kthread_bind(thread[cpu], cpu);
		wake_up_process(thread[cpu]);
	}
	until = ktime_add_ms(ktime_get(), STORM_MS);
	do {
		struct quarry_cache *cache = st->cache[trims % ARRAY_SIZE(sizes)];

		if (drain)
			quarry_cache_shrink(cache);
		if (trims % 8) {
			mutex_lock(&qr_trim_lock);
			mutex_lock(&qr_caches_lock);
			pages += qr_cache_trim(qr_cache_of(cache), trims % 16 == 1 ? 5 : ULONG_MAX);
			mutex_unlock(&qr_caches_lock);
			mutex_unlock(&qr_trim_lock);
		} else {
			pages += qr_trim_all(ULONG_MAX, trims % 16);
		}
		if (++trims % 32 == 0)
			qt_exit(test);
		cond_resched();
	} while (ktime_before(ktime_get(), until) || pages < LEAST_PAGES);
	for_each_online_cpu(cpu) {
		kunit_release_action(test, stop_action, thread[cpu]);
		KUNIT_EXPECT_GT(test, w[cpu].rounds, 0);
	}
	kunit_info(test, "%u times, %lu pages; rounds on CPU 0: %u\n", trims, pages, w[0].rounds);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&st->changed));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&st->failed));
	qt_exit(test);
	for (i = 0; i < PASSED; i++)
		storm_free(st, st->passed[i]);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		quarry_cache_shrink(st->cache[i]);
		qt_shadow_check(test, &st->shadow[i], st->cache[i]);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(st->cache[i]).live_objects);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(st->cache[i]).inuse_bytes);
		qt_cache_destroy(test, st->cache[i]);
	}
}

static void with_traffic(struct kunit *test)
{
	storm(test, false);
}

static void with_traffic_and_drains(struct kunit *test)
{
	storm(test, true);
}

static void with_traffic_that_is_sampled(struct kunit *test)
{
	u64 live = qp_counts().live_samples;

	qp_rate(test, 2000);
	storm(test, false);
	KUNIT_EXPECT_EQ(test, live, qp_counts().live_samples);
}

static void with_traffic_in_mixed_chunks(struct kunit *test)
{
	qr_drain_all();
	qr_heap_release_idle();
	qt_no_chunks(test);
	storm(test, false);
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(with_traffic),
				     KUNIT_CASE_SLOW(with_traffic_and_drains),
				     KUNIT_CASE_SLOW(with_traffic_that_is_sampled),
				     KUNIT_CASE_SLOW(with_traffic_in_mixed_chunks),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite trim_storm_suite = {
	.name = "quarry_slab_trim_storm",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(trim_storm_suite);
