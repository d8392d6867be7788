// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse: each kind raises exactly its own counter, once, and no object is handed out twice
 * afterwards.  The fast path sees a free that repeats the last one, and no other misuse, so what
 * goes into a magazine is noticed when the magazine is drained.
 */
#include "tests/kunit_util.h"

#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#define N 200

static const char *const names[QR_NR_MISUSE] = {
	[QR_MISUSE_FOREIGN] = "foreign",	   [QR_MISUSE_INTERIOR] = "interior",
	[QR_MISUSE_WRONG_CACHE] = "wrong cache",   [QR_MISUSE_DOUBLE_FREE] = "double free",
	[QR_MISUSE_BUSY_DESTROY] = "busy destroy", [QR_MISUSE_STALE_MARK] = "stale mark",
	[QR_MISUSE_RED_ZONE] = "red zone",	   [QR_MISUSE_POISON] = "poison",
};

static void counts(struct kunit *test, u64 *n)
{
	struct quarry_stats *st = qt_stats(test);

	n[QR_MISUSE_NONE] = 0;
	n[QR_MISUSE_FOREIGN] = st->misuse_foreign;
	n[QR_MISUSE_INTERIOR] = st->misuse_interior;
	n[QR_MISUSE_WRONG_CACHE] = st->misuse_wrong_cache;
	n[QR_MISUSE_DOUBLE_FREE] = st->misuse_double_free;
	n[QR_MISUSE_BUSY_DESTROY] = st->misuse_busy_destroy;
	n[QR_MISUSE_STALE_MARK] = st->misuse_stale_mark;
	n[QR_MISUSE_RED_ZONE] = st->misuse_red_zone;
	n[QR_MISUSE_POISON] = st->misuse_poison;
	n[QR_MISUSE_KERNEL_FREE] = st->misuse_kernel_free;
}

/* Expects that since @before, @what was noticed @times times and no other misuse. */
static void expect_only(struct kunit *test, const u64 *before, enum qr_misuse what, u64 times)
{
	u64 now[QR_NR_MISUSE];
	unsigned int i;

	counts(test, now);
	for (i = 0; i < QR_NR_MISUSE; i++)
		KUNIT_EXPECT_EQ_MSG(test, before[i] + (i == what ? times : 0), now[i], "%s",
				    names[i] ?: "");
}

/* Allocates more than the cache holds: each object comes once, and all can be freed. */
static void expect_sound(struct kunit *test, struct quarry_cache *cache)
{
	void **objs = qt_array(test, N, sizeof(*objs));
	u64 live = qt_sum(cache).live_objects;
	struct qt_shadow s;
	unsigned int i;

	qt_exit(test);
	qt_shadow_init(&s);
	KUNIT_ASSERT_EQ(test, N, quarry_cache_alloc_bulk(cache, GFP_KERNEL, N, objs));
	for (i = 0; i < N; i++) {
		KUNIT_ASSERT_EQ(test, cache->size, quarry_usable_size(objs[i]));
		qt_got(&s, objs[i]);
	}
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&s.errors));
	quarry_cache_free_bulk(cache, N, objs);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, live, qt_sum(cache).live_objects);
	qt_exit(test);
}

static void foreign_pointers(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void *slub = kunit_kzalloc(test, 64, GFP_KERNEL);
	void *virtual = vzalloc(PAGE_SIZE);
	u64 before[QR_NR_MISUSE], on_stack[8] = { 0 };
	void *foreign[] = { slub, virtual, on_stack, (void *)1, foreign_pointers, before };
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, slub);
	KUNIT_ASSERT_NOT_NULL(test, virtual);
	for (i = 0; i < ARRAY_SIZE(foreign); i++) {
		counts(test, before);
		quarry_free(foreign[i]);
		expect_only(test, before, QR_MISUSE_FOREIGN, 1);
		quarry_cache_free(cache, foreign[i]);
		expect_only(test, before, QR_MISUSE_FOREIGN, 2);
		quarry_cache_free_bulk(cache, 1, &foreign[i]);
		expect_only(test, before, QR_MISUSE_FOREIGN, 3);
		KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(foreign[i]));
		quarry_cache_shrink(cache);
		expect_only(test, before, QR_MISUSE_FOREIGN, 3);
	}
	KUNIT_EXPECT_TRUE(test, qt_is_zero(slub, 64));
	KUNIT_EXPECT_TRUE(test, qt_is_zero(virtual, PAGE_SIZE));
	vfree(virtual);
	expect_sound(test, cache);
}

