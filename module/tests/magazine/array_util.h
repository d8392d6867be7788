/* SPDX-License-Identifier: GPL-2.0 */
/* What the suites about the arrays of magazines share. */
#ifndef QR_TESTS_ARRAY_UTIL_H
#define QR_TESTS_ARRAY_UTIL_H

#include <linux/cpumask.h>
#include "tests/magazine/capacity_util.h"

/* Places of this CPU's array; 0: there is none. */
static inline unsigned int qa_places(struct quarry_cache *cache)
{
	struct qr_array *a = qr_head_array(qt_head(cache));

	return a ? a->total : 0;
}

static inline unsigned int qa_count_arrays(struct quarry_cache *cache)
{
	unsigned int cpu, n = 0;

	for_each_possible_cpu(cpu)
		n += !!qr_head_array(per_cpu_ptr(cache->head, cpu));
	return n;
}

#endif /* QR_TESTS_ARRAY_UTIL_H */
