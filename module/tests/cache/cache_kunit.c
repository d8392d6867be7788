// SPDX-License-Identifier: GPL-2.0
/* The life of a cache, and its arguments.  Node policies are in tests/magazine/node_kunit.c. */
#include "tests/kunit_util.h"

#include <linux/cache.h>
#include <linux/delay.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "core/metadata.h"

static void expect_refused(struct kunit *test, const char *name, unsigned int size,
			   const struct quarry_cache_args *args)
{
	struct quarry_cache *cache = quarry_cache_create(name, size, args);

	KUNIT_EXPECT_NULL(test, cache);
	quarry_cache_destroy(cache);
}

static void bad_arguments_are_refused(struct kunit *test)
{
	struct quarry_cache_args args = { 0 };
	int node;

	expect_refused(test, NULL, 64, NULL);
	expect_refused(test, "", 64, NULL);
	expect_refused(test, "none", 0, NULL);
	expect_refused(test, "huge", QUARRY_MAX_SMALL + 1, NULL);
	expect_refused(test, "wrapped", ~0u, NULL);
	args.align = 24;
	expect_refused(test, "align", 64, &args);
	args.align = 2 * QR_MAX_ALIGN;
	expect_refused(test, "align", 64, &args);
	args.align = 1u << 31;
	expect_refused(test, "align", 64, &args);
	args.align = 0;
	args.flags = ~0u;
	expect_refused(test, "flags", 64, &args);
	args.flags = QUARRY_CACHE_FLAGS + 1;
	expect_refused(test, "flags", 64, &args);
	args.flags = 0;
	args.policy = QUARRY_NODE_INTERLEAVE + 1;
	expect_refused(test, "policy", 64, &args);
	args.policy = -1;
	expect_refused(test, "policy", 64, &args);
	args.policy = QUARRY_NODE_FIXED;
	for (node = -2; node <= MAX_NUMNODES; node++) {
		if (node >= 0 && node < MAX_NUMNODES && node_isset(node, qr_nodes))
			continue;
		args.node = node;
		expect_refused(test, "node", 64, &args);
	}
	args.node = INT_MAX;
	expect_refused(test, "node", 64, &args);
	quarry_cache_destroy(NULL);
}

