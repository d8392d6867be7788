/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixtures of the suites that sample.  What they make and set is undone when the
 * case ends.
 */
#ifndef QR_TESTS_PROFILE_UTIL_H
#define QR_TESTS_PROFILE_UTIL_H

#include <linux/stackdepot.h>
#include "profile/profile.h"
#include "tests/kunit_util.h"

/* A number of objects as the profile writes it. */
static inline u64 qp_objects(u64 n)
{
	return n << QR_OBJECTS_SHIFT;
}

/* What the default rate is until the case ends; 0 after it. */
void qp_rate(struct kunit *test, u32 rate);
/* A cache's own, until the case ends. */
void qp_cache_rate(struct kunit *test, struct quarry_cache *cache, u32 rate);

struct qr_profile_counts qp_counts(void);
/* A snapshot that goes with the case. */
struct quarry_profile *qp_take(struct kunit *test, u32 cache, bool with_ages);
/* The sum of a cache's rows in @p; 0 are objects over 32 KiB. */
void qp_sum(const struct quarry_profile *p, u32 cache, struct quarry_site *sum);
/* The same of a new snapshot. */
void qp_now(struct kunit *test, u32 cache, struct quarry_site *sum);
/* So many objects, within six standard errors as the profile has them. */
void qp_expect_near(struct kunit *test, const struct quarry_sum *sum, u64 truth);
/* A row of @p that has more allocations than in @base, of @rows such; there must be one. */
const struct quarry_site *qp_grown(struct kunit *test, const struct quarry_profile *p,
				   const struct quarry_profile *base, unsigned int *rows);

/* A node with memory: another than the first if there are two. */
int qp_last_node(void);

static inline u32 qp_id(struct quarry_cache *cache)
{
	return qr_cache_of(cache)->id;
}

/**
 * struct qp_books - a cache's counters and its profile, from some moment on
 * @id: the cache's number, or 0 for objects over 32 KiB
 * @cache: the cache, unless @id is 0
 * @mallocs: what the counters said then
 * @live: likewise
 * @live_bytes: likewise
 * @was: what the profile said then
 */
struct qp_books {
	u32 id;
	struct quarry_cache *cache;
	u64 mallocs;
	u64 live;
	u64 live_bytes;
	struct quarry_site was;
};

/* For a @cache, or for large objects if that is NULL. */
void qp_books_open(struct kunit *test, struct qp_books *b, struct quarry_cache *cache);
/*
 * Since then everything has been sampled: the profile and the counters agree.
 * @asked: bytes asked for, of the objects since then that are live.
 */
void qp_books_agree(struct kunit *test, const struct qp_books *b, u64 asked);

/* The walk over all that is sampled finds as many objects as the profile says are live. */
void qp_expect_all_found(struct kunit *test);

/**
 * struct qp_watch - the events of one cache
 * @w: the watcher
 * @cache: the cache's number, or QUARRY_CACHE_ALL
 * @nr: how many there were
 * @allocs: how many of them were allocations
 * @last: the last of them
 */
struct qp_watch {
	struct qr_watcher w;
	u32 cache;
	unsigned int nr;
	unsigned int allocs;
	struct qr_event last;
};

/* Until the case ends. */
struct qp_watch *qp_watch(struct kunit *test, u32 cache);
void qp_unwatch(struct kunit *test, struct qp_watch *w);

/* The stack of a handle. */
unsigned int qp_stack(u32 stack, unsigned long **entries);
/* Whether a frame of it is in the function that is called that. */
bool qp_stack_has(u32 stack, const char *function);
/* The name of its innermost function. */
const char *qp_leaf(struct kunit *test, u32 stack);
/* The value of a label in a set, or NULL. */
const char *qp_label(u32 labels, const char *key);

#endif /* QR_TESTS_PROFILE_UTIL_H */
