// SPDX-License-Identifier: GPL-2.0
/* Reserves: filled and taken in every context, and by several CPUs at once. */
#include "tests/api/reserve_util.h"

#include <linux/completion.h>
#include <linux/kthread.h>
#include "tests/probe_util.h"

#define N 100

/* Takes all objects: each is of the cache and comes once. */
static unsigned int take_all(struct kunit *test, struct quarry_reserve *r, struct qt_shadow *s,
			     struct quarry_cache *cache)
{
	unsigned int n = 0, left = quarry_reserve_left(r);
	void **objs = qt_array(test, left + 1, sizeof(*objs));

	while (n <= left && (objs[n] = qt_got(s, quarry_reserve_alloc(r))))
		n++;
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_left(r));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&s->errors));
	for (left = 0; left < n; left++)
		quarry_cache_free(cache, qt_put(s, objs[left]));
	return n;
}

static void as_many_as_were_filled(struct kunit *test)
{
	static const unsigned int counts[] = { 1, 2, 15, 16, 17, 100, 2040, 2041, 5000 };
	struct quarry_cache *cache = qt_cache(test, 48, NULL);
	struct quarry_reserve *r = qs_reserve(test);
	unsigned int i, n;
	struct qt_shadow s;
	u64 mallocs;
	void *p;

	qt_shadow_init(&s);
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_left(r));
	KUNIT_EXPECT_NULL(test, quarry_reserve_alloc(r));
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill(r, cache, 0, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, quarry_reserve_alloc(r));
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		n = counts[i];
		KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(r, cache, n, GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, n, quarry_reserve_left(r));
		KUNIT_EXPECT_EQ(test, n, qt_sum(cache).live_objects);
		/* The reserve has enough: filling it does nothing. */
		KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill(r, cache, n / 2, GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, n, quarry_reserve_left(r));
		qt_exit(test);
		KUNIT_EXPECT_EQ(test, n, take_all(test, r, &s, cache));
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
		/* Fill half of it again, in the blocks that exist. */
		KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(r, cache, (n + 1) / 2, GFP_KERNEL));
		p = qt_got(&s, quarry_reserve_alloc(r));
		KUNIT_EXPECT_EQ(test, (n + 1) / 2 - 1, quarry_reserve_left(r));
		mallocs = qt_sum(cache).mallocs + n - quarry_reserve_left(r);
		KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(r, cache, n, GFP_KERNEL));
		/* Filling up allocates only what is missing. */
		KUNIT_EXPECT_EQ(test, mallocs, qt_sum(cache).mallocs);
		KUNIT_EXPECT_EQ(test, n, take_all(test, r, &s, cache));
		quarry_cache_free(cache, qt_put(&s, p));
	}
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

static void returned(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 300, NULL), *other;
	struct quarry_reserve *r = qs_reserve(test);
	struct quarry_cache_stats st;
	u64 was;
	s64 more;
	void *p;

	rcu_barrier(); /* earlier cases' caches are freed after a grace period */
	was = qt_metadata(qt_stats(test));
	KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(r, cache, N, GFP_KERNEL));
	p = quarry_reserve_alloc(r);
	KUNIT_EXPECT_NOT_NULL(test, p);
	quarry_reserve_return(r);
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_left(r));
	KUNIT_EXPECT_NULL(test, quarry_reserve_alloc(r));
	quarry_reserve_return(r);
	quarry_cache_free(cache, p);
	st = qt_sum(cache);
	/* The object that was taken counts once more, as freed and as allocated. */
	KUNIT_EXPECT_EQ(test, N + 1, st.mallocs);
	KUNIT_EXPECT_EQ(test, N + 1, st.frees);
	quarry_cache_shrink(cache);
	/* Only the number of chunks may differ, because the page heap decides on that. */
	more = qt_metadata(qt_stats(test)) - was;
	KUNIT_EXPECT_EQ(test, 0, more % (s64)sizeof(struct qr_chunk));
	/* The reserve is empty and can be filled from any cache. */
	other = qt_cache(test, 16, NULL);
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill(r, other, N, GFP_KERNEL));
	quarry_reserve_return(r);
	qt_cache_destroy(test, other);
	qt_cache_destroy(test, cache);
}

static void zeroed(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	void **objs = qt_array(test, N, sizeof(*objs));
	struct quarry_reserve *r = qs_reserve(test);
	unsigned int i;

	qt_alloc_n(test, cache, objs, N);
	for (i = 0; i < N; i++)
		memset(objs[i], 0x6b, 200);
	qt_free_n(cache, objs, N);
	KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(r, cache, N, GFP_KERNEL | __GFP_ZERO));
	for (i = 0; i < N; i++) {
		objs[i] = quarry_reserve_alloc(r);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_EXPECT_TRUE(test, qt_is_zero(objs[i], 200));
	}
	qt_free_n(cache, objs, N);
}

