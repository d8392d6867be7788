// SPDX-License-Identifier: GPL-2.0
/* Clients and observers read the same numbers, and the numbers agree with each other. */
#include "tests/kunit_util.h"

#include <linux/sizes.h>

struct found {
	struct quarry_cache_stats *st;
	const char *name;
	unsigned int nr;
};

static int find(const struct quarry_cache_stats *st, void *arg)
{
	struct found *f = arg;

	if (!strcmp(st->name, f->name)) {
		*f->st = *st;
		f->nr++;
	}
	return 0;
}

/* The table of caches shows the numbers that the cache's client reads. */
static void expect_same(struct kunit *test, struct quarry_cache *cache,
			struct quarry_cache_stats *st)
{
	struct quarry_cache_stats *seen = kunit_kzalloc(test, sizeof(*seen), GFP_KERNEL);
	struct found f = { .st = seen, .name = qr_cache_of(cache)->name };

	KUNIT_ASSERT_NOT_NULL(test, seen);
	memset(st, 0x55, sizeof(*st));
	KUNIT_EXPECT_EQ(test, 0, quarry_cache_stats_read(cache, st));
	qr_walk_caches(find, &f);
	KUNIT_EXPECT_EQ(test, 1, f.nr);
	KUNIT_EXPECT_EQ(test, 0, memcmp(seen, st, sizeof(*st)));
	KUNIT_EXPECT_EQ(test, st->live_objects, st->mallocs - st->frees);
	KUNIT_EXPECT_EQ(test, st->mallocs, st->local_allocs + st->remote_allocs);
	KUNIT_EXPECT_LE(test, st->live_objects + st->cached_objects, st->capacity_objects);
}

static void one_cache(struct kunit *test)
{
	struct quarry_cache_stats *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);
	struct quarry_cache *cache = qt_cache(test, 100, NULL);
	void **objs = qt_array(test, 500, sizeof(*objs));

	KUNIT_ASSERT_NOT_NULL(test, st);
	expect_same(test, cache, st);
	KUNIT_EXPECT_STREQ(test, "one_cache", st->name);
	KUNIT_EXPECT_EQ(test, 104, st->size);
	KUNIT_EXPECT_EQ(test, 0, st->mallocs);
	qt_alloc_n(test, cache, objs, 500);
	expect_same(test, cache, st);
	KUNIT_EXPECT_EQ(test, 500, st->mallocs);
	KUNIT_EXPECT_EQ(test, 500, st->live_objects);
	qt_free_n(cache, objs, 400);
	expect_same(test, cache, st);
	KUNIT_EXPECT_EQ(test, 400, st->frees);
	KUNIT_EXPECT_EQ(test, 100, st->live_objects);
	KUNIT_EXPECT_GT(test, st->cached_objects, 0);
	quarry_cache_shrink(cache);
	expect_same(test, cache, st);
	KUNIT_EXPECT_EQ(test, 0, st->cached_objects);
	qt_free_n(cache, objs + 400, 100);
	expect_same(test, cache, st);
	KUNIT_EXPECT_EQ(test, 0, st->live_objects);
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_cache_stats_read(NULL, st));
}

/* The structure has 300 bytes, and a case has room for only a few of them on its stack. */
static noinline u64 alloc_misses(struct quarry_cache *cache)
{
	return qt_sum(cache).alloc_misses;
}

static noinline u64 free_misses(struct quarry_cache *cache)
{
	return qt_sum(cache).free_misses;
}

