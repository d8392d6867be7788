// SPDX-License-Identifier: GPL-2.0
/* The malloc family: arrays, copies, aligned and bulk allocations, memory with secrets. */
#include "tests/kunit_util.h"

#include <linux/log2.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include "slab/sizeclass.h"

/* Pairs of numbers whose product overflows a size_t; @wraps is the product modulo 2^64. */
static const struct {
	size_t n, size, wraps;
} overflows[] = {
	{ SIZE_MAX, 2, SIZE_MAX - 1 }, { SIZE_MAX / 2 + 1, 2, 0 },
	{ 1UL << 32, 1UL << 32, 0 },   { (1UL << 32) + 1, 1UL << 32, 1UL << 32 },
	{ 3, SIZE_MAX / 3 + 1, 2 },
};

static void arrays(struct kunit *test)
{
	u32 *a = quarry_malloc_array(25, sizeof(*a), GFP_KERNEL);
	size_t n = 1000;

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_EQ(test, 112, quarry_usable_size(a));
	memset(a, 0x6b, 100);
	quarry_free(a);
	OPTIMIZER_HIDE_VAR(n);
	a = quarry_calloc(n, sizeof(*a), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_GE(test, quarry_usable_size(a), 4000);
	KUNIT_EXPECT_TRUE(test, qt_is_zero(a, quarry_usable_size(a)));
	memset(a, 0x6b, 4000);
	a = quarry_realloc_array(a, 3000, sizeof(*a), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_GE(test, quarry_usable_size(a), 12000);
	KUNIT_EXPECT_NULL(test, memchr_inv(a, 0x6b, 4000));
	quarry_free(a);
	/* An array of no bytes is the smallest object, as with quarry_malloc(0). */
	a = quarry_calloc(0, n, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, 4, quarry_usable_size(a));
	KUNIT_EXPECT_NULL(test, quarry_realloc_array(a, n, 0, GFP_KERNEL));
	a = quarry_realloc_array(NULL, 10, 10, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, 112, quarry_usable_size(a));
	quarry_free(a);
}

static void arrays_that_are_no_size(struct kunit *test)
{
	struct quarry_stats *st = qt_stats(test);
	u64 failed = st->failed_allocs;
	unsigned int i;
	u64 *p;

	p = quarry_malloc(100, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	p[0] = 42;
	for (i = 0; i < ARRAY_SIZE(overflows); i++) {
		size_t n = overflows[i].n, size = overflows[i].size;

		KUNIT_ASSERT_EQ(test, overflows[i].wraps, n * size);
		KUNIT_EXPECT_NULL(test, quarry_malloc_array(n, size, GFP_KERNEL | __GFP_NOWARN));
		KUNIT_EXPECT_NULL(test, quarry_calloc(n, size, GFP_KERNEL | __GFP_NOWARN));
		KUNIT_EXPECT_NULL(test,
				  quarry_malloc_array_node(n, size, GFP_KERNEL | __GFP_NOWARN, 0));
		KUNIT_EXPECT_NULL(test, quarry_calloc_node(n, size, GFP_KERNEL | __GFP_NOWARN, 0));
		KUNIT_EXPECT_NULL(test,
				  quarry_realloc_array(p, n, size, GFP_KERNEL | __GFP_NOWARN));
	}
	KUNIT_EXPECT_EQ(test, failed + 5 * ARRAY_SIZE(overflows), qt_stats(test)->failed_allocs);
	/* The memory is unchanged. */
	KUNIT_EXPECT_EQ(test, 42, p[0]);
	quarry_free(p);
}

static void on_nodes(struct kunit *test)
{
	int node;

	for_each_node_mask(node, qr_nodes) {
		gfp_t gfp = GFP_KERNEL | __GFP_THISNODE;
		void *p[] = {
			quarry_zalloc_node(300, gfp, node),
			quarry_malloc_array_node(30, 10, gfp, node),
			quarry_calloc_node(30, 10, gfp, node),
			quarry_calloc_node(30, 10000, gfp, node),
		};
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(p); i++) {
			KUNIT_EXPECT_NOT_NULL(test, p[i]);
			if (!p[i])
				continue;
			KUNIT_EXPECT_EQ(test, node, qt_node_of(p[i]));
			if (i != 1)
				KUNIT_EXPECT_TRUE(test, qt_is_zero(p[i], quarry_usable_size(p[i])));
			memset(p[i], 0x6b, 300);
			quarry_free(p[i]);
		}
	}
}

static void copies(struct kunit *test)
{
	static const char text[] = "who holds this memory";
	const char open[4] = { 'o', 'p', 'e', 'n' };
	size_t size;
	char *s;

	s = quarry_strdup(text, GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, text, s);
	KUNIT_EXPECT_FALSE(test, s == text);
	quarry_free(s);
	s = quarry_strdup("", GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, "", s);
	quarry_free(s);
	KUNIT_EXPECT_NULL(test, quarry_strdup(NULL, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, quarry_strndup(NULL, 10, GFP_KERNEL));
	s = quarry_strndup(text, 3, GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, "who", s);
	quarry_free(s);
	s = quarry_strndup(text, SIZE_MAX, GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, text, s);
	quarry_free(s);
	/* A string without an end is not read beyond the limit; KASAN would report it. */
	s = quarry_strndup(open, sizeof(open), GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, "open", s);
	quarry_free(s);
	s = quarry_strndup(text, 0, GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, "", s);
	quarry_free(s);
	for (size = 0; size <= SZ_128K; size = size * 3 + 1) {
		void *from = quarry_malloc(size, GFP_KERNEL), *to;

		KUNIT_ASSERT_NOT_NULL(test, from);
		qt_fill(from, size, size);
		to = quarry_memdup(from, size, GFP_KERNEL);
		quarry_free(from);
		KUNIT_ASSERT_NOT_NULL(test, to);
		KUNIT_EXPECT_GE(test, quarry_usable_size(to), size);
		KUNIT_EXPECT_TRUE(test, qt_is_filled(to, size, size));
		quarry_free(to);
	}
}

/* Every alignment, with sizes around all limits, three objects at a time. */
static void aligned(struct kunit *test)
{
	static const size_t sizes[] = {
		0,    1,    4,	  5,	8,     9,     24,    100,    129,	1000,
		4095, 4096, 4097, 5000, 20000, 32768, 32769, 100000, SZ_1M + 1, SZ_2M,
	};
	size_t align;
	unsigned int i, k;

	for (align = 1; align <= QUARRY_MAX_ALIGN; align *= 2) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			void *p[3];

			for (k = 0; k < ARRAY_SIZE(p); k++) {
				p[k] = quarry_aligned_alloc(align, sizes[i], GFP_KERNEL);
				KUNIT_EXPECT_NOT_NULL_MSG(test, p[k], "%zu at %zu", sizes[i],
							  align);
				if (!p[k])
					continue;
				KUNIT_EXPECT_EQ_MSG(test, 0, (unsigned long)p[k] % align,
						    "%zu at %zu", sizes[i], align);
				KUNIT_EXPECT_GE(test, quarry_usable_size(p[k]), sizes[i]);
				memset(p[k], 0x6b, sizes[i]);
			}
			for (k = 0; k < ARRAY_SIZE(p); k++)
				quarry_free(p[k]);
		}
		cond_resched();
	}
}

/* An aligned object takes no more than the smallest size class with that alignment. */
static void aligned_without_waste(struct kunit *test)
{
	static const struct {
		size_t align, size, usable;
	} cases[] = {
		{ 1, 0, 4 },
		{ 2, 5, 6 },
		{ 4, 3, 4 },
		{ 4, 5, 8 },
		{ 8, 3, 8 },
		{ 8, 24, 24 },
		{ 16, 24, 32 },
		{ 16, 41, 48 },
		{ 64, 100, 128 },
		{ 64, 129, 256 },
		{ 64, 5000, 5120 },
		{ 4096, 1, 4096 },
		{ 4096, 5000, 8192 },
		{ 4096, 12289, 16384 },
		{ 8192, 1, 8192 },
		{ 8192, 9000, 16384 },
		{ SZ_64K, 1, PAGE_SIZE },
		{ SZ_64K, 40000, PAGE_ALIGN(40000) },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		void *p = quarry_aligned_alloc(cases[i].align, cases[i].size, GFP_KERNEL);

		KUNIT_EXPECT_EQ_MSG(test, cases[i].usable, quarry_usable_size(p), "%zu at %zu",
				    cases[i].size, cases[i].align);
		KUNIT_EXPECT_EQ(test, 0, (unsigned long)p % cases[i].align);
		quarry_free(p);
		p = quarry_aligned_alloc(cases[i].align, cases[i].size, GFP_KERNEL | __GFP_ZERO);
		KUNIT_EXPECT_TRUE(test, qt_is_zero(p, quarry_usable_size(p)));
		quarry_free(p);
	}
}

static void alignments_that_are_none(struct kunit *test)
{
	static const size_t bad[] = { 0, 3, 24, 4097, SZ_4M, SIZE_MAX, 1UL << 63 };
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_NULL(test, quarry_aligned_alloc(bad[i], 100, GFP_KERNEL));
	/* Above 2 MiB, alignments over a page are refused. */
	KUNIT_EXPECT_NULL(test, quarry_aligned_alloc(2 * PAGE_SIZE, SZ_2M + 1,
						     GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_NULL(test, quarry_aligned_alloc(8, SIZE_MAX, GFP_KERNEL | __GFP_NOWARN));
	p = quarry_aligned_alloc(PAGE_SIZE, SZ_2M + 1, GFP_KERNEL | __GFP_NOWARN);
	if (p) /* may fail when physical memory is fragmented */
		KUNIT_EXPECT_EQ(test, 0, (unsigned long)p % PAGE_SIZE);
	quarry_free(p);
}

/* Without chunks, single blocks of the kernel are aligned too. */
static void aligned_without_chunks(struct kunit *test)
{
	size_t align;

	qt_no_chunks(test);
	for (align = SZ_8K; align <= SZ_256K; align *= 2) {
		void *p = quarry_aligned_alloc(align, 33000, GFP_KERNEL);

		KUNIT_EXPECT_NOT_NULL(test, p);
		KUNIT_EXPECT_EQ(test, 0, (unsigned long)p % align);
		quarry_free(p);
	}
}

#define N 300

static void many(struct kunit *test)
{
	static const size_t sizes[] = { 0, 1, 4, 5, 24, 100, 1000, 20000, 32769, 100000 };
	void **objs = qt_array(test, N, sizeof(*objs));
	unsigned int i, k, n;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		n = sizes[i] > 10000 ? 20 : N;
		KUNIT_ASSERT_EQ(test, n, quarry_malloc_bulk(sizes[i], GFP_KERNEL, n, objs));
		for (k = 0; k < n; k++) {
			KUNIT_ASSERT_GE(test, quarry_usable_size(objs[k]), sizes[i]);
			qt_fill(objs[k], sizes[i], k);
		}
		for (k = 0; k < n; k++)
			KUNIT_EXPECT_TRUE(test, qt_is_filled(objs[k], sizes[i], k));
		quarry_free_bulk(n, objs);
		KUNIT_ASSERT_EQ(test, n,
				quarry_malloc_bulk(sizes[i], GFP_KERNEL | __GFP_ZERO, n, objs));
		for (k = 0; k < n; k++)
			KUNIT_EXPECT_TRUE(test, qt_is_zero(objs[k], quarry_usable_size(objs[k])));
		quarry_free_bulk(n, objs);
	}
	KUNIT_EXPECT_EQ(test, 0, quarry_malloc_bulk(100, GFP_KERNEL, 0, objs));
	quarry_free_bulk(0, objs);
	quarry_free_bulk(0, NULL);
}

static void lift(void *unused)
{
	quarry_limit_set(NULL, QUARRY_NO_LIMIT, QUARRY_NO_LIMIT);
}

/* All or none: if memory runs out, the objects allocated so far are freed. */
static void many_or_none(struct kunit *test)
{
	void **objs = qt_array(test, N, sizeof(*objs));
	u64 live;

	qr_drain_all();
	qr_scavenge_now();
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, lift, NULL));
	live = qt_stats(test)->live_objects;
	quarry_limit_set(NULL, QUARRY_NO_LIMIT, qt_stats(test)->held_bytes + SZ_2M);
	KUNIT_EXPECT_EQ(test, 0, quarry_malloc_bulk(20000, GFP_KERNEL | __GFP_NOWARN, N, objs));
	KUNIT_EXPECT_EQ(test, live, qt_stats(test)->live_objects);
	KUNIT_EXPECT_EQ(test, 0, quarry_malloc_bulk(100000, GFP_KERNEL | __GFP_NOWARN, N, objs));
	KUNIT_EXPECT_EQ(test, live, qt_stats(test)->live_objects);
	KUNIT_EXPECT_EQ(test, 0, quarry_malloc_bulk(SIZE_MAX, GFP_KERNEL | __GFP_NOWARN, 1, objs));
	KUNIT_EXPECT_EQ(test, 20, quarry_malloc_bulk(20000, GFP_KERNEL, 20, objs));
	quarry_free_bulk(20, objs);
}

