// SPDX-License-Identifier: GPL-2.0
/* Frees by RCU, deferred objects, and QUARRY_TYPESAFE_BY_RCU caches. */
#include "tests/kunit_util.h"
#include "tests/profile_util.h"

#include <linux/bsearch.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sort.h>
#include "cache/deferred.h"
#include "cache/rcu_free.h"

static void blocks_again(void *unused)
{
	WRITE_ONCE(qr_rcu_no_blocks, false);
}

static void no_blocks(struct kunit *test)
{
	WRITE_ONCE(qr_rcu_no_blocks, true);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, blocks_again, NULL));
}

/* Wait until no object waits.  This may leave the heads at rest or not. */
static void settle(struct kunit *test)
{
	quarry_rcu_barrier();
	KUNIT_ASSERT_EQ(test, 0, qr_rcu_pending());
}

#define SEEN 500 /* objects that a reader sees: several blocks and a rest */

static int compare(const void *a, const void *b)
{
	const void *x = *(void *const *)a, *y = *(void *const *)b;

	return x < y ? -1 : x > y;
}

/* Allocate @n objects: none of them may be one of the @nr in @old, which is sorted. */
static void none_again(struct kunit *test, struct quarry_cache *cache, void **old, unsigned int nr,
		       void **new, unsigned int n)
{
	unsigned int i, again = 0;

	for (i = 0; i < n; i++) {
		new[i] = quarry_cache_alloc(cache, GFP_ATOMIC);
		if (new[i] && bsearch(&new[i], old, nr, sizeof(*old), compare))
			again++;
	}
	for (i = 0; i < n; i++)
		quarry_cache_free(cache, new[i]);
	KUNIT_EXPECT_EQ(test, 0, again);
}

/*
 * Objects that a reader may see are neither changed nor allocated again.  This task is the reader,
 * so no grace period can end while it looks.
 */
static void readers_see_no_reuse(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void **seen = qt_array(test, SEEN, sizeof(*seen));
	void **new = qt_array(test, 2 * SEEN, sizeof(*new));
	unsigned int i, round, changed = 0;

	qt_pin(test, 0);
	for (round = 0; round < 2; round++) {
		if (round)
			no_blocks(test);
		qt_alloc_n(test, cache, seen, SEEN);
		sort(seen, SEEN, sizeof(*seen), compare, NULL);
		for (i = 0; i < SEEN; i++)
			qt_fill(seen[i], 64, i);
		/* Have enough free objects for none_again(). */
		qt_alloc_n(test, cache, new, 2 * SEEN);
		qt_free_n(cache, new, 2 * SEEN);

		rcu_read_lock();
		for (i = 0; i < SEEN; i++)
			quarry_cache_free_rcu(cache, seen[i]);
		preempt_disable();
		qr_rcu_flush(smp_processor_id());
		preempt_enable();
		KUNIT_EXPECT_EQ(test, SEEN, qr_rcu_pending());
		KUNIT_EXPECT_EQ(test, SEEN, qt_sum(cache).live_objects);
		for (i = 0; i < 5; i++) {
			mdelay(10);
			none_again(test, cache, seen, SEEN, new, 2 * SEEN);
		}
		for (i = 0; i < SEEN; i++)
			if (!qt_is_filled(seen[i], 64, i))
				changed++;
		rcu_read_unlock();

		KUNIT_EXPECT_EQ(test, 0, changed);
		settle(test);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	}
}

/* An RCU reader on another CPU: it enters its section, and leaves when @leave is set. */
struct reader {
	struct completion in;
	bool leave;
	bool left;
};

static int read_on(void *arg)
{
	struct reader *r = arg;

	rcu_read_lock();
	complete(&r->in);
	while (!READ_ONCE(r->leave))
		cpu_relax();
	WRITE_ONCE(r->left, true);
	rcu_read_unlock();
	return 0;
}

static int hurry(void *unused)
{
	qr_rcu_hurry();
	return 0;
}

static int wait_all(void *unused)
{
	quarry_rcu_barrier();
	return 0;
}

