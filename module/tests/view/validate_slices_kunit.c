// SPDX-License-Identifier: GPL-2.0
/* The walker in slices: it finds what is wrong, and only that, while everything else goes on. */
#include "tests/kunit_util.h"

#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <quarry/arena.h>
#include <quarry/cleanup.h>
#include "api/arena.h"
#include "slab/large.h"
#include "tests/slab/mapped_util.h"

#define OBJECTS 700

/**
 * struct books - one of each thing that has books
 * @cache: a cache with live objects, cached ones, and an object with a cleanup
 * @objs: its live objects
 * @slab: the slab of the first of them
 * @depot: the slab's depot
 * @head: this CPU's head of the cache
 * @mapped: the descriptor of a mapped object
 * @arena: an arena with an object
 */
struct books {
	struct quarry_cache *cache;
	void *objs[OBJECTS];
	struct qr_slab *slab;
	struct qr_depot *depot;
	struct qr_head *head;
	struct qr_slab *mapped;
	struct qr_arena *arena;
};

static void nothing(void *p, void *arg)
{
}

static struct books *new_books(struct kunit *test)
{
	struct books *b = qt_array(test, 1, sizeof(*b));
	struct quarry_arena *arena = qt_arena(test, NULL);

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, qt_no_ticks, NULL));
	qt_pin(test, 0);
	b->cache = qt_cache(test, 192, NULL);
	qt_alloc_n(test, b->cache, b->objs, OBJECTS);
	quarry_cache_free_bulk(b->cache, 40, b->objs + OBJECTS - 40);
	b->slab = qr_slab_of(b->objs[0]);
	b->depot = b->slab->depot;
	b->head = qt_head(b->cache);
	KUNIT_ASSERT_GT(test, qr_head_peek(b->head), 2);
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(b->objs[1], nothing, NULL));
	qt_longest_run(test, 16);
	b->mapped = qr_mapped_of(qt_mapped(test, SZ_1M));
	b->arena = qr_arena_of(arena);
	KUNIT_ASSERT_NOT_NULL(test, quarry_arena_alloc(arena, 100, GFP_KERNEL));
	return b;
}

static void free_books(struct books *b)
{
	quarry_free(b->mapped->base);
	quarry_cache_free_bulk(b->cache, OBJECTS - 40, b->objs);
}

/* Each makes an error with @d = 1, and takes it back with @d = -1. */

static void slab_count(struct books *b, int d)
{
	b->slab->nr_free += d;
}

static void slab_map(struct books *b, int d)
{
	unsigned int i = qr_slab_index(b->slab, b->objs[0]);

	b->slab->free[i / 64] ^= BIT_ULL(i % 64);
}

static void slab_cleanups(struct books *b, int d)
{
	qr_slab_of(b->objs[1])->nr_cleaned += d;
}

static void page_class(struct books *b, int d)
{
	b->slab->run.chunk->class[b->slab->run.first] += d;
}

static void page_owner(struct books *b, int d)
{
	b->slab->run.chunk->slab[b->slab->run.first] = d > 0 ? b->mapped : b->slab;
}

static void chunk_count(struct books *b, int d)
{
	b->slab->run.chunk->nr_used += d;
}

static void chunk_map(struct books *b, int d)
{
	change_bit(b->slab->run.first, b->slab->run.chunk->used);
}

static void chunk_view(struct books *b, int d)
{
	b->slab->run.chunk->nr_slow += d;
}

static void heap_count(struct books *b, int d)
{
	qr_heaps[b->slab->run.chunk->node]->used += d;
}

static void tree_block(struct books *b, int d)
{
	struct qr_tree *tree = &qr_heaps[b->slab->run.chunk->node]->tree[QR_ORDINARY];
	unsigned int shift = (tree->levels - 1) * QR_TREE_SHIFT;

	tree->root->sum[(b->slab->run.chunk->index >> shift) % QR_TREE_FANOUT].longest += d;
}

static void depot_count(struct books *b, int d)
{
	b->depot->nr_slabs += d;
}

static void depot_cached(struct books *b, int d)
{
	b->depot->nr_cached += d;
}

static void depot_list(struct books *b, int d)
{
	struct list_head *right = b->slab->nr_free ? &b->depot->bins[b->slab->bin - 1] :
						     &b->depot->used_up;

	list_move(&b->slab->link, d > 0 ? &b->depot->empty : right);
}

static void head_room(struct books *b, int d)
{
	qr_head_array(b->head)->remote_room += d;
}

static void head_count(struct books *b, int d)
{
	b->head->refilled += d;
}

/* The second object of the magazine is the first one, too. */
static void magazine_twice(struct books *b, int d)
{
	static void *was;

	if (d > 0)
		was = b->head->obj[1];
	b->head->obj[1] = d > 0 ? b->head->obj[0] : was;
}

static void pages_charged(struct books *b, int d)
{
	atomic_long_add(-d, &qr_cache_of(b->cache)->limit.held);
}

static void large_count(struct books *b, int d)
{
	atomic64_add(d, &qr_large_count.pages);
}

