/* SPDX-License-Identifier: GPL-2.0 */
/* Made-up profiles, for the suites of reports and formats.  They go with the case. */
#ifndef QR_TESTS_FAKE_PROFILE_UTIL_H
#define QR_TESTS_FAKE_PROFILE_UTIL_H

#include <linux/bits.h>
#include <quarry/profile.h>
#include "tests/kunit_util.h"

#define ONE BIT_ULL(QR_OBJECTS_SHIFT)

/* @nr rows without stacks and numbers, of three caches that do not exist. */
struct quarry_profile *qf_profile_new(struct kunit *test, u32 nr);

/* Row @i: @allocs objects of @size bytes were allocated, and @live of them are live. */
void qf_set_site(struct quarry_profile *p, u32 i, u64 allocs, u64 live, u64 size);

/* @samples samples of @size bytes stand for @objects objects, with a variance of 1 each. */
void qf_set_sum(struct quarry_sum *sum, u64 samples, u64 objects, u64 size);

/* @nr rows with numbers, and with @stacks different stacks. */
struct quarry_profile *qf_profile_filled(struct kunit *test, u32 nr, u32 stacks);

#endif /* QR_TESTS_FAKE_PROFILE_UTIL_H */
