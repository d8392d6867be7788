// SPDX-License-Identifier: GPL-2.0
/* Cleanups without memory, and with many threads at once. */
#include "tests/cache/cleanup_util.h"

#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include "compat.h"

static void count(void *p, void *arg)
{
	atomic_inc(arg);
}

/* --- No memory --- */

#ifdef CONFIG_FAULT_INJECTION

#define QUIET (GFP_NOWAIT | __GFP_NOWARN)

/*
 * Call @fn again and again: in the first call the kernel's first allocation fails, in the second
 * call its second one, and so on, until no allocation is left to fail.  Returns how many there
 * were.  @fn may work in spite of a failure: SLUB has a fallback for slabs of high order.
 */
static unsigned int until_it_works(struct kunit *test, bool (*fn)(struct kunit *test, void **p),
				   void **p)
{
	unsigned int nth;

	for (nth = 1; nth < 50; nth++) {
		u64 before, after;
		bool worked, left;

		rcu_barrier();
		before = qt_metadata(qt_stats(test));
		WRITE_ONCE(current->fail_nth, nth);
		worked = fn(test, p);
		left = READ_ONCE(current->fail_nth);
		WRITE_ONCE(current->fail_nth, 0);
		if (left) {
			KUNIT_EXPECT_TRUE(test, worked);
			return nth - 1;
		}
		if (worked)
			continue;
		rcu_barrier();
		after = qt_metadata(qt_stats(test));
		/* An array for the rows of a slab stays. */
		KUNIT_EXPECT_LE(test, after, before + QR_SLAB_MAX_OBJECTS * sizeof(void *));
		qt_exit(test);
	}
	return nth;
}

static bool add_once(struct kunit *test, void **p)
{
	int err = quarry_cleanup_add_gfp(p[0], count, p[1], QUIET);

	if (err)
		KUNIT_EXPECT_EQ(test, -ENOMEM, err);
	else
		++*(unsigned int *)p[2];
	return !err;
}

static bool realloc_once(struct kunit *test, void **p)
{
	void *q = quarry_realloc(p[0], 300, QUIET);

	KUNIT_EXPECT_EQ(test, 0, atomic_read(p[1]));
	KUNIT_EXPECT_TRUE(test, qt_is_filled(q ?: p[0], 100, 8));
	p[0] = q ?: p[0];
	return q;
}

static void no_memory(struct kunit *test)
{
	static const size_t sizes[] = { 100, 4000, SZ_64K };
	atomic_t ran = ATOMIC_INIT(0);
	unsigned int added, i;
	void *p[3] = { NULL, &ran, &added }, *held;

	qt_pin(test, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		qr_drain_all();
		p[0] = quarry_malloc(sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[0]);
		atomic_set(&ran, 0);
		added = 0;
		KUNIT_EXPECT_GE(test, until_it_works(test, add_once, p), 2);
		/* Now the slab has its array. */
		KUNIT_EXPECT_GE(test, until_it_works(test, add_once, p), 1);
		KUNIT_EXPECT_EQ(test, 0, atomic_read(&ran));
		quarry_free(p[0]);
		KUNIT_EXPECT_GE(test, added, 2);
		KUNIT_EXPECT_EQ(test, added, atomic_read(&ran));
	}
	/* The object itself needs no memory of the kernel's; the array for its cleanups does. */
	qr_drain_all();
	p[0] = quarry_malloc(100, GFP_KERNEL);
	held = quarry_malloc(300, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, p[0] && held);
	qt_fill(p[0], 100, 8);
	atomic_set(&ran, 0);
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p[0], count, &ran));
	KUNIT_EXPECT_GE(test, until_it_works(test, realloc_once, p), 1);
	quarry_free(p[0]);
	quarry_free(held);
	KUNIT_EXPECT_EQ(test, 3, atomic_read(&ran));
}

#endif

/* --- All at once --- */

#define STORM_OBJECTS 64
#define STORM_ROUNDS  4000

struct storm {
	struct quarry_cache *cache;
	atomic_t added;
	atomic_t ran;
	atomic_t removed;
	atomic_t running;
	struct completion done;
	void *shared[STORM_OBJECTS];
};

static void storm_free(struct storm *s, void *p)
{
	if (p && virt_addr_valid(p) && qr_slab_of(p) &&
	    qr_slab_of(p)->cache == qr_cache_of(s->cache) && get_random_u32_below(2))
		quarry_cache_free(s->cache, p);
	else
		quarry_free(p);
}

static void *storm_alloc(struct storm *s)
{
	unsigned int what = get_random_u32_below(16);

	if (what < 7)
		return quarry_cache_alloc(s->cache, GFP_KERNEL);
	return quarry_malloc(what < 15 ? 40 * what : 40000, GFP_KERNEL);
}

