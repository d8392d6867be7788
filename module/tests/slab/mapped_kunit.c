// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped objects: their pages lie anywhere and are mapped side by side.  See mapped_free_kunit.c
 * for their frees.
 */
#include "tests/kunit_util.h"

#include <linux/sizes.h>
#include <linux/vmalloc.h>
#include "slab/mapped.h"
#include "tests/slab/mapped_util.h"
#include "view/snapshot.h"

static const size_t sizes[] = { 32769, 40960, 100000, SZ_1M, SZ_2M, 3 * SZ_1M + 1, 9 * SZ_1M };

static int count_it(const struct qr_object *o, void *arg)
{
	const void **p = arg;

	if (o->ptr == p[0]) {
		p[1]++;
		p[2] = (void *)(unsigned long)o->size;
	}
	return 0;
}

static void check_mapped(struct kunit *test, void *p, size_t size)
{
	const void *found[3] = { p };
	size_t given = PAGE_ALIGN(size), at;

	KUNIT_EXPECT_EQ(test, 0, (unsigned long)p % PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, given, quarry_usable_size(p));
	for (at = 0; at < given; at += PAGE_SIZE) {
		void *page = page_address(vmalloc_to_page(p + at));

		KUNIT_ASSERT_PTR_EQ(test, qr_mapped_of(p), qr_slab_of(page));
		KUNIT_ASSERT_EQ(test, 0, quarry_usable_size(page));
		if (at)
			KUNIT_ASSERT_EQ(test, 0, quarry_usable_size(p + at));
	}
	KUNIT_EXPECT_PTR_EQ(test, qr_mapped_of(p + given - 1), qr_mapped_of(p));
	KUNIT_EXPECT_NULL(test, qr_mapped_of(p + given));
	KUNIT_ASSERT_EQ(test, 0, qr_walk_objects(false, count_it, found));
	KUNIT_EXPECT_EQ(test, 1, (unsigned long)found[1]);
	KUNIT_EXPECT_EQ(test, given, (unsigned long)found[2]);
	qt_fill(p, given, size);
}

/* Objects of all sizes at once; after their frees all counters are as before. */
static void all_sizes(struct kunit *test)
{
	struct quarry_stats *before = qt_stats(test), *st;
	void *p[ARRAY_SIZE(sizes)];
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p[i] = qt_mapped(test, sizes[i]);
		check_mapped(test, p[i], sizes[i]);
		bytes += PAGE_ALIGN(sizes[i]);
	}
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->mapped_objects + i, st->mapped_objects);
	KUNIT_EXPECT_EQ(test, before->mapped_bytes + bytes, st->mapped_bytes);
	KUNIT_EXPECT_EQ(test, before->live_objects + i, st->live_objects);
	KUNIT_EXPECT_EQ(test, before->live_bytes + bytes, st->live_bytes);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes + bytes, st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, before->large_objects, st->large_objects);
	KUNIT_EXPECT_EQ(test, before->large_bytes, st->large_bytes);
	qt_exit(test);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_TRUE(test, qt_is_filled(p[i], PAGE_ALIGN(sizes[i]), sizes[i]));
		quarry_free(p[i]);
		KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(p[i]));
	}
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->mapped_objects, st->mapped_objects);
	KUNIT_EXPECT_EQ(test, before->mapped_bytes, st->mapped_bytes);
	KUNIT_EXPECT_EQ(test, before->frees + i, st->frees);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes, st->inuse_bytes);
}

static void runs_of_any_length(struct kunit *test)
{
	static const unsigned int longest[] = { 1, 3, 8, 100, QR_CHUNK_PAGES - 1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(longest); i++) {
		qt_longest_run(test, longest[i]);
		all_sizes(test);
	}
}

/* No chunk can be had, so all pages are in mixed chunks; a free gives them to the kernel. */
static void in_mixed_chunks(struct kunit *test)
{
	static const unsigned int longest[] = { 1, 3, 5, 100, QR_CHUNK_PAGES - 1 };
	u64 inuse;
	unsigned int i;
	void *p;

	qr_drain_all();
	qr_heap_release_idle();
	qt_no_chunks(test);
	/* Without chunks there is no long run either. */
	inuse = qt_stats(test)->mixed_bytes;
	p = qt_mapped(test, 5 * SZ_1M);
	check_mapped(test, p, 5 * SZ_1M);
	KUNIT_EXPECT_EQ(test, inuse + 5 * SZ_1M, qt_stats(test)->mixed_bytes);
	quarry_free(p);
	KUNIT_EXPECT_EQ(test, inuse, qt_stats(test)->mixed_bytes);
	for (i = 0; i < ARRAY_SIZE(longest); i++) {
		qt_longest_run(test, longest[i]);
		all_sizes(test);
		KUNIT_EXPECT_EQ(test, inuse, qt_stats(test)->mixed_bytes);
	}
}

