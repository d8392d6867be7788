// SPDX-License-Identifier: GPL-2.0
/* Sampling of reserves: the profile shows an object first at its filler, then at its taker. */
#include "tests/api/reserve_util.h"

#include "slab/sizeclass.h"

#define N 100

static noinline void filler(struct kunit *test, struct quarry_reserve *r,
			    struct quarry_cache *cache, unsigned int n)
{
	KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(r, cache, n, GFP_KERNEL));
}

static noinline void *taker(struct quarry_reserve *r)
{
	void *p = quarry_reserve_alloc(r);

	OPTIMIZER_HIDE_VAR(p); /* prevents a tail call, so that this function is in the stack */
	return p;
}

static void site_of(struct kunit *test, struct quarry_cache *cache, const char *function,
		    struct quarry_site *sum)
{
	struct quarry_profile *p = qr_profile_take(qp_id(cache), false);
	u32 i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < p->nr; i++) {
		if (!p->site[i].id || !qp_stack_has(p->site[i].stack, function))
			continue;
		sum->alloc.samples += p->site[i].alloc.samples;
		sum->alloc.objects += p->site[i].alloc.objects;
		sum->alloc.var_objects += p->site[i].alloc.var_objects;
		sum->inuse.objects += p->site[i].inuse.objects;
		sum->inuse.var_objects += p->site[i].inuse.var_objects;
		sum->asked += p->site[i].asked;
	}
	qr_profile_free(p);
}

static void exact_at_a_rate_of_one(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 61, NULL);
	void **objs = qt_array(test, N, sizeof(*objs));
	struct quarry_reserve *r = qs_reserve(test);
	struct quarry_site by_filler, by_taker;
	struct qp_books books;
	unsigned int i;

	qp_cache_rate(test, cache, 1);
	qp_books_open(test, &books, cache);
	filler(test, r, cache, N);
	qp_books_agree(test, &books, N * 61);
	for (i = 0; i < N / 2; i++) {
		objs[i] = taker(r);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	qp_books_agree(test, &books, N * 61);
	site_of(test, cache, "filler", &by_filler);
	site_of(test, cache, "taker", &by_taker);
	KUNIT_EXPECT_EQ(test, qp_objects(N), by_filler.alloc.objects);
	KUNIT_EXPECT_EQ(test, qp_objects(N / 2), by_filler.inuse.objects);
	KUNIT_EXPECT_EQ(test, N / 2 * 61, by_filler.asked);
	KUNIT_EXPECT_EQ(test, qp_objects(N / 2), by_taker.alloc.objects);
	KUNIT_EXPECT_EQ(test, qp_objects(N / 2), by_taker.inuse.objects);
	KUNIT_EXPECT_EQ(test, N / 2 * 61, by_taker.asked);
	qp_expect_all_found(test);
	qt_free_n(cache, objs, N / 2);
	quarry_reserve_return(r);
	qp_books_agree(test, &books, 0);
	site_of(test, cache, "taker", &by_taker);
	KUNIT_EXPECT_EQ(test, 0, by_taker.inuse.objects);
}

/* With quarry_reserve_fill_size() the profile knows the sizes given and asked for. */
static void of_malloc_as_asked(struct kunit *test)
{
	u32 id = qp_id(qr_class_cache[qr_class_for(100)]);
	struct quarry_reserve *r = qs_reserve(test);
	struct quarry_site was, sum;
	void *p[N / 2];
	unsigned int i;

	qp_rate(test, 1);
	qp_now(test, id, &was);
	KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill_size(r, 100, N, GFP_KERNEL));
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = taker(r);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
	}
	qp_now(test, id, &sum);
	KUNIT_EXPECT_EQ(test, was.inuse.objects + qp_objects(N), sum.inuse.objects);
	KUNIT_EXPECT_EQ(test, was.inuse.space + N * quarry_usable_size(p[0]), sum.inuse.space);
	KUNIT_EXPECT_EQ(test, was.asked + N * 100, sum.asked);
	quarry_free_bulk(ARRAY_SIZE(p), p);
}

static void neither_site_is_favoured(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned int n = 200, rounds = 200, round, i;
	void **objs = qt_array(test, n * rounds, sizeof(*objs));
	struct quarry_reserve *r = qs_reserve(test);
	struct quarry_site by_filler, by_taker;
	u64 held = 0, taken = 0;

	qp_cache_rate(test, cache, 1000);
	for (round = 0; round < rounds; round++) {
		filler(test, r, cache, n);
		for (i = 0; i < n / 2; i++, taken++) {
			void *p = taker(r);

			KUNIT_ASSERT_NOT_NULL(test, p);
			if (i % 4)
				quarry_cache_free(cache, p);
			else
				objs[held++] = p;
		}
	}
	site_of(test, cache, "filler", &by_filler);
	site_of(test, cache, "taker", &by_taker);
	qp_expect_near(test, &by_filler.alloc, taken + n / 2);
	qp_expect_near(test, &by_filler.inuse, n / 2);
	qp_expect_near(test, &by_taker.alloc, taken);
	qp_expect_near(test, &by_taker.inuse, held);
	KUNIT_EXPECT_EQ(test, held + n / 2, qt_sum(cache).live_objects);
	qt_free_n(cache, objs, held);
}

static struct kunit_case cases[] = { KUNIT_CASE(exact_at_a_rate_of_one),
				     KUNIT_CASE(of_malloc_as_asked),
				     KUNIT_CASE(neither_site_is_favoured),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite reserve_profile_suite = {
	.name = "quarry_reserve_profile",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(reserve_profile_suite);