/* An allocation misses when the magazine is empty, and a free when it is full. */
static void hits_and_misses(struct kunit *test)
{
	struct quarry_cache *cache =
		qt_cache(test, 64, &(struct quarry_cache_args){ .flags = QUARRY_NO_SAMPLE });
	unsigned int batch = qr_cache_of(cache)->batch, i;
	void **objs = qt_array(test, 3 * batch, sizeof(*objs));

	qt_pin(test, 0);
	qt_budget(test, 4096);
	qt_alloc_n(test, cache, objs, batch);
	KUNIT_EXPECT_EQ(test, 1, alloc_misses(cache));
	qt_alloc_n(test, cache, objs + batch, 2 * batch);
	KUNIT_EXPECT_EQ(test, 3, alloc_misses(cache));
	for (i = 0; i < 100; i++) {
		qt_free_n(cache, objs, 1);
		qt_alloc_n(test, cache, objs, 1);
	}
	KUNIT_EXPECT_EQ(test, 3, alloc_misses(cache));
	KUNIT_EXPECT_EQ(test, 3 * batch + 100, qt_sum(cache).mallocs);
	qt_free_n(cache, objs, 2 * batch);
	KUNIT_EXPECT_EQ(test, 0, free_misses(cache));
	qt_free_n(cache, objs + 2 * batch, 1);
	KUNIT_EXPECT_EQ(test, 1, free_misses(cache));
	/* What a drain moves is no miss. */
	qr_drain_all();
	KUNIT_EXPECT_EQ(test, 1, free_misses(cache));
	qt_free_n(cache, objs + 2 * batch + 1, batch - 1);
	KUNIT_EXPECT_EQ(test, 1, free_misses(cache));
	KUNIT_EXPECT_EQ(test, 3, alloc_misses(cache));
}

static int add_node(const struct quarry_cache_node *cn, void *arg)
{
	struct quarry_cache_node *sum = arg;

	sum[cn->node] = *cn;
	return 0;
}

static int add_cpu(const struct quarry_cache_cpu *cc, void *arg)
{
	struct quarry_cache_cpu *sum = arg;

	sum[cc->cpu] = *cc;
	return 0;
}

/* Where a cache's pages and its free objects are. */
static void nodes_and_cpus(struct kunit *test)
{
	struct quarry_cache_args args = { .flags = QUARRY_NO_SAMPLE };
	struct quarry_cache *cache = qt_cache(test, 512, &args);
	struct quarry_cache_node *nodes = qt_array(test, nr_node_ids, sizeof(*nodes));
	struct quarry_cache_cpu *cpus = qt_array(test, nr_cpu_ids, sizeof(*cpus));
	int here = first_node(qr_nodes), there = qt_other_node(test, here);
	unsigned int cpu = qt_cpu_of_node(test, here), id = qr_cache_of(cache)->id;
	struct quarry_cache_stats st;
	void **objs = qt_array(test, 101, sizeof(*objs));

	KUNIT_EXPECT_EQ(test, 0, qr_walk_cache_cpus(id, add_cpu, cpus));
	KUNIT_EXPECT_TRUE(test, qt_is_zero(cpus, nr_cpu_ids * sizeof(*cpus)));
	qt_pin(test, cpu);
	qt_budget(test, 4096);
	qt_alloc_n(test, cache, objs, 100);
	qt_free_n(cache, objs, 5);
	objs[100] = quarry_cache_alloc_node(cache, GFP_KERNEL, there);
	KUNIT_EXPECT_EQ(test, 0, qr_walk_cache_nodes(id, add_node, nodes));
	KUNIT_EXPECT_EQ(test, 0, qr_walk_cache_cpus(id, add_cpu, cpus));
	st = qt_sum(cache);
	KUNIT_EXPECT_EQ(test, 1, nodes[there].slabs);
	KUNIT_EXPECT_EQ(test, st.slabs - 1, nodes[here].slabs);
	KUNIT_EXPECT_EQ(test, st.slab_pages * PAGE_SIZE, nodes[there].inuse_bytes);
	KUNIT_EXPECT_EQ(test, st.inuse_bytes, nodes[here].inuse_bytes + nodes[there].inuse_bytes);
	KUNIT_EXPECT_EQ(test, cpu, cpus[cpu].cpu);
	KUNIT_EXPECT_EQ(test, qr_cache_of(cache)->capacity, cpus[cpu].magazine);
	KUNIT_EXPECT_EQ(test, qr_head_peek(qt_head(cache)), cpus[cpu].magazine_objects);
	KUNIT_EXPECT_GE(test, cpus[cpu].magazine_objects, 5);
	KUNIT_EXPECT_EQ(test, st.cached_objects,
			cpus[cpu].magazine_objects + nodes[here].depot_objects +
				nodes[there].depot_objects);
	qt_free_n(cache, objs + 5, 96);
	KUNIT_EXPECT_EQ(test, -ENOENT, qr_walk_cache_nodes(UINT_MAX, add_node, nodes));
	KUNIT_EXPECT_EQ(test, -ENOENT, qr_walk_cache_cpus(UINT_MAX, add_cpu, cpus));
}

