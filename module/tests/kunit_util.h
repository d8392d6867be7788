/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixtures that the suites share.  What they make is undone when the case
 * ends, however it ends.
 */
#ifndef QR_TESTS_KUNIT_UTIL_H
#define QR_TESTS_KUNIT_UTIL_H

#include <kunit/test.h>
#include <quarry/stats.h>
#include "cache/cache.h"
#include "pages/long_run.h"
#include "pages/release.h"
#include "reclaim/scavenger.h"

/* A cache that is destroyed with the case, which must have freed its objects. */
struct quarry_cache *qt_cache(struct kunit *test, unsigned int size,
			      const struct quarry_cache_args *args);
/* Destroy it before that. */
void qt_cache_destroy(struct kunit *test, struct quarry_cache *cache);

/* The same for an arena. */
struct quarry_arena *qt_arena(struct kunit *test, const struct quarry_arena_args *args);
void qt_arena_destroy(struct kunit *test, struct quarry_arena *arena);

/* Objects of a cache; the case fails if they cannot be had.  Given back last first. */
void qt_alloc_n(struct kunit *test, struct quarry_cache *cache, void **objs, unsigned int n);
void qt_free_n(struct quarry_cache *cache, void **objs, unsigned int n);

/* A text that was made, and goes with the case. */
struct qr_text *qt_text_owned(struct kunit *test, struct qr_text *t);
/* All of it, with a zero behind it. */
char *qt_text_bytes(struct kunit *test, struct qr_text *t);

/* Zeroed memory of any size. */
void *qt_array(struct kunit *test, size_t n, size_t size);

/* Stay on @cpu until the case ends; skips the case if there is no such CPU. */
void qt_pin(struct kunit *test, unsigned int cpu);

/* A CPU near @node; skips the case if there is none, or only one node. */
unsigned int qt_cpu_of_node(struct kunit *test, int node);
/* A second node with memory; skips the case if there is none. */
int qt_other_node(struct kunit *test, int node);

/* Whole chunks cannot be had, for the rest of the case. */
void qt_no_chunks(struct kunit *test);
/* Nor can quarry_vmalloc() have more than @pages in a row. */
void qt_longest_run(struct kunit *test, unsigned int pages);

/*
 * Take what a node's page allocator gives without effort, until the case ends or it is given
 * back.  There is some more for who may sleep.
 */
struct qt_full *qt_fill_node(struct kunit *test, int node);
void qt_free_node(struct kunit *test, struct qt_full *f);

/* Memory that tells from its contents where in which object a byte is. */
void qt_fill(void *p, size_t size, unsigned int seed);
bool qt_is_filled(const void *p, size_t size, unsigned int seed);

/* Each CPU's magazines may have so much, for the rest of the case; now they have nothing. */
void qt_budget(struct kunit *test, u32 kib);
/* Magazines are left alone; fit to be an action. */
void qt_no_ticks(void *unused);

/* The cache's numbers.  Exact when the cache is at rest. */
struct quarry_cache_stats qt_sum(struct quarry_cache *cache);
struct quarry_stats *qt_stats(struct kunit *test);

/* This CPU's magazine; the caller is pinned. */
struct qr_head *qt_head(struct quarry_cache *cache);

int qt_node_of(const void *p);
bool qt_is_zero(const void *p, size_t size);

/*
 * Fails the case unless the books balance.  Suites have it as .exit, so that
 * it runs after every case, before the case's own caches are destroyed.
 */
void qt_exit(struct kunit *test);
/* The last case of every suite: everything was given back. */
void qt_books_balance(struct kunit *test);
/* Remembers what was live before the suite. */
int qt_suite_init(struct kunit_suite *suite);

/**
 * struct qt_shadow - who holds what, kept in the objects themselves
 * @live: the word that a held object starts with; differs from case to case
 * @allocs: objects handed out
 * @frees: objects given back
 * @errors: objects handed out twice, or changed while they were held
 *
 * Quarry writes nothing into free objects, so the mark of a free one lasts.
 * May be used from several contexts at once.
 */
struct qt_shadow {
	u64 live;
	atomic64_t allocs;
	atomic64_t frees;
	atomic64_t errors;
};

void qt_shadow_init(struct qt_shadow *s);

/* @p was handed out: it must not be in anybody's hands. */
static inline void *qt_got(struct qt_shadow *s, void *p)
{
	if (p) {
		if (xchg((u64 *)p, s->live) == s->live)
			atomic64_inc(&s->errors);
		atomic64_inc(&s->allocs);
	}
	return p;
}

/* @p is about to be given back: it must still be in ours. */
static inline void *qt_put(struct qt_shadow *s, void *p)
{
	if (p) {
		if (xchg((u64 *)p, ~s->live) != s->live)
			atomic64_inc(&s->errors);
		atomic64_inc(&s->frees);
	}
	return p;
}

/* The shadow and the cache's own numbers agree; the cache is at rest. */
void qt_shadow_check(struct kunit *test, struct qt_shadow *s, struct quarry_cache *cache);

#endif /* QR_TESTS_KUNIT_UTIL_H */