/* One call of quarry_free_bulk() frees pointers of all kinds. */
static void mixed(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 72, NULL);
	void **objs = qt_array(test, N, sizeof(*objs));
	int node = first_node(qr_nodes);
	struct rnd_state rnd;
	unsigned int i, round;
	u64 live, frees;

	prandom_seed_state(&rnd, 5);
	live = qt_stats(test)->live_objects;
	for (round = 0; round < 20; round++) {
		unsigned int nulls = 0;

		for (i = 0; i < N; i++) {
			switch (prandom_u32_state(&rnd) % 8) {
			case 0:
				objs[i] = NULL;
				nulls++;
				continue;
			case 1:
				objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
				break;
			case 2:
				objs[i] = quarry_malloc(40000, GFP_KERNEL);
				break;
			case 3:
				objs[i] = quarry_malloc_node(64, GFP_KERNEL, node);
				node = next_node_in(node, qr_nodes);
				break;
			case 4:
				objs[i] = quarry_malloc(prandom_u32_state(&rnd) % 2000, GFP_KERNEL);
				break;
			default: /* several neighbours of one class */
				objs[i] = quarry_malloc(100, GFP_KERNEL);
				break;
			}
			KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		}
		KUNIT_EXPECT_EQ(test, live + N - nulls, qt_stats(test)->live_objects);
		frees = qt_stats(test)->frees;
		quarry_free_bulk(N, objs);
		KUNIT_EXPECT_EQ(test, live, qt_stats(test)->live_objects);
		KUNIT_EXPECT_EQ(test, frees + N - nulls, qt_stats(test)->frees);
	}
}

