// SPDX-License-Identifier: GPL-2.0
/*
 * Sampling of arenas.  Estimates must be within six standard errors, as the profile reports
 * them.  Chance exceeds that in one run of 500 million, so a failure means a bias.
 */
#include "tests/profile_util.h"

#include <linux/random.h>
#include <linux/sizes.h>
#include "api/arena.h"
#include "profile/bucket.h"
#include "profile/draw.h"
#include "profile/profile_memory.h"
#include "view/snapshot.h"

static u32 id_of(struct quarry_arena *arena)
{
	return qr_arena_of(arena)->id;
}

static void expect_near(struct kunit *test, const struct quarry_sum *sum, u64 objects, u64 space)
{
	s64 off = sum->objects - qp_objects(objects), space_off = sum->space - space;
	qr_u128 square = (qr_u128)abs(off) * abs(off);
	qr_u128 space_square = (qr_u128)abs(space_off) * abs(space_off);

	kunit_info(test, "%llu objects by %llu samples, off by %lld, %lld bytes\n", objects,
		   sum->samples, off >> QR_OBJECTS_SHIFT, space_off);
	KUNIT_EXPECT_GT(test, sum->samples, 100);
	KUNIT_EXPECT_TRUE_MSG(test, square <= 36 * sum->var_objects, "%llu objects: off by %lld",
			      objects, off >> QR_OBJECTS_SHIFT);
	KUNIT_EXPECT_TRUE_MSG(test, space_square <= 36 * (sum->var_space >> 2 * QR_OBJECTS_SHIFT),
			      "%llu bytes: off by %lld", space, space_off);
}

/* --- All objects are sampled --- */

static noinline void *from_here(struct quarry_arena *arena, size_t size)
{
	void *p = quarry_arena_alloc(arena, size, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	return p;
}

/* At a rate of 1 every object is sampled, so all values are exact. */
static void everything(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL), *unseen;
	struct quarry_arena_args args = { .flags = QUARRY_NO_SAMPLE };
	u64 space = 0, space_at = 0, asked = 0, asked_at = 0;
	struct quarry_arena_mark mark;
	const struct quarry_site *row;
	unsigned int n = 500, i, rows;
	struct quarry_profile *before;
	struct quarry_site sum;
	struct qp_watch *w;

	qp_rate(test, 1);
	qt_arena_destroy(test, arena);
	before = qp_take(test, QUARRY_CACHE_ALL, false);
	arena = qt_arena(test, NULL);
	unseen = qt_arena(test, &args);
	w = qp_watch(test, id_of(arena));
	for (i = 0; i < n; i++) {
		size_t size = 1 + i * 7 % 900;

		if (i == 200) {
			mark = quarry_arena_mark(arena);
			space_at = space;
			asked_at = asked;
		}
		KUNIT_ASSERT_NOT_NULL(test, from_here(arena, size));
		KUNIT_ASSERT_NOT_NULL(test, from_here(unseen, size));
		space += ALIGN(size, 8);
		asked += size;
	}
	KUNIT_EXPECT_EQ(test, n, w->allocs);
	KUNIT_EXPECT_EQ(test, n, w->nr);
	qp_now(test, id_of(arena), &sum);
	KUNIT_EXPECT_EQ(test, n, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, qp_objects(n), sum.inuse.objects);
	KUNIT_EXPECT_EQ(test, space, sum.inuse.space);
	KUNIT_EXPECT_EQ(test, asked, sum.asked);
	qp_now(test, id_of(unseen), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.alloc.samples);

	/* All samples have one site: the calling function and the arena's name. */
	row = qp_grown(test, qp_take(test, QUARRY_CACHE_ALL, true), before, &rows);
	KUNIT_EXPECT_EQ(test, 1, rows);
	KUNIT_EXPECT_STREQ(test, row->cache_name, test->name);
	KUNIT_EXPECT_STREQ(test, qp_leaf(test, row->stack), "from_here");
	qp_expect_all_found(test);

	KUNIT_ASSERT_EQ(test, 0, quarry_arena_release(arena, &mark));
	qp_now(test, id_of(arena), &sum);
	KUNIT_EXPECT_EQ(test, 200, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, space_at, sum.inuse.space);
	KUNIT_EXPECT_EQ(test, asked_at, sum.asked);
	KUNIT_EXPECT_EQ(test, n, sum.alloc.samples);
	KUNIT_EXPECT_EQ(test, n + n - 200, w->nr);
	qp_expect_all_found(test);

	quarry_arena_reset(arena);
	qp_now(test, id_of(arena), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.space);
	KUNIT_EXPECT_EQ(test, 0, sum.asked);
	KUNIT_EXPECT_EQ(test, 2 * n, w->nr);
	KUNIT_EXPECT_EQ(test, space, sum.alloc.space);
}

