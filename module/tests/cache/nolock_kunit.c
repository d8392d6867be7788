// SPDX-License-Identifier: GPL-2.0
/*
 * quarry_cache_alloc_nolock() and quarry_cache_free_nolock(), called at every instruction of the
 * slow paths, whichever lock these hold there.  As a tracing program does, a kprobe's handler runs
 * in the middle of the slow path, with interrupts on or off.
 */
#include "tests/kunit_util.h"
#include "tests/probe_util.h"

#include <linux/kthread.h>
#include "cache/deferred.h"
#include "cache/rcu_free.h"

#define HELD 4

struct intruder {
	struct qt_probes probes;
	const void *at; /* address of the probe in use */
	struct task_struct *task;
	struct quarry_cache *cache;
	struct qt_shadow shadow;
	bool armed;
	unsigned int hits;
	unsigned int got;
	unsigned int set; /* objects that the operation allocates and frees */
	void *held[HELD]; /* objects that the handler frees and allocates */
};

static struct intruder *now;

static int intrude(struct kprobe *kp, struct pt_regs *regs)
{
	struct intruder *n = now;
	unsigned int i;

	if (kp->addr != n->at || current != n->task || !READ_ONCE(n->armed))
		return 0;
	WRITE_ONCE(n->armed, false); /* only once for each operation */
	n->hits++;
	for (i = 0; i < HELD; i++) {
		quarry_cache_free_nolock(n->cache, qt_put(&n->shadow, n->held[i]));
		n->held[i] = qt_got(&n->shadow, quarry_cache_alloc_nolock(n->cache, 0));
		n->got += !!n->held[i];
	}
	return 0;
}

/* Take all slow paths: objects leave slabs, go to the depot, and return to the slabs. */
static void work(struct intruder *n, void **objs)
{
	unsigned int i;

	for (i = 0; i < HELD; i++)
		if (!n->held[i])
			n->held[i] = qt_got(&n->shadow, quarry_cache_alloc(n->cache, GFP_KERNEL));
	WRITE_ONCE(n->armed, true);
	for (i = 0; i < n->set; i++)
		objs[i] = qt_got(&n->shadow, quarry_cache_alloc(n->cache, GFP_KERNEL));
	for (i = 0; i < n->set; i++)
		quarry_cache_free(n->cache, qt_put(&n->shadow, objs[i]));
	quarry_cache_shrink(n->cache);
	WRITE_ONCE(n->armed, false);
}

static void drop_held(void *arg)
{
	struct intruder *n = arg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(n->held); i++) {
		quarry_cache_free(n->cache, qt_put(&n->shadow, n->held[i]));
		n->held[i] = NULL;
	}
}

/* Probe one out of @every instructions; the handler must get @few objects or more in all. */
static void at_instructions(struct kunit *test, void *fn, const char *name, unsigned int every,
			    unsigned int few)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct intruder *n = qt_array(test, 1, sizeof(*n));
	unsigned int set = 2 * qr_cache_of(cache)->capacity;
	void **objs = qt_array(test, set, sizeof(*objs));
	unsigned int i, places = 0, hit = 0, hits;
	struct quarry_validation v;
	unsigned long from, to, at;

	qt_pin(test, 0);
	qt_function_ends(test, (unsigned long)fn, &from, &to);
	n->cache = cache;
	n->task = current;
	n->set = set;
	qt_shadow_init(&n->shadow);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, drop_held, n));
	now = n;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, qt_unprobe, &n->probes));
	for (at = from; at < to; qt_unprobe(&n->probes)) {
		at = qt_probe(&n->probes, at, to, every, intrude);
		for (i = 0; i < n->probes.nr; i++) {
			n->at = n->probes.there[i]->addr;
			hits = n->hits;
			work(n, objs);
			KUNIT_ASSERT_EQ_MSG(test, 0, atomic64_read(&n->shadow.errors), "%s+0x%lx",
					    name, (unsigned long)n->at - from);
			places++;
			hit += n->hits != hits;
			cond_resched();
		}
	}
	kunit_release_action(test, drop_held, n);
	quarry_rcu_barrier();
	KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate(&v), "%s", v.first);
	qt_shadow_check(test, &n->shadow, cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	/* The handler ran, and got objects at times. */
	kunit_info(test, "%s: %u of %u places, %u objects\n", name, hit, places, n->got);
	KUNIT_EXPECT_GT(test, hit, 5);
	KUNIT_EXPECT_GE(test, n->got, few);
}

