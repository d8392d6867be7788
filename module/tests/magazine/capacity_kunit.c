// SPDX-License-Identifier: GPL-2.0
/*
 * The capacity of magazines: a head that misses is granted some, and the heads of a CPU never have
 * more than its budget.  Time passes only by calls of qr_magazines_tick().
 */
#include "tests/magazine/capacity_util.h"

#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sched/clock.h>
#include <linux/sort.h>
#include "core/slow_path_time.h"

static void granted_at_the_first_miss(struct kunit *test)
{
	struct quarry_cache *by_alloc, *by_free;
	void *p;

	qt_pin(test, 0);
	qt_budget(test, 4096);
	by_alloc = qt_cache(test, QM_SIZE, NULL);
	by_free = qt_cache(test, 1000, NULL);
	KUNIT_EXPECT_EQ(test, 0, qm_capacity(by_alloc));
	KUNIT_EXPECT_EQ(test, 0, qm_granted_here());
	p = quarry_cache_alloc(by_alloc, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, qm_full(by_alloc), qm_capacity(by_alloc));
	KUNIT_EXPECT_EQ(test, qm_full(by_alloc) * QM_SIZE, qm_granted_here());
	KUNIT_EXPECT_EQ(test, qr_cache_of(by_alloc)->batch - 1, qr_head_peek(qt_head(by_alloc)));
	quarry_cache_free(by_alloc, p);

	/* __GFP_THISNODE bypasses the magazine, so the free is the first to miss. */
	p = quarry_cache_alloc_node(by_free, GFP_KERNEL | __GFP_THISNODE,
				    raw_cpu_read(qr_home_node));
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, 0, qm_capacity(by_free));
	quarry_cache_free(by_free, p);
	KUNIT_EXPECT_EQ(test, qm_full(by_free), qm_capacity(by_free));
	KUNIT_EXPECT_EQ(test, 1, qr_head_peek(qt_head(by_free)));
	KUNIT_EXPECT_EQ(test, qm_full(by_alloc) * QM_SIZE + qm_full(by_free) * 1000,
			qm_granted_here());
	qt_exit(test);
	qt_cache_destroy(test, by_alloc);
	qt_cache_destroy(test, by_free);
	KUNIT_EXPECT_EQ(test, 0, qm_granted_here());
}

/* If the budget has not room for the whole, a half, a quarter and so on is granted. */
static void parts_are_granted(struct kunit *test)
{
	struct quarry_cache *cache[4];
	unsigned int i;

	qt_pin(test, 0);
	/* Each could use 128 objects; the budget has room for 128 + 64 + 32 + 16. */
	qt_budget(test, (128 + 64 + 32 + 31) * QM_SIZE / 1024);
	for (i = 0; i < ARRAY_SIZE(cache); i++) {
		cache[i] = qt_cache(test, QM_SIZE, NULL);
		KUNIT_ASSERT_EQ(test, 128, qm_full(cache[i]));
		qm_miss(test, cache[i]);
		KUNIT_EXPECT_EQ(test, 128 >> i, qm_capacity(cache[i]));
		qt_exit(test);
	}
}

static void class_zero_gets_nothing(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	void *objs[8];

	qt_pin(test, 0);
	qt_alloc_n(test, cache, objs, 8);
	/* The address leads to no size class, so quarry_free() uses the head of class 0. */
	while (qt_sum(cache).live_objects)
		quarry_free(objs[qt_sum(cache).live_objects - 1]);
	KUNIT_EXPECT_EQ(test, 0, raw_cpu_ptr(qr_class_head[0])->capacity);
	KUNIT_EXPECT_GT(test, qm_capacity(cache), 0);
}

