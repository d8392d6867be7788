// SPDX-License-Identifier: GPL-2.0
/* Numbers for people, and sizes from people. */
#include "tests/tap.h"

#include "lib/human.h"
#include "lib/options.h"

static void human(enum q_unit unit, int64_t value, const char *want)
{
	char buf[Q_HUMAN_LEN];

	same_text(q_human(buf, unit, value), want, want);
}

static void size(const char *text, int64_t want)
{
	int64_t value = -1;

	ok(!q_parse_size(text, &value), text);
	same(value, want, text);
}

static void no_size(const char *text)
{
	int64_t value = 0;

	ok(q_parse_size(text, &value) < 0, *text ? text : "an empty size");
}

static void count(const char *text, uint64_t low, uint64_t high, uint64_t want)
{
	uint64_t value = ~want;

	ok(!q_parse_count(text, low, high, &value) && value == want, text);
}

static void no_count(const char *text, uint64_t low, uint64_t high)
{
	uint64_t value;

	ok(q_parse_count(text, low, high, &value) != 0, *text ? text : "no text");
}

int main(void)
{
	human(Q_BYTES, 0, "0 B");
	human(Q_BYTES, 1023, "1023 B");
	human(Q_BYTES, 1024, "1.0 KiB");
	human(Q_BYTES, 1048064, "1.0 MiB"); /* 1023.5 KiB would be printed as 1024 */
	human(Q_BYTES, 102 << 20, "102 MiB");
	human(Q_BYTES, -1536, "-1.5 KiB");
	human(Q_BYTES, INT64_MAX - 1, "8.0 EiB");
	human(Q_BYTES, INT64_MAX, "max");
	human(Q_SECOND, 2048, "2.0 KiB/s");
	human(Q_COUNT, 999, "999");
	human(Q_COUNT, 1000, "1,000");
	human(Q_COUNT, -1234567, "-1,234,567");
	human(Q_COUNT, INT64_MIN, "-9,223,372,036,854,775,808");
	human(Q_NS, 999, "999 ns");
	human(Q_NS, 1500000, "1.5 ms");
	human(Q_NS, INT64_C(119000000000), "119 s");
	human(Q_NS, INT64_C(180000000000), "3 min");
	human(Q_NS, INT64_C(11700000000000), "3 h 15 min");
	human(Q_NS, INT64_C(262800000000000), "3 days 1 h");
	human(Q_PERCENT, 123, "12.3 %");
	human(Q_NUMBER, 12345, "12345");
	q_options.exact = true;
	human(Q_BYTES, 1536, "1536");
	human(Q_COUNT, 1234567, "1234567");
	human(Q_PERCENT, 123, "12.3 %");

	size("0", 0);
	size("4096", 4096);
	size("64k", 65536);
	size("2M", 2 << 20);
	size("3G", INT64_C(3) << 30);
	size("max", INT64_MAX);
	no_size("");
	no_size("-1");
	no_size("1.5M");
	no_size("64kb");
	no_size("9999999999G");
	no_size("99999999999999999999");

	count("0", 0, 5, 0);
	count("5", 0, 5, 5);
	count("18446744073709551615", 1, UINT64_MAX, UINT64_MAX);
	no_count("", 0, 5);
	no_count("6", 0, 5);
	no_count("0", 1, 5);
	no_count("-1", 0, UINT64_MAX);
	no_count("+1", 0, 5);
	no_count(" 1", 0, 5);
	no_count("1 ", 0, 5);
	no_count("1k", 0, 5);
	no_count("18446744073709551616", 0, UINT64_MAX);
	return tap_end();
}
