// SPDX-License-Identifier: GPL-2.0
/* Cleanups run once, in order, when their object is freed, in every way to free an object. */
#include "tests/cache/cleanup_util.h"

#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

static void args_init(struct qc_arg *args, unsigned int n, struct qc_log *log)
{
	while (n--)
		args[n] = (struct qc_arg){ .log = log, .tag = n };
}

/* --- Order --- */

static void in_order(struct kunit *test)
{
	struct qc_log *log = qc_log(test);
	struct qc_arg args[20];
	unsigned int i, n;
	void *p;

	args_init(args, 20, log);
	for (n = 0; n <= 20; n = 2 * n + 1) {
		p = quarry_malloc(100, GFP_KERNEL);
		log->nr = 0;
		for (i = 0; i < n; i++)
			qc_add(test, p, &args[i]);
		quarry_free(p);
		KUNIT_ASSERT_EQ(test, n, log->nr);
		for (i = 0; i < n; i++) {
			KUNIT_EXPECT_PTR_EQ(test, p, log->p[i]);
			KUNIT_EXPECT_EQ(test, i, log->tag[i]);
		}
	}
}

/* A few of many objects in the same slabs have cleanups. */
static void several_objects(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 48, NULL);
	void **objs = qt_array(test, 400, sizeof(*objs));
	struct qc_arg *args = qt_array(test, 400, sizeof(*args));
	struct qc_log *log = qc_log(test);
	unsigned int i, expected = 0;

	args_init(args, 400, log);
	qt_alloc_n(test, cache, objs, 400);
	for (i = 0; i < 400; i += 7)
		qc_add(test, objs[i], &args[i]);
	for (i = 14; i < 400; i += 14)
		qc_add(test, objs[i], &args[0]);
	qt_exit(test);
	for (i = 0; i < 400; i++) {
		unsigned int n = i % 7 ? 0 : i % 14 || !i ? 1 : 2;

		log->nr = 0;
		quarry_cache_free(cache, objs[i]);
		KUNIT_ASSERT_EQ(test, n, log->nr);
		if (n)
			KUNIT_EXPECT_EQ(test, i, log->tag[0]);
		expected += n;
	}
	KUNIT_EXPECT_EQ(test, DIV_ROUND_UP(400, 7) + 400 / 14, expected);
	KUNIT_EXPECT_EQ(test, 400, qt_sum(cache).frees);
}

static void removed(struct kunit *test)
{
	struct qc_log *log = qc_log(test);
	struct qc_arg args[4];
	unsigned int i, k;
	void *p;

	args_init(args, 4, log);
	for (i = 0; i < 4; i++) {
		p = quarry_malloc(100, GFP_KERNEL);
		log->nr = 0;
		for (k = 0; k < 4; k++)
			qc_add(test, p, &args[k]);
		KUNIT_EXPECT_TRUE(test, quarry_cleanup_remove(p, qc_ran, &args[i]));
		KUNIT_EXPECT_FALSE(test, quarry_cleanup_remove(p, qc_ran, &args[i]));
		KUNIT_EXPECT_FALSE(test, quarry_cleanup_remove(p, NULL, &args[(i + 1) % 4]));
		quarry_free(p);
		KUNIT_ASSERT_EQ(test, 3, log->nr);
		for (k = 0; k < 3; k++)
			KUNIT_EXPECT_EQ(test, k + (k >= i), log->tag[k]);
	}
	/* Of equal cleanups the one added first is removed. */
	p = quarry_malloc(100, GFP_KERNEL);
	log->nr = 0;
	for (k = 0; k < 4; k++)
		qc_add(test, p, &args[k % 2]);
	KUNIT_EXPECT_TRUE(test, quarry_cleanup_remove(p, qc_ran, &args[0]));
	quarry_free(p);
	KUNIT_ASSERT_EQ(test, 3, log->nr);
	for (k = 0; k < 3; k++)
		KUNIT_EXPECT_EQ(test, !(k & 1), log->tag[k]);
	/* Remove the only cleanup, and cleanups that do not exist. */
	p = quarry_malloc(SZ_64K, GFP_KERNEL);
	log->nr = 0;
	KUNIT_EXPECT_FALSE(test, quarry_cleanup_remove(p, qc_ran, &args[0]));
	qc_add(test, p, &args[0]);
	KUNIT_EXPECT_TRUE(test, quarry_cleanup_remove(p, qc_ran, &args[0]));
	KUNIT_EXPECT_FALSE(test, quarry_cleanup_remove(p, qc_ran, &args[0]));
	KUNIT_EXPECT_FALSE(test, quarry_cleanup_remove(p + 1, qc_ran, &args[0]));
	KUNIT_EXPECT_FALSE(test, quarry_cleanup_remove(NULL, qc_ran, &args[0]));
	quarry_free(p);
	KUNIT_EXPECT_EQ(test, 0, log->nr);
}

