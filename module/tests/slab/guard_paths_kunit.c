// SPDX-License-Identifier: GPL-2.0
/* Every function that allocates or frees objects of a guarded cache checks the guard. */
#include "tests/kunit_util.h"

#include <linux/cpumask.h>
#include "tests/profile_util.h"
#include "tests/slab/guard_util.h"

#define N 40

static void *by_alloc(struct quarry_cache *cache)
{
	return quarry_cache_alloc(cache, GFP_ATOMIC);
}

static void *by_call(struct quarry_cache *cache)
{
	return qr_cache_alloc_call(cache, GFP_ATOMIC);
}

static void *by_node(struct quarry_cache *cache)
{
	return quarry_cache_alloc_node(cache, GFP_ATOMIC | __GFP_THISNODE, first_node(qr_nodes));
}

static void *by_bulk(struct quarry_cache *cache)
{
	void *p;

	return quarry_cache_alloc_bulk(cache, GFP_ATOMIC, 1, &p) ? p : NULL;
}

static void *by_nolock(struct quarry_cache *cache)
{
	return quarry_cache_alloc_nolock(cache, 0);
}

static void *by_reserve(struct quarry_cache *cache)
{
	struct quarry_reserve r = {};
	void *p;

	if (quarry_reserve_fill(&r, cache, 1, GFP_ATOMIC))
		return NULL;
	p = quarry_reserve_alloc(&r);
	quarry_reserve_return(&r);
	return p;
}

static void *(*const ways_in[])(struct quarry_cache *cache) = {
	by_alloc, by_call, by_node, by_bulk, by_nolock, by_reserve,
};

static void free_any_way(struct quarry_cache *cache, void *p)
{
	quarry_free(p);
}

static void free_called(struct quarry_cache *cache, void *p)
{
	qr_cache_free_call(cache, p);
}

static void free_bulk(struct quarry_cache *cache, void *p)
{
	quarry_cache_free_bulk(cache, 1, &p);
}

static void free_mixed_bulk(struct quarry_cache *cache, void *p)
{
	quarry_free_bulk(1, &p);
}

static void free_rcu_cache(struct quarry_cache *cache, void *p)
{
	quarry_cache_free_rcu(cache, p);
	quarry_rcu_barrier();
}

static void free_rcu_any(struct quarry_cache *cache, void *p)
{
	quarry_free_rcu(p);
	quarry_rcu_barrier();
}

static void free_nolock(struct quarry_cache *cache, void *p)
{
	quarry_cache_free_nolock(cache, p);
	quarry_rcu_barrier();
}

static void free_sensitive(struct quarry_cache *cache, void *p)
{
	quarry_free_sensitive(p);
}

static void (*const ways_out[])(struct quarry_cache *cache, void *p) = {
	quarry_cache_free, free_any_way, free_called, free_bulk,      free_mixed_bulk,
	free_rcu_cache,	   free_rcu_any, free_nolock, free_sensitive,
};

static void every_way_out_looks(struct kunit *test, u32 rate)
{
	struct quarry_cache *cache = qt_cache(test, 60, &qt_poison_and_red_zone);
	unsigned int i;

	if (rate)
		qp_cache_rate(test, cache, rate);
	for (i = 0; i < ARRAY_SIZE(ways_out); i++) {
		u8 *p = quarry_cache_alloc(cache, GFP_KERNEL);
		struct qt_seen before = qt_seen(test);

		KUNIT_ASSERT_NOT_NULL(test, p);
		p[60] = 'x';
		ways_out[i](cache, p);
		qt_expect_seen(test, before, 1, 0, 1);
		p[60] = SLUB_RED_ACTIVE;
		ways_out[i](cache, p);
		qt_expect_seen(test, before, 1, 0, 1);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
		KUNIT_EXPECT_TRUE(test, qt_is_poisoned(p, 60));
	}
}

static void ways_out_look(struct kunit *test)
{
	every_way_out_looks(test, 0);
}

static void ways_out_of_samples_look(struct kunit *test)
{
	every_way_out_looks(test, 1);
}

/* The only free object of the cache was written to: no function may return it. */
static void ways_in_look(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 4096, &qt_poison_and_red_zone);
	unsigned int n, i, k;

	qt_pin(test, cpumask_first(cpumask_of_node(first_node(qr_nodes))));
	for (i = 0; i < ARRAY_SIZE(ways_in); i++) {
		struct qt_seen before;
		void **objs, *p;

		p = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		n = qt_sum(cache).capacity_objects;
		objs = qt_array(test, n, sizeof(*objs));
		objs[0] = p;
		KUNIT_ASSERT_EQ(test, n - 1,
				quarry_cache_alloc_bulk(cache, GFP_KERNEL, n - 1, objs + 1));
		KUNIT_ASSERT_EQ(test, n, qt_sum(cache).capacity_objects);
		/* Free one object and write to it. */
		quarry_cache_free(cache, p);
		before = qt_seen(test);
		((u8 *)p)[100] = 0;
		p = ways_in[i](cache);
		qt_expect_seen(test, before, 0, 1, 1);
		KUNIT_EXPECT_PTR_NE(test, p, objs[0]);
		/* by_nolock() may fail, because it gets no new slab. */
		if (ways_in[i] != by_nolock)
			KUNIT_EXPECT_NOT_NULL(test, p);
		if (p)
			quarry_cache_free(cache, p);
		for (k = 1; k < n; k++)
			quarry_cache_free(cache, objs[k]);
		qt_free_leaked(cache, objs[0]);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
		quarry_cache_shrink(cache);
	}
}

/* Allocations of a guarded cache are counted and sampled as those of any other. */
static void counted_and_sampled(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 100, &qt_poison_and_red_zone);
	void **objs = qt_array(test, N, sizeof(*objs));
	u64 samples;

	KUNIT_EXPECT_EQ(test, 0, quarry_alloc_count_begin());
	qt_alloc_n(test, cache, objs, N);
	KUNIT_EXPECT_EQ(test, N, quarry_alloc_count_end());
	qt_free_n(cache, objs, N);
	KUNIT_EXPECT_EQ(test, N, qt_sum(cache).mallocs);
	KUNIT_EXPECT_EQ(test, N, qt_sum(cache).frees);

	qp_cache_rate(test, cache, 1);
	samples = qt_stats(test)->samples;
	qt_alloc_n(test, cache, objs, N);
	KUNIT_EXPECT_EQ(test, samples + N, qt_stats(test)->samples);
	qt_free_n(cache, objs, N);
	KUNIT_EXPECT_EQ(test, 2 * N, qt_sum(cache).mallocs);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(ways_out_look),    KUNIT_CASE(ways_out_of_samples_look),
	KUNIT_CASE(ways_in_look),     KUNIT_CASE(counted_and_sampled),
	KUNIT_CASE(qt_books_balance), {}
};

static struct kunit_suite guard_paths_suite = {
	.name = "quarry_guard_paths",
	.suite_init = qt_suite_init,
	.init = qt_unseen_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(guard_paths_suite);
