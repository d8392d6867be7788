// SPDX-License-Identifier: GPL-2.0
/*
 * Balancing capacity: magazines that are not used lose it, and heads that were refused some get it.
 * Time passes only by calls of qr_magazines_tick().
 */
#include "tests/magazine/capacity_util.h"

#include <linux/delay.h>

static void idle_ones_shrink_to_nothing(struct kunit *test)
{
	static const unsigned int sizes[] = { 8, 64, 1000, 4096, 32768 };
	struct quarry_cache *cache[ARRAY_SIZE(sizes)];
	unsigned int i, k;
	bool more = true;

	qt_pin(test, 0);
	qt_budget(test, 4096);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		cache[i] = qt_cache(test, sizes[i], NULL);
		qm_miss(test, cache[i]);
		qm_miss(test, cache[i]);
		KUNIT_ASSERT_EQ(test, qm_full(cache[i]), qm_capacity(cache[i]));
	}
	/* The first look sees that all of them were used. */
	KUNIT_EXPECT_TRUE(test, qr_magazines_tick());
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		KUNIT_EXPECT_EQ(test, qm_full(cache[i]), qm_capacity(cache[i]));
	for (k = 0; k < QM_TICKS; k++) {
		unsigned int was = qm_capacity(cache[0]);

		qm_hit(test, cache[1]);
		more = qr_magazines_tick();
		KUNIT_EXPECT_EQ(test, was < 4 ? 0 : was / 2, qm_capacity(cache[0]));
		KUNIT_EXPECT_LE(test, qr_head_peek(qt_head(cache[0])), qm_capacity(cache[0]));
		/* This cache is in use. */
		KUNIT_EXPECT_EQ(test, qm_full(cache[1]), qm_capacity(cache[1]));
		qt_exit(test);
	}
	KUNIT_EXPECT_TRUE(test, more);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (i == 1)
			continue;
		KUNIT_EXPECT_EQ(test, 0, qm_capacity(cache[i]));
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache[i]).cached_objects);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache[i]).slabs);
	}
	KUNIT_EXPECT_GT(test, qt_sum(cache[1]).cached_objects, 0);
	KUNIT_EXPECT_EQ(test, qm_full(cache[1]) * QM_SIZE, qm_granted_here());
	for (k = 0; k < QM_TICKS; k++)
		more = qr_magazines_tick();
	KUNIT_EXPECT_FALSE(test, more);
	KUNIT_EXPECT_EQ(test, 0, qm_granted_here());
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache[1]).cached_objects);
}

/* The depot of an idle cache is emptied, and has no spare batches until it is used again. */
static void depots_of_idle_caches_are_emptied(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	struct qr_depot *d;
	void **objs = qt_array(test, 900, sizeof(*objs));

	qt_checked_flushes(test, 0);
	qt_pin(test, 0);
	qt_budget(test, 4096);
	d = qr_cache_of(cache)->depot[raw_cpu_read(qr_home_node)];
	qt_alloc_n(test, cache, objs, 900);
	qt_free_n(cache, objs + 1, 899);
	KUNIT_ASSERT_GT(test, d->nr_cached, 0);
	qm_ticks(1);
	KUNIT_EXPECT_GT(test, d->nr_cached, 0);
	qm_ticks(1);
	KUNIT_EXPECT_EQ(test, 0, d->nr_cached);
	KUNIT_EXPECT_GT(test, qr_head_peek(qt_head(cache)), 0);
	qm_ticks(QM_TICKS);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).slabs);
	KUNIT_EXPECT_EQ(test, 0, d->nr_batches);
	/* New slabs bring batches; those for the slabs that were there come with the tick. */
	qt_alloc_n(test, cache, objs + 1, 899);
	qt_free_n(cache, objs + 1, 899);
	KUNIT_EXPECT_GT(test, d->nr_batches, 0);
	KUNIT_EXPECT_LT(test, d->nr_batches, DIV_ROUND_UP(d->nr_objects, d->batch));
	KUNIT_EXPECT_TRUE(test, d->wants_batches);
	qm_ticks(1);
	KUNIT_EXPECT_FALSE(test, d->wants_batches);
	KUNIT_EXPECT_EQ(test, d->nr_batches, DIV_ROUND_UP(d->nr_objects, d->batch));
	qm_ticks(QM_TICKS);
	KUNIT_EXPECT_EQ(test, 0, d->nr_batches);
	qt_free_n(cache, objs, 1);
	qm_ticks(QM_TICKS + 2);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).slabs);
	KUNIT_EXPECT_EQ(test, 0, d->nr_batches);
}

static void moves_from_idle_to_missing(struct kunit *test)
{
	struct quarry_cache *idle = qt_cache(test, QM_SIZE, NULL),
			    *poor = qt_cache(test, QM_SIZE, NULL);
	unsigned int k;

	qt_pin(test, 0);
	qt_budget(test, 128 * QM_SIZE / 1024);
	qm_miss(test, idle);
	KUNIT_ASSERT_EQ(test, qm_full(idle), qm_capacity(idle));
	qm_miss(test, poor);
	KUNIT_ASSERT_EQ(test, 0, qm_capacity(poor));
	qm_ticks(1);
	for (k = 0; k < QM_TICKS && qm_capacity(poor) < qm_full(poor); k++) {
		qm_ticks(1);
		qm_miss(test, poor);
	}
	kunit_info(test, "%u ticks\n", k);
	KUNIT_EXPECT_EQ(test, qm_full(poor), qm_capacity(poor));
	KUNIT_EXPECT_EQ(test, 0, qm_capacity(idle));
}