/* --- Kinds of objects --- */

static void once(struct kunit *test, void *p, size_t size, struct quarry_cache *cache)
{
	struct qc_log *log = qc_log(test);
	struct qc_arg arg = { .log = log, .tag = 5 };

	KUNIT_ASSERT_NOT_NULL(test, p);
	qt_fill(p, size, 7);
	qc_add(test, p, &arg);
	qt_exit(test);
	KUNIT_EXPECT_FALSE(test, qc_is_fast(p));
	KUNIT_EXPECT_TRUE(test, qt_is_filled(p, size, 7));
	if (cache)
		quarry_cache_free(cache, p);
	else
		quarry_free(p);
	KUNIT_EXPECT_EQ(test, 1, log->nr);
	KUNIT_EXPECT_PTR_EQ(test, p, log->p[0]);
	qt_exit(test);
	kunit_kfree(test, log);
}

static void kinds(struct kunit *test, size_t largest)
{
	static const size_t sizes[] = { 1,    8,     24,    100,    512,   1000,     4096,
					5000, 32768, 32769, SZ_64K, SZ_2M, 3 * SZ_1M };
	unsigned int i;
	int node;

	for (i = 0; i < ARRAY_SIZE(sizes) && sizes[i] <= largest; i++) {
		once(test, quarry_malloc(sizes[i], GFP_KERNEL), sizes[i], NULL);
		for_each_node_mask(node, qr_nodes)
			once(test, quarry_malloc_node(sizes[i], GFP_KERNEL, node), sizes[i], NULL);
		once(test, quarry_vmalloc(sizes[i], GFP_KERNEL), sizes[i], NULL);
		if (sizes[i] <= QUARRY_MAX_SMALL) {
			struct quarry_cache *cache = qt_cache(test, sizes[i], NULL);

			once(test, quarry_cache_alloc(cache, GFP_KERNEL), sizes[i], cache);
			once(test, quarry_cache_alloc(cache, GFP_KERNEL), sizes[i], NULL);
			for_each_node_mask(node, qr_nodes)
				once(test, quarry_cache_alloc_node(cache, GFP_KERNEL, node),
				     sizes[i], cache);
			qt_cache_destroy(test, cache);
		}
	}
	once(test, quarry_aligned_alloc(SZ_64K, SZ_64K, GFP_KERNEL), SZ_64K, NULL);
}

static void each_kind(struct kunit *test)
{
	kinds(test, SZ_4M);
}

static void mapped(struct kunit *test)
{
	void *p;

	qt_longest_run(test, 8);
	p = quarry_vmalloc(SZ_1M, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(p));
	once(test, p, SZ_1M, NULL);
}

static void mixed(struct kunit *test)
{
	qr_drain_all();
	qr_heap_release_idle();
	qt_no_chunks(test);
	kinds(test, SZ_2M);
}

static void sampled(struct kunit *test)
{
	struct qp_books large;

	qp_rate(test, 1);
	qp_books_open(test, &large, NULL);
	kinds(test, SZ_4M);
	qp_books_agree(test, &large, 0);
	qp_expect_all_found(test);
}

/* A sampled object is still in the profile while its cleanups run. */
static void count_samples(void *p, void *arg)
{
	*(u64 *)arg = qp_counts().live_samples;
}

