// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of the largest rows of a table (profile/largest.c, profile/kept_profile.c): which rows
 * they keep, and that nothing is missing from their sums.  Addresses are made up; nothing looks at
 * the objects.
 */
#include "profile/kept_profile.h"

#include <linux/err.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "kernel/sample_table.h"
#include "profile/bucket.h"
#include "profile/label.h"
#include "tests/kunit_util.h"

#define SAMPLES 1024
#define ROWS	512
#define MANY	300 /* rows: more than are kept */
#define BASE	0xffff888000000000UL

/**
 * struct world - a heap and a copy of it
 * @rows: the heap's rows
 * @samples: its samples
 * @kept: the copy
 */
struct world {
	struct qr_table rows;
	struct qr_sample_table samples;
	struct qr_kept kept;
};

static void world_exit(void *arg)
{
	struct world *w = arg;

	qr_kept_lock(true);
	qr_kept_exit(&w->kept);
	qr_kept_unlock();
	qr_sample_table_exit(&w->samples);
	qr_table_exit(&w->rows);
}

static struct world *world(struct kunit *test)
{
	struct world *w = qt_array(test, 1, sizeof(*w));
	struct quarry_site *site = qt_array(test, QR_KEPT_ROWS, sizeof(*site));

	KUNIT_ASSERT_EQ(test, 0, qr_table_init(&w->rows, ROWS, 0));
	KUNIT_ASSERT_EQ(test, 0, qr_sample_table_init(&w->samples, SAMPLES, &w->rows));
	qr_kept_lock(true);
	qr_kept_init(&w->kept, site);
	qr_kept_unlock();
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, world_exit, w));
	return w;
}

static const void *object(unsigned int cache, unsigned int i)
{
	return (const void *)(BASE + cache * PAGE_SIZE + i * sizeof(long));
}

/* A sample of @size bytes that stands for two objects, in the row of a cache. */
static bool open_one(struct world *w, unsigned int cache, unsigned int i, u32 size)
{
	struct qr_sampled what = {
		.ptr = object(cache, i),
		.cache = cache,
		.size = size,
		.asked = size - 1,
		.weight = 2ULL << QR_OBJECTS_SHIFT,
		.ip = _THIS_IP_,
	};
	char name[QUARRY_NAME_LEN];
	unsigned long flags;
	bool ok;

	snprintf(name, sizeof(name), "test%u", cache);
	what.name = name;
	local_irq_save(flags);
	ok = qr_sample_open(&w->samples, &what, 0);
	local_irq_restore(flags);
	return ok;
}

static bool close_one(struct world *w, unsigned int cache, unsigned int i)
{
	unsigned long flags;
	enum qr_close how;

	local_irq_save(flags);
	how = qr_sample_close(&w->samples, object(cache, i), true);
	local_irq_restore(flags);
	return how == QR_CLOSED;
}

static const struct quarry_profile *take(struct world *w, const char *only)
{
	qr_kept_lock(true);
	qr_profile_copy_lock(true);
	qr_kept_take(&w->kept, &w->rows, only);
	qr_profile_copy_unlock();
	qr_kept_unlock();
	return &w->kept.p;
}

static struct quarry_sum sum_of(const struct quarry_profile *p, bool alloc)
{
	struct quarry_sum sum = {};
	u32 i;

	for (i = 0; i < p->nr; i++)
		qr_sum_add(&sum, alloc ? &p->site[i].alloc : &p->site[i].inuse);
	return sum;
}

/* The sums are those of @n samples of 1 to @n times 64 bytes, each for two objects. */
static void expect_sums(struct kunit *test, const struct quarry_sum *sum, u64 n)
{
	u64 squares = n * (n + 1) * (2 * n + 1) / 6 * 64 * 64;

	KUNIT_EXPECT_EQ(test, n, sum->samples);
	KUNIT_EXPECT_EQ(test, 2 * n << QR_OBJECTS_SHIFT, sum->objects);
	KUNIT_EXPECT_EQ(test, n * (n + 1) * 64, sum->space);
	KUNIT_EXPECT_EQ(test, 2 * n, (u64)(sum->var_objects >> (2 * QR_OBJECTS_SHIFT)));
	KUNIT_EXPECT_EQ(test, 2 * squares, (u64)(sum->var_space >> (2 * QR_OBJECTS_SHIFT)));
}

