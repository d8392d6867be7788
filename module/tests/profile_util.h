/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixtures of the suites that sample.  They undo what they did when the case ends.
 */
#ifndef QR_TESTS_PROFILE_UTIL_H
#define QR_TESTS_PROFILE_UTIL_H

#include <linux/stackdepot.h>
#include "profile/profile.h"
#include "tests/kunit_util.h"

/* A number of objects in the fixed point form of the profile. */
static inline u64 qp_objects(u64 n)
{
	return n << QR_OBJECTS_SHIFT;
}

/* Set the default rate until the case ends; then it is 0. */
void qp_rate(struct kunit *test, u32 rate);
/* Set the rate of one cache, until the case ends. */
void qp_cache_rate(struct kunit *test, struct quarry_cache *cache, u32 rate);

struct qr_profile_counts qp_counts(void);
/* Take a snapshot of the profile, which is freed when the case ends. */
struct quarry_profile *qp_take(struct kunit *test, u32 cache, bool with_ages);
/* Add up the rows of a cache in @p; cache 0 is the objects over 32 KiB. */
void qp_sum(const struct quarry_profile *p, u32 cache, struct quarry_site *sum);
/* The same for a new snapshot. */
void qp_now(struct kunit *test, u32 cache, struct quarry_site *sum);
/* The sum must estimate @truth objects to within six of the profile's standard errors. */
void qp_expect_near(struct kunit *test, const struct quarry_sum *sum, u64 truth);
/* A row of @p with more allocations than in @base; sets *@rows to the number of such rows. */
const struct quarry_site *qp_grown(struct kunit *test, const struct quarry_profile *p,
				   const struct quarry_profile *base, unsigned int *rows);

/* The last node with memory. */
int qp_last_node(void);

static inline u32 qp_id(struct quarry_cache *cache)
{
	return qr_cache_of(cache)->id;
}

/**
 * struct qp_books - the counters and the profile of a cache at some moment
 * @id: the id of the cache, or 0 for objects over 32 KiB
 * @cache: the cache, unless @id is 0
 * @mallocs: allocations by the counters
 * @live: live objects by the counters
 * @live_bytes: live bytes by the counters
 * @was: the sum of the profile
 */
struct qp_books {
	u32 id;
	struct quarry_cache *cache;
	u64 mallocs;
	u64 live;
	u64 live_bytes;
	struct quarry_site was;
};

/* Note the present state of @cache, or of objects over 32 KiB if it is NULL. */
void qp_books_open(struct kunit *test, struct qp_books *b, struct quarry_cache *cache);
/*
 * Every allocation since qp_books_open() was sampled: the profile and the counters must agree.
 * @asked: bytes that were asked for, of the objects since then that are live.
 */
void qp_books_agree(struct kunit *test, const struct qp_books *b, u64 asked);

/* The walk over sampled objects must find as many as the profile says are live. */
void qp_expect_all_found(struct kunit *test);

/**
 * struct qp_watch - counts the sample events of a cache
 * @w: the watcher
 * @cache: the id of the cache, or QUARRY_CACHE_ALL
 * @nr: events so far
 * @allocs: how many of them were allocations
 * @last: the last event
 */
struct qp_watch {
	struct qr_watcher w;
	u32 cache;
	unsigned int nr;
	unsigned int allocs;
	struct qr_event last;
};

/* Count events until qp_unwatch() or the end of the case. */
struct qp_watch *qp_watch(struct kunit *test, u32 cache);
void qp_unwatch(struct kunit *test, struct qp_watch *w);

/* The call stack of a handle; returns how many entries it has. */
unsigned int qp_stack(u32 stack, unsigned long **entries);
/* Is a frame of the call stack in the function of that name? */
bool qp_stack_has(u32 stack, const char *function);
/* The name of its innermost function. */
const char *qp_leaf(struct kunit *test, u32 stack);
/* The value of a label in a set, or NULL. */
const char *qp_label(u32 labels, const char *key);

#endif /* QR_TESTS_PROFILE_UTIL_H */