/* A pointer to an idle page of one of our chunks. */
static void pointer_to_idle_page(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	u64 before[QR_NR_MISUSE];
	void *p, *anchor = quarry_malloc(8, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, anchor);
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	quarry_cache_free(cache, p);
	quarry_cache_shrink(cache);
	KUNIT_ASSERT_EQ(test, 0, qt_sum(cache).slabs);
	KUNIT_ASSERT_NULL(test, qr_slab_of(p));
	counts(test, before);
	quarry_free(p);
	expect_only(test, before, QR_MISUSE_FOREIGN, 1);
	quarry_cache_free(cache, p);
	quarry_cache_shrink(cache);
	expect_only(test, before, QR_MISUSE_FOREIGN, 2);
	quarry_free(anchor);
	expect_sound(test, cache);
}

static void interior_pointers(struct kunit *test)
{
	static const unsigned int offsets[] = { 1, 8, 64, 199 };
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	void *p = quarry_cache_alloc(cache, GFP_KERNEL);
	u64 before[QR_NR_MISUSE];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		counts(test, before);
		quarry_cache_free(cache, p + offsets[i]);
		quarry_cache_shrink(cache);
		expect_only(test, before, QR_MISUSE_INTERIOR, 1);
		/* quarry_free() checks at once: the object belongs to no size class. */
		quarry_free(p + offsets[i]);
		expect_only(test, before, QR_MISUSE_INTERIOR, 2);
		KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
		expect_sound(test, cache);
	}
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static void wrong_cache(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct quarry_cache *other = qt_cache(test, 64, NULL);
	void *p = quarry_cache_alloc(cache, GFP_KERNEL);
	u64 before[QR_NR_MISUSE];

	KUNIT_ASSERT_NOT_NULL(test, p);
	counts(test, before);
	quarry_cache_free(other, p);
	quarry_cache_shrink(other);
	expect_only(test, before, QR_MISUSE_WRONG_CACHE, 1);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(other).live_objects);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(other).frees);
	expect_sound(test, cache);
	expect_sound(test, other);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	expect_only(test, before, QR_MISUSE_WRONG_CACHE, 1);
}

static void double_free(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	u64 before[QR_NR_MISUSE];
	void *p[2];

	/* The second object stays live, so that the slab is not destroyed. */
	KUNIT_ASSERT_EQ(test, 2, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 2, p));
	counts(test, before);
	quarry_cache_free(cache, p[0]);
	quarry_cache_free(cache, p[0]);
	quarry_cache_shrink(cache);
	expect_only(test, before, QR_MISUSE_DOUBLE_FREE, 1);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
	expect_sound(test, cache);
	/* Now the object is back in its slab. */
	quarry_cache_free(cache, p[0]);
	quarry_cache_shrink(cache);
	expect_only(test, before, QR_MISUSE_DOUBLE_FREE, 2);
	quarry_free(p[0]);
	quarry_cache_shrink(cache);
	expect_only(test, before, QR_MISUSE_DOUBLE_FREE, 3);
	expect_sound(test, cache);
	quarry_cache_free(cache, p[1]);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

/* The walker finds an object that is in a magazine twice, and changes nothing. */
static void walker_changes_nothing(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct quarry_validation *v = qt_array(test, 2, sizeof(*v));
	u64 before[QR_NR_MISUSE];
	void *p[3];
	int first, second;

	qt_pin(test, 0);
	KUNIT_ASSERT_EQ(test, 3, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 3, p));
	counts(test, before);
	quarry_cache_free(cache, p[0]);
	quarry_cache_free(cache, p[1]);
	quarry_cache_free(cache, p[0]);
	first = qr_validate(&v[0]);
	second = qr_validate(&v[1]);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, -EUCLEAN, first);
	KUNIT_EXPECT_EQ(test, -EUCLEAN, second);
	KUNIT_EXPECT_EQ_MSG(test, v[0].errors, v[1].errors, "then: %s", v[1].first);
	expect_only(test, before, QR_MISUSE_DOUBLE_FREE, 1);
	expect_sound(test, cache);
	quarry_cache_free(cache, p[2]);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