/* Neither quarry_rcu_barrier() nor qr_rcu_hurry() ends before the reader; both free all objects. */
static void waiters_wait_for_readers(struct kunit *test)
{
	int (*const waiters[])(void *) = { wait_all, hurry };
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void **objs = qt_array(test, SEEN, sizeof(*objs));
	struct task_struct *reading, *waiting;
	struct reader r;
	unsigned int k, i;

	if (num_online_cpus() < 2)
		kunit_skip(test, "one CPU");
	qt_pin(test, 0);
	for (k = 0; k < ARRAY_SIZE(waiters); k++) {
		settle(test);
		r = (struct reader){};
		init_completion(&r.in);
		qt_alloc_n(test, cache, objs, SEEN);
		reading = kthread_create_on_cpu(read_on, &r, 1, "quarry_reader/%u");
		KUNIT_ASSERT_FALSE(test, IS_ERR(reading));
		get_task_struct(reading);
		wake_up_process(reading);
		wait_for_completion(&r.in);
		for (i = 0; i < SEEN; i++)
			quarry_cache_free_rcu(cache, objs[i]);
		waiting = kthread_create_on_cpu(waiters[k], NULL, 0, "quarry_waiter/%u");
		if (!IS_ERR(waiting)) {
			get_task_struct(waiting);
			wake_up_process(waiting);
		}
		/* The reader keeps its CPU; the waiter runs on this one. */
		msleep(50);
		KUNIT_EXPECT_EQ(test, SEEN, qr_rcu_pending());
		KUNIT_EXPECT_EQ(test, SEEN, qt_sum(cache).live_objects);
		WRITE_ONCE(r.leave, true);
		kthread_stop(reading);
		put_task_struct(reading);
		KUNIT_ASSERT_FALSE(test, IS_ERR(waiting));
		kthread_stop(waiting);
		put_task_struct(waiting);
		KUNIT_EXPECT_EQ(test, 0, qr_rcu_pending());
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	}
}

/* Objects are freed after a while without a barrier. */
static void nobody_has_to_wait(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned long end = jiffies + 30 * HZ;
	void *objs[3];
	unsigned int round;

	for (round = 0; round < 2; round++) {
		qt_alloc_n(test, cache, objs, ARRAY_SIZE(objs));
		quarry_cache_free_rcu(cache, objs[0]);
		quarry_free_rcu(objs[1]);
		quarry_cache_free_rcu(cache, objs[2]);
		while (qr_rcu_pending() && time_before(jiffies, end))
			msleep(20);
		KUNIT_EXPECT_EQ(test, 0, qr_rcu_pending());
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
		/* The timer finds nothing and stops. */
		msleep(300);
	}
}

static void memory_of_any_kind(struct kunit *test)
{
	static const size_t sizes[] = {
		0, 1, 8, 100, 4096, QUARRY_MAX_SMALL, QUARRY_MAX_SMALL + 1, 300000, 1 << 21,
	};
	struct quarry_stats *before = qt_stats(test), *st;
	unsigned int i, k, round;

	for (round = 0; round < 2; round++) {
		if (round)
			no_blocks(test);
		for (k = 0; k < 40; k++) {
			for (i = 0; i < ARRAY_SIZE(sizes); i++) {
				void *p = quarry_malloc(sizes[i], GFP_KERNEL);

				KUNIT_ASSERT_NOT_NULL(test, p);
				qt_fill(p, sizes[i], i);
				quarry_free_rcu(p);
			}
		}
		settle(test);
	}
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
	KUNIT_EXPECT_EQ(test, before->mallocs + 2 * 40 * ARRAY_SIZE(sizes), st->mallocs);
	KUNIT_EXPECT_EQ(test, before->misuse_double_free, st->misuse_double_free);
	KUNIT_EXPECT_EQ(test, before->misuse_foreign, st->misuse_foreign);
}

