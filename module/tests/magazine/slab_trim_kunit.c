// SPDX-License-Identifier: GPL-2.0
/*
 * Trimming caches: exactly the pages without a live object leave, and live objects stay as they
 * are.
 */
#include "tests/magazine/slab_trim_util.h"
#include "tests/profile_util.h"

#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include "cache/capacity_balance.h"
#include "reclaim/scavenger.h"
#include "view/snapshot.h"

/* Free nine of ten objects at random; then grow, shrink and trim the cache in turn. */
static void life(struct kunit *test, unsigned int size, unsigned int align, bool constructed)
{
	struct qs_traffic *t = qs_traffic_new(test, size, align, constructed);
	struct qs_traffic *other = qs_traffic_new(test, 96, 0, false);
	unsigned int round;

	qs_fill(test, t);
	qs_free_until(t, t->room / 10);
	qs_trim_is_exact(test, t);
	for (round = 0; round < 12; round++) {
		unsigned int left = prandom_u32_state(&t->rnd) % t->room;

		while (t->n < left)
			qs_alloc(test, t);
		qs_free_until(t, left);
		/* Another cache takes the pages and writes to them. */
		if (round % 2)
			qs_fill(test, other);
		else
			qs_free_until(other, other->room / 8);
		if (round % 3 == 0)
			qs_trim_is_exact(test, t);
		else
			qs_trim(t->cache, prandom_u32_state(&t->rnd) % 50);
		qs_check(test, t);
		qs_check(test, other);
	}
	qs_trim_is_exact(test, t);
	qs_everything_comes_back(test, t);
	qs_everything_comes_back(test, other);
}

/*
 * In none of these layouts has a slab a whole page behind its last object: such a page would stay
 * while all objects of the slab are live.
 */
static const struct {
	unsigned int size, align;
} layouts[] = {
	{ 8, 0 },    { 24, 0 },	   { 256, 0 },	  { 1000, 0 },	  { 4096, 0 },
	{ 5000, 0 }, { 32768, 0 }, { 200, 1024 }, { 3000, 8192 },
};

static void pages_are_exact(struct kunit *test)
{
	unsigned int i;

	qt_pin(test, 0);
	for (i = 0; i < ARRAY_SIZE(layouts); i++)
		life(test, layouts[i].size, layouts[i].align, false);
}

static void constructed_objects(struct kunit *test)
{
	qt_pin(test, 0);
	life(test, 1000, 0, true);
}

static void mixed_chunks(struct kunit *test)
{
	unsigned int i;

	qt_pin(test, 0);
	qr_drain_all();
	qr_heap_release_idle();
	qt_no_chunks(test);
	for (i = 0; i < ARRAY_SIZE(layouts); i++)
		life(test, layouts[i].size, layouts[i].align, false);
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->mixed_bytes);
}

/* The sample of an object stays while the object is live, and ends with its free. */
static void sampled_objects(struct kunit *test)
{
	static const unsigned int sizes[] = { 24, 1000, 5000 };
	u64 live = qp_counts().live_samples;
	unsigned int i;

	qt_pin(test, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct qs_traffic *t = qs_traffic_new(test, sizes[i], 0, false);
		struct quarry_site sum;
		unsigned int round;

		qp_rate(test, 1);
		for (round = 0; round < 4; round++) {
			qs_fill(test, t);
			qs_free_until(t, t->room / 10);
			qs_trim_is_exact(test, t);
			KUNIT_EXPECT_EQ(test, live + t->n, qp_counts().live_samples);
			qp_expect_all_found(test);
		}
		qp_now(test, qp_id(t->cache), &sum);
		KUNIT_EXPECT_EQ(test, qp_objects(t->n), sum.inuse.objects);
		qs_everything_comes_back(test, t);
		qp_now(test, qp_id(t->cache), &sum);
		KUNIT_EXPECT_EQ(test, 0, sum.inuse.samples);
		KUNIT_EXPECT_EQ(test, live, qp_counts().live_samples);
	}
}

struct finding {
	struct qs_traffic *t;
	unsigned int found, wrong;
};

