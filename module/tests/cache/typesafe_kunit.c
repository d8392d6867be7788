// SPDX-License-Identifier: GPL-2.0
/* QUARRY_TYPESAFE_BY_RCU: RCU readers may look at free objects of such a cache. */
#include "tests/kunit_util.h"

#include <linux/delay.h>
#include <linux/rcupdate.h>

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
	u64 held, kept;

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
	/* A slab may go while objects are freed, so the reader comes before.  It must not sleep. */
	rcu_read_lock();
	qt_free_n(cache, objs, 1000);
	preempt_disable();
	qr_magazine_drain(c, smp_processor_id());
	preempt_enable();
	qr_cache_settle(c);
	held = qt_sum(cache).inuse_bytes;
	mdelay(30);
	kept = own_pages(objs, 1000, cache);
	for (i = 0; i < 1000; i++)
		if (!qt_is_filled(objs[i], 256, i))
			changed++;
	rcu_read_unlock();
	/* All slabs have left the depot, and wait for the grace period. */
	KUNIT_EXPECT_EQ(test, 0, held);
	KUNIT_EXPECT_EQ(test, 1000, kept);
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

static struct kunit_case cases[] = { KUNIT_CASE(slabs_outlive_readers),
				     KUNIT_CASE(contents_stay),
				     KUNIT_CASE(constructed_once),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite suite = {
	.name = "quarry_typesafe",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
