// SPDX-License-Identifier: GPL-2.0
/* Counts of allocations: each one of the counting task counts once, and no other task's. */
#include "tests/api/allocs_per_run_util.h"

#include <linux/sizes.h>
#include "core/task_count.h"
#include "slab/mapped.h"

static void by_call(void *arg)
{
	quarry_free(quarry_strdup("a string", GFP_KERNEL));
	qr_free_call(qr_malloc_call(100, GFP_KERNEL));
	quarry_free(quarry_aligned_alloc(256, 100, GFP_KERNEL));
}

static void by_node(void *arg)
{
	struct qw_work *w = arg;
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
	struct qw_work *w = arg;

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
	struct qw_work *w = qw_work(test, 64, 700);
	unsigned int n;

	qw_expect_each(test, 0, nothing, NULL);
	qw_expect_each(test, 701, qw_by_malloc, w);
	qw_expect_each(test, 3, by_call, w);
	for (n = 0; n <= 700; n = 3 * n + 1) {
		w->n = n;
		qw_expect_each(test, n, qw_by_cache, w);
		qw_expect_each(test, n, qw_by_bulk, w);
		quarry_cache_shrink(w->cache);
		qw_expect_each(test, n, qw_by_bulk, w);
	}
	w->n = 100;
	for_each_node_mask(w->node, qr_nodes)
		qw_expect_each(test, 102, by_node, w);
	qw_expect_each(test, 2, by_page, w);
	qt_longest_run(test, 8);
	qw_expect_each(test, 2, by_page, w);
	qw_expect_each(test, 0, in_vain, w);
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
	struct qw_work *w = arg;

	if (!w->runs++)
		qw_by_malloc(w);
}

static void every_other(void *arg)
{
	struct qw_work *w = arg;

	/* Allocates in every other run; the first run that counts is one that does not. */
	if (!(w->runs++ % 2))
		quarry_free(quarry_malloc(10, GFP_KERNEL));
}

static void averages(struct kunit *test)
{
	struct qw_work *w = qw_work(test, 64, 100);

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
	struct qw_work *w = arg;

	w->made = quarry_allocs_per_run(nothing, NULL, 1);
	w->runs++;
	quarry_free(quarry_malloc(10, GFP_KERNEL));
}

static void misused(struct kunit *test)
{
	struct qw_work *w = qw_work(test, 64, 1);

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
	qw_expect_each(test, 1, create, NULL);
}

/* --- Sampling --- */

static void all_sampled(struct kunit *test)
{
	struct qw_work *w = qw_work(test, 64, 200);
	struct qp_books b, large;

	qt_pin(test, 0);
	qp_rate(test, 1);
	qp_books_open(test, &b, w->cache);
	qp_books_open(test, &large, NULL);
	qw_expect_each(test, 200, qw_by_cache, w);
	qw_expect_each(test, 200, qw_by_bulk, w);
	qw_expect_each(test, 201, qw_by_malloc, w);
	for_each_node_mask(w->node, qr_nodes)
		qw_expect_each(test, 202, by_node, w);
	qp_books_agree(test, &b, 0);
	qp_books_agree(test, &large, 0);
	qw_expect_each(test, 2, by_page, w);
	qp_expect_all_found(test);
}

/* Sampling object by object is as exact as by countdown: within six standard errors. */
static void unbiased(struct kunit *test)
{
	struct qw_work *w = qw_work(test, 64, 500);
	struct quarry_site sum;
	qr_u128 square;
	s64 off;
	u64 n;

	qp_cache_rate(test, w->cache, 1000);
	KUNIT_EXPECT_EQ(test, 500, quarry_allocs_per_run(qw_by_cache, w, 100));
	for (n = 0; n < 40; n++) {
		qw_by_bulk(w);
		KUNIT_EXPECT_EQ(test, 500, quarry_allocs_per_run(qw_by_bulk, w, 1));
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
		else if (h->drawn) /* otherwise the CPU's first allocation will draw */
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
		expect_heads(test, cache, false);
		expect_heads(test, qr_class_cache[5], false);
		qr_rate_set(0);
	}
	KUNIT_EXPECT_EQ(test, 3 * 120, qt_sum(cache).mallocs);
}

static void by_pool(void *arg)
{
	struct qw_work *w = arg;
	unsigned int i;

	for (i = 0; i < w->n; i++)
		w->objs[i] = quarry_pool_get(w->pool, GFP_KERNEL);
	for (i = 0; i < w->n; i++)
		quarry_pool_put(w->pool, w->objs[i]);
}

static void by_reserve(void *arg)
{
	struct quarry_reserve r = {};
	struct qw_work *w = arg;
	unsigned int i;

	KUNIT_EXPECT_EQ(w->test, 0, quarry_reserve_fill(&r, w->cache, w->n, GFP_KERNEL));
	for (i = 0; i < w->n; i++)
		quarry_cache_free(w->cache, quarry_reserve_alloc(&r));
	quarry_reserve_return(&r);
}

/* The object that was just freed is in the magazine, so the nolock call finds it. */
static void by_nolock(void *arg)
{
	struct qw_work *w = arg;
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
	struct qw_work *w = qw_work(test, 128, 40);

	w->pool = quarry_pool_create(&args);
	KUNIT_ASSERT_NOT_NULL(test, w->pool);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pool_destroy, w->pool));
	qt_pin(test, 0);
	qw_expect_each(test, w->n, by_pool, w);
	qw_expect_each(test, 2 * w->n, by_reserve, w);
	qw_expect_each(test, 2, by_nolock, w);
	/* A get that is sampled makes a new object each time. */
	qp_rate(test, 1);
	qw_expect_each(test, w->n, by_pool, w);
	qw_expect_each(test, 2 * w->n, by_reserve, w);
	qp_rate(test, 4096);
	qw_expect_each(test, w->n, by_pool, w);
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

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(exact),	     KUNIT_CASE(resized),
				     KUNIT_CASE(averages),	     KUNIT_CASE(misused),
				     KUNIT_CASE_SLOW(new_caches),    KUNIT_CASE_SLOW(all_sampled),
				     KUNIT_CASE(unbiased),	     KUNIT_CASE(fast_again),
				     KUNIT_CASE(what_was_put_aside), KUNIT_CASE(expectations),
				     KUNIT_CASE(qt_books_balance),   {} };

static struct kunit_suite count_suite = {
	.name = "quarry_allocs_per_run",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(count_suite);
