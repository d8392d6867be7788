// SPDX-License-Identifier: GPL-2.0
/*
 * Every way to allocate and free is sampled.  At a rate of 1 the profile is no estimate:
 * its numbers must be those of the counters.
 */
#include "tests/profile_util.h"

#include <linux/prandom.h>
#include <linux/random.h>
#include "slab/sizeclass.h"

#define N 300

static void *called_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	return qr_cache_alloc_call(cache, gfp);
}

static void *plain_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	return quarry_cache_alloc(cache, gfp);
}

static void *zeroed_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	return quarry_cache_zalloc(cache, gfp);
}

static void *no_node_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	return quarry_cache_alloc_node(cache, gfp, NUMA_NO_NODE);
}

static void *own_node_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	return quarry_cache_alloc_node(cache, gfp, raw_cpu_read(qr_home_node));
}

static void *this_node_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	return quarry_cache_alloc_node(cache, gfp | __GFP_THISNODE, raw_cpu_read(qr_home_node));
}

static void *far_node_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	return quarry_cache_alloc_node(cache, gfp, qp_last_node());
}

static void *far_node_only_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	return quarry_cache_alloc_node(cache, gfp | __GFP_THISNODE, qp_last_node());
}

static void *one_bulk_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	void *p;

	return quarry_cache_alloc_bulk(cache, gfp, 1, &p) ? p : NULL;
}

static void cache_free(struct quarry_cache *cache, void *p)
{
	quarry_cache_free(cache, p);
}

static void cache_free_called(struct quarry_cache *cache, void *p)
{
	qr_cache_free_call(cache, p);
}

static void free_by_address(struct quarry_cache *cache, void *p)
{
	quarry_free(p);
}

static void free_by_address_called(struct quarry_cache *cache, void *p)
{
	qr_free_call(p);
}

static void bulk_free(struct quarry_cache *cache, void *p)
{
	quarry_cache_free_bulk(cache, 1, &p);
}

static void *(*const alloc_fns[])(struct quarry_cache *cache, gfp_t gfp) = {
	plain_alloc,	 called_alloc,	 zeroed_alloc,	      no_node_alloc,  own_node_alloc,
	this_node_alloc, far_node_alloc, far_node_only_alloc, one_bulk_alloc,
};

static void (*const free_fns[])(struct quarry_cache *cache, void *p) = {
	cache_free, cache_free_called, free_by_address, free_by_address_called, bulk_free,
};

static void through_all_ways(struct kunit *test, unsigned int size,
			     const struct quarry_cache_args *args)
{
	struct quarry_cache *cache = qt_cache(test, size, args);
	void **objs = qt_array(test, N, sizeof(*objs));
	struct qp_books books;
	struct qt_shadow s;
	unsigned int i, k;

	qt_shadow_init(&s);
	qp_books_open(test, &books, cache);
	for (k = 0; k < ARRAY_SIZE(alloc_fns); k++) {
		/* Change the CPU in some rounds, so that another CPU frees. */
		qt_pin(test, k % num_online_cpus());
		for (i = 0; i < N; i++) {
			objs[i] = qt_got(&s, alloc_fns[k](cache, GFP_KERNEL));
			KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		}
		qp_books_agree(test, &books, N * size);
		qt_pin(test, (k / 2) % num_online_cpus());
		for (i = 0; i < N; i++)
			free_fns[(i + k) % ARRAY_SIZE(free_fns)](cache, qt_put(&s, objs[i]));
		qp_books_agree(test, &books, 0);
	}
	qt_shadow_check(test, &s, cache);
	/* No allocation and no free used a magazine. */
	KUNIT_EXPECT_EQ(test, N * ARRAY_SIZE(alloc_fns), qt_sum(cache).direct_allocs);
	KUNIT_EXPECT_EQ(test, N * ARRAY_SIZE(alloc_fns), qt_sum(cache).direct_frees);
	qt_exit(test);
	qt_cache_destroy(test, cache);
}

static void every_way_of_a_cache(struct kunit *test)
{
	static const unsigned int sizes[] = { 8, 13, 64, 1000, 5000, 32768 };
	unsigned int i;

	qp_rate(test, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		through_all_ways(test, sizes[i], NULL);
}

static void every_policy(struct kunit *test)
{
	struct quarry_cache_args args = { .policy = QUARRY_NODE_INTERLEAVE };

	qp_rate(test, 1);
	through_all_ways(test, 200, &args);
	args.policy = QUARRY_NODE_FIXED;
	args.node = qp_last_node();
	through_all_ways(test, 200, &args);
	args = (struct quarry_cache_args){ .flags = QUARRY_HWCACHE_ALIGN };
	through_all_ways(test, 40, &args);
}

static void in_sets(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 72, NULL);
	unsigned int batch = qr_cache_of(cache)->batch, most = 9 * batch, i;
	unsigned int n[] = { 1,		2,	   batch - 1,	  batch, batch + 1,
			     2 * batch, 4 * batch, 5 * batch + 3, most };
	void **objs = qt_array(test, most, sizeof(*objs));
	struct qp_books books;

	qp_rate(test, 1);
	qp_books_open(test, &books, cache);
	for (i = 0; i < 2 * ARRAY_SIZE(n); i++) {
		unsigned int k = n[i % ARRAY_SIZE(n)];

		/* The second time the magazine is full of objects that are not sampled. */
		if (i == ARRAY_SIZE(n)) {
			qr_rate_set(0);
			KUNIT_ASSERT_EQ(test, most,
					quarry_cache_alloc_bulk(cache, GFP_KERNEL, most, objs));
			quarry_cache_free_bulk(cache, most, objs);
			qp_books_open(test, &books, cache);
			qr_rate_set(1);
		}
		KUNIT_ASSERT_EQ(test, k, quarry_cache_alloc_bulk(cache, GFP_KERNEL, k, objs));
		qp_books_agree(test, &books, k * 72);
		quarry_cache_free_bulk(cache, k, objs);
		qp_books_agree(test, &books, 0);
	}
}