static void names_are_copied_and_cut(struct kunit *test)
{
	char name[2 * QUARRY_NAME_LEN];
	struct quarry_cache *cache;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	cache = quarry_cache_create(name, 8, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	name[0] = 'x';
	KUNIT_EXPECT_EQ(test, QUARRY_NAME_LEN - 1, strlen(qr_cache_of(cache)->name));
	KUNIT_EXPECT_NULL(test, strchr(qr_cache_of(cache)->name, 'x'));
	quarry_cache_destroy(cache);
}

static int by_address(const void *a, const void *b)
{
	const void *const *x = a, *const *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Objects of a cache are aligned, have their full size and do not overlap. */
static void check_layout(struct kunit *test, unsigned int size,
			 const struct quarry_cache_args *args, unsigned int align)
{
	struct quarry_cache *cache = qt_cache(test, size, args);
	unsigned int n = qr_cache_of(cache)->geo.objects * 2 + 3, i;
	void **objs = qt_array(test, n, sizeof(*objs));
	unsigned int step = round_up(size, align);

	KUNIT_ASSERT_EQ(test, n, quarry_cache_alloc_bulk(cache, GFP_KERNEL, n, objs));
	for (i = 0; i < n; i++)
		memset(objs[i], 0x5a, size);
	sort(objs, n, sizeof(*objs), by_address, NULL);
	for (i = 0; i < n; i++) {
		KUNIT_ASSERT_EQ(test, 0, (unsigned long)objs[i] % align);
		if (i)
			KUNIT_ASSERT_GE(test, objs[i] - objs[i - 1], step);
		KUNIT_ASSERT_EQ(test, round_up(size, 8), quarry_usable_size(objs[i]));
	}
	quarry_cache_free_bulk(cache, n, objs);
	qt_cache_destroy(test, cache);
}

static void objects_are_aligned(struct kunit *test)
{
	static const unsigned int sizes[] = { 1, 8, 40, 64, 100, 1000, 4096, 20000 };
	struct quarry_cache_args args = { 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (args.align = 8; args.align <= QR_MAX_ALIGN; args.align *= 4)
			check_layout(test, sizes[i], &args, args.align);
		args.align = QR_MAX_ALIGN;
		check_layout(test, sizes[i], &args, args.align);
		args.align = 0;
		check_layout(test, sizes[i], &args, 8);
	}
}

static void hwcache_objects_share_no_line(struct kunit *test)
{
	struct quarry_cache_args args = { .flags = QUARRY_HWCACHE_ALIGN };
	static const unsigned int sizes[] = { 1, 8, 24, 64, 65, 200, 32704, 32768 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		check_layout(test, sizes[i], &args, cache_line_size());
	/* The larger of the two alignments holds. */
	args.align = 512;
	check_layout(test, 24, &args, 512);
	args.align = 16;
	check_layout(test, 24, &args, cache_line_size());
}

#define CONSTRUCTED 0x636f6e7374727563ULL

static atomic_t ctor_calls;

static void ctor(void *obj)
{
	u64 *p = obj;

	atomic_inc(&ctor_calls);
	p[0] = CONSTRUCTED;
	p[1] = ~CONSTRUCTED;
}

static void constructed_once_and_kept(struct kunit *test)
{
	struct quarry_cache_args args = { .ctor = ctor };
	struct quarry_cache *cache;
	unsigned int n, i, round;
	u64 **objs;

	atomic_set(&ctor_calls, 0);
	cache = qt_cache(test, 96, &args);
	n = qr_cache_of(cache)->geo.objects * 3;
	objs = qt_array(test, n, sizeof(*objs));
	for (round = 0; round < 3; round++) {
		gfp_t gfp = round ? GFP_KERNEL | __GFP_ZERO : GFP_KERNEL;

		for (i = 0; i < n; i++) {
			objs[i] = quarry_cache_alloc(cache, gfp);
			KUNIT_ASSERT_NOT_NULL(test, objs[i]);
			KUNIT_ASSERT_EQ(test, CONSTRUCTED, objs[i][0]);
			KUNIT_ASSERT_EQ(test, ~CONSTRUCTED, objs[i][1]);
		}
		KUNIT_EXPECT_EQ(test, qt_sum(cache).capacity_objects, atomic_read(&ctor_calls));
		for (i = 0; i < n; i++)
			quarry_cache_free(cache, objs[i]);
		KUNIT_ASSERT_EQ(test, n, quarry_cache_alloc_bulk(cache, gfp, n, (void **)objs));
		for (i = 0; i < n; i++) {
			KUNIT_ASSERT_EQ(test, CONSTRUCTED, objs[i][0]);
			KUNIT_ASSERT_EQ(test, ~CONSTRUCTED, objs[i][1]);
		}
		quarry_cache_free_bulk(cache, n, (void **)objs);
	}
	/* Objects of new slabs are constructed, also in pages that were used before. */
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).slabs);
	atomic_set(&ctor_calls, 0);
	objs[0] = quarry_cache_zalloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objs[0]);
	KUNIT_EXPECT_EQ(test, CONSTRUCTED, objs[0][0]);
	KUNIT_EXPECT_EQ(test, qt_sum(cache).capacity_objects, atomic_read(&ctor_calls));
	quarry_cache_free(cache, objs[0]);
}

static void shrink_gives_slabs_back(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 256, NULL);
	unsigned int n = qr_cache_of(cache)->geo.objects * 10, i;
	void **objs = qt_array(test, n, sizeof(*objs));
	u64 inuse = qt_stats(test)->inuse_bytes, slabs;

	KUNIT_ASSERT_EQ(test, n, quarry_cache_alloc_bulk(cache, GFP_KERNEL, n, objs));
	slabs = qt_sum(cache).slabs;
	KUNIT_EXPECT_GE(test, slabs, 10);
	KUNIT_EXPECT_GT(test, qt_stats(test)->inuse_bytes, inuse);
	/* Free all but one object: only its slab has to stay. */
	for (i = 1; i < n; i++)
		quarry_cache_free(cache, objs[i]);
	KUNIT_EXPECT_GT(test, quarry_cache_shrink(cache), 0);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).slabs);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
	KUNIT_EXPECT_EQ(test, 0, quarry_cache_shrink(cache));
	quarry_cache_free(cache, objs[0]);
	KUNIT_EXPECT_EQ(test, 1, quarry_cache_shrink(cache));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).slabs);
	KUNIT_EXPECT_EQ(test, inuse, qt_stats(test)->inuse_bytes);
}

