// SPDX-License-Identifier: GPL-2.0
/*
 * Frees of other nodes' objects go home in batches, and are counted all the way.  Allocations that
 * had to go to another node are counted, too.
 */
#include "tests/kunit_util.h"

#include <linux/irqflags.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include "cache/capacity_balance.h"

#define N 320

struct away {
	int near, far;
	void *objs[N];
};

/* Allocate objects of every other node, in random order, on a CPU of the first node. */
static struct away *objects_from_away(struct kunit *test, struct quarry_cache *cache)
{
	struct away *a = qt_array(test, 1, sizeof(*a));
	unsigned int i;
	int node;

	a->near = first_node(qr_nodes);
	a->far = qt_other_node(test, a->near);
	qt_pin(test, qt_cpu_of_node(test, a->near));
	node = a->near;
	for (i = 0; i < N; i++) {
		unsigned int k = get_random_u32_below(i + 1);

		do {
			node = next_node_in(node, qr_nodes);
		} while (node == a->near);
		a->objs[i] = a->objs[k];
		a->objs[k] = quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, node);
		KUNIT_ASSERT_NOT_NULL(test, a->objs[k]);
		KUNIT_ASSERT_EQ(test, node, qt_node_of(a->objs[k]));
	}
	return a;
}

static void free_some(struct quarry_cache *cache, void **objs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		quarry_cache_free(cache, objs[i]);
}

/* Count the objects that are not in their slabs. */
static int add_used(const struct quarry_slab_info *si, void *sum)
{
	*(u64 *)sum += si->objects - si->free;
	return 0;
}

static u64 used(struct quarry_cache *cache)
{
	u64 sum = 0;

	qr_walk_slabs(qr_cache_of(cache)->id, add_used, &sum);
	return sum;
}

static void go_home_in_batches(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct away *a = objects_from_away(test, cache);
	unsigned int room = qr_cache_of(cache)->remote_room, others = nodes_weight(qr_nodes) - 1;
	struct quarry_cache_stats st;
	struct qr_head *h = qt_head(cache);
	unsigned int i, full = 0;

	KUNIT_ASSERT_EQ(test, QR_REMOTE_MAX, room);
	for (i = 0; i < N; i++) {
		quarry_cache_free(cache, a->objs[i]);
		st = qt_sum(cache);
		KUNIT_ASSERT_EQ(test, i + 1, st.frees);
		KUNIT_ASSERT_EQ(test, i + 1, st.remote_frees);
		KUNIT_ASSERT_EQ(test, (i + 1) % room, qt_waiting(h));
		full += !qt_waiting(h);
		/* A full buffer takes one lock for each node whose objects are in it. */
		KUNIT_ASSERT_GE(test, st.remote_batches, full);
		KUNIT_ASSERT_LE(test, st.remote_batches, full * min(others, room));
		if (i % 7 == 0)
			qt_exit(test);
	}
	KUNIT_EXPECT_EQ(test, N / room, full);
	KUNIT_EXPECT_EQ(test, 0, qr_head_peek(h));
	/* The batches are smaller than the depot's, so it put their objects into the slabs. */
	KUNIT_EXPECT_EQ(test, 0, used(cache));
	KUNIT_EXPECT_EQ(test, 0, st.live_objects);
}

static void drain_sends_them_home(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	struct away *a = objects_from_away(test, cache);
	unsigned int i;

	free_some(cache, a->objs, 5);
	KUNIT_EXPECT_EQ(test, 5, qt_waiting(qt_head(cache)));
	KUNIT_EXPECT_EQ(test, 5, qt_sum(cache).cached_objects);
	KUNIT_EXPECT_EQ(test, N, used(cache));
	qt_exit(test);
	KUNIT_EXPECT_EQ(test, 5, quarry_cache_shrink(cache));
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).cached_objects);
	KUNIT_EXPECT_EQ(test, N - 5, used(cache));
	qt_exit(test);
	/* The same with quarry_free(), which does not name the cache. */
	for (i = 5; i < N; i++)
		quarry_free(a->objs[i]);
	qr_drain_all();
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).slabs);
	KUNIT_EXPECT_EQ(test, N, qt_sum(cache).remote_frees);
}

