/* SPDX-License-Identifier: GPL-2.0 */
/* What the suites of mapped objects share. */
#ifndef QR_TESTS_SLAB_MAPPED_UTIL_H
#define QR_TESTS_SLAB_MAPPED_UTIL_H

#include <linux/mm.h>
#include "tests/kunit_util.h"

/* A mapped object.  The case fails if there is none, or if the object is a run of pages. */
static inline void *qt_mapped(struct kunit *test, size_t size)
{
	void *p = quarry_vmalloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_TRUE(test, is_vmalloc_addr(p));
	return p;
}

#endif /* QR_TESTS_SLAB_MAPPED_UTIL_H */