/* Objects of mixed chunks bypass the magazine, so misuse is noticed at once. */
static void seen_at_once_without_magazine(struct kunit *test)
{
	struct quarry_cache *cache, *other;
	u64 before[QR_NR_MISUSE];
	void *p[2];

	qr_drain_all();
	qr_heap_release_idle();
	qt_no_chunks(test);
	cache = qt_cache(test, 64, NULL);
	other = qt_cache(test, 64, NULL);
	KUNIT_ASSERT_EQ(test, 2, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 2, p));
	counts(test, before);
	quarry_free(p[0] + 8);
	expect_only(test, before, QR_MISUSE_INTERIOR, 1);
	counts(test, before);
	quarry_cache_free(other, p[0]);
	expect_only(test, before, QR_MISUSE_WRONG_CACHE, 1);
	counts(test, before);
	quarry_cache_free(cache, p[0]);
	expect_only(test, before, QR_MISUSE_DOUBLE_FREE, 0);
	quarry_cache_free(cache, p[0]);
	expect_only(test, before, QR_MISUSE_DOUBLE_FREE, 1);
	quarry_free(p[0]);
	expect_only(test, before, QR_MISUSE_DOUBLE_FREE, 2);
	expect_sound(test, cache);
	quarry_cache_free(cache, p[1]);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static void misuse_in_a_set(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void **objs = qt_array(test, N + 1, sizeof(*objs));
	u64 before[QR_NR_MISUSE], n;

	KUNIT_ASSERT_EQ(test, N, quarry_cache_alloc_bulk(cache, GFP_KERNEL, N, objs));
	objs[N] = objs[N / 2];
	counts(test, before);
	n = qt_sum(cache).frees;
	quarry_cache_free_bulk(cache, N + 1, objs);
	quarry_cache_shrink(cache);
	expect_only(test, before, QR_MISUSE_DOUBLE_FREE, 1);
	KUNIT_EXPECT_EQ(test, n + N, qt_sum(cache).frees);
	expect_sound(test, cache);
}

