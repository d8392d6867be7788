// SPDX-License-Identifier: GPL-2.0
/*
 * The profile's estimates of allocations and live objects.  They must be within six of
 * the standard errors that the profile itself states.  One run in 500 million is farther
 * off by chance; otherwise the profile is biased.
 */
#include "tests/profile_util.h"

#include <linux/math64.h>
#include <linux/random.h>
#include "profile/draw.h"

#define MANY 200000
#define SIZE 64

/* @sum estimates @truth objects of @space bytes. */
static void expect_near(struct kunit *test, const struct quarry_sum *sum, u64 truth, u64 space)
{
	s64 off = sum->objects - qp_objects(truth), space_off = sum->space - space;
	qr_u128 square = (qr_u128)abs(off) * abs(off);
	qr_u128 space_square = (qr_u128)abs(space_off) * abs(space_off);

	kunit_info(test, "%llu objects by %llu samples, off by %lld, %lld bytes\n", truth,
		   sum->samples, off >> QR_OBJECTS_SHIFT, space_off);
	KUNIT_EXPECT_GT(test, sum->samples, 0);
	KUNIT_EXPECT_TRUE_MSG(test, square <= 36 * sum->var_objects, "%llu objects: off by %lld",
			      truth, off >> QR_OBJECTS_SHIFT);
	KUNIT_EXPECT_TRUE_MSG(test, space_square <= 36 * (sum->var_space >> 2 * QR_OBJECTS_SHIFT),
			      "%llu bytes: off by %lld", space, space_off);
}

/* The number of samples of @n objects is as the binomial distribution says. */
static void expect_drawn(struct kunit *test, u64 samples, u64 n, u32 rate, u32 size)
{
	u64 weight = qr_weight(rate, size);
	u64 mean = div64_u64(n << QR_OBJECTS_SHIFT, weight);
	/* n p (1 - p), where p is 1 / weight */
	u64 variance = mean - div64_u64(mean << QR_OBJECTS_SHIFT, weight);
	s64 off = samples - mean;

	KUNIT_EXPECT_TRUE_MSG(test, off * off <= (s64)(36 * variance + 1),
			      "%llu samples of %llu, not %llu", samples, n, mean);
}

typedef void (*churn_fn)(struct kunit *test, struct quarry_cache *cache, unsigned int n);

static void churn_plain(struct kunit *test, struct quarry_cache *cache, unsigned int n)
{
	while (n--)
		quarry_cache_free(cache, quarry_cache_alloc(cache, GFP_KERNEL));
}

static void churn_called(struct kunit *test, struct quarry_cache *cache, unsigned int n)
{
	while (n--)
		qr_cache_free_call(cache, qr_cache_alloc_call(cache, GFP_KERNEL));
}

static void churn_far(struct kunit *test, struct quarry_cache *cache, unsigned int n)
{
	int node = qt_other_node(test, raw_cpu_read(qr_home_node));

	while (n--)
		quarry_cache_free(cache, quarry_cache_alloc_node(cache, GFP_KERNEL, node));
}

static void churn_near(struct kunit *test, struct quarry_cache *cache, unsigned int n)
{
	int node = raw_cpu_read(qr_home_node);

	while (n--)
		quarry_cache_free(cache, quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE,
								 node));
}

static void churn_sets(struct kunit *test, struct quarry_cache *cache, unsigned int n)
{
	void **objs = qt_array(test, 300, sizeof(*objs));

	while (n) {
		unsigned int k = min(n, 1 + get_random_u32_below(300));

		KUNIT_ASSERT_EQ(test, k, quarry_cache_alloc_bulk(cache, GFP_KERNEL, k, objs));
		quarry_cache_free_bulk(cache, k, objs);
		n -= k;
	}
}

static void estimate(struct kunit *test, churn_fn churn, u32 rate, unsigned int n)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	struct quarry_site sum;

	qt_pin(test, 0);
	qp_cache_rate(test, cache, rate);
	churn(test, cache, n);
	qp_now(test, qp_id(cache), &sum);
	expect_near(test, &sum.alloc, n, (u64)n * SIZE);
	expect_drawn(test, sum.alloc.samples, n, rate, SIZE);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.objects);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.space);
	KUNIT_EXPECT_TRUE(test, !sum.inuse.var_objects && !sum.inuse.var_space);
	KUNIT_EXPECT_EQ(test, n, qt_sum(cache).mallocs);
	qt_cache_destroy(test, cache);
}

