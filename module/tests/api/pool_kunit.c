// SPDX-License-Identifier: GPL-2.0
/* Pools: which object a get finds again, and when it makes a new one. */
#include "tests/api/pool_util.h"

#include <linux/completion.h>

#define MOST 400

static void the_same_again(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 300);
	struct quarry_pool_stats st;
	struct qo_thing *t, *again;
	unsigned int i;

	qt_pin(test, 0);
	t = quarry_pool_get(p->pool, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&p->inits));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->resets));
	t->uses = 1;
	qt_fill(t + 1, 300 - sizeof(*t), 7);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(p->cache).live_objects);
	for (i = 0; i < 10; i++) {
		quarry_pool_put(p->pool, t);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).live_objects);
		KUNIT_EXPECT_EQ(test, 1, qo_sum(p).idle);
		KUNIT_EXPECT_EQ(test, i, atomic_read(&p->resets));
		qt_exit(test);
		again = quarry_pool_get(p->pool, GFP_KERNEL);
		KUNIT_EXPECT_PTR_EQ(test, t, again);
		/* reset() runs once for each time that the object is used again. */
		KUNIT_EXPECT_EQ(test, i + 1, atomic_read(&p->resets));
		KUNIT_EXPECT_TRUE(test, qt_is_filled(t + 1, 300 - sizeof(*t), 7));
	}
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&p->inits));
	quarry_pool_put(p->pool, t);
	st = qo_sum(p);
	KUNIT_EXPECT_EQ(test, 11, st.gets);
	KUNIT_EXPECT_EQ(test, 11, st.puts);
	KUNIT_EXPECT_EQ(test, 10, st.private_hits);
	KUNIT_EXPECT_EQ(test, 1, st.misses);
	KUNIT_EXPECT_EQ(test, 0, st.shared_hits + st.stolen_hits + st.victim_hits + st.dropped);
	/* The first get made the object, and the first put got the magazine its capacity. */
	KUNIT_EXPECT_EQ(test, 1, qt_sum(p->cache).alloc_misses);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(p->cache).free_misses);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->exits));
	KUNIT_EXPECT_EQ(test, 1, quarry_pool_drain(p->pool));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&p->exits));
	KUNIT_EXPECT_EQ(test, 0, qo_sum(p).idle);
	KUNIT_EXPECT_EQ(test, 0, quarry_pool_drain(p->pool));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
}

/* Puts fill the magazine, then the shelf; the rest is freed.  Gets find all that was kept. */
static void more_than_there_is_room_for(struct kunit *test)
{
	static const unsigned int sizes[] = { 32, 1000, 5000, 32768 };
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct quarry_pool_stats st, was;
	unsigned int i, most, n;
	struct qo_pool *p;

	qt_pin(test, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = qo_pool(test, sizes[i]);
		most = qo_private(p) + qo_shared(p);
		n = most + 10;
		KUNIT_ASSERT_LE(test, n, MOST);
		qo_get_n(test, p, objs, n);
		KUNIT_EXPECT_EQ(test, n, atomic_read(&p->inits));
		qo_put_n(p, objs, n);
		was = qo_sum(p);
		KUNIT_EXPECT_EQ(test, most, was.idle);
		KUNIT_EXPECT_EQ(test, 10, was.dropped);
		KUNIT_EXPECT_EQ(test, 10, atomic_read(&p->exits));
		KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).live_objects);
		qt_exit(test);
		qo_get_n(test, p, objs, n);
		st = qo_sum(p);
		KUNIT_EXPECT_EQ(test, n + 10, atomic_read(&p->inits));
		KUNIT_EXPECT_EQ(test, most, atomic_read(&p->resets));
		KUNIT_EXPECT_EQ(test, was.misses + 10, st.misses);
		KUNIT_EXPECT_GT(test, st.shared_hits, 0);
		KUNIT_EXPECT_EQ(test, most, st.shared_hits + st.private_hits);
		KUNIT_EXPECT_EQ(test, 0, st.idle);
		KUNIT_EXPECT_EQ(test, n, qt_sum(p->cache).live_objects);
		qo_put_n(p, objs, n);
		qo_destroy(test, p);
		KUNIT_EXPECT_EQ(test, n + 10, atomic_read(&p->exits));
		KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
	}
}