/* Ages of live objects, and of objects that were given up. */
static void ages(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	struct quarry_profile *p;
	u64 live = 0, freed = 0;
	unsigned int i, k;

	qp_rate(test, 1);
	quarry_arena_reset(arena);
	for (i = 0; i < 50; i++)
		KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 100));
	p = qp_take(test, QUARRY_CACHE_ALL, true);
	for (i = 0; i < p->nr; i++)
		for (k = 0; p->site[i].cache == id_of(arena) && k < QR_AGES; k++)
			live += p->ages[i].live_objects[k];
	KUNIT_EXPECT_EQ(test, qp_objects(50), live);
	quarry_arena_reset(arena);
	p = qp_take(test, QUARRY_CACHE_ALL, true);
	for (i = 0, live = 0; i < p->nr; i++)
		for (k = 0; p->site[i].cache == id_of(arena) && k < QR_AGES; k++) {
			live += p->ages[i].live_objects[k];
			freed += p->ages[i].freed_objects[k];
		}
	KUNIT_EXPECT_EQ(test, 0, live);
	KUNIT_EXPECT_EQ(test, qp_objects(50), freed);
}

/* After an arena is destroyed its rows stay, and the profiler's memory for it is freed. */
static void after_the_end(struct kunit *test)
{
	static const unsigned int n[] = { 1, 1000, 1 };
	struct qr_profile_counts was = qp_counts();
	long budget[ARRAY_SIZE(n)], most = 0, idle;
	unsigned int i, k, samples = 0, live = 0;
	struct quarry_arena *arena;
	struct quarry_profile *p;

	/* The node is in a row's labels: on another node there would be another row. */
	qt_pin(test, 0);
	qp_rate(test, 1);
	arena = qt_arena(test, NULL);
	/* A loop that the compiler unrolled would have several callers, and as many rows. */
	for (i = 0; i < ARRAY_SIZE(n); i++) {
		OPTIMIZER_HIDE_VAR(i);
		for (k = 0; k < n[i]; k++) {
			OPTIMIZER_HIDE_VAR(k);
			KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 64));
		}
		most = max(most, atomic_long_read(&qr_profile_memory_used));
		quarry_arena_reset(arena);
		budget[i] = atomic_long_read(&qr_profile_memory_used);
	}
	KUNIT_EXPECT_GT(test, most, budget[0] + 1000 * sizeof(struct qr_sample));
	KUNIT_EXPECT_EQ(test, budget[0], budget[1]);
	KUNIT_EXPECT_EQ(test, budget[0], budget[2]);
	qt_arena_destroy(test, arena);
	idle = atomic_long_read(&qr_profile_memory_used);
	KUNIT_EXPECT_LE(test, idle + QR_ARENA_SAMPLES_PART * sizeof(struct qr_sample), budget[0]);
	KUNIT_EXPECT_EQ(test, was.live_samples, qp_counts().live_samples);
	p = qp_take(test, QUARRY_CACHE_ALL, false);
	for (i = 0; i < p->nr; i++) {
		if (strcmp(p->site[i].cache_name, test->name))
			continue;
		KUNIT_EXPECT_EQ(test, QR_CACHE_GONE, p->site[i].cache);
		samples += p->site[i].alloc.samples;
		live += p->site[i].inuse.samples;
	}
	KUNIT_EXPECT_EQ(test, 1002, samples);
	KUNIT_EXPECT_EQ(test, 0, live);
}

static void budget_restore(void *limit)
{
	qr_profile_memory_limit = (unsigned long)limit;
}

static void no_memory_for_samples(struct kunit *test)
{
	void *limit = (void *)qr_profile_memory_limit;
	struct qr_profile_counts was, is;
	struct quarry_arena *arena;
	unsigned int i, n = 100;

	qp_rate(test, 1);
	arena = qt_arena(test, NULL);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, budget_restore, limit));
	qr_profile_memory_limit = atomic_long_read(&qr_profile_memory_used);
	was = qp_counts();
	for (i = 0; i < n; i++)
		KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 100));
	is = qp_counts();
	KUNIT_EXPECT_EQ(test, was.samples, is.samples);
	KUNIT_EXPECT_EQ(test, was.dropped_samples + n, is.dropped_samples);
	KUNIT_EXPECT_EQ(test, was.dropped_space + n * 104, is.dropped_space);
	qt_exit(test);
	budget_restore(limit);
	for (i = 0; i < n; i++)
		KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 100));
	KUNIT_EXPECT_EQ(test, was.live_samples + n, qp_counts().live_samples);
	quarry_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, was.live_samples, qp_counts().live_samples);
}

struct cutter {
	struct quarry_arena *arena;
	unsigned int met;
};

