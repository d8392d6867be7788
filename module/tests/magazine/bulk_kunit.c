// SPDX-License-Identifier: GPL-2.0
/* Allocating and freeing many objects in one call. */
#include "tests/kunit_util.h"

#include <linux/random.h>
#include "tests/probe_util.h"

#define BULK_MAX 1000

static unsigned int alloc_bulk(struct qt_shadow *s, struct quarry_cache *cache, gfp_t gfp,
			       unsigned int n, void **objs)
{
	unsigned int got = quarry_cache_alloc_bulk(cache, gfp, n, objs), i;

	for (i = 0; i < got; i++)
		qt_got(s, objs[i]);
	return got;
}

static void free_bulk(struct qt_shadow *s, struct quarry_cache *cache, unsigned int n, void **objs)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		qt_put(s, objs[i]);
	quarry_cache_free_bulk(cache, n, objs);
}

/* Numbers of objects around the limits of batches, slabs and depots. */
static void any_number_is_exact(struct kunit *test)
{
	static const unsigned int sizes[] = { 8, 64, 1000, 7168 };
	void **objs = qt_array(test, BULK_MAX, sizeof(*objs));
	unsigned int i, k, round;
	struct qt_shadow s;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct quarry_cache *cache = qt_cache(test, sizes[i], NULL);
		unsigned int batch = qr_cache_of(cache)->batch;
		unsigned int counts[] = {
			0,
			1,
			16,
			64,
			batch - 1,
			batch,
			batch + 1,
			2 * batch,
			2 * batch + 1,
			4 * batch,
			5 * batch + 1,
			qr_cache_of(cache)->geo.objects + 1,
			BULK_MAX,
		};

		qt_shadow_init(&s);
		for (round = 0; round < 3; round++) {
			for (k = 0; k < ARRAY_SIZE(counts); k++) {
				unsigned int n = min(counts[k], BULK_MAX);

				KUNIT_ASSERT_EQ(test, n,
						alloc_bulk(&s, cache, GFP_KERNEL, n, objs));
				qt_shadow_check(test, &s, cache);
				free_bulk(&s, cache, n, objs);
				qt_shadow_check(test, &s, cache);
			}
			/* The second round starts without slabs, the third with kept ones. */
			if (round == 0)
				quarry_cache_shrink(cache);
		}
		qt_cache_destroy(test, cache);
	}
}

static void overlapping_sets_are_disjoint(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 48, NULL);
	void **objs = qt_array(test, 20 * 150, sizeof(*objs));
	unsigned int held[20] = { 0 }, i;
	struct qt_shadow s;

	qt_shadow_init(&s);
	for (i = 0; i < 1500; i++) {
		unsigned int k = get_random_u32_below(20), n = get_random_u32_below(150);
		void **set = objs + k * 150;

		if (held[k]) {
			free_bulk(&s, cache, held[k], set);
			held[k] = 0;
		} else {
			KUNIT_ASSERT_EQ(test, n, alloc_bulk(&s, cache, GFP_KERNEL, n, set));
			held[k] = n;
		}
		KUNIT_ASSERT_EQ(test, 0, atomic64_read(&s.errors));
	}
	qt_shadow_check(test, &s, cache);
	for (i = 0; i < 20; i++)
		free_bulk(&s, cache, held[i], objs + i * 150);
	qt_shadow_check(test, &s, cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static void singles_and_sets_mix(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 48, NULL);
	void **objs = qt_array(test, 200, sizeof(*objs));
	struct qt_shadow s;
	unsigned int i;

	qt_shadow_init(&s);
	KUNIT_ASSERT_EQ(test, 200, alloc_bulk(&s, cache, GFP_KERNEL, 200, objs));
	for (i = 0; i < 200; i++)
		quarry_cache_free(cache, qt_put(&s, objs[i]));
	for (i = 0; i < 200; i++)
		objs[i] = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
	free_bulk(&s, cache, 200, objs);
	qt_shadow_check(test, &s, cache);
}

