// SPDX-License-Identifier: GPL-2.0
/* Fixtures that the suites share. */
#include "tests/kunit_util.h"

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kasan.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <quarry/profile.h>
#include "cache/capacity_balance.h"
#include "slab/mapped.h"
#include "report/text_buffer.h"

KUNIT_DEFINE_ACTION_WRAPPER(cache_destroy_action, quarry_cache_destroy, struct quarry_cache *);
KUNIT_DEFINE_ACTION_WRAPPER(kvfree_action, kvfree, const void *);

struct quarry_cache *qt_cache(struct kunit *test, unsigned int size,
			      const struct quarry_cache_args *args)
{
	struct quarry_cache *cache = quarry_cache_create(test->name, size, args);

	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, cache_destroy_action, cache));
	return cache;
}

void qt_cache_destroy(struct kunit *test, struct quarry_cache *cache)
{
	kunit_release_action(test, cache_destroy_action, cache);
}

KUNIT_DEFINE_ACTION_WRAPPER(arena_destroy_action, quarry_arena_destroy, struct quarry_arena *);

struct quarry_arena *qt_arena(struct kunit *test, const struct quarry_arena_args *args)
{
	struct quarry_arena *arena = quarry_arena_create(test->name, args);

	KUNIT_ASSERT_NOT_NULL(test, arena);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, arena_destroy_action, arena));
	return arena;
}

void qt_arena_destroy(struct kunit *test, struct quarry_arena *arena)
{
	kunit_release_action(test, arena_destroy_action, arena);
}

void *qt_array(struct kunit *test, size_t n, size_t size)
{
	void *p = kvcalloc(n, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, kvfree_action, p));
	return p;
}

/* The thread ends with the case, so nothing needs to be undone. */
void qt_pin(struct kunit *test, unsigned int cpu)
{
	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		kunit_skip(test, "CPU %u is not there", cpu);
	KUNIT_ASSERT_EQ(test, 0, set_cpus_allowed_ptr(current, cpumask_of(cpu)));
	KUNIT_ASSERT_EQ(test, cpu, raw_smp_processor_id());
}

unsigned int qt_cpu_of_node(struct kunit *test, int node)
{
	unsigned int cpu;

	if (nodes_weight(qr_nodes) < 2)
		kunit_skip(test, "one node only");
	for_each_online_cpu(cpu)
		if (per_cpu(qr_home_node, cpu) == node)
			return cpu;
	kunit_skip(test, "no CPU near node %d", node);
	return 0;
}

int qt_other_node(struct kunit *test, int node)
{
	int other;

	for_each_node_mask(other, qr_nodes)
		if (other != node)
			return other;
	kunit_skip(test, "one node only");
	return NUMA_NO_NODE;
}

static void chunks_again(void *unused)
{
	WRITE_ONCE(qr_heap_no_chunks, false);
}

void qt_no_chunks(struct kunit *test)
{
	WRITE_ONCE(qr_heap_no_chunks, true);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, chunks_again, NULL));
}

/* Blocks of pages, linked by page->lru, with their order in page->private. */
struct qt_full {
	struct list_head pages;
};

static void free_node(void *arg)
{
	struct qt_full *f = arg;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &f->pages, lru) {
		list_del(&page->lru);
		__free_pages(page, page_private(page));
	}
}

struct qt_full *qt_fill_node(struct kunit *test, int node)
{
	gfp_t gfp = (GFP_NOWAIT | __GFP_THISNODE | __GFP_NORETRY | __GFP_NOWARN) &
		    ~__GFP_KSWAPD_RECLAIM;
	struct qt_full *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	int order;

	KUNIT_ASSERT_NOT_NULL(test, f);
	INIT_LIST_HEAD(&f->pages);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_node, f));
	for (order = 9; order >= 0; order--) {
		struct page *page;

		while ((page = alloc_pages_node(node, gfp, order))) {
			set_page_private(page, order);
			list_add(&page->lru, &f->pages);
			cond_resched();
		}
	}
	return f;
}

void qt_free_node(struct kunit *test, struct qt_full *f)
{
	kunit_release_action(test, free_node, f);
}

static void any_length_again(void *unused)
{
	WRITE_ONCE(qr_mapped_longest, QR_CHUNK_PAGES);
}

void qt_longest_run(struct kunit *test, unsigned int pages)
{
	WRITE_ONCE(qr_mapped_longest, pages);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, any_length_again, NULL));
}

static u64 word_at(size_t at, unsigned int seed)
{
	return (at + 1) * 0x9e3779b97f4a7c15ULL ^ seed;
}

/* Word by word, as KASAN checks each access; the last bytes of the object one by one. */
void qt_fill(void *p, size_t size, unsigned int seed)
{
	size_t at;

	for (at = 0; at + 8 <= size; at += 8)
		*(u64 *)(p + at) = word_at(at, seed);
	for (; at < size; at++)
		*(u8 *)(p + at) = word_at(at, seed);
}

bool qt_is_filled(const void *p, size_t size, unsigned int seed)
{
	size_t at;

	for (at = 0; at + 8 <= size; at += 8)
		if (*(const u64 *)(p + at) != word_at(at, seed))
			return false;
	for (; at < size; at++)
		if (*(const u8 *)(p + at) != (u8)word_at(at, seed))
			return false;
	return true;
}

