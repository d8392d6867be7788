// SPDX-License-Identifier: GPL-2.0
/*
 * Frees of mapped objects: in contexts that may not sleep, from several threads at once, and as
 * misuse; and that nothing can be done with them in NMI.
 */
#include "tests/kunit_util.h"

#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "slab/mapped.h"
#include "tests/probe_util.h"
#include "tests/slab/mapped_util.h"

/* --- Frees that may not sleep --- */

struct work {
	struct irq_work irq;
	struct work_struct soft;
	void *p;
	bool there, twice;
};

static void free_it(struct work *w)
{
	w->there = quarry_usable_size(w->p);
	quarry_free(w->p);
	/* The object is not unmapped yet, so this is reported as a double free. */
	if (w->twice)
		quarry_free(w->p);
}

static void irq_fn(struct irq_work *irq)
{
	free_it(container_of(irq, struct work, irq));
}

static void soft_fn(struct work_struct *soft)
{
	free_it(container_of(soft, struct work, soft));
}

static void free_in(struct work *w, unsigned int context)
{
	static DEFINE_SPINLOCK(lock);
	unsigned long flags;

	switch (context) {
	case 0:
		spin_lock_irqsave(&lock, flags);
		free_it(w);
		spin_unlock_irqrestore(&lock, flags);
		break;
	case 1:
		preempt_disable();
		free_it(w);
		preempt_enable();
		break;
	case 2:
		rcu_read_lock();
		free_it(w);
		rcu_read_unlock();
		break;
	case 3:
		irq_work_queue(&w->irq);
		irq_work_sync(&w->irq);
		break;
	default:
		queue_work(system_bh_wq, &w->soft);
		flush_work(&w->soft);
	}
}

static void freed_anywhere(struct kunit *test)
{
	struct work *w = qt_array(test, 1, sizeof(*w));
	struct quarry_stats *before, *st;
	unsigned int i;

	w->irq = qt_irq_work(irq_fn);
	INIT_WORK(&w->soft, soft_fn);
	/* The pages come from this CPU's node: a move to another one would take a chunk there. */
	qt_pin(test, 0);
	qt_longest_run(test, 16);
	/* So that there is a chunk, and no descriptor of one that still waits for its free. */
	quarry_free(qt_mapped(test, SZ_1M));
	rcu_barrier();
	before = qt_stats(test);
	for (i = 0; i < 10; i++) {
		w->p = qt_mapped(test, SZ_1M);
		w->twice = i >= 5;
		free_in(w, i % 5);
		KUNIT_EXPECT_TRUE(test, w->there);
		st = qt_stats(test);
		KUNIT_EXPECT_EQ(test, before->mapped_objects, st->mapped_objects);
		qr_mapped_flush();
		st = qt_stats(test);
		KUNIT_EXPECT_EQ(test, before->inuse_bytes, st->inuse_bytes);
		KUNIT_EXPECT_EQ(test, qt_metadata(before), qt_metadata(st));
		/*
		 * The second free may also be foreign: the work item may have run on another
		 * CPU before it.
		 */
		KUNIT_EXPECT_EQ(test,
				before->misuse_double_free + before->misuse_foreign +
					(i >= 5 ? i - 4 : 0),
				st->misuse_double_free + st->misuse_foreign);
		KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(w->p));
	}
	KUNIT_EXPECT_GT(test, st->misuse_double_free, before->misuse_double_free);
}

/* Several threads map and unmap at the same time. */
struct churn {
	struct work_struct work;
	unsigned int seed, wrong;
};

static void churn_fn(struct work_struct *work)
{
	struct churn *c = container_of(work, struct churn, work);
	unsigned int i;
	size_t size;
	void *p;

	for (i = 0; i < 60; i++) {
		size = QUARRY_MAX_SMALL + 1 + (i * 7919 + c->seed) % SZ_1M;
		p = quarry_vmalloc(size, GFP_KERNEL);
		if (!p) {
			c->wrong++;
			continue;
		}
		qt_fill(p, size, c->seed);
		cond_resched();
		c->wrong += !qt_is_filled(p, size, c->seed);
		if (i % 3) {
			quarry_free(p);
			continue;
		}
		preempt_disable();
		quarry_free(p);
		preempt_enable();
	}
}

static void several_threads(struct kunit *test)
{
	struct churn *c = qt_array(test, 4, sizeof(*c));
	unsigned int i;

	qt_longest_run(test, 16);
	for (i = 0; i < 4; i++) {
		INIT_WORK(&c[i].work, churn_fn);
		c[i].seed = i;
		queue_work(system_unbound_wq, &c[i].work);
	}
	for (i = 0; i < 4; i++) {
		flush_work(&c[i].work);
		KUNIT_EXPECT_EQ(test, 0, c[i].wrong);
	}
	qr_mapped_flush();
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->mapped_objects);
}

