// SPDX-License-Identifier: GPL-2.0
/* The maps of a pool's shelves: which have objects, and which have room. */
#include "tests/api/pool_util.h"

#include <linux/bitmap.h>
#include "api/pool_shelf.h"

#define MOST 400

static struct qr_shelf *shelf_of(struct qo_pool *p, unsigned int cpu)
{
	return per_cpu_ptr(qr_pool_of(p->pool)->shelves, cpu);
}

static bool is_marked(struct qo_pool *p, const unsigned long *map, unsigned int cpu)
{
	size_t row = qr_pool_of(p->pool)->row;

	return test_bit(cpu, map + per_cpu(qr_home_node, cpu) * row);
}

/* The maps show which shelves have objects, and which have room. */
static void expect_marks(struct kunit *test, struct qo_pool *p)
{
	struct qr_pool *pool = qr_pool_of(p->pool);
	unsigned int cpu, stocked = 0, roomy = 0;

	for_each_possible_cpu(cpu) {
		const struct qr_shelf *s = shelf_of(p, cpu);

		KUNIT_EXPECT_EQ(test, s->nr > 0, is_marked(p, pool->stocked, cpu));
		KUNIT_EXPECT_EQ(test, s->nr < pool->places, is_marked(p, pool->roomy, cpu));
		stocked += s->nr > 0;
		roomy += s->nr < pool->places;
	}
	/* And no shelf has a mark in the row of another node. */
	KUNIT_EXPECT_EQ(test, stocked,
			bitmap_weight(pool->stocked, nr_node_ids * pool->row * BITS_PER_LONG));
	KUNIT_EXPECT_EQ(test, roomy,
			bitmap_weight(pool->roomy, nr_node_ids * pool->row * BITS_PER_LONG));
}

static void shelves_are_marked(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 128);
	unsigned int n = qo_private(p) + qo_shared(p), i;

	qt_pin(test, 0);
	expect_marks(test, p);
	qo_get_n(test, p, objs, n);
	for (i = n; i--; expect_marks(test, p))
		qo_put_n(p, objs + i, 1);
	KUNIT_EXPECT_EQ(test, qo_shared(p), shelf_of(p, 0)->nr);
	qt_pin(test, 1);
	for (i = 0; i < n; i++) {
		qo_get_n(test, p, objs + i, 1);
		expect_marks(test, p);
	}
	KUNIT_EXPECT_EQ(test, 0, shelf_of(p, 0)->nr);
	/* Objects of CPU 0's node go back to its shelf, if that is another node. */
	qo_put_n(p, objs, n);
	expect_marks(test, p);
	quarry_pool_drain(p->pool);
	expect_marks(test, p);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
}

/*
 * A get looks at shelves that are marked, and at no others, however many CPUs there are.  It looks
 * at a few, even if others have always emptied them before.
 */
static void only_marked_shelves(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 128);
	unsigned int n = qo_private(p) + qo_shared(p);
	unsigned long *row;
	void *obj;

	qt_pin(test, 1);
	row = qr_pool_of(p->pool)->stocked + raw_cpu_read(qr_home_node) * qr_pool_of(p->pool)->row;
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	qt_pin(test, 0);
	clear_bit(1, row);
	obj = quarry_pool_get(p->pool, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, n + 1, atomic_read(&p->inits));
	KUNIT_EXPECT_EQ(test, 0, qo_sum(p).stolen_hits);
	set_bit(1, row);
	((struct qo_thing *)obj)->uses++;
	quarry_pool_put(p->pool, obj);
	quarry_pool_drain(p->pool);
	/* Now the mark lies. */
	set_bit(1, row);
	obj = quarry_pool_get(p->pool, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, n + 2, atomic_read(&p->inits));
	clear_bit(1, row);
	((struct qo_thing *)obj)->uses++;
	quarry_pool_put(p->pool, obj);
	expect_marks(test, p);
}

/* The nearest node of a CPU may change while it is offline: its shelf follows. */
static void a_shelf_that_moves(struct kunit *test)
{
	int here = first_node(qr_nodes), there = qt_other_node(test, here);
	unsigned int near = qt_cpu_of_node(test, here), far = qt_cpu_of_node(test, there);
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 128);
	unsigned int n = qo_private(p) + qo_shared(p);
	struct qr_pool *pool = qr_pool_of(p->pool);
	struct qr_shelf *s = shelf_of(p, near);

	qt_pin(test, near);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	/* As if it had been @there when its number of objects last changed. */
	raw_spin_lock_irq(&s->lock);
	qr_shelf_move(pool, s, there);
	raw_spin_unlock_irq(&s->lock);
	KUNIT_EXPECT_FALSE(test, is_marked(p, pool->stocked, near));
	KUNIT_EXPECT_TRUE(test, test_bit(near, pool->stocked + there * pool->row));
	qt_pin(test, far);
	qo_get_n(test, p, objs, 1);
	KUNIT_EXPECT_EQ(test, 1, qo_sum(p).stolen_hits);
	expect_marks(test, p);
	qo_put_n(p, objs, 1);
	expect_marks(test, p);
}

static struct kunit_case cases[] = { KUNIT_CASE(shelves_are_marked),
				     KUNIT_CASE(only_marked_shelves),
				     KUNIT_CASE(a_shelf_that_moves),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite pool_shelf_suite = {
	.name = "quarry_pool_shelf",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(pool_shelf_suite);
