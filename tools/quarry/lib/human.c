// SPDX-License-Identifier: GPL-2.0
#include "lib/human.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/options.h"

static void count(char *buf, int64_t value)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64,
			   value < 0 ? -(uint64_t)value : (uint64_t)value);
	char *to = buf;

	if (value < 0)
		*to++ = '-';
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
}

/* Three digits of @value and the unit that suits it: each unit is @step times the one before. */
static void scaled(char *buf, double value, double step, const char *const *units, int nr)
{
	int i = 0;

	/* 999.5 would be printed as 1000. */
	while (i < nr - 1 && (value < 0 ? -value : value) >= (step < 1024 ? 999.5 : 1023.5)) {
		value /= step;
		i++;
	}
	if (!i)
		snprintf(buf, Q_HUMAN_LEN, "%.0f %s", value, units[i]);
	else
		snprintf(buf, Q_HUMAN_LEN, "%.*f %s", (value < 0 ? -value : value) < 99.95, value,
			 units[i]);
}

static void duration(char *buf, int64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	int64_t s = ns / 1000000000;

	if (s < 120 && s > -120)
		scaled(buf, ns, 1000, units, 4);
	else if (s < 7200)
		snprintf(buf, Q_HUMAN_LEN, "%" PRId64 " min", s / 60);
	else if (s < 172800)
		snprintf(buf, Q_HUMAN_LEN, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
	else
		snprintf(buf, Q_HUMAN_LEN, "%" PRId64 " days %" PRId64 " h", s / 86400,
			 s / 3600 % 24);
}

const char *q_human(char *buf, enum q_unit unit, int64_t value)
{
	static const char *const bytes[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

	if (q_options.exact && unit != Q_PERCENT) {
		snprintf(buf, Q_HUMAN_LEN, "%" PRId64, value);
		return buf;
	}
	switch (unit) {
	case Q_BYTES:
		if (value == INT64_MAX)
			strcpy(buf, "max");
		else
			scaled(buf, value, 1024, bytes, 7);
		break;
	case Q_SECOND:
		scaled(buf, value, 1024, bytes, 7);
		strcat(buf, "/s");
		break;
	case Q_NS:
		duration(buf, value);
		break;
	case Q_PERCENT:
		snprintf(buf, Q_HUMAN_LEN, "%.1f %%", value / 10.0);
		break;
	case Q_NUMBER:
		snprintf(buf, Q_HUMAN_LEN, "%" PRId64, value);
		break;
	default:
		count(buf, value);
		break;
	}
	return buf;
}

int q_parse_size(const char *text, int64_t *value)
{
	unsigned long long number;
	unsigned int shift = 0;
	char *end;

	if (!strcmp(text, "max")) {
		*value = INT64_MAX;
		return 0;
	}
	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	number = strtoull(text, &end, 10);
	switch (toupper((unsigned char)*end)) {
	case 'K':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	}
	if (errno || end[!!shift] || number > (unsigned long long)INT64_MAX >> shift)
		return -1;
	*value = (int64_t)(number << shift);
	return 0;
}

int q_parse_count(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || *end || *value < low || *value > high ? -1 : 0;
}
