// SPDX-License-Identifier: GPL-2.0
/* Sampling rates: which caches they apply to, and that they take effect at once. */
#include "tests/profile_util.h"

#include <linux/err.h>

#define N 40

static u64 samples_of(struct kunit *test, u32 id)
{
	struct quarry_site sum;

	qp_now(test, id, &sum);
	return sum.alloc.samples;
}

/* Makes N allocations, of which @samples must be sampled. */
static void expect_sampled(struct kunit *test, struct quarry_cache *cache, unsigned int samples)
{
	u64 before = samples_of(test, qp_id(cache));
	void *objs[N];
	unsigned int i;

	for (i = 0; i < N; i++) {
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	KUNIT_EXPECT_EQ(test, before + samples, samples_of(test, qp_id(cache)));
	for (i = 0; i < N; i++)
		quarry_cache_free(cache, objs[i]);
}

static void expect_rate(struct kunit *test, struct quarry_cache *cache, u32 rate, bool own)
{
	bool is_own = !own;
	u32 is = ~rate;

	KUNIT_EXPECT_EQ(test, 0, qr_cache_rate_get(qp_id(cache), &is, &is_own));
	KUNIT_EXPECT_EQ(test, rate, is);
	KUNIT_EXPECT_EQ(test, own, is_own);
}

static void off_means_nothing(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	u64 before = qp_counts().samples;
	void *p;

	KUNIT_EXPECT_EQ(test, 0, qr_rate_get());
	expect_sampled(test, cache, 0);
	quarry_cache_free(cache, quarry_cache_alloc_node(cache, GFP_KERNEL, qp_last_node()));
	p = quarry_malloc(SZ_2M, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, p);
	quarry_free(p);
	quarry_free(quarry_malloc(200, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, before, qp_counts().samples);
	KUNIT_EXPECT_EQ(test, 0, qp_counts().live_samples);
	KUNIT_EXPECT_EQ(test, 0, qp_counts().live_space);
	/* All were from the magazine, except the one from a node that may be another. */
	KUNIT_EXPECT_LE(test, qt_sum(cache).direct_allocs, 1);
}

static void one_cache_alone(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL), *rest = qt_cache(test, 64, NULL);

	expect_rate(test, cache, 0, false);
	qp_cache_rate(test, cache, 1);
	expect_rate(test, cache, 1, true);
	expect_rate(test, rest, 0, false);
	expect_sampled(test, cache, N);
	expect_sampled(test, rest, 0);
	KUNIT_EXPECT_EQ(test, 0, qr_cache_rate_set(qp_id(cache), 1, false));
	expect_rate(test, cache, 0, false);
	expect_sampled(test, cache, 0);
}

static void all_but_one(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL), *rest = qt_cache(test, 64, NULL);

	qp_cache_rate(test, cache, 0);
	qp_rate(test, 1);
	KUNIT_EXPECT_EQ(test, 1, qr_rate_get());
	expect_rate(test, cache, 0, true);
	expect_rate(test, rest, 1, false);
	expect_sampled(test, cache, 0);
	expect_sampled(test, rest, N);
	KUNIT_EXPECT_EQ(test, 0, qr_cache_rate_set(qp_id(cache), 0, false));
	expect_rate(test, cache, 1, false);
	expect_sampled(test, cache, N);
	/* The cache has a rate of its own again, which the rate of all caches does not change. */
	qp_cache_rate(test, cache, 1);
	qr_rate_set(0);
	expect_rate(test, cache, 1, true);
	expect_sampled(test, cache, N);
	expect_sampled(test, rest, 0);
}

static void never_sampled(struct kunit *test)
{
	struct quarry_cache_args args = { .flags = QUARRY_NO_SAMPLE };
	struct quarry_cache *early = qt_cache(test, 64, &args), *late;
	void *p;

	qp_rate(test, 1);
	late = qt_cache(test, 64, &args);
	expect_rate(test, early, 0, true);
	expect_rate(test, late, 0, true);
	expect_sampled(test, early, 0);
	expect_sampled(test, late, 0);
	p = quarry_cache_alloc_node(late, GFP_KERNEL | __GFP_THISNODE, qp_last_node());
	KUNIT_EXPECT_EQ(test, 0, samples_of(test, qp_id(late)));
	quarry_cache_free(late, p);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, qr_cache_rate_set(qp_id(late), 1, true));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, qr_cache_rate_set(qp_id(late), 1, false));
	expect_rate(test, late, 0, true);
	expect_sampled(test, late, 0);
}

static void no_such_cache(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	u32 id = qp_id(cache), rate;
	bool own;

	qt_cache_destroy(test, cache);
	KUNIT_EXPECT_EQ(test, -ENOENT, qr_cache_rate_get(id, &rate, &own));
	KUNIT_EXPECT_EQ(test, -ENOENT, qr_cache_rate_set(id, 1, true));
	KUNIT_EXPECT_EQ(test, -ENOENT, PTR_ERR(qr_profile_take(id, false)));
}

