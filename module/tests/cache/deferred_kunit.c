// SPDX-License-Identifier: GPL-2.0
/* Deferred objects: a bit in the slab's map marks each object whose free waits. */
#include "tests/cache/rcu_free_util.h"

#include <linux/delay.h>
#include "cache/deferred.h"

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
	struct qf_reader r = {};
	void *objs[40];

	if (num_online_cpus() < 2)
		kunit_skip(test, "one CPU");
	qt_pin(test, 0);
	qf_settle(test);
	init_completion(&r.in);
	qt_alloc_n(test, cache, objs, ARRAY_SIZE(objs));
	reading = kthread_create_on_cpu(qf_read_on, &r, 1, "quarry_reader/%u");
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

	qf_settle(test);
	qf_no_blocks(test);
	qt_alloc_n(test, cache, objs, 300);
	for (i = 0; i < 300; i++)
		quarry_cache_free_rcu(cache, objs[i]);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate(&v), "%s", v.first);
	qf_settle(test);
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

	qf_settle(test);
	qf_no_blocks(test);
	before = qt_stats(test);
	KUNIT_ASSERT_EQ(test, TINY, quarry_malloc_bulk(4, GFP_KERNEL, TINY, objs));
	for (i = 0; i < TINY; i++)
		quarry_free_rcu(objs[i]);
	qf_settle(test);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->live_objects, st->live_objects);
	KUNIT_EXPECT_EQ(test, before->misuse_double_free, st->misuse_double_free);
}

static struct kunit_case cases[] = { KUNIT_CASE(deferred_ones_wait_again),
				     KUNIT_CASE(walker_keeps_deferred_ones),
				     KUNIT_CASE(deferred_ones_are_tiny),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite suite = {
	.name = "quarry_deferred",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
