/* SPDX-License-Identifier: GPL-2.0 */
/* Fixtures of the suite about trimming caches: a cache, and live objects with known contents. */
#ifndef QR_TESTS_SLAB_TRIM_UTIL_H
#define QR_TESTS_SLAB_TRIM_UTIL_H

#include <linux/prandom.h>
#include "tests/kunit_util.h"

#define QS_ALL ULONG_MAX /* trim all pages that can go */

struct qs_object {
	u8 *p;
	u64 seq;
};

/**
 * struct qs_traffic - a cache and its live objects
 * @cache: the cache
 * @constructed: the cache has a constructor
 * @fill: bytes of an object that the test writes; the constructor has written the rest
 * @objs: the live objects
 * @n: how many are live
 * @room: how many may be live
 * @seq: number of the next object, from which its contents are derived
 * @errors: objects whose contents were wrong
 * @rnd: state of the random numbers
 * @pages: scratch space for qs_held_pages()
 */
struct qs_traffic {
	struct quarry_cache *cache;
	bool constructed;
	unsigned int fill;
	struct qs_object *objs;
	unsigned int n;
	unsigned int room;
	u64 seq;
	unsigned int errors;
	struct rnd_state rnd;
	unsigned long *pages;
};

/*
 * Create a cache, and room for its objects.  With @constructed the cache has a constructor, and
 * @size must be 1,000.
 */
struct qs_traffic *qs_traffic_new(struct kunit *test, unsigned int size, unsigned int align,
				  bool constructed);

/* Allocate one object, and write known contents to it. */
void qs_alloc(struct kunit *test, struct qs_traffic *t);
/* Allocate as many objects as there is room for. */
void qs_fill(struct kunit *test, struct qs_traffic *t);
/* Free object @i; first overwrite the part that is not the constructor's. */
void qs_free(struct qs_traffic *t, unsigned int i);
/* Free objects at random until @left are left. */
void qs_free_until(struct qs_traffic *t, unsigned int left);
/* All live objects must have their contents, and the books must agree. */
void qs_check(struct kunit *test, struct qs_traffic *t);

/* qr_cache_trim() with its lock. */
unsigned long qs_trim(struct quarry_cache *cache, unsigned long want);
/* The number of pages on which live objects of @t lie. */
unsigned long qs_held_pages(struct qs_traffic *t);
/* A trim takes exactly the pages without a live object, and all counters agree. */
void qs_trim_is_exact(struct kunit *test, struct qs_traffic *t);
/* Free all objects: the cache gives all of its pages back. */
void qs_everything_comes_back(struct kunit *test, struct qs_traffic *t);

#endif /* QR_TESTS_SLAB_TRIM_UTIL_H */
