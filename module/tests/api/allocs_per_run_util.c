// SPDX-License-Identifier: GPL-2.0
/* Helpers for the suites that count allocations; allocs_per_run_util.h explains them. */
#include "tests/api/allocs_per_run_util.h"

struct qw_work *qw_work(struct kunit *test, unsigned int size, unsigned int n)
{
	struct qw_work *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->cache = qt_cache(test, size, NULL);
	w->objs = qt_array(test, n + 1, sizeof(void *));
	w->n = n;
	w->size = size;
	w->gfp = GFP_KERNEL;
	w->test = test;
	init_completion(&w->done);
	return w;
}

void qw_expect_each(struct kunit *test, long each, void (*fn)(void *arg), struct qw_work *w)
{
	static const unsigned int runs[] = { 1, 2, 7, 60 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		struct quarry_stats *before = qt_stats(test), *after;

		KUNIT_EXPECT_EQ(test, each, quarry_allocs_per_run(fn, w, runs[i]));
		after = qt_stats(test);
		KUNIT_EXPECT_EQ(test, each * (runs[i] + 1), after->mallocs - before->mallocs);
		KUNIT_EXPECT_EQ(test, before->live_objects, after->live_objects);
		kunit_kfree(test, before);
		kunit_kfree(test, after);
	}
}

void qw_by_malloc(void *arg)
{
	struct qw_work *w = arg;
	unsigned int i;

	for (i = 0; i < w->n; i++)
		w->objs[i] = quarry_malloc(w->size + i % 200, GFP_KERNEL);
	w->objs[i] = quarry_malloc(24, GFP_KERNEL | __GFP_ZERO);
	for (i = 0; i <= w->n; i++)
		quarry_free(w->objs[i]);
}

void qw_by_cache(void *arg)
{
	struct qw_work *w = arg;
	unsigned int i;

	for (i = 0; i < w->n; i++)
		w->objs[i] = quarry_cache_alloc(w->cache, w->gfp);
	quarry_cache_free_bulk(w->cache, w->n, w->objs);
}

void qw_by_bulk(void *arg)
{
	struct qw_work *w = arg;

	quarry_cache_free_bulk(w->cache,
			       quarry_cache_alloc_bulk(w->cache, GFP_KERNEL, w->n, w->objs),
			       w->objs);
}
