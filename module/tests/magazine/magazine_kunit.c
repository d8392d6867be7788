// SPDX-License-Identifier: GPL-2.0
/* Magazines: order, batches, exact counters, and timers that interrupt operations. */
#include "tests/kunit_util.h"

#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/random.h>

#define SIZE 64

static void last_in_first_out(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	void *objs[8], *again[8];
	unsigned int i;

	qt_pin(test, 0);
	qt_alloc_n(test, cache, objs, 8);
	for (i = 0; i < 8; i++)
		quarry_cache_free(cache, objs[i]);
	qt_alloc_n(test, cache, again, 8);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_PTR_EQ(test, objs[7 - i], again[i]);
	qt_free_n(cache, again, 8);
}

static void refills_by_batch(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	unsigned int batch = qr_cache_of(cache)->batch, i;
	void **objs = qt_array(test, 4 * batch, sizeof(*objs));

	qt_pin(test, 0);
	for (i = 0; i < 4 * batch; i++) {
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_ASSERT_EQ(test, qt_sum(cache).refilled, round_up(i + 1, batch));
		KUNIT_ASSERT_EQ(test, qr_head_peek(qt_head(cache)),
				round_up(i + 1, batch) - (i + 1));
		KUNIT_ASSERT_EQ(test, qt_sum(cache).mallocs, i + 1);
	}
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).frees);
	qt_free_n(cache, objs, 4 * batch);
}

static void flushes_by_batch(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	unsigned int batch = qr_cache_of(cache)->batch, n = 6 * batch, i;
	void **objs = qt_array(test, n, sizeof(*objs));
	unsigned int held = 0, flushed = 0, capacity;

	qt_pin(test, 0);
	qt_alloc_n(test, cache, objs, n);
	capacity = qt_head(cache)->capacity;
	KUNIT_ASSERT_EQ(test, 0, qr_head_peek(qt_head(cache)));
	for (i = 0; i < n; i++) {
		quarry_cache_free(cache, objs[i]);
		if (held == capacity) {
			held -= batch;
			flushed += batch;
		}
		held++;
		KUNIT_ASSERT_EQ(test, held, qr_head_peek(qt_head(cache)));
		KUNIT_ASSERT_EQ(test, flushed, qt_sum(cache).flushed);
		KUNIT_ASSERT_EQ(test, i + 1, qt_sum(cache).frees);
	}
	KUNIT_EXPECT_GT(test, flushed, 0);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static void counters_are_exact(struct kunit *test)
{
	static const unsigned int sizes[] = { 8, 64, 1000, 32768 };
	void **objs = qt_array(test, 300, sizeof(*objs));
	struct qt_shadow s;
	unsigned int k, i;

	for (k = 0; k < ARRAY_SIZE(sizes); k++) {
		struct quarry_cache *cache = qt_cache(test, sizes[k], NULL);

		qt_shadow_init(&s);
		for (i = 0; i < 6000; i++) {
			unsigned int j = get_random_u32_below(k == 3 ? 40 : 300);

			/* Change the CPU now and then, so that it frees objects of another one. */
			if (i % 512 == 0)
				qt_pin(test, i / 512 % num_online_cpus());
			if (objs[j])
				quarry_cache_free(cache, qt_put(&s, objs[j]));
			objs[j] = objs[j] ? NULL :
					    qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
		}
		qt_shadow_check(test, &s, cache);
		qt_exit(test);
		for (i = 0; i < 300; i++) {
			quarry_cache_free(cache, qt_put(&s, objs[i]));
			objs[i] = NULL;
		}
		qt_shadow_check(test, &s, cache);
		quarry_cache_shrink(cache);
		qt_shadow_check(test, &s, cache);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).cached_objects);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).slabs);
		qt_cache_destroy(test, cache);
	}
}