static void secrets(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	void *p[3];
	unsigned int i;

	qt_pin(test, 0);
	p[0] = quarry_malloc(100, GFP_KERNEL);
	p[1] = quarry_cache_alloc(cache, GFP_KERNEL);
	p[2] = quarry_malloc(50000, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		size_t usable = quarry_usable_size(p[i]);

		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		memset(p[i], 0x5e, usable);
		quarry_free_sensitive(p[i]);
		/* The memory is free and still Quarry's, and no other context has allocated it. */
		KUNIT_EXPECT_TRUE(test, qt_is_zero(p[i], usable));
	}
	quarry_free_sensitive(NULL);
}

static struct kunit_case family_cases[] = { KUNIT_CASE(arrays),
					    KUNIT_CASE(arrays_that_are_no_size),
					    KUNIT_CASE(on_nodes),
					    KUNIT_CASE(copies),
					    KUNIT_CASE_SLOW(aligned),
					    KUNIT_CASE(aligned_without_waste),
					    KUNIT_CASE(alignments_that_are_none),
					    KUNIT_CASE(aligned_without_chunks),
					    KUNIT_CASE(many),
					    KUNIT_CASE(many_or_none),
					    KUNIT_CASE(mixed),
					    KUNIT_CASE(secrets),
					    KUNIT_CASE(qt_books_balance),
					    {} };

static struct kunit_suite family_suite = {
	.name = "quarry_malloc_family",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = family_cases,
};

kunit_test_suite(family_suite);
