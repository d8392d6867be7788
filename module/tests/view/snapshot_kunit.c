// SPDX-License-Identifier: GPL-2.0
/* Snapshots and the peak each show one moment, although the heap changes meanwhile. */
#include "tests/profile_util.h"

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/string.h>

/* --- The peak --- */

#define KINDS 6
#define HELD  200

struct model {
	struct quarry_cache *cache[KINDS];
	void *obj[KINDS][HELD];
	unsigned int live[KINDS];
	unsigned int at_peak[KINDS];
	u64 other, total, peak;
	u64 peak_from, peak_until; /* the peak was between these times */
};

static void model_init(struct kunit *test, struct model *m)
{
	unsigned int k;

	for (k = 0; k < KINDS; k++)
		m->cache[k] = qt_cache(test, 16 << k, NULL);
	qp_rate(test, 1);
	qr_profile_reset();
	/* Other samples that are live are part of the peak too. */
	m->other = qp_counts().live_space;
	m->total = m->other;
	m->peak = m->other;
	m->peak_from = ktime_get_real_ns();
	m->peak_until = m->peak_from;
}

static void model_alloc(struct kunit *test, struct model *m, unsigned int k)
{
	u64 before = ktime_get_real_ns();
	void *p = quarry_cache_alloc(m->cache[k], GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	m->obj[k][m->live[k]++] = p;
	m->total += m->cache[k]->size;
	if (m->total <= m->peak)
		return;
	m->peak = m->total;
	m->peak_from = before;
	m->peak_until = ktime_get_real_ns();
	memcpy(m->at_peak, m->live, sizeof(m->live));
}

static void model_free(struct model *m, unsigned int k)
{
	quarry_cache_free(m->cache[k], m->obj[k][--m->live[k]]);
	m->total -= m->cache[k]->size;
}

static void model_check(struct kunit *test, struct model *m)
{
	struct quarry_profile *p = qr_profile_take(QUARRY_CACHE_ALL, false);
	u64 space = 0, slack = NSEC_PER_SEC / 10;
	struct quarry_site sum;
	unsigned int k;
	u32 i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
	for (i = 0; i < p->nr; i++)
		space += p->site[i].peak_space;
	KUNIT_EXPECT_EQ(test, m->peak, space);
	for (k = 0; k < KINDS; k++) {
		qp_sum(p, qp_id(m->cache[k]), &sum);
		KUNIT_EXPECT_EQ(test, qp_objects(m->live[k]), sum.inuse.objects);
		KUNIT_EXPECT_EQ(test, qp_objects(m->at_peak[k]), sum.peak_objects);
		KUNIT_EXPECT_EQ(test, m->at_peak[k] * m->cache[k]->size, sum.peak_space);
	}
	/* The clocks that the times come from may differ a little. */
	KUNIT_EXPECT_GE(test, p->peak_time_ns + slack, m->peak_from);
	KUNIT_EXPECT_LE(test, p->peak_time_ns, m->peak_until + slack);
	qr_profile_free(p);
}

static void peak_is_of_one_moment(struct kunit *test)
{
	struct model *m = qt_array(test, 1, sizeof(*m));
	u64 seed = get_random_u64();
	unsigned int i, k, up = 0;
	struct rnd_state rnd;

	kunit_info(test, "seed %llu\n", seed);
	prandom_seed_state(&rnd, seed);
	model_init(test, m);
	for (i = 0; i < 6000; i++) {
		/* Change every 500 steps between growing and shrinking. */
		if (i % 500 == 0)
			up = 20 + prandom_u32_state(&rnd) % 60;
		k = prandom_u32_state(&rnd) % KINDS;
		if (prandom_u32_state(&rnd) % 100 < up) {
			if (m->live[k] < HELD)
				model_alloc(test, m, k);
		} else if (m->live[k]) {
			model_free(m, k);
		}
		if (i % 100 == 99)
			model_check(test, m);
		if (i == 3000) {
			/* The reset begins a new peak, with the objects that are live now. */
			qr_profile_reset();
			m->peak = m->total;
			memcpy(m->at_peak, m->live, sizeof(m->live));
			m->peak_from = ktime_get_real_ns();
			m->peak_until = m->peak_from;
			model_check(test, m);
		}
	}
	for (k = 0; k < KINDS; k++)
		while (m->live[k])
			model_free(m, k);
	model_check(test, m);
}

/* --- One moment --- */

#define BITS	  9
#define ROWS	  300 /* between two rows, so that they are copied in different sections */
#define SNAPSHOTS 400

/* Different stacks of the same depth: @path says which function calls which. */
static noinline void path_zero(struct quarry_cache *cache, unsigned int path, unsigned int bits);
static noinline void path_one(struct quarry_cache *cache, unsigned int path, unsigned int bits);

static noinline void path_next(struct quarry_cache *cache, unsigned int path, unsigned int bits)
{
	if (!bits)
		quarry_cache_free(cache, quarry_cache_alloc(cache, GFP_KERNEL));
	else if (path & 1)
		path_one(cache, path >> 1, bits - 1);
	else
		path_zero(cache, path >> 1, bits - 1);
	barrier(); /* no tail calls */
}

static noinline void path_zero(struct quarry_cache *cache, unsigned int path, unsigned int bits)
{
	path_next(cache, path, bits);
	barrier();
}

static noinline void path_one(struct quarry_cache *cache, unsigned int path, unsigned int bits)
{
	path_next(cache, path, bits);
	barrier();
}

#define DO_A 1
#define DO_B 2

/* A thread that always holds an object of a while it holds one of b. */
struct pair {
	struct quarry_cache *a, *b;
	unsigned int what; /* what the test wants to be done */
	unsigned int doing;
	u64 rounds;
	u64 failed;
};

static noinline void pair_round(struct pair *pair, unsigned int what)
{
	void *a = NULL, *b = NULL;

	if (what & DO_A) {
		a = quarry_cache_alloc(pair->a, GFP_KERNEL);
		pair->failed += !a;
	}
	if (what & DO_B) {
		b = quarry_cache_alloc(pair->b, GFP_KERNEL);
		pair->failed += !b;
	}
	quarry_cache_free(pair->b, b);
	quarry_cache_free(pair->a, a);
}

static int pair_thread(void *arg)
{
	struct pair *pair = arg;

	while (!kthread_should_stop()) {
		unsigned int what = READ_ONCE(pair->what);

		pair_round(pair, what);
		WRITE_ONCE(pair->rounds, pair->rounds + !!what);
		/* From now on each round does this, until what changes again. */
		WRITE_ONCE(pair->doing, what);
		cond_resched();
	}
	return 0;
}

static void pair_do(struct pair *pair, unsigned int what)
{
	u64 rounds = READ_ONCE(pair->rounds);

	WRITE_ONCE(pair->what, what);
	while (READ_ONCE(pair->doing) != what || (what && READ_ONCE(pair->rounds) == rounds))
		usleep_range(100, 1000);
}

KUNIT_DEFINE_ACTION_WRAPPER(stop_action, kthread_stop, struct task_struct *);

static struct pair *pair_start(struct kunit *test)
{
	struct pair *pair = qt_array(test, 1, sizeof(*pair));
	struct task_struct *thread;

	pair->a = qt_cache(test, 32, NULL);
	pair->b = qt_cache(test, 48, NULL);
	thread = kthread_create(pair_thread, pair, "quarry_pair");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop_action, thread));
	kthread_bind(thread, num_online_cpus() - 1);
	wake_up_process(thread);
	return pair;
}

