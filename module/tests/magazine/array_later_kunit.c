// SPDX-License-Identifier: GPL-2.0
/*
 * A head gets no array when there is no memory, or in a hard interrupt.  Its operations go to the
 * depot, and the next look gives it what it asked for.
 */
#include "tests/magazine/array_util.h"

#include <linux/sched.h>
#include <quarry/pool.h>

struct in_irq {
	struct irq_work irq;
	struct quarry_cache *cache;
	void *p; /* to free; or allocate one */
};

static void run_in_irq(struct irq_work *irq)
{
	struct in_irq *w = container_of(irq, struct in_irq, irq);

	quarry_cache_free(w->cache, w->p ?: quarry_cache_alloc(w->cache, GFP_NOWAIT));
}

/* Free @p in a hard interrupt; if it is NULL, an object that is allocated there. */
static void do_in_irq(struct quarry_cache *cache, void *p)
{
	struct in_irq w = { .irq = qt_irq_work(run_in_irq), .cache = cache, .p = p };

	irq_work_queue(&w.irq);
	irq_work_sync(&w.irq);
}

/* No memory is allocated in a hard interrupt, so the next look gives the head its array. */
static void next_look_gives_interrupts_one(struct kunit *test)
{
	struct quarry_cache *pairs = qt_cache(test, QM_SIZE, NULL);
	struct quarry_cache *frees = qt_cache(test, QM_SIZE, NULL);
	struct quarry_cache *unused = qt_cache(test, QM_SIZE, NULL);
	struct quarry_cache *cache;
	void *objs[4];
	unsigned int i;

	qt_pin(test, 0);
	qt_budget(test, 4096);
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		cache = i ? frees : pairs;
		objs[i] = quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE,
						  raw_cpu_read(qr_home_node));
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	do_in_irq(pairs, NULL);
	do_in_irq(frees, objs[1]);
	KUNIT_EXPECT_EQ(test, 0, qa_count_arrays(pairs));
	KUNIT_EXPECT_EQ(test, 0, qa_count_arrays(frees));
	qm_ticks(1);
	KUNIT_EXPECT_EQ(test, 1, qa_count_arrays(pairs));
	KUNIT_EXPECT_EQ(test, 1, qa_count_arrays(frees));
	KUNIT_EXPECT_EQ(test, 0, qa_count_arrays(unused));
	KUNIT_EXPECT_EQ(test, qm_full(pairs), qm_capacity(pairs));
	KUNIT_EXPECT_EQ(test, qm_full(frees), qm_capacity(frees));
	do_in_irq(frees, objs[2]);
	KUNIT_EXPECT_EQ(test, 1, qr_head_peek(qt_head(frees)));
	/* So does one that has an array, and could be granted more. */
	qr_percpu_kib_set(1);
	qm_miss(test, frees);
	qr_percpu_kib_set(4096);
	qm_ticks(2); /* forget that it was refused capacity */
	quarry_cache_shrink(frees);
	i = qa_places(frees);
	KUNIT_EXPECT_GT(test, i, 0);
	KUNIT_EXPECT_LT(test, i, qm_full(frees));
	do_in_irq(frees, NULL);
	KUNIT_EXPECT_EQ(test, i, qa_places(frees));
	qm_ticks(1);
	KUNIT_EXPECT_EQ(test, qm_full(frees), qm_capacity(frees));
	quarry_cache_free(pairs, objs[0]);
	quarry_cache_free(frees, objs[3]);
}

static void next_look_gives_room_for_remote_frees(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	int near = first_node(qr_nodes), away = qt_other_node(test, near);
	void *objs[2];
	unsigned int i;

	qt_pin(test, qt_cpu_of_node(test, near));
	qt_budget(test, 4096);
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		objs[i] = quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, away);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		do_in_irq(cache, objs[i]);
		KUNIT_EXPECT_EQ(test, i, qt_waiting(qt_head(cache)));
		qm_ticks(!i);
		KUNIT_EXPECT_EQ(test, qr_cache_of(cache)->remote_room,
				qt_remote_room(qt_head(cache)));
		KUNIT_EXPECT_EQ(test, 0, qm_capacity(cache));
	}
}

#ifdef CONFIG_FAULT_INJECTION

/* The kernel's next allocation fails. */
static void fail_next(void)
{
	WRITE_ONCE(current->fail_nth, 1);
}

/* Was it made? */
static bool failed(void)
{
	bool made = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return made;
}