static void ticks_send_them_home(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	struct away *a = objects_from_away(test, cache);
	struct qr_head *h = qt_head(cache);

	free_some(cache, a->objs, 5);
	KUNIT_EXPECT_EQ(test, QR_REMOTE_MAX, qt_remote_room(h));
	qr_magazines_tick();
	KUNIT_EXPECT_EQ(test, 0, qt_waiting(h));
	KUNIT_EXPECT_EQ(test, N - 5, used(cache));
	/* The first look saw remote frees; the second sees none, and takes the room away. */
	KUNIT_EXPECT_EQ(test, QR_REMOTE_MAX, qt_remote_room(h));
	qr_magazines_tick();
	KUNIT_EXPECT_EQ(test, 0, qt_remote_room(h));
	qt_exit(test);
	free_some(cache, a->objs + 5, N - 5);
	KUNIT_EXPECT_EQ(test, QR_REMOTE_MAX, qt_remote_room(h));
}

/* The room for remote frees is part of the budget; without it each object goes home alone. */
static void no_room_no_batch(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	struct away *a = objects_from_away(test, cache);

	qt_budget(test, 0);
	free_some(cache, a->objs, 100);
	KUNIT_EXPECT_EQ(test, 0, qt_waiting(qt_head(cache)));
	KUNIT_EXPECT_EQ(test, 100, qt_sum(cache).remote_frees);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).remote_batches);
	KUNIT_EXPECT_EQ(test, N - 100, used(cache));
	qr_percpu_kib_set(4);
	free_some(cache, a->objs + 100, 50);
	KUNIT_EXPECT_EQ(test, 50 % QR_REMOTE_MAX, qt_waiting(qt_head(cache)));
	KUNIT_EXPECT_EQ(test, QR_REMOTE_MAX * 200, qr_percpu_granted(raw_smp_processor_id()));
	qt_exit(test);
	qr_percpu_kib_set(0);
	KUNIT_EXPECT_EQ(test, 0, qt_waiting(qt_head(cache)));
	KUNIT_EXPECT_EQ(test, N - 150, used(cache));
	qt_exit(test);
	free_some(cache, a->objs + 150, N - 150);
}

/* The head is claimed, as an interrupt in the middle of an operation would find it. */
static void claimed_head_is_passed_by(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct away *a = objects_from_away(test, cache);
	struct qr_head *h = qt_head(cache);
	unsigned long flags;
	int n;

	free_some(cache, a->objs, 3);
	local_irq_save(flags);
	n = qr_head_claim(h);
	free_some(cache, a->objs + 3, 20);
	qr_head_release(h, n);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, 3, qt_waiting(h));
	KUNIT_EXPECT_EQ(test, 23, qt_sum(cache).remote_frees);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).remote_batches);
	KUNIT_EXPECT_EQ(test, N - 20, used(cache));
	qt_exit(test);
	free_some(cache, a->objs + 23, N - 23);
}

static void destroy_finds_them(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct away *a = objects_from_away(test, cache);
	struct quarry_stats *before = qt_stats(test), *after;

	free_some(cache, a->objs, N - 3);
	KUNIT_ASSERT_GT(test, qt_waiting(qt_head(cache)), 0);
	free_some(cache, a->objs + N - 3, 3);
	/* One object is in the buffer of this CPU, and one in that of another CPU. */
	a->objs[0] = quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, a->far);
	a->objs[1] = quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, a->near);
	KUNIT_ASSERT_NOT_NULL(test, a->objs[0]);
	KUNIT_ASSERT_NOT_NULL(test, a->objs[1]);
	quarry_cache_free(cache, a->objs[0]);
	KUNIT_ASSERT_EQ(test, 1, qt_waiting(qt_head(cache)));
	qt_pin(test, qt_cpu_of_node(test, a->far));
	quarry_cache_free(cache, a->objs[1]);
	KUNIT_ASSERT_EQ(test, 1, qt_waiting(qt_head(cache)));
	qt_cache_destroy(test, cache);
	after = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_busy_destroy, after->misuse_busy_destroy);
	KUNIT_EXPECT_EQ(test, before->zombie_caches, after->zombie_caches);
	KUNIT_EXPECT_EQ(test, before->caches - 1, after->caches);
}

