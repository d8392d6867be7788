// SPDX-License-Identifier: GPL-2.0
/*
 * Trimming caches: exactly the pages without a live object leave, and live objects stay as they
 * are.
 */
#include "tests/profile_util.h"

#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "view/snapshot.h"

#define ALL   ULONG_MAX
#define BYTES (2U << 20) /* of the objects of a case, at most */
#define MOST  4000	 /* objects at most */

struct object {
	u8 *p;
	u64 seq;
};

/**
 * struct traffic - a cache and its live objects
 * @cache: the cache
 * @constructed: the cache has a constructor
 * @fill: bytes of an object that the test writes; the constructor has written the rest
 * @objs: the live objects
 * @n: how many are live
 * @room: how many may be live
 * @seq: number of the next object, from which its contents are derived
 * @errors: objects whose contents were wrong
 * @rnd: state of the random numbers
 * @pages: scratch space for held_pages()
 */
struct traffic {
	struct quarry_cache *cache;
	bool constructed;
	unsigned int fill;
	struct object *objs;
	unsigned int n;
	unsigned int room;
	u64 seq;
	unsigned int errors;
	struct rnd_state rnd;
	unsigned long *pages;
};

/* The constructor fills the end of an object of 1,000 bytes. */
#define CTOR_FROM  900
#define CTOR_BYTES 100
#define CTOR_MADE  0x5a

static void ctor(void *obj)
{
	memset(obj + CTOR_FROM, CTOR_MADE, CTOR_BYTES);
}

static struct traffic *traffic_new(struct kunit *test, unsigned int size, unsigned int align,
				   bool constructed)
{
	struct quarry_cache_args args = { .align = align, .ctor = constructed ? ctor : NULL };
	struct traffic *t = qt_array(test, 1, sizeof(*t));
	u64 seed = get_random_u64();

	kunit_info(test, "size %u align %u seed %llu\n", size, align, seed);
	prandom_seed_state(&t->rnd, seed);
	t->cache = qt_cache(test, size, &args);
	t->constructed = constructed;
	t->fill = constructed ? CTOR_FROM : size;
	t->room = min(BYTES / qr_cache_of(t->cache)->geo.stride, MOST);
	t->objs = qt_array(test, t->room, sizeof(*t->objs));
	t->pages = qt_array(test, (size_t)t->room * (QR_MAX_OBJECT / PAGE_SIZE + 1),
			    sizeof(*t->pages));
	return t;
}

static bool object_is_right(const struct traffic *t, const struct object *o)
{
	if (t->constructed && memchr_inv(o->p + CTOR_FROM, CTOR_MADE, CTOR_BYTES))
		return false;
	return *(u64 *)o->p == o->seq && !memchr_inv(o->p + 8, o->seq * 11, t->fill - 8);
}

static void traffic_alloc(struct kunit *test, struct traffic *t)
{
	struct object *o = &t->objs[t->n];

	o->p = quarry_cache_alloc(t->cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, o->p);
	o->seq = ++t->seq;
	*(u64 *)o->p = o->seq;
	memset(o->p + 8, o->seq * 11, t->fill - 8);
	t->errors += !object_is_right(t, o);
	t->n++;
}

static void traffic_fill(struct kunit *test, struct traffic *t)
{
	while (t->n < t->room)
		traffic_alloc(test, t);
}

/* Free an object; first overwrite the part that is not the constructor's. */
static void traffic_free(struct traffic *t, unsigned int i)
{
	struct object o = t->objs[i];

	t->errors += !object_is_right(t, &o);
	memset(o.p, 0xee, t->fill);
	t->objs[i] = t->objs[--t->n];
	quarry_cache_free(t->cache, o.p);
}

/* Free objects at random until @left are left. */
static void traffic_free_until(struct traffic *t, unsigned int left)
{
	while (t->n > left)
		traffic_free(t, prandom_u32_state(&t->rnd) % t->n);
}

static void traffic_check(struct kunit *test, struct traffic *t)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		t->errors += !object_is_right(t, &t->objs[i]);
	KUNIT_ASSERT_EQ(test, 0, t->errors);
	qt_exit(test);
}

