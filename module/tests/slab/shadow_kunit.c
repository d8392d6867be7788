// SPDX-License-Identifier: GPL-2.0
/*
 * What KASAN is told of guarded objects.  The cases read the shadow and touch nothing that is
 * hidden, so there is no report.  selftests/kasan.sh has those.
 */
#include "tests/kunit_util.h"

#include <linux/kasan.h>
#include <linux/string.h>
#include <quarry/misuse.h>
#include "tests/slab/guard_util.h"

#define FREE	 0xfb
#define RED_ZONE 0xfc

/* May this byte be used? */
static __no_sanitize_address bool is_open(const void *p)
{
#ifdef CONFIG_KASAN_GENERIC
	u8 shadow = READ_ONCE(*(u8 *)kasan_mem_to_shadow(p));

	return shadow < 8 && (!shadow || (unsigned long)p % 8 < shadow);
#else
	return true;
#endif
}

static __no_sanitize_address u8 shadow_of(const void *p)
{
#ifdef CONFIG_KASAN_GENERIC
	return READ_ONCE(*(u8 *)kasan_mem_to_shadow(p));
#else
	return 0;
#endif
}

static unsigned int count_open(const void *p, size_t n)
{
	unsigned int open = 0;

	while (n--)
		open += is_open(p++);
	return open;
}

static int need_kasan(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_KASAN_GENERIC))
		kunit_skip(test, "the kernel has no KASAN");
	return 0;
}

static void live_and_free(struct kunit *test)
{
	static const unsigned int sizes[] = { 1, 7, 8, 50, 64, 4096, QR_MAX_OBJECT - QR_RED_ZONE };
	unsigned int i, stride;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct quarry_cache *cache = qt_cache(test, sizes[i], &qt_poison_and_red_zone);
		void *p = quarry_cache_alloc(cache, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, p);
		stride = qr_cache_of(cache)->geo.stride;
		KUNIT_EXPECT_EQ(test, sizes[i], count_open(p, stride));
		KUNIT_EXPECT_TRUE(test, is_open(p + sizes[i] - 1));
		KUNIT_EXPECT_EQ(test, RED_ZONE, shadow_of(p + stride - 1));
		quarry_cache_free(cache, p);
		KUNIT_EXPECT_EQ(test, 0, count_open(p, stride));
		KUNIT_EXPECT_EQ(test, FREE, shadow_of(p));
		KUNIT_EXPECT_EQ(test, FREE, shadow_of(p + stride - 1));
	}
}

static void number(void *obj)
{
	*(u64 *)obj = 4711;
}

/* A constructor and a reader of free objects meet what they may touch. */
static void whoever_may_look(struct kunit *test)
{
	struct quarry_cache_args made = { .flags = QUARRY_RED_ZONE, .ctor = number };
	struct quarry_cache_args read = { .flags = QUARRY_RED_ZONE | QUARRY_TYPESAFE_BY_RCU };
	struct quarry_cache *cache = qt_cache(test, 64, &made);
	u64 *p = quarry_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, 4711, *p);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 0, count_open(p, 72));
	cache = qt_cache(test, 64, &read);
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	*p = 42;
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 64, count_open(p, 72));
	KUNIT_EXPECT_EQ(test, 42, *p);
}

/* What a cache hid is open again when its pages are somebody else's. */
static void pages_that_go(struct kunit *test)
{
	struct quarry_cache *cache = quarry_cache_create("gone", 50, &qt_poison_and_red_zone);
	void *p, *page;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	page = (void *)((unsigned long)p & PAGE_MASK);
	KUNIT_EXPECT_EQ(test, p ? 50 : 0, count_open(page, PAGE_SIZE));
	quarry_cache_free(cache, p);
	quarry_cache_destroy(cache);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NULL(test, qr_slab_of(p));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, count_open(page, PAGE_SIZE));
}

static void of_a_twin(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned int id = qr_cache_of(cache)->id;
	void *p;

	KUNIT_ASSERT_EQ(test, 0,
			qr_cache_check_set(id, QUARRY_CHECK_RED_ZONE | QUARRY_CHECK_POISON));
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, 64, count_open(p, 72));
	KUNIT_EXPECT_EQ(test, 0, count_open(p + 64, 8));
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 0, count_open(p, 72));
	KUNIT_EXPECT_EQ(test, 0, qr_cache_check_set(id, 0));
}

/* Nothing is hidden of objects without guards. */
static void others(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void *p = quarry_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 64, count_open(p, 64));
}

static struct kunit_case cases[] = { KUNIT_CASE(live_and_free),
				     KUNIT_CASE(whoever_may_look),
				     KUNIT_CASE(pages_that_go),
				     KUNIT_CASE(of_a_twin),
				     KUNIT_CASE(others),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite suite = {
	.name = "quarry_shadow",
	.suite_init = qt_suite_init,
	.init = need_kasan,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