static void double_free_is_found(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct away *a = objects_from_away(test, cache);
	u64 before = qt_stats(test)->misuse_double_free;

	/* The second free comes right after the first. */
	quarry_cache_free(cache, a->objs[N - 1]);
	quarry_cache_free(cache, a->objs[N - 1]);
	KUNIT_EXPECT_EQ(test, 1, qt_waiting(qt_head(cache)));
	KUNIT_EXPECT_EQ(test, ++before, qt_stats(test)->misuse_double_free);
	/* Both frees are in one buffer. */
	quarry_cache_free(cache, a->objs[0]);
	quarry_cache_free(cache, a->objs[N - 2]);
	quarry_cache_free(cache, a->objs[0]);
	KUNIT_EXPECT_EQ(test, 4, qt_waiting(qt_head(cache)));
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, before + 1, qt_stats(test)->misuse_double_free);
	KUNIT_EXPECT_EQ(test, N - 3, qt_sum(cache).live_objects);
	qt_exit(test);
	/* The second free comes after the first has reached the slab. */
	quarry_cache_free(cache, a->objs[0]);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, before + 2, qt_stats(test)->misuse_double_free);
	KUNIT_EXPECT_EQ(test, N - 3, qt_sum(cache).live_objects);
	qt_exit(test);
	/* The second free fills the buffer, with good frees beside it. */
	free_some(cache, a->objs + 1, QR_REMOTE_MAX - 1);
	quarry_cache_free(cache, a->objs[0]);
	KUNIT_EXPECT_EQ(test, before + 3, qt_stats(test)->misuse_double_free);
	KUNIT_EXPECT_EQ(test, N - QR_REMOTE_MAX - 2, qt_sum(cache).live_objects);
	qt_exit(test);
	free_some(cache, a->objs + QR_REMOTE_MAX, N - QR_REMOTE_MAX - 2);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).live_objects);
}

/* The buffer has a full batch of the depot, which here takes it without a look at its objects. */
static void large_ones_go_by_the_batch(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 32768, NULL);
	struct away *a = qt_array(test, 1, sizeof(*a));
	unsigned int room = qr_cache_of(cache)->remote_room, i;

	KUNIT_ASSERT_EQ(test, qr_cache_of(cache)->batch, min(room, 8u));
	qt_checked_flushes(test, 0);
	a->near = first_node(qr_nodes);
	a->far = qt_other_node(test, a->near);
	qt_pin(test, qt_cpu_of_node(test, a->near));
	for (i = 0; i < 20; i++) {
		a->objs[i] = quarry_cache_alloc_node(cache, GFP_KERNEL, a->far);
		KUNIT_ASSERT_NOT_NULL(test, a->objs[i]);
	}
	free_some(cache, a->objs, 20);
	KUNIT_EXPECT_EQ(test, 20 / room, qt_sum(cache).remote_batches);
	KUNIT_EXPECT_EQ(test, 20,
			qt_sum(cache).cached_objects + qt_sum(cache).capacity_objects -
				used(cache));
	qt_exit(test);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).slabs);
}

static unsigned int count_not_on(void **objs, unsigned int n, int node)
{
	unsigned int i, count = 0;

	for (i = 0; i < n; i++)
		count += qt_node_of(objs[i]) != node;
	return count;
}

static void expect_remote(struct kunit *test, struct quarry_cache *cache, u64 remote)
{
	struct quarry_cache_stats st = qt_sum(cache);

	KUNIT_EXPECT_EQ(test, remote, st.remote_allocs);
	KUNIT_EXPECT_EQ(test, st.mallocs - remote, st.local_allocs);
}

#define MUCH   (60000 * (PAGE_SIZE / SZ_4K))
#define ENOUGH 3000

/*
 * Allocate until ENOUGH objects came from another node.  Before, the full node's page allocator
 * still gives some pages to callers that may sleep.
 */
static unsigned int alloc_until_remote(struct kunit *test, struct quarry_cache *cache, void **objs)
{
	unsigned int n = 0;

	while (n < MUCH && qt_sum(cache).remote_allocs < ENOUGH) {
		objs[n] = quarry_cache_alloc(cache, GFP_KERNEL | __GFP_NORETRY);
		if (!objs[n])
			break;
		n++;
	}
	return n;
}