static void of_malloc(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 112, NULL);
	struct quarry_reserve *r = qs_reserve(test);
	void *p;

	KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill_size(r, 100, 3, GFP_KERNEL));
	p = quarry_reserve_alloc(r);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, 112, quarry_usable_size(p));
	quarry_free(p);
	/* 109 bytes are of the same size class. */
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill_size(r, 109, 4, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 4, quarry_reserve_left(r));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_reserve_fill_size(r, 113, 4, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_reserve_fill(r, cache, 4, GFP_KERNEL));
	quarry_reserve_return(r);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			quarry_reserve_fill_size(r, QUARRY_MAX_SMALL + 1, 1, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill_size(r, QUARRY_MAX_SMALL, 2, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 2, quarry_reserve_left(r));
	quarry_reserve_return(r);
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill_size(r, 0, 2, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 2, quarry_reserve_left(r));
}

static void nonsense(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 48, NULL), *other = qt_cache(test, 48, NULL);
	struct quarry_reserve *r = qs_reserve(test);
	void *p[2];

	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_reserve_fill(NULL, cache, 1, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_reserve_fill(r, NULL, 1, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_reserve_fill_size(NULL, 8, 1, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			quarry_reserve_fill(r, cache, QUARRY_RESERVE_MAX + 1, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_reserve_fill(r, cache, UINT_MAX, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, quarry_reserve_alloc(NULL));
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_left(NULL));
	quarry_reserve_return(NULL);
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_left(r));

	KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(r, cache, 2, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_reserve_fill(r, other, 2, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_reserve_fill(r, other, 3, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 2, quarry_reserve_left(r));
	p[0] = quarry_reserve_alloc(r);
	p[1] = quarry_reserve_alloc(r);
	KUNIT_EXPECT_NULL(test, quarry_reserve_alloc(r));
	/* The reserve is empty, so another cache may fill it. */
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill(r, other, 3, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 3, qt_sum(other).live_objects);
	qt_free_n(cache, p, 2);
}

static void all_that_there_may_be(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 8, NULL);
	struct quarry_reserve *r = qs_reserve(test);
	unsigned int n = 0;
	void *p;

	KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(r, cache, QUARRY_RESERVE_MAX, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, QUARRY_RESERVE_MAX, quarry_reserve_left(r));
	while ((p = quarry_reserve_alloc(r))) {
		quarry_cache_free(cache, p);
		n++;
	}
	KUNIT_EXPECT_EQ(test, QUARRY_RESERVE_MAX, n);
}

/* Memory runs out while the reserve is filled. */
static void fill_fails(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 4096, NULL);
	struct quarry_reserve *r = qs_reserve(test);
	struct qt_shadow s;
	unsigned int left;

	qt_shadow_init(&s);
	KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(r, cache, 10, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, 0, quarry_limit_set(cache, QUARRY_NO_LIMIT, 1 << 20));
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			quarry_reserve_fill(r, cache, 1000, GFP_KERNEL | __GFP_NOWARN));
	left = quarry_reserve_left(r);
	KUNIT_EXPECT_GE(test, left, 10);
	KUNIT_EXPECT_LE(test, left, 256);
	KUNIT_EXPECT_EQ(test, left, qt_sum(cache).live_objects);
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			quarry_reserve_fill(r, cache, 1000, GFP_ATOMIC | __GFP_NOWARN));
	KUNIT_EXPECT_GE(test, quarry_reserve_left(r), left);
	qt_exit(test);
	KUNIT_EXPECT_GE(test, take_all(test, r, &s, cache), left);
	KUNIT_ASSERT_EQ(test, 0, quarry_limit_set(cache, QUARRY_NO_LIMIT, QUARRY_NO_LIMIT));
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill(r, cache, 1000, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1000, quarry_reserve_left(r));
	quarry_reserve_return(r);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

struct irq {
	struct irq_work work;
	struct quarry_reserve *r;
	void *p[2];
	struct completion done;
};

static void take_in_irq(struct irq_work *work)
{
	struct irq *i = container_of(work, struct irq, work);

	if (in_hardirq())
		i->p[0] = quarry_reserve_alloc(i->r);
	i->p[1] = quarry_reserve_alloc(i->r);
	complete(&i->done);
}

static void in_atomic_contexts(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct quarry_reserve *r = qs_reserve(test);
	struct irq *i = qt_array(test, 1, sizeof(*i));
	void *p[5] = {};
	unsigned long flags;

	qp_cache_rate(test, cache, 1);
	KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(r, cache, 6, GFP_KERNEL));
	preempt_disable();
	p[0] = quarry_reserve_alloc(r);
	preempt_enable();
	local_irq_save(flags);
	p[1] = quarry_reserve_alloc(r);
	local_irq_restore(flags);
	local_bh_disable();
	p[2] = quarry_reserve_alloc(r);
	local_bh_enable();
	init_completion(&i->done);
	i->r = r;
	i->work = qt_irq_work(take_in_irq);
	irq_work_queue(&i->work);
	wait_for_completion(&i->done);
	irq_work_sync(&i->work);
	p[3] = i->p[0];
	p[4] = i->p[1];
	KUNIT_EXPECT_EQ(test, 1, quarry_reserve_left(r));
	KUNIT_EXPECT_EQ(test, 6, qt_sum(cache).live_objects);
	for (i = NULL, flags = 0; flags < ARRAY_SIZE(p); flags++)
		KUNIT_EXPECT_NOT_NULL(test, p[flags]);
	qt_free_n(cache, p, ARRAY_SIZE(p));
	/* Fill the reserve with interrupts off. */
	qt_skip_on_rt(test);
	local_irq_save(flags);
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill(r, cache, 20, GFP_ATOMIC));
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, 20, quarry_reserve_left(r));
	local_irq_save(flags);
	quarry_reserve_return(r);
	local_irq_restore(flags);
}

