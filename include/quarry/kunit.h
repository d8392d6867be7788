/* SPDX-License-Identifier: GPL-2.0 */
/* For the KUnit tests of Quarry's clients: expectations about the number of allocations. */
#ifndef QUARRY_KUNIT_H
#define QUARRY_KUNIT_H

#include <kunit/test.h>
#include <quarry/quarry.h>

/* If counting itself fails, qr_made is a negative error, which equals no expected number. */
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
 * KUNIT_EXPECT_ALLOCS() - fail the test unless code makes exactly @n allocations
 * @test: the test's context
 * @n: number of allocations from Quarry; quarry_alloc_count_begin() says which ones count
 * @...: the code: an expression or a statement, evaluated once
 *
 * Context: process; sleeps.
 */
#define KUNIT_EXPECT_ALLOCS(test, n, ...) QR_KUNIT_ALLOCS(KUNIT_EXPECT_EQ_MSG, test, n, __VA_ARGS__)

/**
 * KUNIT_ASSERT_ALLOCS() - fail and end the test unless code makes exactly @n allocations
 * @test: the test's context
 * @n: as for KUNIT_EXPECT_ALLOCS()
 * @...: as for KUNIT_EXPECT_ALLOCS()
 *
 * Context: process; sleeps.
 */
#define KUNIT_ASSERT_ALLOCS(test, n, ...) QR_KUNIT_ALLOCS(KUNIT_ASSERT_EQ_MSG, test, n, __VA_ARGS__)

#endif /* QUARRY_KUNIT_H */
