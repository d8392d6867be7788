// SPDX-License-Identifier: GPL-2.0
/* Cleanups: the fast path, realloc, misuse, and slabs and caches that are destroyed. */
#include "tests/cache/cleanup_util.h"

#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "tests/probe_util.h"

static void nothing(void *p, void *arg)
{
}

static void count(void *p, void *arg)
{
	atomic_inc(arg);
}

/* --- The fast path --- */

/* Free @p: it must go into this CPU's magazine.  The next allocation takes it from there. */
static void expect_cached(struct kunit *test, struct quarry_cache *cache, void *p)
{
	unsigned int n = qr_head_peek(qt_head(cache));
	u64 direct = qt_sum(cache).direct_frees;

	quarry_free(p);
	KUNIT_EXPECT_EQ(test, n + 1, qr_head_peek(qt_head(cache)));
	KUNIT_EXPECT_EQ(test, direct, qt_sum(cache).direct_frees);
	KUNIT_EXPECT_PTR_EQ(test, p, quarry_cache_alloc(cache, GFP_KERNEL));
}

/* Frees are slow while an object of the slab has a cleanup; other slabs of the class stay fast. */
static void class_is_back(struct kunit *test)
{
	struct quarry_cache *cache = qr_class_cache[qr_size_class[13]];
	struct qr_slab *slab;
	void *p, *q, *far;

	qt_pin(test, 0);
	p = quarry_malloc(104, GFP_KERNEL);
	q = quarry_malloc(104, GFP_KERNEL);
	far = quarry_malloc(3000, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, p && q && far);
	slab = qr_slab_of(p);
	KUNIT_ASSERT_PTR_EQ(test, slab, qr_slab_of(q));
	KUNIT_EXPECT_TRUE(test, qc_is_fast(p));
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, nothing, NULL));
	KUNIT_EXPECT_FALSE(test, qc_is_fast(p) || qc_is_fast(q));
	KUNIT_EXPECT_TRUE(test, qc_is_fast(far));
	KUNIT_EXPECT_EQ(test, 1, slab->nr_cleaned);
	KUNIT_EXPECT_TRUE(test, qr_chunk_is_fast(slab->run.chunk));
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(q, nothing, NULL));
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(q, nothing, p));
	KUNIT_EXPECT_EQ(test, 2, slab->nr_cleaned);
	qt_exit(test);
	quarry_free(p);
	KUNIT_EXPECT_FALSE(test, qc_is_fast(q));
	KUNIT_EXPECT_TRUE(test, quarry_cleanup_remove(q, nothing, NULL));
	KUNIT_EXPECT_FALSE(test, qc_is_fast(q));
	KUNIT_EXPECT_TRUE(test, quarry_cleanup_remove(q, nothing, p));
	KUNIT_EXPECT_TRUE(test, qc_is_fast(q));
	KUNIT_EXPECT_EQ(test, 0, slab->nr_cleaned);
	qt_exit(test);
	expect_cached(test, cache, q);
	quarry_free(q);
	quarry_free(far);
}

/* With objects of caches the whole chunk is slow, until its last cleanup has gone. */
static void chunk_is_back(struct kunit *test)
{
	struct quarry_cache *a = qt_cache(test, 64, NULL), *b = qt_cache(test, 128, NULL);
	struct qr_chunk *chunk;
	void *p, *q, *r;

	qt_pin(test, 0);
	p = quarry_cache_alloc(a, GFP_KERNEL);
	q = quarry_cache_alloc(b, GFP_KERNEL);
	r = quarry_cache_alloc(a, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, p && q && r);
	chunk = qr_slab_of(p)->run.chunk;
	KUNIT_ASSERT_PTR_EQ(test, chunk, qr_slab_of(q)->run.chunk);
	KUNIT_EXPECT_TRUE(test, qc_is_fast(p));
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, nothing, NULL));
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(q, nothing, NULL));
	KUNIT_EXPECT_EQ(test, 2, chunk->nr_slow);
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(r, nothing, NULL));
	KUNIT_EXPECT_EQ(test, 2, chunk->nr_slow);
	qt_exit(test);
	quarry_cache_free(a, p);
	KUNIT_EXPECT_EQ(test, 2, chunk->nr_slow);
	quarry_cache_free(b, q);
	KUNIT_EXPECT_EQ(test, 1, chunk->nr_slow);
	KUNIT_EXPECT_FALSE(test, qc_is_fast(r));
	KUNIT_EXPECT_TRUE(test, quarry_cleanup_remove(r, nothing, NULL));
	KUNIT_EXPECT_EQ(test, 0, chunk->nr_slow);
	KUNIT_EXPECT_TRUE(test, qc_is_fast(r));
	qt_exit(test);
	expect_cached(test, a, r);
	quarry_cache_free(a, r);
}