#ifdef CONFIG_KPROBES
static struct {
	struct quarry_reserve *r;
	void *p;
	unsigned int left;
} nmi;

static void use_in_nmi(void *unused)
{
	nmi.p = quarry_reserve_alloc(nmi.r);
	nmi.left = quarry_reserve_left(nmi.r);
}

/* In NMI the sample stays with the filler, until the object is freed. */
static void in_nmi_too(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct quarry_site sum;

	memset(&nmi, 0, sizeof(nmi));
	nmi.r = qs_reserve(test);
	qp_cache_rate(test, cache, 1);
	KUNIT_ASSERT_EQ(test, 0, quarry_reserve_fill(nmi.r, cache, 2, GFP_KERNEL));
	qt_in_nmi(test, use_in_nmi, NULL);
	KUNIT_ASSERT_NOT_NULL(test, nmi.p);
	KUNIT_EXPECT_EQ(test, 1, nmi.left);
	qp_now(test, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, qp_objects(2), sum.inuse.objects);
	KUNIT_EXPECT_EQ(test, qp_objects(2), sum.alloc.objects);
	quarry_cache_free(cache, nmi.p);
	quarry_reserve_return(nmi.r);
	qp_now(test, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.objects);
}
#endif

/* --- Several threads at a time --- */

#define TAKERS 4
#define ROUNDS 300
#define DEPTH  64

struct crowd {
	struct quarry_cache *cache;
	struct quarry_reserve *r;
	struct qt_shadow shadow;
	atomic64_t taken;
	bool filled;
	struct completion done[TAKERS];
};

struct taker {
	struct crowd *c;
	unsigned int k;
};

static int take_and_free(void *arg)
{
	struct taker *t = arg;
	struct crowd *c = t->c;
	bool last;
	void *p;

	do {
		last = smp_load_acquire(&c->filled); /* pairs with several_takers() */
		while ((p = qt_got(&c->shadow, quarry_reserve_alloc(c->r)))) {
			atomic64_inc(&c->taken);
			quarry_cache_free(c->cache, qt_put(&c->shadow, p));
		}
		cond_resched();
	} while (!last);
	complete(&c->done[t->k]);
	return 0;
}

/* Threads take objects while the reserve is filled: each object goes to one thread. */
static void several_takers(struct kunit *test)
{
	struct crowd *c = qt_array(test, 1, sizeof(*c));
	struct taker *t = qt_array(test, TAKERS, sizeof(*t));
	unsigned int i, started;
	s64 added = 0;

	c->cache = qt_cache(test, 64, NULL);
	c->r = qs_reserve(test);
	qt_shadow_init(&c->shadow);
	for (started = 0; started < TAKERS; started++) {
		struct task_struct *task;

		t[started] = (struct taker){ .c = c, .k = started };
		init_completion(&c->done[started]);
		task = kthread_create(take_and_free, &t[started], "taker");
		if (IS_ERR(task))
			break;
		kthread_bind(task, cpumask_nth(started % num_online_cpus(), cpu_online_mask));
		wake_up_process(task);
	}
	KUNIT_EXPECT_EQ(test, TAKERS, started);
	for (i = 0; i < ROUNDS; i++) {
		KUNIT_EXPECT_EQ(test, 0, quarry_reserve_fill(c->r, c->cache, DEPTH, GFP_KERNEL));
		cond_resched();
	}
	smp_store_release(&c->filled, true); /* after the last object; pairs with take_and_free() */
	for (i = 0; i < started; i++)
		wait_for_completion(&c->done[i]);
	KUNIT_EXPECT_EQ(test, 0, quarry_reserve_left(c->r));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&c->shadow.errors));
	KUNIT_EXPECT_GE(test, atomic64_read(&c->taken), DEPTH);
	/* Each taken object counts twice; others had no place and were freed at once. */
	added = qt_sum(c->cache).mallocs - 2 * atomic64_read(&c->taken);
	KUNIT_EXPECT_GE(test, added, 0);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(c->cache).live_objects);
}

static struct kunit_case cases[] = { KUNIT_CASE(as_many_as_were_filled),
				     KUNIT_CASE(returned),
				     KUNIT_CASE(zeroed),
				     KUNIT_CASE(of_malloc),
				     KUNIT_CASE(nonsense),
				     KUNIT_CASE(all_that_there_may_be),
				     KUNIT_CASE(fill_fails),
				     KUNIT_CASE(in_atomic_contexts),
#ifdef CONFIG_KPROBES
				     KUNIT_CASE(in_nmi_too),
#endif
				     KUNIT_CASE(several_takers),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite reserve_suite = {
	.name = "quarry_reserve",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(reserve_suite);