static unsigned long trim(struct quarry_cache *cache, unsigned long want)
{
	unsigned long pages;

	mutex_lock(&qr_caches_lock);
	pages = qr_cache_trim(qr_cache_of(cache), want);
	mutex_unlock(&qr_caches_lock);
	return pages;
}

static int by_value(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

/* The number of pages on which live objects of @t lie. */
static unsigned long held_pages(struct traffic *t)
{
	unsigned int stride = qr_cache_of(t->cache)->geo.stride, i;
	unsigned long n = 0, different = 0, p;

	for (i = 0; i < t->n; i++) {
		unsigned long start = (unsigned long)t->objs[i].p;

		for (p = start >> PAGE_SHIFT; p <= (start + stride - 1) >> PAGE_SHIFT; p++)
			t->pages[n++] = p;
	}
	sort(t->pages, n, sizeof(*t->pages), by_value, NULL);
	for (i = 0; i < n; i++)
		different += !i || t->pages[i] != t->pages[i - 1];
	return different;
}

/* A trim takes exactly the pages without a live object, and all counters agree. */
static void trim_is_exact(struct kunit *test, struct traffic *t)
{
	struct quarry_stats *before, *after;
	unsigned long pages, held;
	struct quarry_cache_stats st;
	u64 slabs;

	qr_drain_all();
	held = held_pages(t);
	st = qt_sum(t->cache);
	slabs = st.slabs;
	before = qt_stats(test);
	pages = trim(t->cache, ALL);
	after = qt_stats(test);
	KUNIT_EXPECT_EQ(test, (st.inuse_bytes >> PAGE_SHIFT) - held, pages);
	st = qt_sum(t->cache);
	KUNIT_EXPECT_EQ(test, held, st.inuse_bytes >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, t->n, st.live_objects);
	/* A drained cache has no empty slab, so no slab was destroyed. */
	KUNIT_EXPECT_EQ(test, slabs, st.slabs);
	KUNIT_EXPECT_EQ(test, (u64)pages << PAGE_SHIFT,
			after->trimmed_bytes - before->trimmed_bytes);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes - ((u64)pages << PAGE_SHIFT), after->inuse_bytes);
	KUNIT_EXPECT_EQ(test, after->sys_bytes,
			after->inuse_bytes + after->idle_bytes + after->metadata_bytes);
	KUNIT_EXPECT_EQ(test, 0, trim(t->cache, ALL));
	traffic_check(test, t);
}

static void everything_comes_back(struct kunit *test, struct traffic *t)
{
	traffic_free_until(t, 0);
	KUNIT_EXPECT_EQ(test, 0, t->errors);
	quarry_cache_shrink(t->cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(t->cache).inuse_bytes);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(t->cache).capacity_objects);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(t->cache).slabs);
	qt_exit(test);
}

/* Free nine of ten objects at random; then grow, shrink and trim the cache in turn. */
static void life(struct kunit *test, unsigned int size, unsigned int align, bool constructed)
{
	struct traffic *t = traffic_new(test, size, align, constructed);
	struct traffic *other = traffic_new(test, 96, 0, false);
	unsigned int round;

	traffic_fill(test, t);
	traffic_free_until(t, t->room / 10);
	trim_is_exact(test, t);
	for (round = 0; round < 12; round++) {
		unsigned int left = prandom_u32_state(&t->rnd) % t->room;

		while (t->n < left)
			traffic_alloc(test, t);
		traffic_free_until(t, left);
		/* Another cache takes the pages and writes to them. */
		if (round % 2)
			traffic_fill(test, other);
		else
			traffic_free_until(other, other->room / 8);
		if (round % 3 == 0)
			trim_is_exact(test, t);
		else
			trim(t->cache, prandom_u32_state(&t->rnd) % 50);
		traffic_check(test, t);
		traffic_check(test, other);
	}
	trim_is_exact(test, t);
	everything_comes_back(test, t);
	everything_comes_back(test, other);
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
		struct traffic *t = traffic_new(test, sizes[i], 0, false);
		struct quarry_site sum;
		unsigned int round;

		qp_rate(test, 1);
		for (round = 0; round < 4; round++) {
			traffic_fill(test, t);
			traffic_free_until(t, t->room / 10);
			trim_is_exact(test, t);
			KUNIT_EXPECT_EQ(test, live + t->n, qp_counts().live_samples);
			qp_expect_all_found(test);
		}
		qp_now(test, qp_id(t->cache), &sum);
		KUNIT_EXPECT_EQ(test, qp_objects(t->n), sum.inuse.objects);
		everything_comes_back(test, t);
		qp_now(test, qp_id(t->cache), &sum);
		KUNIT_EXPECT_EQ(test, 0, sum.inuse.samples);
		KUNIT_EXPECT_EQ(test, live, qp_counts().live_samples);
	}
}

