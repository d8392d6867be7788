// SPDX-License-Identifier: GPL-2.0
/* Red zones, poison and stacks, switched on and off while the cache is in use: twins. */
#include "tests/profile_util.h"

#include <linux/cpumask.h>
#include <linux/kallsyms.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <quarry/malloc.h>
#include <quarry/misuse.h>
#include <quarry/rcu.h>
#include "slab/sizeclass.h"
#include "tests/slab/guard_util.h"

#define SIZE  60 /* usable: 64 */
#define N     200
#define TURNS 60
#define ALL   (QUARRY_CHECK_RED_ZONE | QUARRY_CHECK_POISON | QUARRY_CHECK_STACKS)

/* Twins that there are, whose cache still uses them or not. */
static unsigned int nr_twins(void)
{
	struct qr_cache *c;
	unsigned int n = 0;

	qr_zombies_collect();
	mutex_lock(&qr_caches_lock);
	list_for_each_entry(c, &qr_caches, link)
		n += !!c->stands_for;
	mutex_unlock(&qr_caches_lock);
	return n;
}

static struct qr_cache *twin_of(struct kunit *test, struct quarry_cache *cache)
{
	struct qr_cache *twin = rcu_dereference_raw(qr_cache_of(cache)->twin);

	KUNIT_ASSERT_NOT_NULL(test, twin);
	return twin;
}

static void check(struct kunit *test, struct quarry_cache *cache, unsigned int checks)
{
	KUNIT_ASSERT_EQ(test, 0, quarry_cache_check(cache, checks));
}

static u8 *get(struct kunit *test, struct quarry_cache *cache)
{
	u8 *p = quarry_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

/* Objects that are live then stay, those that come are guarded, and nothing is left in the end. */
static void on_and_off(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	struct qt_seen before = qt_seen(test);
	u8 *old = get(test, cache), *p, *later;
	struct qr_cache *twin;

	check(test, cache, ALL);
	twin = twin_of(test, cache);
	KUNIT_EXPECT_NOT_NULL(test, strstr(twin->name, ":checked"));
	p = get(test, cache);
	KUNIT_EXPECT_EQ(test, 64, quarry_usable_size(p));
	KUNIT_EXPECT_TRUE(test, qt_is_all(p + 64, SLUB_RED_ACTIVE, QR_RED_ZONE));
	KUNIT_EXPECT_EQ(test, 1, qt_sum(&twin->pub).live_objects);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
	quarry_cache_free(cache, old);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	check(test, cache, 0);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(qr_cache_of(cache)->twin));
	KUNIT_EXPECT_EQ(test, 1, nr_twins());
	later = get(test, cache);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(cache).live_objects);
	quarry_cache_free(cache, later);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 0, nr_twins());
	qt_expect_seen(test, before, 0, 0, 0);
}

static void writes_are_seen(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	struct qt_seen before = qt_seen(test);
	struct qr_cache *twin;
	unsigned int i;
	void *more[4];
	u8 *p;

	qt_pin(test, 0); /* all from one slab */
	check(test, cache, QUARRY_CHECK_RED_ZONE | QUARRY_CHECK_POISON);
	twin = twin_of(test, cache);
	p = get(test, cache);
	p[64]++;
	quarry_cache_free(cache, p);
	qt_expect_seen(test, before, 1, 0, 1);
	p[64]--;
	quarry_cache_free(cache, p);
	qt_expect_seen(test, before, 1, 0, 1);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(&twin->pub).live_objects);
	p[5]++;
	/* Its slab gives the object that was freed last, or one after some others. */
	for (i = 0; i < ARRAY_SIZE(more); i++)
		more[i] = get(test, cache);
	qt_expect_seen(test, before, 1, 1, 2);
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		KUNIT_EXPECT_PTR_NE(test, (void *)p, more[i]);
		quarry_cache_free(cache, more[i]);
	}
	p[5]--;
	qt_free_leaked(&twin->pub, p);
	check(test, cache, 0);
	KUNIT_EXPECT_EQ(test, 0, nr_twins());
}

static void newest(struct kunit *test, struct quarry_misuse *m)
{
	m->number = 0;
	while (qr_misuse_next(m->number, m))
		;
	KUNIT_ASSERT_GT(test, m->number, 0);
}

static noinline void *allocate_here(struct quarry_cache *cache)
{
	void *p = quarry_cache_alloc(cache, GFP_KERNEL);

	barrier();
	return p;
}

static noinline void free_here(struct quarry_cache *cache, void *p)
{
	quarry_cache_free(cache, p);
	barrier();
}

static noinline void free_again(struct quarry_cache *cache, void *p)
{
	quarry_cache_free(cache, p);
	barrier();
}

static bool is_in(const char *function, unsigned long *const *frames, unsigned int n)
{
	char name[KSYM_SYMBOL_LEN];
	unsigned int i;

	for (i = 0; i < n; i++) {
		scnprintf(name, sizeof(name), "%ps", (void *)(*frames)[i]);
		if (strstr(name, function))
			return true;
	}
	return false;
}

