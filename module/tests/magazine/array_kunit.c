// SPDX-License-Identifier: GPL-2.0
/*
 * The array of a head exists where a CPU uses a cache, is as large as what was granted, and goes
 * when the magazine is idle.  Time passes only by calls of qr_magazines_tick().
 */
#include "tests/magazine/array_util.h"

static u64 array_bytes(struct kunit *test)
{
	rcu_barrier();
	return qt_stats(test)->magazine_array_bytes;
}

static void comes_at_first_use(struct kunit *test)
{
	struct quarry_cache *by_alloc = qt_cache(test, QM_SIZE, NULL);
	struct quarry_cache *by_free = qt_cache(test, QM_SIZE, NULL);
	u64 none, bytes;
	void *p;

	qt_pin(test, 0);
	qt_budget(test, 4096);
	none = array_bytes(test);
	KUNIT_EXPECT_EQ(test, 0, qa_count_arrays(by_alloc));
	p = quarry_cache_alloc(by_alloc, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, 1, qa_count_arrays(by_alloc));
	KUNIT_EXPECT_GE(test, qa_places(by_alloc), qm_full(by_alloc));
	bytes = array_bytes(test) - none;
	KUNIT_EXPECT_GE(test, bytes, qm_full(by_alloc) * sizeof(void *));
	KUNIT_EXPECT_LE(test, bytes, qm_full(by_alloc) * sizeof(void *) * 4 / 3);
	quarry_cache_free(by_alloc, p);
	KUNIT_EXPECT_EQ(test, 1, qa_count_arrays(by_alloc));

	p = quarry_cache_alloc_node(by_free, GFP_KERNEL | __GFP_THISNODE,
				    raw_cpu_read(qr_home_node));
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, 0, qa_count_arrays(by_free));
	quarry_cache_free(by_free, p);
	KUNIT_EXPECT_EQ(test, 1, qa_count_arrays(by_free));
	KUNIT_EXPECT_EQ(test, 1, qr_head_peek(qt_head(by_free)));
	qt_exit(test);
	qt_cache_destroy(test, by_alloc);
	qt_cache_destroy(test, by_free);
	KUNIT_EXPECT_EQ(test, none, array_bytes(test));
}

/* Magazines of guarded caches have no capacity. */
static void guarded_ones_have_none(struct kunit *test)
{
	struct quarry_cache_args args = { .flags = QUARRY_RED_ZONE };
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, &args);
	void *objs[20];

	qt_pin(test, 0);
	qt_alloc_n(test, cache, objs, ARRAY_SIZE(objs));
	qt_free_n(cache, objs, ARRAY_SIZE(objs));
	KUNIT_EXPECT_EQ(test, 0, qa_count_arrays(cache));
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(objs), qt_sum(cache).frees);
}

/* Objects stay where they are when the array becomes larger, and when it becomes smaller. */
static void grows_and_shrinks_by_grants(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	void **objs = qt_array(test, 300, sizeof(*objs));
	struct qt_shadow s;
	unsigned int i, small, large, round;

	qt_shadow_init(&s);
	qt_pin(test, 0);
	qt_budget(test, 0);
	for (round = 0; round < 3; round++) {
		qr_percpu_kib_set(1);
		for (i = 0; i < 300; i++)
			objs[i] = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, 16, qm_capacity(cache));
		small = qa_places(cache);
		KUNIT_EXPECT_GE(test, small, 16);
		KUNIT_EXPECT_LT(test, small, 64);
		/* The magazine is full when it is granted more. */
		for (i = 0; i < 16; i++)
			quarry_cache_free(cache, qt_put(&s, objs[i]));
		while (qr_head_peek(qt_head(cache)) < 16)
			quarry_cache_free(cache, qt_put(&s, objs[i++]));
		qr_percpu_kib_set(64);
		quarry_cache_free(cache, qt_put(&s, objs[i++]));
		KUNIT_EXPECT_EQ(test, 128, qm_capacity(cache));
		KUNIT_EXPECT_EQ(test, 17, qr_head_peek(qt_head(cache)));
		large = qa_places(cache);
		KUNIT_EXPECT_GE(test, large, 128);
		qt_shadow_check(test, &s, cache);
		qt_exit(test);
		for (; i < 300; i++)
			quarry_cache_free(cache, qt_put(&s, objs[i]));
		qr_percpu_kib_set(2);
		KUNIT_EXPECT_EQ(test, 32, qm_capacity(cache));
		KUNIT_EXPECT_LT(test, qa_places(cache), large);
		KUNIT_EXPECT_GE(test, qa_places(cache), 32);
		qt_shadow_check(test, &s, cache);
		qt_exit(test);
		qr_percpu_kib_set(0);
		KUNIT_EXPECT_EQ(test, 0, qa_places(cache));
	}
}