/* A CPU takes what is on another CPU's shelf before it makes new objects. */
static void from_another_cpu(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 128);
	unsigned int n = qo_private(p) + qo_shared(p), stolen;
	struct quarry_pool_stats st;

	qt_pin(test, 1);
	qt_pin(test, 0);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	qt_pin(test, 1);
	qo_get_n(test, p, objs, n);
	st = qo_sum(p);
	stolen = st.stolen_hits;
	/* It gets everything except what lies in the other CPU's magazine. */
	KUNIT_EXPECT_EQ(test, qo_shared(p), stolen);
	KUNIT_EXPECT_EQ(test, n - stolen, st.idle);
	KUNIT_EXPECT_EQ(test, n + n - stolen, atomic_read(&p->inits));
	KUNIT_EXPECT_EQ(test, stolen, atomic_read(&p->resets));
	KUNIT_EXPECT_EQ(test, 0, st.private_hits);
	KUNIT_EXPECT_EQ(test, 0, st.shared_hits);
	/* No memory was asked for, so these do not count in remote_allocs. */
	KUNIT_EXPECT_EQ(test, stolen * (nodes_weight(qr_nodes) > 1), st.remote_hits);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).remote_allocs);
	KUNIT_EXPECT_EQ(test, st.gets - st.private_hits, qt_sum(p->cache).alloc_misses);
	qt_exit(test);
	qo_put_n(p, objs, n);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).live_objects);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
}

/* An object that is put on another node goes back to its own node. */
static void goes_home(struct kunit *test)
{
	int here = first_node(qr_nodes), there = qt_other_node(test, here);
	unsigned int near = qt_cpu_of_node(test, here), far = qt_cpu_of_node(test, there);
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 128);
	unsigned int n = qo_shared(p) + 5;

	qt_pin(test, near);
	qo_get_n(test, p, objs, n);
	KUNIT_EXPECT_EQ(test, here, qt_node_of(objs[0]));
	qt_pin(test, far);
	qo_put_n(p, objs, n);
	KUNIT_EXPECT_EQ(test, n - 5, qo_sum(p).idle);
	KUNIT_EXPECT_EQ(test, 5, qo_sum(p).dropped);
	KUNIT_EXPECT_EQ(test, n, qt_sum(p->cache).remote_frees);
	KUNIT_EXPECT_EQ(test, 0, qr_head_peek(qt_head(p->cache)));
	qt_exit(test);
	qt_pin(test, near);
	qo_get_n(test, p, objs, n - 5);
	KUNIT_EXPECT_EQ(test, n, atomic_read(&p->inits));
	KUNIT_EXPECT_EQ(test, 0, qo_sum(p).stolen_hits);
	KUNIT_EXPECT_EQ(test, here, qt_node_of(objs[0]));
	qo_put_n(p, objs, n - 5);
}

/* A shelf that is full for puts still has room for a magazine that is drained. */
static void on_a_shelf_that_is_full(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 128);
	unsigned int most = qo_private(p) + qo_shared(p), n = most + qo_private(p) + 10;

	qt_pin(test, 0);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, most);
	qr_drain_all();
	KUNIT_EXPECT_EQ(test, 0, qr_head_peek(qt_head(p->cache)));
	KUNIT_EXPECT_EQ(test, most, qo_sum(p).idle);
	qo_put_n(p, objs + most, n - most);
	KUNIT_EXPECT_EQ(test, n - 10, qo_sum(p).idle);
	KUNIT_EXPECT_EQ(test, 10, qo_sum(p).dropped);
	qt_exit(test);
	KUNIT_EXPECT_EQ(test, n - 10, quarry_pool_drain(p->pool));
	KUNIT_EXPECT_EQ(test, n, atomic_read(&p->exits));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
}

/* Magazines have no capacity, so the shelf serves. */
static void without_magazines(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 128);
	unsigned int n = qo_shared(p);

	qt_budget(test, 0);
	qt_pin(test, 0);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	KUNIT_EXPECT_EQ(test, 0, qr_head_peek(qt_head(p->cache)));
	KUNIT_EXPECT_EQ(test, n, qo_sum(p).idle);
	qt_exit(test);
	qo_get_n(test, p, objs, n);
	KUNIT_EXPECT_EQ(test, n, qo_sum(p).shared_hits);
	KUNIT_EXPECT_EQ(test, n, atomic_read(&p->resets));
	qo_put_n(p, objs, n);
}

/* Without whole chunks every put takes the slow path, and objects are kept all the same. */
static void in_mixed_chunks(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p;
	unsigned int n;

	qr_drain_all();
	qr_scavenge_now();
	qt_no_chunks(test);
	p = qo_pool(test, 2048);
	n = qo_shared(p);
	qt_pin(test, 0);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	KUNIT_EXPECT_EQ(test, n, qo_sum(p).idle);
	qt_exit(test);
	qo_get_n(test, p, objs, n);
	KUNIT_EXPECT_EQ(test, n, atomic_read(&p->inits));
	qo_put_n(p, objs, n);
}