static void busy_destroy_is_survived(struct kunit *test)
{
	struct quarry_cache *cache = quarry_cache_create("busy", 128, NULL);
	struct quarry_stats *before = qt_stats(test), *st;
	void *objs[5];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_ASSERT_EQ(test, 5, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 5, objs));
	for (i = 0; i < 5; i++)
		memset(objs[i], i, 128);
	quarry_cache_destroy(cache);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_busy_destroy + 1, st->misuse_busy_destroy);
	KUNIT_EXPECT_EQ(test, before->zombie_caches + 1, st->zombie_caches);
	KUNIT_EXPECT_EQ(test, before->live_objects + 5, st->live_objects);
	qt_exit(test);
	/* The objects that are live are still good. */
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_NULL(test, memchr_inv(objs[i], i, 128));
		KUNIT_EXPECT_EQ(test, 128, quarry_usable_size(objs[i]));
	}
	/* Late frees, with and without naming the cache, which stays until the last one. */
	quarry_free(objs[0]);
	quarry_cache_free(cache, objs[1]);
	quarry_cache_free_bulk(cache, 2, objs + 2);
	qr_drain_all();
	qt_exit(test);
	KUNIT_EXPECT_EQ(test, before->zombie_caches + 1, qt_stats(test)->zombie_caches);
	quarry_free(objs[4]);
	qr_drain_all();
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->zombie_caches, st->zombie_caches);
	KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
	KUNIT_EXPECT_EQ(test, before->caches - 1, st->caches);
	KUNIT_EXPECT_EQ(test, before->misuse_foreign, st->misuse_foreign);
	KUNIT_EXPECT_EQ(test, before->misuse_double_free, st->misuse_double_free);
	KUNIT_EXPECT_EQ(test, before->leaked_objects, st->leaked_objects);
}

/* The last free of a zombie's object collects it; no drain is needed. */
static void zombies_go_by_themselves(struct kunit *test)
{
	const unsigned int n = 100;
	void **objs = qt_array(test, n, sizeof(*objs));
	struct quarry_stats *before = qt_stats(test), *st;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct quarry_cache *cache = quarry_cache_create("zombie", 64 + i, NULL);

		KUNIT_ASSERT_NOT_NULL(test, cache);
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		quarry_cache_destroy(cache);
	}
	msleep(1000);
	KUNIT_EXPECT_EQ(test, before->zombie_caches + n, qt_stats(test)->zombie_caches);
	for (i = 0; i < n; i++)
		quarry_free(objs[i]);
	st = qt_stats(test);
	for (i = 0; i < 100 && st->zombie_caches > before->zombie_caches; i++) {
		msleep(100);
		quarry_stats_read(st);
	}
	KUNIT_EXPECT_EQ(test, before->zombie_caches, st->zombie_caches);
	KUNIT_EXPECT_EQ(test, before->caches, st->caches);
	KUNIT_EXPECT_EQ(test, before->mallocs + n, st->mallocs);
	KUNIT_EXPECT_EQ(test, before->frees + n, st->frees);
}

static void totals_outlive_the_cache(struct kunit *test)
{
	struct quarry_cache *cache = quarry_cache_create("gone", 40, NULL);
	struct quarry_stats *before = qt_stats(test), *st;
	void *objs[100];

	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_ASSERT_EQ(test, 100, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 100, objs));
	quarry_cache_free_bulk(cache, 100, objs);
	quarry_cache_destroy(cache);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->mallocs + 100, st->mallocs);
	KUNIT_EXPECT_EQ(test, before->frees + 100, st->frees);
	KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
	KUNIT_EXPECT_EQ(test, before->misuse_busy_destroy, st->misuse_busy_destroy);
}

static void thousand_cycles_leave_nothing(struct kunit *test)
{
	unsigned int i, live = 0;
	u64 meta;

	qr_drain_all();
	qr_heap_release_idle();
	rcu_barrier();
	meta = qt_metadata(qt_stats(test));
	for (i = 0; i < 1000; i++) {
		struct quarry_cache *cache = quarry_cache_create("cycle", 8 + i * 32, NULL);
		void *p;

		KUNIT_ASSERT_NOT_NULL(test, cache);
		if (i % 2 == 0) {
			p = quarry_cache_alloc(cache, GFP_KERNEL);
			live += !p;
			quarry_cache_free(cache, p);
		}
		quarry_cache_destroy(cache);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, 0, live);
	qr_heap_release_idle();
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, meta, qt_metadata(qt_stats(test)));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(bad_arguments_are_refused), KUNIT_CASE(names_are_copied_and_cut),
	KUNIT_CASE(objects_are_aligned),       KUNIT_CASE(hwcache_objects_share_no_line),
	KUNIT_CASE(constructed_once_and_kept), KUNIT_CASE(shrink_gives_slabs_back),
	KUNIT_CASE(busy_destroy_is_survived),  KUNIT_CASE_SLOW(zombies_go_by_themselves),
	KUNIT_CASE(totals_outlive_the_cache),  KUNIT_CASE_SLOW(thousand_cycles_leave_nothing),
	KUNIT_CASE(qt_books_balance),	       {}
};

static struct kunit_suite cache_suite = {
	.name = "quarry_cache",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(cache_suite);