static void mapped_order(struct books *b, int d)
{
	swap(b->mapped->pages[200], b->mapped->pages[201]);
}

static void arena_count(struct books *b, int d)
{
	b->arena->nr_pages += d;
}

#define ERROR(fn)                                                                                  \
	{                                                                                          \
#fn, fn                                                                            \
	}

static const struct {
	const char *name;
	void (*plant)(struct books *b, int d);
} errors[] = {
	ERROR(slab_count),    ERROR(slab_map),	  ERROR(slab_cleanups), ERROR(page_class),
	ERROR(page_owner),    ERROR(chunk_count), ERROR(chunk_map),	ERROR(chunk_view),
	ERROR(heap_count),    ERROR(tree_block),  ERROR(depot_count),	ERROR(depot_cached),
	ERROR(depot_list),    ERROR(head_room),	  ERROR(head_count),	ERROR(magazine_twice),
	ERROR(pages_charged), ERROR(large_count), ERROR(mapped_order),	ERROR(arena_count),
};

/* Both forms find each error that is planted, and none before and after it. */
static void finds_each_error(struct kunit *test)
{
	struct quarry_validation *v = qt_array(test, 1, sizeof(*v));
	struct books *b = new_books(test);
	int strict, slices;
	unsigned int i;

	KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate_slices(v), "%s", v->first);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		errors[i].plant(b, 1);
		slices = qr_validate_slices(v);
		strict = qr_validate(v);
		errors[i].plant(b, -1);
		KUNIT_EXPECT_EQ_MSG(test, -EUCLEAN, slices, "%s, in slices", errors[i].name);
		KUNIT_EXPECT_EQ_MSG(test, -EUCLEAN, strict, "%s, strict", errors[i].name);
		KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate_slices(v), "after %s: %s", errors[i].name,
				    v->first);
	}
	free_books(b);
}

/* While nothing changes, both forms count the same, and the one in slices compares all sums. */
static void counts_the_same(struct kunit *test)
{
	struct quarry_validation *v = qt_array(test, 3, sizeof(*v));
	struct books *b = new_books(test);
	unsigned int tries = 10;

	/* The scavenger may give pages back meanwhile. */
	do {
		KUNIT_ASSERT_EQ_MSG(test, 0, qr_validate(&v[0]), "%s", v[0].first);
		KUNIT_ASSERT_EQ_MSG(test, 0, qr_validate_slices(&v[1]), "%s", v[1].first);
		KUNIT_ASSERT_EQ_MSG(test, 0, qr_validate(&v[2]), "%s", v[2].first);
	} while (memcmp(&v[0], &v[2], sizeof(v[0])) && --tries);
	KUNIT_EXPECT_GT(test, tries, 0);
	KUNIT_EXPECT_EQ(test, 0, v[1].unsettled);
	KUNIT_EXPECT_EQ(test, v[0].caches, v[1].caches);
	KUNIT_EXPECT_EQ(test, v[0].slabs, v[1].slabs);
	KUNIT_EXPECT_EQ(test, v[0].chunks, v[1].chunks);
	KUNIT_EXPECT_EQ(test, v[0].objects, v[1].objects);
	KUNIT_EXPECT_EQ(test, v[0].live, v[1].live);
	free_books(b);
}

/* --- Beside clients --- */

#define WALKS 30

struct busy {
	atomic_t failed;
	atomic_t rounds;
};

static void use_cache(struct busy *busy, unsigned int size)
{
	struct quarry_cache *cache = quarry_cache_create("test", size, NULL);
	void *objs[64];
	unsigned int i;

	if (!cache) {
		atomic_inc(&busy->failed);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(objs); i++)
		objs[i] = quarry_cache_alloc(cache, GFP_KERNEL);
	if (objs[3] && !quarry_cleanup_add(objs[3], nothing, NULL))
		atomic_inc(&busy->rounds);
	quarry_cache_free_bulk(cache, 32, objs);
	quarry_cache_shrink(cache);
	for (i = 32; i < ARRAY_SIZE(objs); i++)
		quarry_cache_free_rcu(cache, objs[i]);
	quarry_cache_destroy(cache);
}

static void use_arena(struct busy *busy)
{
	struct quarry_arena *arena = quarry_arena_create("test", NULL);
	unsigned int i;

	for (i = 0; arena && i < 200; i++)
		if (!quarry_arena_alloc(arena, 100 * i, GFP_KERNEL))
			atomic_inc(&busy->failed);
	quarry_arena_destroy(arena);
}

static int busy_fn(void *arg)
{
	static const unsigned int sizes[] = { 16, 192, 4000, 20000, 70000, 3 * SZ_1M };
	struct busy *busy = arg;
	void *objs[64];
	unsigned int i;

	while (!kthread_should_stop()) {
		for (i = 0; i < ARRAY_SIZE(objs); i++)
			objs[i] = quarry_malloc(sizes[i % 5], GFP_KERNEL);
		use_cache(busy, sizes[atomic_read(&busy->rounds) % 4]);
		use_arena(busy);
		quarry_free(quarry_vmalloc(sizes[5], GFP_KERNEL));
		for (i = 0; i < ARRAY_SIZE(objs); i++)
			quarry_free(objs[i]);
		cond_resched();
	}
	return 0;
}

