// SPDX-License-Identifier: GPL-2.0
/*
 * Sampled objects that are misused or outlive their cache, a profiler without memory,
 * and watchers.
 */
#include "tests/profile_util.h"

#include <linux/sched.h>
#include <linux/string.h>
#include "profile/profile_memory.h"

#define N 50

/* The cache has @live live objects, all sampled, and the walk finds each of them. */
static void expect_live(struct kunit *test, struct quarry_cache *cache, unsigned int live)
{
	struct quarry_site sum;

	qp_now(test, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, live, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, qp_objects(live), sum.inuse.objects);
	KUNIT_EXPECT_EQ(test, live * cache->size, sum.inuse.space);
	qp_expect_all_found(test);
}

/* --- Misuse --- */

/* Sampled objects bypass the magazines, so each misuse is reported where it happens. */
static void misuse_is_reported(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL), *wrong = qt_cache(test, 64, NULL);
	struct quarry_stats *st = qt_stats(test);
	void *objs[N];
	unsigned int i;

	qp_rate(test, 1);
	qt_alloc_n(test, cache, objs, N);

	quarry_cache_free(wrong, objs[0]);
	quarry_cache_free_bulk(wrong, 1, &objs[1]);
	KUNIT_EXPECT_EQ(test, st->misuse_wrong_cache + 2, qt_stats(test)->misuse_wrong_cache);
	expect_live(test, cache, N);
	expect_live(test, wrong, 0);

	quarry_free(objs[2] + 8);
	quarry_cache_free(cache, objs[2] + 1);
	KUNIT_EXPECT_EQ(test, st->misuse_interior + 2, qt_stats(test)->misuse_interior);
	expect_live(test, cache, N);

	for (i = 0; i < 3; i++)
		quarry_free(objs[3]);
	quarry_cache_free(cache, objs[3]);
	KUNIT_EXPECT_EQ(test, st->misuse_double_free + 3, qt_stats(test)->misuse_double_free);
	expect_live(test, cache, N - 1);
	KUNIT_EXPECT_EQ(test, N - 1, qt_sum(cache).live_objects);

	/* The object is allocated again, once, and is a new sample. */
	objs[3] = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objs[3]);
	for (i = 0; i < N; i++)
		KUNIT_EXPECT_EQ(test, i == 3, objs[i] == objs[3]);
	expect_live(test, cache, N);
	qt_free_n(cache, objs, N);
	expect_live(test, cache, 0);
	KUNIT_EXPECT_EQ(test, st->misuse_wrong_cache + 2, qt_stats(test)->misuse_wrong_cache);
	KUNIT_EXPECT_EQ(test, st->misuse_interior + 2, qt_stats(test)->misuse_interior);
	KUNIT_EXPECT_EQ(test, st->misuse_double_free + 3, qt_stats(test)->misuse_double_free);
	KUNIT_EXPECT_EQ(test, st->misuse_foreign, qt_stats(test)->misuse_foreign);
}

static void misuse_of_large_objects(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct quarry_stats *st = qt_stats(test);
	struct qp_books books;
	void *p, *q;

	qp_rate(test, 1);
	qp_books_open(test, &books, NULL);
	p = quarry_malloc(50000, GFP_KERNEL);
	q = quarry_malloc(50000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, q);
	quarry_free(p + PAGE_SIZE);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, st->misuse_interior + 1, qt_stats(test)->misuse_interior);
	KUNIT_EXPECT_EQ(test, st->misuse_wrong_cache + 1, qt_stats(test)->misuse_wrong_cache);
	qp_books_agree(test, &books, 100000);
	quarry_free(p);
	quarry_free(p);
	qp_books_agree(test, &books, 50000);
	quarry_free(q);
	qp_books_agree(test, &books, 0);
}

/* --- Slabs and caches that go --- */

static void shrinking_keeps_what_is_live(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 256, NULL);
	void **objs = qt_array(test, 1000, sizeof(*objs));
	unsigned int i;

	qp_rate(test, 1);
	qt_alloc_n(test, cache, objs, 1000);
	expect_live(test, cache, 1000);
	for (i = 0; i < 1000; i++)
		if (i != 500)
			quarry_cache_free(cache, objs[i]);
	KUNIT_EXPECT_GT(test, qt_sum(cache).slabs, 1);
	/* No object is cached, so all slabs but one are freed at once. */
	KUNIT_EXPECT_EQ(test, 0, quarry_cache_shrink(cache));
	KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).slabs);
	expect_live(test, cache, 1);
	qt_exit(test);
	qt_alloc_n(test, cache, objs, 100);
	expect_live(test, cache, 101);
	qt_free_n(cache, objs, 100);
	quarry_cache_free(cache, objs[500]);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).slabs);
	expect_live(test, cache, 0);
}