static int cut_at_the_first(const struct qr_object *o, void *arg)
{
	struct cutter *c = arg;

	if (o->cache == id_of(c->arena) && !c->met++)
		quarry_arena_reset(c->arena);
	return 0;
}

/* A walk has read one part; it does not go on to parts that were given up meanwhile. */
static void given_up_during_a_walk(struct kunit *test)
{
	struct cutter c;
	unsigned int i;

	qp_rate(test, 1);
	c = (struct cutter){ .arena = qt_arena(test, NULL) };
	for (i = 0; i < 5 * QR_ARENA_SAMPLES_PART; i++)
		KUNIT_ASSERT_NOT_NULL(test, from_here(c.arena, 64));
	KUNIT_EXPECT_EQ(test, 0, qr_walk_objects(true, cut_at_the_first, &c));
	KUNIT_EXPECT_EQ(test, QR_ARENA_SAMPLES_PART, c.met);
	qp_expect_all_found(test);
}

/* --- Some objects are sampled --- */

typedef size_t (*size_fn)(unsigned int i);

static size_t mixed_size(unsigned int i)
{
	return get_random_u32_below(i % 50 ? 300 : 6000);
}

/* Each object gets 8 bytes, the unit of distances, so an error of one unit shows. */
static size_t least_size(unsigned int i)
{
	return 1 + i % 8;
}

/* Two objects fit into a block of one page; the third begins the next block. */
static size_t size_at_block_ends(unsigned int i)
{
	return 1400;
}

/* @block: in bytes; @keep: number of objects between two releases to a mark, or two resets. */
static void estimate(struct kunit *test, size_t block, u32 rate, unsigned int n, size_fn size_of,
		     unsigned int keep, bool reset)
{
	struct quarry_arena_args args = { .block = block };
	struct quarry_arena_mark mark;
	struct quarry_arena *arena;
	struct quarry_site sum;
	unsigned int i;
	u64 space = 0;

	qp_rate(test, rate);
	arena = qt_arena(test, &args);
	mark = quarry_arena_mark(arena);
	for (i = 0; i < n; i++) {
		size_t size = size_of(i);
		void *p;

		/* The smallest objects always: this call bypasses the fast path. */
		if (i % 8 == 7 || size <= 8)
			p = quarry_arena_alloc_aligned(arena, 256, size, GFP_KERNEL);
		else
			p = quarry_arena_alloc(arena, size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		space += ALIGN(max(size, 1UL), 8);
		if (i % keep != keep - 1)
			continue;
		if (reset)
			quarry_arena_reset(arena);
		else
			KUNIT_ASSERT_EQ(test, 0, quarry_arena_release(arena, &mark));
		mark = quarry_arena_mark(arena);
	}
	qp_now(test, id_of(arena), &sum);
	expect_near(test, &sum.alloc, n, space);
	quarry_arena_reset(arena);
	qp_now(test, id_of(arena), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.objects);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.space);
	KUNIT_EXPECT_TRUE(test, !sum.inuse.var_objects && !sum.inuse.var_space);
	qt_arena_destroy(test, arena);
}

#define MANY 200000

static void sums_are_right(struct kunit *test)
{
	estimate(test, 0, 4096, MANY, mixed_size, 5000, true);
	estimate(test, 0, 65536, MANY, mixed_size, 5000, false);
	estimate(test, 0, 300, MANY / 10, mixed_size, 5000, true);
	estimate(test, 0, 32, MANY, least_size, 5000, true);
}

/* The distance to the next sample continues over the end of a block. */
static void blocks_do_not_bias(struct kunit *test)
{
	estimate(test, PAGE_SIZE, 8192, MANY, size_at_block_ends, 1000, true);
	estimate(test, PAGE_SIZE, 1000, MANY / 4, size_at_block_ends, 1000, false);
	estimate(test, PAGE_SIZE, 8192, MANY / 2, mixed_size, 1000, true);
}

/* The distance to the next sample does not start over at a release, wherever that is. */
static void releases_do_not_bias(struct kunit *test)
{
	estimate(test, 0, 4096, MANY, mixed_size, 1, false);
	estimate(test, 0, 8192, MANY, mixed_size, 3, true);
	estimate(test, PAGE_SIZE, 8192, MANY, size_at_block_ends, 3, false);
}

/* After releases to marks, the live objects are estimated right: samples went with them. */
static void what_is_live(struct kunit *test)
{
	unsigned int i, k, live = 0;
	struct quarry_arena *arena;
	struct quarry_site sum;
	u64 space = 0;

	qp_rate(test, 2000);
	arena = qt_arena(test, NULL);
	for (i = 0; i < 3000; i++) {
		struct quarry_arena_mark mark;

		for (k = 0; k < 10; k++) {
			KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 100 + k));
			space += ALIGN(100 + k, 8);
			live++;
		}
		mark = quarry_arena_mark(arena);
		for (k = 0; k < 20; k++)
			KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 200));
		KUNIT_ASSERT_EQ(test, 0, quarry_arena_release(arena, &mark));
	}
	qp_now(test, id_of(arena), &sum);
	expect_near(test, &sum.inuse, live, space);
	expect_near(test, &sum.alloc, live + 3000 * 20, space + 3000 * 20 * 200);
	qp_expect_all_found(test);
}

