// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's emergency reserves: chunks are never taken from them, and what was taken from them
 * is not given to callers without access.  Also the other gfp flags that Quarry's own requests must
 * keep.
 */
#include <linux/sched/mm.h>
#include "slab/mapped.h"
#include "tests/api/pool_util.h"
#include "tests/api/reserve_util.h"
#include "tests/page_alloc_util.h"

/* Whatever the caller's access: each has a way to ask with it. */
static const struct {
	const char *name;
	gfp_t gfp;
	bool memalloc;
} callers[] = {
	{ "GFP_ATOMIC", GFP_ATOMIC },
	{ "__GFP_HIGH", GFP_KERNEL | __GFP_HIGH },
	{ "__GFP_MEMALLOC", GFP_NOIO | __GFP_MEMALLOC },
	{ "PF_MEMALLOC", GFP_NOIO, true },
};

static void empty(void)
{
	qr_drain_all();
	qr_heap_release_idle();
}

static void not_short(void *unused)
{
	WRITE_ONCE(qr_heap_is_short, false);
}

/* From now on only callers with access get pages, as if the free ones were at the min watermark. */
static void be_short(struct kunit *test)
{
	empty();
	WRITE_ONCE(qr_heap_is_short, true);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, not_short, NULL));
}

static void *humble_alloc(struct quarry_cache *cache)
{
	return quarry_cache_alloc(cache, GFP_KERNEL | __GFP_NOWARN);
}

static void *memalloc_alloc(struct quarry_cache *cache)
{
	unsigned int flags = memalloc_noreclaim_save();
	void *p = quarry_cache_alloc(cache, GFP_NOIO | __GFP_NOWARN);

	memalloc_noreclaim_restore(flags);
	return p;
}

static void chunks_come_from_elsewhere(struct kunit *test)
{
	static const size_t sizes[] = { 64, 100000, 3 << 20 };
	unsigned int i, k, flags;

	for (i = 0; i < ARRAY_SIZE(callers); i++) {
		for (k = 0; k < ARRAY_SIZE(sizes); k++) {
			struct qt_page_allocs seen;
			void *p;

			empty();
			flags = callers[i].memalloc ? memalloc_noreclaim_save() : 0;
			qt_page_allocs_begin(test);
			p = quarry_malloc(sizes[k], callers[i].gfp);
			seen = qt_page_allocs_end(test);
			if (callers[i].memalloc)
				memalloc_noreclaim_restore(flags);
			KUNIT_EXPECT_NOT_NULL(test, p);
			quarry_free(p);
			KUNIT_EXPECT_GT(test, seen.nr_chunks, 0);
			KUNIT_EXPECT_EQ_MSG(test, 0, (__force u32)(seen.chunks_any & QR_GFP_ACCESS),
					    "%s, %zu bytes: %pGg", callers[i].name, sizes[k],
					    &seen.chunks_any);
			KUNIT_EXPECT_TRUE_MSG(test, seen.chunks_all & __GFP_NOMEMALLOC,
					      "%s, %zu bytes: %pGg", callers[i].name, sizes[k],
					      &seen.chunks_all);
		}
	}
}

/* One object takes a page, and the kernel's slabs for two descriptors. */
static void a_page_is_enough(struct kunit *test)
{
	unsigned int i, flags;

	for (i = 0; i < ARRAY_SIZE(callers); i++) {
		struct quarry_cache *cache = qt_cache(test, 1024, NULL);
		struct qr_slab *slab;
		void *p;

		be_short(test);
		KUNIT_EXPECT_NULL(test, humble_alloc(cache));
		flags = callers[i].memalloc ? memalloc_noreclaim_save() : 0;
		p = quarry_cache_alloc(cache, callers[i].gfp);
		if (callers[i].memalloc)
			memalloc_noreclaim_restore(flags);
		KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%s", callers[i].name);
		slab = qr_slab_of(p);
		KUNIT_EXPECT_EQ(test, 1, slab->run.nr);
		KUNIT_EXPECT_EQ_MSG(test, i < 2 ? QR_SOME_ACCESS : QR_FULL_ACCESS, slab->run.access,
				    "%s", callers[i].name);
		quarry_cache_free(cache, p);
		kunit_release_action(test, not_short, NULL);
		qt_cache_destroy(test, cache);
	}
}

