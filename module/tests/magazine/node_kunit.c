// SPDX-License-Identifier: GPL-2.0
/* Which node objects come from, and which node they go to when they are freed. */
#include "tests/kunit_util.h"

#define N 300

struct two {
	int near, far;
	unsigned int cpu;
	void *objs[N];
};

/* Run on a CPU of the first node; skips the case if there is no second one. */
static struct two *two_nodes(struct kunit *test)
{
	struct two *t = qt_array(test, 1, sizeof(*t));

	t->near = first_node(qr_nodes);
	t->far = qt_other_node(test, t->near);
	t->cpu = qt_cpu_of_node(test, t->near);
	qt_pin(test, t->cpu);
	return t;
}

static unsigned int count_on(struct two *t, int node)
{
	unsigned int i, n = 0;

	for (i = 0; i < N; i++)
		n += t->objs[i] && qt_node_of(t->objs[i]) == node;
	return n;
}

static void alloc_all(struct kunit *test, struct two *t, struct quarry_cache *cache)
{
	unsigned int i;

	for (i = 0; i < N; i++) {
		t->objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t->objs[i]);
	}
}

static void free_all(struct two *t, struct quarry_cache *cache)
{
	quarry_cache_free_bulk(cache, N, t->objs);
}

static void local_is_local(struct kunit *test)
{
	struct two *t = two_nodes(test);
	struct quarry_cache *cache = qt_cache(test, 200, NULL);

	alloc_all(test, t, cache);
	KUNIT_EXPECT_EQ(test, N, count_on(t, t->near));
	free_all(t, cache);
	qt_pin(test, qt_cpu_of_node(test, t->far));
	alloc_all(test, t, cache);
	KUNIT_EXPECT_EQ(test, N, count_on(t, t->far));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).direct_allocs);
	free_all(t, cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).remote_frees);
}

static void fixed_stays_on_its_node(struct kunit *test)
{
	struct two *t = two_nodes(test);
	struct quarry_cache_args args = { .policy = QUARRY_NODE_FIXED, .node = t->far };
	struct quarry_cache *cache = qt_cache(test, 200, &args);

	alloc_all(test, t, cache);
	KUNIT_EXPECT_EQ(test, N, count_on(t, t->far));
	free_all(t, cache);
	KUNIT_ASSERT_EQ(test, N, quarry_cache_alloc_bulk(cache, GFP_KERNEL, N, t->objs));
	KUNIT_EXPECT_EQ(test, N, count_on(t, t->far));
	free_all(t, cache);
	qt_pin(test, qt_cpu_of_node(test, t->far));
	alloc_all(test, t, cache);
	KUNIT_EXPECT_EQ(test, N, count_on(t, t->far));
	free_all(t, cache);
}