/* Caches, arenas and objects of all kinds come and go on all CPUs.  The walker finds no error. */
static void beside_clients(struct kunit *test)
{
	struct quarry_validation *v = qt_array(test, 1, sizeof(*v));
	struct busy *busy = qt_array(test, 1, sizeof(*busy));
	struct task_struct *task[3];
	unsigned int i, running, walks;
	u64 slabs = 0;

	qt_longest_run(test, 16);
	for (running = 0; running < ARRAY_SIZE(task); running++) {
		task[running] = kthread_run(busy_fn, busy, "quarry_busy");
		if (IS_ERR(task[running]))
			break;
	}
	for (walks = 0; walks < WALKS && !qr_validate_slices(v); walks++)
		slabs += v->slabs;
	for (i = 0; i < running; i++)
		kthread_stop(task[i]);
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(task), running);
	KUNIT_EXPECT_EQ_MSG(test, WALKS, walks, "%s", v->first);
	KUNIT_EXPECT_GT(test, slabs, 0);
	KUNIT_EXPECT_GT(test, atomic_read(&busy->rounds), 0);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&busy->failed));
}

/* A task that goes round a list of a depot sees each slab once, so the walker moves none. */
static void gives_way_to_rounds(struct kunit *test)
{
	struct quarry_validation *v = qt_array(test, 1, sizeof(*v));
	struct books *b = new_books(test);

	atomic_inc(&b->depot->rounds);
	KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate_slices(v), "%s", v->first);
	atomic_dec(&b->depot->rounds);
	KUNIT_EXPECT_GT(test, v->unsettled, 0);
	free_books(b);
}

struct section {
	struct books *books;
	const struct quarry_validation *walk;
	bool entered;
};

/*
 * The books do not agree, and the machine cannot be stopped, until all looks of the walk have found
 * the error; after that the walk stops the machine.  It ends after a second in any case, because
 * the walk may have to wait for a grace period, and that waits for this.
 */
static int stay_in_section(void *arg)
{
	struct section *s = arg;
	ktime_t until;

	preempt_disable();
	slab_count(s->books, 1);
	smp_store_release(&s->entered, true); /* pairs with the load in meets_section() */
	until = ktime_add_ms(ktime_get(), 1000);
	while (!READ_ONCE(s->walk->errors) && ktime_before(ktime_get(), until))
		cpu_relax();
	slab_count(s->books, -1);
	preempt_enable();
	while (!kthread_should_stop())
		schedule_timeout_idle(1);
	return 0;
}

/* A walk beside the section.  Did all its looks find the error? */
static bool meets_section(struct kunit *test, struct books *b, struct quarry_validation *v)
{
	struct section s = { .books = b, .walk = v };
	struct task_struct *task;

	task = kthread_create_on_cpu(stay_in_section, &s, 1, "quarry_section/%u");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wake_up_process(task);
	while (!smp_load_acquire(&s.entered)) /* pairs with the store in stay_in_section() */
		cond_resched();
	KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate_slices(v), "%s", v->first);
	kthread_stop(task);
	KUNIT_EXPECT_EQ(test, 0, v->errors);
	return v->unsettled;
}

/*
 * What passes is no error, even if it takes longer than all looks at it.  A walk that waits
 * meanwhile looks too late, and does not count.
 */
static void passing_states_are_no_errors(struct kunit *test)
{
	struct quarry_validation *v = qt_array(test, 1, sizeof(*v));
	struct books *b = new_books(test);
	unsigned int walks = 1;

	if (num_online_cpus() < 2)
		kunit_skip(test, "one CPU only");
	KUNIT_ASSERT_EQ_MSG(test, 0, qr_validate_slices(v), "%s", v->first);
	while (!meets_section(test, b, v) && walks < WALKS)
		walks++;
	KUNIT_EXPECT_GT(test, v->unsettled, 0);
	free_books(b);
}

/* A fatal signal ends the walk. */
static void can_be_killed(struct kunit *test)
{
	struct quarry_validation *v = qt_array(test, 1, sizeof(*v));
	struct books *b = new_books(test);
	int err;

	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	err = qr_validate_slices(v);
	flush_signals(current);
	disallow_signal(SIGKILL);
	KUNIT_EXPECT_EQ(test, -EINTR, err);
	KUNIT_EXPECT_EQ(test, 0, v->caches);
	KUNIT_EXPECT_EQ(test, 0, qr_validate_slices(v));
	free_books(b);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(finds_each_error), KUNIT_CASE(counts_the_same),
	KUNIT_CASE_SLOW(beside_clients),   KUNIT_CASE(can_be_killed),
	KUNIT_CASE(gives_way_to_rounds),   KUNIT_CASE_SLOW(passing_states_are_no_errors),
	KUNIT_CASE(qt_books_balance),	   {}
};

static struct kunit_suite validate_slices_suite = {
	.name = "quarry_validate_slices",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(validate_slices_suite);