struct finding {
	struct traffic *t;
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
		struct traffic *t = traffic_new(test, sizes[i], 0, false);
		struct finding f = { .t = t };

		traffic_fill(test, t);
		traffic_free_until(t, t->room / 10);
		trim_is_exact(test, t);
		KUNIT_EXPECT_EQ(test, 0, qr_walk_objects(false, find_object, &f));
		KUNIT_EXPECT_EQ(test, t->n, f.found);
		KUNIT_EXPECT_EQ(test, 0, f.wrong);
		everything_comes_back(test, t);
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
	struct traffic *t = traffic_new(test, 1000, 0, false);
	struct quarry_slab_info sum = { 0 };
	struct quarry_cache_stats st;

	traffic_fill(test, t);
	traffic_free_until(t, t->room / 10);
	trim_is_exact(test, t);
	st = qt_sum(t->cache);
	KUNIT_EXPECT_EQ(test, 0, qr_walk_slabs(qp_id(t->cache), add_slab, &sum));
	KUNIT_EXPECT_EQ(test, held_pages(t), sum.pages);
	KUNIT_EXPECT_EQ(test, st.slabs * st.slab_pages, sum.pages + sum.gone);
	KUNIT_EXPECT_EQ(test, t->n, sum.objects - sum.free);
	KUNIT_EXPECT_EQ(test, st.capacity_objects, sum.objects);
	everything_comes_back(test, t);
}

/* A trim stops when it has enough pages, and the next one goes on there. */
static void no_more_than_wanted(struct kunit *test)
{
	struct traffic *t = traffic_new(test, 1024, 0, false);
	unsigned long pages, sum = 0, most, held, before;
	unsigned int times = 0;

	traffic_fill(test, t);
	traffic_free_until(t, t->room / 10);
	qr_drain_all();
	held = held_pages(t);
	before = qt_sum(t->cache).inuse_bytes >> PAGE_SHIFT;
	most = qr_cache_trimmable(qr_cache_of(t->cache));
	KUNIT_EXPECT_EQ(test, 0, trim(t->cache, 0));
	do {
		pages = trim(t->cache, 10);
		KUNIT_EXPECT_LT(test, pages, 10 + 8 * qr_cache_of(t->cache)->geo.pages);
		KUNIT_EXPECT_TRUE(test, pages >= 10 || before - sum - pages == held);
		sum += pages;
		times++;
		traffic_check(test, t);
		KUNIT_EXPECT_EQ(test, before - sum, qt_sum(t->cache).inuse_bytes >> PAGE_SHIFT);
	} while (pages);
	KUNIT_EXPECT_GT(test, times, 3);
	KUNIT_EXPECT_EQ(test, held, before - sum);
	KUNIT_EXPECT_LE(test, sum, most);
	/* For objects of whole pages the estimate is exact. */
	everything_comes_back(test, t);
	t = traffic_new(test, 4096, 0, false);
	traffic_fill(test, t);
	traffic_free_until(t, t->room / 10);
	qr_drain_all();
	most = qr_cache_trimmable(qr_cache_of(t->cache));
	KUNIT_EXPECT_EQ(test, most, trim(t->cache, ALL));
	KUNIT_EXPECT_EQ(test, 0, qr_cache_trimmable(qr_cache_of(t->cache)));
	everything_comes_back(test, t);
}