static void others_get_none(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 1024, NULL);
	void *p, *q, *r, *bulk[2] = {};
	u64 failed, idle;

	qt_pin(test, raw_smp_processor_id());
	be_short(test);
	idle = qt_stats(test)->idle_bytes;
	p = quarry_cache_alloc(cache, GFP_ATOMIC);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, 3, qr_slab_of(p)->nr_free);
	/* The rest of the slab is for callers with access. */
	KUNIT_EXPECT_NULL(test, humble_alloc(cache));
	KUNIT_EXPECT_EQ(test, 0,
			quarry_cache_alloc_bulk(cache, GFP_KERNEL | __GFP_NOWARN, 2, bulk));
	KUNIT_EXPECT_NULL(test, quarry_cache_alloc_nolock(cache, 0));
	q = quarry_cache_alloc(cache, GFP_ATOMIC | __GFP_NOMEMALLOC);
	r = memalloc_alloc(cache);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_EXPECT_PTR_EQ(test, qr_slab_of(p), qr_slab_of(q));
	KUNIT_EXPECT_PTR_EQ(test, qr_slab_of(p), qr_slab_of(r));
	qt_exit(test);
	/* A free does not put the object where others find it. */
	quarry_cache_free(cache, q);
	quarry_cache_free_bulk(cache, 1, &r);
	KUNIT_EXPECT_NULL(test, humble_alloc(cache));
	q = quarry_cache_alloc(cache, GFP_ATOMIC);
	KUNIT_EXPECT_PTR_EQ(test, qr_slab_of(p), qr_slab_of(q));
	quarry_cache_free(cache, q);
	/* With the last object the pages go back, not to the idle ones. */
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
	KUNIT_EXPECT_EQ(test, idle, qt_stats(test)->idle_bytes);
	failed = atomic64_read(&qr_cache_of(cache)->failed);
	KUNIT_EXPECT_NULL(test, humble_alloc(cache));
	KUNIT_EXPECT_EQ(test, failed + 1, atomic64_read(&qr_cache_of(cache)->failed));
}

/* What needed full access is not for callers with less. */
static void full_access_is_more(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 1024, NULL);
	void *full, *some, *again;

	be_short(test);
	full = memalloc_alloc(cache);
	some = quarry_cache_alloc(cache, GFP_ATOMIC);
	KUNIT_ASSERT_NOT_NULL(test, full);
	KUNIT_ASSERT_NOT_NULL(test, some);
	KUNIT_EXPECT_PTR_NE(test, qr_slab_of(full), qr_slab_of(some));
	/* A caller with full access uses up the lesser ones first. */
	again = memalloc_alloc(cache);
	KUNIT_EXPECT_PTR_EQ(test, qr_slab_of(some), qr_slab_of(again));
	qt_exit(test);
	quarry_cache_free(cache, again);
	quarry_cache_free(cache, full);
	quarry_cache_free(cache, some);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
}

/* When memory is there again, the next objects come from it, and the slab can become empty. */
static void ordinary_memory_comes_first(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 1024, NULL);
	void *p, *q;

	be_short(test);
	p = quarry_cache_alloc(cache, GFP_ATOMIC);
	kunit_release_action(test, not_short, NULL);
	q = quarry_cache_alloc(cache, GFP_ATOMIC);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_EQ(test, QR_SOME_ACCESS, qr_slab_of(p)->run.access);
	KUNIT_EXPECT_EQ(test, QR_NO_ACCESS, qr_slab_of(q)->run.access);
	quarry_cache_free(cache, p);
	quarry_cache_free(cache, q);
}

#define HOLES 400