static void *malloc_one_of_bulk(size_t size)
{
	void *p;

	return quarry_malloc_bulk(size, GFP_KERNEL, 1, &p) ? p : NULL;
}

/* Hides the size from the compiler, because malloc of a constant size has code of its own. */
static void *malloc_of(unsigned int how, size_t size)
{
	OPTIMIZER_HIDE_VAR(size);
	switch (how) {
	case 0:
		return quarry_malloc(size, GFP_KERNEL);
	case 1:
		return quarry_zalloc(size, GFP_KERNEL);
	case 2:
		return qr_malloc_call(size, GFP_KERNEL);
	case 3:
		return quarry_malloc_node(size, GFP_KERNEL, NUMA_NO_NODE);
	case 4:
		return quarry_malloc_node(size, GFP_KERNEL, raw_cpu_read(qr_home_node));
	case 5:
		return quarry_malloc_node(size, GFP_KERNEL | __GFP_THISNODE, qp_last_node());
	case 6:
		return quarry_aligned_alloc(2, size, GFP_KERNEL);
	case 7:
		return malloc_one_of_bulk(size);
	default:
		return quarry_malloc_node(size, GFP_KERNEL, qp_last_node());
	}
}

static void every_way_of_malloc(struct kunit *test)
{
	static const unsigned int sizes[] = {
		0, 1, 8, 100, 112, 113, 1000, 32767, 32768, 32769, 100000, SZ_2M,
	};
	void *objs[9];
	unsigned int i, how;

	qp_rate(test, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		bool large = sizes[i] > QUARRY_MAX_SMALL;
		struct qp_books books;

		qp_books_open(test, &books, large ? NULL : qr_class_cache[qr_class_for(sizes[i])]);
		for (how = 0; how < ARRAY_SIZE(objs); how++) {
			objs[how] = malloc_of(how, sizes[i]);
			KUNIT_ASSERT_NOT_NULL(test, objs[how]);
			qp_books_agree(test, &books, (how + 1) * sizes[i]);
		}
		for (how = 0; how < ARRAY_SIZE(objs); how++) {
			if (how % 2)
				quarry_free(objs[how]);
			else
				qr_free_call(objs[how]);
			qp_books_agree(test, &books, (ARRAY_SIZE(objs) - 1 - how) * sizes[i]);
		}
	}
}

/* clang-format off */
#define CONST_SIZE(size)							\
do {										\
	struct quarry_cache *class = qr_class_cache[qr_class_const(size)];	\
	void *a, *b, *c;							\
										\
	qp_books_open(test, &books, class);					\
	a = quarry_malloc(size, GFP_KERNEL);					\
	b = quarry_zalloc(size, GFP_KERNEL);					\
	c = qr_malloc_const_call(size, GFP_KERNEL);				\
	qp_books_agree(test, &books, 3 * (size));				\
	quarry_free(a);								\
	quarry_free(b);								\
	quarry_free(c);								\
	qp_books_agree(test, &books, 0);					\
	KUNIT_EXPECT_EQ(test, 3, qp_grown_by(test, &books));			\
} while (0)
/* clang-format on */

static u64 qp_grown_by(struct kunit *test, const struct qp_books *b)
{
	struct quarry_site sum;

	qp_now(test, b->id, &sum);
	return sum.alloc.samples - b->was.alloc.samples;
}

static void malloc_of_constants(struct kunit *test)
{
	struct qp_books books;
	void *p;

	qp_rate(test, 1);
	CONST_SIZE(1);
	CONST_SIZE(100);
	CONST_SIZE(128);
	CONST_SIZE(3000);
	CONST_SIZE(32768);
	qp_books_open(test, &books, NULL);
	p = quarry_malloc(32769, GFP_KERNEL);
	qp_books_agree(test, &books, 32769);
	KUNIT_EXPECT_EQ(test, 1, qp_grown_by(test, &books));
	quarry_free(p);
	qp_books_agree(test, &books, 0);
}