static void large_objects(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	u64 before[QR_NR_MISUSE], now[QR_NR_MISUSE], live = qt_stats(test)->large_objects;
	void *p = quarry_malloc(100000, GFP_KERNEL), *q;

	KUNIT_ASSERT_NOT_NULL(test, p);
	counts(test, before);
	quarry_free(p + PAGE_SIZE);
	expect_only(test, before, QR_MISUSE_INTERIOR, 1);
	counts(test, before);
	quarry_cache_free(cache, p);
	expect_only(test, before, QR_MISUSE_WRONG_CACHE, 1);
	KUNIT_EXPECT_EQ(test, live + 1, qt_stats(test)->large_objects);
	counts(test, before);
	quarry_free(p);
	KUNIT_EXPECT_EQ(test, live, qt_stats(test)->large_objects);
	expect_only(test, before, QR_MISUSE_NONE, 0);
	/* The slab is gone, so the double free may count as one of a foreign pointer. */
	quarry_free(p);
	counts(test, now);
	KUNIT_EXPECT_EQ(test, before[QR_MISUSE_FOREIGN] + before[QR_MISUSE_DOUBLE_FREE] + 1,
			now[QR_MISUSE_FOREIGN] + now[QR_MISUSE_DOUBLE_FREE]);
	KUNIT_EXPECT_EQ(test, live, qt_stats(test)->large_objects);
	p = quarry_malloc(100000, GFP_KERNEL);
	q = quarry_malloc(100000, GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE(test, p, q);
	quarry_free(p);
	quarry_free(q);
}

/* Object size in bytes at which some objects that leave a slab begin on a page that stays. */
#define STRADDLING 5000

enum left { WITH_PAGE, BEFORE_PAGE, NOT, NR_LEFT };

/*
 * Makes a cache of which one object in eight is live and the others have been trimmed.  Sets
 * @freed to three free objects: one left its slab with the page that it begins on; one left,
 * but that page is still there; one is still in a slab that lost other objects.
 */
static struct quarry_cache *trimmed_cache(struct kunit *test, void **objs, void **freed)
{
	struct quarry_cache *cache = qt_cache(test, STRADDLING, NULL);
	unsigned int i;

	memset(freed, 0, NR_LEFT * sizeof(*freed));
	KUNIT_ASSERT_EQ(test, N, quarry_cache_alloc_bulk(cache, GFP_KERNEL, N, objs));
	for (i = 0; i < N; i++)
		if (i % 8 && i % 8 != 5)
			quarry_cache_free(cache, objs[i]);
	qr_drain_all();
	KUNIT_EXPECT_GT(test, qr_trim_all(ULONG_MAX, true), 0);
	for (i = 5; i < N; i += 8)
		quarry_cache_free(cache, objs[i]);
	qr_drain_all();
	for (i = 0; i < N; i++) {
		struct qr_slab *slab = qr_slab_of(objs[i]);

		if (!(i % 8))
			continue;
		if (!slab)
			freed[WITH_PAGE] = objs[i];
		else if (qr_slab_has_lost(slab, qr_slab_index(slab, objs[i])))
			freed[BEFORE_PAGE] = objs[i];
		else if (slab->gone)
			freed[NOT] = objs[i];
	}
	for (i = 0; i < NR_LEFT; i++)
		KUNIT_ASSERT_NOT_NULL_MSG(test, freed[i], "kind %u", i);
	return cache;
}

/* Misuse of pointers into slabs that have lost pages. */
static void trimmed_slabs(struct kunit *test)
{
	static const enum qr_misuse found_as[] = {
		[WITH_PAGE] = QR_MISUSE_FOREIGN,
		[BEFORE_PAGE] = QR_MISUSE_DOUBLE_FREE,
		[NOT] = QR_MISUSE_DOUBLE_FREE,
	};
	void **objs = qt_array(test, N, sizeof(*objs)), *freed[NR_LEFT];
	struct quarry_cache *cache = trimmed_cache(test, objs, freed);
	struct quarry_cache *other = qt_cache(test, STRADDLING, NULL);
	u64 before[QR_NR_MISUSE], live = qt_sum(cache).live_objects;
	unsigned int i;

	for (i = 0; i < NR_LEFT; i++) {
		counts(test, before);
		quarry_free(freed[i]);
		qr_drain_all();
		expect_only(test, before, found_as[i], 1);
		quarry_cache_free(cache, freed[i]);
		qr_drain_all();
		expect_only(test, before, found_as[i], 2);
		/* The same in one batch with valid objects. */
		quarry_cache_free_bulk(cache, 1, &objs[8 * i]);
		quarry_cache_free(cache, freed[i]);
		quarry_cache_free(cache, freed[i]);
		quarry_cache_free_bulk(cache, 1, &objs[8 * i + 64]);
		qr_drain_all();
		expect_only(test, before, found_as[i], 4);
		live -= 2;
		KUNIT_EXPECT_EQ(test, live, qt_sum(cache).live_objects);
		qt_exit(test);
	}
	/* Misuse of live objects of such slabs is noticed as always. */
	for (i = 24; i < 64; i += 8) {
		counts(test, before);
		quarry_free(objs[i] + 8);
		expect_only(test, before, QR_MISUSE_INTERIOR, 1);
		counts(test, before);
		quarry_cache_free(other, objs[i]);
		qr_drain_all();
		expect_only(test, before, QR_MISUSE_WRONG_CACHE, 1);
		counts(test, before);
		quarry_cache_free(cache, objs[i]);
		quarry_cache_free(cache, objs[i]);
		qr_drain_all();
		live--;
		KUNIT_EXPECT_EQ(test, live, qt_sum(cache).live_objects);
	}
	for (i = 88; i < N; i += 8)
		quarry_cache_free(cache, objs[i]);
	qr_drain_all();
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
	expect_sound(test, cache);
}

/* The same in mixed chunks, where misuse is noticed at once. */
static void trimmed_mixed_slabs(struct kunit *test)
{
	void **objs = qt_array(test, N, sizeof(*objs)), *freed[NR_LEFT];
	struct quarry_cache *cache;
	u64 before[QR_NR_MISUSE];
	unsigned int i;

	qr_drain_all();
	qr_heap_release_idle();
	qt_no_chunks(test);
	cache = trimmed_cache(test, objs, freed);
	counts(test, before);
	quarry_free(freed[WITH_PAGE]);
	expect_only(test, before, QR_MISUSE_FOREIGN, 1);
	counts(test, before);
	quarry_free(freed[BEFORE_PAGE]);
	expect_only(test, before, QR_MISUSE_DOUBLE_FREE, 1);
	quarry_cache_free(cache, freed[NOT]);
	expect_only(test, before, QR_MISUSE_DOUBLE_FREE, 2);
	expect_sound(test, cache);
	for (i = 0; i < N; i += 8)
		quarry_cache_free(cache, objs[i]);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
}

static struct kunit_case cases[] = { KUNIT_CASE(foreign_pointers),
				     KUNIT_CASE(pointer_to_idle_page),
				     KUNIT_CASE(interior_pointers),
				     KUNIT_CASE(wrong_cache),
				     KUNIT_CASE(double_free),
				     KUNIT_CASE(walker_changes_nothing),
				     KUNIT_CASE(seen_at_once_without_magazine),
				     KUNIT_CASE(misuse_in_a_set),
				     KUNIT_CASE(large_objects),
				     KUNIT_CASE(trimmed_slabs),
				     KUNIT_CASE(trimmed_mixed_slabs),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite misuse_suite = {
	.name = "quarry_misuse",
	.suite_init = qt_suite_init,
	.init = qt_unseen_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(misuse_suite);