/* The memory of samples is freed with their slabs. */
static void samples_give_their_memory_back(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 256, NULL);
	long used[2];
	void *objs[N];
	unsigned int i;

	/* The node is in a row's labels: on another node there would be another row. */
	qt_pin(test, 0);
	qp_rate(test, 1);
	for (i = 0; i < 2; i++) {
		qt_alloc_n(test, cache, objs, N);
		KUNIT_EXPECT_GE(test, qt_stats(test)->profile_bytes, N * sizeof(struct qr_sample));
		qt_free_n(cache, objs, N);
		quarry_free(quarry_malloc(100000, GFP_KERNEL));
		quarry_cache_shrink(cache);
		used[i] = atomic_long_read(&qr_profile_memory_used);
	}
	/* Both rounds: the rows were made in the first, and stay. */
	KUNIT_EXPECT_EQ(test, used[0], used[1]);
}

static void caches_outlived(struct kunit *test)
{
	struct quarry_cache *cache = quarry_cache_create(test->name, 128, NULL);
	struct quarry_stats *before = qt_stats(test);
	u64 samples = 0, live = 0;
	struct quarry_profile *p;
	void *objs[N];
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	qp_rate(test, 1);
	qt_alloc_n(test, cache, objs, N);
	quarry_cache_destroy(cache);
	KUNIT_EXPECT_EQ(test, before->zombie_caches + 1, qt_stats(test)->zombie_caches);
	expect_live(test, cache, N);
	qt_exit(test);
	qt_free_n(cache, objs + 1, N - 1);
	expect_live(test, cache, 1);
	/* Setting the rate of all caches still covers the zombie cache. */
	qr_rate_set(2);
	qr_rate_set(1);
	quarry_free(objs[0]);
	qr_drain_all();
	KUNIT_EXPECT_EQ(test, before->zombie_caches, qt_stats(test)->zombie_caches);
	KUNIT_EXPECT_EQ(test, before->misuse_double_free, qt_stats(test)->misuse_double_free);
	/* The profile knows the cache only by its name now. */
	p = qp_take(test, QUARRY_CACHE_ALL, false);
	for (i = 0; i < p->nr; i++) {
		if (strcmp(p->site[i].cache_name, test->name))
			continue;
		samples += p->site[i].alloc.samples;
		live += p->site[i].inuse.samples;
	}
	KUNIT_EXPECT_EQ(test, N, samples);
	KUNIT_EXPECT_EQ(test, 0, live);
}

/* --- Without memory --- */

static void budget_restore(void *limit)
{
	qr_profile_memory_limit = (unsigned long)limit;
}

/* The profiler gets no more memory until the case ends or budget_restore(). */
static void *no_budget(struct kunit *test)
{
	void *limit = (void *)qr_profile_memory_limit;

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, budget_restore, limit));
	qr_profile_memory_limit = atomic_long_read(&qr_profile_memory_used);
	return limit;
}

static void no_memory_for_samples(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	struct qr_profile_counts was, is;
	void *objs[N], *large, *limit;
	struct quarry_profile *p;

	qp_rate(test, 1);
	limit = no_budget(test);
	was = qp_counts();
	qt_alloc_n(test, cache, objs, N);
	large = quarry_malloc(40000, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, large);
	is = qp_counts();
	KUNIT_EXPECT_EQ(test, was.samples, is.samples);
	KUNIT_EXPECT_EQ(test, was.dropped_samples + N + 1, is.dropped_samples);
	KUNIT_EXPECT_EQ(test, was.dropped_space + N * 200 + PAGE_ALIGN(40000), is.dropped_space);
	expect_live(test, cache, 0);
	KUNIT_EXPECT_EQ(test, N, qt_sum(cache).live_objects);
	KUNIT_EXPECT_EQ(test, N, qt_sum(cache).mallocs);
	p = qp_take(test, QUARRY_CACHE_ALL, false);
	KUNIT_EXPECT_EQ(test, is.dropped_samples, p->dropped_samples);
	KUNIT_EXPECT_EQ(test, is.dropped_space, p->dropped_space);
	qt_exit(test);

	budget_restore(limit);
	qt_free_n(cache, objs, N);
	quarry_free(large);
	qt_alloc_n(test, cache, objs, N);
	expect_live(test, cache, N);
	qt_free_n(cache, objs, N);
	expect_live(test, cache, 0);
	KUNIT_EXPECT_EQ(test, is.dropped_samples, qp_counts().dropped_samples);
}