static int find_object(const struct qr_object *o, void *arg)
{
	struct finding *f = arg;
	unsigned int i;

	if (o->cache != qp_id(f->t->cache))
		return 0;
	f->found++;
	for (i = 0; i < f->t->n && f->t->objs[i].p != o->ptr; i++)
		;
	f->wrong += i == f->t->n;
	return 0;
}

/* The walk over live objects visits each once, also in slabs whose first pages have left. */
static void walks_find_what_is_left(struct kunit *test)
{
	static const unsigned int sizes[] = { 1000, 4096, 5000 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct qs_traffic *t = qs_traffic_new(test, sizes[i], 0, false);
		struct finding f = { .t = t };

		qs_fill(test, t);
		qs_free_until(t, t->room / 10);
		qs_trim_is_exact(test, t);
		KUNIT_EXPECT_EQ(test, 0, qr_walk_objects(false, find_object, &f));
		KUNIT_EXPECT_EQ(test, t->n, f.found);
		KUNIT_EXPECT_EQ(test, 0, f.wrong);
		qs_everything_comes_back(test, t);
	}
}

static int add_slab(const struct quarry_slab_info *si, void *arg)
{
	struct quarry_slab_info *sum = arg;

	sum->pages += si->pages;
	sum->gone += si->gone;
	sum->objects += si->objects;
	sum->free += si->free;
	return 0;
}

static void slabs_tell_what_left(struct kunit *test)
{
	struct qs_traffic *t = qs_traffic_new(test, 1000, 0, false);
	struct quarry_slab_info sum = { 0 };
	struct quarry_cache_stats st;

	qs_fill(test, t);
	qs_free_until(t, t->room / 10);
	qs_trim_is_exact(test, t);
	st = qt_sum(t->cache);
	KUNIT_EXPECT_EQ(test, 0, qr_walk_slabs(qp_id(t->cache), add_slab, &sum));
	KUNIT_EXPECT_EQ(test, qs_held_pages(t), sum.pages);
	KUNIT_EXPECT_EQ(test, st.slabs * st.slab_pages, sum.pages + sum.gone);
	KUNIT_EXPECT_EQ(test, t->n, sum.objects - sum.free);
	KUNIT_EXPECT_EQ(test, st.capacity_objects, sum.objects);
	qs_everything_comes_back(test, t);
}

/* A trim stops when it has enough pages, and the next one goes on there. */
static void no_more_than_wanted(struct kunit *test)
{
	struct qs_traffic *t = qs_traffic_new(test, 1024, 0, false);
	unsigned long pages, sum = 0, most, held, before;
	unsigned int times = 0;

	qs_fill(test, t);
	qs_free_until(t, t->room / 10);
	qr_drain_all();
	held = qs_held_pages(t);
	before = qt_sum(t->cache).inuse_bytes >> PAGE_SHIFT;
	most = qr_cache_trimmable(qr_cache_of(t->cache));
	KUNIT_EXPECT_EQ(test, 0, qs_trim(t->cache, 0));
	do {
		pages = qs_trim(t->cache, 10);
		KUNIT_EXPECT_LT(test, pages, 10 + 8 * qr_cache_of(t->cache)->geo.pages);
		KUNIT_EXPECT_TRUE(test, pages >= 10 || before - sum - pages == held);
		sum += pages;
		times++;
		qs_check(test, t);
		KUNIT_EXPECT_EQ(test, before - sum, qt_sum(t->cache).inuse_bytes >> PAGE_SHIFT);
	} while (pages);
	KUNIT_EXPECT_GT(test, times, 3);
	KUNIT_EXPECT_EQ(test, held, before - sum);
	KUNIT_EXPECT_LE(test, sum, most);
	/* For objects of whole pages the estimate is exact. */
	qs_everything_comes_back(test, t);
	t = qs_traffic_new(test, PAGE_SIZE, 0, false);
	qs_fill(test, t);
	qs_free_until(t, t->room / 10);
	qr_drain_all();
	most = qr_cache_trimmable(qr_cache_of(t->cache));
	KUNIT_EXPECT_EQ(test, most, qs_trim(t->cache, QS_ALL));
	KUNIT_EXPECT_EQ(test, 0, qr_cache_trimmable(qr_cache_of(t->cache)));
	qs_everything_comes_back(test, t);
}