/* --- Misuse --- */

static void misuse(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void *own = quarry_malloc(PAGE_SIZE, GFP_KERNEL), *theirs = vzalloc(SZ_64K);
	void *p, *again, *twice;
	struct quarry_stats *before, *st;
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, own);
	KUNIT_ASSERT_NOT_NULL(test, theirs);
	page = virt_to_page(own);
	again = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, again);
	qt_longest_run(test, 16);
	p = qt_mapped(test, SZ_1M);
	qt_fill(p, SZ_1M, 1);
	page = vmalloc_to_page(p);
	twice = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, twice);
	before = qt_stats(test);

	quarry_free(p + 8);
	quarry_free(p + PAGE_SIZE);
	quarry_free(p + SZ_1M - 1);
	quarry_free(page_address(page));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_interior + 4, st->misuse_interior);

	quarry_cache_free(cache, p);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_wrong_cache + 1, st->misuse_wrong_cache);

	quarry_free(theirs);
	quarry_free(theirs + PAGE_SIZE + 5);
	/* Mappings that a client made of pages of Quarry. */
	quarry_free(again);
	quarry_free(twice);
	quarry_free(p + SZ_1M); /* the page between this mapping and the next */
	quarry_free(misuse);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_foreign + 6, st->misuse_foreign);
	KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(twice));
	KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(theirs));
	KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(again));

	KUNIT_EXPECT_EQ(test, before->mapped_objects, st->mapped_objects);
	KUNIT_EXPECT_EQ(test, before->frees, st->frees);
	KUNIT_EXPECT_TRUE(test, qt_is_filled(p, SZ_1M, 1));
	KUNIT_EXPECT_TRUE(test, qt_is_zero(theirs, SZ_64K));
	vunmap(twice);
	quarry_free(p);
	quarry_free(p);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_foreign + before->misuse_double_free + 7,
			st->misuse_foreign + st->misuse_double_free);
	KUNIT_EXPECT_EQ(test, before->frees + 1, st->frees);
	vunmap(again);
	vfree(theirs);
	quarry_free(own);
}

#ifdef CONFIG_KPROBES
static struct {
	void *p, *row, *mapped, *moved, *kept;
	size_t usable;
} nmi;

static void use_in_nmi(void *unused)
{
	nmi.row = quarry_malloc(3 * SZ_1M, GFP_ATOMIC | __GFP_NOWARN);
	nmi.mapped = quarry_vmalloc(SZ_1M, GFP_ATOMIC | __GFP_NOWARN);
	nmi.moved = quarry_realloc(nmi.p, SZ_2M, GFP_ATOMIC | __GFP_NOWARN);
	/* To become smaller it would have to move, which it cannot: it stays as it is. */
	nmi.kept = quarry_realloc(nmi.p, SZ_64K, GFP_ATOMIC);
	nmi.usable = quarry_usable_size(nmi.p);
	quarry_free(nmi.p);
}

static void not_in_nmi(struct kunit *test)
{
	struct quarry_stats *before, *st;

	qt_longest_run(test, 16);
	memset(&nmi, 0, sizeof(nmi));
	nmi.p = qt_mapped(test, SZ_1M);
	qt_fill(nmi.p, SZ_1M, 3);
	nmi.row = nmi.p;
	nmi.mapped = nmi.p;
	nmi.moved = nmi.p;
	before = qt_stats(test);
	qt_in_nmi(test, use_in_nmi, NULL);
	st = qt_stats(test);
	KUNIT_EXPECT_NULL(test, nmi.row);
	KUNIT_EXPECT_NULL(test, nmi.mapped);
	KUNIT_EXPECT_NULL(test, nmi.moved);
	KUNIT_EXPECT_PTR_EQ(test, nmi.p, nmi.kept);
	KUNIT_EXPECT_EQ(test, SZ_1M, nmi.usable);
	/* The free was refused, and the object is unchanged. */
	KUNIT_EXPECT_EQ(test, before->misuse_foreign + 1, st->misuse_foreign);
	KUNIT_EXPECT_EQ(test, before->mapped_objects, st->mapped_objects);
	KUNIT_EXPECT_TRUE(test, qt_is_filled(nmi.p, SZ_64K, 3));
	quarry_free(nmi.p);
	KUNIT_EXPECT_EQ(test, before->mapped_objects - 1, qt_stats(test)->mapped_objects);
}
#endif

static struct kunit_case cases[] = {
	KUNIT_CASE(freed_anywhere),   KUNIT_CASE(several_threads),
	KUNIT_CASE(misuse),
#ifdef CONFIG_KPROBES
	KUNIT_CASE(not_in_nmi),
#endif
	KUNIT_CASE(qt_books_balance), {},
};

static struct kunit_suite mapped_free_suite = {
	.name = "quarry_mapped_free",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(mapped_free_suite);