static void sampled_until_then(struct kunit *test)
{
	static const size_t sizes[] = { 100, SZ_64K };
	unsigned int i;

	qp_rate(test, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *p = quarry_malloc(sizes[i], GFP_KERNEL);
		u64 then = 0, before = qp_counts().live_samples;

		KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, count_samples, &then));
		quarry_free(p);
		KUNIT_EXPECT_EQ(test, before, then);
		KUNIT_EXPECT_EQ(test, before - 1, qp_counts().live_samples);
	}
}

static void bulk(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	void **objs = qt_array(test, 600, sizeof(*objs));
	struct qc_log *log = qc_log(test);
	struct qc_arg args[20];
	unsigned int k, i;

	args_init(args, 20, log);
	for (k = 0; k < 4; k++) {
		log->nr = 0;
		if (k % 2) {
			KUNIT_ASSERT_EQ(test, 600,
					quarry_malloc_bulk(80 + k, GFP_KERNEL, 600, objs));
		} else {
			qt_alloc_n(test, cache, objs, 600);
		}
		for (i = 0; i < 20; i++)
			qc_add(test, objs[30 * i + k], &args[i]);
		if (k == 0)
			quarry_cache_free_bulk(cache, 600, objs);
		else
			quarry_free_bulk(600, objs);
		KUNIT_ASSERT_EQ(test, 20, log->nr);
		for (i = 0; i < 20; i++) {
			KUNIT_EXPECT_EQ(test, i, log->tag[i]);
			KUNIT_EXPECT_PTR_EQ(test, objs[30 * i + k], log->p[i]);
		}
		qt_exit(test);
	}
	KUNIT_EXPECT_EQ(test, 1200, qt_sum(cache).frees);
}

/* --- Contexts --- */

struct from {
	struct irq_work irq;
	void *p;
	struct qc_log *log;
	bool irqs_off;
	bool hardirq;
	bool atomic;
};

static void look(void *p, void *arg)
{
	struct from *f = arg;

	f->irqs_off = irqs_disabled();
	f->hardirq = in_hardirq();
	f->atomic = !preemptible();
}

static void irq_fn(struct irq_work *irq)
{
	struct from *f = container_of(irq, struct from, irq);

	quarry_free(f->p);
}

static void *looked_at(struct kunit *test, struct from *f, size_t size)
{
	void *p = quarry_malloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, look, f));
	return p;
}

static void as_the_free_was(struct kunit *test)
{
	struct from f = { .irq = qt_irq_work(irq_fn) };
	size_t size;

	for (size = 100; size <= SZ_64K; size = size * size) {
		quarry_free(looked_at(test, &f, size));
		KUNIT_EXPECT_FALSE(test, f.irqs_off || f.hardirq);
		KUNIT_EXPECT_FALSE(test, IS_ENABLED(CONFIG_PREEMPT_COUNT) && f.atomic);
		f.p = looked_at(test, &f, size);
		local_irq_disable();
		quarry_free(f.p);
		local_irq_enable();
		KUNIT_EXPECT_TRUE(test, f.irqs_off);
		KUNIT_EXPECT_FALSE(test, f.hardirq);
		f.p = looked_at(test, &f, size);
		irq_work_queue(&f.irq);
		irq_work_sync(&f.irq);
		KUNIT_EXPECT_TRUE(test, f.irqs_off && f.hardirq);
	}
}

static long free_there(void *arg)
{
	void **p = arg;

	for (; *p; p++)
		quarry_free(*p);
	return 0;
}