/* The memory of cleanups counts as metadata, and is freed. */
static void memory_is_back(struct kunit *test)
{
	struct quarry_stats *before, *st;
	struct quarry_cache *cache;
	unsigned int i, k;
	void *p, *q;
	s64 more;

	qt_pin(test, 0);
	p = quarry_malloc(SZ_64K, GFP_KERNEL);
	/* Have a chunk, which stays. */
	quarry_free(quarry_malloc(64, GFP_KERNEL));
	for (k = 0; k < 2; k++) {
		qr_drain_all();
		rcu_barrier();
		before = qt_stats(test);
		cache = qt_cache(test, 64, NULL);
		q = quarry_cache_alloc(cache, GFP_KERNEL);
		for (i = 0; i < 1000; i++) {
			KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(q, nothing, p));
			KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, nothing, q));
		}
		st = qt_stats(test);
		KUNIT_EXPECT_GT(test, qt_metadata(st),
				qt_metadata(before) + 2000 * sizeof(struct qr_cleanup));
		for (i = 0; i < 1000; i++)
			KUNIT_ASSERT_TRUE(test, quarry_cleanup_remove(p, nothing, q));
		quarry_cache_free(cache, q);
		qt_cache_destroy(test, cache);
		qr_drain_all();
		rcu_barrier();
		st = qt_stats(test);
		/* The large object keeps its array.  The page heap may add or free chunks. */
		more = qt_metadata(st) - qt_metadata(before) - (k ? 0 : sizeof(void *));
		KUNIT_EXPECT_EQ(test, 0, more % (s64)sizeof(struct qr_chunk));
		KUNIT_EXPECT_EQ(test, st->sys_bytes,
				st->inuse_bytes + st->idle_bytes + st->metadata_bytes);
	}
	quarry_free(p);
}

/* --- Realloc --- */

static void resize(struct kunit *test, size_t from, size_t to, bool is_mapped)
{
	struct qc_log *log = qc_log(test);
	struct qc_arg args[3] = { { log, 0 }, { log, 1 }, { log, 2 } };
	unsigned int i;
	void *p, *q;

	p = is_mapped ? quarry_vmalloc(from, GFP_KERNEL) : quarry_malloc(from, GFP_KERNEL);
	for (i = 0; i < 3; i++)
		qc_add(test, p, &args[i]);
	qt_fill(p, min(from, to), 3);
	q = quarry_realloc(p, to, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_EQ(test, 0, log->nr);
	KUNIT_EXPECT_TRUE(test, qt_is_filled(q, min(from, to), 3));
	qt_exit(test);
	/* The old object has no cleanup any more. */
	if (q != p && qr_slab_of(p) && !is_vmalloc_addr(p))
		KUNIT_EXPECT_EQ(test, 0,
				qr_slab_of(p)->nr_cleaned - (qr_slab_of(p) == qr_slab_of(q)));
	quarry_free(q);
	KUNIT_ASSERT_EQ(test, 3, log->nr);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, i, log->tag[i]);
		KUNIT_EXPECT_PTR_EQ(test, q, log->p[i]);
	}
	kunit_kfree(test, log);
}