static void one_by_one(struct kunit *test)
{
	estimate(test, churn_plain, 4096, MANY);
	estimate(test, churn_plain, 100, MANY / 4);
	estimate(test, churn_plain, 65536, MANY);
	estimate(test, churn_called, 4096, MANY);
}

static void by_sets(struct kunit *test)
{
	estimate(test, churn_sets, 4096, MANY);
	estimate(test, churn_sets, 40, MANY / 10);
	estimate(test, churn_sets, 65536, MANY);
}

static void by_node(struct kunit *test)
{
	estimate(test, churn_near, 4096, MANY);
	estimate(test, churn_far, 4096, MANY);
}

/* Setting a rate draws all countdowns anew.  That makes samples neither more nor less likely. */
static void churn_redrawn(struct kunit *test, struct quarry_cache *cache, unsigned int n)
{
	u32 rate;
	bool own;

	KUNIT_ASSERT_EQ(test, 0, qr_cache_rate_get(qp_id(cache), &rate, &own));
	for (; n >= 50; n -= 50) {
		churn_plain(test, cache, 50);
		qr_cache_rate_set(qp_id(cache), rate, true);
	}
}

static void redraws_do_not_bias(struct kunit *test)
{
	estimate(test, churn_redrawn, 4096, MANY / 2);
}

static void what_is_live(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	unsigned int n = 40000, live = 0, i;
	void **objs = qt_array(test, n, sizeof(*objs));
	struct quarry_site sum;

	qp_cache_rate(test, cache, 1000);
	for (i = 0; i < n; i++) {
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	for (i = 0; i < n; i++) {
		if (get_random_u32_below(4)) {
			quarry_cache_free(cache, objs[i]);
			objs[i] = NULL;
		} else {
			live++;
		}
	}
	qp_now(test, qp_id(cache), &sum);
	expect_near(test, &sum.alloc, n, n * SIZE);
	expect_near(test, &sum.inuse, live, live * SIZE);
	expect_drawn(test, sum.inuse.samples, live, 1000, SIZE);
	quarry_cache_free_bulk(cache, n, objs);
	qp_now(test, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.objects);
	KUNIT_EXPECT_TRUE(test, !sum.inuse.var_space);
	KUNIT_EXPECT_EQ(test, 0, sum.asked);
}

/* A sample keeps the weight of the rate at which it was drawn. */
static void two_rates_in_one_row(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	unsigned int n = 60000, i;
	void **objs = qt_array(test, n, sizeof(*objs));
	struct quarry_site sum;

	qp_cache_rate(test, cache, 8192);
	for (i = 0; i < n; i++) {
		if (i == n / 2)
			qp_cache_rate(test, cache, 256);
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	qp_now(test, qp_id(cache), &sum);
	expect_near(test, &sum.alloc, n, n * SIZE);
	qp_cache_rate(test, cache, 1);
	for (i = 0; i < n; i += 2)
		quarry_cache_free(cache, objs[i]);
	qp_now(test, qp_id(cache), &sum);
	expect_near(test, &sum.inuse, n / 2, n / 2 * SIZE);
	for (i = 1; i < n; i += 2)
		quarry_cache_free(cache, objs[i]);
	qp_now(test, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.objects);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.space);
	KUNIT_EXPECT_TRUE(test, !sum.inuse.var_objects && !sum.inuse.var_space);
}

static void large_objects(struct kunit *test)
{
	unsigned int n = 4000, size = 25 * PAGE_SIZE, i;
	struct quarry_site was, sum;

	qp_rate(test, 200000);
	qp_now(test, 0, &was);
	for (i = 0; i < n; i++) {
		void *p = quarry_malloc(size - i % 1000, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, p);
		quarry_free(p);
	}
	qp_now(test, 0, &sum);
	sum.alloc.samples -= was.alloc.samples;
	sum.alloc.objects -= was.alloc.objects;
	sum.alloc.space -= was.alloc.space;
	sum.alloc.var_objects -= was.alloc.var_objects;
	sum.alloc.var_space -= was.alloc.var_space;
	expect_near(test, &sum.alloc, n, (u64)n * size);
	expect_drawn(test, sum.alloc.samples, n, 200000, size);
	KUNIT_EXPECT_EQ(test, was.inuse.samples, sum.inuse.samples);
}

/* Many sizes at one rate: the sum over all rows is right too. */
static void all_sizes_together(struct kunit *test)
{
	struct quarry_profile *before, *p;
	struct quarry_sum sum = { 0 };
	u64 n = 40000, space = 0;
	unsigned int i;

	before = qp_take(test, QUARRY_CACHE_ALL, false);
	qp_rate(test, 8192);
	for (i = 0; i < n; i++) {
		size_t size = get_random_u32_below(i % 16 ? 3000 : 60000);
		void *q = quarry_malloc(size, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, q);
		space += quarry_usable_size(q);
		quarry_free(q);
	}
	p = qp_take(test, QUARRY_CACHE_ALL, false);
	KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, before));
	for (i = 0; i < p->nr; i++) {
		sum.samples += p->site[i].alloc.samples;
		sum.objects += p->site[i].alloc.objects;
		sum.space += p->site[i].alloc.space;
		sum.var_objects += p->site[i].alloc.var_objects;
		sum.var_space += p->site[i].alloc.var_space;
	}
	expect_near(test, &sum, n, space);
}