static void mapped_memory(struct kunit *test)
{
	unsigned int round;

	qt_longest_run(test, 4);
	for (round = 0; round < 2; round++) {
		void *p = quarry_vmalloc(300000, GFP_KERNEL);

		if (round)
			no_blocks(test);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(p));
		memset(p, 1, 300000);
		rcu_read_lock();
		quarry_free_rcu(p);
		preempt_disable();
		qr_rcu_flush(smp_processor_id());
		preempt_enable();
		mdelay(20);
		KUNIT_EXPECT_EQ(test, 1, *(u8 *)p);
		rcu_read_unlock();
		settle(test);
	}
}

/* Destroying the cache waits for its objects, so none is reported as live. */
static void destroy_waits(struct kunit *test)
{
	struct quarry_stats *before = qt_stats(test), *st;
	unsigned int i, round;
	void *objs[200];

	for (round = 0; round < 2; round++) {
		struct quarry_cache *cache = quarry_cache_create("waited-for", 128, NULL);

		KUNIT_ASSERT_NOT_NULL(test, cache);
		if (round)
			no_blocks(test);
		KUNIT_EXPECT_EQ(test, 200, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 200, objs));
		for (i = 0; i < 200; i++) {
			if (i % 2)
				quarry_cache_free_rcu(cache, objs[i]);
			else
				quarry_free_rcu(objs[i]);
		}
		quarry_cache_destroy(cache);
	}
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_busy_destroy, st->misuse_busy_destroy);
	KUNIT_EXPECT_EQ(test, before->zombie_caches, st->zombie_caches);
	KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
}

/* Waiting objects are live in the profile, exactly; after their free it has none of them. */
static void profile_knows_of_them(struct kunit *test)
{
	struct quarry_cache *cache;
	void **objs = qt_array(test, 1000, sizeof(*objs));
	struct qp_books books;
	struct quarry_site *sum;
	unsigned int i, round;

	qp_rate(test, 1);
	cache = qt_cache(test, 64, NULL);
	qp_books_open(test, &books, cache);
	for (round = 0; round < 2; round++) {
		if (round)
			no_blocks(test);
		qt_alloc_n(test, cache, objs, 300);
		for (i = 0; i < 150; i++)
			quarry_cache_free_rcu(cache, objs[i]);
		settle(test);
		qp_books_agree(test, &books, 150 * 64);
		for (i = 150; i < 300; i++)
			quarry_free_rcu(objs[i]);
		settle(test);
		qp_books_agree(test, &books, 0);
	}
	/* Some objects are sampled: their samples end with the free by RCU. */
	qp_rate(test, 2048);
	qt_alloc_n(test, cache, objs, 1000);
	for (i = 0; i < 1000; i++)
		quarry_cache_free_rcu(cache, objs[i]);
	settle(test);
	sum = kunit_kzalloc(test, sizeof(*sum), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sum);
	qp_now(test, qp_id(cache), sum);
	KUNIT_EXPECT_EQ(test, 0, sum->inuse.samples);
	KUNIT_EXPECT_EQ(test, 0, sum->inuse.objects);
	KUNIT_EXPECT_EQ(test, 0, sum->inuse.space);
}

/* The profile estimates a known number of objects, of which every other one is freed by RCU. */
static void profile_is_unbiased(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned int n = 20000, i;
	void **objs = qt_array(test, n, sizeof(*objs));
	struct quarry_site sum;

	qp_cache_rate(test, cache, 512);
	qt_alloc_n(test, cache, objs, n);
	for (i = 0; i < n; i += 2) {
		if (i % 4)
			quarry_cache_free_rcu(cache, objs[i]);
		else
			quarry_free_rcu(objs[i]);
		objs[i] = NULL;
	}
	qp_now(test, qp_id(cache), &sum);
	qp_expect_near(test, &sum.alloc, n);
	settle(test);
	qp_now(test, qp_id(cache), &sum);
	qp_expect_near(test, &sum.alloc, n);
	qp_expect_near(test, &sum.inuse, n / 2);
	qp_expect_all_found(test);
	for (i = 1; i < n; i += 2)
		quarry_free_rcu(objs[i]);
	settle(test);
	qp_now(test, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.objects);
}

static void count_one(void *p, void *arg)
{
	atomic_inc(arg);
}