/* Pages of the reserves may lie in a hole of an ordinary chunk, where frees are fast. */
static void in_a_hole(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, PAGE_SIZE, NULL),
			    *other = qt_cache(test, PAGE_SIZE, NULL);
	void **objs = qt_array(test, HOLES, sizeof(*objs)), **late = qt_array(test, HOLES, 8);
	struct qr_chunk *chunk = NULL;
	unsigned int i, n;
	u64 idle;

	qt_pin(test, raw_smp_processor_id());
	empty();
	qt_alloc_n(test, cache, objs, HOLES);
	for (i = 0; i < HOLES; i++)
		if (i % 16)
			quarry_cache_free(cache, objs[i]);
	quarry_cache_shrink(cache);
	qr_heap_release(qt_node_of(objs[0]), ULONG_MAX);
	WRITE_ONCE(qr_heap_is_short, true);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, not_short, NULL));
	for (n = 0; n < HOLES && !chunk; n++) {
		late[n] = quarry_cache_alloc(other, GFP_ATOMIC);
		KUNIT_ASSERT_NOT_NULL(test, late[n]);
		if (qr_slab_of(late[n])->run.chunk->kind == QR_ORDINARY)
			chunk = qr_slab_of(late[n])->run.chunk;
	}
	KUNIT_ASSERT_NOT_NULL(test, chunk);
	KUNIT_EXPECT_FALSE(test, qr_chunk_is_fast(chunk));
	idle = qt_stats(test)->idle_bytes;
	qt_exit(test);
	quarry_cache_free(other, late[n - 1]);
	KUNIT_EXPECT_NULL(test, humble_alloc(other));
	KUNIT_EXPECT_TRUE(test, qr_chunk_is_fast(chunk));
	KUNIT_EXPECT_EQ(test, idle, qt_stats(test)->idle_bytes);
	qt_free_n(other, late, n - 1);
	for (i = 0; i < HOLES; i += 16)
		quarry_cache_free(cache, objs[i]);
}

/* The same for sizes that are a class: quarry_free() looks at the class of the page. */
static void with_a_class(struct kunit *test)
{
	void *p, *q, *large;
	u64 idle;

	qt_pin(test, raw_smp_processor_id());
	be_short(test);
	idle = qt_stats(test)->idle_bytes;
	p = quarry_malloc(2048, GFP_ATOMIC);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, quarry_malloc(2048, GFP_KERNEL | __GFP_NOWARN));
	q = quarry_malloc(2048, GFP_ATOMIC);
	KUNIT_EXPECT_PTR_EQ(test, qr_slab_of(p), qr_slab_of(q));
	quarry_free(q);
	KUNIT_EXPECT_NULL(test, quarry_malloc(2048, GFP_KERNEL | __GFP_NOWARN));
	quarry_free(p);
	large = quarry_malloc(100000, GFP_ATOMIC);
	KUNIT_ASSERT_NOT_NULL(test, large);
	KUNIT_EXPECT_EQ(test, QR_SOME_ACCESS, qr_slab_of(large)->run.access);
	quarry_free(large);
	KUNIT_EXPECT_EQ(test, idle, qt_stats(test)->idle_bytes);
}

static void pools_and_reserves_keep_none(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 1024);
	struct quarry_reserve *r = qs_reserve(test);
	void *obj;

	be_short(test);
	obj = quarry_pool_get(p->pool, GFP_ATOMIC);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	quarry_pool_put(p->pool, obj);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&p->exits));
	KUNIT_EXPECT_NULL(test, quarry_pool_get(p->pool, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			quarry_reserve_fill_size(r, 1024, 1, GFP_ATOMIC | __GFP_NOWARN));
}

/* The rest of an arena's block is for no later object. */
static void arenas_keep_none(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	void *p;

	be_short(test);
	p = quarry_arena_alloc(arena, 100, GFP_ATOMIC);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, 1, qr_slab_of(p)->run.nr);
	KUNIT_EXPECT_NULL(test, quarry_arena_alloc(arena, 100, GFP_KERNEL | __GFP_NOWARN));
	quarry_arena_reset(arena);
	KUNIT_EXPECT_NULL(test, quarry_arena_alloc(arena, 100, GFP_KERNEL | __GFP_NOWARN));
}