/* Every CPU runs the cleanups, although its magazine is warm and nothing told it of them. */
static void from_each_cpu(struct kunit *test)
{
	struct qc_log *log = qc_log(test);
	struct qc_arg args[20];
	unsigned int cpu, i;
	int node;

	args_init(args, 20, log);
	for_each_online_cpu(cpu) {
		for_each_node_mask(node, qr_nodes) {
			void *objs[41] = {}, *rest[21] = {};

			for (i = 0; i < 40; i++)
				objs[i] = quarry_malloc_node(100, GFP_KERNEL, node);
			for (i = 0; i < 20; i++)
				rest[i] = quarry_malloc_node(100, GFP_KERNEL, node);
			work_on_cpu(cpu, free_there, rest);
			log->nr = 0;
			for (i = 0; i < 20; i++)
				qc_add(test, objs[2 * i], &args[i]);
			work_on_cpu(cpu, free_there, objs);
			KUNIT_EXPECT_EQ(test, 20, log->nr);
			for (i = 0; i < 20; i++)
				KUNIT_EXPECT_EQ(test, i, log->tag[i]);
		}
	}
}

/* --- What a cleanup may do --- */

struct tree {
	struct quarry_cache *cache;
	void *child[2];
	unsigned int *freed;
	bool late;
};

static void free_children(void *p, void *arg)
{
	struct tree *t = p;
	unsigned int i;

	++*t->freed;
	for (i = 0; i < 2; i++) {
		/* Some children get their cleanups here. */
		if (t->child[i] && t->late && quarry_cleanup_add(t->child[i], free_children, NULL))
			WARN_ON(1);
		quarry_cache_free(t->cache, t->child[i]);
	}
	quarry_free(quarry_malloc(100, GFP_KERNEL));
}

static struct tree *grow_tree(struct kunit *test, struct quarry_cache *cache, unsigned int depth,
			      unsigned int *freed, bool late)
{
	struct tree *t = quarry_cache_alloc(cache, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	*t = (struct tree){ .cache = cache, .freed = freed, .late = depth % 2 };
	/* Nodes below one of odd depth get theirs when that one is freed. */
	if (!late)
		KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(t, free_children, NULL));
	for (i = 0; i < 2 && depth; i++)
		t->child[i] = grow_tree(test, cache, depth - 1, freed, t->late);
	return t;
}

static void frees_others(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, sizeof(struct tree), NULL);
	unsigned int freed = 0;
	struct tree *t = grow_tree(test, cache, 5, &freed, false);

	KUNIT_EXPECT_EQ(test, 63, qt_sum(cache).live_objects);
	qt_exit(test);
	quarry_cache_free(cache, t);
	KUNIT_EXPECT_EQ(test, 63, freed);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

/* A cleanup that adds one to the next object of the same bulk free. */
static void add_to_next(void *p, void *arg)
{
	void **rest = arg;

	if (*rest && quarry_cleanup_add(*rest, add_to_next, rest + 1))
		WARN_ON(1);
	*(u64 *)p = 0xfeed;
}

static void adds_to_the_next(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void *objs[65] = {};
	unsigned int k, i;

	for (k = 0; k < 4; k++) {
		for (i = 0; i < 64; i++) {
			objs[i] = k % 2 ? quarry_malloc(64, GFP_KERNEL) :
					  quarry_cache_alloc(cache, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, objs[i]);
			*(u64 *)objs[i] = 0;
		}
		KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(objs[0], add_to_next, objs + 1));
		if (k == 0)
			quarry_cache_free_bulk(cache, 64, objs);
		else
			quarry_free_bulk(64, objs);
		/* Quarry writes nothing into free objects, so they still have the word. */
		for (i = 0; i < 64; i++)
			KUNIT_EXPECT_EQ(test, 0xfeed, *(u64 *)objs[i]);
	}
}

static struct kunit_case cases[] = { KUNIT_CASE(in_order),
				     KUNIT_CASE(several_objects),
				     KUNIT_CASE(removed),
				     KUNIT_CASE_SLOW(each_kind),
				     KUNIT_CASE(mapped),
				     KUNIT_CASE_SLOW(mixed),
				     KUNIT_CASE_SLOW(sampled),
				     KUNIT_CASE(sampled_until_then),
				     KUNIT_CASE(bulk),
				     KUNIT_CASE(as_the_free_was),
				     KUNIT_CASE(from_each_cpu),
				     KUNIT_CASE(frees_others),
				     KUNIT_CASE(adds_to_the_next),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite cleanup_suite = {
	.name = "quarry_cleanup",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(cleanup_suite);