/* Without any capacity, all operations bypass the magazine, and are counted. */
static void nothing_at_all(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	void **objs = qt_array(test, 600, sizeof(*objs));
	struct qt_shadow s;
	unsigned int i;

	qt_shadow_init(&s);
	qt_pin(test, 0);
	qt_budget(test, 0);
	for (i = 0; i < 300; i++) {
		objs[i] = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		qt_shadow_check(test, &s, cache);
		KUNIT_ASSERT_EQ(test, 0, qr_head_peek(qt_head(cache)));
	}
	KUNIT_ASSERT_EQ(test, 300, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 300, objs + 300));
	for (i = 300; i < 600; i++)
		qt_got(&s, objs[i]);
	qt_shadow_check(test, &s, cache);
	for (i = 0; i < 300; i++) {
		quarry_cache_free(cache, qt_put(&s, objs[i]));
		qt_shadow_check(test, &s, cache);
	}
	for (i = 300; i < 600; i++)
		qt_put(&s, objs[i]);
	quarry_cache_free_bulk(cache, 300, objs + 300);
	qt_shadow_check(test, &s, cache);
	KUNIT_EXPECT_EQ(test, 600, qt_sum(cache).direct_frees);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).cached_objects);
	KUNIT_EXPECT_EQ(test, 0, qm_granted_here());
	qt_exit(test);
	/* With a new budget the magazine gets its capacity back. */
	qr_percpu_kib_set(64);
	qm_miss(test, cache);
	KUNIT_EXPECT_EQ(test, qm_full(cache), qm_capacity(cache));
}

static void budget_is_lowered(struct kunit *test)
{
	static const unsigned int kib[] = { 256, 100, 31, 8, 1, 0 };
	void **objs = qt_array(test, 300, sizeof(*objs));
	struct quarry_cache *cache[20];
	unsigned int i, k, cpu;

	qt_budget(test, 4096);
	for (i = 0; i < ARRAY_SIZE(cache); i++)
		cache[i] = qt_cache(test, 16 << i % 8, NULL);
	for_each_online_cpu(cpu) {
		qt_pin(test, cpu);
		for (i = 0; i < ARRAY_SIZE(cache); i++) {
			qt_alloc_n(test, cache[i], objs, 300);
			qt_free_n(cache[i], objs, 300);
		}
		KUNIT_ASSERT_GT(test, qm_granted_here(), 256 << 10);
	}
	for (k = 0; k < ARRAY_SIZE(kib); k++) {
		qr_percpu_kib_set(kib[k]);
		KUNIT_EXPECT_EQ(test, kib[k], qr_percpu_kib_get());
		for_each_online_cpu(cpu) {
			KUNIT_EXPECT_LE(test, qr_percpu_granted(cpu), kib[k] << 10);
			/* No more was taken than needed. */
			KUNIT_EXPECT_GE(test, qr_percpu_granted(cpu), kib[k] << 8);
		}
		KUNIT_EXPECT_EQ(test, (u64)num_online_cpus() * kib[k] << 10,
				qt_stats(test)->percpu_max_bytes);
		qt_exit(test);
	}
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->percpu_cached_bytes);
	for (i = 0; i < ARRAY_SIZE(cache); i++)
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache[i]).live_objects);
}

#define MANY 40
#define HELD 64

struct traffic {
	struct quarry_cache *cache[MANY];
	void *held[MANY][HELD];
	struct qt_shadow shadow[MANY];
};

static void random_step(struct kunit *test, struct traffic *t, unsigned int k)
{
	unsigned int n = 1 + get_random_u32_below(HELD), i;

	while (n--) {
		void **slot = &t->held[k][get_random_u32_below(HELD)];

		if (*slot) {
			quarry_cache_free(t->cache[k], qt_put(&t->shadow[k], *slot));
			*slot = NULL;
		} else {
			*slot = qt_got(&t->shadow[k], quarry_cache_alloc(t->cache[k], GFP_KERNEL));
			KUNIT_ASSERT_NOT_NULL(test, *slot);
		}
		for_each_online_cpu(i)
			if (qr_percpu_granted(i) > (unsigned long)qr_percpu_kib_get() << 10)
				KUNIT_FAIL(test, "CPU %u has %lu bytes", i, qr_percpu_granted(i));
	}
}

