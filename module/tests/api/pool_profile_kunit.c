// SPDX-License-Identifier: GPL-2.0
/* Sampling of pools: each get is an allocation to the profile, and each put is a free. */
#include "tests/api/pool_util.h"

#define MOST 400

/* As in an interrupt in the middle of an operation: the get is sampled like any other. */
static void sampled_below_an_operation(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 128);
	struct quarry_site sum;
	unsigned long flags;
	struct qr_head *h;
	void *obj;
	int n;

	qt_skip_on_rt(test);
	qt_pin(test, 0);
	/* A sampled get does not take this unused object. */
	qo_get_n(test, p, &obj, 1);
	quarry_pool_put(p->pool, obj);
	qp_cache_rate(test, p->cache, 1);
	h = qt_head(p->cache);
	local_irq_save(flags);
	n = qr_head_claim(h);
	obj = quarry_pool_get(p->pool, GFP_ATOMIC);
	qr_head_release(h, n);
	local_irq_restore(flags);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	qp_now(test, qp_id(p->cache), &sum);
	KUNIT_EXPECT_EQ(test, 1, sum.inuse.samples);
	quarry_pool_put(p->pool, obj);
	qp_now(test, qp_id(p->cache), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.samples);
}

static void exact_at_a_rate_of_one(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 120);
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qp_books books;
	unsigned int n = 100;

	qt_pin(test, 0);
	/* Unused objects from before sampling, of which the profile knows nothing. */
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	KUNIT_EXPECT_GT(test, qo_sum(p).idle, 0);
	qp_cache_rate(test, p->cache, 1);
	qp_books_open(test, &books, p->cache);
	qo_get_n(test, p, objs, n);
	qp_books_agree(test, &books, n * 120);
	qo_put_n(p, objs + n / 2, n - n / 2);
	qp_books_agree(test, &books, n / 2 * 120);
	qp_expect_all_found(test);
	qo_put_n(p, objs, n / 2);
	qp_books_agree(test, &books, 0);
	/* A sampled object is undone when it is put. */
	KUNIT_EXPECT_EQ(test, atomic_read(&p->inits), atomic_read(&p->exits) + qo_sum(p).idle);
	KUNIT_EXPECT_GE(test, atomic_read(&p->exits), n);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
}

static void estimate(struct kunit *test, u32 rate, unsigned int n, unsigned int deep, bool cross)
{
	void **objs = qt_array(test, deep, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 64);
	unsigned int done = 0, k;
	struct quarry_site sum;

	qt_pin(test, 0);
	qp_cache_rate(test, p->cache, rate);
	while (done < n) {
		k = min(n - done, deep);
		qo_get_n(test, p, objs, k);
		done += k;
		if (cross)
			qt_pin(test, (done / deep) % 2);
		if (done < n)
			qo_put_n(p, objs, k);
	}
	qp_now(test, qp_id(p->cache), &sum);
	qp_expect_near(test, &sum.alloc, n);
	if (k > 100)
		qp_expect_near(test, &sum.inuse, k);
	KUNIT_EXPECT_EQ(test, n, qo_sum(p).gets);
	KUNIT_EXPECT_EQ(test, k, qt_sum(p->cache).live_objects);
	qo_put_n(p, objs, k);
	qp_now(test, qp_id(p->cache), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.objects);
	qo_destroy(test, p);
}

static void unbiased(struct kunit *test)
{
	estimate(test, 1000, 100000, 1, false);
	/* Up to the shelf's room, and beyond it. */
	estimate(test, 1000, 100000, 40, false);
	estimate(test, 1000, 60000, 1000, false);
}

static void unbiased_across_cpus(struct kunit *test)
{
	qt_pin(test, 1);
	estimate(test, 1000, 40000, 30, true);
	estimate(test, 1000, 40000, 200, true);
}

/* While a task counts, each get is drawn by itself, exactly once, wherever it is served. */
static void unbiased_while_a_task_counts(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, quarry_alloc_count_begin());
	estimate(test, 1000, 30000, 1, false);
	estimate(test, 1000, 30000, 1000, false);
	KUNIT_EXPECT_GT(test, quarry_alloc_count_end(), 0);
}

static struct kunit_case cases[] = { KUNIT_CASE(sampled_below_an_operation),
				     KUNIT_CASE(exact_at_a_rate_of_one),
				     KUNIT_CASE_SLOW(unbiased),
				     KUNIT_CASE_SLOW(unbiased_across_cpus),
				     KUNIT_CASE_SLOW(unbiased_while_a_task_counts),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite pool_profile_suite = {
	.name = "quarry_pool_profile",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(pool_profile_suite);