static void run_cleanups(struct kunit *test, void **objs, unsigned int n,
			 struct quarry_cache *nolock)
{
	atomic_t *ran = qt_array(test, 1, sizeof(*ran));
	unsigned int i;

	for (i = 0; i < n; i++) {
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(objs[i], count_one, ran));
	}
	rcu_read_lock();
	for (i = 0; i < n; i++) {
		if (nolock && i)
			quarry_cache_free_nolock(nolock, objs[i]);
		else
			quarry_free_rcu(objs[i]);
	}
	preempt_disable();
	qr_rcu_flush(smp_processor_id());
	preempt_enable();
	mdelay(20);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(ran));
	rcu_read_unlock();
	settle(test);
	KUNIT_EXPECT_EQ(test, n, atomic_read(ran));
}

/*
 * Cleanups run when the object is freed, and not before.  Objects of size classes are tested apart,
 * because cleanups on a cache's objects make all frees in the chunk slow.
 */
static void cleanups_run(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void *of_classes[] = {
		quarry_malloc(64, GFP_KERNEL),
		quarry_malloc(3, GFP_KERNEL),
		quarry_malloc(100000, GFP_KERNEL),
	};
	void *of_cache[] = {
		quarry_cache_alloc(cache, GFP_KERNEL),
		quarry_cache_alloc(cache, GFP_KERNEL),
	};

	qt_pin(test, 0);
	run_cleanups(test, of_classes, ARRAY_SIZE(of_classes), NULL);
	run_cleanups(test, of_cache, ARRAY_SIZE(of_cache), cache);
}

static void nothing_is_nothing(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned long pending;

	settle(test);
	quarry_free_rcu(NULL);
	quarry_cache_free_rcu(cache, NULL);
	quarry_cache_free_nolock(cache, NULL);
	pending = qr_rcu_pending();
	KUNIT_EXPECT_EQ(test, 0, pending);
	quarry_rcu_barrier();
	quarry_rcu_barrier();
}

/* A hard interrupt frees by RCU, again and again, while a task does the same. */
struct storm {
	struct hrtimer timer;
	struct quarry_cache *cache;
	atomic_t frees;
	unsigned int turn;
	bool stop;
};

static enum hrtimer_restart storm_tick(struct hrtimer *timer)
{
	struct storm *s = container_of(timer, struct storm, timer);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		void *p = quarry_cache_alloc(s->cache, GFP_ATOMIC | __GFP_NOWARN);

		if (p)
			atomic_inc(&s->frees);
		quarry_cache_free_rcu(s->cache, p);
	}
	if (READ_ONCE(s->stop))
		return HRTIMER_NORESTART;
	/* Vary the period, to interrupt the loop at different places. */
	s->turn = (s->turn * 75 + 74) % 65537;
	hrtimer_forward_now(timer, ns_to_ktime(20000 + s->turn % 20000));
	return HRTIMER_RESTART;
}

static void interrupts_may_free(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct storm *s = qt_array(test, 1, sizeof(*s));
	unsigned long end;
	u64 frees = 0;

	qt_pin(test, 0);
	s->cache = cache;
	hrtimer_init(&s->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	s->timer.function = storm_tick;
	hrtimer_start(&s->timer, ns_to_ktime(20000), HRTIMER_MODE_REL_PINNED);
	for (end = jiffies + HZ; time_before(jiffies, end);) {
		unsigned int i;

		for (i = 0; i < 64; i++) {
			void *p = quarry_cache_alloc(cache, GFP_KERNEL);

			if (p) {
				frees++;
				quarry_cache_free_rcu(cache, p);
			}
		}
		cond_resched();
	}
	WRITE_ONCE(s->stop, true);
	while (hrtimer_active(&s->timer))
		msleep(20);
	hrtimer_cancel(&s->timer);
	KUNIT_EXPECT_GT(test, atomic_read(&s->frees), 100);
	settle(test);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	KUNIT_EXPECT_EQ(test, frees + atomic_read(&s->frees), qt_sum(cache).frees);
}

static void put_deferred(struct kunit *test, void **objs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct qr_slab *slab = qr_slab_of(objs[i]);
		unsigned int k = qr_slab_index(slab, objs[i]);

		KUNIT_EXPECT_EQ(test, QR_MISUSE_NONE, qr_defer_free(slab, k));
		KUNIT_EXPECT_EQ(test, QR_MISUSE_DOUBLE_FREE, qr_defer_free(slab, k));
	}
}