static noinline void *known_site(struct quarry_cache *cache)
{
	void *p = quarry_cache_alloc(cache, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p); /* no tail call */
	return p;
}

static noinline void *new_site(struct quarry_cache *cache)
{
	void *p = quarry_cache_alloc(cache, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	return p;
}

/* There is room for the sample but not for its row: row 0 counts it until it is freed. */
static void no_memory_for_rows(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	struct quarry_profile *before, *p;
	void *keep, *objs[4], *limit;
	struct quarry_site sum;
	unsigned int i;

	qp_rate(test, 1);
	keep = known_site(cache);
	KUNIT_ASSERT_NOT_NULL(test, keep);
	before = qp_take(test, QUARRY_CACHE_ALL, false);
	limit = no_budget(test);
	for (i = 0; i < 4; i++) {
		objs[i] = new_site(cache);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	p = qp_take(test, QUARRY_CACHE_ALL, false);
	qp_sum(p, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 1, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, before->other_samples + 4, p->other_samples);
	KUNIT_EXPECT_EQ(test, before->site[0].alloc.samples + 4, p->site[0].alloc.samples);
	KUNIT_EXPECT_EQ(test, before->site[0].inuse.space + 800, p->site[0].inuse.space);
	KUNIT_EXPECT_EQ(test, 0, p->site[0].stack);
	KUNIT_EXPECT_EQ(test, 0, p->site[0].labels);
	KUNIT_EXPECT_EQ(test, before->dropped_samples, p->dropped_samples);
	KUNIT_EXPECT_STREQ(test, "other", qp_label(0, "labels") ?: "nothing");

	budget_restore(limit);
	quarry_cache_free(cache, objs[0]);
	objs[0] = new_site(cache);
	KUNIT_ASSERT_NOT_NULL(test, objs[0]);
	p = qp_take(test, QUARRY_CACHE_ALL, false);
	KUNIT_EXPECT_EQ(test, before->site[0].inuse.samples + 3, p->site[0].inuse.samples);
	qp_sum(p, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 2, sum.inuse.samples);
	qt_free_n(cache, objs, 4);
	quarry_cache_free(cache, keep);
	p = qp_take(test, QUARRY_CACHE_ALL, false);
	KUNIT_EXPECT_EQ(test, before->site[0].inuse.samples, p->site[0].inuse.samples);
	KUNIT_EXPECT_EQ(test, before->site[0].inuse.space, p->site[0].inuse.space);
	KUNIT_EXPECT_EQ(test, before->site[0].asked, p->site[0].asked);
	expect_live(test, cache, 0);
}

/* --- Watchers --- */

static void expect_event(struct kunit *test, const struct qr_event *e, enum qr_event_type type,
			 const void *ptr, u64 size, u64 asked)
{
	KUNIT_EXPECT_EQ(test, type, e->type);
	KUNIT_EXPECT_PTR_EQ(test, ptr, e->ptr);
	KUNIT_EXPECT_EQ(test, size, e->size);
	KUNIT_EXPECT_EQ(test, asked, e->asked);
	KUNIT_EXPECT_EQ(test, size, e->weighted);
	KUNIT_EXPECT_EQ(test, task_pid_nr(current), e->pid);
	KUNIT_EXPECT_EQ(test, raw_smp_processor_id(), e->cpu);
	KUNIT_EXPECT_NE(test, 0, e->stack);
	KUNIT_EXPECT_NE(test, 0, e->labels);
}

static void watchers_see_everything(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 100, NULL);
	struct qp_watch *w = qp_watch(test, qp_id(cache)), *all = qp_watch(test, QUARRY_CACHE_ALL);
	struct qr_event first;
	struct quarry_site sum;
	unsigned int i;
	void *objs[N];
	u64 start;

	qt_pin(test, 0);
	qp_rate(test, 1);
	for (i = 0; i < N; i++) {
		u64 now = ktime_get_mono_fast_ns();

		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_ASSERT_EQ(test, i + 1, w->nr);
		expect_event(test, &w->last, QR_EVENT_ALLOC, objs[i], 104, 100);
		KUNIT_EXPECT_GE(test, w->last.time_ns, now);
		KUNIT_EXPECT_LE(test, w->last.time_ns, ktime_get_mono_fast_ns());
		KUNIT_EXPECT_EQ(test, 0, w->last.age_ns);
		KUNIT_EXPECT_EQ(test, qp_id(cache), w->last.cache);
	}
	first = w->last;
	start = first.time_ns;
	quarry_cache_free(cache, objs[N - 1]);
	expect_event(test, &w->last, QR_EVENT_FREE, objs[N - 1], 104, 100);
	KUNIT_EXPECT_EQ(test, w->last.time_ns - start, w->last.age_ns);
	KUNIT_EXPECT_EQ(test, first.site, w->last.site);
	KUNIT_EXPECT_EQ(test, first.stack, w->last.stack);
	KUNIT_EXPECT_EQ(test, first.labels, w->last.labels);
	qt_free_n(cache, objs, N - 1);
	KUNIT_EXPECT_EQ(test, 2 * N, w->nr);
	KUNIT_EXPECT_EQ(test, N, w->allocs);
	KUNIT_EXPECT_EQ(test, 2 * N, all->nr);

	/* Double frees and objects that are not sampled make no events. */
	quarry_cache_free(cache, objs[0]);
	qr_rate_set(0);
	objs[0] = quarry_cache_alloc(cache, GFP_KERNEL);
	quarry_cache_free(cache, objs[0]);
	KUNIT_EXPECT_EQ(test, 2 * N, all->nr);

	qr_rate_set(1);
	objs[0] = quarry_malloc(50000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objs[0]);
	KUNIT_EXPECT_EQ(test, 2 * N + 1, all->nr);
	KUNIT_EXPECT_EQ(test, 2 * N, w->nr);
	expect_event(test, &all->last, QR_EVENT_ALLOC, objs[0], PAGE_ALIGN(50000), 50000);
	KUNIT_EXPECT_EQ(test, 0, all->last.cache);
	qp_unwatch(test, all);
	quarry_free(objs[0]);
	KUNIT_EXPECT_EQ(test, 2 * N + 1, all->nr);
	quarry_cache_free(cache, quarry_cache_alloc(cache, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 2 * N + 2, w->nr);
	qp_now(test, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, w->allocs, sum.alloc.samples);
}

/* The weighted bytes of the events add up to the bytes of the row. */
static void watchers_see_weights(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 100, NULL);
	struct qp_watch *w = qp_watch(test, qp_id(cache));
	struct quarry_site sum;
	u64 space = 0, live = 0;
	unsigned int i, seen = 0;

	qp_cache_rate(test, cache, 1000);
	for (i = 0; i < 5000; i++) {
		void *p = quarry_cache_alloc(cache, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, p);
		if (w->nr != seen) {
			space += w->last.weighted;
			live += w->last.weighted;
			seen = w->nr;
		}
		quarry_cache_free(cache, p);
		if (w->nr != seen) {
			live -= w->last.weighted;
			seen = w->nr;
		}
	}
	qp_now(test, qp_id(cache), &sum);
	KUNIT_EXPECT_GT(test, seen, 0);
	KUNIT_EXPECT_EQ(test, 2 * w->allocs, w->nr);
	KUNIT_EXPECT_EQ(test, w->allocs, sum.alloc.samples);
	KUNIT_EXPECT_EQ(test, space, sum.alloc.space);
	KUNIT_EXPECT_EQ(test, 0, live);
}

static struct kunit_case cases[] = { KUNIT_CASE(misuse_is_reported),
				     KUNIT_CASE(misuse_of_large_objects),
				     KUNIT_CASE(shrinking_keeps_what_is_live),
				     KUNIT_CASE(samples_give_their_memory_back),
				     KUNIT_CASE(caches_outlived),
				     KUNIT_CASE(no_memory_for_samples),
				     KUNIT_CASE(no_memory_for_rows),
				     KUNIT_CASE(watchers_see_everything),
				     KUNIT_CASE(watchers_see_weights),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite life_suite = {
	.name = "quarry_profile_life",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(life_suite);
