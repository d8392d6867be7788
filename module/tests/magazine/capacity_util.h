/* SPDX-License-Identifier: GPL-2.0 */
/* What the suites about the capacity of magazines share.  The caller is pinned to a CPU. */
#ifndef QR_TESTS_CAPACITY_UTIL_H
#define QR_TESTS_CAPACITY_UTIL_H

#include "cache/capacity_balance.h"
#include "tests/kunit_util.h"

#define QM_SIZE	 64
#define QM_TICKS 8 /* after so many halvings nothing is left of the largest magazine */

/* Bytes of capacity that this CPU has granted. */
static inline unsigned long qm_granted_here(void)
{
	return qr_percpu_granted(raw_smp_processor_id());
}

/* Objects that this CPU's magazine may hold now. */
static inline unsigned int qm_capacity(struct quarry_cache *cache)
{
	return qt_head(cache)->capacity;
}

/* Objects that a magazine of the cache may hold when the budget allows it. */
static inline unsigned int qm_full(struct quarry_cache *cache)
{
	return qr_cache_of(cache)->capacity;
}

/* One allocation that finds the magazine empty, and frees that fill it. */
static inline void qm_miss(struct kunit *test, struct quarry_cache *cache)
{
	unsigned int n = qr_head_peek(qt_head(cache)) + 1;
	void **objs = qt_array(test, n, sizeof(*objs));

	qt_alloc_n(test, cache, objs, n);
	qt_free_n(cache, objs, n);
}

/* An allocation and a free that the magazine serves. */
static inline void qm_hit(struct kunit *test, struct quarry_cache *cache)
{
	void *p = quarry_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	quarry_cache_free(cache, p);
}

/* Let the time of @n looks pass. */
static inline void qm_ticks(unsigned int n)
{
	while (n--)
		qr_magazines_tick();
}

#endif /* QR_TESTS_CAPACITY_UTIL_H */