static void interleave_goes_round(struct kunit *test)
{
	struct two *t = two_nodes(test);
	struct quarry_cache_args args = { .policy = QUARRY_NODE_INTERLEAVE };
	struct quarry_cache *cache = qt_cache(test, 200, &args);
	unsigned int batch = qr_cache_of(cache)->batch;

	alloc_all(test, t, cache);
	/* The nodes take turns, a batch at a time. */
	KUNIT_EXPECT_GE(test, count_on(t, t->near) + 2 * batch, N / 2);
	KUNIT_EXPECT_GE(test, count_on(t, t->far) + 2 * batch, N / 2);
	KUNIT_EXPECT_EQ(test, N, count_on(t, t->near) + count_on(t, t->far));
	free_all(t, cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static void remote_frees_go_home(struct kunit *test)
{
	struct two *t = two_nodes(test);
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	unsigned int i;

	alloc_all(test, t, cache);
	qt_pin(test, qt_cpu_of_node(test, t->far));
	for (i = 0; i < N; i++)
		quarry_cache_free(cache, t->objs[i]);
	KUNIT_EXPECT_EQ(test, N, qt_sum(cache).remote_frees);
	KUNIT_EXPECT_EQ(test, N, qt_sum(cache).direct_frees);
	KUNIT_EXPECT_EQ(test, 0, qr_head_peek(qt_head(cache)));
	/* Their own node can allocate them again; this one cannot. */
	alloc_all(test, t, cache);
	KUNIT_EXPECT_EQ(test, N, count_on(t, t->far));
	/* The same with quarry_free(), which does not name the cache. */
	qt_pin(test, t->cpu);
	for (i = 0; i < N; i++)
		quarry_free(t->objs[i]);
	KUNIT_EXPECT_EQ(test, 2 * N, qt_sum(cache).remote_frees);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static void alloc_node_is_obeyed(struct kunit *test)
{
	struct two *t = two_nodes(test);
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	unsigned int i;

	for (i = 0; i < N; i++) {
		int node = i & 1 ? t->near : t->far;
		gfp_t gfp = GFP_KERNEL | (i & 2 ? __GFP_THISNODE : 0);

		t->objs[i] = quarry_cache_alloc_node(cache, gfp, node);
		KUNIT_ASSERT_NOT_NULL(test, t->objs[i]);
		KUNIT_ASSERT_EQ(test, node, qt_node_of(t->objs[i]));
	}
	free_all(t, cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	t->objs[0] = quarry_cache_alloc_node(cache, GFP_KERNEL, NUMA_NO_NODE);
	KUNIT_ASSERT_NOT_NULL(test, t->objs[0]);
	KUNIT_EXPECT_EQ(test, t->near, qt_node_of(t->objs[0]));
	quarry_cache_free(cache, t->objs[0]);
	KUNIT_EXPECT_NULL(test, quarry_cache_alloc_node(cache, GFP_KERNEL, nr_node_ids));
	KUNIT_EXPECT_NULL(test, quarry_cache_alloc_node(cache, GFP_KERNEL, -4));
}

/* __GFP_THISNODE holds although the magazine is full of the other node's objects. */
static void this_node_whatever_is_cached(struct kunit *test)
{
	struct two *t = two_nodes(test);
	struct quarry_cache_args args = { .policy = QUARRY_NODE_INTERLEAVE };
	struct quarry_cache *cache = qt_cache(test, 200, &args);
	unsigned int i, round;

	for (round = 0; round < 4; round++) {
		alloc_all(test, t, cache);
		for (i = 0; i < N; i++)
			quarry_cache_free(cache, t->objs[i]);
		for (i = 0; i < N; i++) {
			int node = round & 1 ? t->near : t->far;

			t->objs[i] = quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE,
							     node);
			KUNIT_ASSERT_NOT_NULL(test, t->objs[i]);
			KUNIT_ASSERT_EQ(test, node, qt_node_of(t->objs[i]));
		}
		free_all(t, cache);
	}
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static void malloc_node_is_obeyed(struct kunit *test)
{
	static const size_t sizes[] = { 1, 100, 4096, 32768, 32769, 1 << 20, 2 << 20 };
	struct two *t = two_nodes(test);
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (k = 0; k < 4; k++) {
			int node = k & 1 ? t->near : t->far;
			gfp_t gfp = GFP_KERNEL | (k & 2 ? __GFP_THISNODE : 0);
			void *p = quarry_malloc_node(sizes[i], gfp, node);

			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_EXPECT_EQ(test, node, qt_node_of(p));
			KUNIT_EXPECT_GE(test, quarry_usable_size(p), sizes[i]);
			quarry_free(p);
		}
		KUNIT_EXPECT_NULL(test, quarry_malloc_node(sizes[i], GFP_KERNEL, nr_node_ids));
		KUNIT_EXPECT_NULL(test, quarry_malloc_node(sizes[i], GFP_KERNEL, -4));
	}
}

/* The node of a call overrides the cache's policy. */
static void calls_have_policies(struct kunit *test)
{
	struct two *t = two_nodes(test);
	struct quarry_cache_args kinds[] = {
		{ .policy = QUARRY_NODE_LOCAL },
		{ .policy = QUARRY_NODE_FIXED, .node = t->far },
		{ .policy = QUARRY_NODE_INTERLEAVE },
	};
	unsigned int kind, i, near;

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		struct quarry_cache *cache = qt_cache(test, 200, &kinds[kind]);

		for (i = 0; i < N; i++) {
			gfp_t gfp = GFP_KERNEL | (i & 1 ? __GFP_THISNODE : 0);

			t->objs[i] = quarry_cache_alloc_node(cache, gfp, QUARRY_CALL_LOCAL);
			KUNIT_ASSERT_NOT_NULL(test, t->objs[i]);
		}
		KUNIT_EXPECT_EQ(test, N, count_on(t, t->near));
		free_all(t, cache);
		for (i = 0; i < N; i++) {
			gfp_t gfp = GFP_KERNEL | (i & 2 ? __GFP_THISNODE : 0);

			t->objs[i] = quarry_cache_alloc_node(cache, gfp, QUARRY_CALL_INTERLEAVE);
			KUNIT_ASSERT_NOT_NULL(test, t->objs[i]);
		}
		/* The nodes take turns; the turn of a node without memory goes to another one. */
		near = count_on(t, t->near);
		KUNIT_EXPECT_GE(test, near, N / num_possible_nodes());
		KUNIT_EXPECT_GE(test, count_on(t, t->far), N / num_possible_nodes());
		if (num_possible_nodes() == 2)
			KUNIT_EXPECT_EQ(test, N / 2, near);
		free_all(t, cache);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).remote_allocs);
		KUNIT_EXPECT_EQ(test, qt_sum(cache).mallocs, qt_sum(cache).local_allocs);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
		KUNIT_EXPECT_NULL(test, quarry_cache_alloc_node(cache, GFP_KERNEL, -4));
		KUNIT_EXPECT_NULL(test, quarry_cache_alloc_node(cache, GFP_KERNEL, INT_MIN));
	}
}

