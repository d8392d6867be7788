// SPDX-License-Identifier: GPL-2.0
/*
 * Guards, red zones and poison: which bytes objects have, which writes are noticed, and that every
 * function that allocates or frees checks them.
 */
#include "tests/kunit_util.h"

#include <linux/mmzone.h>
#include <linux/string.h>
#include <linux/vmstat.h>
#include "tests/profile_util.h"

#define N 40

static const struct quarry_cache_args poison = { .flags = QUARRY_POISON };
static const struct quarry_cache_args red_zone = { .flags = QUARRY_RED_ZONE };
static const struct quarry_cache_args both = { .flags = QUARRY_POISON | QUARRY_RED_ZONE };

struct seen {
	u64 red_zone;
	u64 poison;
	u64 leaked;
};

static struct seen seen(struct kunit *test)
{
	const struct quarry_stats *st = qt_stats(test);

	return (struct seen){
		.red_zone = st->misuse_red_zone,
		.poison = st->misuse_poison,
		.leaked = st->leaked_objects,
	};
}

static void expect_seen(struct kunit *test, struct seen before, u64 red, u64 poisoned, u64 leaked)
{
	struct seen now = seen(test);

	KUNIT_EXPECT_EQ(test, before.red_zone + red, now.red_zone);
	KUNIT_EXPECT_EQ(test, before.poison + poisoned, now.poison);
	KUNIT_EXPECT_EQ(test, before.leaked + leaked, now.leaked);
}

static bool is_all(const void *p, u8 byte, size_t n)
{
	return !memchr_inv(p, byte, n);
}

static bool is_poisoned(const void *p, size_t n)
{
	return is_all(p, POISON_FREE, n - 1) && ((const u8 *)p)[n - 1] == POISON_END;
}

/* A leaked object counts as live.  Repair its bytes and free it. */
static void free_leaked(struct quarry_cache *cache, void *p)
{
	struct qr_cache *c = qr_cache_of(cache);

	qr_guard_cut(&c->guard, p);
	qr_guard_take(&c->guard, p);
	quarry_cache_free(cache, p);
}

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
		struct quarry_cache *cache = qt_cache(test, sizes[i], &both);
		struct seen before = seen(test);
		u8 *p = quarry_cache_alloc(cache, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_EQ(test, sizes[i], quarry_usable_size(p));
		KUNIT_EXPECT_TRUE(test, is_all(p, POISON_INUSE, sizes[i]) ||
						(static_key_enabled(&init_on_alloc) &&
						 is_all(p, 0, sizes[i])));
		KUNIT_EXPECT_TRUE(test, is_all(p + sizes[i], SLUB_RED_ACTIVE, QR_RED_ZONE));
		memset(p, 0xff, sizes[i]);
		quarry_cache_free(cache, p);
		KUNIT_EXPECT_TRUE(test, is_poisoned(p, sizes[i]));
		KUNIT_EXPECT_TRUE(test, is_all(p + sizes[i], SLUB_RED_INACTIVE, QR_RED_ZONE));
		p = quarry_cache_zalloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_TRUE(test, is_all(p, 0, sizes[i]));
		KUNIT_EXPECT_TRUE(test, is_all(p + sizes[i], SLUB_RED_ACTIVE, QR_RED_ZONE));
		quarry_free_sensitive(p);
		KUNIT_EXPECT_TRUE(test, is_poisoned(p, sizes[i]));
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).cached_objects);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).magazine);
		expect_seen(test, before, 0, 0, 0);
		qt_cache_destroy(test, cache);
		expect_seen(test, before, 0, 0, 0);
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
	struct seen before = seen(test);
	u8 *p;

	constructed = 0;
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, constructed, qt_sum(cache).capacity_objects);
	KUNIT_EXPECT_TRUE(test, is_all(p, 0xc7, 60));
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_TRUE(test, is_all(p, 0xc7, 60));
	KUNIT_EXPECT_TRUE(test, is_all(p + 60, SLUB_RED_INACTIVE, QR_RED_ZONE));
	expect_seen(test, before, 0, 0, 0);
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
			struct seen before = seen(test);

			was = p[k];
			p[k] ^= 1;
			quarry_cache_free(cache, p);
			expect_seen(test, before, 1, 0, 1);
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
	struct quarry_cache *cache = qt_cache(test, 64, &both);
	u64 doubles = qt_stats(test)->misuse_double_free;
	u64 interior = qt_stats(test)->misuse_interior;
	struct seen before = seen(test);
	u8 *p = quarry_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	quarry_cache_free(cache, p + 8);
	KUNIT_EXPECT_EQ(test, interior + 1, qt_stats(test)->misuse_interior);
	KUNIT_EXPECT_TRUE(test, is_all(p + 64, SLUB_RED_ACTIVE, QR_RED_ZONE));
	quarry_cache_free(cache, p);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, doubles + 1, qt_stats(test)->misuse_double_free);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	expect_seen(test, before, 0, 0, 1); /* the interior free leaks */
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
	struct quarry_cache *cache = qt_cache(test, 64, &both);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		bool red = places[i] >= 64;
		struct seen before;
		u8 *p, was;

		p = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		quarry_cache_free(cache, p);
		before = seen(test);
		was = p[places[i]];
		p[places[i]] = ~was;
		expect_not_given(test, cache, p);
		expect_seen(test, before, red, !red, 1);
		KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
		/* The bad byte is unchanged. */
		KUNIT_EXPECT_EQ(test, (u8)~was, p[places[i]]);
		free_leaked(cache, p);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	}
}

