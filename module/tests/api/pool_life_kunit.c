// SPDX-License-Identifier: GPL-2.0
/* What takes objects out of pools; misuse and destruction of pools. */
#include "tests/api/pool_util.h"

#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "cache/capacity_balance.h"
#include "reclaim/shrinker.h"

#define MOST 400

static void two_rounds(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 2048);
	unsigned int n = qo_private(p) + qo_shared(p), i;
	int node;

	qt_pin(test, 0);
	node = raw_cpu_read(qr_home_node);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	KUNIT_EXPECT_EQ(test, n / 2, qr_pools_pages(node));
	/* Without a round of the shrinker nothing is freed: nothing depends on time. */
	qr_magazines_tick();
	qr_drain_all();
	KUNIT_EXPECT_EQ(test, n, qo_sum(p).idle);
	/* The first round makes all objects victims. */
	KUNIT_EXPECT_EQ(test, 0, qr_pools_age(node));
	KUNIT_EXPECT_EQ(test, n, qo_sum(p).idle);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->exits));
	qt_exit(test);
	/* Victims that are used again are no victims any more. */
	qo_get_n(test, p, objs, 5);
	KUNIT_EXPECT_EQ(test, 5, qo_sum(p).victim_hits);
	KUNIT_EXPECT_EQ(test, 0, qo_sum(p).private_hits);
	KUNIT_EXPECT_EQ(test, 0, qo_sum(p).shared_hits);
	KUNIT_EXPECT_EQ(test, 5, atomic_read(&p->resets));
	qo_put_n(p, objs, 5);
	/* The second round frees the others. */
	KUNIT_EXPECT_EQ(test, n - 5, qr_pools_age(node));
	KUNIT_EXPECT_EQ(test, 5, qo_sum(p).idle);
	KUNIT_EXPECT_EQ(test, n - 5, atomic_read(&p->exits));
	qt_exit(test);
	KUNIT_EXPECT_EQ(test, 5, qr_pools_age(node));
	KUNIT_EXPECT_EQ(test, n, atomic_read(&p->exits));
	KUNIT_EXPECT_EQ(test, 0, qr_pools_age(node));
	KUNIT_EXPECT_EQ(test, 0, qo_sum(p).idle);
	KUNIT_EXPECT_EQ(test, 0, qr_pools_pages(node));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).slabs);
	for (i = 0; i < 3; i++)
		qo_get_n(test, p, objs + i, 1);
	qo_put_n(p, objs, 3);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
}

/* An object that is being undone counts as idle, and the walker finds it. */
static void seen_while_it_leaves(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 64);
	unsigned int n = qo_private(p) + qo_shared(p);
	int node;

	qt_pin(test, 0);
	node = raw_cpu_read(qr_home_node);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	p->walk = true;
	KUNIT_EXPECT_EQ(test, 0, qr_pools_age(node));
	KUNIT_EXPECT_EQ(test, n, qr_pools_age(node));
	p->walk = false;
	KUNIT_EXPECT_EQ(test, n, atomic_read(&p->exits));
	KUNIT_EXPECT_EQ_MSG(test, 0, atomic_read(&p->wrong), "%s", p->found.first);
}

/* The shrinker frees pages of the node that the kernel asks for, and of no other. */
static void the_shrinker(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 4096);
	unsigned int n = qo_private(p) + qo_shared(p);
	int node, other;
	u64 shrunk;

	qr_drain_all();
	qr_scavenge_now();
	qt_pin(test, 0);
	node = raw_cpu_read(qr_home_node);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	KUNIT_EXPECT_GE(test, qr_shrink_count(node), n);
	qr_shrink_scan(node, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, n, qo_sum(p).idle);
	KUNIT_EXPECT_GE(test, qr_shrink_count(node), n);
	for_each_node_mask(other, qr_nodes) {
		if (other == node)
			continue;
		qr_shrink_scan(other, ULONG_MAX);
		qr_shrink_scan(other, ULONG_MAX);
	}
	KUNIT_EXPECT_EQ(test, n, qo_sum(p).idle);
	shrunk = qt_stats(test)->shrunk_bytes;
	KUNIT_EXPECT_GE(test, qr_shrink_scan(node, ULONG_MAX), n);
	KUNIT_EXPECT_EQ(test, 0, qo_sum(p).idle);
	KUNIT_EXPECT_EQ(test, n, atomic_read(&p->exits));
	KUNIT_EXPECT_GE(test, qt_stats(test)->shrunk_bytes, shrunk + n * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, qr_shrink_count(node));
}