/* The rate changes in the middle of blocks; older samples keep their weights. */
static void rates_change(struct kunit *test)
{
	static const u32 rates[] = { 16384, 512, 65536, 1000, 4096 };
	struct quarry_arena *arena;
	struct quarry_site sum;
	unsigned int i, n = 0;
	u64 space = 0;

	qp_rate(test, 4096);
	arena = qt_arena(test, NULL);
	for (i = 0; i < 400; i++) {
		unsigned int k = 100 + get_random_u32_below(200);

		qr_rate_set(rates[i % ARRAY_SIZE(rates)]);
		for (; k; k--, n++) {
			size_t size = mixed_size(k);

			KUNIT_ASSERT_NOT_NULL(test, from_here(arena, size));
			space += ALIGN(max(size, 1UL), 8);
		}
	}
	qp_now(test, id_of(arena), &sum);
	expect_near(test, &sum.alloc, n, space);
	KUNIT_EXPECT_EQ(test, sum.alloc.samples, sum.inuse.samples);
}

/* The weight is exactly that of the rate at the draw, even if the rate has changed since. */
static void weighs_as_it_was_drawn(struct kunit *test)
{
	const u32 rate = 65536;
	struct quarry_site sum;
	struct qr_arena *a;
	size_t size;

	qp_rate(test, rate);
	a = qr_arena_of(qt_arena(test, NULL));
	/* The smallest object that reaches the next sample. */
	size = a->pub.limit - a->pub.next + a->ahead + QR_MIN_OBJECT;
	qr_rate_set(1);
	KUNIT_ASSERT_NOT_NULL(test, from_here(&a->pub, size));
	qp_now(test, a->id, &sum);
	KUNIT_EXPECT_EQ(test, 1, sum.alloc.samples);
	KUNIT_EXPECT_EQ(test, qr_weight(rate, size), sum.alloc.objects);
}

static void off_and_on(struct kunit *test)
{
	struct quarry_arena *arena;
	struct quarry_site sum;
	u64 samples;
	unsigned int i;

	qp_rate(test, 1);
	arena = qt_arena(test, NULL);
	for (i = 0; i < 10; i++)
		KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 100));
	qp_now(test, id_of(arena), &sum);
	KUNIT_EXPECT_EQ(test, 10, sum.alloc.samples);
	/* Turning sampling off works at once. */
	qr_rate_set(0);
	for (i = 0; i < 100; i++)
		KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 100));
	qp_now(test, id_of(arena), &sum);
	KUNIT_EXPECT_EQ(test, 10, sum.alloc.samples);
	/* Turning it on works with the next block, */
	qr_rate_set(1);
	for (i = 0; i < QUARRY_ARENA_BLOCK / 100; i++)
		KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 100));
	qp_now(test, id_of(arena), &sum);
	samples = sum.alloc.samples;
	KUNIT_EXPECT_GT(test, samples, 10);
	KUNIT_EXPECT_LT(test, samples, 10 + QUARRY_ARENA_BLOCK / 100);
	KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 100));
	qp_now(test, id_of(arena), &sum);
	KUNIT_EXPECT_EQ(test, samples + 1, sum.alloc.samples);
	/* or with a reset of the arena. */
	qr_rate_set(0);
	KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 100));
	qr_rate_set(1);
	quarry_arena_reset(arena);
	KUNIT_ASSERT_NOT_NULL(test, from_here(arena, 100));
	qp_now(test, id_of(arena), &sum);
	KUNIT_EXPECT_EQ(test, samples + 2, sum.alloc.samples);
}

static struct kunit_case cases[] = { KUNIT_CASE(everything),
				     KUNIT_CASE(ages),
				     KUNIT_CASE(after_the_end),
				     KUNIT_CASE(no_memory_for_samples),
				     KUNIT_CASE(given_up_during_a_walk),
				     KUNIT_CASE_SLOW(sums_are_right),
				     KUNIT_CASE_SLOW(blocks_do_not_bias),
				     KUNIT_CASE_SLOW(releases_do_not_bias),
				     KUNIT_CASE(what_is_live),
				     KUNIT_CASE(rates_change),
				     KUNIT_CASE(weighs_as_it_was_drawn),
				     KUNIT_CASE(off_and_on),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite arena_profile_suite = {
	.name = "quarry_arena_profile",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(arena_profile_suite);