static void nulls_are_skipped(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 48, NULL);
	struct quarry_stats *before = qt_stats(test), *st;
	void **objs = qt_array(test, 200, sizeof(*objs));
	struct qt_shadow s;
	unsigned int i;

	qt_shadow_init(&s);
	KUNIT_ASSERT_EQ(test, 100, alloc_bulk(&s, cache, GFP_KERNEL, 100, objs));
	for (i = 100; i--;) {
		objs[2 * i + 1] = objs[i];
		objs[2 * i] = NULL;
	}
	free_bulk(&s, cache, 200, objs);
	qt_shadow_check(test, &s, cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	memset(objs, 0, 200 * sizeof(*objs));
	quarry_cache_free_bulk(cache, 200, objs);
	qt_shadow_check(test, &s, cache);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_foreign, st->misuse_foreign);
}

static void sets_are_zeroed(struct kunit *test)
{
	static const unsigned int sizes[] = { 8, 64, 96, 200, 520, 4096 };
	void **objs = qt_array(test, BULK_MAX, sizeof(*objs));
	unsigned int i, k, dirty;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct quarry_cache *cache = qt_cache(test, sizes[i], NULL);

		KUNIT_ASSERT_EQ(test, 300, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 300, objs));
		for (k = 0; k < 300; k++)
			memset(objs[k], 0xee, cache->size);
		quarry_cache_free_bulk(cache, 300, objs);
		KUNIT_ASSERT_EQ(test, 300,
				quarry_cache_alloc_bulk(cache, GFP_KERNEL | __GFP_ZERO, 300, objs));
		for (k = 0, dirty = 0; k < 300; k++)
			dirty += !qt_is_zero(objs[k], cache->size);
		KUNIT_EXPECT_EQ_MSG(test, 0, dirty, "objects of %u bytes", sizes[i]);
		quarry_cache_free_bulk(cache, 300, objs);
		qt_cache_destroy(test, cache);
	}
}

#ifdef CONFIG_KPROBES
/*
 * In NMI no slab can be created.  So allocations of more objects than the cache has must fail, and
 * the test need not use up the memory of the machine.
 */
static struct {
	struct quarry_cache *cache;
	unsigned int n, got;
	void **objs;
} starved;

static void starve(void *unused)
{
	starved.got = quarry_cache_alloc_bulk(starved.cache, GFP_ATOMIC | __GFP_NOWARN, starved.n,
					      starved.objs);
}

static void all_or_none(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 1000, NULL);
	unsigned int held = 10, there, n;
	struct quarry_cache_stats st;
	void *objs[10];

	qt_skip_without_nmi(test);
	starved.cache = cache;
	starved.objs = qt_array(test, BULK_MAX, sizeof(void *));
	qt_pin(test, 0);
	KUNIT_ASSERT_EQ(test, held, quarry_cache_alloc_bulk(cache, GFP_KERNEL, held, objs));
	there = qt_sum(cache).capacity_objects - held;
	KUNIT_ASSERT_GT(test, there, 1);
	for (n = there + 2; n; n--) {
		u64 failed = atomic64_read(&qr_cache_of(cache)->failed);

		starved.n = n;
		starved.got = ~0u;
		qt_in_nmi(test, starve, NULL);
		KUNIT_ASSERT_EQ(test, n > there ? 0 : n, starved.got);
		KUNIT_ASSERT_EQ(test, failed + (n > there),
				atomic64_read(&qr_cache_of(cache)->failed));
		st = qt_sum(cache);
		KUNIT_ASSERT_EQ(test, held + starved.got, st.live_objects);
		qt_exit(test);
		quarry_cache_free_bulk(cache, starved.got, starved.objs);
		KUNIT_ASSERT_EQ(test, held, qt_sum(cache).live_objects);
	}
	quarry_cache_free_bulk(cache, held, objs);
}
#endif

static struct kunit_case cases[] = {
	KUNIT_CASE(any_number_is_exact),  KUNIT_CASE(overlapping_sets_are_disjoint),
	KUNIT_CASE(singles_and_sets_mix), KUNIT_CASE(nulls_are_skipped),
	KUNIT_CASE(sets_are_zeroed),
#ifdef CONFIG_KPROBES
	KUNIT_CASE(all_or_none),
#endif
	KUNIT_CASE(qt_books_balance),	  {}
};

static struct kunit_suite bulk_suite = {
	.name = "quarry_bulk",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(bulk_suite);
