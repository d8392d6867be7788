/* SPDX-License-Identifier: GPL-2.0 */
/* Expectations about allocations, for the KUnit tests of Quarry's clients. */
#ifndef QUARRY_KUNIT_H
#define QUARRY_KUNIT_H

#include <kunit/test.h>
#include <quarry/quarry.h>

/* What went wrong with the counting itself is a negative number, which no test expects. */
/* clang-format off */
#define QR_KUNIT_ALLOCS(check, test, n, ...)						\
do {											\
	long qr_expected = (n);							\
	long qr_made = quarry_alloc_count_begin();					\
											\
	if (!qr_made) {								\
		__VA_ARGS__;								\
		qr_made = quarry_alloc_count_end();					\
	}										\
	check(test, qr_expected, qr_made,						\
	      "%ld allocations expected, %ld made by %s", qr_expected, qr_made,	\
	      #__VA_ARGS__);								\
} while (0)
/* clang-format on */

/**
 * KUNIT_EXPECT_ALLOCS() - fail the test unless code makes so many allocations
 * @test: the test's context
 * @n: allocations of Quarry's memory, see quarry_alloc_count_begin()
 * @...: an expression or statement, evaluated once
 *
 * Context: process; sleeps.
 */
#define KUNIT_EXPECT_ALLOCS(test, n, ...) QR_KUNIT_ALLOCS(KUNIT_EXPECT_EQ_MSG, test, n, __VA_ARGS__)

/**
 * KUNIT_ASSERT_ALLOCS() - fail and end the test unless code makes so many allocations
 * @test: the test's context
 * @n: as for KUNIT_EXPECT_ALLOCS()
 * @...: likewise
 *
 * Context: process; sleeps.
 */
#define KUNIT_ASSERT_ALLOCS(test, n, ...) QR_KUNIT_ALLOCS(KUNIT_ASSERT_EQ_MSG, test, n, __VA_ARGS__)

#endif /* QUARRY_KUNIT_H */