/* Empty slabs that the depot keeps go first; if they are enough, no other slab is trimmed. */
static void empty_slabs_first(struct kunit *test)
{
	struct traffic *t = traffic_new(test, 4096, 0, false);
	struct qr_depot *d;
	unsigned long empty;
	u64 trimmed, slabs;
	unsigned int i;

	qt_pin(test, 0);
	traffic_fill(test, t);
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
	KUNIT_EXPECT_EQ(test, empty * 8, trim(t->cache, empty * 8 - 7));
	KUNIT_EXPECT_EQ(test, 0, d->nr_empty);
	KUNIT_EXPECT_EQ(test, slabs - empty, qt_sum(t->cache).slabs);
	KUNIT_EXPECT_EQ(test, trimmed, qt_stats(test)->trimmed_bytes);
	trim_is_exact(test, t);
	everything_comes_back(test, t);
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

static bool shares_a_chunk(const void *p, const struct traffic *t)
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
	struct traffic *t = traffic_new(test, 4096, 0, false);
	struct traffic *other = traffic_new(test, 64, 0, false);
	unsigned int pages, i, taken = 0;
	u64 chunks;

	/* No other page is idle. */
	qr_drain_all();
	qr_scavenge_now();
	set_keep(ULONG_MAX);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, keep_nothing, NULL));
	qt_pin(test, 0);
	traffic_fill(test, t);
	/* One object of each slab stays. */
	for (i = t->n; i--;)
		if (((unsigned long)t->objs[i].p >> PAGE_SHIFT) % 8)
			traffic_free(t, i);
	trim_is_exact(test, t);
	chunks = qt_stats(test)->chunks;
	pages = t->room - t->n;
	traffic_fill(test, other);
	for (i = 0; i < other->n; i++)
		taken += shares_a_chunk(other->objs[i].p, t);
	KUNIT_EXPECT_GT(test, pages, other->n * 64 / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, chunks, qt_stats(test)->chunks);
	KUNIT_EXPECT_GT(test, taken, 0);
	traffic_check(test, t);
	everything_comes_back(test, other);
	everything_comes_back(test, t);
}

static void shrinking_trims(struct kunit *test)
{
	struct traffic *t = traffic_new(test, 1024, 0, false);

	traffic_fill(test, t);
	traffic_free_until(t, t->room / 10);
	quarry_cache_shrink(t->cache);
	KUNIT_EXPECT_EQ(test, held_pages(t), qt_sum(t->cache).inuse_bytes >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, 0, trim(t->cache, ALL));
	traffic_check(test, t);
	everything_comes_back(test, t);
}

/* Trim all caches, as the scavenger and the shrinker do. */
static void all_caches(struct kunit *test)
{
	struct traffic *t[3];
	unsigned long held = 0;
	unsigned int i;
	u64 pages, inuse;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		t[i] = traffic_new(test, 1000 << i, 0, false);
		traffic_fill(test, t[i]);
		traffic_free_until(t[i], t[i]->room / 10);
		held += held_pages(t[i]);
	}
	qr_drain_all();
	inuse = qt_stats(test)->inuse_bytes;
	mutex_lock(&qr_caches_lock);
	KUNIT_EXPECT_EQ(test, 0, qr_trim_all(ALL, false));
	mutex_unlock(&qr_caches_lock);
	KUNIT_EXPECT_EQ(test, inuse, qt_stats(test)->inuse_bytes);
	pages = qr_trim_all(20, false);
	KUNIT_EXPECT_GE(test, pages, 20);
	KUNIT_EXPECT_LE(test, pages, 20 + 8 * QR_SLAB_MAX_PAGES);
	pages += qr_trim_all(ALL, true);
	KUNIT_EXPECT_EQ(test, inuse - (pages << PAGE_SHIFT), qt_stats(test)->inuse_bytes);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		KUNIT_EXPECT_EQ(test, held_pages(t[i]),
				qt_sum(t[i]->cache).inuse_bytes >> PAGE_SHIFT);
		traffic_check(test, t[i]);
		everything_comes_back(test, t[i]);
	}
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(pages_are_exact),
				     KUNIT_CASE(constructed_objects),
				     KUNIT_CASE_SLOW(mixed_chunks),
				     KUNIT_CASE(sampled_objects),
				     KUNIT_CASE(walks_find_what_is_left),
				     KUNIT_CASE(slabs_tell_what_left),
				     KUNIT_CASE(no_more_than_wanted),
				     KUNIT_CASE(empty_slabs_first),
				     KUNIT_CASE(others_have_the_pages),
				     KUNIT_CASE(shrinking_trims),
				     KUNIT_CASE(all_caches),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite trim_suite = {
	.name = "quarry_slab_trim",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(trim_suite);
