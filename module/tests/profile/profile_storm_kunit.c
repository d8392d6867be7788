// SPDX-License-Identifier: GPL-2.0
/* Sampling while timer interrupts come anywhere, and use the same cache. */
#include "tests/profile_util.h"

#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/random.h>

#define SIZE	    64
#define STORM_HELD  7
#define STORM_MS    1500
#define STORM_LEAST 300 /* interrupts */

struct storm {
	struct hrtimer timer;
	struct quarry_cache *cache;
	struct qt_shadow shadow;
	struct rnd_state rnd;
	void *held[STORM_HELD];
	unsigned int fired;
	unsigned int missed;
	bool stop;
};

static enum hrtimer_restart storm_fn(struct hrtimer *timer)
{
	struct storm *st = container_of(timer, struct storm, timer);
	unsigned int n = prandom_u32_state(&st->rnd) % (STORM_HELD + 1), i;

	st->fired++;
	for (i = 0; i < n; i++) {
		void **slot = &st->held[prandom_u32_state(&st->rnd) % STORM_HELD];

		if (*slot) {
			quarry_cache_free(st->cache, qt_put(&st->shadow, *slot));
			*slot = NULL;
		} else {
			*slot = qt_got(&st->shadow, quarry_cache_alloc(st->cache, GFP_ATOMIC));
			st->missed += !*slot;
		}
	}
	if (READ_ONCE(st->stop))
		return HRTIMER_NORESTART;
	/* Counted from now, not from when it was due, so that the thread makes progress too. */
	hrtimer_forward_now(timer, ns_to_ktime(20000 + prandom_u32_state(&st->rnd) % 200000));
	return HRTIMER_RESTART;
}

static void storm_stop(void *arg)
{
	struct storm *st = arg;

	WRITE_ONCE(st->stop, true);
	hrtimer_cancel(&st->timer);
}

static void storm(struct kunit *test, enum hrtimer_mode mode, u32 rate)
{
	struct storm *st = qt_array(test, 1, sizeof(*st));
	void **objs = qt_array(test, 100, sizeof(*objs));
	ktime_t until, limit;
	struct quarry_site sum;
	unsigned int i, n;

	st->cache = qt_cache(test, SIZE, NULL);
	qt_shadow_init(&st->shadow);
	prandom_seed_state(&st->rnd, get_random_u64());
	qt_pin(test, num_online_cpus() - 1);
	qp_rate(test, rate);
	qr_compat_hrtimer_setup(&st->timer, storm_fn, CLOCK_MONOTONIC, mode);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, storm_stop, st));
	hrtimer_start(&st->timer, ns_to_ktime(10000), mode);
	until = ktime_add_ms(ktime_get(), STORM_MS);
	limit = ktime_add_ms(until, 60 * STORM_MS);
	do {
		n = 1 + get_random_u32_below(100);
		for (i = 0; i < n; i++) {
			objs[i] = qt_got(&st->shadow, quarry_cache_alloc(st->cache, GFP_ATOMIC));
			st->missed += !objs[i];
		}
		for (i = 0; i < n; i++)
			quarry_cache_free(st->cache, qt_put(&st->shadow, objs[i]));
		if (!quarry_cache_alloc_bulk(st->cache, GFP_ATOMIC, n, objs)) {
			st->missed++;
			continue;
		}
		for (i = 0; i < n; i++)
			qt_put(&st->shadow, qt_got(&st->shadow, objs[i]));
		quarry_cache_free_bulk(st->cache, n, objs);
		cond_resched();
	} while (ktime_before(ktime_get(), until) ||
		 (READ_ONCE(st->fired) < STORM_LEAST && ktime_before(ktime_get(), limit)));
	storm_stop(st);
	qt_shadow_check(test, &st->shadow, st->cache);
	qp_expect_all_found(test);
	qt_exit(test);
	for (i = 0; i < STORM_HELD; i++)
		quarry_cache_free(st->cache, qt_put(&st->shadow, st->held[i]));
	qp_now(test, qp_id(st->cache), &sum);
	kunit_info(test, "%u interrupts, %llu of %llu objects sampled\n", st->fired,
		   sum.alloc.samples, qt_sum(st->cache).mallocs);
	KUNIT_EXPECT_GE(test, st->fired, STORM_LEAST);
	KUNIT_EXPECT_EQ(test, 0, st->missed);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.space);
	KUNIT_EXPECT_EQ(test, 0, qp_counts().live_samples);
	qt_shadow_check(test, &st->shadow, st->cache);
	if (rate == 1) {
		KUNIT_EXPECT_EQ(test, qt_sum(st->cache).mallocs, sum.alloc.samples);
	} else {
		s64 off = sum.alloc.objects - qp_objects(qt_sum(st->cache).mallocs);

		KUNIT_EXPECT_TRUE(test, (qr_u128)abs(off) * abs(off) <= 36 * sum.alloc.var_objects);
	}
	qt_cache_destroy(test, st->cache);
}

static void hard_interrupts(struct kunit *test)
{
	storm(test, HRTIMER_MODE_REL_PINNED, 1);
	storm(test, HRTIMER_MODE_REL_PINNED, 10 * SIZE);
}

static void soft_interrupts(struct kunit *test)
{
	storm(test, HRTIMER_MODE_REL_PINNED_SOFT, 1);
	storm(test, HRTIMER_MODE_REL_PINNED_SOFT, 10 * SIZE);
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(hard_interrupts),
				     KUNIT_CASE_SLOW(soft_interrupts),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite storm_suite = {
	.name = "quarry_profile_storm",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(storm_suite);
