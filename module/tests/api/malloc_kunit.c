// SPDX-License-Identifier: GPL-2.0
/* quarry_malloc() from 0 bytes to 2 MiB; slab/large_kunit.c tests larger objects. */
#include "tests/kunit_util.h"

#include <linux/log2.h>
#include "slab/sizeclass.h"

/* Hides that @size is a constant, so that the table of sizes is used. */
static noinline void *malloc_variable(size_t size, gfp_t gfp)
{
	return quarry_malloc(size, gfp);
}

static void check_one(struct kunit *test, size_t size, void *p)
{
	size_t usable = quarry_usable_size(p);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_GE(test, usable, size);
	KUNIT_ASSERT_EQ(test, 0, (unsigned long)p % (size > 6 ? 8 : size > 4 ? 2 : 4));
	if (size > QUARRY_MAX_SMALL) {
		KUNIT_ASSERT_EQ(test, 0, (unsigned long)p % PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, usable, round_up(size, PAGE_SIZE));
	} else {
		KUNIT_ASSERT_EQ(test, usable, qr_class_bytes(qr_class_for(size)));
		if (size && is_power_of_2(size))
			KUNIT_ASSERT_EQ(test, 0, (unsigned long)p % size);
	}
	memset(p, 0x6b, usable);
}

static void every_small_size(struct kunit *test)
{
	size_t size;

	for (size = 0; size <= QUARRY_MAX_SMALL; size += size < 4096 ? 1 : 61) {
		void *p = malloc_variable(size, GFP_KERNEL);

		check_one(test, size, p);
		quarry_free(p);
	}
}

static __always_inline void constant(struct kunit *test, const size_t size)
{
	void *p = quarry_malloc(size, GFP_KERNEL), *z = quarry_zalloc(size, GFP_KERNEL);

	check_one(test, size, p);
	KUNIT_EXPECT_TRUE(test, qt_is_zero(z, quarry_usable_size(z)));
	check_one(test, size, z);
	quarry_free(p);
	quarry_free(z);
	/* Once more, over the bytes that check_one() wrote. */
	z = quarry_zalloc(size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, z);
	KUNIT_EXPECT_TRUE(test, qt_is_zero(z, quarry_usable_size(z)));
	quarry_free(z);
}

static void constant_sizes(struct kunit *test)
{
	constant(test, 0);
	constant(test, 1);
	constant(test, 2);
	constant(test, 3);
	constant(test, 4);
	constant(test, 5);
	constant(test, 6);
	constant(test, 7);
	constant(test, 8);
	constant(test, 24);
	constant(test, 100);
	constant(test, 128);
	constant(test, 129);
	constant(test, 512);
	constant(test, 600);
	constant(test, 4096);
	constant(test, 32768);
	constant(test, 32769);
	constant(test, 2UL << 20);
}

static void powers_of_two_are_aligned(struct kunit *test)
{
	void *objs[20];
	size_t size;
	int i;

	for (size = 4; size <= QUARRY_MAX_SMALL; size *= 2) {
		for (i = 0; i < 20; i++) {
			objs[i] = malloc_variable(size, GFP_KERNEL);
			check_one(test, size, objs[i]);
		}
		while (i--)
			quarry_free(objs[i]);
	}
}

static void large_sizes(struct kunit *test)
{
	static const size_t sizes[] = {
		32769,	       40960,	40961,	       65536,
		100000,	       1 << 20, (1 << 20) + 1, (2 << 20) - 4096,
		(2 << 20) - 1, 2 << 20,
	};
	struct quarry_stats *before = qt_stats(test), *st;
	void *p[ARRAY_SIZE(sizes)];
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p[i] = malloc_variable(sizes[i], GFP_KERNEL);
		check_one(test, sizes[i], p[i]);
		memset(p[i], i, sizes[i]);
		bytes += round_up(sizes[i], PAGE_SIZE);
	}
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->large_objects + ARRAY_SIZE(sizes), st->large_objects);
	KUNIT_EXPECT_EQ(test, before->large_bytes + bytes, st->large_bytes);
	KUNIT_EXPECT_EQ(test, before->mallocs + ARRAY_SIZE(sizes), st->mallocs);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_NULL(test, memchr_inv(p[i], i, sizes[i]));
		quarry_free(p[i]);
	}
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->large_bytes, st->large_bytes);
	KUNIT_EXPECT_EQ(test, before->frees + ARRAY_SIZE(sizes), st->frees);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes, st->inuse_bytes);
}

