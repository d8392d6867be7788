// SPDX-License-Identifier: GPL-2.0
#include "lib/duration.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lib/clamp.h"

#define SECOND 1000000000LL

int q_parse_duration(const char *text, int64_t *ns)
{
	static const struct {
		char letter;
		int seconds;
	} units[] = { { '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	double n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	n = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (*end != units[i].letter || (*end && end[1]))
			continue;
		n *= units[i].seconds;
		/* A century, so that sums do not overflow. */
		if (!(n <= 3155760000.0))
			return -1;
		*ns = llround(n * 1e9);
		return 0;
	}
	return -1;
}

/* The time of day, or of a date.  NULL, or what stands behind it. */
static bool parse_clock(const char *text, const char *fmt, struct tm *tm)
{
	const char *end = strptime(text, fmt, tm);

	return end && !*end;
}

int q_parse_moment(const char *text, int64_t end_ns, int64_t *ns)
{
	static const char *const dates[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M",
					     "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d" };
	time_t end = (time_t)(end_ns / SECOND), at;
	struct tm tm, day;
	char *rest;

	if (*text == '@') {
		errno = 0;
		*ns = strtoll(text + 1, &rest, 10);
		if (errno || rest == text + 1 || *rest || *ns < 0 || *ns > 9000000000LL)
			return -1;
		*ns *= SECOND;
		return 0;
	}
	if (!q_parse_duration(text, ns)) {
		*ns = q_sub(end_ns, *ns);
		return 0;
	}
	for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
		tm = (struct tm){ .tm_isdst = -1 };
		if (!parse_clock(text, dates[i], &tm))
			continue;
		*ns = q_mul(mktime(&tm), SECOND);
		return 0;
	}
	localtime_r(&end, &day);
	tm = day;
	tm.tm_sec = 0;
	if (!parse_clock(text, "%H:%M:%S", &tm)) {
		tm = day;
		tm.tm_sec = 0;
		if (!parse_clock(text, "%H:%M", &tm))
			return -1;
	}
	tm.tm_isdst = -1;
	at = mktime(&tm);
	if (at > end) {
		tm.tm_mday--;
		tm.tm_isdst = -1;
		at = mktime(&tm);
	}
	*ns = q_mul(at, SECOND);
	return 0;
}
