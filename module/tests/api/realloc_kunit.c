// SPDX-License-Identifier: GPL-2.0
/* quarry_realloc(): the contents stay, and the statistics agree. */
#include "tests/profile_util.h"

#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>
#include "slab/mapped.h"
#include "slab/sizeclass.h"

static const size_t sizes[] = {
	1,     8,      100,   2000,  20000,	32768,	   32769,
	50000, 100000, SZ_1M, SZ_2M, SZ_2M + 1, 3 * SZ_1M, SZ_4M,
};

/*
 * Empties the page heap, so that allocations lie side by side from its start.  Stays on one CPU,
 * because the next allocation would else lie on another node.
 */
static void start_empty(struct kunit *test)
{
	qt_pin(test, 0);
	qr_drain_all();
	qr_heap_release_idle();
}

static void empty(struct kunit *test)
{
	struct quarry_stats *before = qt_stats(test), *st;
	void *p = quarry_realloc(NULL, 100, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, quarry_usable_size(p), qr_class_bytes(qr_class_for(100)));
	KUNIT_EXPECT_NULL(test, quarry_realloc(p, 0, GFP_KERNEL));
	p = quarry_realloc(NULL, 0, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, 4, quarry_usable_size(p));
	KUNIT_EXPECT_NULL(test, quarry_realloc(p, 0, GFP_KERNEL));
	p = quarry_realloc(NULL, 100000, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, qt_is_zero(p, 100000));
	KUNIT_EXPECT_NULL(test, quarry_realloc(p, 0, GFP_KERNEL));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->mallocs + 3, st->mallocs);
	KUNIT_EXPECT_EQ(test, before->frees + 3, st->frees);
}

/* Must the memory stay in its place? */
static bool has_room(size_t usable, size_t size)
{
	if (size > usable)
		return false;
	if (usable > QUARRY_MAX_SMALL)
		return size > usable / 2;
	return size > usable / 2 || qr_class_bytes(qr_class_for(size)) == usable;
}

static void from_each_size_to_each(struct kunit *test, bool is_mapped)
{
	unsigned int a, b, moved = 0;

	for (a = 0; a < ARRAY_SIZE(sizes); a++) {
		for (b = 0; b < ARRAY_SIZE(sizes); b++) {
			size_t from = sizes[a], to = sizes[b], usable, now;
			struct quarry_stats *before, *st;
			void *p, *q;

			p = is_mapped ? quarry_vmalloc(from, GFP_KERNEL) :
					quarry_malloc(from, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, p);
			usable = quarry_usable_size(p);
			qt_fill(p, from, a);
			before = qt_stats(test);
			q = quarry_realloc(p, to, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, q);
			now = quarry_usable_size(q);
			st = qt_stats(test);
			KUNIT_EXPECT_GE(test, now, to);
			KUNIT_EXPECT_TRUE_MSG(test, qt_is_filled(q, min(from, to) & ~7, a),
					      "%zu to %zu", from, to);
			if (has_room(usable, to))
				KUNIT_EXPECT_PTR_EQ_MSG(test, p, q, "%zu to %zu", from, to);
			/* A small object may have nearly twice the bytes that it needs. */
			KUNIT_EXPECT_LT_MSG(test, now, max(2 * to, to + PAGE_SIZE), "%zu to %zu",
					    from, to);
			KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
			KUNIT_EXPECT_EQ(test, before->live_bytes + now - usable, st->live_bytes);
			KUNIT_EXPECT_EQ(test, st->mallocs - before->mallocs,
					st->frees - before->frees);
			moved += p != q;
			qt_exit(test);
			quarry_free(q);
			kunit_kfree(test, before);
			kunit_kfree(test, st);
		}
	}
	kunit_info(test, "%u of %u moved\n", moved, a * b);
	KUNIT_EXPECT_LT(test, moved, a * b - a);
}

static void in_a_row(struct kunit *test)
{
	from_each_size_to_each(test, false);
}

static void mapped(struct kunit *test)
{
	qt_longest_run(test, 16);
	from_each_size_to_each(test, true);
	qr_mapped_flush();
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->mapped_objects);
}

static void *expect_stays(struct kunit *test, void *p, size_t size, gfp_t gfp)
{
	struct quarry_stats *before = qt_stats(test), *st;
	size_t was = quarry_usable_size(p);
	void *q = quarry_realloc(p, size, gfp);

	KUNIT_ASSERT_PTR_EQ_MSG(test, p, q, "%zu to %zu", was, size);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, PAGE_ALIGN(size), quarry_usable_size(q));
	KUNIT_EXPECT_EQ(test, before->large_objects, st->large_objects);
	KUNIT_EXPECT_EQ(test, before->large_bytes + PAGE_ALIGN(size) - was, st->large_bytes);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes + PAGE_ALIGN(size) - was, st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, before->chunks, st->chunks);
	qt_exit(test);
	return q;
}

