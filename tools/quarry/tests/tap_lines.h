/* SPDX-License-Identifier: GPL-2.0 */
/* TAP for the tests of the tool. */
#ifndef Q_TAP_LINES_H
#define Q_TAP_LINES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned int tap_number, tap_failed;

static inline bool tap_ok(bool good, const char *text, const char *file, int line)
{
	printf("%sok %u %s\n", good ? "" : "not ", ++tap_number, text);
	if (!good)
		printf("# %s:%d\n", file, line);
	tap_failed += !good;
	return good;
}

static inline void tap_number_is(long long got, long long wanted, const char *text,
				 const char *file, int line)
{
	if (!tap_ok(got == wanted, text, file, line))
		printf("# %lld, should be %lld\n", got, wanted);
}

static inline void tap_text_is(const char *got, const char *wanted, const char *text,
			       const char *file, int line)
{
	if (!tap_ok(!strcmp(got, wanted), text, file, line))
		printf("# \"%s\", should be \"%s\"\n", got, wanted);
}

#define OK(good, text) tap_ok(good, text, __FILE__, __LINE__)
#define IS(got, wanted, text)                                                                      \
	tap_number_is((long long)(got), (long long)(wanted), text, __FILE__, __LINE__)
#define TEXT_IS(got, wanted, text) tap_text_is(got, wanted, text, __FILE__, __LINE__)

/* The last line, and the exit status. */
static inline int tap_done(void)
{
	printf("1..%u\n", tap_number);
	return tap_failed != 0;
}

#endif