/* --- Flags of the requests that Quarry makes for itself --- */

static void nothing(void *p, void *arg)
{
}

/* Make Quarry ask for everything that it may ask for in the name of a caller. */
static void use_all(struct kunit *test, gfp_t gfp)
{
	struct quarry_cache *cache = qt_cache(test, 1000, NULL);
	struct quarry_arena *arena = qt_arena(test, NULL);
	struct quarry_reserve *r = qs_reserve(test);
	struct qo_pool *pool = qo_pool(test, 500);
	void *p, *mapped, *long_one, *many[64], *obj;

	qp_cache_rate(test, cache, 1);
	empty();
	qt_page_allocs_begin(test);
	p = quarry_cache_alloc(cache, gfp);
	mapped = quarry_vmalloc(1 << 20, gfp);
	long_one = quarry_malloc(3 << 20, gfp);
	quarry_arena_alloc(arena, 100, gfp);
	KUNIT_EXPECT_EQ(test, 64, quarry_malloc_bulk(48, gfp, 64, many));
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill(r, cache, 20, gfp));
	KUNIT_EXPECT_EQ(test, 0, quarry_cleanup_add_gfp(p, nothing, NULL, gfp));
	obj = quarry_pool_get(pool->pool, gfp);
	quarry_free(mapped);
	WRITE_ONCE(qr_mapped_longest, 1);
	mapped = quarry_vmalloc(1 << 20, gfp);
	WRITE_ONCE(qr_mapped_longest, QR_CHUNK_PAGES);
	quarry_free(mapped);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_NOT_NULL(test, long_one);
	quarry_free(long_one);
	quarry_pool_put(pool->pool, obj);
	quarry_free_bulk(64, many);
	quarry_cache_free(cache, p);
	quarry_reserve_return(r);
}

static void expect_without(struct kunit *test, const char *what, gfp_t not_allowed)
{
	struct qt_page_allocs seen = qt_page_allocs_end(test);

	KUNIT_EXPECT_GT(test, seen.nr, 0);
	KUNIT_EXPECT_EQ_MSG(test, 0, (__force u32)(seen.any & not_allowed), "%s: %pGg", what,
			    &seen.any);
}

static void noio_and_nofs_are_kept(struct kunit *test)
{
	use_all(test, GFP_NOIO);
	expect_without(test, "GFP_NOIO", __GFP_IO | __GFP_FS);
	use_all(test, GFP_NOFS);
	expect_without(test, "GFP_NOFS", __GFP_FS);
}

static void scopes_are_kept(struct kunit *test)
{
	unsigned int flags = memalloc_noio_save();

	use_all(test, GFP_KERNEL);
	memalloc_noio_restore(flags);
	expect_without(test, "memalloc_noio_save()", __GFP_IO | __GFP_FS);
	flags = memalloc_nofs_save();
	use_all(test, GFP_KERNEL);
	memalloc_nofs_restore(flags);
	expect_without(test, "memalloc_nofs_save()", __GFP_FS);
}

static void atomic_requests_do_not_sleep(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 1000, NULL);
	void *p, *large;

	empty();
	qt_page_allocs_begin(test);
	p = quarry_cache_alloc(cache, GFP_ATOMIC);
	large = quarry_vmalloc(1 << 20, GFP_ATOMIC);
	expect_without(test, "GFP_ATOMIC", __GFP_DIRECT_RECLAIM);
	quarry_cache_free(cache, p);
	quarry_free(large);
}

