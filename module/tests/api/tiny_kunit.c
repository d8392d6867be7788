// SPDX-License-Identifier: GPL-2.0
/* Objects of fewer than 8 bytes are packed, and otherwise like all others. */
#include "tests/profile_util.h"

#include <linux/align.h>
#include <linux/random.h>
#include <linux/smp.h>
#include <linux/string.h>
#include "slab/sizeclass.h"
#include "view/snapshot.h"

#define N 5000

/* Bytes that are given, indexed by the bytes asked for. */
static const unsigned int given[] = { 4, 4, 4, 4, 4, 6, 6, 8, 8 };

/* Alignment of an object of @bytes, in bytes. */
static unsigned int alignment(unsigned int bytes)
{
	return bytes == 6 ? 2 : bytes;
}

/* Hides that @size is a constant. */
static noinline void *malloc_variable(size_t size, gfp_t gfp)
{
	return quarry_malloc(size, gfp);
}

static struct quarry_cache *cache_of(size_t size)
{
	return qr_class_cache[qr_class_for(size)];
}

static void check(struct kunit *test, void *p, unsigned int size)
{
	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%u bytes", size);
	KUNIT_EXPECT_EQ_MSG(test, given[size], quarry_usable_size(p), "%u bytes", size);
	KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED((unsigned long)p, alignment(given[size])),
			      "%u bytes", size);
	memset(p, 0x6b, given[size]);
}

/* Allocates and zeroes objects over memory that was used before. */
static __always_inline void constant(struct kunit *test, const size_t size)
{
	void *p[3] = {
		quarry_malloc(size, GFP_KERNEL),
		quarry_malloc(size, GFP_KERNEL),
		quarry_malloc(size, GFP_KERNEL),
	};
	unsigned int i;

	for (i = 0; i < 3; i++)
		check(test, p[i], size);
	quarry_free(p[1]);
	p[1] = quarry_zalloc(size, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, qt_is_zero(p[1], given[size]));
	KUNIT_EXPECT_NULL(test, memchr_inv(p[0], 0x6b, given[size]));
	KUNIT_EXPECT_NULL(test, memchr_inv(p[2], 0x6b, given[size]));
	for (i = 0; i < 3; i++)
		quarry_free(p[i]);
}

static void constant_sizes(struct kunit *test)
{
	qt_pin(test, 0);
	constant(test, 0);
	constant(test, 1);
	constant(test, 2);
	constant(test, 3);
	constant(test, 4);
	constant(test, 5);
	constant(test, 6);
	constant(test, 7);
	constant(test, 8);
}

static void *any_way(unsigned int way, size_t size, gfp_t gfp)
{
	void *p = NULL;

	switch (way) {
	case 0:
		return malloc_variable(size, gfp);
	case 1:
		return qr_malloc_call(size, gfp);
	case 2:
		return quarry_malloc_node(size, gfp, NUMA_NO_NODE);
	case 3:
		return quarry_malloc_node(size, gfp, QUARRY_CALL_INTERLEAVE);
	case 4:
		return quarry_vmalloc(size, gfp);
	case 5:
		return quarry_realloc(NULL, size, gfp);
	case 6:
		return quarry_aligned_alloc(1, size, gfp);
	case 7:
		return quarry_malloc_bulk(size, gfp, 1, &p) ? p : NULL;
	case 8:
		return quarry_malloc_array(size, 1, gfp);
	default:
		return qr_malloc_class_call(cache_of(size), gfp, size);
	}
}

#define WAYS 10

static void any_size_any_way(struct kunit *test)
{
	unsigned int way, size;

	qt_pin(test, 0);
	for (way = 0; way < WAYS; way++) {
		for (size = 0; size < ARRAY_SIZE(given); size++) {
			struct quarry_cache *cache = cache_of(size);
			u64 mallocs = qt_sum(cache).mallocs;
			void *p = any_way(way, size, GFP_KERNEL);

			check(test, p, size);
			KUNIT_EXPECT_EQ_MSG(test, mallocs + 1, qt_sum(cache).mallocs,
					    "way %u, %u bytes", way, size);
			quarry_free(p);
			p = any_way(way, size, GFP_KERNEL | __GFP_ZERO);
			KUNIT_EXPECT_TRUE(test, qt_is_zero(p, given[size]));
			quarry_free(p);
		}
	}
}

