/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers for the suites of pools. */
#ifndef QR_TESTS_POOL_UTIL_H
#define QR_TESTS_POOL_UTIL_H

#include "api/pool.h"
#include "tests/profile_util.h"

/**
 * struct qo_thing - an object of a pool
 * @shadow: tells whether a test holds it, see &struct qt_shadow
 * @magic: shows that the object is set up
 * @uses: number of gets
 */
struct qo_thing {
	u64 shadow;
	u64 magic;
	u32 uses;
};

/**
 * struct qo_pool - a pool, and how often it called its functions
 * @pool: the pool
 * @cache: its cache
 * @inits: number of calls of init()
 * @resets: number of calls of reset()
 * @exits: number of calls of exit()
 * @wrong: number of objects that were not in the expected state
 * @fail: makes init() fail
 * @walk: makes exit() run the walker
 * @walked: the walker has run
 * @found: what the walker found
 */
struct qo_pool {
	struct quarry_pool *pool;
	struct quarry_cache *cache;
	atomic_t inits;
	atomic_t resets;
	atomic_t exits;
	atomic_t wrong;
	bool fail;
	bool walk;
	struct completion walked;
	struct quarry_validation found;
};

/* Creates a pool that is destroyed when the case ends. */
struct qo_pool *qo_pool(struct kunit *test, unsigned int size);
/* Destroys the pool before the case ends. */
void qo_destroy(struct kunit *test, struct qo_pool *p);
/* Gets @n objects; fails the case unless all come, and are set up. */
void qo_get_n(struct kunit *test, struct qo_pool *p, void **objs, unsigned int n);
void qo_put_n(struct qo_pool *p, void **objs, unsigned int n);
struct quarry_pool_stats qo_sum(struct qo_pool *p);

/* Objects that a full magazine holds; qo_shared() is what a shelf takes from puts. */
static inline unsigned int qo_private(struct qo_pool *p)
{
	return qr_cache_of(p->cache)->capacity;
}

static inline unsigned int qo_shared(struct qo_pool *p)
{
	return 2 * qo_private(p);
}

#endif /* QR_TESTS_POOL_UTIL_H */