/* A round empties the magazines of other CPUs too. */
static void other_cpus_magazines(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	struct qo_pool *p = qo_pool(test, 64);
	int node;

	qt_pin(test, 1);
	node = raw_cpu_read(qr_home_node);
	qo_get_n(test, p, objs, 3);
	qo_put_n(p, objs, 3);
	KUNIT_EXPECT_EQ(test, 3, qr_head_peek(qt_head(p->cache)));
	qt_pin(test, 0);
	KUNIT_EXPECT_EQ(test, 0, qr_pools_age(node));
	KUNIT_EXPECT_EQ(test, 3, qr_pools_age(node));
	qt_pin(test, 1);
	qo_get_n(test, p, objs, 3);
	qo_put_n(p, objs, 3);
	qt_pin(test, 0);
	KUNIT_EXPECT_EQ(test, 3, quarry_pool_drain(p->pool));
	KUNIT_EXPECT_EQ(test, 6, atomic_read(&p->exits));
}

static void bring_back(void *arg)
{
	unsigned int cpu = (unsigned long)arg;

	if (!cpu_online(cpu))
		add_cpu(cpu);
}

/* A CPU goes offline: others take its objects, and none is lost. */
static void dead_cpu(struct kunit *test)
{
	void **objs = qt_array(test, MOST, sizeof(*objs));
	unsigned int cpu = cpumask_last(cpu_online_mask), n, round;
	struct qo_pool *p = qo_pool(test, 64);

	if (!cpu || !cpu_is_hotpluggable(cpu))
		kunit_skip(test, "CPU %u cannot go", cpu);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, bring_back, (void *)(unsigned long)cpu));
	n = qo_private(p) + qo_shared(p);
	for (round = 0; round < 3; round++) {
		unsigned int more = round == 2 ? qo_private(p) : 0;

		qt_pin(test, cpu);
		qo_get_n(test, p, objs, n + more);
		qo_put_n(p, objs, n);
		/* In the last round the shelf has no room for the magazine's objects. */
		if (more) {
			qr_drain_all();
			KUNIT_EXPECT_EQ(test, 0, qr_head_peek(qt_head(p->cache)));
			qo_put_n(p, objs + n, more);
			if (nodes_weight(qr_nodes) < 2)
				more = 0; /* but shelves of other CPUs of the node have */
		}
		KUNIT_EXPECT_GT(test, qr_head_peek(qt_head(p->cache)), 0);
		qt_pin(test, 0);
		KUNIT_ASSERT_EQ(test, 0, remove_cpu(cpu));
		KUNIT_EXPECT_EQ(test, 0, qr_head_peek(per_cpu_ptr(p->cache->head, cpu)));
		KUNIT_EXPECT_EQ(test, 0, qr_percpu_granted(cpu));
		KUNIT_EXPECT_EQ(test, atomic_read(&p->inits) - more, qo_sum(p).idle);
		KUNIT_EXPECT_EQ(test, more, atomic_read(&p->exits));
		KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).live_objects);
		qt_exit(test);
		qo_get_n(test, p, objs, n);
		KUNIT_EXPECT_EQ(test, n + more, atomic_read(&p->inits));
		qo_put_n(p, objs, n);
		KUNIT_ASSERT_EQ(test, 0, add_cpu(cpu));
		quarry_pool_drain(p->pool);
		atomic_set(&p->inits, 0);
		atomic_set(&p->exits, 0);
	}
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
}