static void full_node_falls_back(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	void **objs = qt_array(test, MUCH, sizeof(*objs));
	int near = first_node(qr_nodes);
	struct quarry_stats *before;
	unsigned int away, n, i;
	struct qt_full *f;

	qt_other_node(test, near);
	qt_pin(test, qt_cpu_of_node(test, near));
	/* Idle pages of the page heap would serve the allocations, too. */
	qr_heap_release_idle();
	f = qt_fill_node(test, near);
	before = qt_stats(test);
	n = alloc_until_remote(test, cache, objs);
	away = count_not_on(objs, n, near);
	kunit_info(test, "%u of %u on another node\n", away, n);
	KUNIT_EXPECT_EQ(test, away, ENOUGH);
	expect_remote(test, cache, away);
	KUNIT_EXPECT_GT(test, qt_stats(test)->remote_fallbacks, before->remote_fallbacks);
	KUNIT_EXPECT_EQ(test, before->remote_allocs + away, qt_stats(test)->remote_allocs);
	KUNIT_EXPECT_EQ(test, qt_stats(test)->mallocs,
			qt_stats(test)->local_allocs + qt_stats(test)->remote_allocs);
	/* They fill their slabs: not every batch came from a new slab. */
	KUNIT_EXPECT_LE(test, qt_stats(test)->remote_fallbacks - before->remote_fallbacks,
			DIV_ROUND_UP(away, qr_cache_of(cache)->geo.objects) + 2);
	/* Objects that were refilled but never allocated do not count, wherever they go. */
	qt_exit(test);
	quarry_cache_shrink(cache);
	expect_remote(test, cache, away);
	quarry_cache_free_bulk(cache, n, objs);
	expect_remote(test, cache, away);
	quarry_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(cache).slabs);
	expect_remote(test, cache, away);

	/* The node has memory again: no object comes from another one. */
	qt_free_node(test, f);
	qr_heap_release_idle();
	for (i = 0; i < ENOUGH; i++) {
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	KUNIT_EXPECT_EQ(test, 0, count_not_on(objs, ENOUGH, near));
	expect_remote(test, cache, away);
	quarry_cache_free_bulk(cache, ENOUGH, objs);
}

/* remote_allocs must agree with the addresses of the objects, for every kind of call. */
static void remote_allocs_are_exact(struct kunit *test)
{
	struct quarry_cache_args kinds[] = {
		{ .policy = QUARRY_NODE_LOCAL },
		{ .policy = QUARRY_NODE_INTERLEAVE },
	};
	void **objs = qt_array(test, 400, sizeof(*objs));
	void **rest = qt_array(test, MUCH, sizeof(*rest));
	int near = first_node(qr_nodes), far = qt_other_node(test, near);
	unsigned int kind, i, round, n;

	qt_pin(test, qt_cpu_of_node(test, near));
	qt_budget(test, 4096);
	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		struct quarry_cache *cache = qt_cache(test, 120, &kinds[kind]);
		struct quarry_cache *hog = qt_cache(test, 200, NULL);
		u64 away = 0;

		qr_drain_all();
		qr_heap_release_idle();
		qt_fill_node(test, near);
		n = alloc_until_remote(test, hog, rest);
		KUNIT_EXPECT_EQ(test, ENOUGH, qt_sum(hog).remote_allocs);
		/* Calls that name a node. */
		for (i = 0; i < 400; i++) {
			int node = i % 3 ? near : far;

			if (kind && i % 3 == 2)
				node = QUARRY_CALL_LOCAL;
			objs[i] = quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_NORETRY, node);
			KUNIT_ASSERT_NOT_NULL(test, objs[i]);
			away += qt_node_of(objs[i]) != (node < 0 ? near : node);
			expect_remote(test, cache, away);
		}
		KUNIT_EXPECT_GT(test, away, 0);
		quarry_cache_free_bulk(cache, 400, objs);
		expect_remote(test, cache, away);
		/* Magazines of all sizes, with and without objects of another node. */
		for (round = 0; kind == 0 && round < 400; round++) {
			unsigned int some = 1 + get_random_u32_below(300);

			for (i = 0; i < some; i++) {
				objs[i] = quarry_cache_alloc(cache, GFP_KERNEL | __GFP_NORETRY);
				KUNIT_ASSERT_NOT_NULL(test, objs[i]);
				away += qt_node_of(objs[i]) != near;
			}
			expect_remote(test, cache, away);
			for (i = 0; i < some; i++)
				quarry_cache_free(cache, objs[i]);
			expect_remote(test, cache, away);
			if (round % 5 == 0)
				qr_percpu_kib_set(get_random_u32_below(16));
			if (round % 3 == 0)
				qr_magazines_tick();
			if (round % 11 == 0)
				quarry_cache_shrink(cache);
			expect_remote(test, cache, away);
		}
		qr_percpu_kib_set(4096);
		quarry_cache_free_bulk(hog, n, rest);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(go_home_in_batches),	       KUNIT_CASE(drain_sends_them_home),
	KUNIT_CASE(ticks_send_them_home),      KUNIT_CASE(no_room_no_batch),
	KUNIT_CASE(claimed_head_is_passed_by), KUNIT_CASE(destroy_finds_them),
	KUNIT_CASE(double_free_is_found),      KUNIT_CASE(large_ones_go_by_the_batch),
	KUNIT_CASE_SLOW(full_node_falls_back), KUNIT_CASE_SLOW(remote_allocs_are_exact),
	KUNIT_CASE(qt_books_balance),	       {}
};

static struct kunit_suite remote_suite = {
	.name = "quarry_remote_free",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(remote_suite);
