// SPDX-License-Identifier: GPL-2.0
/* Text that is written once and then read in pieces of any size. */
#include "tests/kunit_util.h"

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <quarry/profile.h>
#include "report/text_buffer.h"

static void fill(struct qr_text *t, unsigned int lines)
{
	unsigned int i;

	for (i = 0; i < lines; i++)
		qr_text_printf(t, "line %u of %u%s\n", i, lines, i % 3 ? "" : " ...");
}

static void text_is_read_in_any_pieces(struct kunit *test)
{
	static const size_t pieces[] = { 1,	7,     100, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1,
					 20000, 200000 };
	struct qr_text *t = qt_text_owned(test, qr_text_new());
	char *whole, *got, *user;
	unsigned int i;
	size_t size;

	fill(t, 20000);
	whole = qt_text_bytes(test, t);
	size = qr_text_size(t);
	KUNIT_ASSERT_EQ(test, size, strlen(whole));
	got = qt_array(test, size, 1);
	user = (char *)kunit_vm_mmap(test, NULL, 0, PAGE_ALIGN(size), PROT_READ | PROT_WRITE,
				     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(user));
	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t limit = i ? size : 10000;
		loff_t pos = 0;
		ssize_t n = 1;

		KUNIT_ASSERT_EQ(test, 0, clear_user((char __user *)user, size));
		while (n > 0 && pos < limit) {
			loff_t from = pos;

			n = qr_text_read(t, (char __user *)user + pos, pieces[i], &pos);
			KUNIT_ASSERT_EQ(test, pos - from, n);
			KUNIT_ASSERT_EQ(test, n, min_t(size_t, pieces[i], size - from));
		}
		KUNIT_ASSERT_EQ(test, 0, copy_from_user(got, (char __user *)user, pos));
		KUNIT_EXPECT_EQ(test, 0, memcmp(got, whole, pos));
		pos = size;
		KUNIT_EXPECT_EQ(test, 0, qr_text_read(t, (char __user *)user, 10, &pos));
	}
}

static void text_reads_stop_at_bad_memory(struct kunit *test)
{
	struct qr_text *t = qt_text_owned(test, qr_text_new());
	unsigned long user;
	loff_t pos = 0;

	fill(t, 2000);
	user = kunit_vm_mmap(test, NULL, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, 0, user);
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(user + PAGE_SIZE, PAGE_SIZE));
	user += PAGE_SIZE - 100;
	KUNIT_EXPECT_EQ(test, 100, qr_text_read(t, (char __user *)user, 5000, &pos));
	KUNIT_EXPECT_EQ(test, 100, pos);
	KUNIT_EXPECT_EQ(test, -EFAULT, qr_text_read(t, (char __user *)user + 100, 10, &pos));
	KUNIT_EXPECT_EQ(test, 100, pos);
	pos = -1;
	KUNIT_EXPECT_EQ(test, -EINVAL, qr_text_read(t, (char __user *)user, 10, &pos));
}

static void text_lines_may_cross_pages(struct kunit *test)
{
	struct qr_text *t = qt_text_owned(test, qr_text_new());
	struct qr_text *twice = qt_text_owned(test, qr_text_new());
	char *line = qt_array(test, 1024, 1), *got;
	unsigned int i;

	memset(line, 'x', 1023);
	for (i = 0; i < 600 * 4; i++) /* more than one leaf of pages */
		qr_text_printf(t, "%s\n", line + 1);
	got = qt_text_bytes(test, t);
	KUNIT_ASSERT_EQ(test, 600 * 4 * 1023, strlen(got));
	for (i = 0; i < 600 * 4; i++)
		KUNIT_ASSERT_EQ(test, '\n', got[i * 1023 + 1022]);
	qr_text_put(twice, "head", 4);
	qr_text_append(twice, t);
	KUNIT_EXPECT_EQ(test, 0, memcmp(qt_text_bytes(test, twice) + 4, got, strlen(got)));
}

static void text_is_bounded(struct kunit *test)
{
	struct qr_text *t = qt_text_owned(test, qr_text_new());
	size_t most = (totalram_pages() / 8) << PAGE_SHIFT;
	char *page = qt_array(test, PAGE_SIZE, 1);
	size_t i;

	for (i = 0; i <= most >> PAGE_SHIFT && !qr_text_error(t); i++)
		qr_text_put(t, page, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, -ENOMEM, qr_text_error(t));
	KUNIT_EXPECT_LE(test, qr_text_size(t), most);
	KUNIT_EXPECT_GT(test, qr_text_size(t), 0);
}

static void strings_become_clean(struct kunit *test)
{
	static const char *const clean[][2] = {
		{ "plain-name_1", "plain-name_1" },
		{ "", "" },
		{ "a\nb\x7f\x1b", "a?b??" },
		{ "m\xc3\xbcller", "m\xc3\xbcller" },
		{ "m\xc3", "m?" },
		{ "\xff\xfe", "??" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xe0\x80\xaf", "???" },
		{ "\xed\xa0\x80", "???" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "\xf4\x90\x80\x80", "????" },
		{ "\xc2\x85", "??" },
	};
	char buf[32];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(clean); i++) {
		KUNIT_EXPECT_EQ(test, strlen(clean[i][1]),
				qr_text_clean(buf, clean[i][0], sizeof(buf) - 1));
		KUNIT_EXPECT_STREQ(test, clean[i][1], buf);
	}
	/* The limit of 3 bytes is within a character. */
	qr_text_clean(buf, "ab\xc3\xbc", 3);
	KUNIT_EXPECT_STREQ(test, "ab?", buf);
}

static struct kunit_case cases[] = { KUNIT_CASE(text_is_read_in_any_pieces),
				     KUNIT_CASE(text_reads_stop_at_bad_memory),
				     KUNIT_CASE(text_lines_may_cross_pages),
				     KUNIT_CASE(strings_become_clean),
				     KUNIT_CASE_SLOW(text_is_bounded),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite text_suite = {
	.name = "quarry_text_buffer",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(text_suite);