static void expect_counters(struct kunit *test, const struct quarry_cache_stats *was,
			    const struct quarry_cache_stats *is)
{
	KUNIT_EXPECT_EQ(test, was->mallocs, is->mallocs);
	KUNIT_EXPECT_EQ(test, was->frees, is->frees);
	KUNIT_EXPECT_EQ(test, was->refilled, is->refilled);
	KUNIT_EXPECT_LE(test, was->flushed, is->flushed);
	KUNIT_EXPECT_EQ(test, was->direct_allocs, is->direct_allocs);
	KUNIT_EXPECT_EQ(test, was->direct_frees, is->direct_frees);
	KUNIT_EXPECT_EQ(test, was->remote_allocs, is->remote_allocs);
	KUNIT_EXPECT_EQ(test, was->remote_frees, is->remote_frees);
	KUNIT_EXPECT_LE(test, was->remote_batches, is->remote_batches);
}

/* The counters stay when the array goes. */
static void goes_when_idle(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	void **objs = qt_array(test, 300, sizeof(*objs));
	struct quarry_cache_stats was, is;
	unsigned int i, before;
	u64 none;

	qt_pin(test, 0);
	qt_budget(test, 4096);
	none = array_bytes(test);
	qt_alloc_n(test, cache, objs, 300);
	qt_free_n(cache, objs, 300);
	if (nodes_weight(qr_nodes) > 1) {
		int away = qt_other_node(test, raw_cpu_read(qr_home_node));

		for (i = 0; i < 5; i++)
			objs[i] = quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, away);
		qt_free_n(cache, objs, 5);
		KUNIT_EXPECT_EQ(test, 5, qt_waiting(qt_head(cache)));
	}
	was = qt_sum(cache);
	before = qa_places(cache);
	for (i = 0; i < QM_TICKS + 2; i++) {
		qm_ticks(1);
		KUNIT_EXPECT_LE(test, qa_places(cache), before);
		KUNIT_EXPECT_GE(test, qa_places(cache), qm_capacity(cache));
		before = qa_places(cache);
		is = qt_sum(cache);
		expect_counters(test, &was, &is);
	}
	KUNIT_EXPECT_EQ(test, 0, qa_count_arrays(cache));
	KUNIT_EXPECT_EQ(test, none, array_bytes(test));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).cached_objects);
	qt_exit(test);
	/* It comes back, and nothing is counted anew. */
	qm_hit(test, cache);
	KUNIT_EXPECT_EQ(test, 1, qa_count_arrays(cache));
	KUNIT_EXPECT_EQ(test, was.mallocs + 1, qt_sum(cache).mallocs);
	KUNIT_EXPECT_EQ(test, was.frees + 1, qt_sum(cache).frees);
}

/* What waits to go home moves along when the array is replaced. */
static void remote_frees_move_along(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	int near = first_node(qr_nodes), away = qt_other_node(test, near);
	void *objs[5];
	unsigned int i;

	qt_pin(test, qt_cpu_of_node(test, near));
	qt_budget(test, 4096);
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		objs[i] = quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, away);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_ASSERT_EQ(test, away, qt_node_of(objs[i]));
	}
	qt_free_n(cache, objs, ARRAY_SIZE(objs));
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(objs), qt_waiting(qt_head(cache)));
	i = qa_places(cache);
	KUNIT_EXPECT_LT(test, i, qm_full(cache));
	qm_hit(test, cache);
	KUNIT_EXPECT_EQ(test, qm_full(cache), qm_capacity(cache));
	KUNIT_EXPECT_GT(test, qa_places(cache), i);
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(objs), qt_waiting(qt_head(cache)));
	qt_exit(test);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_waiting(qt_head(cache)));
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(objs), qt_sum(cache).remote_frees);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

