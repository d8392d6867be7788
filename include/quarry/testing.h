/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many allocations a piece of code makes: for tests.  Included by quarry/quarry.h;
 * quarry/kunit.h has it in the form of expectations.
 */
#ifndef QUARRY_TESTING_H
#define QUARRY_TESTING_H

int quarry_alloc_count_begin(void);
long quarry_alloc_count_end(void);
long quarry_allocs_per_run(void (*fn)(void *arg), void *arg, unsigned int runs);

#endif /* QUARRY_TESTING_H */