/* A page holds as many objects as fit, and they do not overlap. */
static void packed(struct kunit *test)
{
	static const unsigned int sizes[] = { 4, 6 };
	void **objs = qt_array(test, N, sizeof(*objs));
	unsigned int s, i, wrong = 0;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct quarry_cache *cache = cache_of(sizes[s]);
		unsigned int per_page = PAGE_SIZE / sizes[s];
		struct quarry_cache_stats st;

		qr_drain_all();
		qt_pin(test, 0);
		if (qt_sum(cache).live_objects)
			kunit_skip(test, "others have some");
		for (i = 0; i < N; i++) {
			objs[i] = malloc_variable(sizes[s], GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, objs[i]);
			qt_fill(objs[i], sizes[s], i);
		}
		st = qt_sum(cache);
		KUNIT_EXPECT_EQ(test, N, st.live_objects);
		/* The objects in the magazine may need one page more. */
		KUNIT_EXPECT_LE(test, st.inuse_bytes / PAGE_SIZE, DIV_ROUND_UP(N, per_page) + 1);
		for (i = 0; i < N; i++)
			wrong += !qt_is_filled(objs[i], sizes[s], i);
		KUNIT_EXPECT_EQ(test, 0, wrong);
		qt_exit(test);
		quarry_free_bulk(N, objs);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	}
}

/* An empty slab goes back to the page heap; one with a live object of 4 bytes stays. */
static void pages_go_back(struct kunit *test)
{
	struct quarry_cache *cache = cache_of(4);
	unsigned int i, per_page = PAGE_SIZE / 4, pages = 20;
	void **objs = qt_array(test, pages * per_page, sizeof(*objs));
	u64 before;

	qr_drain_all();
	qt_pin(test, 0);
	before = qt_sum(cache).inuse_bytes;
	KUNIT_ASSERT_EQ(test, pages * per_page,
			quarry_malloc_bulk(4, GFP_KERNEL, pages * per_page, objs));
	KUNIT_EXPECT_GE(test, qt_sum(cache).inuse_bytes, before + pages * PAGE_SIZE);
	for (i = 0; i < pages * per_page; i++) {
		/* Of the first half, the last object of each page stays live. */
		if (offset_in_page(objs[i]) == PAGE_SIZE - 4 && i < pages * per_page / 2)
			continue;
		quarry_free(objs[i]);
		objs[i] = NULL;
	}
	qr_drain_all();
	qt_exit(test);
	KUNIT_EXPECT_LE(test, qt_sum(cache).inuse_bytes, before + (pages / 2 + 1) * PAGE_SIZE);
	KUNIT_EXPECT_GE(test, qt_sum(cache).inuse_bytes, before + (pages / 2 - 1) * PAGE_SIZE);
	quarry_free_bulk(pages * per_page, objs);
	qr_drain_all();
	KUNIT_EXPECT_EQ(test, before, qt_sum(cache).inuse_bytes);
}

/* Must the memory stay in its place? */
static bool stays(unsigned int usable, unsigned int size)
{
	return size <= usable && (size > usable / 2 || given[min(size, 8U)] == usable);
}

static void from_each_size_to_each(struct kunit *test)
{
	unsigned int from, to, usable, i;
	u8 *p, *q;

	for (from = 1; from <= 16; from++) {
		for (to = 1; to <= 16; to++) {
			p = quarry_zalloc(from, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, p);
			usable = quarry_usable_size(p);
			for (i = 0; i < from; i++)
				p[i] = i + 1;
			q = quarry_realloc(p, to, GFP_KERNEL | __GFP_ZERO);
			KUNIT_ASSERT_NOT_NULL(test, q);
			KUNIT_EXPECT_EQ_MSG(test, stays(usable, to), p == q, "%u to %u", from, to);
			KUNIT_EXPECT_GE(test, quarry_usable_size(q), to);
			if (p != q)
				KUNIT_EXPECT_EQ(test, to <= 8 ? given[to] : 16,
						quarry_usable_size(q));
			for (i = 0; i < quarry_usable_size(q); i++)
				KUNIT_EXPECT_EQ_MSG(test, i < min(from, to) ? i + 1 : 0, q[i],
						    "%u to %u, byte %u", from, to, i);
			quarry_free(q);
		}
	}
}

static void copies(struct kunit *test)
{
	static const char text[] = "quarries";
	unsigned int n;

	for (n = 0; n <= 8; n++) {
		char *s = quarry_strndup(text, n, GFP_KERNEL), *t, *m;

		KUNIT_ASSERT_NOT_NULL(test, s);
		KUNIT_EXPECT_EQ(test, n + 1 <= 8 ? given[n + 1] : 16, quarry_usable_size(s));
		KUNIT_EXPECT_EQ(test, n, strlen(s));
		KUNIT_EXPECT_EQ(test, 0, strncmp(s, text, n));
		t = quarry_strdup(s, GFP_KERNEL);
		KUNIT_EXPECT_STREQ(test, s, t);
		KUNIT_EXPECT_EQ(test, quarry_usable_size(s), quarry_usable_size(t));
		m = quarry_memdup(text, n, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, m);
		KUNIT_EXPECT_EQ(test, given[n], quarry_usable_size(m));
		KUNIT_EXPECT_EQ(test, 0, memcmp(m, text, n));
		quarry_free_sensitive(s);
		quarry_free(t);
		quarry_free(m);
	}
}