static void too_large_is_refused(struct kunit *test)
{
	static const size_t sizes[] = {
		QUARRY_MAX_LARGE + 1,
		2 * QUARRY_MAX_LARGE,
		SIZE_MAX - 4095,
		SIZE_MAX,
	};
	u64 failed = qt_stats(test)->failed_allocs;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_NULL(test, malloc_variable(sizes[i], GFP_KERNEL | __GFP_NOWARN));
		KUNIT_EXPECT_NULL(test, quarry_malloc_node(sizes[i], GFP_KERNEL | __GFP_NOWARN,
							   NUMA_NO_NODE));
	}
	KUNIT_EXPECT_EQ(test, failed + 2 * ARRAY_SIZE(sizes), qt_stats(test)->failed_allocs);
}

static void nothing_is_freed_for_nothing(struct kunit *test)
{
	struct quarry_stats *before = qt_stats(test), *st;

	quarry_free(NULL);
	quarry_cache_free(qr_class_cache[1], NULL);
	KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(NULL));
	KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(before));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->frees, st->frees);
	KUNIT_EXPECT_EQ(test, before->misuse_foreign, st->misuse_foreign);
}

static void cache_objects_need_no_cache(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 72, NULL);
	void *objs[100];
	unsigned int i;

	for (i = 0; i < 100; i++) {
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_EXPECT_EQ(test, 72, quarry_usable_size(objs[i]));
		KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(objs[i] + 8));
	}
	for (i = 0; i < 100; i++)
		quarry_free(objs[i]);
	KUNIT_EXPECT_EQ(test, 100, qt_sum(cache).frees);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

/* An object of a size class may be freed with quarry_cache_free(). */
static void class_objects_have_a_cache(struct kunit *test)
{
	struct quarry_cache *cache = qr_class_cache[qr_class_const(448)];
	u64 frees = qt_sum(cache).frees;
	void *p = malloc_variable(448, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, frees + 1, qt_sum(cache).frees);
}

static void zeroed_after_dirty_use(struct kunit *test)
{
	static const size_t sizes[] = {
		1,   5,	  8,   16,   24,   32,	 64,	96,    100,    152,	256,	 480,
		512, 520, 576, 1000, 4096, 9000, 32768, 32769, 100000, 1 << 20, 2 << 20,
	};
	unsigned int i, k;

	qt_pin(test, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (k = 0; k < 3; k++) {
			void *p = malloc_variable(sizes[i], GFP_KERNEL);

			check_one(test, sizes[i], p);
			quarry_free(p);
			if (k == 1)
				qr_drain_all();
			p = malloc_variable(sizes[i], GFP_KERNEL | __GFP_ZERO);
			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_ASSERT_TRUE_MSG(test, qt_is_zero(p, quarry_usable_size(p)),
					      "%zu bytes", sizes[i]);
			memset(p, 0xff, quarry_usable_size(p));
			quarry_free(p);
		}
	}
}

/* Zeroing an object does not touch its neighbours. */
static void zeroing_ends_with_the_object(struct kunit *test)
{
	unsigned int cls, i;

	qt_pin(test, 0);
	for (cls = 1; cls < QR_NR_CLASSES; cls++) {
		unsigned int size = qr_class_bytes(cls);
		void *p[6];

		for (i = 0; i < 6; i++) {
			p[i] = malloc_variable(size, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, p[i]);
			memset(p[i], 0x11, size);
		}
		quarry_free(p[3]);
		p[3] = malloc_variable(size, GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL(test, p[3]);
		KUNIT_EXPECT_TRUE(test, qt_is_zero(p[3], size));
		for (i = 0; i < 6; i++) {
			if (i != 3)
				KUNIT_EXPECT_NULL(test, memchr_inv(p[i], 0x11, size));
			quarry_free(p[i]);
		}
	}
}

static struct kunit_case cases[] = { KUNIT_CASE(every_small_size),
				     KUNIT_CASE(constant_sizes),
				     KUNIT_CASE(powers_of_two_are_aligned),
				     KUNIT_CASE(large_sizes),
				     KUNIT_CASE(too_large_is_refused),
				     KUNIT_CASE(nothing_is_freed_for_nothing),
				     KUNIT_CASE(cache_objects_need_no_cache),
				     KUNIT_CASE(class_objects_have_a_cache),
				     KUNIT_CASE(zeroed_after_dirty_use),
				     KUNIT_CASE(zeroing_ends_with_the_object),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite malloc_suite = {
	.name = "quarry_malloc",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(malloc_suite);
