/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers for the suites that count allocations: pieces of code whose allocations are known. */
#ifndef QR_TESTS_ALLOCS_PER_RUN_UTIL_H
#define QR_TESTS_ALLOCS_PER_RUN_UTIL_H

#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <quarry/kunit.h>
#include "tests/profile_util.h"

/* The argument of a function whose allocations are counted; each uses what it needs. */
struct qw_work {
	struct quarry_cache *cache;
	struct quarry_pool *pool;
	void **objs;
	unsigned int n;
	unsigned int runs;
	int node;
	size_t size;
	gfp_t gfp;
	struct irq_work irq;
	struct tasklet_struct tasklet;
	unsigned int interrupts;
	struct task_struct *other;
	atomic_t others;
	struct completion done;
	struct kunit *test;
	long made;
};

/* One with a cache of objects of @size bytes and room for @n + 1 objects. */
struct qw_work *qw_work(struct kunit *test, unsigned int size, unsigned int n);

/* Expects @each allocations per run, for any number of runs, and in the statistics as well. */
void qw_expect_each(struct kunit *test, long each, void (*fn)(void *arg), struct qw_work *w);

/* Each allocates and frees: @n + 1 objects by malloc; @n objects of the cache; the same in bulk. */
void qw_by_malloc(void *arg);
void qw_by_cache(void *arg);
void qw_by_bulk(void *arg);

#endif /* QR_TESTS_ALLOCS_PER_RUN_UTIL_H */
