// SPDX-License-Identifier: GPL-2.0
/*
 * Guards, red zones and poison: which bytes objects have, and which writes are noticed.  Also other
 * flags of caches.  See guard_paths_kunit.c for the functions that check.
 */
#include "tests/kunit_util.h"

#include <linux/mmzone.h>
#include <linux/string.h>
#include <linux/vmstat.h>
#include "tests/slab/guard_util.h"

static const struct quarry_cache_args poison = { .flags = QUARRY_POISON };
static const struct quarry_cache_args red_zone = { .flags = QUARRY_RED_ZONE };

static void refused(struct kunit *test, unsigned int size, struct quarry_cache_args args)
{
	KUNIT_EXPECT_NULL(test, quarry_cache_create("refused", size, &args));
}

static void nothing(void *obj)
{
}

static void what_does_not_go_together(struct kunit *test)
{
	refused(test, 64, (struct quarry_cache_args){ .flags = QUARRY_POISON, .ctor = nothing });
	refused(test, 64,
		(struct quarry_cache_args){ .flags = QUARRY_POISON | QUARRY_TYPESAFE_BY_RCU });
	refused(test, QR_MAX_OBJECT, red_zone);
	refused(test, QR_MAX_OBJECT - QR_RED_ZONE + 1, red_zone);
	refused(test, 64,
		(struct quarry_cache_args){ .flags = QUARRY_RED_ZONE, .align = 2 * QR_MAX_ALIGN });
	refused(test, 64, (struct quarry_cache_args){ .usersize = 65 });
	refused(test, 64, (struct quarry_cache_args){ .useroffset = 1, .usersize = 64 });
	refused(test, 64, (struct quarry_cache_args){ .useroffset = ~0u, .usersize = 1 });
}

static void part_for_user_space(struct kunit *test)
{
	struct quarry_cache_args args = { .useroffset = 4, .usersize = 60 };
	struct quarry_cache *cache = qt_cache(test, 64, &args);

	KUNIT_EXPECT_EQ(test, 4, qt_sum(cache).useroffset);
	KUNIT_EXPECT_EQ(test, 60, qt_sum(cache).usersize);
}

static void what_is_in_them(struct kunit *test)
{
	static const unsigned int sizes[] = {
		1, 8, 60, 64, 100, 4096, QR_MAX_OBJECT - QR_RED_ZONE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct quarry_cache *cache = qt_cache(test, sizes[i], &qt_poison_and_red_zone);
		struct qt_seen before = qt_seen(test);
		u8 *p = quarry_cache_alloc(cache, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_EQ(test, sizes[i], quarry_usable_size(p));
		KUNIT_EXPECT_TRUE(test, qt_is_all(p, POISON_INUSE, sizes[i]) ||
						(static_key_enabled(&init_on_alloc) &&
						 qt_is_all(p, 0, sizes[i])));
		KUNIT_EXPECT_TRUE(test, qt_is_all(p + sizes[i], SLUB_RED_ACTIVE, QR_RED_ZONE));
		memset(p, 0xff, sizes[i]);
		quarry_cache_free(cache, p);
		KUNIT_EXPECT_TRUE(test, qt_is_poisoned(p, sizes[i]));
		KUNIT_EXPECT_TRUE(test, qt_is_all(p + sizes[i], SLUB_RED_INACTIVE, QR_RED_ZONE));
		p = quarry_cache_zalloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_TRUE(test, qt_is_all(p, 0, sizes[i]));
		KUNIT_EXPECT_TRUE(test, qt_is_all(p + sizes[i], SLUB_RED_ACTIVE, QR_RED_ZONE));
		quarry_free_sensitive(p);
		KUNIT_EXPECT_TRUE(test, qt_is_poisoned(p, sizes[i]));
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).cached_objects);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).magazine);
		qt_expect_seen(test, before, 0, 0, 0);
		qt_cache_destroy(test, cache);
		qt_expect_seen(test, before, 0, 0, 0);
	}
}

static unsigned int constructed;

static void construct(void *obj)
{
	memset(obj, 0xc7, 60);
	constructed++;
}

/* With a red zone only, no other byte of an object is written: RCU readers may look at it. */
static void red_zone_alone(struct kunit *test)
{
	struct quarry_cache_args args = {
		.flags = QUARRY_RED_ZONE | QUARRY_TYPESAFE_BY_RCU,
		.ctor = construct,
	};
	struct quarry_cache *cache = qt_cache(test, 60, &args);
	struct qt_seen before = qt_seen(test);
	u8 *p;

	constructed = 0;
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, constructed, qt_sum(cache).capacity_objects);
	KUNIT_EXPECT_TRUE(test, qt_is_all(p, 0xc7, 60));
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_TRUE(test, qt_is_all(p, 0xc7, 60));
	KUNIT_EXPECT_TRUE(test, qt_is_all(p + 60, SLUB_RED_INACTIVE, QR_RED_ZONE));
	qt_expect_seen(test, before, 0, 0, 0);
}