static void malloc_calls_have_policies(struct kunit *test)
{
	static const size_t sizes[] = { 100, 32768, 32769, 1 << 20 };
	unsigned int *on = qt_array(test, MAX_NUMNODES, sizeof(*on));
	struct two *t = two_nodes(test);
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(on, 0, MAX_NUMNODES * sizeof(*on));
		for (k = 0; k < 12; k++) {
			void *p = quarry_malloc_node(sizes[i], GFP_KERNEL | __GFP_THISNODE,
						     QUARRY_CALL_LOCAL);

			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_EXPECT_EQ(test, t->near, qt_node_of(p));
			quarry_free(p);
			p = quarry_malloc_node(sizes[i], GFP_KERNEL | __GFP_THISNODE,
					       QUARRY_CALL_INTERLEAVE);
			KUNIT_ASSERT_NOT_NULL(test, p);
			on[qt_node_of(p)]++;
			quarry_free(p);
		}
		KUNIT_EXPECT_GE(test, on[t->near], 12 / num_possible_nodes());
		KUNIT_EXPECT_GE(test, on[t->far], 12 / num_possible_nodes());
		KUNIT_EXPECT_NULL(test, quarry_malloc_node(sizes[i], GFP_KERNEL, -4));
	}
}

static struct kunit_case cases[] = { KUNIT_CASE(local_is_local),
				     KUNIT_CASE(fixed_stays_on_its_node),
				     KUNIT_CASE(interleave_goes_round),
				     KUNIT_CASE(remote_frees_go_home),
				     KUNIT_CASE(alloc_node_is_obeyed),
				     KUNIT_CASE(this_node_whatever_is_cached),
				     KUNIT_CASE(malloc_node_is_obeyed),
				     KUNIT_CASE(calls_have_policies),
				     KUNIT_CASE(malloc_calls_have_policies),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite node_suite = {
	.name = "quarry_node",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(node_suite);