static void large_stays_where_it_is(struct kunit *test)
{
	void *p, *q;

	start_empty(test);
	/* Fill two chunks that lie side by side. */
	p = quarry_malloc(SZ_4M, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	qt_fill(p, SZ_4M, 5);
	p = expect_stays(test, p, 100000, GFP_KERNEL);
	p = expect_stays(test, p, 200000, GFP_KERNEL);
	p = expect_stays(test, p, SZ_2M, GFP_KERNEL);
	p = expect_stays(test, p, 3 * SZ_1M, GFP_KERNEL); /* over the border of the chunks */
	p = expect_stays(test, p, SZ_4M, GFP_KERNEL);
	p = expect_stays(test, p, SZ_2M - PAGE_SIZE, GFP_KERNEL);
	p = expect_stays(test, p, SZ_2M + PAGE_SIZE, GFP_ATOMIC);
	p = expect_stays(test, p, SZ_2M + 1, GFP_ATOMIC); /* no page more or less */
	p = expect_stays(test, p, SZ_2M, GFP_KERNEL);
	p = expect_stays(test, p, SZ_4M, GFP_KERNEL); /* all of the second chunk */
	KUNIT_EXPECT_TRUE(test, qt_is_filled(p, 100000 & ~7, 5));
	/* Another object begins right behind it; free pages lie only behind that one. */
	p = expect_stays(test, p, 50000, GFP_KERNEL);
	q = quarry_malloc(QUARRY_MAX_SMALL + 1, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, p + PAGE_ALIGN(50000), q);
	qt_fill(q, QUARRY_MAX_SMALL, 6);
	p = expect_stays(test, p, 30000, GFP_KERNEL); /* small, but over half of it */
	p = expect_stays(test, p, 52000, GFP_KERNEL);
	p = quarry_realloc(p, 60000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_EQ(test, q + PAGE_ALIGN(QUARRY_MAX_SMALL + 1), p);
	KUNIT_EXPECT_TRUE(test, qt_is_filled(p, 30000, 5));
	KUNIT_EXPECT_TRUE(test, qt_is_filled(q, QUARRY_MAX_SMALL, 6));
	quarry_free(p);
	quarry_free(q);
}

/* Behind the end of the chunk are free pages, and then another object. */
static void up_to_the_next(struct kunit *test)
{
	void *p, *gap, *next;

	start_empty(test);
	p = quarry_malloc(SZ_4M, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	p = expect_stays(test, p, SZ_2M, GFP_KERNEL);
	gap = quarry_malloc(200 * PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, p + SZ_2M, gap);
	next = quarry_malloc(100000, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, gap + 200 * PAGE_SIZE, next);
	quarry_free(gap);
	p = expect_stays(test, p, SZ_2M + 200 * PAGE_SIZE, GFP_KERNEL);
	p = expect_stays(test, p, SZ_2M, GFP_KERNEL);
	qt_fill(p, SZ_2M, 1);
	qt_fill(next, 100000, 2);
	gap = quarry_realloc(p, SZ_2M + 200 * PAGE_SIZE + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, gap);
	KUNIT_EXPECT_PTR_NE(test, p, gap);
	KUNIT_EXPECT_TRUE(test, qt_is_filled(gap, SZ_2M, 1));
	KUNIT_EXPECT_TRUE(test, qt_is_filled(next, 100000, 2));
	quarry_free(gap);
	quarry_free(next);
}

/* In mixed chunks the pages behind the object are the kernel's, and so are those given back. */
static void in_mixed_chunks(struct kunit *test)
{
	u64 mixed;
	void *p;

	start_empty(test);
	qt_no_chunks(test);
	mixed = qt_stats(test)->mixed_bytes;
	p = quarry_malloc(63 * PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, mixed + 63 * PAGE_SIZE, qt_stats(test)->mixed_bytes);
	qt_fill(p, 63 * PAGE_SIZE, 1);
	/* Gives back 32 pages that do not begin at a multiple of 32 pages. */
	p = expect_stays(test, p, 31 * PAGE_SIZE, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, mixed + 31 * PAGE_SIZE, qt_stats(test)->mixed_bytes);
	p = quarry_realloc(p, 40 * PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, mixed + 40 * PAGE_SIZE, qt_stats(test)->mixed_bytes);
	KUNIT_EXPECT_TRUE(test, qt_is_filled(p, 31 * PAGE_SIZE, 1));
	quarry_free(p);
	KUNIT_EXPECT_EQ(test, mixed, qt_stats(test)->mixed_bytes);
}

/* The pages behind the last chunk are not ours. */
static void no_growth_over_the_end(struct kunit *test)
{
	void *p, *q;

	start_empty(test);
	p = quarry_malloc(SZ_4M, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	if (qr_chunk_index(p) + 2 < qr_directory->nr && qr_chunk_at(qr_chunk_index(p) + 2))
		kunit_skip(test, "there is a chunk behind it");
	q = quarry_realloc(p, SZ_4M + 1, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_EXPECT_PTR_NE(test, p, q);
	quarry_free(q ?: p);
}

static void zero_stays_zero(struct kunit *test)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_ZERO;
	size_t size = 100, most = 100;
	unsigned int i, stayed = 0;
	u8 *p, *was;

	p = quarry_zalloc(size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0xa5, size);
	for (i = 0; i < 300; i++) {
		if (i == 100)
			qt_longest_run(test, 16); /* from here on, large sizes are mapped */
		was = p;
		/* Sizes of every order of magnitude, up to 4 MiB. */
		size = 1 + get_random_u32_below(1 << (3 + get_random_u32_below(20)));
		p = i % 25 ? quarry_realloc(p, size, gfp) : NULL;
		if (!p) {
			quarry_free(was);
			p = quarry_vmalloc(size, gfp);
			most = 0;
		}
		KUNIT_ASSERT_NOT_NULL(test, p);
		stayed += p == was;
		most = min(most, size);
		KUNIT_ASSERT_NULL_MSG(test, memchr_inv(p, 0xa5, most), "step %u", i);
		KUNIT_ASSERT_TRUE_MSG(test, qt_is_zero(p + most, quarry_usable_size(p) - most),
				      "step %u: %zu bytes, %zu in use", i, size, most);
		memset(p, 0xa5, size);
		most = size;
	}
	kunit_info(test, "%u of %u stayed\n", stayed, i);
	quarry_free(p);
}

static void what_cannot_be(struct kunit *test)
{
	static const size_t wrong[] = { QUARRY_MAX_LARGE + 1, SIZE_MAX, SIZE_MAX - PAGE_SIZE + 2 };
	static const size_t from[] = { 100, 100000 };
	unsigned int i, k;

	for (k = 0; k < 3; k++) {
		void *p;

		if (k == 2)
			qt_longest_run(test, 16);
		p = k == 2 ? quarry_vmalloc(SZ_1M, GFP_KERNEL) : quarry_malloc(from[k], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		qt_fill(p, 100, 1);
		for (i = k == 2; i < ARRAY_SIZE(wrong); i++) {
			struct quarry_stats *before = qt_stats(test), *st;

			KUNIT_EXPECT_NULL(test,
					  quarry_realloc(p, wrong[i], GFP_KERNEL | __GFP_NOWARN));
			st = qt_stats(test);
			KUNIT_EXPECT_EQ(test, before->failed_allocs + 1, st->failed_allocs);
			KUNIT_EXPECT_EQ(test, before->live_bytes, st->live_bytes);
			KUNIT_EXPECT_TRUE(test, qt_is_filled(p, 100, 1));
		}
		quarry_free(p);
	}
}

static void misuse(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	struct quarry_stats *before, *st;
	void *p, *large, *theirs = kunit_kzalloc(test, 100, GFP_KERNEL);

	p = quarry_cache_alloc(cache, GFP_KERNEL);
	large = quarry_malloc(100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, large);
	qt_fill(p, 200, 1);
	before = qt_stats(test);
	KUNIT_EXPECT_NULL(test, quarry_realloc(p, 100, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, quarry_realloc(p, 0, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, quarry_realloc(p, 5000, GFP_KERNEL));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->frees, st->frees);
	KUNIT_EXPECT_EQ(test, before->mallocs, st->mallocs);
	KUNIT_EXPECT_TRUE(test, qt_is_filled(p, 200, 1));

	KUNIT_EXPECT_NULL(test, quarry_realloc(theirs, 100, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, quarry_realloc(theirs, 0, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, quarry_realloc(large + 8, 50000, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, quarry_realloc(large + PAGE_SIZE, 200000, GFP_KERNEL));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_foreign + 2, st->misuse_foreign);
	KUNIT_EXPECT_EQ(test, before->misuse_interior + 2, st->misuse_interior);
	KUNIT_EXPECT_EQ(test, before->frees, st->frees);
	KUNIT_EXPECT_EQ(test, 200, quarry_usable_size(p));
	KUNIT_EXPECT_EQ(test, PAGE_ALIGN(100000), quarry_usable_size(large));
	quarry_cache_free(cache, p);
	quarry_free(large);
}

static void without_sleep(struct kunit *test)
{
	void *p[3];
	unsigned int i;

	qt_skip_on_rt(test);
	p[0] = quarry_malloc(100, GFP_KERNEL);
	p[1] = quarry_malloc(100000, GFP_KERNEL);
	qt_longest_run(test, 16);
	p[2] = quarry_vmalloc(100000, GFP_KERNEL);
	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		qt_fill(p[i], 100, i);
	}
	preempt_disable();
	for (i = 0; i < 3; i++) {
		p[i] = quarry_realloc(p[i], 3000, GFP_ATOMIC) ?: p[i];
		p[i] = quarry_realloc(p[i], SZ_1M, GFP_ATOMIC) ?: p[i];
	}
	preempt_enable();
	qr_mapped_flush();
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->mapped_objects);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, SZ_1M, quarry_usable_size(p[i]));
		KUNIT_EXPECT_TRUE(test, qt_is_filled(p[i], 96, i));
		quarry_free(p[i]);
	}
}

/* --- The profile --- */

/* With every object sampled, the profile shows the present size of @p. */
static void expect_sampled(struct kunit *test, const struct quarry_site *was, void *p, size_t size,
			   unsigned int samples)
{
	struct quarry_site now;

	qp_now(test, 0, &now);
	KUNIT_EXPECT_EQ(test, was->inuse.samples + !!p, now.inuse.samples);
	KUNIT_EXPECT_EQ(test, was->inuse.space + quarry_usable_size(p), now.inuse.space);
	KUNIT_EXPECT_EQ(test, was->asked + size, now.asked);
	KUNIT_EXPECT_EQ(test, was->alloc.samples + samples, now.alloc.samples);
	qp_expect_all_found(test);
	qt_exit(test);
}

static void sampled(struct kunit *test)
{
	struct quarry_site was;
	void *p, *q;

	start_empty(test);
	q = quarry_malloc(SZ_4M, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	quarry_free(q);
	qp_rate(test, 1);
	qp_now(test, 0, &was);
	q = quarry_malloc(100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	expect_sampled(test, &was, q, 100000, 1);
	p = expect_stays(test, q, 3 * SZ_1M, GFP_KERNEL);
	expect_sampled(test, &was, p, 3 * SZ_1M, 2);
	p = expect_stays(test, p, 90000, GFP_KERNEL);
	expect_sampled(test, &was, p, 90000, 3);
	p = expect_stays(test, p, 90001, GFP_KERNEL); /* the same pages: not a new allocation */
	expect_sampled(test, &was, p, 90000, 3);
	quarry_free(p);
	expect_sampled(test, &was, NULL, 0, 3);

	qt_longest_run(test, 16);
	p = quarry_vmalloc(SZ_1M, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(p));
	expect_sampled(test, &was, p, SZ_1M, 4);
	p = quarry_realloc(p, SZ_4M, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	expect_sampled(test, &was, p, SZ_4M, 5);
	quarry_free(p);
	expect_sampled(test, &was, NULL, 0, 5);
	qt_longest_run(test, QR_CHUNK_PAGES);

	/* An object is sampled anew when it grows, whether or not it was sampled before. */
	qr_rate_set(0);
	q = quarry_malloc(100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	qr_rate_set(1);
	p = expect_stays(test, q, 200000, GFP_KERNEL);
	expect_sampled(test, &was, p, 200000, 6);
	qr_rate_set(0);
	p = expect_stays(test, p, 300000, GFP_KERNEL);
	expect_sampled(test, &was, NULL, 0, 6);
	quarry_free(p);
}

static struct kunit_case cases[] = { KUNIT_CASE(empty),
				     KUNIT_CASE_SLOW(in_a_row),
				     KUNIT_CASE_SLOW(mapped),
				     KUNIT_CASE(large_stays_where_it_is),
				     KUNIT_CASE(up_to_the_next),
				     KUNIT_CASE(in_mixed_chunks),
				     KUNIT_CASE(no_growth_over_the_end),
				     KUNIT_CASE_SLOW(zero_stays_zero),
				     KUNIT_CASE(what_cannot_be),
				     KUNIT_CASE(misuse),
				     KUNIT_CASE(without_sleep),
				     KUNIT_CASE(sampled),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite realloc_suite = {
	.name = "quarry_realloc",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(realloc_suite);