static void written_behind_the_end(struct kunit *test)
{
	static const unsigned int sizes[] = { 1, 60, 64, 4096 };
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct quarry_cache *cache = qt_cache(test, sizes[i], &red_zone);
		unsigned int end = qr_cache_of(cache)->geo.stride;
		u8 *p = quarry_cache_alloc(cache, GFP_KERNEL), was;

		KUNIT_ASSERT_NOT_NULL(test, p);
		/* Change each byte of the red zone, up to the next object. */
		KUNIT_ASSERT_GE(test, end, sizes[i] + QR_RED_ZONE);
		for (k = sizes[i]; k < end; k++) {
			struct qt_seen before = qt_seen(test);

			was = p[k];
			p[k] ^= 1;
			quarry_cache_free(cache, p);
			qt_expect_seen(test, before, 1, 0, 1);
			KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
			KUNIT_EXPECT_EQ(test, was ^ 1, p[k]);
			p[k] = was;
		}
		quarry_cache_free(cache, p);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
		qt_cache_destroy(test, cache);
	}
}

/* A double or interior free is reported as that only, and does not change the guard's bytes. */
static void free_twice_is_nothing_else(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, &qt_poison_and_red_zone);
	u64 doubles = qt_stats(test)->misuse_double_free;
	u64 interior = qt_stats(test)->misuse_interior;
	struct qt_seen before = qt_seen(test);
	u8 *p = quarry_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	quarry_cache_free(cache, p + 8);
	KUNIT_EXPECT_EQ(test, interior + 1, qt_stats(test)->misuse_interior);
	KUNIT_EXPECT_TRUE(test, qt_is_all(p + 64, SLUB_RED_ACTIVE, QR_RED_ZONE));
	quarry_cache_free(cache, p);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, doubles + 1, qt_stats(test)->misuse_double_free);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	qt_expect_seen(test, before, 0, 0, 1); /* the interior free leaks */
}

static bool has(void **objs, unsigned int n, const void *p)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (objs[i] == p)
			return true;
	return false;
}

/* Allocate all free objects of the cache; @bad must not be among them. */
static void expect_not_given(struct kunit *test, struct quarry_cache *cache, const void *bad)
{
	unsigned int n = qt_sum(cache).capacity_objects - qt_sum(cache).live_objects;
	void **objs = qt_array(test, n, sizeof(*objs));

	KUNIT_ASSERT_EQ(test, n - 1, quarry_cache_alloc_bulk(cache, GFP_KERNEL, n - 1, objs));
	KUNIT_EXPECT_FALSE(test, has(objs, n - 1, bad));
	quarry_cache_free_bulk(cache, n - 1, objs);
}

static void written_to_when_free(struct kunit *test)
{
	static const unsigned int places[] = { 0, 31, 62, 63, 64, 64 + QR_RED_ZONE - 1 };
	struct quarry_cache *cache = qt_cache(test, 64, &qt_poison_and_red_zone);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		bool red = places[i] >= 64;
		struct qt_seen before;
		u8 *p, was;

		p = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		quarry_cache_free(cache, p);
		before = qt_seen(test);
		was = p[places[i]];
		p[places[i]] = ~was;
		expect_not_given(test, cache, p);
		qt_expect_seen(test, before, red, !red, 1);
		KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
		/* The bad byte is unchanged. */
		KUNIT_EXPECT_EQ(test, (u8)~was, p[places[i]]);
		qt_free_leaked(cache, p);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	}
}

static void written_to_before_its_slab_goes(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, &qt_poison_and_red_zone);
	struct qt_seen before;
	u8 *p = quarry_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	quarry_cache_free(cache, p);
	before = qt_seen(test);
	p[5] = 0;
	/* In the red zone of an object that was never allocated. */
	p[3 * qr_cache_of(cache)->geo.stride + 64] = 0;
	quarry_cache_shrink(cache);
	qt_expect_seen(test, before, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

/*
 * No page leaves a slab that has a live object: its free objects would go without a check.  They
 * are checked when the whole slab goes.
 */
static void pages_stay(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 4096, &qt_poison_and_red_zone);
	unsigned int n = qr_cache_of(cache)->geo.objects;
	void **objs = qt_array(test, n, sizeof(*objs));
	struct qt_seen before = qt_seen(test);
	u64 bytes;

	qt_alloc_n(test, cache, objs, n);
	qt_free_n(cache, objs + 1, n - 1);
	memset(objs[n / 2], 0, 8);
	bytes = qt_sum(cache).inuse_bytes;
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, bytes, qt_sum(cache).inuse_bytes);
	qt_expect_seen(test, before, 0, 0, 0);
	quarry_cache_free(cache, objs[0]);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
	qt_expect_seen(test, before, 0, 1, 0);
}