static void written_to_before_its_slab_goes(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, &both);
	struct seen before;
	u8 *p = quarry_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	quarry_cache_free(cache, p);
	before = seen(test);
	p[5] = 0;
	/* In the red zone of an object that was never allocated. */
	p[3 * qr_cache_of(cache)->geo.stride + 64] = 0;
	quarry_cache_shrink(cache);
	expect_seen(test, before, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

/*
 * No page leaves a slab that has a live object: its free objects would go without a check.  They
 * are checked when the whole slab goes.
 */
static void pages_stay(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 4096, &both);
	unsigned int n = qr_cache_of(cache)->geo.objects;
	void **objs = qt_array(test, n, sizeof(*objs));
	struct seen before = seen(test);
	u64 bytes;

	qt_alloc_n(test, cache, objs, n);
	qt_free_n(cache, objs + 1, n - 1);
	memset(objs[n / 2], 0, 8);
	bytes = qt_sum(cache).inuse_bytes;
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, bytes, qt_sum(cache).inuse_bytes);
	expect_seen(test, before, 0, 0, 0);
	quarry_cache_free(cache, objs[0]);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
	expect_seen(test, before, 0, 1, 0);
}

/* --- All functions that allocate and free --- */

static void *by_alloc(struct quarry_cache *cache)
{
	return quarry_cache_alloc(cache, GFP_ATOMIC);
}

static void *by_call(struct quarry_cache *cache)
{
	return qr_cache_alloc_call(cache, GFP_ATOMIC);
}

static void *by_node(struct quarry_cache *cache)
{
	return quarry_cache_alloc_node(cache, GFP_ATOMIC | __GFP_THISNODE, first_node(qr_nodes));
}

static void *by_bulk(struct quarry_cache *cache)
{
	void *p;

	return quarry_cache_alloc_bulk(cache, GFP_ATOMIC, 1, &p) ? p : NULL;
}

static void *by_nolock(struct quarry_cache *cache)
{
	return quarry_cache_alloc_nolock(cache, 0);
}

static void *by_reserve(struct quarry_cache *cache)
{
	struct quarry_reserve r = {};
	void *p;

	if (quarry_reserve_fill(&r, cache, 1, GFP_ATOMIC))
		return NULL;
	p = quarry_reserve_alloc(&r);
	quarry_reserve_return(&r);
	return p;
}

static void *(*const ways_in[])(struct quarry_cache *cache) = {
	by_alloc, by_call, by_node, by_bulk, by_nolock, by_reserve,
};

static void free_any_way(struct quarry_cache *cache, void *p)
{
	quarry_free(p);
}

static void free_called(struct quarry_cache *cache, void *p)
{
	qr_cache_free_call(cache, p);
}

static void free_bulk(struct quarry_cache *cache, void *p)
{
	quarry_cache_free_bulk(cache, 1, &p);
}

static void free_mixed_bulk(struct quarry_cache *cache, void *p)
{
	quarry_free_bulk(1, &p);
}

static void free_rcu_cache(struct quarry_cache *cache, void *p)
{
	quarry_cache_free_rcu(cache, p);
	quarry_rcu_barrier();
}

static void free_rcu_any(struct quarry_cache *cache, void *p)
{
	quarry_free_rcu(p);
	quarry_rcu_barrier();
}

static void free_nolock(struct quarry_cache *cache, void *p)
{
	quarry_cache_free_nolock(cache, p);
	quarry_rcu_barrier();
}

static void free_sensitive(struct quarry_cache *cache, void *p)
{
	quarry_free_sensitive(p);
}

static void (*const ways_out[])(struct quarry_cache *cache, void *p) = {
	quarry_cache_free, free_any_way, free_called, free_bulk,      free_mixed_bulk,
	free_rcu_cache,	   free_rcu_any, free_nolock, free_sensitive,
};

static void every_way_out_looks(struct kunit *test, u32 rate)
{
	struct quarry_cache *cache = qt_cache(test, 60, &both);
	unsigned int i;

	if (rate)
		qp_cache_rate(test, cache, rate);
	for (i = 0; i < ARRAY_SIZE(ways_out); i++) {
		u8 *p = quarry_cache_alloc(cache, GFP_KERNEL);
		struct seen before = seen(test);

		KUNIT_ASSERT_NOT_NULL(test, p);
		p[60] = 'x';
		ways_out[i](cache, p);
		expect_seen(test, before, 1, 0, 1);
		p[60] = SLUB_RED_ACTIVE;
		ways_out[i](cache, p);
		expect_seen(test, before, 1, 0, 1);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
		KUNIT_EXPECT_TRUE(test, is_poisoned(p, 60));
	}
}

