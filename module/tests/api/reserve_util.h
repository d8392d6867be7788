/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers for the suites of reserves. */
#ifndef QR_TESTS_RESERVE_UTIL_H
#define QR_TESTS_RESERVE_UTIL_H

#include "tests/profile_util.h"

KUNIT_DEFINE_ACTION_WRAPPER(qs_return_action, quarry_reserve_return, struct quarry_reserve *);

/* An empty reserve, which is returned when the case ends. */
static inline struct quarry_reserve *qs_reserve(struct kunit *test)
{
	struct quarry_reserve *r = qt_array(test, 1, sizeof(*r));

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, qs_return_action, r));
	return r;
}

#endif /* QR_TESTS_RESERVE_UTIL_H */