/* --- The kernel's counter of slab pages --- */

static long slab_pages(enum node_stat_item item)
{
	long pages = 0;
	int node;

	for_each_node_mask(node, qr_nodes)
		pages += atomic_long_read(&NODE_DATA(node)->vm_stat[item]);
	return pages;
}

/*
 * The kernel's own slabs change the counter meanwhile, and each CPU keeps a part of its changes to
 * itself at first.
 */
static void expect_about(struct kunit *test, long pages, long expected)
{
	long slack = 1024;

	KUNIT_EXPECT_GE(test, pages, expected - slack);
	KUNIT_EXPECT_LE(test, pages, expected + slack);
}

static void account(struct kunit *test, unsigned int flags, enum node_stat_item item,
		    enum node_stat_item other)
{
	struct quarry_cache_args args = { .flags = flags };
	struct quarry_cache *cache = qt_cache(test, 4096, &args);
	struct quarry_cache *plain = qt_cache(test, 4096, NULL);
	unsigned int n = 8192, i;
	void **objs = qt_array(test, n, sizeof(*objs));
	long before = slab_pages(item), before_other;

	qt_alloc_n(test, plain, objs, n);
	expect_about(test, slab_pages(item) - before, 0);
	qt_free_n(plain, objs, n);
	qt_cache_destroy(test, plain);

	before = slab_pages(item);
	before_other = slab_pages(other);
	qt_alloc_n(test, cache, objs, n);
	expect_about(test, slab_pages(item) - before, n);
	expect_about(test, slab_pages(other) - before_other, 0);
	/* Pages that are trimmed from slabs are subtracted, too. */
	for (i = 0; i < n; i += 2) {
		quarry_cache_free(cache, objs[i]);
		objs[i] = NULL;
	}
	quarry_cache_shrink(cache);
	expect_about(test, slab_pages(item) - before, qt_sum(cache).inuse_bytes >> PAGE_SHIFT);
	KUNIT_EXPECT_LT(test, qt_sum(cache).inuse_bytes >> PAGE_SHIFT, n * 3 / 4);
	qt_free_n(cache, objs, n);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
	expect_about(test, slab_pages(item) - before, 0);
}

static void accounted_for(struct kunit *test)
{
	account(test, QUARRY_ACCOUNT_NODE, NR_SLAB_UNRECLAIMABLE_B, NR_SLAB_RECLAIMABLE_B);
}

static void accounted_as_reclaimable(struct kunit *test)
{
	account(test, QUARRY_ACCOUNT_RECLAIM, NR_SLAB_RECLAIMABLE_B, NR_SLAB_UNRECLAIMABLE_B);
	account(test, QUARRY_ACCOUNT_RECLAIM | QUARRY_ACCOUNT_NODE, NR_SLAB_RECLAIMABLE_B,
		NR_SLAB_UNRECLAIMABLE_B);
}

static void flags_are_shown(struct kunit *test)
{
	struct quarry_cache_args args = { .flags = QUARRY_ACCOUNT_NODE };
	struct quarry_cache_stats st = qt_sum(qt_cache(test, 64, &poison));

	KUNIT_EXPECT_TRUE(test, st.poison && !st.red_zone && !st.account_node);
	st = qt_sum(qt_cache(test, 64, &red_zone));
	KUNIT_EXPECT_TRUE(test, !st.poison && st.red_zone && !st.account_node);
	st = qt_sum(qt_cache(test, 64, &args));
	KUNIT_EXPECT_TRUE(test, !st.poison && !st.red_zone && st.account_node);
}

static struct kunit_case cases[] = { KUNIT_CASE(what_does_not_go_together),
				     KUNIT_CASE(part_for_user_space),
				     KUNIT_CASE(what_is_in_them),
				     KUNIT_CASE(red_zone_alone),
				     KUNIT_CASE(written_behind_the_end),
				     KUNIT_CASE(free_twice_is_nothing_else),
				     KUNIT_CASE(written_to_when_free),
				     KUNIT_CASE(written_to_before_its_slab_goes),
				     KUNIT_CASE(pages_stay),
				     KUNIT_CASE(accounted_for),
				     KUNIT_CASE(accounted_as_reclaimable),
				     KUNIT_CASE(flags_are_shown),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite guard_suite = {
	.name = "quarry_guard",
	.suite_init = qt_suite_init,
	.init = qt_unseen_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(guard_suite);