struct from_irq {
	struct irq_work work;
	struct quarry_cache *cache;
	struct quarry_cache_stats *st;
};

static void irq_fn(struct irq_work *work)
{
	struct from_irq *f = container_of(work, struct from_irq, work);

	quarry_cache_stats_read(f->cache, f->st);
}

static void in_interrupts(struct kunit *test)
{
	struct from_irq f = {
		.work = qt_irq_work(irq_fn),
		.cache = qt_cache(test, 64, NULL),
		.st = kunit_kzalloc(test, sizeof(*f.st), GFP_KERNEL),
	};
	void *objs[10];

	KUNIT_ASSERT_NOT_NULL(test, f.st);
	qt_alloc_n(test, f.cache, objs, 10);
	irq_work_queue(&f.work);
	irq_work_sync(&f.work);
	KUNIT_EXPECT_EQ(test, 10, f.st->live_objects);
	qt_free_n(f.cache, objs, 10);
}

static int add_up(const struct quarry_cache_stats *cs, void *arg)
{
	struct quarry_stats *sum = arg;

	sum->caches++;
	sum->live_objects += cs->live_objects;
	sum->live_bytes += cs->live_objects * cs->size;
	sum->cached_objects += cs->cached_objects;
	sum->inuse_bytes += cs->inuse_bytes;
	sum->slabs += cs->slabs;
	return 0;
}

/* The totals are the sums over all caches and large objects. */
static void all_of_them(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 72, NULL);
	struct quarry_stats *before, *st, *sum;
	void *objs[60], *p, *q;

	sum = kunit_kzalloc(test, sizeof(*sum), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sum);
	qt_longest_run(test, 8);
	before = qt_stats(test);
	qt_alloc_n(test, cache, objs, 60);
	p = quarry_malloc(SZ_128K, GFP_KERNEL);
	q = quarry_vmalloc(SZ_256K, GFP_KERNEL);
	st = qt_stats(test);
	qr_walk_caches(add_up, sum);
	KUNIT_EXPECT_EQ(test, before->mallocs + 62, st->mallocs);
	KUNIT_EXPECT_EQ(test, before->live_bytes + 60 * 72 + SZ_128K + SZ_256K, st->live_bytes);
	KUNIT_EXPECT_EQ(test, sum->caches, st->caches);
	KUNIT_EXPECT_EQ(test, sum->slabs, st->slabs);
	KUNIT_EXPECT_EQ(test, sum->cached_objects, st->cached_objects);
	KUNIT_EXPECT_EQ(test, sum->live_objects + st->large_objects + st->mapped_objects,
			st->live_objects);
	KUNIT_EXPECT_EQ(test, sum->live_bytes + st->large_bytes + st->mapped_bytes, st->live_bytes);
	KUNIT_EXPECT_EQ(test, sum->inuse_bytes + st->large_bytes + st->mapped_bytes,
			st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, st->live_objects, st->mallocs - st->frees);
	KUNIT_EXPECT_EQ(test, st->mallocs, st->local_allocs + st->remote_allocs);
	KUNIT_EXPECT_EQ(test, st->sys_bytes, st->inuse_bytes + st->idle_bytes + st->metadata_bytes);
	KUNIT_EXPECT_EQ(test, st->sys_bytes, st->taken_bytes - st->returned_bytes);
	KUNIT_EXPECT_EQ(test, st->held_bytes, st->inuse_bytes + st->idle_bytes);
	quarry_free(p);
	quarry_free(q);
	qt_free_n(cache, objs, 60);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->frees + 62, st->frees);
	KUNIT_EXPECT_EQ(test, before->live_bytes, st->live_bytes);
}

static struct kunit_case cases[] = { KUNIT_CASE(one_cache),
				     KUNIT_CASE(hits_and_misses),
				     KUNIT_CASE(nodes_and_cpus),
				     KUNIT_CASE(in_interrupts),
				     KUNIT_CASE(all_of_them),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite stats_suite = {
	.name = "quarry_stats",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(stats_suite);
