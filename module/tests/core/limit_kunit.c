// SPDX-License-Identifier: GPL-2.0
/* Limits on pages: what they allow, what they refuse, and how they are read from text. */
#include "tests/kunit_util.h"

#include <linux/random.h>
#include "cache/capacity_balance.h"
#include "core/limit.h"
#include "core/parse_size.h"

#define N 4096

static void lift(void *unused)
{
	quarry_limit_set(NULL, QUARRY_NO_LIMIT, QUARRY_NO_LIMIT);
}

static void start(struct kunit *test)
{
	qr_drain_all();
	qr_scavenge_now();
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, lift, NULL));
}

static u64 held(struct kunit *test)
{
	struct quarry_stats *st = qt_stats(test);

	return st->inuse_bytes + st->idle_bytes;
}

static unsigned int fill(struct quarry_cache *cache, void **objs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL | __GFP_NOWARN);
		if (!objs[i])
			break;
	}
	return i;
}

static void hard_limit_of_a_cache(struct kunit *test)
{
	struct quarry_cache_args args = { .limit = 1 << 20 };
	struct quarry_cache *cache = qt_cache(test, 4096, &args);
	void **objs = qt_array(test, N, sizeof(*objs)), *p;
	unsigned int n;
	u64 hits;

	start(test);
	hits = qt_stats(test)->hard_limit_hits;
	n = fill(cache, objs, N);
	KUNIT_EXPECT_EQ(test, 256, n);
	KUNIT_EXPECT_EQ(test, 1 << 20, qt_sum(cache).inuse_bytes);
	KUNIT_EXPECT_EQ(test, SZ_1M >> PAGE_SHIFT,
			atomic_long_read(&qr_cache_of(cache)->limit.held));
	KUNIT_EXPECT_GT(test, qt_stats(test)->hard_limit_hits, hits);
	qt_exit(test);
	/* __GFP_NOFAIL exceeds the limit.  A higher limit, or none, allows more allocations. */
	p = quarry_cache_alloc(cache, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_GT(test, qt_sum(cache).inuse_bytes, 1 << 20);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 0, quarry_limit_set(cache, QUARRY_NO_LIMIT, 2 << 20));
	n += fill(cache, objs + n, N - n);
	KUNIT_EXPECT_EQ(test, 512, n);
	KUNIT_EXPECT_EQ(test, 0, quarry_limit_set(cache, QUARRY_NO_LIMIT, QUARRY_NO_LIMIT));
	n += fill(cache, objs + n, 600 - n);
	KUNIT_EXPECT_EQ(test, 600, n);
	while (n)
		quarry_cache_free(cache, objs[--n]);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&qr_cache_of(cache)->limit.held));
	qt_cache_destroy(test, cache);
}

static void soft_limit_of_a_cache(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 4096, NULL);
	void **objs = qt_array(test, N, sizeof(*objs));
	u64 hits;

	start(test);
	hits = qt_stats(test)->soft_limit_hits;
	KUNIT_EXPECT_EQ(test, 0, quarry_limit_set(cache, 1 << 20, QUARRY_NO_LIMIT));
	KUNIT_EXPECT_EQ(test, 200, fill(cache, objs, 200));
	KUNIT_EXPECT_EQ(test, hits, qt_stats(test)->soft_limit_hits);
	KUNIT_EXPECT_EQ(test, 200, fill(cache, objs + 200, 200));
	KUNIT_EXPECT_GT(test, qt_stats(test)->soft_limit_hits, hits);
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_limit_set(cache, 2 << 20, 1 << 20));
	quarry_cache_free_bulk(cache, 400, objs);
	qt_cache_destroy(test, cache);
}

