// SPDX-License-Identifier: GPL-2.0
/* Without whole chunks everything works, only slower. */
#include "tests/kunit_util.h"

#include <linux/random.h>
#include <linux/rcupdate.h>

#define N 500

/* Gives back all chunks, and makes the kernel have none. */
static void start(struct kunit *test)
{
	qr_drain_all();
	KUNIT_ASSERT_GE(test, qr_heap_release_idle(), 0);
	KUNIT_ASSERT_EQ(test, 0, qt_stats(test)->chunks);
	qt_no_chunks(test);
}

static bool is_mixed(const void *p)
{
	struct qr_chunk *chunk = qr_chunk_at(qr_chunk_index(p));

	return chunk && chunk->kind == QR_MIXED && qr_slab_of(p);
}

static void caches_work(struct kunit *test)
{
	static const unsigned int sizes[] = { 8, 64, 200, 4096, 9000, 32768 };
	void **objs = qt_array(test, N, sizeof(*objs));
	unsigned int i, k;

	start(test);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct quarry_cache *cache = qt_cache(test, sizes[i], NULL);
		unsigned int n = sizes[i] > 4096 ? 40 : N;
		struct qt_shadow s;

		qt_shadow_init(&s);
		for (k = 0; k < n; k++) {
			objs[k] = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
			KUNIT_ASSERT_NOT_NULL(test, objs[k]);
			KUNIT_ASSERT_TRUE(test, is_mixed(objs[k]));
		}
		qt_shadow_check(test, &s, cache);
		KUNIT_EXPECT_EQ(test, qt_sum(cache).inuse_bytes, qt_stats(test)->mixed_bytes);
		qt_exit(test);
		/* Each way to free an object; all bypass the magazine. */
		for (k = 0; k < n; k++) {
			qt_put(&s, objs[k]);
			if (k % 3 == 0)
				quarry_cache_free(cache, objs[k]);
			else if (k % 3 == 1)
				quarry_free(objs[k]);
			else
				quarry_cache_free_bulk(cache, 1, &objs[k]);
		}
		qt_shadow_check(test, &s, cache);
		KUNIT_EXPECT_EQ(test, n, qt_sum(cache).direct_frees);
		qt_cache_destroy(test, cache);
		KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->mixed_bytes);
	}
}

static void malloc_works(struct kunit *test)
{
	void **objs = qt_array(test, N, sizeof(*objs));
	struct quarry_stats *st;
	unsigned int i, step;

	start(test);
	for (step = 0; step < 3000; step++) {
		size_t size = get_random_u32_below(1 << (4 + get_random_u32_below(15)));

		i = get_random_u32_below(N);
		if (objs[i]) {
			quarry_free(objs[i]);
			objs[i] = NULL;
			continue;
		}
		objs[i] = quarry_malloc(size, GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_ASSERT_TRUE(test, is_mixed(objs[i]));
		KUNIT_ASSERT_GE(test, quarry_usable_size(objs[i]), size);
		KUNIT_ASSERT_TRUE(test, qt_is_zero(objs[i], quarry_usable_size(objs[i])));
		memset(objs[i], 0xdb, quarry_usable_size(objs[i]));
	}
	qt_exit(test);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, st->inuse_bytes, st->mixed_bytes);
	KUNIT_EXPECT_EQ(test, st->sys_bytes, st->inuse_bytes + st->idle_bytes + st->metadata_bytes);
	for (i = 0; i < N; i++)
		quarry_free(objs[i]);
	qr_drain_all();
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, 0, st->mixed_bytes);
	KUNIT_EXPECT_EQ(test, 0, st->live_objects);
}

static void pages_leave_at_once(struct kunit *test)
{
	struct quarry_stats *before, *st;
	unsigned long chunk;
	void *p;

	start(test);
	rcu_barrier();
	before = qt_stats(test);
	p = quarry_malloc(100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	chunk = qr_chunk_index(p);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->mixed_bytes + 25 * PAGE_SIZE, st->mixed_bytes);
	KUNIT_EXPECT_EQ(test, before->idle_bytes, st->idle_bytes);
	quarry_free(p);
	rcu_barrier();
	KUNIT_EXPECT_NULL(test, qr_chunk_at(chunk));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->sys_bytes, st->sys_bytes);
	KUNIT_EXPECT_EQ(test, qt_metadata(before), qt_metadata(st));
	KUNIT_EXPECT_EQ(test, before->idle_bytes, st->idle_bytes);
}

static void alignment_is_kept(struct kunit *test)
{
	struct quarry_cache_args args = { 0 };
	void *objs[20];
	unsigned int i;

	start(test);
	for (args.align = 8; args.align <= QR_MAX_ALIGN; args.align *= 2) {
		struct quarry_cache *cache = qt_cache(test, 100, &args);

		KUNIT_ASSERT_EQ(test, 20, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 20, objs));
		for (i = 0; i < 20; i++) {
			KUNIT_EXPECT_EQ(test, 0, (unsigned long)objs[i] % args.align);
			KUNIT_EXPECT_TRUE(test, is_mixed(objs[i]));
		}
		quarry_cache_free_bulk(cache, 20, objs);
		qt_cache_destroy(test, cache);
	}
}

/* A cache with slabs in whole and in mixed chunks. */
static void both_kinds_in_one_cache(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	void **objs = qt_array(test, 2 * N, sizeof(*objs));
	struct qt_shadow s;
	unsigned int i;

	qt_shadow_init(&s);
	qt_pin(test, 0);
	for (i = 0; i < N; i++) {
		objs[i] = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	/* When the present chunks are full, the next slab is in a mixed chunk. */
	qt_no_chunks(test);
	while (i < 2 * N) {
		objs[i] = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		i++;
	}
	qt_shadow_check(test, &s, cache);
	for (i = 0; i < 2 * N; i++) {
		unsigned int k = (i * 7) % (2 * N);

		quarry_cache_free(cache, qt_put(&s, objs[k]));
	}
	qt_shadow_check(test, &s, cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static struct kunit_case cases[] = { KUNIT_CASE(caches_work),
				     KUNIT_CASE(malloc_works),
				     KUNIT_CASE(pages_leave_at_once),
				     KUNIT_CASE(alignment_is_kept),
				     KUNIT_CASE(both_kinds_in_one_cache),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite mixed_suite = {
	.name = "quarry_mixed",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(mixed_suite);