/* Empty slabs that the depot keeps go first; if they are enough, no other slab is trimmed. */
static void empty_slabs_first(struct kunit *test)
{
	struct qs_traffic *t = qs_traffic_new(test, PAGE_SIZE, 0, false);
	struct qr_depot *d;
	unsigned int each = qr_cache_of(t->cache)->geo.pages;
	unsigned long empty;
	u64 trimmed, slabs;
	unsigned int i;

	qt_pin(test, 0);
	qs_fill(test, t);
	d = qr_cache_of(t->cache)->depot[qt_node_of(t->objs[0].p)];
	/* In order of address, so that whole slabs become empty; batches cannot take so many. */
	for (i = 0; i < t->n - 1; i++)
		quarry_cache_free(t->cache, t->objs[i].p);
	t->objs[0] = t->objs[i];
	t->n = 1;
	trimmed = qt_stats(test)->trimmed_bytes;
	slabs = qt_sum(t->cache).slabs;
	empty = d->nr_empty;
	KUNIT_ASSERT_GE(test, empty, 4);
	KUNIT_EXPECT_EQ(test, empty * each, qs_trim(t->cache, empty * each - each + 1));
	KUNIT_EXPECT_EQ(test, 0, d->nr_empty);
	KUNIT_EXPECT_EQ(test, slabs - empty, qt_sum(t->cache).slabs);
	KUNIT_EXPECT_EQ(test, trimmed, qt_stats(test)->trimmed_bytes);
	qs_trim_is_exact(test, t);
	qs_everything_comes_back(test, t);
}

static void set_keep(unsigned long pages)
{
	int node;

	for_each_node_mask(node, qr_nodes)
		WRITE_ONCE(qr_heaps[node]->keep, pages);
}

static void keep_nothing(void *unused)
{
	set_keep(0);
}

static bool shares_a_chunk(const void *p, const struct qs_traffic *t)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (qr_chunk_index(t->objs[i].p) == qr_chunk_index(p))
			return true;
	return false;
}

/* Pages that left a slab serve other caches at once, as long as the page heap keeps them. */
static void others_have_the_pages(struct kunit *test)
{
	struct qs_traffic *t = qs_traffic_new(test, PAGE_SIZE, 0, false);
	struct qs_traffic *other = qs_traffic_new(test, 64, 0, false);
	unsigned int each = qr_cache_of(t->cache)->geo.pages, pages, i, taken = 0;
	u64 chunks;

	/* No other page is idle. */
	qr_drain_all();
	qr_scavenge_now();
	set_keep(ULONG_MAX);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, keep_nothing, NULL));
	qt_pin(test, 0);
	qs_fill(test, t);
	/* One object of each slab stays. */
	for (i = t->n; i--;)
		if (((unsigned long)t->objs[i].p >> PAGE_SHIFT) % each)
			qs_free(t, i);
	qs_trim_is_exact(test, t);
	chunks = qt_stats(test)->chunks;
	pages = t->room - t->n;
	qs_fill(test, other);
	for (i = 0; i < other->n; i++)
		taken += shares_a_chunk(other->objs[i].p, t);
	KUNIT_EXPECT_GT(test, pages, other->n * 64 / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, chunks, qt_stats(test)->chunks);
	KUNIT_EXPECT_GT(test, taken, 0);
	qs_check(test, t);
	qs_everything_comes_back(test, other);
	qs_everything_comes_back(test, t);
}

static void shrinking_trims(struct kunit *test)
{
	struct qs_traffic *t = qs_traffic_new(test, 1024, 0, false);

	qs_fill(test, t);
	qs_free_until(t, t->room / 10);
	quarry_cache_shrink(t->cache);
	KUNIT_EXPECT_EQ(test, qs_held_pages(t), qt_sum(t->cache).inuse_bytes >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, 0, qs_trim(t->cache, QS_ALL));
	qs_check(test, t);
	qs_everything_comes_back(test, t);
}

