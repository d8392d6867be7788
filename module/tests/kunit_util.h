/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixtures that the suites share.  They undo what they did when the case ends, passed or failed.
 */
#ifndef QR_TESTS_KUNIT_UTIL_H
#define QR_TESTS_KUNIT_UTIL_H

#include <kunit/test.h>
#include <linux/irq_work.h>
#include <quarry/stats.h>
#include "cache/cache.h"
#include "pages/long_run.h"
#include "pages/release.h"
#include "reclaim/scavenger.h"

/* Create a cache.  It is destroyed when the case ends; the case must have freed its objects. */
struct quarry_cache *qt_cache(struct kunit *test, unsigned int size,
			      const struct quarry_cache_args *args);
/* Destroy the cache earlier. */
void qt_cache_destroy(struct kunit *test, struct quarry_cache *cache);

/* The same for an arena. */
struct quarry_arena *qt_arena(struct kunit *test, const struct quarry_arena_args *args);
void qt_arena_destroy(struct kunit *test, struct quarry_arena *arena);

/* Allocate @n objects; the case fails if one is NULL.  Free @n objects, the last one first. */
void qt_alloc_n(struct kunit *test, struct quarry_cache *cache, void **objs, unsigned int n);
void qt_free_n(struct quarry_cache *cache, void **objs, unsigned int n);

/* Free the text when the case ends; fails the case if @t is an error. */
struct qr_text *qt_text_owned(struct kunit *test, struct qr_text *t);
/* The bytes of the text, with a zero byte behind them. */
char *qt_text_bytes(struct kunit *test, struct qr_text *t);

/* Zeroed memory of any size, for the rest of the case. */
void *qt_array(struct kunit *test, size_t n, size_t size);

/* Run the case on @cpu from now on; skips the case if there is no such CPU. */
void qt_pin(struct kunit *test, unsigned int cpu);

/* An irq_work in a hard interrupt, on PREEMPT_RT as well, where a thread runs the ordinary ones. */
static inline struct irq_work qt_irq_work(void (*fn)(struct irq_work *work))
{
	return IS_ENABLED(CONFIG_PREEMPT_RT) ? IRQ_WORK_INIT_HARD(fn) : IRQ_WORK_INIT(fn);
}

/*
 * Skips the case on PREEMPT_RT.  No module may allocate where preemption or interrupts are off
 * there: an allocation may need pages, and the locks of the kernel's page allocator sleep.
 * Softirqs run in threads, so their stacks and labels are those of threads.
 */
static inline void qt_skip_on_rt(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "not so on PREEMPT_RT");
}

/* A CPU near @node; skips the case if there is none, or only one node. */
unsigned int qt_cpu_of_node(struct kunit *test, int node);
/* A second node with memory; skips the case if there is none. */
int qt_other_node(struct kunit *test, int node);

/* For the rest of the case the page heap gets no whole chunks from the kernel. */
void qt_no_chunks(struct kunit *test);
/* For the rest of the case quarry_vmalloc() gets at most @pages side by side. */
void qt_longest_run(struct kunit *test, unsigned int pages);

/*
 * Take the pages that a node's page allocator gives without reclaim, until the case ends or
 * qt_free_node().  Allocations that may sleep can still get some.
 */
struct qt_full *qt_fill_node(struct kunit *test, int node);
void qt_free_node(struct kunit *test, struct qt_full *f);

/* Fill memory with bytes that depend on @seed and on their place, and compare it with them. */
void qt_fill(void *p, size_t size, unsigned int seed);
bool qt_is_filled(const void *p, size_t size, unsigned int seed);

/* Set the budget of each CPU for the rest of the case.  All magazines start without capacity. */
void qt_budget(struct kunit *test, u32 kib);
/* Set the parameter checked_flushes for the rest of the case. */
void qt_checked_flushes(struct kunit *test, unsigned int in_a_tick);
/* Stop the work that balances capacity; can be used as a KUnit action. */
void qt_no_ticks(void *unused);

/* The cache's numbers.  Exact while no CPU uses the cache. */
struct quarry_cache_stats qt_sum(struct quarry_cache *cache);
struct quarry_stats *qt_stats(struct kunit *test);

/* This CPU's head of the cache; the caller is pinned. */
struct qr_head *qt_head(struct quarry_cache *cache);

/* Objects of other nodes that wait in a head to go home, and how many may. */
static inline unsigned int qt_waiting(const struct qr_head *h)
{
	return qr_head_array(h) ? qr_head_array(h)->nr_remote : 0;
}

static inline unsigned int qt_remote_room(const struct qr_head *h)
{
	return qr_head_array(h) ? qr_head_array(h)->remote_room : 0;
}

/* Bytes of metadata but for the arrays of magazines, which come and go with use. */
static inline u64 qt_metadata(const struct quarry_stats *st)
{
	return st->metadata_bytes - st->magazine_array_bytes;
}

int qt_node_of(const void *p);
bool qt_is_zero(const void *p, size_t size);

/*
 * Fails the case unless the walker finds that all books agree.  Every suite has it as .exit, so
 * that it runs after each case, before the caches of the case are destroyed.
 */
void qt_exit(struct kunit *test);
/* The last case of every suite: all objects of the suite have been freed. */
void qt_books_balance(struct kunit *test);
/*
 * "init" of suites whose cases write and read where a client may not: KASAN does not report that of
 * the task that runs the case.
 */
int qt_unseen_init(struct kunit *test);
/* Remember what was live before the suite. */
int qt_suite_init(struct kunit_suite *suite);

/**
 * struct qt_shadow - which objects are live, noted in the objects themselves
 * @live: first word of a live object; differs from case to case
 * @allocs: objects allocated
 * @frees: objects freed
 * @errors: objects that were allocated twice, or changed while they were live
 *
 * Quarry writes nothing into free objects, so the first word of a free object stays.  Several
 * contexts may use a shadow at once.
 */
struct qt_shadow {
	u64 live;
	atomic64_t allocs;
	atomic64_t frees;
	atomic64_t errors;
};

void qt_shadow_init(struct qt_shadow *s);

/* @p was allocated, or is NULL: it must not have been live before. */
static inline void *qt_got(struct qt_shadow *s, void *p)
{
	if (p) {
		if (xchg((u64 *)p, s->live) == s->live)
			atomic64_inc(&s->errors);
		atomic64_inc(&s->allocs);
	}
	return p;
}

/* @p is about to be freed, or is NULL: it must still be marked live. */
static inline void *qt_put(struct qt_shadow *s, void *p)
{
	if (p) {
		if (xchg((u64 *)p, ~s->live) != s->live)
			atomic64_inc(&s->errors);
		atomic64_inc(&s->frees);
	}
	return p;
}

/* The numbers of the shadow and of the cache must agree.  No CPU uses the cache. */
void qt_shadow_check(struct kunit *test, struct qt_shadow *s, struct quarry_cache *cache);

#endif /* QR_TESTS_KUNIT_UTIL_H */