/* Set this CPU's countdown to @left without a change of its count of allocations. */
static void set_countdown(struct quarry_cache *cache, int left)
{
	struct qr_head *h = qt_head(cache);

	preempt_disable();
	h->drawn -= h->countdown - left;
	h->countdown = left;
	preempt_enable();
}

static void countdown_expires_and_counts_once(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	void *objs[16];
	struct qt_shadow s;
	int left, warm;
	unsigned int i;

	qt_shadow_init(&s);
	qt_pin(test, 0);
	for (left = 0; left < 4; left++) {
		for (warm = 0; warm < 2; warm++) {
			u64 drawn;

			quarry_cache_shrink(cache);
			if (warm) {
				qt_alloc_n(test, cache, objs, 16);
				qt_free_n(cache, objs, 16);
				atomic64_add(16, &s.allocs);
				atomic64_add(16, &s.frees);
			}
			set_countdown(cache, left);
			qt_shadow_check(test, &s, cache);
			drawn = qt_head(cache)->drawn;
			for (i = 0; i < 8; i++) {
				objs[i] = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
				KUNIT_ASSERT_NOT_NULL(test, objs[i]);
				qt_shadow_check(test, &s, cache);
				KUNIT_ASSERT_EQ(test, qt_head(cache)->drawn - drawn,
						i < left ? 0 : QR_DRAW);
			}
			for (i = 0; i < 8; i++)
				quarry_cache_free(cache, qt_put(&s, objs[i]));
			set_countdown(cache, left);
			KUNIT_ASSERT_EQ(test, 16,
					quarry_cache_alloc_bulk(cache, GFP_KERNEL, 16, objs));
			for (i = 0; i < 16; i++)
				qt_got(&s, objs[i]);
			qt_shadow_check(test, &s, cache);
			for (i = 0; i < 16; i++)
				qt_put(&s, objs[i]);
			quarry_cache_free_bulk(cache, 16, objs);
			qt_shadow_check(test, &s, cache);
		}
	}
}

#define NESTED_MAX  7
#define STORM_MS    3000
#define STORM_LEAST 300 /* interrupts */

struct storm {
	struct hrtimer timer;
	struct quarry_cache *cache;
	struct qt_shadow shadow;
	struct rnd_state rnd;
	void *held[NESTED_MAX];
	unsigned int fired;
	unsigned int missed;
	bool stop;
};

/* Runs in hard or soft interrupt context, in the middle of what the thread does. */
static enum hrtimer_restart storm_fn(struct hrtimer *timer)
{
	struct storm *st = container_of(timer, struct storm, timer);
	unsigned int n = prandom_u32_state(&st->rnd) % (NESTED_MAX + 1), i;

	st->fired++;
	for (i = 0; i < n; i++) {
		void **slot = &st->held[prandom_u32_state(&st->rnd) % NESTED_MAX];

		if (*slot) {
			quarry_cache_free(st->cache, qt_put(&st->shadow, *slot));
			*slot = NULL;
		} else {
			*slot = qt_got(&st->shadow, quarry_cache_alloc(st->cache, GFP_ATOMIC));
			st->missed += !*slot;
		}
	}
	if (READ_ONCE(st->stop))
		return HRTIMER_NORESTART;
	/* Count from now, not from when the timer was due, so that the thread gets time, too. */
	hrtimer_forward_now(timer, ns_to_ktime(2000 + prandom_u32_state(&st->rnd) % 30000));
	return HRTIMER_RESTART;
}

static void storm_stop(void *arg)
{
	struct storm *st = arg;

	WRITE_ONCE(st->stop, true);
	hrtimer_cancel(&st->timer);
}

static void storm_bulk(struct storm *st, void **objs, unsigned int n)
{
	unsigned int i;

	if (!quarry_cache_alloc_bulk(st->cache, GFP_ATOMIC, n, objs)) {
		st->missed++;
		return;
	}
	for (i = 0; i < n; i++)
		qt_got(&st->shadow, objs[i]);
	for (i = 0; i < n; i++)
		qt_put(&st->shadow, objs[i]);
	quarry_cache_free_bulk(st->cache, n, objs);
}