/* Trim all caches, as the scavenger and the shrinker do. */
static void all_caches(struct kunit *test)
{
	struct qs_traffic *t[3];
	unsigned int i;
	u64 pages, inuse;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		t[i] = qs_traffic_new(test, 1000 << i, 0, false);
		qs_fill(test, t[i]);
		qs_free_until(t[i], t[i]->room / 10);
	}
	qr_drain_all();
	inuse = qt_stats(test)->inuse_bytes;
	mutex_lock(&qr_caches_lock);
	KUNIT_EXPECT_EQ(test, 0, qr_trim_all(QS_ALL, false));
	mutex_unlock(&qr_caches_lock);
	mutex_lock(&qr_trim_lock);
	KUNIT_EXPECT_EQ(test, 0, qr_trim_all(QS_ALL, false));
	mutex_unlock(&qr_trim_lock);
	KUNIT_EXPECT_EQ(test, inuse, qt_stats(test)->inuse_bytes);
	pages = qr_trim_all(20, false);
	KUNIT_EXPECT_GE(test, pages, 20);
	KUNIT_EXPECT_LE(test, pages, 20 + 8 * QR_SLAB_MAX_PAGES);
	pages += qr_trim_all(QS_ALL, true);
	KUNIT_EXPECT_EQ(test, inuse - (pages << PAGE_SHIFT), qt_stats(test)->inuse_bytes);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		KUNIT_EXPECT_EQ(test, qs_held_pages(t[i]),
				qt_sum(t[i]->cache).inuse_bytes >> PAGE_SHIFT);
		qs_check(test, t[i]);
		qs_everything_comes_back(test, t[i]);
	}
}

static void pause_scavenger(void *unused)
{
	WRITE_ONCE(qr_scavenger_paused, true);
}

static u64 held_pages(struct quarry_cache *cache)
{
	return qt_sum(cache).inuse_bytes >> PAGE_SHIFT;
}

/* The scavenger leaves a small cache its pages while it is in use, and takes them when it rests. */
static void resting_caches(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 1024, NULL);
	unsigned int i, n, slabs = 4, per_slab = qr_cache_of(cache)->geo.objects;
	u64 all = slabs * qr_cache_of(cache)->geo.pages;
	void **objs = qt_array(test, slabs * per_slab, sizeof(*objs));

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pause_scavenger, NULL));
	qt_pin(test, 0);
	for (n = 0; n < slabs * per_slab; n++)
		objs[n] = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, all, held_pages(cache));
	/* One object stays on each slab. */
	for (i = 0; i < n; i++)
		if (i % per_slab)
			quarry_cache_free(cache, objs[i]);
	WRITE_ONCE(qr_scavenger_paused, false);
	for (i = 0; i < 30; i++) {
		quarry_cache_free(cache, quarry_cache_alloc(cache, GFP_KERNEL));
		qr_magazines_tick();
		msleep(100);
	}
	KUNIT_EXPECT_EQ(test, all, held_pages(cache));
	for (i = 0; i < 1600 && held_pages(cache) > slabs; i++) {
		qr_magazines_tick();
		msleep(50);
	}
	KUNIT_EXPECT_EQ(test, slabs, held_pages(cache));
	for (i = 0; i < n; i += per_slab)
		quarry_cache_free(cache, objs[i]);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(pages_are_exact), KUNIT_CASE_SLOW(resting_caches),
	KUNIT_CASE(constructed_objects),  KUNIT_CASE_SLOW(mixed_chunks),
	KUNIT_CASE(sampled_objects),	  KUNIT_CASE(walks_find_what_is_left),
	KUNIT_CASE(slabs_tell_what_left), KUNIT_CASE(no_more_than_wanted),
	KUNIT_CASE(empty_slabs_first),	  KUNIT_CASE(others_have_the_pages),
	KUNIT_CASE(shrinking_trims),	  KUNIT_CASE(all_caches),
	KUNIT_CASE(qt_books_balance),	  {}
};

static struct kunit_suite trim_suite = {
	.name = "quarry_slab_trim",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(trim_suite);
