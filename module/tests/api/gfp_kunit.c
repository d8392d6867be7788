// SPDX-License-Identifier: GPL-2.0
/*
 * The contexts from which allocations and frees may be called, and the gfp flags.  Lockdep and
 * DEBUG_ATOMIC_SLEEP report code that would sleep there.
 */
#include "tests/kunit_util.h"

#include <linux/spinlock.h>
#include <linux/workqueue.h>

#define N 700 /* enough objects that the context needs new slabs and chunks */

struct work {
	struct kunit *test;
	struct irq_work irq;
	struct work_struct soft;
	struct quarry_cache *cache;
	struct qt_shadow shadow;
	unsigned int failed;
	bool was_hard, was_soft;
	bool giving;
	void *objs[N];
	void *large;
};

static void take_or_give(struct work *w)
{
	unsigned int i;

	w->was_hard = in_hardirq();
	w->was_soft = in_serving_softirq();
	if (w->giving) {
		for (i = 0; i < N / 2; i++)
			quarry_cache_free(w->cache, qt_put(&w->shadow, w->objs[i]));
		for (; i < N; i++)
			qt_put(&w->shadow, w->objs[i]);
		quarry_cache_free_bulk(w->cache, N - N / 2, w->objs + N / 2);
		quarry_free(w->large);
		return;
	}
	for (i = 0; i < N / 2; i++) {
		w->objs[i] = quarry_cache_alloc(w->cache, GFP_ATOMIC);
		w->failed += !w->objs[i];
		qt_got(&w->shadow, w->objs[i]);
	}
	if (quarry_cache_alloc_bulk(w->cache, GFP_ATOMIC, N - N / 2, w->objs + N / 2))
		for (; i < N; i++)
			qt_got(&w->shadow, w->objs[i]);
	else
		w->failed++;
	w->large = quarry_zalloc(50000, GFP_ATOMIC);
	w->failed += !w->large || !qt_is_zero(w->large, quarry_usable_size(w->large));
}

static void irq_fn(struct irq_work *irq)
{
	take_or_give(container_of(irq, struct work, irq));
}

static void soft_fn(struct work_struct *soft)
{
	take_or_give(container_of(soft, struct work, soft));
}

static void run_hard(struct work *w)
{
	irq_work_queue(&w->irq);
	irq_work_sync(&w->irq);
}

static void run_soft(struct work *w)
{
	queue_work(system_bh_wq, &w->soft);
	flush_work(&w->soft);
}

static void run_irqs_off(struct work *w)
{
	static DEFINE_SPINLOCK(lock);
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	take_or_give(w);
	spin_unlock_irqrestore(&lock, flags);
}

static void run_preempt_off(struct work *w)
{
	preempt_disable();
	take_or_give(w);
	preempt_enable();
}

static void run_here(struct work *w)
{
	take_or_give(w);
}

/* Allocates in one context, with everything empty, and frees in another. */
static void run(struct kunit *test, void (*take)(struct work *w), void (*give)(struct work *w))
{
	struct work *w = qt_array(test, 1, sizeof(*w));

	qr_drain_all();
	qr_heap_release_idle();
	w->test = test;
	w->cache = qt_cache(test, 3000, NULL);
	qt_shadow_init(&w->shadow);
	w->irq = qt_irq_work(irq_fn);
	INIT_WORK(&w->soft, soft_fn);
	take(w);
	KUNIT_EXPECT_EQ(test, take == run_hard, w->was_hard);
	KUNIT_EXPECT_EQ(test, take == run_soft, w->was_soft);
	KUNIT_EXPECT_EQ(test, 0, w->failed);
	qt_shadow_check(test, &w->shadow, w->cache);
	w->giving = true;
	give(w);
	KUNIT_EXPECT_EQ(test, give == run_hard, w->was_hard);
	KUNIT_EXPECT_EQ(test, give == run_soft, w->was_soft);
	qt_shadow_check(test, &w->shadow, w->cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(w->cache).live_objects);
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->large_objects);
}

static void in_hard_interrupt(struct kunit *test)
{
	run(test, run_here, run_hard);
	qt_skip_on_rt(test);
	run(test, run_hard, run_hard);
	run(test, run_hard, run_here);
}

static void in_soft_interrupt(struct kunit *test)
{
	run(test, run_soft, run_soft);
	run(test, run_soft, run_hard);
	run(test, run_here, run_soft);
}

static void under_a_spinlock(struct kunit *test)
{
	run(test, run_irqs_off, run_irqs_off);
	run(test, run_here, run_irqs_off);
	run(test, run_irqs_off, run_here);
}

static void with_preemption_off(struct kunit *test)
{
	run(test, run_here, run_preempt_off);
	qt_skip_on_rt(test);
	run(test, run_preempt_off, run_preempt_off);
}

static void flags_are_accepted(struct kunit *test)
{
	static const gfp_t flags[] = {
		GFP_KERNEL,
		GFP_NOWAIT,
		GFP_ATOMIC,
		GFP_NOIO,
		GFP_NOFS,
		GFP_KERNEL | __GFP_NOFAIL,
		GFP_KERNEL_ACCOUNT,
		GFP_USER,
		GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
		GFP_KERNEL | __GFP_RETRY_MAYFAIL,
		GFP_KERNEL | __GFP_COMP,
		GFP_KERNEL | __GFP_HARDWALL | __GFP_THISNODE,
	};
	static const size_t sizes[] = { 16, 5000, 32768, 200000 };
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		for (k = 0; k < ARRAY_SIZE(sizes); k++) {
			void *p;

			/* Make Quarry ask the kernel for pages, so that the flags matter. */
			qr_drain_all();
			qr_heap_release_idle();
			p = quarry_malloc(sizes[k], flags[i]);
			KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu bytes, gfp %pGg", sizes[k],
						  &flags[i]);
			quarry_free(p);
			p = quarry_malloc(sizes[k], flags[i] | __GFP_ZERO);
			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_EXPECT_TRUE(test, qt_is_zero(p, quarry_usable_size(p)));
			quarry_free(p);
		}
	}
}

static struct kunit_case cases[] = { KUNIT_CASE(in_hard_interrupt),
				     KUNIT_CASE(in_soft_interrupt),
				     KUNIT_CASE(under_a_spinlock),
				     KUNIT_CASE(with_preemption_off),
				     KUNIT_CASE(flags_are_accepted),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite gfp_suite = {
	.name = "quarry_gfp",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(gfp_suite);
