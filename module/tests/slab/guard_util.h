/* SPDX-License-Identifier: GPL-2.0 */
/* What the suites of guarded caches share. */
#ifndef QR_TESTS_SLAB_GUARD_UTIL_H
#define QR_TESTS_SLAB_GUARD_UTIL_H

#include "tests/kunit_util.h"

extern const struct quarry_cache_args qt_poison_and_red_zone;

/**
 * struct qt_seen - what was reported so far
 * @red_zone: writes to red zones
 * @poison: writes to free objects
 * @leaked: objects leaked
 */
struct qt_seen {
	u64 red_zone;
	u64 poison;
	u64 leaked;
};

struct qt_seen qt_seen(struct kunit *test);
/* Expect that since @before this many writes to red zones and to poison, and leaks, were seen. */
void qt_expect_seen(struct kunit *test, struct qt_seen before, u64 red, u64 poisoned, u64 leaked);

/* Do the @n bytes at @p all have this value? */
bool qt_is_all(const void *p, u8 byte, size_t n);
/* Has the object of @n bytes at @p the poison of a free one? */
bool qt_is_poisoned(const void *p, size_t n);
/* A leaked object counts as live.  Repair its bytes and free it. */
void qt_free_leaked(struct quarry_cache *cache, void *p);

#endif /* QR_TESTS_SLAB_GUARD_UTIL_H */