/*
 * Objects of a slab are deferred while the grace period of others in it is under way.  That period
 * does not cover a reader that came in between, so all of them wait for another one.
 */
static void deferred_ones_wait_again(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct task_struct *reading;
	struct reader r = {};
	void *objs[40];

	if (num_online_cpus() < 2)
		kunit_skip(test, "one CPU");
	qt_pin(test, 0);
	settle(test);
	init_completion(&r.in);
	qt_alloc_n(test, cache, objs, ARRAY_SIZE(objs));
	reading = kthread_create_on_cpu(read_on, &r, 1, "quarry_reader/%u");
	KUNIT_ASSERT_FALSE(test, IS_ERR(reading));
	get_task_struct(reading);

	rcu_read_lock();
	put_deferred(test, objs, 20);
	mdelay(50); /* the first grace period begins, and waits for this task */
	wake_up_process(reading);
	while (!try_wait_for_completion(&r.in))
		cpu_relax();
	put_deferred(test, objs + 20, 20);
	rcu_read_unlock();
	msleep(100); /* the first grace period ends; the reader holds up the next */
	KUNIT_EXPECT_EQ(test, 40, atomic_long_read(&qr_deferred_objects));
	KUNIT_EXPECT_EQ(test, 40, qt_sum(cache).live_objects);
	WRITE_ONCE(r.leave, true);
	kthread_stop(reading);
	put_task_struct(reading);
	qr_deferred_barrier();
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&qr_deferred_objects));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static void walker_keeps_deferred_ones(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void **objs = qt_array(test, 300, sizeof(*objs));
	struct quarry_validation v;
	unsigned int i;

	settle(test);
	no_blocks(test);
	qt_alloc_n(test, cache, objs, 300);
	for (i = 0; i < 300; i++)
		quarry_cache_free_rcu(cache, objs[i]);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate(&v), "%s", v.first);
	settle(test);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	KUNIT_EXPECT_EQ(test, 0, qr_validate(&v));
}

#define TINY (3 * QR_SLAB_MAX_OBJECTS)

/* Slabs of tiny objects have more objects, and longer maps. */
static void deferred_ones_are_tiny(struct kunit *test)
{
	void **objs = qt_array(test, TINY, sizeof(*objs));
	struct quarry_stats *before, *st;
	unsigned int i;

	settle(test);
	no_blocks(test);
	before = qt_stats(test);
	KUNIT_ASSERT_EQ(test, TINY, quarry_malloc_bulk(4, GFP_KERNEL, TINY, objs));
	for (i = 0; i < TINY; i++)
		quarry_free_rcu(objs[i]);
	settle(test);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
	KUNIT_EXPECT_EQ(test, before->misuse_double_free, st->misuse_double_free);
}

/* --- QUARRY_TYPESAFE_BY_RCU --- */

static const struct quarry_cache_args typesafe = { .flags = QUARRY_TYPESAFE_BY_RCU };

/* How many of the objects lie in slabs of the cache.  Called as an RCU reader. */
static u64 own_pages(void **objs, unsigned int n, struct quarry_cache *cache)
{
	unsigned int i, own = 0;

	for (i = 0; i < n; i++) {
		struct qr_slab *slab = qr_slab_of(objs[i]);

		own += slab && READ_ONCE(slab->cache) == qr_cache_of(cache);
	}
	return own;
}