static void budget_again(void *kib)
{
	qr_percpu_kib_set((unsigned long)kib);
}

void qt_budget(struct kunit *test, u32 kib)
{
	void *was = (void *)(unsigned long)qr_percpu_kib_get();

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, budget_again, was));
	qr_percpu_kib_set(0);
	/* Two looks forget which heads were refused capacity. */
	qr_magazines_tick();
	qr_magazines_tick();
	qr_percpu_kib_set(kib);
}

static void checks_again(void *was)
{
	qr_checked_flushes = (unsigned long)was;
}

void qt_checked_flushes(struct kunit *test, unsigned int in_a_tick)
{
	void *was = (void *)(unsigned long)qr_checked_flushes;
	unsigned long now = jiffies;

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, checks_again, was));
	qr_checked_flushes = in_a_tick;
	/* A change shows at the next tick. */
	while (!time_after(jiffies, now))
		usleep_range(500, 1000);
}

void qt_no_ticks(void *unused)
{
	qr_magazines_ticking(false);
}

struct quarry_cache_stats qt_sum(struct quarry_cache *cache)
{
	struct quarry_cache_stats st;

	qr_cache_sum(qr_cache_of(cache), &st);
	return st;
}

struct quarry_stats *qt_stats(struct kunit *test)
{
	struct quarry_stats *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, st);
	quarry_stats_read(st);
	return st;
}

struct qr_head *qt_head(struct quarry_cache *cache)
{
	return raw_cpu_ptr(cache->head);
}

int qt_node_of(const void *p)
{
	return page_to_nid(virt_to_page(p));
}

bool qt_is_zero(const void *p, size_t size)
{
	return !memchr_inv(p, 0, size);
}

void qt_exit(struct kunit *test)
{
	struct quarry_validation *v = kunit_kzalloc(test, sizeof(*v), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, v);
	KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate(v), "%llu errors, first: %s", v->errors, v->first);
}

static struct {
	u64 live_objects;
	u64 inuse_bytes;
	u64 zombies;
} before;

static void remember(struct quarry_stats *st)
{
	qr_drain_all();
	qr_heap_release_idle();
	rcu_barrier(); /* structs of chunks are freed after a grace period */
	quarry_stats_read(st);
}

int qt_unseen_init(struct kunit *test)
{
	kasan_disable_current();
	return 0;
}

int qt_suite_init(struct kunit_suite *suite)
{
	struct quarry_stats *st = kzalloc(sizeof(*st), GFP_KERNEL);

	if (!st)
		return -ENOMEM;
	/* Sampling is off; suites about sampling turn it on. */
	qr_rate_set(0);
	WRITE_ONCE(qr_scavenger_paused, true);
	/* No work in the background takes capacity from magazines. */
	qr_magazines_ticking(false);
	remember(st);
	before.live_objects = st->live_objects;
	before.inuse_bytes = st->inuse_bytes;
	before.zombies = st->zombie_caches;
	kfree(st);
	return 0;
}

void qt_books_balance(struct kunit *test)
{
	struct quarry_stats *st = qt_stats(test);

	remember(st);
	KUNIT_EXPECT_EQ(test, before.live_objects, st->live_objects);
	KUNIT_EXPECT_EQ(test, before.inuse_bytes, st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, before.zombies, st->zombie_caches);
	KUNIT_EXPECT_EQ(test, 0, st->cached_objects);
	KUNIT_EXPECT_EQ(test, st->live_objects, st->mallocs - st->frees);
	KUNIT_EXPECT_EQ(test, st->sys_bytes, st->inuse_bytes + st->idle_bytes + st->metadata_bytes);
	KUNIT_EXPECT_EQ(test, st->sys_bytes, st->taken_bytes - st->returned_bytes);
}

void qt_shadow_init(struct qt_shadow *s)
{
	memset(s, 0, sizeof(*s));
	s->live = get_random_u64();
}

void qt_shadow_check(struct kunit *test, struct qt_shadow *s, struct quarry_cache *cache)
{
	struct quarry_cache_stats st = qt_sum(cache);
	u64 allocs = atomic64_read(&s->allocs), frees = atomic64_read(&s->frees);

	KUNIT_ASSERT_EQ(test, 0, atomic64_read(&s->errors));
	KUNIT_EXPECT_EQ(test, allocs, st.mallocs);
	KUNIT_EXPECT_EQ(test, frees, st.frees);
	KUNIT_EXPECT_EQ(test, allocs - frees, st.live_objects);
}

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suites of Quarry");
QUARRY_IMPORT_NS;

void qt_alloc_n(struct kunit *test, struct quarry_cache *cache, void **objs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
}

void qt_free_n(struct quarry_cache *cache, void **objs, unsigned int n)
{
	while (n--)
		quarry_cache_free(cache, objs[n]);
}

KUNIT_DEFINE_ACTION_WRAPPER(text_free_action, qr_text_free, struct qr_text *);

struct qr_text *qt_text_owned(struct kunit *test, struct qr_text *t)
{
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(t));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, text_free_action, t));
	return t;
}

char *qt_text_bytes(struct kunit *test, struct qr_text *t)
{
	size_t size = qr_text_size(t);
	char *buf = qt_array(test, size + 1, 1);

	KUNIT_ASSERT_EQ(test, size, qr_text_copy(t, 0, buf, size + 1));
	return buf;
}