static void set_up_fails(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 128);
	struct qo_thing *t;
	unsigned int i;
	u32 rate;

	qt_pin(test, 0);
	for (rate = 0; rate < 2; rate++) {
		qp_cache_rate(test, p->cache, rate);
		p->fail = true;
		for (i = 0; i < 20; i++)
			KUNIT_EXPECT_NULL(test, quarry_pool_get(p->pool, GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).live_objects);
		/* A sampled get does not take the object of the first round. */
		KUNIT_EXPECT_EQ(test, rate, qo_sum(p).idle);
		qt_exit(test);
		p->fail = false;
		t = quarry_pool_get(p->pool, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t);
		t->uses++;
		quarry_pool_put(p->pool, t);
	}
	/* A get of an unused object does not call init(), so it succeeds. */
	qp_cache_rate(test, p->cache, 0);
	t = quarry_pool_get(p->pool, GFP_KERNEL);
	t->uses++;
	quarry_pool_put(p->pool, t);
	p->fail = true;
	t = quarry_pool_get(p->pool, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, t);
	quarry_pool_put(p->pool, t);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
}

/* There is no memory for a new object. */
static void no_memory(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 4096);
	void **objs = qt_array(test, MOST, sizeof(*objs));
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	unsigned int n = 0;

	KUNIT_ASSERT_EQ(test, 0, quarry_limit_set(p->cache, QUARRY_NO_LIMIT, 1 << 20));
	while (n < MOST && (objs[n] = quarry_pool_get(p->pool, gfp)))
		((struct qo_thing *)objs[n++])->uses++;
	KUNIT_EXPECT_LT(test, n, MOST);
	KUNIT_EXPECT_EQ(test, n, atomic_read(&p->inits));
	KUNIT_EXPECT_NULL(test, quarry_pool_get(p->pool, GFP_ATOMIC | __GFP_NOWARN));
	KUNIT_EXPECT_EQ(test, n, qt_sum(p->cache).live_objects);
	qo_put_n(p, objs, n);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).live_objects);
}

struct irq {
	struct irq_work work;
	struct qo_pool *p;
	struct qo_thing *t;
	struct completion done;
};

static void get_and_put(struct irq_work *work)
{
	struct irq *i = container_of(work, struct irq, work);

	i->t = quarry_pool_get(i->p->pool, GFP_ATOMIC);
	if (i->t)
		i->t->uses++;
	quarry_pool_put(i->p->pool, i->t);
	complete(&i->done);
}

static void in_atomic_contexts(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 128);
	struct irq *i = qt_array(test, 1, sizeof(*i));
	unsigned long flags;
	struct qo_thing *t;

	qt_skip_on_rt(test);
	qt_pin(test, 0);
	local_irq_save(flags);
	t = quarry_pool_get(p->pool, GFP_ATOMIC);
	if (t)
		t->uses++;
	quarry_pool_put(p->pool, t);
	local_irq_restore(flags);
	KUNIT_EXPECT_NOT_NULL(test, t);
	init_completion(&i->done);
	i->p = p;
	i->work = qt_irq_work(get_and_put);
	irq_work_queue(&i->work);
	wait_for_completion(&i->done);
	irq_work_sync(&i->work);
	KUNIT_EXPECT_PTR_EQ(test, t, i->t);
	quarry_pool_put(p->pool, NULL);
	KUNIT_EXPECT_EQ(test, 1, qo_sum(p).idle);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
}

/* As in an interrupt in the middle of an operation: with the head claimed, the shelf serves. */
static void below_an_operation(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 128);
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qr_head *h;
	unsigned long flags;
	void *a, *b;
	int n;

	qt_pin(test, 0);
	qo_get_n(test, p, objs, 3);
	quarry_pool_put(p->pool, objs[0]);
	h = qt_head(p->cache);
	local_irq_save(flags);
	n = qr_head_claim(h);
	quarry_pool_put(p->pool, objs[1]);
	a = quarry_pool_get(p->pool, GFP_ATOMIC);
	b = quarry_pool_get(p->pool, GFP_ATOMIC);
	qr_head_release(h, n);
	local_irq_restore(flags);
	KUNIT_EXPECT_PTR_EQ(test, objs[1], a);
	KUNIT_EXPECT_PTR_NE(test, objs[0], b);
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_EQ(test, 1, qo_sum(p).idle);
	KUNIT_EXPECT_EQ(test, 3, qt_sum(p->cache).live_objects);
	qt_exit(test);
	quarry_pool_put(p->pool, a);
	quarry_pool_put(p->pool, b);
	quarry_pool_put(p->pool, objs[2]);
	KUNIT_EXPECT_EQ(test, 4, qo_sum(p).idle);
}

static struct kunit_case cases[] = { KUNIT_CASE(the_same_again),
				     KUNIT_CASE(more_than_there_is_room_for),
				     KUNIT_CASE(from_another_cpu),
				     KUNIT_CASE(goes_home),
				     KUNIT_CASE(on_a_shelf_that_is_full),
				     KUNIT_CASE(without_magazines),
				     KUNIT_CASE(in_mixed_chunks),
				     KUNIT_CASE(set_up_fails),
				     KUNIT_CASE(no_memory),
				     KUNIT_CASE(in_atomic_contexts),
				     KUNIT_CASE(below_an_operation),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite pool_suite = {
	.name = "quarry_pool",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(pool_suite);