static void random_traffic_keeps_within(struct kunit *test)
{
	struct traffic *t = qt_array(test, 1, sizeof(*t));
	unsigned int i, k, round;

	qt_budget(test, 48);
	for (k = 0; k < MANY; k++) {
		t->cache[k] = qt_cache(test, 8 + get_random_u32_below(k % 4 ? 500 : 8000), NULL);
		qt_shadow_init(&t->shadow[k]);
	}
	for (round = 0; round < 6000; round++) {
		if (round % 64 == 0)
			qt_pin(test, get_random_u32_below(num_online_cpus()));
		random_step(test, t, get_random_u32_below(MANY));
		if (round % 50 == 0)
			qm_ticks(1);
		if (round % 500 == 0)
			qr_percpu_kib_set(get_random_u32_below(64));
		if (round % 200 == 0)
			qt_exit(test);
		cond_resched();
	}
	for (k = 0; k < MANY; k++) {
		qt_shadow_check(test, &t->shadow[k], t->cache[k]);
		for (i = 0; i < HELD; i++)
			quarry_cache_free(t->cache[k], qt_put(&t->shadow[k], t->held[k][i]));
		qt_shadow_check(test, &t->shadow[k], t->cache[k]);
	}
	qm_ticks(QM_TICKS + 2);
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->percpu_cached_bytes);
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->cached_objects);
}

#define STORM_CACHES 4
#define STORM_HELD   7
#define STORM_STAY   900
#define STORM_MS     3000
#define STORM_LEAST  300 /* interrupts */

struct storm {
	struct hrtimer timer;
	struct quarry_cache *cache[STORM_CACHES];
	struct qt_shadow shadow[STORM_CACHES];
	void *held[STORM_CACHES][STORM_HELD];
	void *stay[STORM_CACHES][STORM_STAY];
	struct rnd_state rnd;
	unsigned int fired;
	unsigned int missed;
	bool stop;
};

static void storm_step(struct storm *st, unsigned int k, void **slot)
{
	if (*slot) {
		quarry_cache_free(st->cache[k], qt_put(&st->shadow[k], *slot));
		*slot = NULL;
	} else {
		*slot = qt_got(&st->shadow[k], quarry_cache_alloc(st->cache[k], GFP_ATOMIC));
		st->missed += !*slot;
	}
}

static enum hrtimer_restart storm_fn(struct hrtimer *timer)
{
	struct storm *st = container_of(timer, struct storm, timer);
	unsigned int n = prandom_u32_state(&st->rnd) % 12;

	st->fired++;
	while (n--) {
		unsigned int k = prandom_u32_state(&st->rnd) % STORM_CACHES;

		storm_step(st, k, &st->held[k][prandom_u32_state(&st->rnd) % STORM_HELD]);
	}
	if (READ_ONCE(st->stop))
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(2000 + prandom_u32_state(&st->rnd) % 30000));
	return HRTIMER_RESTART;
}

static void storm_stop(void *arg)
{
	struct storm *st = arg;

	WRITE_ONCE(st->stop, true);
	hrtimer_cancel(&st->timer);
	qr_magazines_ticking(false);
}

/*
 * Magazines are granted capacity, shrunk and closed while a timer allocates from them.  The timer
 * must not call the page allocator, so there are enough objects, and one live object in each slab
 * keeps it.
 */