/* Threads pass objects on; each adds or removes a cleanup, or frees the object. */
static int storm_fn(void *arg)
{
	struct storm *s = arg;
	unsigned int i, k, n;

	for (i = 0; i < STORM_ROUNDS; i++) {
		void **slot = &s->shared[get_random_u32_below(STORM_OBJECTS)];
		void *p = xchg(slot, NULL) ?: storm_alloc(s);

		if (!p)
			continue;
		n = get_random_u32_below(4);
		for (k = 0; k < n; k++)
			if (!quarry_cleanup_add(p, count, &s->ran))
				atomic_inc(&s->added);
		if (!get_random_u32_below(4) && quarry_cleanup_remove(p, count, &s->ran))
			atomic_inc(&s->removed);
		if (get_random_u32_below(3))
			p = xchg(slot, p);
		storm_free(s, p);
	}
	if (atomic_dec_and_test(&s->running))
		complete(&s->done);
	return 0;
}

static void storm(struct kunit *test)
{
	struct storm *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int cpu, k, i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->cache = qt_cache(test, 200, NULL);
	qp_rate(test, 4000);
	init_completion(&s->done);
	atomic_set(&s->running, 2 * num_online_cpus());
	for_each_online_cpu(cpu) {
		for (k = 0; k < 2; k++) {
			struct task_struct *t = kthread_create(storm_fn, s, "quarry_storm");

			KUNIT_ASSERT_FALSE(test, IS_ERR(t));
			kthread_bind(t, cpu);
			wake_up_process(t);
		}
	}
	while (!wait_for_completion_timeout(&s->done, 1)) {
		qr_drain_all();
		qr_trim_all(ULONG_MAX, true);
		qt_exit(test);
	}
	for (i = 0; i < STORM_OBJECTS; i++)
		storm_free(s, s->shared[i]);
	KUNIT_EXPECT_GT(test, atomic_read(&s->removed), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->added),
			atomic_read(&s->ran) + atomic_read(&s->removed));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(s->cache).live_objects);
}

/* --- Long lists --- */

#define LONG 3000

struct adder {
	void *p;
	atomic_t *ran;
	unsigned int added;
};

/* Adds cleanups in front of those that are searched, and takes some off again. */
static int add_and_remove(void *arg)
{
	struct adder *a = arg;

	while (!kthread_should_stop()) {
		if (a->added < LONG && !quarry_cleanup_add(a->p, count, a->ran))
			a->added++;
		if (a->added % 64 == 0 && quarry_cleanup_remove(a->p, count, a->ran))
			a->added--;
		cond_resched();
	}
	return 0;
}

static void note(void *p, void *arg)
{
	++*(unsigned int *)arg;
}

/*
 * A search lets go of the lock every few hundred cleanups.  It finds the one that was added first
 * all the same, while another CPU changes the list.
 */
static void long_list(struct kunit *test)
{
	unsigned int *runs = qt_array(test, LONG, sizeof(*runs)), i;
	void *p = quarry_malloc(64, GFP_KERNEL);
	atomic_t ran = ATOMIC_INIT(0);
	struct adder a = { .p = p, .ran = &ran };
	struct task_struct *t;

	KUNIT_ASSERT_NOT_NULL(test, p);
	/* Each is there twice. */
	for (i = 0; i < 2 * LONG; i++)
		KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, note, &runs[i % LONG]));
	t = kthread_run(add_and_remove, &a, "quarry adder");
	KUNIT_ASSERT_FALSE(test, IS_ERR(t));
	KUNIT_EXPECT_FALSE(test, quarry_cleanup_remove(p, note, NULL));
	for (i = 0; i < LONG; i += 100) {
		KUNIT_EXPECT_TRUE(test, quarry_cleanup_remove(p, note, &runs[i]));
		if (i % 200)
			continue;
		KUNIT_EXPECT_TRUE(test, quarry_cleanup_remove(p, note, &runs[i]));
		KUNIT_EXPECT_FALSE(test, quarry_cleanup_remove(p, note, &runs[i]));
	}
	kthread_stop(t);
	quarry_free(p);
	for (i = 0; i < LONG; i++)
		KUNIT_EXPECT_EQ(test, i % 100 ? 2 : i % 200 ? 1 : 0, runs[i]);
	KUNIT_EXPECT_EQ(test, a.added, atomic_read(&ran));
}

/**
 * struct interruption - of a search, by a timer
 * @timer: fires between two of its slices
 * @p: the object
 * @runs: the argument of each cleanup, the first one added first
 * @searching: the search is under way
 * @removed: cleanups that were taken off meanwhile
 */