/* A magazine that is used without misses gives capacity when another head is refused some. */
static void moves_from_hitting_to_missing(struct kunit *test)
{
	struct quarry_cache *rich = qt_cache(test, QM_SIZE, NULL),
			    *poor = qt_cache(test, QM_SIZE, NULL);
	unsigned int k;

	qt_pin(test, 0);
	qt_budget(test, 128 * QM_SIZE / 1024);
	qm_miss(test, rich);
	qm_ticks(1);
	/* As long as no other head is refused capacity, it keeps all. */
	for (k = 0; k < QM_TICKS; k++) {
		qm_hit(test, rich);
		qm_ticks(1);
		KUNIT_ASSERT_EQ(test, qm_full(rich), qm_capacity(rich));
	}
	qm_hit(test, rich);
	qm_miss(test, poor);
	KUNIT_EXPECT_EQ(test, 0, qm_capacity(poor));
	qm_ticks(1);
	KUNIT_EXPECT_EQ(test, qm_full(rich) / 2, qm_capacity(rich));
	qm_hit(test, rich);
	qm_miss(test, poor);
	KUNIT_EXPECT_EQ(test, qm_full(poor) / 2, qm_capacity(poor));
	qt_exit(test);
}

/* A magazine without misses gives before a larger one that misses. */
static void hitting_gives_before_missing(struct kunit *test)
{
	struct quarry_cache *large = qt_cache(test, QM_SIZE, NULL);
	struct quarry_cache *small = qt_cache(test, QM_SIZE, NULL);
	struct quarry_cache *poor = qt_cache(test, QM_SIZE, NULL);

	qt_pin(test, 0);
	qt_budget(test, 192 * QM_SIZE / 1024);
	qm_miss(test, large);
	qm_miss(test, small);
	KUNIT_ASSERT_EQ(test, qm_full(large), qm_capacity(large));
	KUNIT_ASSERT_EQ(test, qm_full(small) / 2, qm_capacity(small));
	qm_ticks(1);
	qm_miss(test, large);
	qm_hit(test, small);
	qm_miss(test, poor);
	KUNIT_ASSERT_EQ(test, 0, qm_capacity(poor));
	qm_ticks(1);
	KUNIT_EXPECT_EQ(test, qm_full(large), qm_capacity(large));
	KUNIT_EXPECT_EQ(test, qm_full(small) / 4, qm_capacity(small));
}

/* When all magazines miss, the largest one gives, until none is much larger than another. */
static void moves_from_large_to_small(struct kunit *test)
{
	struct quarry_cache *cache[6];
	unsigned int i, k, most = 0, least = UINT_MAX;

	qt_pin(test, 0);
	qt_budget(test, 192 * QM_SIZE / 1024);
	for (i = 0; i < ARRAY_SIZE(cache); i++)
		cache[i] = qt_cache(test, QM_SIZE, NULL);
	for (k = 0; k < 4 * QM_TICKS; k++) {
		for (i = 0; i < ARRAY_SIZE(cache); i++)
			qm_miss(test, cache[i]);
		qm_ticks(1);
	}
	for (i = 0; i < ARRAY_SIZE(cache); i++) {
		qm_miss(test, cache[i]);
		most = max(most, qm_capacity(cache[i]));
		least = min(least, qm_capacity(cache[i]));
	}
	kunit_info(test, "%u to %u objects\n", least, most);
	KUNIT_EXPECT_GE(test, least, 4);
	KUNIT_EXPECT_LE(test, most, 8 * least);
	KUNIT_EXPECT_GE(test, qm_granted_here(), 96 * QM_SIZE);
	qt_exit(test);
}

/* A grant queues the work, and the work stops when no magazine has capacity. */
static void ticks_come_and_go(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	unsigned int wait;

	qt_pin(test, 0);
	qt_budget(test, 4096);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, qt_no_ticks, NULL));
	qr_magazines_ticking(true);
	/* The first look finds nothing to do. */
	for (wait = 0; wait < 100 && delayed_work_pending(&qr_balance_work); wait++)
		msleep(100);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&qr_balance_work));
	qm_miss(test, cache);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&qr_balance_work));
	for (wait = 0; wait < 300 && qm_granted_here(); wait++)
		msleep(100);
	KUNIT_EXPECT_EQ(test, 0, qm_granted_here());
	flush_delayed_work(&qr_balance_work);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&qr_balance_work));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).cached_objects);
}

static struct kunit_case cases[] = { KUNIT_CASE(idle_ones_shrink_to_nothing),
				     KUNIT_CASE(depots_of_idle_caches_are_emptied),
				     KUNIT_CASE(moves_from_idle_to_missing),
				     KUNIT_CASE(moves_from_hitting_to_missing),
				     KUNIT_CASE(hitting_gives_before_missing),
				     KUNIT_CASE(moves_from_large_to_small),
				     KUNIT_CASE_SLOW(ticks_come_and_go),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite balance_suite = {
	.name = "quarry_capacity_balance",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(balance_suite);