static void interrupts_come_between(struct kunit *test)
{
	struct storm *st = qt_array(test, 1, sizeof(*st));
	unsigned int i, k, rounds = 0;
	void *mine[STORM_CACHES][8] = {};
	ktime_t start;
	s64 ms;

	prandom_seed_state(&st->rnd, get_random_u64());
	qt_pin(test, num_online_cpus() - 1);
	qt_budget(test, 8);
	for (k = 0; k < STORM_CACHES; k++) {
		st->cache[k] = qt_cache(test, QM_SIZE << k % 2, NULL);
		qt_shadow_init(&st->shadow[k]);
		for (i = 0; i < STORM_STAY; i++)
			storm_step(st, k, &st->stay[k][i]);
		for (i = 0; i < STORM_STAY; i++)
			if (i % 32)
				storm_step(st, k, &st->stay[k][i]);
	}
	qr_magazines_ticking(true);
	qr_compat_hrtimer_setup(&st->timer, storm_fn, CLOCK_MONOTONIC,
				HRTIMER_MODE_REL_PINNED_HARD);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, storm_stop, st));
	hrtimer_start(&st->timer, ns_to_ktime(10000), HRTIMER_MODE_REL_PINNED_HARD);
	start = ktime_get();
	do {
		for (i = 0; i < 400; i++) {
			k = get_random_u32_below(STORM_CACHES);
			storm_step(st, k, &mine[k][get_random_u32_below(8)]);
		}
		if (rounds % 4 == 0)
			qm_ticks(1);
		if (rounds % 16 == 0)
			qr_percpu_kib_set(get_random_u32_below(20));
		rounds++;
		cond_resched();
		ms = ktime_ms_delta(ktime_get(), start);
	} while (ms < STORM_MS || (READ_ONCE(st->fired) < STORM_LEAST && ms < 20 * STORM_MS));
	storm_stop(st);
	kunit_info(test, "%u interrupts in %u rounds\n", st->fired, rounds);
	KUNIT_EXPECT_GE(test, st->fired, STORM_LEAST);
	KUNIT_EXPECT_EQ(test, 0, st->missed);
	for (k = 0; k < STORM_CACHES; k++) {
		qt_shadow_check(test, &st->shadow[k], st->cache[k]);
		for (i = 0; i < STORM_HELD; i++)
			quarry_cache_free(st->cache[k], qt_put(&st->shadow[k], st->held[k][i]));
		for (i = 0; i < STORM_STAY; i++)
			quarry_cache_free(st->cache[k], qt_put(&st->shadow[k], st->stay[k][i]));
		for (i = 0; i < 8; i++)
			quarry_cache_free(st->cache[k], qt_put(&st->shadow[k], mine[k][i]));
		qt_shadow_check(test, &st->shadow[k], st->cache[k]);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(st->cache[k]).live_objects);
	}
	qt_exit(test);
}

#define ROUNDS 200

static int compare(const void *a, const void *b)
{
	return *(const u64 *)a < *(const u64 *)b ? -1 : *(const u64 *)a > *(const u64 *)b;
}

/*
 * The estimate of the time in slow paths must agree with a clock.  Every operation takes a slow
 * path, and four in each round are timed.  The machine may stop for longer than a round, so the
 * test compares the lower quartiles of all rounds.
 */
static void slow_paths_are_timed(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	u64 *took = qt_array(test, ROUNDS, sizeof(*took)), *said, before;
	unsigned int i, k;

	said = qt_array(test, ROUNDS, sizeof(*said));
	qt_pin(test, 0);
	qt_budget(test, 0);
	for (k = 0; k < ROUNDS; k++) {
		said[k] = qr_slow_path_ns();
		took[k] = local_clock();
		for (i = 0; i < 2 * 61; i++)
			qm_hit(test, cache);
		took[k] = local_clock() - took[k];
		said[k] = qr_slow_path_ns() - said[k];
	}
	sort(took, ROUNDS, sizeof(*took), compare, NULL);
	sort(said, ROUNDS, sizeof(*said), compare, NULL);
	kunit_info(test, "%llu ns by the estimate, %llu by the clock\n", said[ROUNDS / 4],
		   took[ROUNDS / 4]);
	KUNIT_EXPECT_GT(test, said[ROUNDS / 4], took[ROUNDS / 4] / 8);
	KUNIT_EXPECT_LT(test, said[ROUNDS / 4], 2 * took[ROUNDS / 4]);
	/* Operations that the magazine serves add nothing to the estimate. */
	qr_percpu_kib_set(64);
	qm_hit(test, cache);
	before = qr_slow_path_ns();
	for (i = 0; i < 61 * 61; i++)
		qm_hit(test, cache);
	KUNIT_EXPECT_EQ(test, before, qr_slow_path_ns());
	KUNIT_EXPECT_EQ(test, before, qt_stats(test)->slow_path_ns);
}

static struct kunit_case cases[] = { KUNIT_CASE(granted_at_the_first_miss),
				     KUNIT_CASE(parts_are_granted),
				     KUNIT_CASE(class_zero_gets_nothing),
				     KUNIT_CASE(nothing_at_all),
				     KUNIT_CASE(budget_is_lowered),
				     KUNIT_CASE_SLOW(random_traffic_keeps_within),
				     KUNIT_CASE_SLOW(interrupts_come_between),
				     KUNIT_CASE(slow_paths_are_timed),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite budget_suite = {
	.name = "quarry_capacity",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(budget_suite);