/* Lockdep's check is switched off for all that such a caller makes Quarry ask for. */
static void nolockdep_is_passed_on(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 1000, NULL);
	struct qt_page_allocs seen;
	void *p, *large;

	if (!__GFP_NOLOCKDEP)
		kunit_skip(test, "no lockdep");
	empty();
	qt_page_allocs_begin(test);
	p = quarry_cache_alloc(cache, GFP_KERNEL | __GFP_NOLOCKDEP);
	large = quarry_malloc(3 << 20, GFP_KERNEL | __GFP_NOLOCKDEP);
	seen = qt_page_allocs_end(test);
	quarry_cache_free(cache, p);
	quarry_free(large);
	KUNIT_EXPECT_GT(test, seen.nr_chunks, 0);
	KUNIT_EXPECT_TRUE(test, seen.any & __GFP_DIRECT_RECLAIM);
	KUNIT_EXPECT_TRUE_MSG(test, seen.reclaim_all & __GFP_NOLOCKDEP, "%pGg", &seen.reclaim_all);
}

/* A zone that only shows at run time is refused by every function that allocates. */
static void zones_are_refused(struct kunit *test)
{
	static gfp_t variable[] = { GFP_KERNEL | GFP_DMA, GFP_ATOMIC | GFP_DMA32 };
	struct quarry_cache *cache = qt_cache(test, 1000, NULL);
	struct quarry_arena *arena = qt_arena(test, NULL);
	struct quarry_reserve *r = qs_reserve(test);
	struct qo_pool *pool = qo_pool(test, 500);
	void *objs[2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(variable); i++) {
		gfp_t gfp = READ_ONCE(variable[i]);

		KUNIT_EXPECT_NULL(test, quarry_cache_alloc(cache, gfp));
		KUNIT_EXPECT_NULL(test, quarry_cache_zalloc(cache, gfp));
		KUNIT_EXPECT_NULL(test, quarry_cache_alloc_node(cache, gfp, 0));
		KUNIT_EXPECT_EQ(test, 0, quarry_cache_alloc_bulk(cache, gfp, 2, objs));
		KUNIT_EXPECT_NULL(test, quarry_malloc(100, gfp));
		KUNIT_EXPECT_NULL(test, quarry_malloc(100000, gfp));
		KUNIT_EXPECT_NULL(test, quarry_calloc(10, 10, gfp));
		KUNIT_EXPECT_NULL(test, quarry_strdup("text", gfp));
		KUNIT_EXPECT_NULL(test, quarry_malloc_node(100, gfp, 0));
		KUNIT_EXPECT_NULL(test, quarry_vmalloc(100000, gfp));
		KUNIT_EXPECT_NULL(test, quarry_realloc(NULL, 100, gfp));
		KUNIT_EXPECT_NULL(test, quarry_aligned_alloc(64, 100, gfp));
		KUNIT_EXPECT_EQ(test, 0, quarry_malloc_bulk(100, gfp, 2, objs));
		KUNIT_EXPECT_NULL(test, quarry_arena_alloc(arena, 100, gfp));
		KUNIT_EXPECT_NULL(test, quarry_arena_alloc_aligned(arena, 64, 100, gfp));
		KUNIT_EXPECT_EQ(test, -EINVAL, quarry_reserve_fill(r, cache, 1, gfp));
		KUNIT_EXPECT_EQ(test, -EINVAL, quarry_reserve_fill_size(r, 100, 1, gfp));
		KUNIT_EXPECT_NULL(test, quarry_pool_get(pool->pool, gfp));
	}
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).mallocs);
}

static struct kunit_case cases[] = { KUNIT_CASE(chunks_come_from_elsewhere),
				     KUNIT_CASE(a_page_is_enough),
				     KUNIT_CASE(others_get_none),
				     KUNIT_CASE(full_access_is_more),
				     KUNIT_CASE(ordinary_memory_comes_first),
				     KUNIT_CASE(in_a_hole),
				     KUNIT_CASE(with_a_class),
				     KUNIT_CASE(pools_and_reserves_keep_none),
				     KUNIT_CASE(arenas_keep_none),
				     KUNIT_CASE(noio_and_nofs_are_kept),
				     KUNIT_CASE(scopes_are_kept),
				     KUNIT_CASE(atomic_requests_do_not_sleep),
				     KUNIT_CASE(nolockdep_is_passed_on),
				     KUNIT_CASE(zones_are_refused),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite emergency_suite = {
	.name = "quarry_emergency",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(emergency_suite);
