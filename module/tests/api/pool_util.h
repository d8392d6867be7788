/* SPDX-License-Identifier: GPL-2.0 */
/* Fixtures of the suites of pools. */
#ifndef QR_TESTS_POOL_UTIL_H
#define QR_TESTS_POOL_UTIL_H

#include "api/pool.h"
#include "tests/profile_util.h"

/**
 * struct qo_thing - an object of a pool
 * @shadow: who holds it, see &struct qt_shadow
 * @magic: it is set up
 * @uses: times that it was got
 */
struct qo_thing {
	u64 shadow;
	u64 magic;
	u32 uses;
};

/**
 * struct qo_pool - a pool, and what it asked for
 * @pool: the pool
 * @cache: its cache
 * @inits: objects that were set up
 * @resets: objects that were used again
 * @exits: objects that were undone
 * @wrong: objects that were in another state than they should be
 * @fail: set up no more
 * @walk: have the walker look while one is undone
 * @found: what it says
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
	struct quarry_validation found;
};

/* One that is destroyed with the case. */
struct qo_pool *qo_pool(struct kunit *test, unsigned int size);
/* Destroy it before that. */
void qo_destroy(struct kunit *test, struct qo_pool *p);
/* So many objects, which must be had, and set up. */
void qo_get_n(struct kunit *test, struct qo_pool *p, void **objs, unsigned int n);
void qo_put_n(struct qo_pool *p, void **objs, unsigned int n);
struct quarry_pool_stats qo_sum(struct qo_pool *p);

/* Objects of a full magazine, and those that a shelf takes. */
static inline unsigned int qo_private(struct qo_pool *p)
{
	return qr_cache_of(p->cache)->capacity;
}

static inline unsigned int qo_shared(struct qo_pool *p)
{
	return 2 * qo_private(p);
}

#endif /* QR_TESTS_POOL_UTIL_H */