static void in_a_row_where_that_is_easy(struct kunit *test)
{
	static const size_t small[] = { 0, 1, 100, 32768 };
	struct quarry_stats *before = qt_stats(test), *st;
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(small); i++) {
		p = quarry_vmalloc(small[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(p));
		KUNIT_EXPECT_GE(test, quarry_usable_size(p), small[i]);
		quarry_free(p);
	}
	p = quarry_vmalloc(100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(p));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->large_objects + 1, st->large_objects);
	KUNIT_EXPECT_EQ(test, before->mapped_objects, st->mapped_objects);
	quarry_free(p);
	/* Longer than any run. */
	p = qt_mapped(test, QUARRY_MAX_LARGE + 1);
	KUNIT_EXPECT_EQ(test, QUARRY_MAX_LARGE + PAGE_SIZE, quarry_usable_size(p));
	quarry_free(p);
}

static void zeroed(struct kunit *test)
{
	unsigned int i, k;

	qt_longest_run(test, 7);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (k = 0; k < 2; k++) {
			void *p = qt_mapped(test, sizes[i]);

			memset(p, 0xa5, quarry_usable_size(p));
			quarry_free(p);
			p = quarry_vmalloc(sizes[i], GFP_KERNEL | __GFP_ZERO);
			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_EXPECT_TRUE(test, qt_is_zero(p, quarry_usable_size(p)));
			quarry_free(p);
		}
	}
}

static void what_cannot_be(struct kunit *test)
{
	const size_t wrong[] = {
		QUARRY_MAX_MAPPED + 1,
		SIZE_MAX,
		SIZE_MAX - PAGE_SIZE,
		(totalram_pages() + 1) << PAGE_SHIFT,
	};
	struct quarry_stats *before = qt_stats(test), *st;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		KUNIT_EXPECT_NULL(test, quarry_vmalloc(wrong[i], GFP_KERNEL | __GFP_NOWARN));
	/* Without sleep, nothing can be mapped. */
	KUNIT_EXPECT_NULL(test, quarry_vmalloc(QUARRY_MAX_LARGE + 1, GFP_ATOMIC | __GFP_NOWARN));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->failed_allocs + i + 1, st->failed_allocs);
	KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes, st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, qt_metadata(before), qt_metadata(st));
}

/* Flags without __GFP_FS and __GFP_IO hold for page tables as well, which lockdep checks. */
static void flags(struct kunit *test)
{
	static const gfp_t gfp[] = {
		GFP_KERNEL,
		GFP_NOFS,
		GFP_NOIO,
		GFP_KERNEL | __GFP_NOFAIL,
		GFP_KERNEL | __GFP_NORETRY,
		GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN,
		GFP_KERNEL | __GFP_THISNODE,
		GFP_USER,
	};
	unsigned int i, k;

	for (k = 0; k < 2; k++) {
		if (k)
			qt_longest_run(test, 16);
		for (i = 0; i < ARRAY_SIZE(gfp); i++) {
			void *p = quarry_vmalloc(300000, gfp[i]);

			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_EXPECT_EQ(test, k, is_vmalloc_addr(p));
			quarry_free(p);
		}
	}
}

/* The walker checks an object's pages, their order and their number. */
static void the_walker_sees_it(struct kunit *test)
{
	struct quarry_validation *v = qt_array(test, 1, sizeof(*v));
	struct qr_slab *slab;
	void *p;

	qt_longest_run(test, 16);
	p = qt_mapped(test, SZ_64K);
	slab = qr_mapped_of(p);
	swap(slab->pages[2], slab->pages[3]);
	KUNIT_EXPECT_EQ(test, -EUCLEAN, qr_validate(v));
	KUNIT_EXPECT_EQ(test, 2, v->errors);
	swap(slab->pages[2], slab->pages[3]);
	KUNIT_EXPECT_EQ(test, 0, qr_validate(v));
	slab->run.nr--;
	KUNIT_EXPECT_EQ(test, -EUCLEAN, qr_validate(v));
	KUNIT_EXPECT_EQ(test, 1, v->errors);
	slab->run.nr++;
	KUNIT_EXPECT_EQ(test, 0, qr_validate(v));
	quarry_free(p);
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(runs_of_any_length),
				     KUNIT_CASE_SLOW(in_mixed_chunks),
				     KUNIT_CASE(in_a_row_where_that_is_easy),
				     KUNIT_CASE(zeroed),
				     KUNIT_CASE(what_cannot_be),
				     KUNIT_CASE(flags),
				     KUNIT_CASE(the_walker_sees_it),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite mapped_suite = {
	.name = "quarry_mapped",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(mapped_suite);