static void hard_limit_of_all(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 4096, NULL);
	void **objs = qt_array(test, N, sizeof(*objs)), *p;
	unsigned long limit;
	unsigned int n;
	u64 hits;

	start(test);
	limit = held(test) + (3 << 20);
	hits = qt_stats(test)->hard_limit_hits;
	KUNIT_EXPECT_EQ(test, 0, quarry_limit_set(NULL, QUARRY_NO_LIMIT, limit));
	n = fill(cache, objs, N);
	/* The limit can be used up to the last slab. */
	KUNIT_EXPECT_GE(test, n, (3 << 20) / 4096 - 8);
	KUNIT_EXPECT_LE(test, held(test), limit);
	KUNIT_EXPECT_GT(test, qt_stats(test)->hard_limit_hits, hits);
	KUNIT_EXPECT_NULL(test, quarry_malloc(100 << 10, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_LE(test, held(test), limit);
	p = quarry_malloc(4096, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_NOT_NULL(test, p);
	quarry_free(p);
	qt_exit(test);
	quarry_cache_free_bulk(cache, n, objs);
	qr_drain_all();
	/* Idle pages in chunks of one kind make room for a run of another kind. */
	p = quarry_malloc(1 << 20, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_LE(test, held(test), limit);
	quarry_free(p);
	qt_cache_destroy(test, cache);
}

/* Idle pages beyond the hard limit, however many, must not make an allocation fail. */
static void hard_limit_below_what_is_idle(struct kunit *test)
{
	static const size_t sizes[] = { 256 << 10, 1 << 20, 3 << 20 };
	struct quarry_cache *cache = qt_cache(test, 4096, NULL);
	void **objs = qt_array(test, N, sizeof(*objs)), *p;
	unsigned long before, limit;
	unsigned int i, n;

	start(test);
	before = held(test);
	limit = before + (8 << 20);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		n = fill(cache, objs, N);
		KUNIT_ASSERT_EQ(test, N, n);
		quarry_cache_free_bulk(cache, n, objs);
		quarry_cache_shrink(cache);
		KUNIT_ASSERT_GE(test, held(test), before + (14 << 20));
		KUNIT_EXPECT_EQ(test, 0, quarry_limit_set(NULL, QUARRY_NO_LIMIT, limit));
		p = quarry_malloc(sizes[i], GFP_KERNEL | __GFP_NOWARN);
		KUNIT_EXPECT_NOT_NULL(test, p);
		KUNIT_EXPECT_LE(test, held(test), limit);
		quarry_free(p);
		lift(NULL);
	}
	qt_exit(test);
	qt_cache_destroy(test, cache);
}

/* A long run needs whole chunks, so it cannot be gathered page by page near a soft limit. */
static void soft_limit_and_a_row(struct kunit *test)
{
	u64 before, hits;
	void *p;

	start(test);
	before = held(test);
	hits = qt_stats(test)->soft_limit_hits;
	KUNIT_EXPECT_EQ(test, 0, quarry_limit_set(NULL, before + (1 << 20), QUARRY_NO_LIMIT));
	p = quarry_malloc(3 << 20, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_GT(test, qt_stats(test)->soft_limit_hits, hits);
	quarry_free(p);
	qr_scavenge_now();
	hits = qt_stats(test)->hard_limit_hits;
	KUNIT_EXPECT_EQ(test, 0, quarry_limit_set(NULL, QUARRY_NO_LIMIT, before + (3 << 20)));
	p = quarry_malloc(3 << 20, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_EXPECT_NULL(test, p);
	KUNIT_EXPECT_GT(test, qt_stats(test)->hard_limit_hits, hits);
	quarry_free(p);
}

/* Beyond the soft limit no whole chunk is taken, and idle pages go back first. */
static void soft_limit_of_all(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 4096, NULL);
	void **objs = qt_array(test, N, sizeof(*objs));
	u64 before, hits;
	void *p;

	start(test);
	before = held(test);
	hits = qt_stats(test)->soft_limit_hits;
	KUNIT_EXPECT_EQ(test, 0, quarry_limit_set(NULL, before + (4 << 20), QUARRY_NO_LIMIT));
	p = quarry_malloc(1 << 20, GFP_KERNEL); /* half of a large chunk is idle */
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, 1024, fill(cache, objs, 1024));
	KUNIT_EXPECT_LE(test, held(test), before + (5 << 20) + (64 << 10));
	KUNIT_EXPECT_GT(test, qt_stats(test)->soft_limit_hits, hits);
	qt_exit(test);
	quarry_free(p);
	quarry_cache_free_bulk(cache, 1024, objs);
	qt_cache_destroy(test, cache);
}

#define CHUNKS	2
#define SAMPLED 32

/*
 * At the soft limit, the kernel gives out the pages that just left holes in ordinary chunks, where
 * sampled objects must not lie.  Still no whole chunk may be taken beyond the limit.
 */
static void soft_limit_and_holes_of_the_wrong_kind(struct kunit *test)
{
	struct qr_run *runs = qt_array(test, CHUNKS + SAMPLED, sizeof(*runs)), page;
	struct qr_slab *owners = qt_array(test, CHUNKS + SAMPLED, sizeof(*owners));
	unsigned int i, n;
	u64 before;

	start(test);
	for (n = 0; n < CHUNKS; n++) {
		if (!qr_heap_get(&runs[n], &owners[n], QR_ORDINARY, first_node(qr_nodes),
				 QR_CHUNK_PAGES, QR_CHUNK_PAGES, 1, GFP_KERNEL | __GFP_THISNODE))
			break;
		page = runs[n];
		page.nr = 1;
		/* Every second page, so that the kernel cannot merge them to larger blocks. */
		for (page.first = 1; page.first < QR_CHUNK_PAGES; page.first += 2)
			qr_heap_put(&page);
	}
	KUNIT_EXPECT_EQ(test, CHUNKS, n);
	KUNIT_EXPECT_EQ(test, n * QR_CHUNK_PAGES / 2, qr_scavenge_now());
	before = held(test);
	KUNIT_EXPECT_EQ(test, 0, quarry_limit_set(NULL, before, QUARRY_NO_LIMIT));
	for (i = 0; i < SAMPLED; i++) {
		if (!qr_heap_get(&runs[n + i], &owners[n + i], QR_SAMPLED, first_node(qr_nodes), 1,
				 1, 1, GFP_KERNEL))
			break;
		KUNIT_EXPECT_NE(test, QR_ORDINARY, runs[n + i].chunk->kind);
		KUNIT_EXPECT_EQ(test, before + (i + 1) * PAGE_SIZE, held(test));
	}
	KUNIT_EXPECT_EQ(test, SAMPLED, i);
	while (i--)
		qr_heap_put(&runs[n + i]);
	while (n--) {
		page = runs[n];
		page.nr = 1;
		for (page.first = 0; page.first < QR_CHUNK_PAGES; page.first += 2)
			qr_heap_put(&page);
	}
	qr_scavenge_now();
}

/* Near the soft limit magazines shrink, and do not grow again before there is room. */
static void soft_limit_and_magazines(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 4096, NULL), *small = qt_cache(test, 64, NULL);
	unsigned long soft = 8 << 20, part = soft / 64 / num_online_cpus();
	void **objs = qt_array(test, N, sizeof(*objs));

	qt_pin(test, 0);
	start(test);
	qt_budget(test, 4096);
	KUNIT_ASSERT_EQ(test, 1500, fill(cache, objs, 1500));
	KUNIT_ASSERT_EQ(test, 1, fill(small, objs + 1500, 1));
	KUNIT_EXPECT_GT(test, qr_percpu_granted(0), part);
	KUNIT_EXPECT_EQ(test, 0, quarry_limit_set(NULL, soft, QUARRY_NO_LIMIT));
	KUNIT_EXPECT_EQ(test, 4 << 20, qr_percpu_most());
	KUNIT_ASSERT_EQ(test, 400, fill(cache, objs + 1501, 400));
	KUNIT_EXPECT_EQ(test, part, qr_percpu_most());
	qr_magazines_tick();
	KUNIT_EXPECT_LE(test, qr_percpu_granted(0), part);
	KUNIT_ASSERT_EQ(test, 200, fill(small, objs + 1901, 200));
	KUNIT_EXPECT_LE(test, qr_percpu_granted(0), part);
	qt_exit(test);
	quarry_cache_free_bulk(small, 200, objs + 1901);
	quarry_cache_free_bulk(cache, 400, objs + 1501);
	quarry_cache_shrink(cache);
	qr_scavenge_now();
	KUNIT_EXPECT_EQ(test, 4 << 20, qr_percpu_most());
	KUNIT_ASSERT_EQ(test, 600, fill(small, objs + 1501, 600));
	KUNIT_EXPECT_EQ(test, qr_cache_of(small)->capacity, qt_head(small)->capacity);
	quarry_cache_free_bulk(small, 601, objs + 1500);
	quarry_cache_free_bulk(cache, 1500, objs);
	qt_cache_destroy(test, small);
	qt_cache_destroy(test, cache);
}

static void text(struct kunit *test)
{
	static const struct {
		const char *text;
		int err;
		unsigned long bytes;
	} texts[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "64K", 0, 64 << 10 },
		{ "64k\n", 0, 64 << 10 },
		{ " 3M ", 0, 3 << 20 },
		{ "2g", 0, 2UL << 30 },
		{ "max", 0, ULONG_MAX },
		{ "max\n", 0, ULONG_MAX },
		{ "", -EINVAL },
		{ "\n", -EINVAL },
		{ "abc", -EINVAL },
		{ "K", -EINVAL },
		{ "12Q", -EINVAL },
		{ "64MM", -EINVAL },
		{ "-1", -EINVAL },
		{ "0x10", -EINVAL },
		{ "1 2", -EINVAL },
		{ "1.5M", -EINVAL },
		{ "maxx", -EINVAL },
		{ "18446744073709551617", -ERANGE },
		{ "9223372036854775808", -ERANGE },
		{ "99999999999999999999999", -ERANGE },
		{ "18014398509481984K", -ERANGE },
	};
	unsigned long bytes, expected;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		bytes = 12345;
		expected = texts[i].err ? bytes : texts[i].bytes;
		KUNIT_EXPECT_EQ_MSG(test, texts[i].err, qr_limit_parse(texts[i].text, &bytes), "%s",
				    texts[i].text);
		KUNIT_EXPECT_EQ_MSG(test, expected, bytes, "%s", texts[i].text);
	}
}

static struct kunit_case limit_cases[] = { KUNIT_CASE(hard_limit_of_a_cache),
					   KUNIT_CASE(soft_limit_of_a_cache),
					   KUNIT_CASE(hard_limit_of_all),
					   KUNIT_CASE(hard_limit_below_what_is_idle),
					   KUNIT_CASE(soft_limit_of_all),
					   KUNIT_CASE(soft_limit_and_a_row),
					   KUNIT_CASE(soft_limit_and_holes_of_the_wrong_kind),
					   KUNIT_CASE(soft_limit_and_magazines),
					   KUNIT_CASE(text),
					   {} };

static struct kunit_suite limit_suite = {
	.name = "quarry_limit",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = limit_cases,
};

kunit_test_suite(limit_suite);
