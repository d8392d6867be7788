// SPDX-License-Identifier: GPL-2.0
/* Names become words that cannot be mistaken for anything else in a text. */
#include "tests/kunit_util.h"

#include <linux/string.h>
#include "core/clean_name.h"

static void expect_clean(struct kunit *test, const char *name, const char *clean)
{
	char buf[32];

	memset(buf, 0xa5, sizeof(buf));
	KUNIT_EXPECT_EQ(test, strlen(clean), qr_clean_name(buf, name, sizeof(buf)));
	KUNIT_EXPECT_STREQ(test, clean, buf);
}

static void names_become_words(struct kunit *test)
{
	static const char *const clean[][2] = {
		{ "plain-name_1", "plain-name_1" },
		{ "kworker/0:1H-events", "kworker/0:1H-events" },
		{ "(sd-pam)", "(sd-pam)" },
		{ "a b\tc", "a_b_c" },
		{ "a\nb\x7f\x1b[2J", "a_b__[2J" },
		{ "a\"b\\c", "a_b_c" },
		{ "a;b=c#d", "a_b_c_d" },
		{ "", "_" },
		{ " ", "_" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(clean); i++)
		expect_clean(test, clean[i][0], clean[i][1]);
}

static void letters_of_all_languages_stay(struct kunit *test)
{
	static const char *const clean[][2] = {
		{ "m\xc3\xbcller", "m\xc3\xbcller" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		/* Malformed: each byte is replaced. */
		{ "m\xc3", "m_" },
		{ "\xff\xfe", "__" },
		{ "\xe0\x80\xaf", "___" },
		{ "\xed\xa0\x80", "___" },
		{ "\xc2\x85", "__" },
		/* Spaces, separators of lines, and marks that turn the direction of the text. */
		{ "a\xc2\xa0z", "a_z" },
		{ "a\xe2\x80\xa8z", "a_z" },
		{ "a\xe2\x80\xaez", "a_z" },
		{ "a\xe3\x80\x80z", "a_z" },
		{ "\xef\xbb\xbfz", "_z" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(clean); i++)
		expect_clean(test, clean[i][0], clean[i][1]);
}

static void long_names_are_cut(struct kunit *test)
{
	char buf[8];

	KUNIT_EXPECT_EQ(test, 7, qr_clean_name(buf, "123456789", sizeof(buf)));
	KUNIT_EXPECT_STREQ(test, "1234567", buf);
	/* The cut is within a character. */
	KUNIT_EXPECT_EQ(test, 7, qr_clean_name(buf, "123456\xc3\xbc", sizeof(buf)));
	KUNIT_EXPECT_STREQ(test, "123456_", buf);
}

static struct kunit_case cases[] = { KUNIT_CASE(names_become_words),
				     KUNIT_CASE(letters_of_all_languages_stay),
				     KUNIT_CASE(long_names_are_cut),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite clean_name_suite = {
	.name = "quarry_clean_name",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(clean_name_suite);