static void slabs_outlive_readers(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 256, &typesafe);
	struct quarry_cache *plain = qt_cache(test, 256, NULL);
	void **objs = qt_array(test, 1000, sizeof(*objs));
	struct qr_cache *c = qr_cache_of(cache);
	unsigned int i, changed = 0;

	qt_pin(test, 0);
	/* For comparison: the slabs of an ordinary cache go at once. */
	qt_alloc_n(test, plain, objs, 1000);
	qt_free_n(plain, objs, 1000);
	rcu_read_lock();
	preempt_disable();
	qr_magazine_drain(qr_cache_of(plain), smp_processor_id());
	preempt_enable();
	rcu_read_unlock();
	quarry_cache_shrink(plain);
	KUNIT_EXPECT_LT(test, own_pages(objs, 1000, plain), 1000);

	qt_alloc_n(test, cache, objs, 1000);
	for (i = 0; i < 1000; i++)
		qt_fill(objs[i], 256, i);
	qt_free_n(cache, objs, 1000);
	rcu_read_lock();
	preempt_disable();
	qr_magazine_drain(c, smp_processor_id());
	preempt_enable();
	qr_cache_settle(c);
	/* All slabs have left the depot, and wait for the grace period. */
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
	mdelay(30);
	KUNIT_EXPECT_EQ(test, 1000, own_pages(objs, 1000, cache));
	for (i = 0; i < 1000; i++)
		if (!qt_is_filled(objs[i], 256, i))
			changed++;
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, 0, changed);
	rcu_barrier();
	quarry_cache_shrink(cache);
	rcu_barrier();
	KUNIT_EXPECT_LT(test, own_pages(objs, 1000, cache), 1000);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).inuse_bytes);
}

static unsigned int constructed;

static void construct(void *obj)
{
	constructed++;
	memset(obj, 0x5a, 64);
}

static void zeroing_off(void *unused)
{
	static_branch_disable(&init_on_alloc);
}

/* Neither a free nor init_on_alloc changes what a reader sees; only __GFP_ZERO does. */
static void contents_stay(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, &typesafe);
	u64 *p, *q;

	qt_pin(test, 0);
	if (!static_key_enabled(&init_on_alloc)) {
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, zeroing_off, NULL));
		static_branch_enable(&init_on_alloc);
	}
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x77, 64);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 0x7777777777777777ULL, READ_ONCE(p[1]));
	q = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, p, q);
	KUNIT_EXPECT_EQ(test, 0x7777777777777777ULL, READ_ONCE(q[1]));
	quarry_cache_free(cache, q);
	q = quarry_cache_zalloc(cache, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, qt_is_zero(q, 64));
	quarry_cache_free(cache, q);
}

static void constructed_once(struct kunit *test)
{
	struct quarry_cache_args args = { .flags = QUARRY_TYPESAFE_BY_RCU, .ctor = construct };
	struct quarry_cache *cache = qt_cache(test, 64, &args);
	unsigned int i, was;
	u64 *p;

	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	was = constructed;
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, 0x5a5a5a5a5a5a5a5aULL, p[3]);
		quarry_cache_free(cache, p);
		p = quarry_cache_zalloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
	}
	KUNIT_EXPECT_EQ(test, was, constructed);
	quarry_cache_free_rcu(cache, p);
}

static struct kunit_case cases[] = { KUNIT_CASE(readers_see_no_reuse),
				     KUNIT_CASE(waiters_wait_for_readers),
				     KUNIT_CASE(nobody_has_to_wait),
				     KUNIT_CASE(memory_of_any_kind),
				     KUNIT_CASE(mapped_memory),
				     KUNIT_CASE(destroy_waits),
				     KUNIT_CASE(profile_knows_of_them),
				     KUNIT_CASE(profile_is_unbiased),
				     KUNIT_CASE(cleanups_run),
				     KUNIT_CASE(nothing_is_nothing),
				     KUNIT_CASE(interrupts_may_free),
				     KUNIT_CASE(deferred_ones_wait_again),
				     KUNIT_CASE(walker_keeps_deferred_ones),
				     KUNIT_CASE(deferred_ones_are_tiny),
				     KUNIT_CASE(slabs_outlive_readers),
				     KUNIT_CASE(contents_stay),
				     KUNIT_CASE(constructed_once),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite suite = {
	.name = "quarry_rcu_free",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