static void many_at_a_time(struct kunit *test)
{
	void **objs = qt_array(test, N, sizeof(*objs));
	unsigned int i, n, wrong = 0;
	u64 live = qt_stats(test)->live_objects;

	for (n = 0; n < N; n += 100)
		KUNIT_ASSERT_EQ(test, 100,
				quarry_malloc_bulk(n / 100 % 12, GFP_KERNEL, 100, objs + n));
	for (i = 0; i < N; i++)
		qt_fill(objs[i], quarry_usable_size(objs[i]), i);
	for (i = 0; i < N; i++)
		wrong += !qt_is_filled(objs[i], quarry_usable_size(objs[i]), i);
	KUNIT_EXPECT_EQ(test, 0, wrong);
	KUNIT_EXPECT_EQ(test, live + N, qt_stats(test)->live_objects);
	for (i = 0; i < N; i++) {
		n = get_random_u32_below(N);
		swap(objs[i], objs[n]);
	}
	quarry_free_bulk(N, objs);
	KUNIT_EXPECT_EQ(test, live, qt_stats(test)->live_objects);
}

struct parcel {
	void **objs;
	unsigned int n;
};

static void free_parcel(void *arg)
{
	struct parcel *p = arg;

	while (p->n)
		quarry_free(p->objs[--p->n]);
}

/* Another CPU frees the objects, if possible one of another node. */
static void freed_elsewhere(struct kunit *test)
{
	struct parcel p = { .objs = qt_array(test, N, sizeof(*p.objs)) };
	u64 live = qt_stats(test)->live_objects;
	int cpu;

	for_each_online_cpu(cpu) {
		for (p.n = 0; p.n < N; p.n++) {
			unsigned int size = p.n % 7;

			p.objs[p.n] = p.n % 3 ? malloc_variable(size, GFP_KERNEL) :
						quarry_malloc_node(size, GFP_KERNEL,
								   QUARRY_CALL_INTERLEAVE);
			KUNIT_ASSERT_NOT_NULL(test, p.objs[p.n]);
			qt_fill(p.objs[p.n], size, p.n);
		}
		KUNIT_EXPECT_EQ(test, live + N, qt_stats(test)->live_objects);
		KUNIT_ASSERT_EQ(test, 0, smp_call_function_single(cpu, free_parcel, &p, 1));
		KUNIT_EXPECT_EQ(test, live, qt_stats(test)->live_objects);
		qt_exit(test);
	}
}

/**
 * struct tally - the objects of one cache that a walk finds
 * @cache: number of the cache
 * @objects: number of objects
 * @space: bytes of the objects
 */
struct tally {
	u32 cache;
	u64 objects;
	u64 space;
};

static int count(const struct qr_object *o, void *arg)
{
	struct tally *t = arg;

	if (o->cache == t->cache) {
		t->objects++;
		t->space += o->size;
	}
	return 0;
}

/* A walk reads one page at a time, which holds up to 1,024 objects, and misses none. */
static void all_are_met(struct kunit *test)
{
	struct tally before = { .cache = qp_id(cache_of(4)) }, after = before;
	void **objs = qt_array(test, N, sizeof(*objs));

	qt_pin(test, 0);
	qr_drain_all();
	KUNIT_ASSERT_EQ(test, 0, qr_walk_objects(false, count, &before));
	KUNIT_ASSERT_EQ(test, N, quarry_malloc_bulk(4, GFP_KERNEL, N, objs));
	qr_drain_all();
	KUNIT_ASSERT_EQ(test, 0, qr_walk_objects(false, count, &after));
	KUNIT_EXPECT_EQ(test, before.objects + N, after.objects);
	KUNIT_EXPECT_EQ(test, before.space + 4 * N, after.space);
	quarry_free_bulk(N, objs);
}