/* Allocates rows of 64 to 64 * MANY bytes, in the order that @nth tells, and copies them. */
static const struct quarry_profile *fill(struct kunit *test, struct world *w,
					 unsigned int (*nth)(unsigned int i))
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_TRUE(test, open_one(w, 1 + i, 0, 64 * (1 + nth(i))));
	return take(w, NULL);
}

static void expect_largest(struct kunit *test, const struct quarry_profile *p)
{
	u64 least = 2 * 64 * (MANY - QR_LARGEST + 1), asked = 0;
	struct quarry_sum sum = sum_of(p, false);
	u32 i, large = 0;

	KUNIT_ASSERT_EQ(test, QR_LARGEST + 1U, p->nr);
	KUNIT_EXPECT_EQ(test, MANY - QR_LARGEST + 0U, p->others);
	for (i = 1; i < p->nr; i++)
		large += p->site[i].inuse.space >= least;
	KUNIT_EXPECT_EQ(test, QR_LARGEST + 0U, large);
	expect_sums(test, &sum, MANY);
	sum = sum_of(p, true);
	expect_sums(test, &sum, MANY);
	KUNIT_EXPECT_EQ(test, MANY - QR_LARGEST + 0ULL, p->site[0].inuse.samples);
	KUNIT_EXPECT_STREQ(test, "(other)", p->site[0].cache_name);
	for (i = 0; i < p->nr; i++)
		asked += p->site[i].asked;
	KUNIT_EXPECT_EQ(test, sum.space - 2 * MANY, asked);
}

static unsigned int rising(unsigned int i)
{
	return i;
}

static unsigned int falling(unsigned int i)
{
	return MANY - 1 - i;
}

/* 7 has no factor in common with 300. */
static unsigned int mixed(unsigned int i)
{
	return i * 7 % MANY;
}

static void largest_of_rising_rows(struct kunit *test)
{
	expect_largest(test, fill(test, world(test), rising));
}

static void largest_of_falling_rows(struct kunit *test)
{
	expect_largest(test, fill(test, world(test), falling));
}

static void largest_of_mixed_rows(struct kunit *test)
{
	expect_largest(test, fill(test, world(test), mixed));
}

static void few_rows_are_all_kept(struct kunit *test)
{
	struct world *w = world(test);
	const struct quarry_profile *p;
	unsigned int i;

	for (i = 1; i <= QR_LARGEST; i++)
		KUNIT_ASSERT_TRUE(test, open_one(w, i, 0, 64 * i));
	p = take(w, NULL);
	KUNIT_ASSERT_EQ(test, QR_LARGEST + 1U, p->nr);
	KUNIT_EXPECT_EQ(test, 0U, p->others);
	KUNIT_EXPECT_EQ(test, 0ULL, p->site[0].alloc.samples);
	for (i = 1; i < p->nr; i++) {
		KUNIT_EXPECT_EQ(test, i, p->site[i].cache);
		KUNIT_EXPECT_EQ(test, 2 * 64ULL * i, p->site[i].inuse.space);
	}
}

/* A row without live objects takes no place, but what was allocated in it counts. */
static void empty_rows_are_summed(struct kunit *test)
{
	struct world *w = world(test);
	const struct quarry_profile *p;
	unsigned int i;

	for (i = 1; i <= QR_LARGEST; i++) {
		KUNIT_ASSERT_TRUE(test, open_one(w, i, 0, 4096));
		KUNIT_ASSERT_TRUE(test, close_one(w, i, 0));
	}
	KUNIT_ASSERT_TRUE(test, open_one(w, MANY, 0, 64));
	p = take(w, NULL);
	KUNIT_ASSERT_EQ(test, 2U, p->nr);
	KUNIT_EXPECT_EQ(test, (u32)MANY, p->site[1].cache);
	KUNIT_EXPECT_EQ(test, 0U, p->others);
	KUNIT_EXPECT_EQ(test, QR_LARGEST + 0ULL, p->site[0].alloc.samples);
	KUNIT_EXPECT_EQ(test, 0ULL, p->site[0].inuse.samples);
}