static noinline void *malloc_variable(size_t size)
{
	return quarry_malloc(size, GFP_KERNEL);
}

/* The sum of the profile's rows of all classes of tiny objects. */
static void tiny_sum(struct kunit *test, struct quarry_sum *sum, u64 *live)
{
	unsigned int cls;

	memset(sum, 0, sizeof(*sum));
	*live = 0;
	for (cls = 1; qr_class_const_size(cls) <= QR_MAX_TINY; cls++) {
		struct quarry_site now;

		qp_now(test, qp_id(qr_class_cache[cls]), &now);
		sum->samples += now.alloc.samples;
		sum->objects += now.alloc.objects;
		sum->space += now.alloc.space;
		sum->var_objects += now.alloc.var_objects;
		sum->var_space += now.alloc.var_space;
		*live += now.inuse.objects;
	}
}

/* Objects smaller than 8 bytes count as the bytes given, whichever way they were allocated. */
static void tiny_objects(struct kunit *test)
{
	u64 n = MANY, space = 0, live_was, live;
	void **objs = qt_array(test, n, sizeof(*objs));
	struct quarry_sum was, sum;
	unsigned int i;

	qp_rate(test, 512);
	tiny_sum(test, &was, &live_was);
	for (i = 0; i < n; i++) {
		size_t size = get_random_u32_below(QR_MAX_TINY + 1);

		switch (i % 4) {
		case 0:
			objs[i] = quarry_malloc(3, GFP_KERNEL);
			break;
		case 1:
			objs[i] = quarry_malloc_node(size, GFP_KERNEL, NUMA_NO_NODE);
			break;
		case 2:
			objs[i] = quarry_malloc(6, GFP_KERNEL);
			break;
		default:
			objs[i] = malloc_variable(size);
			break;
		}
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		space += quarry_usable_size(objs[i]);
	}
	KUNIT_EXPECT_LT(test, space, 6 * n);
	tiny_sum(test, &sum, &live);
	KUNIT_EXPECT_EQ(test, live - live_was, sum.objects - was.objects);
	sum.samples -= was.samples;
	sum.objects -= was.objects;
	sum.space -= was.space;
	sum.var_objects -= was.var_objects;
	sum.var_space -= was.var_space;
	expect_near(test, &sum, n, space);
	quarry_free_bulk(n, objs);
	tiny_sum(test, &sum, &live);
	KUNIT_EXPECT_EQ(test, live_was, live);
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(one_by_one),
				     KUNIT_CASE_SLOW(by_sets),
				     KUNIT_CASE_SLOW(by_node),
				     KUNIT_CASE_SLOW(redraws_do_not_bias),
				     KUNIT_CASE(what_is_live),
				     KUNIT_CASE(two_rates_in_one_row),
				     KUNIT_CASE_SLOW(large_objects),
				     KUNIT_CASE_SLOW(all_sizes_together),
				     KUNIT_CASE_SLOW(tiny_objects),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite estimate_suite = {
	.name = "quarry_profile_estimate",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(estimate_suite);