static void moves_along(struct kunit *test)
{
	static const size_t sizes[] = { 8, 100, 5000, 32768, SZ_64K, SZ_1M };
	struct qc_log *log = qc_log(test);
	struct qc_arg arg = { log, 9 };
	unsigned int i, k;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (k = 0; k < ARRAY_SIZE(sizes); k++)
			resize(test, sizes[i], sizes[k], false);
	qt_longest_run(test, 8);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (k = 0; k < ARRAY_SIZE(sizes); k++)
			resize(test, sizes[i], sizes[k], true);
	p = quarry_malloc(100, GFP_KERNEL);
	qc_add(test, p, &arg);
	KUNIT_EXPECT_NULL(test, quarry_realloc(p, 0, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, log->nr);
}

/* The new object has cleanups already if a client that held its address before added one. */
static void lists_are_joined(struct kunit *test)
{
	struct qc_log *log = qc_log(test);
	struct qc_arg args[4] = { { log, 0 }, { log, 1 }, { log, 2 }, { log, 3 } };
	void *p = quarry_malloc(100, GFP_KERNEL), *q = quarry_malloc(5000, GFP_KERNEL);
	unsigned int i, seen = 0;

	KUNIT_ASSERT_TRUE(test, p && q);
	for (i = 0; i < 4; i++)
		qc_add(test, i < 2 ? p : q, &args[i]);
	KUNIT_EXPECT_TRUE(test, qr_cleanups_move(qr_slab_of(p), p, q, GFP_KERNEL));
	quarry_free(p);
	KUNIT_EXPECT_EQ(test, 0, log->nr);
	quarry_free(q);
	KUNIT_ASSERT_EQ(test, 4, log->nr);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_PTR_EQ(test, q, log->p[i]);
		seen |= BIT(log->tag[i]);
	}
	KUNIT_EXPECT_EQ(test, 0xf, seen);
}

/* --- Misuse --- */

static void no_object(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 100, NULL);
	void *p = quarry_cache_alloc(cache, GFP_KERNEL), *large = quarry_malloc(SZ_64K, GFP_KERNEL);
	void *foreign = kunit_kzalloc(test, 100, GFP_KERNEL), *q;
	atomic_t ran = ATOMIC_INIT(0);

	KUNIT_ASSERT_TRUE(test, p && large && foreign);
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cleanup_add(NULL, count, &ran));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cleanup_add(foreign, count, &ran));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cleanup_add(&ran, count, &ran));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cleanup_add(p + 8, count, &ran));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cleanup_add(large + 4096, count, &ran));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cleanup_add(p, NULL, &ran));
	KUNIT_EXPECT_EQ(test, 0, qr_slab_of(p)->nr_cleaned);
	/* A free object, in a slab with live ones. */
	q = quarry_cache_alloc(cache, GFP_KERNEL);
	quarry_cache_free(cache, q);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cleanup_add(q, count, &ran));
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, count, &ran));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cleanup_add(q, count, &ran));
	quarry_free(large);
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cleanup_add(large, count, &ran));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&ran));
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&ran));
}

struct own {
	atomic_t ran;
	int err;
	bool there;
};

static long free_it(void *p)
{
	quarry_free(p);
	return 0;
}

/* A cleanup that does to its own object what it must not do. */
static void on_itself(void *p, void *arg)
{
	struct own *own = arg;

	atomic_inc(&own->ran);
	own->err = quarry_cleanup_add(p, on_itself, arg);
	own->there = quarry_cleanup_remove(p, nothing, NULL);
	quarry_free(p);
	work_on_cpu(cpumask_last(cpu_online_mask), free_it, p);
}

static void freed_while_it_runs(struct kunit *test)
{
	static const size_t sizes[] = { 100, 32768, SZ_64K };
	struct quarry_cache *cache = qt_cache(test, 100, NULL);
	unsigned int i, k;

	for (k = 0; k < 2; k++) {
		for (i = 0; i <= ARRAY_SIZE(sizes); i++) {
			struct own own = { .ran = ATOMIC_INIT(0) };
			struct quarry_stats *before;
			void *p = i < ARRAY_SIZE(sizes) ? quarry_malloc(sizes[i], GFP_KERNEL) :
							  quarry_cache_alloc(cache, GFP_KERNEL);

			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, on_itself, &own));
			KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, nothing, NULL));
			before = qt_stats(test);
			quarry_free(p);
			KUNIT_EXPECT_EQ(test, 1, atomic_read(&own.ran));
			KUNIT_EXPECT_EQ(test, -EINVAL, own.err);
			KUNIT_EXPECT_FALSE(test, own.there);
			KUNIT_EXPECT_EQ(test, before->misuse_double_free + 2,
					qt_stats(test)->misuse_double_free);
			KUNIT_EXPECT_EQ(test, before->frees + 1, qt_stats(test)->frees);
			qt_exit(test);
		}
		/* Again, with every object sampled. */
		qp_rate(test, 1);
	}
}