/* Every object is sampled, with the size given and the size asked for. */
static void sampled(struct kunit *test)
{
	void **objs = qt_array(test, WAYS * ARRAY_SIZE(given) * 40, sizeof(*objs));
	unsigned int way, size, k, n;

	qp_rate(test, 1);
	for (size = 0; size < ARRAY_SIZE(given); size++) {
		u32 id = qp_id(cache_of(size));
		struct quarry_site was, now;

		qp_now(test, id, &was);
		for (n = 0, way = 0; way < WAYS; way++)
			for (k = 0; k < 40; k++, n++) {
				objs[n] = any_way(way, size, GFP_KERNEL);
				check(test, objs[n], size);
			}
		qp_now(test, id, &now);
		KUNIT_EXPECT_EQ(test, was.inuse.samples + n, now.inuse.samples);
		KUNIT_EXPECT_EQ(test, was.inuse.objects + qp_objects(n), now.inuse.objects);
		KUNIT_EXPECT_EQ(test, was.inuse.space + n * given[size], now.inuse.space);
		KUNIT_EXPECT_EQ(test, was.asked + n * size, now.asked);
		qp_expect_all_found(test);
		qt_exit(test);
		while (n--)
			quarry_free(objs[n]);
		qp_now(test, id, &now);
		KUNIT_EXPECT_EQ(test, was.inuse.samples, now.inuse.samples);
		KUNIT_EXPECT_EQ(test, was.inuse.space, now.inuse.space);
	}
}

/* If some objects are sampled, the estimates of all and of live objects are right. */
static void estimated(struct kunit *test)
{
	unsigned int size, held = 6000, n = 60000, i;
	void **objs = qt_array(test, held, sizeof(*objs));

	qp_rate(test, 64);
	for (size = 4; size <= 6; size += 2) {
		struct quarry_cache *cache = cache_of(size);
		struct quarry_site was, now;

		qp_now(test, qp_id(cache), &was);
		for (i = 0; i < n; i++) {
			quarry_free(objs[i % held]);
			objs[i % held] = any_way(i % WAYS, size - i / WAYS % 2, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, objs[i % held]);
		}
		qp_now(test, qp_id(cache), &now);
		now.alloc.objects -= was.alloc.objects;
		now.alloc.var_objects -= was.alloc.var_objects;
		qp_expect_near(test, &now.alloc, n);
		now.inuse.objects -= was.inuse.objects;
		now.inuse.var_objects -= was.inuse.var_objects;
		qp_expect_near(test, &now.inuse, held);
		for (i = 0; i < held; i++) {
			quarry_free(objs[i]);
			objs[i] = NULL;
		}
		qp_now(test, qp_id(cache), &now);
		KUNIT_EXPECT_EQ(test, was.inuse.samples, now.inuse.samples);
	}
}

/* A pointer to any but the first byte of an object is misuse. */
static void interior_pointers(struct kunit *test)
{
	unsigned int size, at;

	for (size = 4; size <= 6; size += 2) {
		void *p = malloc_variable(size, GFP_KERNEL);

		check(test, p, size);
		for (at = 1; at < size; at++) {
			struct quarry_stats *before = qt_stats(test), *st;

			KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(p + at));
			KUNIT_EXPECT_NULL(test, quarry_realloc(p + at, 3, GFP_KERNEL));
			quarry_free(p + at);
			qr_drain_all();
			st = qt_stats(test);
			KUNIT_EXPECT_EQ(test, before->misuse_interior + 2, st->misuse_interior);
			KUNIT_EXPECT_EQ(test, before->misuse_double_free, st->misuse_double_free);
			KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
			qt_exit(test);
		}
		KUNIT_EXPECT_NULL(test, memchr_inv(p, 0x6b, size));
		quarry_free(p);
	}
}

static void double_frees(struct kunit *test)
{
	unsigned int size;

	for (size = 1; size <= 6; size++) {
		/* The neighbour stays live, so that the slab is not destroyed. */
		void *p = malloc_variable(size, GFP_KERNEL), *q = malloc_variable(size, GFP_KERNEL);
		struct quarry_stats *before = qt_stats(test), *st;

		check(test, p, size);
		check(test, q, size);
		quarry_free(p);
		quarry_free(p);
		qr_drain_all();
		st = qt_stats(test);
		KUNIT_EXPECT_EQ(test, before->misuse_double_free + 1, st->misuse_double_free);
		KUNIT_EXPECT_EQ(test, before->live_objects - 1, st->live_objects);
		qt_exit(test);
		quarry_free(q);
	}
}

static struct kunit_case tiny_cases[] = { KUNIT_CASE(constant_sizes),
					  KUNIT_CASE(any_size_any_way),
					  KUNIT_CASE(packed),
					  KUNIT_CASE(pages_go_back),
					  KUNIT_CASE(from_each_size_to_each),
					  KUNIT_CASE(copies),
					  KUNIT_CASE(many_at_a_time),
					  KUNIT_CASE(freed_elsewhere),
					  KUNIT_CASE(all_are_met),
					  KUNIT_CASE(sampled),
					  KUNIT_CASE(estimated),
					  KUNIT_CASE(interior_pointers),
					  KUNIT_CASE(double_frees),
					  KUNIT_CASE(qt_books_balance),
					  {} };

static struct kunit_suite tiny_suite = {
	.name = "quarry_tiny",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = tiny_cases,
};

kunit_test_suite(tiny_suite);