/* Objects allocated before sampling was on are not in the profile; their frees change nothing. */
static void only_what_came_since(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void *before[40], *since[40], *large = quarry_malloc(100000, GFP_KERNEL);
	struct qp_books books, large_books;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, large);
	KUNIT_ASSERT_EQ(test, 40, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 40, before));
	qp_books_open(test, &books, cache);
	qp_books_open(test, &large_books, NULL);
	qp_rate(test, 1);
	KUNIT_ASSERT_EQ(test, 40, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 40, since));
	qp_books_agree(test, &books, 40 * 64);
	qr_rate_set(0);
	for (i = 0; i < 40; i++)
		quarry_cache_free(cache, before[i]);
	quarry_free(large);
	qp_now(test, qp_id(cache), &books.was);
	KUNIT_EXPECT_EQ(test, 40, books.was.inuse.samples);
	KUNIT_EXPECT_EQ(test, 40 * 64, books.was.asked);
	quarry_cache_free_bulk(cache, 40, since);
	qp_now(test, qp_id(cache), &books.was);
	KUNIT_EXPECT_EQ(test, 0, books.was.inuse.samples);
	KUNIT_EXPECT_EQ(test, 0, books.was.inuse.space);
	KUNIT_EXPECT_EQ(test, 40, books.was.alloc.samples);
	large_books.live--; /* it was freed, and was never in the profile */
	large_books.live_bytes -= round_up(100000, PAGE_SIZE);
	qp_books_agree(test, &large_books, 0);
}

#define SLOTS 400

struct mix {
	struct quarry_cache *cache[3];
	struct qp_books books[5];
	u64 asked[5];
	void *obj[SLOTS];
	u8 which[SLOTS];
	u32 size[SLOTS];
};

static void mix_alloc(struct mix *m, unsigned int i, struct rnd_state *rnd)
{
	unsigned int how = prandom_u32_state(rnd), which = prandom_u32_state(rnd) % 5;

	m->which[i] = which;
	if (which < 3) {
		m->size[i] = qr_cache_of(m->cache[which])->asked;
		m->obj[i] = alloc_fns[how % ARRAY_SIZE(alloc_fns)](m->cache[which], GFP_KERNEL);
	} else {
		/* Sizes of one class, or large ones. */
		m->size[i] = which == 3 ? 450 + how % 62 : 32769 + how % 100000;
		m->obj[i] = malloc_of(how % 7, m->size[i]);
	}
	if (m->obj[i])
		m->asked[which] += m->size[i];
}

static void mix_free(struct mix *m, unsigned int i, struct rnd_state *rnd)
{
	unsigned int which = m->which[i], how = prandom_u32_state(rnd);

	if (which < 3)
		free_fns[how % ARRAY_SIZE(free_fns)](m->cache[which], m->obj[i]);
	else
		quarry_free(m->obj[i]);
	m->asked[which] -= m->size[i];
	m->obj[i] = NULL;
}

static void mix_agree(struct kunit *test, struct mix *m)
{
	unsigned int k;

	for (k = 0; k < 5; k++)
		qp_books_agree(test, &m->books[k], m->asked[k]);
}

static void everything_mixed(struct kunit *test)
{
	struct mix *m = qt_array(test, 1, sizeof(*m));
	u64 seed = get_random_u64();
	struct rnd_state rnd;
	unsigned int i, k;

	kunit_info(test, "seed %llu\n", seed);
	prandom_seed_state(&rnd, seed);
	m->cache[0] = qt_cache(test, 24, NULL);
	m->cache[1] = qt_cache(test, 200, NULL);
	m->cache[2] = qt_cache(test, 4000, NULL);
	qp_rate(test, 1);
	for (k = 0; k < 3; k++)
		qp_books_open(test, &m->books[k], m->cache[k]);
	qp_books_open(test, &m->books[3], qr_class_cache[qr_class_const(512)]);
	qp_books_open(test, &m->books[4], NULL);
	/* All sizes that mix_alloc() may choose for the fourth belong to one class. */
	KUNIT_ASSERT_PTR_EQ(test, m->books[3].cache, qr_class_cache[qr_class_for(450)]);
	for (i = 0; i < 20000; i++) {
		k = prandom_u32_state(&rnd) % SLOTS;
		if (i % 1000 == 0)
			qt_pin(test, i / 1000 % num_online_cpus());
		if (i % 2500 == 0) {
			mix_agree(test, m);
			quarry_cache_shrink(m->cache[i / 2500 % 3]);
		}
		if (m->obj[k])
			mix_free(m, k, &rnd);
		else
			mix_alloc(m, k, &rnd);
	}
	mix_agree(test, m);
	qt_exit(test);
	for (k = 0; k < SLOTS; k++)
		if (m->obj[k])
			mix_free(m, k, &rnd);
	mix_agree(test, m);
	for (k = 0; k < 5; k++)
		KUNIT_EXPECT_EQ(test, 0, m->asked[k]);
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(every_way_of_a_cache),
				     KUNIT_CASE_SLOW(every_policy),
				     KUNIT_CASE(in_sets),
				     KUNIT_CASE(every_way_of_malloc),
				     KUNIT_CASE(malloc_of_constants),
				     KUNIT_CASE(only_what_came_since),
				     KUNIT_CASE_SLOW(everything_mixed),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite profile_suite = {
	.name = "quarry_profile",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(profile_suite);