/*
 * With room for remote frees but without capacity, all places of an array may be for remote frees.
 * A refill leaves them alone.
 */
static void remote_frees_without_capacity(struct kunit *test)
{
	int near = first_node(qr_nodes), away = qt_other_node(test, near);
	struct quarry_cache *cache = qt_cache(test, 3264, NULL);
	unsigned int i, places_of_remote;
	struct qt_shadow s;
	void *objs[5], *p;

	qt_shadow_init(&s);
	qt_pin(test, qt_cpu_of_node(test, near));
	qt_budget(test, 32);
	places_of_remote = qr_cache_of(cache)->remote_room;
	KUNIT_ASSERT_GT(test, (places_of_remote + 2) * 3264, 32 * 1024);
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		objs[i] = qt_got(&s,
				 quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, away));
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	for (i = 0; i < ARRAY_SIZE(objs); i++)
		quarry_cache_free(cache, qt_put(&s, objs[i]));
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(objs), qt_waiting(qt_head(cache)));
	KUNIT_ASSERT_EQ(test, places_of_remote, qa_places(cache));
	KUNIT_ASSERT_EQ(test, 0, qm_capacity(cache));
	p = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, 0, qm_capacity(cache));
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
	quarry_cache_free(cache, qt_put(&s, p));
	qt_shadow_check(test, &s, cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

/* A drain empties the magazine, which keeps its capacity. */
static void stays_when_drained(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);

	qt_pin(test, 0);
	qm_hit(test, cache);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qr_head_peek(qt_head(cache)));
	KUNIT_EXPECT_EQ(test, 1, qa_count_arrays(cache));
	KUNIT_EXPECT_EQ(test, qm_full(cache), qm_capacity(cache));
}

/* What lies before the array is no object, and is no free that repeats itself either. */
static void empty_array_repeats_nothing(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	u64 before = qt_stats(test)->misuse_double_free;
	void **objs = qt_array(test, 200, sizeof(*objs));
	unsigned int i, n = 0;

	qt_pin(test, 0);
	qt_budget(test, 4096);
	do
		objs[n] = quarry_cache_alloc(cache, GFP_KERNEL);
	while (objs[n++] && qr_head_peek(qt_head(cache)));
	KUNIT_ASSERT_EQ(test, 0, qr_head_peek(qt_head(cache)));
	KUNIT_ASSERT_GT(test, qm_capacity(cache), 0);
	for (i = 0; i < 3; i++) {
		quarry_cache_free(cache, objs[0]);
		KUNIT_EXPECT_EQ(test, before + i, qt_stats(test)->misuse_double_free);
		KUNIT_EXPECT_EQ(test, 1, qr_head_peek(qt_head(cache)));
		quarry_cache_free(cache, objs[0]);
		KUNIT_EXPECT_EQ(test, before + i + 1, qt_stats(test)->misuse_double_free);
		KUNIT_EXPECT_EQ(test, 1, qr_head_peek(qt_head(cache)));
		KUNIT_ASSERT_PTR_EQ(test, objs[0], quarry_cache_alloc(cache, GFP_KERNEL));
	}
	for (i = 0; i < n; i++)
		quarry_cache_free(cache, objs[i]);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static struct kunit_case cases[] = { KUNIT_CASE(comes_at_first_use),
				     KUNIT_CASE(guarded_ones_have_none),
				     KUNIT_CASE(grows_and_shrinks_by_grants),
				     KUNIT_CASE(goes_when_idle),
				     KUNIT_CASE(remote_frees_move_along),
				     KUNIT_CASE(remote_frees_without_capacity),
				     KUNIT_CASE(stays_when_drained),
				     KUNIT_CASE(empty_array_repeats_nothing),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite array_suite = {
	.name = "quarry_array",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(array_suite);