static void nonsense(struct kunit *test)
{
	struct quarry_pool_args args = { .name = "nonsense", .size = 100 };
	struct quarry_pool *p;
	void *obj;

	KUNIT_EXPECT_NULL(test, quarry_pool_create(NULL));
	args.name = NULL;
	KUNIT_EXPECT_NULL(test, quarry_pool_create(&args));
	args.name = "nonsense";
	args.size = 0;
	KUNIT_EXPECT_NULL(test, quarry_pool_create(&args));
	args.size = 100;
	args.align = 24;
	KUNIT_EXPECT_NULL(test, quarry_pool_create(&args));
	args.align = 4096;
	args.flags = 1;
	KUNIT_EXPECT_NULL(test, quarry_pool_create(&args));
	args.flags = 0;
	/* A pool without init(), reset() and exit(). */
	p = quarry_pool_create(&args);
	KUNIT_ASSERT_NOT_NULL(test, p);
	obj = quarry_pool_get(p, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)obj, 4096));
	KUNIT_EXPECT_TRUE(test, qt_is_zero(obj, 100));
	quarry_pool_put(p, obj);
	quarry_pool_destroy(p);
	quarry_pool_destroy(NULL);
}

static void misuse(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 64), *other = qo_pool(test, 64);
	void *objs[2], *far, *foreign = kmalloc(64, GFP_KERNEL);
	struct quarry_stats *was, *st;

	qt_pin(test, 0);
	KUNIT_ASSERT_NOT_NULL(test, foreign);
	qo_get_n(test, p, objs, 2);
	qo_get_n(test, other, &far, 1);
	was = qt_stats(test);
	quarry_pool_put(p->pool, foreign);
	quarry_pool_put(p->pool, (void *)8);
	kfree(foreign);
	KUNIT_EXPECT_EQ(test, 0, qo_sum(p).idle);
	/* The free is refused: only the pool may free its objects. */
	quarry_free(objs[0]);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, was->misuse_foreign + 2, st->misuse_foreign);
	KUNIT_EXPECT_EQ(test, was->misuse_wrong_cache + 1, st->misuse_wrong_cache);
	KUNIT_EXPECT_EQ(test, 2, qt_sum(p->cache).live_objects);
	/* Another pool's object, and one that is put twice, are noticed when they leave. */
	quarry_pool_put(p->pool, objs[0]);
	quarry_pool_put(p->pool, far);
	quarry_pool_put(p->pool, objs[0]);
	quarry_pool_put(p->pool, objs[1]);
	KUNIT_EXPECT_EQ(test, 4, quarry_pool_drain(p->pool));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, was->misuse_wrong_cache + 2, st->misuse_wrong_cache);
	KUNIT_EXPECT_EQ(test, was->misuse_double_free + 1, st->misuse_double_free);
	/* exit() ran for the pool's own objects only, once for each. */
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&p->exits));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).live_objects);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(other->cache).live_objects);
	qt_exit(test);
	quarry_pool_put(other->pool, far);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(other->cache).live_objects);
}