static void inside_depot_take(struct kunit *test)
{
	at_instructions(test, qr_depot_take, "qr_depot_take", 3, 0);
}

static void inside_depot_give_slabs(struct kunit *test)
{
	at_instructions(test, qr_depot_give_slabs, "qr_depot_give_slabs", 1, 5);
}

static void inside_alloc_slow(struct kunit *test)
{
	at_instructions(test, qr_alloc_slow, "qr_alloc_slow", 5, 5);
}

static void inside_free_full(struct kunit *test)
{
	at_instructions(test, qr_free_full, "qr_free_full", 1, 5);
}

/* The calls work in ordinary contexts, too, and every object comes back. */
static void in_ordinary_contexts(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct qt_shadow shadow;
	unsigned int i, got = 0;
	void *objs[100];

	qt_shadow_init(&shadow);
	/* The call creates no slab. */
	KUNIT_EXPECT_NULL(test, quarry_cache_alloc_nolock(cache, 0));
	KUNIT_EXPECT_EQ(test, 1, atomic64_read(&qr_cache_of(cache)->failed));
	qt_alloc_n(test, cache, objs, 100);
	for (i = 0; i < 100; i++)
		memset(objs[i], 0x6b, 64);
	qt_free_n(cache, objs, 100);
	for (i = 0; i < 100; i++) {
		objs[i] = qt_got(&shadow, quarry_cache_alloc_nolock(cache, __GFP_ZERO));
		if (objs[i]) {
			KUNIT_EXPECT_TRUE(test, qt_is_zero(objs[i] + 8, 56));
			got++;
		}
	}
	KUNIT_EXPECT_GE(test, got, 50);
	for (i = 0; i < 100; i++)
		quarry_cache_free_nolock(cache, qt_put(&shadow, objs[i]));
	quarry_rcu_barrier();
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&shadow.errors));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	KUNIT_EXPECT_EQ(test, 100 + got, qt_sum(cache).mallocs);
}

/* More objects than a cache has that was used once. */
#define MANY 4096

/* An allocation that finds the magazine empty leaves it to others, who fill it. */
static void leaves_an_empty_magazine(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void **objs = qt_array(test, MANY, sizeof(*objs)), *p;
	unsigned int n = 0, i;
	u64 direct;

	qt_pin(test, 0);
	quarry_cache_free(cache, quarry_cache_alloc(cache, GFP_KERNEL));
	while (n < MANY && (objs[n] = quarry_cache_alloc_nolock(cache, 0)))
		n++;
	KUNIT_EXPECT_LT(test, n, MANY);
	direct = qt_sum(cache).direct_allocs;
	for (i = 0; i < 10; i++) {
		p = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_EXPECT_NOT_NULL(test, p);
		quarry_cache_free(cache, p);
	}
	KUNIT_EXPECT_EQ(test, direct, qt_sum(cache).direct_allocs);
	while (n--)
		quarry_cache_free(cache, objs[n]);
}

/* When the magazine is empty, objects come from the depot of the cache's node. */
static void from_the_node_of_the_cache(struct kunit *test)
{
	int near = first_node(qr_nodes), far = qt_other_node(test, near);
	struct quarry_cache_args args = { .policy = QUARRY_NODE_FIXED, .node = far };
	struct quarry_cache *cache = qt_cache(test, 64, &args);
	unsigned int all = qr_cache_of(cache)->geo.objects, n = 0, i;
	void **objs = qt_array(test, all + 1, sizeof(*objs));

	qt_pin(test, qt_cpu_of_node(test, near));
	objs[n++] = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objs[0]);
	while (n <= all && (objs[n] = quarry_cache_alloc_nolock(cache, 0)))
		n++;
	/* All objects of the slab; the magazine had a batch of them. */
	KUNIT_EXPECT_EQ(test, all, n);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, far, qt_node_of(objs[i]));
	qt_free_n(cache, objs, n);
}