/* Frees that are misuse do not run cleanups. */
static void wrong_frees(struct kunit *test)
{
	struct quarry_cache *a = qt_cache(test, 100, NULL), *b = qt_cache(test, 100, NULL);
	void *p = quarry_cache_alloc(a, GFP_KERNEL), *q = quarry_malloc(SZ_64K, GFP_KERNEL);
	atomic_t ran = ATOMIC_INIT(0);
	struct quarry_stats *before;

	KUNIT_ASSERT_TRUE(test, p && q);
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, count, &ran));
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(q, count, &ran));
	before = qt_stats(test);
	quarry_free(p + 8);
	quarry_cache_free(a, p + 16);
	quarry_free(q + 8);
	KUNIT_EXPECT_EQ(test, before->misuse_interior + 3, qt_stats(test)->misuse_interior);
	/* Misuse is found at once, because frees in the chunk are slow. */
	quarry_cache_free(b, p);
	quarry_cache_free(b, q);
	KUNIT_EXPECT_EQ(test, before->misuse_wrong_cache + 2, qt_stats(test)->misuse_wrong_cache);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&ran));
	qt_exit(test);
	quarry_cache_free(a, p);
	quarry_free(q);
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&ran));
	/* Double frees, with another object of the slab live. */
	quarry_cache_shrink(a);
	q = quarry_cache_alloc(a, GFP_KERNEL);
	p = quarry_cache_alloc(a, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, count, &ran));
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(q, count, &ran));
	quarry_cache_free(a, p);
	quarry_cache_shrink(a);
	quarry_cache_free(a, p);
	quarry_cache_shrink(a);
	KUNIT_EXPECT_EQ(test, before->misuse_double_free + 1, qt_stats(test)->misuse_double_free);
	KUNIT_EXPECT_EQ(test, 3, atomic_read(&ran));
	quarry_cache_free(a, q);
	KUNIT_EXPECT_EQ(test, 4, atomic_read(&ran));
}

#ifdef CONFIG_KPROBES
static struct {
	struct quarry_cache *cache;
	void *p;
	atomic_t ran;
	int err;
	bool removed;
} nmi;

static void use_in_nmi(void *unused)
{
	nmi.err = quarry_cleanup_add_gfp(nmi.p, count, &nmi.ran, GFP_ATOMIC);
	nmi.removed = quarry_cleanup_remove(nmi.p, count, &nmi.ran);
	quarry_cache_free(nmi.cache, nmi.p);
}

/* In an NMI the lock may be held by the interrupted code, so nothing is added, removed or run. */
static void not_in_nmi(struct kunit *test)
{
	struct quarry_stats *before;

	memset(&nmi, 0, sizeof(nmi));
	nmi.cache = qt_cache(test, 100, NULL);
	nmi.p = quarry_cache_alloc(nmi.cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, nmi.p);
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(nmi.p, count, &nmi.ran));
	before = qt_stats(test);
	qt_in_nmi(test, use_in_nmi, NULL);
	KUNIT_EXPECT_EQ(test, -EINVAL, nmi.err);
	KUNIT_EXPECT_FALSE(test, nmi.removed);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&nmi.ran));
	KUNIT_EXPECT_EQ(test, before->misuse_foreign + 1, qt_stats(test)->misuse_foreign);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(nmi.cache).live_objects);
	qt_exit(test);
	quarry_cache_free(nmi.cache, nmi.p);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&nmi.ran));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(nmi.cache).live_objects);
}
#endif

/* --- Slabs and caches that go --- */