/* Another pool's objects are noticed before they reach the shelf. */
static void misuse_seen_at_the_shelf(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 64), *other = qo_pool(test, 64);
	void **objs = qt_array(test, MOST, sizeof(*objs));
	unsigned int n = qo_private(p);
	u64 was;

	qt_pin(test, 0);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	qo_get_n(test, p, objs, n);
	qo_get_n(test, other, objs + n, n);
	was = qt_stats(test)->misuse_wrong_cache;
	/* A full magazine is not looked at, */
	qo_put_n(p, objs + n, n);
	KUNIT_EXPECT_EQ(test, was, qt_stats(test)->misuse_wrong_cache);
	/* until half of it must move to the shelf. */
	quarry_pool_put(p->pool, objs[0]);
	KUNIT_EXPECT_EQ(test, was + n / 2, qt_stats(test)->misuse_wrong_cache);
	KUNIT_EXPECT_EQ(test, n / 2 + 1, qo_sum(p).idle);
	qo_put_n(p, objs + 1, n - 1);
	KUNIT_EXPECT_EQ(test, was + n / 2, qt_stats(test)->misuse_wrong_cache);
	quarry_pool_drain(p->pool);
	KUNIT_EXPECT_EQ(test, was + n, qt_stats(test)->misuse_wrong_cache);
	KUNIT_EXPECT_EQ(test, n, atomic_read(&p->exits));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).live_objects);
	KUNIT_EXPECT_EQ(test, n, qt_sum(other->cache).live_objects);
	qo_put_n(other, objs + n, n);
}

/* Every second object that must move to the shelf is not the pool's.  Its own are kept. */
static void misuse_among_good_ones(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 64), *other = qo_pool(test, 64);
	void **objs = qt_array(test, MOST, sizeof(*objs));
	unsigned int n = qo_private(p), i;
	u64 was;

	KUNIT_ASSERT_EQ(test, 0, n % 4);
	qt_pin(test, 0);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	qo_get_n(test, p, objs, n);
	qo_get_n(test, other, objs + n, n);
	was = qt_stats(test)->misuse_wrong_cache;
	for (i = 0; i < n; i++)
		quarry_pool_put(p->pool, objs[i % 2 ? n + i : i]);
	KUNIT_EXPECT_EQ(test, was, qt_stats(test)->misuse_wrong_cache);
	quarry_pool_put(p->pool, objs[1]);
	KUNIT_EXPECT_EQ(test, was + n / 4, qt_stats(test)->misuse_wrong_cache);
	for (i = 3; i < n; i += 2)
		quarry_pool_put(p->pool, objs[i]);
	quarry_pool_drain(p->pool);
	KUNIT_EXPECT_EQ(test, was + n / 2, qt_stats(test)->misuse_wrong_cache);
	KUNIT_EXPECT_EQ(test, n, atomic_read(&p->exits));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(p->cache).live_objects);
	qo_put_n(other, objs + n, n);
}

static void destroyed_with_objects_out(struct kunit *test)
{
	struct qo_pool *p = qo_pool(test, 64);
	u64 was = qt_stats(test)->misuse_busy_destroy;
	void *objs[3];

	qo_get_n(test, p, objs, 3);
	quarry_pool_put(p->pool, objs[0]);
	qo_destroy(test, p);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&p->exits));
	KUNIT_EXPECT_EQ(test, was + 1, qt_stats(test)->misuse_busy_destroy);
	qt_exit(test);
	/* Objects that are put after the destruction are undone and do no harm. */
	quarry_pool_put(p->pool, objs[1]);
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&p->exits));
	quarry_pool_put(p->pool, objs[2]);
	KUNIT_EXPECT_EQ(test, 3, atomic_read(&p->exits));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&p->wrong));
	qr_drain_all();
	rcu_barrier();
}

/* The walker notices an object that is in two places, and one that is in none. */
static void the_walker_sees_it(struct kunit *test)
{
	struct quarry_validation *v = kunit_kzalloc(test, sizeof(*v), GFP_KERNEL);
	struct qo_pool *p = qo_pool(test, 64);
	void **objs = qt_array(test, MOST, sizeof(*objs));
	unsigned int n = qo_private(p) + qo_shared(p);
	struct qr_head *h;
	void *was;

	KUNIT_ASSERT_NOT_NULL(test, v);
	qt_pin(test, 0);
	qo_get_n(test, p, objs, n);
	qo_put_n(p, objs, n);
	KUNIT_EXPECT_EQ(test, 0, qr_validate(v));
	h = qt_head(p->cache);
	was = h->obj[0];
	h->obj[0] = objs[n - qo_private(p)]; /* an object that is on the shelf */
	KUNIT_EXPECT_EQ(test, -EUCLEAN, qr_validate(v));
	h->obj[0] = was;
	KUNIT_EXPECT_EQ(test, 0, qr_validate(v));
}