struct interruption {
	struct hrtimer timer;
	void *p;
	unsigned int *runs;
	bool searching;
	unsigned int removed;
};

#define SLICES	    8
#define SEARCHED    (SLICES * QR_CLEANUP_SLICE)
#define INTERRUPTED 20

/*
 * Take off each cleanup that a slice may go on from.  The search begins with the one that was added
 * last.
 */
static enum hrtimer_restart remove_meanwhile(struct hrtimer *timer)
{
	struct interruption *s = container_of(timer, struct interruption, timer);
	unsigned int i;

	for (i = 1; READ_ONCE(s->searching) && i < SLICES; i++)
		s->removed += quarry_cleanup_remove(s->p, note,
						    &s->runs[SEARCHED - 1 - i * QR_CLEANUP_SLICE]);
	return HRTIMER_NORESTART;
}

/*
 * A search holds the lock for one slice at a time, with interrupts off.  So a timer that becomes
 * due meanwhile fires between two of them, and takes off what the search would go on from.
 */
static void removed_between_slices(struct kunit *test)
{
	/* On PREEMPT_RT a thread runs timers that are not hard ones. */
	const enum hrtimer_mode mode = IS_ENABLED(CONFIG_PREEMPT_RT) ?
					       HRTIMER_MODE_REL_PINNED_HARD :
					       HRTIMER_MODE_REL_PINNED_SOFT;
	struct interruption *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int hits = 0, round, i;
	u64 took;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->runs = qt_array(test, SEARCHED, sizeof(*s->runs));
	qt_pin(test, 0);
	qr_compat_hrtimer_setup(&s->timer, remove_meanwhile, CLOCK_MONOTONIC, mode);
	for (round = 0; hits < INTERRUPTED && round < 100 * INTERRUPTED; round++) {
		s->p = quarry_malloc(64, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, s->p);
		for (i = 0; i < SEARCHED; i++)
			KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(s->p, note, &s->runs[i]));
		took = ktime_get_ns();
		KUNIT_EXPECT_FALSE(test, quarry_cleanup_remove(s->p, note, NULL));
		took = ktime_get_ns() - took;
		s->removed = 0;
		WRITE_ONCE(s->searching, true);
		hrtimer_start(&s->timer, ns_to_ktime(div_u64(took * (round % 8 + 1), 9)), mode);
		KUNIT_EXPECT_TRUE(test, quarry_cleanup_remove(s->p, note, &s->runs[0]));
		WRITE_ONCE(s->searching, false);
		hrtimer_cancel(&s->timer);
		hits += s->removed == SLICES - 1;
		quarry_free(s->p);
	}
	KUNIT_EXPECT_EQ(test, INTERRUPTED, hits);
	for (i = 1; i < SEARCHED - 1; i++)
		KUNIT_EXPECT_EQ(test, s->runs[i],
				(i + 1) % QR_CLEANUP_SLICE ? round : round - hits);
	KUNIT_EXPECT_EQ(test, 0, s->runs[0]);
}

/* The cleanups of a cache that is destroyed with many slabs go, and none of them runs. */
static void destroyed_with_many(struct kunit *test)
{
	struct quarry_cache *cache = quarry_cache_create("many", 256, NULL);
	const unsigned int n = 5000;
	void **objs = qt_array(test, n, sizeof(*objs));
	struct quarry_stats *before = qt_stats(test);
	atomic_t ran = ATOMIC_INIT(0);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	qt_alloc_n(test, cache, objs, n);
	for (i = 0; i < n; i += i % 3 + 1)
		KUNIT_EXPECT_EQ(test, 0, quarry_cleanup_add(objs[i], count, &ran));
	quarry_cache_destroy(cache);
	qt_exit(test);
	for (i = 0; i < n; i++)
		quarry_free(objs[i]);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&ran));
	qr_drain_all();
	KUNIT_EXPECT_EQ(test, before->zombie_caches, qt_stats(test)->zombie_caches);
}

static struct kunit_case cases[] = {
#ifdef CONFIG_FAULT_INJECTION
	KUNIT_CASE(no_memory),
#endif
	KUNIT_CASE_SLOW(storm),
	KUNIT_CASE_SLOW(long_list),
	KUNIT_CASE_SLOW(removed_between_slices),
	KUNIT_CASE_SLOW(destroyed_with_many),
	KUNIT_CASE(qt_books_balance),
	{}
};

static struct kunit_suite cleanup_storm_suite = {
	.name = "quarry_cleanup_storm",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(cleanup_storm_suite);