/* Pages are trimmed off slabs with cleanups, and slabs of other classes take them. */
static void trimmed(struct kunit *test)
{
	unsigned int n = 800, m = 2000, i, k, left = 0;
	void **objs = qt_array(test, n, sizeof(*objs)), **more = qt_array(test, m, sizeof(*more));
	atomic_t ran = ATOMIC_INIT(0);
	struct quarry_stats *before;

	for (k = 0; k < 3; k++) {
		atomic_set(&ran, 0);
		before = qt_stats(test);
		for (i = 0; i < n; i++) {
			objs[i] = quarry_malloc(1500, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		}
		for (i = 0; i < n; i += 23)
			if (k != 1)
				KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(objs[i], count, &ran));
		for (i = 0; i < n; i++) {
			if (i % 23) {
				quarry_free(objs[i]);
				objs[i] = NULL;
			}
		}
		qr_drain_all();
		KUNIT_EXPECT_GT(test, qr_trim_all(ULONG_MAX, true), 20);
		qt_exit(test);
		for (i = 0; i < n && k; i += 23)
			KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(objs[i], count, &ran));
		qt_exit(test);
		/* These take the pages that left. */
		for (i = 0; i < m; i++) {
			more[i] = quarry_malloc(i % 2 ? 200 : 3000, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, more[i]);
			left += qc_is_fast(more[i]);
		}
		qt_exit(test);
		KUNIT_EXPECT_GT(test, qt_stats(test)->trimmed_bytes, before->trimmed_bytes);
		/* Half of the cleanups are removed, the others run. */
		for (i = 0; i < n / 2; i += 23)
			while (quarry_cleanup_remove(objs[i], count, &ran))
				atomic_inc(&ran);
		qt_exit(test);
		quarry_free_bulk(n, objs);
		qt_exit(test);
		quarry_free_bulk(m, more);
		KUNIT_EXPECT_EQ(test, DIV_ROUND_UP(n, 23) * (k == 2 ? 2 : 1), atomic_read(&ran));
		qr_drain_all();
	}
	KUNIT_EXPECT_EQ(test, 3 * m, left);
}

/* The client may be unloaded before a late free of its object: no cleanup of it runs. */
static void destroyed(struct kunit *test)
{
	struct quarry_cache *cache = quarry_cache_create(test->name, 100, NULL);
	void **objs = qt_array(test, 300, sizeof(*objs));
	struct quarry_stats *before = qt_stats(test);
	atomic_t ran = ATOMIC_INIT(0);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	qp_cache_rate(test, cache, 5000);
	qt_alloc_n(test, cache, objs, 300);
	for (i = 0; i < 300; i += 3)
		KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(objs[i], count, &ran));
	qt_free_n(cache, objs, 100);
	KUNIT_EXPECT_EQ(test, 34, atomic_read(&ran));
	quarry_cache_destroy(cache);
	KUNIT_EXPECT_EQ(test, before->zombie_caches + 1, qt_stats(test)->zombie_caches);
	qt_exit(test);
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cleanup_add(objs[200], count, &ran));
	KUNIT_EXPECT_FALSE(test, quarry_cleanup_remove(objs[201], count, &ran));
	for (i = 100; i < 300; i++)
		quarry_free(objs[i]);
	KUNIT_EXPECT_EQ(test, 34, atomic_read(&ran));
	qr_drain_all();
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, before->zombie_caches, qt_stats(test)->zombie_caches);
}

static struct kunit_case cases[] = { KUNIT_CASE(class_is_back),
				     KUNIT_CASE(chunk_is_back),
				     KUNIT_CASE(memory_is_back),
				     KUNIT_CASE_SLOW(moves_along),
				     KUNIT_CASE(lists_are_joined),
				     KUNIT_CASE(no_object),
				     KUNIT_CASE(freed_while_it_runs),
				     KUNIT_CASE(wrong_frees),
#ifdef CONFIG_KPROBES
				     KUNIT_CASE(not_in_nmi),
#endif
				     KUNIT_CASE(trimmed),
				     KUNIT_CASE(destroyed),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite cleanup_life_suite = {
	.name = "quarry_cleanup_life",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(cleanup_life_suite);
