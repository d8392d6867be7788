/* SPDX-License-Identifier: GPL-2.0 */
/* TAP for the tests of the library.  A test calls ok() and same(), and returns tap_end(). */
#ifndef TAP_H
#define TAP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned int tap_number, tap_failed;

static inline void ok(bool good, const char *what)
{
	tap_failed += !good;
	printf("%sok %u %s\n", good ? "" : "not ", ++tap_number, what);
}

static inline void same_text(const char *got, const char *want, const char *what)
{
	bool good = got && !strcmp(got, want);

	ok(good, what);
	if (!good)
		printf("# got \"%s\", not \"%s\"\n", got ? got : "(null)", want);
}

static inline void same(int64_t got, int64_t want, const char *what)
{
	ok(got == want, what);
	if (got != want)
		printf("# got %" PRId64 ", not %" PRId64 "\n", got, want);
}

static inline int tap_end(void)
{
	printf("1..%u\n", tap_number);
	return tap_failed != 0;
}

#endif
