// SPDX-License-Identifier: GPL-2.0
/* The shrinker: what it gives back, and what not. */
#include "tests/kunit_util.h"

#include <linux/sched/mm.h>
#include "cache/capacity_balance.h"
#include "reclaim/shrinker.h"

#define N 3000

/* Make @n whole chunks of this node idle. */
static void make_idle(struct kunit *test, int node, unsigned int n)
{
	struct qr_slab *owner = qt_array(test, n, sizeof(*owner));
	struct qr_run *run = qt_array(test, n, sizeof(*run));
	unsigned int i;

	qr_drain_all();
	qr_scavenge_now();
	for (i = 0; i < n; i++)
		KUNIT_ASSERT_TRUE(test,
				  qr_heap_get(&run[i], &owner[i], QR_ORDINARY, node, QR_CHUNK_PAGES,
					      QR_CHUNK_PAGES, 1, GFP_KERNEL | __GFP_THISNODE));
	for (i = 0; i < n; i++)
		qr_heap_put(&run[i]);
}

static void as_many_as_asked_for(struct kunit *test)
{
	const unsigned int few = QR_CHUNK_PAGES / 5, more = QR_CHUNK_PAGES * 4 / 3;
	int node = first_node(qr_nodes);
	u64 shrunk = qt_stats(test)->shrunk_bytes;

	make_idle(test, node, 4);
	KUNIT_EXPECT_GE(test, qr_shrink_count(node), 4 * QR_CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, few, qr_shrink_scan(node, few));
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES, qr_shrink_scan(node, QR_CHUNK_PAGES));
	KUNIT_EXPECT_EQ(test, more, qr_shrink_scan(node, more));
	KUNIT_EXPECT_EQ(test, 0, qr_shrink_scan(node, 0));
	qt_exit(test);
	KUNIT_EXPECT_EQ(test, shrunk + (few + QR_CHUNK_PAGES + more) * PAGE_SIZE,
			qt_stats(test)->shrunk_bytes);
	KUNIT_EXPECT_EQ(test, 3 * QR_CHUNK_PAGES - few - more, qr_shrink_scan(node, ULONG_MAX));
	KUNIT_EXPECT_EQ(test, 0, qr_shrink_count(node));
	KUNIT_EXPECT_EQ(test, 0, qr_shrink_scan(node, QR_CHUNK_PAGES));
}

static void other_nodes_keep_theirs(struct kunit *test)
{
	int node = first_node(qr_nodes), other = qt_other_node(test, node);

	make_idle(test, node, 2);
	KUNIT_EXPECT_EQ(test, 0, qr_shrink_scan(other, ULONG_MAX));
	KUNIT_EXPECT_EQ(test, 2 * QR_CHUNK_PAGES, qr_shrink_scan(node, ULONG_MAX));
}

/*
 * Magazines and depots of an idle cache are emptied.  A cache is idle if its depots moved no object
 * since the last call; so it takes two.
 */
static void idle_caches_are_emptied(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, PAGE_SIZE, NULL);
	void **objs = qt_array(test, N, sizeof(*objs)), *p;
	unsigned int i;
	int node;

	qr_drain_all();
	qr_scavenge_now();
	migrate_disable();
	node = raw_cpu_read(qr_home_node);
	for (i = 0; i < N; i++) {
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_EXPECT_NOT_NULL(test, objs[i]);
	}
	quarry_cache_free_bulk(cache, N, objs);
	KUNIT_EXPECT_GT(test, qt_sum(cache).cached_objects, 0);
	KUNIT_EXPECT_GT(test, qt_sum(cache).slabs, 0);
	/* The cache was used since the last call, so this one only remembers that. */
	qr_shrink_scan(node, ULONG_MAX);
	KUNIT_EXPECT_GT(test, qt_sum(cache).cached_objects, 0);
	KUNIT_EXPECT_GT(test, qr_shrink_count(node), 0);
	qr_shrink_scan(node, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).cached_objects);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).slabs);
	migrate_enable();
	qt_exit(test);
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, p);
	quarry_cache_free(cache, p);
	qt_cache_destroy(test, cache);
}

/* What caches could give up is counted by the look once a second, not when the kernel asks. */
static void count_is_kept(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, PAGE_SIZE, NULL);
	void **objs = qt_array(test, N, sizeof(*objs));
	unsigned long before, after;
	unsigned int i;
	int node;

	migrate_disable();
	node = raw_cpu_read(qr_home_node);
	qt_alloc_n(test, cache, objs, N);
	/* Half of the pages become free, in slabs that stay in use. */
	for (i = 0; i < N; i += 2)
		quarry_cache_free(cache, objs[i]);
	qr_drain_all();
	before = qr_shrink_count(node);
	qr_magazines_tick();
	mutex_lock(&qr_caches_lock);
	after = qr_shrink_count(node);
	mutex_unlock(&qr_caches_lock);
	migrate_enable();
	KUNIT_EXPECT_GT(test, after, before + N / 8);
	/* Once they have been given back, they count no more. */
	KUNIT_EXPECT_GT(test, qr_shrink_scan(node, ULONG_MAX), N / 4);
	KUNIT_EXPECT_LT(test, qr_shrink_count(node), N / 8);
	for (i = 1; i < N; i += 2)
		quarry_cache_free(cache, objs[i]);
}

/* An allocation that holds qr_caches_lock may call the shrinker, which must not wait for it. */
static void locks_are_not_waited_for(struct kunit *test)
{
	int node = first_node(qr_nodes);
	unsigned int reclaim;

	make_idle(test, node, 1);
	mutex_lock(&qr_caches_lock);
	/* Tell lockdep that this is reclaim, as __perform_reclaim() does. */
	reclaim = memalloc_noreclaim_save();
	fs_reclaim_acquire(GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES, qr_shrink_count(node));
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES, qr_shrink_scan(node, ULONG_MAX));
	fs_reclaim_release(GFP_KERNEL);
	memalloc_noreclaim_restore(reclaim);
	mutex_unlock(&qr_caches_lock);
	/* Again without the lock, so that lockdep sees the locks that the shrinker then takes. */
	make_idle(test, node, 1);
	reclaim = memalloc_noreclaim_save();
	fs_reclaim_acquire(GFP_KERNEL);
	KUNIT_EXPECT_GE(test, qr_shrink_count(node), QR_CHUNK_PAGES);
	KUNIT_EXPECT_GE(test, qr_shrink_scan(node, ULONG_MAX), QR_CHUNK_PAGES);
	fs_reclaim_release(GFP_KERNEL);
	memalloc_noreclaim_restore(reclaim);
	qt_exit(test);
}

static struct kunit_case shrinker_cases[] = {
	KUNIT_CASE(as_many_as_asked_for),     KUNIT_CASE(other_nodes_keep_theirs),
	KUNIT_CASE(idle_caches_are_emptied),  KUNIT_CASE(count_is_kept),
	KUNIT_CASE(locks_are_not_waited_for), {}
};

static struct kunit_suite shrinker_suite = {
	.name = "quarry_shrinker",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = shrinker_cases,
};

kunit_test_suite(shrinker_suite);