static void expect_ahead(struct kunit *test, u64 a, u64 b, const char *what, unsigned int i)
{
	KUNIT_EXPECT_TRUE_MSG(test, a - b <= 1, "snapshot %u: %s %llu and %llu", i, what, a, b);
}

/* The rows of a and b are far apart in the table; that of @first has the lower number. */
static void one_moment(struct kunit *test, unsigned int first)
{
	struct quarry_cache *fill = qt_cache(test, 64, NULL), *used;
	struct quarry_site a, b, base_a, base_b;
	unsigned int i, k, moved = 0, held = 0;
	struct pair *pair;
	u64 last = 0, sites;

	qt_pin(test, 0);
	qp_rate(test, 1);
	pair = pair_start(test);
	/*
	 * Use up the unused rows, so that new rows get ascending numbers.  After a reset most rows
	 * are unused; each cache uses as many as there are paths.
	 */
	sites = qp_counts().sites;
	for (k = 0; k <= sites >> BITS && qp_counts().sites == sites; k++) {
		used = qt_cache(test, 64, NULL);
		for (i = 0; i < 1U << BITS && qp_counts().sites == sites; i++)
			path_next(used, i, BITS);
	}
	KUNIT_ASSERT_GT(test, qp_counts().sites, sites);
	pair_do(pair, first);
	pair_do(pair, 0);
	for (i = 0; i < ROWS; i++)
		path_next(fill, i, BITS);
	qp_now(test, qp_id(fill), &a);
	KUNIT_ASSERT_EQ(test, ROWS, a.alloc.samples);
	KUNIT_ASSERT_EQ(test, ROWS, qp_take(test, qp_id(fill), false)->nr);
	qp_now(test, qp_id(pair->a), &base_a);
	qp_now(test, qp_id(pair->b), &base_b);
	pair_do(pair, DO_A | DO_B);
	for (i = 0; i < SNAPSHOTS; i++) {
		struct quarry_profile *p = qr_profile_take(QUARRY_CACHE_ALL, false);

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
		qp_sum(p, qp_id(pair->a), &a);
		qp_sum(p, qp_id(pair->b), &b);
		qr_profile_free(p);
		a.alloc.samples -= base_a.alloc.samples;
		b.alloc.samples -= base_b.alloc.samples;
		expect_ahead(test, a.inuse.samples, b.inuse.samples, "in use", i);
		expect_ahead(test, a.alloc.samples, b.alloc.samples, "allocated", i);
		KUNIT_EXPECT_EQ(test, a.inuse.samples * 32, a.inuse.space);
		KUNIT_EXPECT_EQ(test, b.inuse.samples * 48, b.asked);
		moved += a.alloc.samples != last;
		held += a.inuse.samples;
		last = a.alloc.samples;
	}
	KUNIT_EXPECT_EQ(test, 0, pair->failed);
	/*
	 * Otherwise the test has shown nothing.  The limits are low because one processor may
	 * emulate both CPUs.
	 */
	KUNIT_EXPECT_GT(test, moved, SNAPSHOTS / 20);
	KUNIT_EXPECT_GT(test, held, 0);
	KUNIT_EXPECT_LT(test, held, SNAPSHOTS);
	kunit_info(test, "%llu rounds, %u of %u snapshots while one was held\n", pair->rounds, held,
		   SNAPSHOTS);
}

static void outer_row_is_copied_first(struct kunit *test)
{
	one_moment(test, DO_A);
}

static void inner_row_is_copied_first(struct kunit *test)
{
	one_moment(test, DO_B);
}

static struct kunit_case cases[] = { KUNIT_CASE(peak_is_of_one_moment),
				     KUNIT_CASE_SLOW(outer_row_is_copied_first),
				     KUNIT_CASE_SLOW(inner_row_is_copied_first),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite snapshot_suite = {
	.name = "quarry_snapshot",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(snapshot_suite);