/* --- Several threads at a time --- */

#define THREADS 4
#define HELD	8
#define TURNS	4000

struct crowd {
	struct qo_pool *p;
	struct qt_shadow shadow;
	struct completion done[THREADS];
};

struct member {
	struct crowd *c;
	unsigned int k;
};

static int get_and_put(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->c;
	struct qo_thing *held[HELD] = {};
	unsigned int i;

	for (i = 0; i < TURNS; i++) {
		struct qo_thing **slot = &held[get_random_u32_below(HELD)];

		if (*slot) {
			quarry_pool_put(c->p->pool, qt_put(&c->shadow, *slot));
			*slot = NULL;
		} else {
			*slot = qt_got(&c->shadow, quarry_pool_get(c->p->pool, GFP_KERNEL));
			if (*slot)
				(*slot)->uses++;
		}
		if (i % 64 == 0)
			set_cpus_allowed_ptr(current,
					     cpumask_of(cpumask_nth(i / 64 % num_online_cpus(),
								    cpu_online_mask)));
	}
	for (i = 0; i < HELD; i++)
		quarry_pool_put(c->p->pool, qt_put(&c->shadow, held[i]));
	complete(&c->done[m->k]);
	return 0;
}

static void while_it_is_emptied(struct kunit *test)
{
	struct crowd *c = qt_array(test, 1, sizeof(*c));
	struct member *m = qt_array(test, THREADS, sizeof(*m));
	unsigned int i, round = 0;
	int node;

	c->p = qo_pool(test, 64);
	qp_cache_rate(test, c->p->cache, 4096);
	qt_shadow_init(&c->shadow);
	for (i = 0; i < THREADS; i++) {
		struct task_struct *task;

		m[i] = (struct member){ .c = c, .k = i };
		init_completion(&c->done[i]);
		task = kthread_run(get_and_put, &m[i], "member");
		KUNIT_EXPECT_FALSE(test, IS_ERR(task));
		if (IS_ERR(task))
			complete(&c->done[i]);
	}
	for (i = 0; i < THREADS; i++) {
		while (!try_wait_for_completion(&c->done[i])) {
			for_each_node_mask(node, qr_nodes)
				qr_pools_age(node);
			if (++round % 16 == 0)
				quarry_pool_drain(c->p->pool);
			if (round % 64 == 0)
				qt_exit(test);
			cond_resched();
		}
	}
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&c->shadow.errors));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&c->p->wrong));
	qt_shadow_check(test, &c->shadow, c->p->cache);
	quarry_pool_drain(c->p->pool);
	KUNIT_EXPECT_EQ(test, 0, qo_sum(c->p).idle);
	KUNIT_EXPECT_EQ(test, atomic_read(&c->p->inits), atomic_read(&c->p->exits));
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->shadow.allocs),
			atomic_read(&c->p->inits) + atomic_read(&c->p->resets));
}

static struct kunit_case cases[] = { KUNIT_CASE(two_rounds),
				     KUNIT_CASE(seen_while_it_leaves),
				     KUNIT_CASE(the_shrinker),
				     KUNIT_CASE(other_cpus_magazines),
				     KUNIT_CASE(dead_cpu),
				     KUNIT_CASE(nonsense),
				     KUNIT_CASE(misuse),
				     KUNIT_CASE(misuse_seen_at_the_shelf),
				     KUNIT_CASE(misuse_among_good_ones),
				     KUNIT_CASE(destroyed_with_objects_out),
				     KUNIT_CASE(the_walker_sees_it),
				     KUNIT_CASE_SLOW(while_it_is_emptied),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite pool_life_suite = {
	.name = "quarry_pool_life",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(pool_life_suite);