static void rows_of_one_cache(struct kunit *test)
{
	struct world *w = world(test);
	const struct quarry_profile *p;
	unsigned int i;

	for (i = 1; i <= MANY; i++)
		KUNIT_ASSERT_TRUE(test, open_one(w, i, 0, 64 * i));
	p = take(w, "test7");
	KUNIT_ASSERT_EQ(test, 2U, p->nr);
	KUNIT_EXPECT_STREQ(test, "test7", p->site[1].cache_name);
	KUNIT_EXPECT_EQ(test, 2 * 64 * 7ULL, sum_of(p, false).space);
	KUNIT_EXPECT_EQ(test, 0U, p->others);
}

/* What is kept stays as it was, and so does a copy of it. */
static void kept_and_read(struct kunit *test)
{
	struct world *w = world(test);
	struct quarry_profile p = { .site = qt_array(test, QR_KEPT_ROWS, sizeof(*p.site)) };
	u32 set;

	KUNIT_ASSERT_TRUE(test, open_one(w, 1, 0, 640));
	take(w, NULL);
	KUNIT_ASSERT_TRUE(test, close_one(w, 1, 0));
	KUNIT_ASSERT_TRUE(test, open_one(w, 2, 0, 64));
	qr_kept_lock(true);
	qr_kept_read(&w->kept, &p);
	qr_kept_unlock();
	set = p.site[1].labels;
	KUNIT_ASSERT_EQ(test, 2U, p.nr);
	KUNIT_EXPECT_EQ(test, 1U, p.site[1].cache);
	KUNIT_EXPECT_EQ(test, 2 * 640ULL, p.site[1].inuse.space);
	take(w, NULL);
	KUNIT_EXPECT_EQ(test, 2U, w->kept.p.site[1].cache);
	KUNIT_EXPECT_EQ(test, 1U, p.site[1].cache);
	KUNIT_EXPECT_PTR_NE(test, NULL, qr_labels_get(set));
	qr_labels_release(p.label_sets);
}

/* --- While the heap changes --- */

#define TAKES 300

/* Until it is told to stop, allocates an object and frees it again, each time of another row. */
static int churn(void *arg)
{
	struct world *w = arg;
	struct rnd_state rnd;
	unsigned int cache;
	int wrong = 0;

	prandom_seed_state(&rnd, 14);
	while (!kthread_should_stop()) {
		cache = 1 + prandom_u32_state(&rnd) % MANY;
		if (!open_one(w, cache, 1, 32) || !close_one(w, cache, 1))
			wrong++;
		cond_resched();
	}
	return wrong;
}

/* All rows are of one moment: the sum has that object once, or not at all. */
static void one_moment(struct kunit *test)
{
	struct world *w = world(test);
	u64 still = sum_of(fill(test, w, mixed), false).space, got, between = 0;
	struct task_struct *task;
	unsigned int i;

	task = kthread_run(churn, w, "quarry_churn");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	for (i = 0; i < TAKES; i++) {
		got = sum_of(take(w, NULL), false).space;
		if (got != still && got != still + 2 * 32)
			between++;
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, 0, kthread_stop(task));
	KUNIT_EXPECT_EQ(test, 0ULL, between);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(few_rows_are_all_kept),   KUNIT_CASE(largest_of_rising_rows),
	KUNIT_CASE(largest_of_falling_rows), KUNIT_CASE(largest_of_mixed_rows),
	KUNIT_CASE(empty_rows_are_summed),   KUNIT_CASE(rows_of_one_cache),
	KUNIT_CASE(kept_and_read),	     KUNIT_CASE(one_moment),
	KUNIT_CASE(qt_books_balance),	     {},
};

static struct kunit_suite suite = {
	.name = "quarry_kept_profile",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