static void ways_out_look(struct kunit *test)
{
	every_way_out_looks(test, 0);
}

static void ways_out_of_samples_look(struct kunit *test)
{
	every_way_out_looks(test, 1);
}

/* The only free object of the cache was written to: no function may return it. */
static void ways_in_look(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 4096, &both);
	unsigned int n, i, k;

	qt_pin(test, cpumask_first(cpumask_of_node(first_node(qr_nodes))));
	for (i = 0; i < ARRAY_SIZE(ways_in); i++) {
		struct seen before;
		void **objs, *p;

		p = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		n = qt_sum(cache).capacity_objects;
		objs = qt_array(test, n, sizeof(*objs));
		objs[0] = p;
		KUNIT_ASSERT_EQ(test, n - 1,
				quarry_cache_alloc_bulk(cache, GFP_KERNEL, n - 1, objs + 1));
		KUNIT_ASSERT_EQ(test, n, qt_sum(cache).capacity_objects);
		/* Free one object and write to it. */
		quarry_cache_free(cache, p);
		before = seen(test);
		((u8 *)p)[100] = 0;
		p = ways_in[i](cache);
		expect_seen(test, before, 0, 1, 1);
		KUNIT_EXPECT_PTR_NE(test, p, objs[0]);
		/* by_nolock() may fail, because it gets no new slab. */
		if (ways_in[i] != by_nolock)
			KUNIT_EXPECT_NOT_NULL(test, p);
		if (p)
			quarry_cache_free(cache, p);
		for (k = 1; k < n; k++)
			quarry_cache_free(cache, objs[k]);
		free_leaked(cache, objs[0]);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
		quarry_cache_shrink(cache);
	}
}

/* Allocations of a guarded cache are counted and sampled as those of any other. */
static void counted_and_sampled(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 100, &both);
	void **objs = qt_array(test, N, sizeof(*objs));
	u64 samples;

	KUNIT_EXPECT_EQ(test, 0, quarry_alloc_count_begin());
	qt_alloc_n(test, cache, objs, N);
	KUNIT_EXPECT_EQ(test, N, quarry_alloc_count_end());
	qt_free_n(cache, objs, N);
	KUNIT_EXPECT_EQ(test, N, qt_sum(cache).mallocs);
	KUNIT_EXPECT_EQ(test, N, qt_sum(cache).frees);

	qp_cache_rate(test, cache, 1);
	samples = qt_stats(test)->samples;
	qt_alloc_n(test, cache, objs, N);
	KUNIT_EXPECT_EQ(test, samples + N, qt_stats(test)->samples);
	qt_free_n(cache, objs, N);
	KUNIT_EXPECT_EQ(test, 2 * N, qt_sum(cache).mallocs);
}

/* --- The kernel's counter of slab pages --- */

static long slab_pages(void)
{
	long pages = 0;
	int node;

	for_each_node_mask(node, qr_nodes)
		pages += atomic_long_read(&NODE_DATA(node)->vm_stat[NR_SLAB_UNRECLAIMABLE_B]);
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

static void accounted_for(struct kunit *test)
{
	struct quarry_cache_args args = { .flags = QUARRY_ACCOUNT_NODE };
	struct quarry_cache *cache = qt_cache(test, 4096, &args);
	struct quarry_cache *plain = qt_cache(test, 4096, NULL);
	unsigned int n = 8192, i;
	void **objs = qt_array(test, n, sizeof(*objs));
	long before = slab_pages();

	qt_alloc_n(test, plain, objs, n);
	expect_about(test, slab_pages() - before, 0);
	qt_free_n(plain, objs, n);
	qt_cache_destroy(test, plain);

	before = slab_pages();
	qt_alloc_n(test, cache, objs, n);
	expect_about(test, slab_pages() - before, n);
	/* Pages that are trimmed from slabs are subtracted, too. */
	for (i = 0; i < n; i += 2) {
		quarry_cache_free(cache, objs[i]);
		objs[i] = NULL;
	}
	quarry_cache_shrink(cache);
	expect_about(test, slab_pages() - before, qt_sum(cache).inuse_bytes >> PAGE_SHIFT);
	KUNIT_EXPECT_LT(test, qt_sum(cache).inuse_bytes >> PAGE_SHIFT, n * 3 / 4);
	qt_free_n(cache, objs, n);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
	expect_about(test, slab_pages() - before, 0);
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
				     KUNIT_CASE(ways_out_look),
				     KUNIT_CASE(ways_out_of_samples_look),
				     KUNIT_CASE(ways_in_look),
				     KUNIT_CASE(counted_and_sampled),
				     KUNIT_CASE(accounted_for),
				     KUNIT_CASE(flags_are_shown),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite guard_suite = {
	.name = "quarry_guard",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(guard_suite);