/* A new cache has the rate of all caches from its first allocation on. */
static void new_caches_begin_with_it(struct kunit *test)
{
	struct quarry_profile *p;
	struct quarry_cache *cache;
	u32 i;

	qp_rate(test, 1);
	cache = qt_cache(test, 64, NULL);
	expect_rate(test, cache, 1, false);
	expect_sampled(test, cache, N);
	expect_sampled(test, qt_cache(test, 64, NULL), N);
	p = qp_take(test, qp_id(cache), false);
	KUNIT_EXPECT_EQ(test, qp_id(cache), p->cache);
	KUNIT_EXPECT_EQ(test, 1, p->rate);
	KUNIT_EXPECT_EQ(test, 1, p->nr);
	for (i = 0; i < p->nr; i++) {
		KUNIT_EXPECT_EQ(test, qp_id(cache), p->site[i].cache);
		KUNIT_EXPECT_EQ(test, N, p->site[i].alloc.samples);
		KUNIT_EXPECT_STREQ(test, test->name, p->site[i].cache_name);
	}
}

/* A new rate replaces the countdowns of all CPUs, which the old rate has made long. */
static void at_once_and_everywhere(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL), *own = qt_cache(test, 64, NULL);
	struct quarry_cache *class = qr_class_cache[qr_class_const(64)];
	static const u32 before[] = { 0, 1U << 30, U32_MAX, 1 };
	unsigned int i, cpu;
	void *p;
	u64 n;

	qp_rate(test, 0);
	for (i = 0; i < ARRAY_SIZE(before); i++) {
		qr_rate_set(before[i]);
		qp_cache_rate(test, own, before[i]);
		for_each_online_cpu(cpu) {
			qt_pin(test, cpu);
			/* At large rates one run in 100,000 samples an object by chance. */
			expect_sampled(test, cache, before[i] == 1 ? N : 0);
			expect_sampled(test, own, before[i] == 1 ? N : 0);
		}
		qr_rate_set(1);
		qp_cache_rate(test, own, 1);
		for_each_online_cpu(cpu) {
			qt_pin(test, cpu);
			expect_sampled(test, cache, N);
			expect_sampled(test, own, N);
			expect_sampled(test, class, N);
		}
		n = samples_of(test, 0);
		p = quarry_malloc(50000, GFP_KERNEL);
		quarry_free(p);
		KUNIT_EXPECT_EQ(test, n + 1, samples_of(test, 0));
		qr_rate_set(0);
		qp_cache_rate(test, own, 0);
		for_each_online_cpu(cpu) {
			qt_pin(test, cpu);
			expect_sampled(test, cache, 0);
			expect_sampled(test, own, 0);
			expect_sampled(test, class, 0);
		}
	}
	/* Countdowns also count allocations, so the books must still balance. */
	qt_exit(test);
}

static void rates_as_people_write_them(struct kunit *test)
{
	static const struct {
		const char *text;
		int err;
		u32 rate;
	} all[] = {
		{ "0", 0, 0 },
		{ "1", 0, 1 },
		{ "off", 0, 0 },
		{ "off\n", 0, 0 },
		{ "default", 0, QUARRY_RATE_DEFAULT },
		{ " 4096\n", 0, 4096 },
		{ "512K", 0, 512 << 10 },
		{ "2M\n", 0, 2 << 20 },
		{ "3G", 0, 3U << 30 },
		{ "4294967295", 0, U32_MAX },
		{ "4294967296", -ERANGE },
		{ "4G", -ERANGE },
		{ "18446744073709551617", -ERANGE },
		{ "0x100", -EINVAL },
		{ "", -EINVAL },
		{ "\n", -EINVAL },
		{ "-1", -EINVAL },
		{ "12 13", -EINVAL },
		{ "512KB", -EINVAL },
		{ "K", -EINVAL },
		{ "offer", -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		u32 rate = 77;

		KUNIT_EXPECT_EQ_MSG(test, all[i].err, qr_rate_parse(all[i].text, &rate), "%s",
				    all[i].text);
		KUNIT_EXPECT_EQ_MSG(test, all[i].err ? 77 : all[i].rate, rate, "%s", all[i].text);
	}
}

static struct kunit_case cases[] = { KUNIT_CASE(off_means_nothing),
				     KUNIT_CASE(one_cache_alone),
				     KUNIT_CASE(all_but_one),
				     KUNIT_CASE(never_sampled),
				     KUNIT_CASE(no_such_cache),
				     KUNIT_CASE(new_caches_begin_with_it),
				     KUNIT_CASE(at_once_and_everywhere),
				     KUNIT_CASE(rates_as_people_write_them),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite rate_suite = {
	.name = "quarry_profile_rate",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(rate_suite);
