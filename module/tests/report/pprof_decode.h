/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A decoder of profile.proto for the tests.  It is as strict as the strictest of the
 * readers that people use, and fails the case at the first error.
 */
#ifndef QR_TESTS_PPROF_DECODE_H
#define QR_TESTS_PPROF_DECODE_H

#include <kunit/test.h>
#include "report/text_buffer.h"

#define PD_VALUES   4
#define PD_MAPPINGS 16

struct pd_sample {
	u64 value[PD_VALUES];
	const char *cache;
	const char *age;
	bool other; /* "labels" is "other" */
};

struct pd_mapping {
	u64 start;
	u64 limit;
	const char *file;
	const char *build_id;
};

/* Strings are copies.  Arrays of what has identifiers (mapping, function) begin at index 1. */
struct pd_profile {
	const char **string;
	u64 nr_strings;
	unsigned int nr_types;
	const char *type[PD_VALUES];
	const char *first;
	struct pd_sample *sample;
	u64 nr_samples;
	struct pd_mapping mapping[PD_MAPPINGS];
	u64 nr_mappings;
	u64 nr_locations;
	const char **function;
	u64 nr_functions;
	u64 period;
	u64 time;
	u64 duration;
};

struct pd_profile *pd_decode(struct kunit *test, const struct qr_text *t);
bool pd_has_function(const struct pd_profile *d, const char *name);

#endif /* QR_TESTS_PPROF_DECODE_H */
