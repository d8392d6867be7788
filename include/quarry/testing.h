/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests: count the allocations that a piece of code makes.  Included by quarry/quarry.h.
 * quarry/kunit.h offers the same as KUnit expectations.
 */
#ifndef QUARRY_TESTING_H
#define QUARRY_TESTING_H

int quarry_alloc_count_begin(void);
long quarry_alloc_count_end(void);
long quarry_allocs_per_run(void (*fn)(void *arg), void *arg, unsigned int runs);

#endif /* QUARRY_TESTING_H */