/* The report of a double free names who allocated the object, and who freed it first. */
static void both_stacks(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	struct quarry_misuse *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned long *frames;
	unsigned int n;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, m);
	check(test, cache, QUARRY_CHECK_STACKS);
	p = allocate_here(cache);
	KUNIT_ASSERT_NOT_NULL(test, p);
	free_here(cache, p);
	free_again(cache, p);
	newest(test, m);
	KUNIT_EXPECT_STREQ(test, "double_free", m->what);
	KUNIT_EXPECT_TRUE(test, m->was_free);
	KUNIT_EXPECT_NOT_NULL(test, strstr(m->caller, "free_again"));
	n = qr_misuse_stack(m, &frames);
	KUNIT_EXPECT_TRUE(test, is_in("allocate_here", &frames, n));
	n = qr_misuse_freed_stack(m, &frames);
	KUNIT_EXPECT_TRUE(test, is_in("free_here", &frames, n));
	KUNIT_EXPECT_FALSE(test, is_in("free_again", &frames, n));
}

/* The profile knows the objects as the cache's own, at their true number. */
static void in_the_profile(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	void **objs = qt_array(test, N, sizeof(*objs));
	u32 id = qr_cache_of(cache)->id;
	struct quarry_profile *p;
	u64 objects = 0;
	unsigned int i;

	qp_cache_rate(test, cache, 0);
	check(test, cache, QUARRY_CHECK_STACKS);
	qt_alloc_n(test, cache, objs, N);
	p = qr_profile_take(id, false);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
	for (i = 0; i < p->nr; i++)
		if (p->site[i].cache == id)
			objects += p->site[i].inuse.objects;
	qr_profile_free(p);
	KUNIT_EXPECT_EQ(test, qp_objects(N), objects);
	qt_free_n(cache, objs, N);
}

/* All ways to allocate and to free. */
static void all_ways(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	struct qt_seen before = qt_seen(test);
	void **objs = qt_array(test, N, sizeof(*objs));
	struct qr_cache *twin;

	check(test, cache, ALL);
	twin = twin_of(test, cache);
	KUNIT_ASSERT_EQ(test, N, quarry_cache_alloc_bulk(cache, GFP_KERNEL, N, objs));
	KUNIT_EXPECT_EQ(test, N, qt_sum(&twin->pub).live_objects);
	quarry_cache_free_rcu(cache, objs[0]);
	quarry_free_rcu(objs[1]);
	quarry_free(objs[2]);
	quarry_cache_free_bulk(cache, N - 3, objs + 3);
	quarry_rcu_barrier();
	KUNIT_EXPECT_EQ(test, 0, qt_sum(&twin->pub).live_objects);
	objs[0] = quarry_cache_alloc_node(cache, GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, objs[0]);
	KUNIT_EXPECT_EQ(test, 1, qt_sum(&twin->pub).live_objects);
	quarry_cache_free(cache, objs[0]);
	objs[0] = quarry_cache_zalloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objs[0]);
	KUNIT_EXPECT_TRUE(test, qt_is_all(objs[0], 0, 64));
	quarry_cache_free(cache, objs[0]);
	qt_expect_seen(test, before, 0, 0, 0);
}

/* Objects of a twin are no other cache's. */
static void wrong_cache(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL),
			    *other = qt_cache(test, SIZE, NULL);
	u64 was = qt_stats(test)->misuse_wrong_cache;
	void *p;

	check(test, cache, QUARRY_CHECK_STACKS);
	p = get(test, cache);
	quarry_cache_free(other, p);
	KUNIT_EXPECT_EQ(test, was + 1, qt_stats(test)->misuse_wrong_cache);
	quarry_cache_free_rcu(other, p);
	KUNIT_EXPECT_EQ(test, was + 2, qt_stats(test)->misuse_wrong_cache);
	quarry_cache_free(cache, p);
}

static void a_size_class(struct kunit *test)
{
	struct quarry_cache *cache = qr_class_cache[qr_class_for(100)];
	unsigned int size = cache->size;
	struct qt_seen before = qt_seen(test);
	u8 *p;

	check(test, cache, QUARRY_CHECK_RED_ZONE);
	p = quarry_malloc(size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, size, quarry_usable_size(p));
	p[size]++;
	quarry_free(p);
	qt_expect_seen(test, before, 1, 0, 1);
	p[size]--;
	p = quarry_realloc(p, size / 2 + 8, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	quarry_free(p);
	qt_expect_seen(test, before, 1, 0, 1);
	check(test, cache, 0);
	KUNIT_EXPECT_EQ(test, 0, nr_twins());
}

static void nothing(void *obj)
{
}

static void what_objects_cannot_have(struct kunit *test)
{
	static const struct quarry_cache_args made = { .ctor = nothing };
	static const struct quarry_cache_args safe = { .flags = QUARRY_TYPESAFE_BY_RCU };
	struct quarry_cache *cache = qt_cache(test, SIZE, &made);

	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, quarry_cache_check(cache, QUARRY_CHECK_POISON));
	check(test, cache, QUARRY_CHECK_RED_ZONE);
	quarry_cache_free(cache, get(test, cache));
	cache = qt_cache(test, SIZE, &safe);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, quarry_cache_check(cache, QUARRY_CHECK_POISON));
	cache = qt_cache(test, QR_MAX_OBJECT, NULL);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, quarry_cache_check(cache, QUARRY_CHECK_RED_ZONE));
	check(test, cache, QUARRY_CHECK_POISON);
	quarry_cache_free(cache, get(test, cache));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cache_check(cache, ALL | BIT(7)));
}