/* Without memory for an array the operations go to the depot. */
static void no_memory_no_array(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	void *objs[20], *keep;
	struct qt_shadow s;
	unsigned int i;

	qt_shadow_init(&s);
	qt_pin(test, 0);
	qt_budget(test, 4096);
	/* So that the depot has objects, and the array is all that is asked for. */
	keep = qt_got(&s, quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE,
						  raw_cpu_read(qr_home_node)));
	KUNIT_ASSERT_NOT_NULL(test, keep);
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		fail_next();
		objs[i] = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
		KUNIT_EXPECT_TRUE(test, failed());
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_EXPECT_EQ(test, 0, qa_places(cache));
		KUNIT_EXPECT_EQ(test, 0, qm_granted_here());
		qt_shadow_check(test, &s, cache);
	}
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		fail_next();
		quarry_cache_free(cache, qt_put(&s, objs[i]));
		KUNIT_EXPECT_TRUE(test, failed());
		KUNIT_EXPECT_EQ(test, 0, qa_places(cache));
		qt_shadow_check(test, &s, cache);
	}
	qt_exit(test);
	/* With memory it has one. */
	quarry_cache_free(cache, qt_put(&s, keep));
	KUNIT_EXPECT_GE(test, qa_places(cache), qm_full(cache));
	KUNIT_EXPECT_EQ(test, 1, qr_head_peek(qt_head(cache)));

	/* Without memory for a larger one the head keeps what it has. */
	qr_percpu_kib_set(1);
	keep = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
	i = qa_places(cache);
	qr_percpu_kib_set(4096);
	qt_shadow_check(test, &s, cache);
	KUNIT_EXPECT_GT(test, i, 0);
	KUNIT_EXPECT_LT(test, i, qm_full(cache));
	quarry_cache_shrink(cache);
	fail_next();
	objs[0] = qt_got(&s, quarry_cache_alloc(cache, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, failed());
	KUNIT_ASSERT_NOT_NULL(test, objs[0]);
	KUNIT_EXPECT_EQ(test, i, qa_places(cache));
	quarry_cache_free(cache, qt_put(&s, objs[0]));
	quarry_cache_free(cache, qt_put(&s, keep));
	qt_shadow_check(test, &s, cache);
}

/* If the CPU does not use the cache again, the next look gives the head what it asked for. */
static void next_look_asks_again(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, QM_SIZE, NULL);
	void *p, *keep;

	qt_pin(test, 0);
	qt_budget(test, 4096);
	keep = quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE,
				       raw_cpu_read(qr_home_node));
	KUNIT_ASSERT_NOT_NULL(test, keep);
	fail_next();
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, failed());
	KUNIT_EXPECT_EQ(test, 0, qa_count_arrays(cache));
	qm_ticks(1);
	KUNIT_EXPECT_EQ(test, 1, qa_count_arrays(cache));
	KUNIT_EXPECT_EQ(test, qm_full(cache), qm_capacity(cache));
	quarry_cache_free(cache, p);
	quarry_cache_free(cache, keep);
}

/* The same for a pool, whose objects then go to its shelves. */
static void pools_without_memory(struct kunit *test)
{
	struct quarry_pool_args args = { .name = "array", .size = 64 };
	struct quarry_pool *pool = quarry_pool_create(&args);
	void *p, *q;

	KUNIT_ASSERT_NOT_NULL(test, pool);
	qt_pin(test, 0);
	p = quarry_pool_get(pool, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, p);
	fail_next();
	quarry_pool_put(pool, p);
	KUNIT_EXPECT_TRUE(test, failed());
	KUNIT_EXPECT_NULL(test, qr_head_array(raw_cpu_ptr(pool->head)));
	q = quarry_pool_get(pool, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, p, q);
	quarry_pool_put(pool, q);
	KUNIT_EXPECT_NOT_NULL(test, qr_head_array(raw_cpu_ptr(pool->head)));
	KUNIT_EXPECT_EQ(test, 1, qr_head_peek(raw_cpu_ptr(pool->head)));
	qt_exit(test);
	quarry_pool_destroy(pool);
}

#else

static void no_memory_no_array(struct kunit *test)
{
	kunit_skip(test, "no fault injection");
}

static void next_look_asks_again(struct kunit *test)
{
	kunit_skip(test, "no fault injection");
}

static void pools_without_memory(struct kunit *test)
{
	kunit_skip(test, "no fault injection");
}

#endif

static struct kunit_case cases[] = { KUNIT_CASE(next_look_gives_interrupts_one),
				     KUNIT_CASE(next_look_gives_room_for_remote_frees),
				     KUNIT_CASE(no_memory_no_array),
				     KUNIT_CASE(next_look_asks_again),
				     KUNIT_CASE(pools_without_memory),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite array_later_suite = {
	.name = "quarry_array_later",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(array_later_suite);
