// SPDX-License-Identifier: GPL-2.0
/* Helpers for the suites of pools; pool_util.h explains them. */
#include "tests/api/pool_util.h"

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>

#define MAGIC 0x706f6f6cULL

static int init(void *obj, void *arg, gfp_t gfp)
{
	struct qo_thing *t = obj;
	struct qo_pool *p = arg;

	if (p->fail)
		return -EIO;
	t->magic = MAGIC;
	t->uses = 0;
	atomic_inc(&p->inits);
	return 0;
}

static void reset(void *obj, void *arg)
{
	struct qo_thing *t = obj;
	struct qo_pool *p = arg;

	if (t->magic != MAGIC || !t->uses)
		atomic_inc(&p->wrong);
	atomic_inc(&p->resets);
}

static int walk(void *arg)
{
	struct qo_pool *p = arg;

	if (qr_validate(&p->found))
		atomic_inc(&p->wrong);
	complete(&p->walked);
	return 0;
}

/*
 * A task of its own runs the walker, as it does outside of tests: the walker's lock comes before
 * the pool's, which is held here.
 */
static void walk_elsewhere(struct qo_pool *p)
{
	reinit_completion(&p->walked);
	if (IS_ERR(kthread_run(walk, p, "walk")))
		atomic_inc(&p->wrong);
	else
		wait_for_completion(&p->walked);
}

static void exit_thing(void *obj, void *arg)
{
	struct qo_thing *t = obj;
	struct qo_pool *p = arg;

	if (t->magic != MAGIC)
		atomic_inc(&p->wrong);
	if (p->walk)
		walk_elsewhere(p);
	t->magic = 0;
	atomic_inc(&p->exits);
}

KUNIT_DEFINE_ACTION_WRAPPER(pool_destroy_action, quarry_pool_destroy, struct quarry_pool *);

struct qo_pool *qo_pool(struct kunit *test, unsigned int size)
{
	struct qo_pool *p = qt_array(test, 1, sizeof(*p));
	struct quarry_pool_args args = {
		.name = test->name,
		.size = size,
		.init = init,
		.reset = reset,
		.exit = exit_thing,
		.arg = p,
	};
	struct qr_cache *c;

	init_completion(&p->walked);
	p->pool = quarry_pool_create(&args);
	KUNIT_ASSERT_NOT_NULL(test, p->pool);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pool_destroy_action, p->pool));
	mutex_lock(&qr_caches_lock);
	list_for_each_entry(c, &qr_caches, link)
		if (c->id == qo_sum(p).id)
			p->cache = &c->pub;
	mutex_unlock(&qr_caches_lock);
	KUNIT_ASSERT_NOT_NULL(test, p->cache);
	return p;
}

void qo_destroy(struct kunit *test, struct qo_pool *p)
{
	kunit_release_action(test, pool_destroy_action, p->pool);
}

void qo_get_n(struct kunit *test, struct qo_pool *p, void **objs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct qo_thing *t = quarry_pool_get(p->pool, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, t);
		KUNIT_EXPECT_EQ(test, MAGIC, t->magic);
		t->uses++;
		objs[i] = t;
	}
}

void qo_put_n(struct qo_pool *p, void **objs, unsigned int n)
{
	while (n--)
		quarry_pool_put(p->pool, objs[n]);
}

struct quarry_pool_stats qo_sum(struct qo_pool *p)
{
	struct quarry_pool_stats st;

	qr_pool_sum(p->pool, &st);
	return st;
}