/* A destroyed cache reports what is live in its twins, also in one that is out of use. */
static void destroyed(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	u64 was = qt_stats(test)->misuse_busy_destroy;
	void *first, *second;

	check(test, cache, QUARRY_CHECK_RED_ZONE);
	first = get(test, cache);
	check(test, cache, QUARRY_CHECK_POISON);
	second = get(test, cache);
	qt_cache_destroy(test, cache);
	KUNIT_EXPECT_EQ(test, was + 2, qt_stats(test)->misuse_busy_destroy);
	quarry_free(first);
	quarry_free(second);
	KUNIT_EXPECT_EQ(test, 0, nr_twins());
}

struct worker {
	struct quarry_cache *cache;
	struct rnd_state rnd;
	u8 *held[N];
	unsigned int n;
	unsigned int rounds;
	unsigned int bad;
};

/* Each object has one byte throughout while it is held. */
static int work(void *arg)
{
	struct worker *w = arg;
	unsigned int want;

	while (!kthread_should_stop()) {
		want = prandom_u32_state(&w->rnd) % N;
		while (w->n < want) {
			u8 *p = quarry_cache_alloc(w->cache, GFP_KERNEL);

			if (!p)
				break;
			memset(p, w->n, SIZE);
			w->held[w->n++] = p;
		}
		while (w->n > want) {
			w->n--;
			w->bad += !!memchr_inv(w->held[w->n], w->n, SIZE);
			quarry_cache_free(w->cache, w->held[w->n]);
		}
		WRITE_ONCE(w->rounds, w->rounds + 1);
		cond_resched();
	}
	while (w->n)
		quarry_cache_free(w->cache, w->held[--w->n]);
	return 0;
}

KUNIT_DEFINE_ACTION_WRAPPER(stop_action, kthread_stop, struct task_struct *);

/* Each CPU allocates and frees meanwhile, and goes on for some rounds between any two switches. */
static void under_load(struct kunit *test)
{
	static const unsigned int kinds[] = {
		QUARRY_CHECK_RED_ZONE, QUARRY_CHECK_POISON, QUARRY_CHECK_STACKS, ALL,
		QUARRY_CHECK_SANE,
	};
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	struct worker *w = qt_array(test, nr_cpu_ids, sizeof(*w));
	struct task_struct **thread = qt_array(test, nr_cpu_ids, sizeof(*thread));
	struct qt_seen before = qt_seen(test);
	unsigned int cpu, i, was;

	for_each_online_cpu(cpu) {
		w[cpu].cache = cache;
		prandom_seed_state(&w[cpu].rnd, get_random_u64());
		thread[cpu] = kthread_create(work, &w[cpu], "quarry_twin/%u", cpu);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread[cpu]);
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop_action, thread[cpu]));
		kthread_bind(thread[cpu], cpu);
		wake_up_process(thread[cpu]);
	}
	for (i = 0; i < TURNS; i++) {
		/* Off after each kind, or straight on to the next one. */
		check(test, cache, i % 3 == 2 ? 0 : kinds[i % ARRAY_SIZE(kinds)]);
		for_each_online_cpu(cpu) {
			was = READ_ONCE(w[cpu].rounds);
			while (READ_ONCE(w[cpu].rounds) - was < 2)
				cond_resched();
		}
	}
	check(test, cache, 0);
	for_each_online_cpu(cpu) {
		kunit_release_action(test, stop_action, thread[cpu]);
		KUNIT_EXPECT_EQ(test, 0, w[cpu].bad);
	}
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
	KUNIT_EXPECT_EQ(test, 0, nr_twins());
	qt_expect_seen(test, before, 0, 0, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(on_and_off),	      KUNIT_CASE(writes_are_seen),
	KUNIT_CASE(both_stacks),      KUNIT_CASE(in_the_profile),
	KUNIT_CASE(all_ways),	      KUNIT_CASE(wrong_cache),
	KUNIT_CASE(a_size_class),     KUNIT_CASE(what_objects_cannot_have),
	KUNIT_CASE(destroyed),	      KUNIT_CASE_SLOW(under_load),
	KUNIT_CASE(qt_books_balance), {}
};

static struct kunit_suite twin_suite = {
	.name = "quarry_twin",
	.suite_init = qt_suite_init,
	.init = qt_unseen_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(twin_suite);