/*
 * A timer in hard interrupt context must not call the page allocator, whose locks sleep on
 * PREEMPT_RT.  So there are enough objects beforehand, and so few slabs that the depot keeps all.
 */
static void storm_run(struct kunit *test, enum hrtimer_mode mode)
{
	struct storm *st = qt_array(test, 1, sizeof(*st));
	void **objs = qt_array(test, 900, sizeof(*objs));
	unsigned int i, n, rounds = 0;
	ktime_t start;
	s64 ms;

	st->cache = qt_cache(test, SIZE, NULL);
	qt_shadow_init(&st->shadow);
	prandom_seed_state(&st->rnd, get_random_u64());
	qt_pin(test, num_online_cpus() - 1);
	qt_alloc_n(test, st->cache, objs, 900);
	KUNIT_ASSERT_LE(test, qt_sum(st->cache).slabs, 4);
	qt_free_n(st->cache, objs, 900);
	atomic64_add(900, &st->shadow.allocs);
	atomic64_add(900, &st->shadow.frees);

	qr_compat_hrtimer_setup(&st->timer, storm_fn, CLOCK_MONOTONIC, mode);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, storm_stop, st));
	hrtimer_start(&st->timer, ns_to_ktime(10000), mode);
	start = ktime_get();
	do {
		for (i = 0; i < 100; i++) {
			void *p = qt_got(&st->shadow, quarry_cache_alloc(st->cache, GFP_ATOMIC));

			st->missed += !p;
			quarry_cache_free(st->cache, qt_put(&st->shadow, p));
		}
		n = 1 + get_random_u32_below(200);
		for (i = 0; i < n; i++) {
			objs[i] = qt_got(&st->shadow, quarry_cache_alloc(st->cache, GFP_ATOMIC));
			st->missed += !objs[i];
		}
		for (i = 0; i < n; i++)
			quarry_cache_free(st->cache, qt_put(&st->shadow, objs[i]));
		storm_bulk(st, objs, 1 + get_random_u32_below(200));
		rounds++;
		cond_resched();
		ms = ktime_ms_delta(ktime_get(), start);
		/* A machine that is single-stepped is slow: wait for enough interrupts. */
	} while (ms < STORM_MS || (READ_ONCE(st->fired) < STORM_LEAST && ms < 20 * STORM_MS));
	storm_stop(st);
	for (i = 0; i < NESTED_MAX; i++)
		quarry_cache_free(st->cache, qt_put(&st->shadow, st->held[i]));
	kunit_info(test, "%u interrupts in %u rounds, %llu nested allocations, %llu frees\n",
		   st->fired, rounds, qt_sum(st->cache).direct_allocs,
		   qt_sum(st->cache).direct_frees);
	KUNIT_EXPECT_GE(test, st->fired, STORM_LEAST);
	KUNIT_EXPECT_EQ(test, 0, st->missed);
	qt_shadow_check(test, &st->shadow, st->cache);
	qt_exit(test);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(st->cache).live_objects);
}

static void hard_interrupts_nest(struct kunit *test)
{
	storm_run(test, HRTIMER_MODE_REL_PINNED_HARD);
}

static void soft_interrupts_nest(struct kunit *test)
{
	storm_run(test, HRTIMER_MODE_REL_PINNED_SOFT);
}

static struct kunit_case cases[] = { KUNIT_CASE(last_in_first_out),
				     KUNIT_CASE(refills_by_batch),
				     KUNIT_CASE(flushes_by_batch),
				     KUNIT_CASE(counters_are_exact),
				     KUNIT_CASE(countdown_expires_and_counts_once),
				     KUNIT_CASE_SLOW(hard_interrupts_nest),
				     KUNIT_CASE_SLOW(soft_interrupts_nest),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite magazine_suite = {
	.name = "quarry_magazine",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(magazine_suite);