/* Sampled objects must not go into the magazine, so their free is deferred. */
static void sampled_ones_are_deferred(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct qr_cache *c = qr_cache_of(cache);
	struct quarry_stats *before, *after;
	void *objs[20];

	qt_pin(test, 0);
	/* The magazine has room for ordinary objects. */
	qt_alloc_n(test, cache, objs, ARRAY_SIZE(objs));
	qt_free_n(cache, objs, ARRAY_SIZE(objs));
	c->rate = 1;
	qr_magazine_redraw(c, 0);
	before = qt_stats(test);
	qt_alloc_n(test, cache, objs, ARRAY_SIZE(objs));
	after = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->live_samples + ARRAY_SIZE(objs), after->live_samples);
	for (unsigned int i = 0; i < ARRAY_SIZE(objs); i++)
		quarry_cache_free_nolock(cache, objs[i]);
	quarry_rcu_barrier();
	after = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->live_samples, after->live_samples);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	/* A sample that is due waits for the next ordinary allocation. */
	c->rate = 0;
	qr_magazine_redraw(c, 0);
	qt_alloc_n(test, cache, objs, ARRAY_SIZE(objs));
	qt_free_n(cache, objs, ARRAY_SIZE(objs));
	c->rate = 1;
	qr_magazine_redraw(c, 0);
	before = qt_stats(test);
	KUNIT_EXPECT_EQ(test, 0, qt_head(cache)->countdown);
	objs[0] = quarry_cache_alloc_nolock(cache, 0);
	KUNIT_EXPECT_NOT_NULL(test, objs[0]);
	KUNIT_EXPECT_EQ(test, 0, qt_head(cache)->countdown);
	KUNIT_EXPECT_EQ(test, before->mallocs + 1, qt_stats(test)->mallocs);
	KUNIT_EXPECT_EQ(test, before->live_samples, qt_stats(test)->live_samples);
	objs[1] = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, before->live_samples + 1, qt_stats(test)->live_samples);
	quarry_cache_free_nolock(cache, objs[0]);
	quarry_cache_free(cache, objs[1]);
}

/* A cache may be destroyed right after such a free: it waits for deferred objects. */
static void destroyed_right_behind(struct kunit *test)
{
	struct quarry_cache *cache = quarry_cache_create(test->name, 64, NULL);
	struct quarry_stats *before = qt_stats(test), *after;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	qr_cache_of(cache)->rate = 1;
	qt_pin(test, 0);
	qr_magazine_redraw(qr_cache_of(cache), 0);
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	if (p)
		quarry_cache_free_nolock(cache, p);
	quarry_cache_destroy(cache);
	KUNIT_EXPECT_NOT_NULL(test, p);
	after = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_busy_destroy, after->misuse_busy_destroy);
	KUNIT_EXPECT_EQ(test, before->zombie_caches, after->zombie_caches);
	quarry_rcu_barrier();
	qr_drain_all();
}

static void misuse_is_reported(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct quarry_cache *other = qt_cache(test, 64, NULL);
	struct quarry_stats *before = qt_stats(test), *after;
	void *p = quarry_cache_alloc(cache, GFP_KERNEL), *large;

	KUNIT_ASSERT_NOT_NULL(test, p);
	large = quarry_malloc(100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, large);
	quarry_cache_free_nolock(other, p);
	quarry_cache_free_rcu(other, p);
	quarry_cache_free_rcu(other, large);
	quarry_cache_free_nolock(cache, p + 8);
	quarry_free_rcu(p + 8);
	quarry_free_rcu(large + PAGE_SIZE);
	quarry_cache_free_nolock(cache, &before);
	quarry_free_rcu(&before);
	quarry_cache_free_rcu(cache, &before);
	after = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_wrong_cache + 3, after->misuse_wrong_cache);
	KUNIT_EXPECT_EQ(test, before->misuse_interior + 3, after->misuse_interior);
	KUNIT_EXPECT_EQ(test, before->misuse_foreign + 3, after->misuse_foreign);
	/* Both objects are still live and good. */
	quarry_cache_free(cache, p);
	quarry_free(large);
	quarry_rcu_barrier();
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	after = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_double_free, after->misuse_double_free);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(in_ordinary_contexts),      KUNIT_CASE(from_the_node_of_the_cache),
	KUNIT_CASE(sampled_ones_are_deferred), KUNIT_CASE(destroyed_right_behind),
	KUNIT_CASE(inside_depot_take),	       KUNIT_CASE(inside_depot_give_slabs),
	KUNIT_CASE(inside_alloc_slow),	       KUNIT_CASE(leaves_an_empty_magazine),
	KUNIT_CASE(inside_free_full),	       KUNIT_CASE(misuse_is_reported),
	KUNIT_CASE(qt_books_balance),	       {}
};

static struct kunit_suite suite = {
	.name = "quarry_nolock",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
