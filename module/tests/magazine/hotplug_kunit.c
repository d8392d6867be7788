// SPDX-License-Identifier: GPL-2.0
/* CPUs that go offline with full magazines, and come back. */
#include "tests/kunit_util.h"

#include <linux/cpu.h>
#include <quarry/profile.h>

#define N 400

static void bring_back(void *arg)
{
	unsigned int cpu = (unsigned long)arg;

	if (!cpu_online(cpu))
		add_cpu(cpu);
}

/* The CPU to take offline: the last one. */
static unsigned int victim(struct kunit *test)
{
	unsigned int cpu = cpumask_last(cpu_online_mask);

	if (!cpu)
		kunit_skip(test, "one CPU only");
	if (!cpu_is_hotpluggable(cpu))
		kunit_skip(test, "CPU %u cannot go", cpu);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, bring_back, (void *)(unsigned long)cpu));
	return cpu;
}

static struct qr_head *head_of(struct quarry_cache *cache, unsigned int cpu)
{
	return per_cpu_ptr(cache->head, cpu);
}

static void fill_and_take_down(struct kunit *test, struct quarry_cache *cache, struct qt_shadow *s,
			       unsigned int cpu, void **objs)
{
	unsigned int i;

	qt_pin(test, cpu);
	for (i = 0; i < N; i++) {
		objs[i] = qt_got(s, quarry_cache_alloc(cache, GFP_KERNEL));
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	/* Ten objects stay live.  The last one that is freed is another node's. */
	for (i = 10; i < N - 1; i++)
		quarry_cache_free(cache, qt_put(s, objs[i]));
	if (nodes_weight(qr_nodes) > 1) {
		int away = qt_other_node(test, raw_cpu_read(qr_home_node));

		quarry_cache_free(cache, qt_put(s, objs[i]));
		objs[i] = qt_got(s, quarry_cache_alloc_node(cache, GFP_KERNEL, away));
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	quarry_cache_free(cache, qt_put(s, objs[i]));
	KUNIT_ASSERT_EQ(test, nodes_weight(qr_nodes) > 1, qt_waiting(head_of(cache, cpu)));
	KUNIT_ASSERT_GT(test, qr_head_peek(head_of(cache, cpu)), 0);
	qt_pin(test, 0);
	KUNIT_ASSERT_EQ(test, 0, remove_cpu(cpu));
	KUNIT_ASSERT_FALSE(test, cpu_online(cpu));
}

static void dead_cpu_keeps_nothing(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	void **objs = qt_array(test, N, sizeof(*objs));
	unsigned int cpu = victim(test), round, i;
	struct qt_shadow s;

	qt_shadow_init(&s);
	for (round = 0; round < 3; round++) {
		fill_and_take_down(test, cache, &s, cpu, objs);
		KUNIT_EXPECT_EQ(test, 0, qr_head_peek(head_of(cache, cpu)));
		KUNIT_EXPECT_EQ(test, 0, head_of(cache, cpu)->capacity);
		KUNIT_EXPECT_EQ(test, 0, qt_waiting(head_of(cache, cpu)));
		KUNIT_EXPECT_EQ(test, 0, qr_percpu_granted(cpu));
		qt_shadow_check(test, &s, cache);
		KUNIT_EXPECT_EQ(test, 10, qt_sum(cache).live_objects);
		qt_exit(test);
		/* This CPU can allocate and free the objects of the dead CPU's node. */
		for (i = 10; i < N; i++) {
			objs[i] = qt_got(&s, quarry_cache_alloc_node(cache, GFP_KERNEL,
								     per_cpu(qr_home_node, cpu)));
			KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		}
		for (i = 0; i < N; i++)
			quarry_cache_free(cache, qt_put(&s, objs[i]));
		quarry_cache_shrink(cache);
		qt_shadow_check(test, &s, cache);
		KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).slabs);
		KUNIT_ASSERT_EQ(test, 0, add_cpu(cpu));
	}
}

static void caches_change_while_it_is_down(struct kunit *test)
{
	struct quarry_cache *gone = qt_cache(test, 64, NULL), *made;
	void **objs = qt_array(test, N, sizeof(*objs));
	unsigned int cpu = victim(test), i;
	struct qt_shadow s;

	qt_shadow_init(&s);
	fill_and_take_down(test, gone, &s, cpu, objs);
	for (i = 0; i < 10; i++)
		quarry_cache_free(gone, qt_put(&s, objs[i]));
	qt_shadow_check(test, &s, gone);
	qt_cache_destroy(test, gone);
	made = qt_cache(test, 72, NULL);
	KUNIT_ASSERT_EQ(test, 0, add_cpu(cpu));
	qt_pin(test, cpu);
	qt_shadow_init(&s);
	for (i = 0; i < N; i++) {
		objs[i] = qt_got(&s, quarry_cache_alloc(made, GFP_KERNEL));
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_ASSERT_EQ(test, per_cpu(qr_home_node, cpu), qt_node_of(objs[i]));
	}
	for (i = 0; i < N; i++)
		quarry_cache_free(made, qt_put(&s, objs[i]));
	qt_shadow_check(test, &s, made);
	/* All frees were fast: the CPU has its view of the chunks again. */
	KUNIT_EXPECT_EQ(test, 0, qt_sum(made).direct_frees);
}

/* A CPU that comes samples by the rate that was set while it was offline. */
static void rate_is_set_while_it_is_down(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned int cpu = victim(test);
	u32 id = qr_cache_of(cache)->id;

	KUNIT_ASSERT_EQ(test, 0, remove_cpu(cpu));
	KUNIT_EXPECT_EQ(test, 0, qr_cache_rate_set(id, 4096, true));
	KUNIT_ASSERT_EQ(test, 0, add_cpu(cpu));
	qt_pin(test, cpu);
	/* The head has a rate only if a sample is due, perhaps at its next allocation. */
	KUNIT_EXPECT_EQ(test, 4096, head_of(cache, cpu)->rate);
}

static void size_classes_are_drained(struct kunit *test)
{
	unsigned int cpu = victim(test), cls;

	qt_pin(test, cpu);
	for (cls = 1; cls < QR_NR_CLASSES; cls++) {
		void *p = quarry_cache_alloc(qr_class_cache[cls], GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, p);
		quarry_free(p);
		KUNIT_EXPECT_GT(test, qr_head_peek(head_of(qr_class_cache[cls], cpu)), 0);
	}
	qt_pin(test, 0);
	KUNIT_ASSERT_EQ(test, 0, remove_cpu(cpu));
	for (cls = 1; cls < QR_NR_CLASSES; cls++)
		KUNIT_EXPECT_EQ(test, 0, qr_head_peek(head_of(qr_class_cache[cls], cpu)));
	qt_exit(test);
	qr_drain_all();
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->cached_objects);
	KUNIT_ASSERT_EQ(test, 0, add_cpu(cpu));
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(dead_cpu_keeps_nothing),
				     KUNIT_CASE_SLOW(caches_change_while_it_is_down),
				     KUNIT_CASE_SLOW(rate_is_set_while_it_is_down),
				     KUNIT_CASE_SLOW(size_classes_are_drained),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite hotplug_suite = {
	.name = "quarry_hotplug",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(hotplug_suite);
