// SPDX-License-Identifier: GPL-2.0
/* Which addresses are shown, and whom reports name as the caller. */
#include "tests/kunit_util.h"

#include <linux/instruction_pointer.h>
#include <linux/kallsyms.h>
#include <linux/random.h>
#include <linux/string.h>
#include <quarry/exposure.h>
#include "core/caller.h"

#define N 1000

static void addresses_are_shown_as_by_the_kernel(struct kunit *test)
{
	char text[QR_ADDRESS_LEN], wanted[QR_ADDRESS_LEN], bare[QR_ADDRESS_LEN];
	bool shows = qr_shows_addresses();
	unsigned int i;

	for (i = 0; i < N; i++) {
		const void *p = (void *)(PAGE_OFFSET + get_random_u32());

		snprintf(wanted, sizeof(wanted), "%pK", p);
		snprintf(bare, sizeof(bare), "%016lx", (unsigned long)p);
		qr_address_text(text, p, false);
		KUNIT_EXPECT_STREQ(test, wanted, text);
		KUNIT_EXPECT_EQ(test, shows, !strcmp(text, bare));
		qr_address_text(text, p, true);
		KUNIT_EXPECT_STRNEQ(test, bare, text);
	}
	qr_address_text(text, NULL, false);
	KUNIT_EXPECT_STREQ(test, "0000000000000000", text);
	qr_address_text(text, NULL, true);
	KUNIT_EXPECT_STREQ(test, "0000000000000000", text);
}

static void numbers_stand_for_addresses(struct kunit *test)
{
	u64 *seen = qt_array(test, N, sizeof(*seen));
	unsigned int i, k;

	for (i = 0; i < N; i++) {
		const void *p = (void *)(PAGE_OFFSET + i * 8);

		seen[i] = qr_address_number(p);
		KUNIT_EXPECT_EQ(test, seen[i], qr_address_number(p));
		KUNIT_EXPECT_NE(test, seen[i], (unsigned long)p);
		for (k = 0; k < i; k++)
			KUNIT_EXPECT_NE(test, seen[k], seen[i]);
	}
}

/* The stack of this function goes through it, so it is what called qr_caller(). */
static noinline bool is_here(unsigned long ip)
{
	char text[KSYM_SYMBOL_LEN];

	snprintf(text, sizeof(text), "%ps", (void *)ip);
	return strstarts(text, "caller_is_the_client");
}

static void caller_is_the_client(struct kunit *test)
{
	unsigned long here = _THIS_IP_;

	KUNIT_EXPECT_EQ(test, here, qr_caller(here));
	KUNIT_EXPECT_EQ(test, _RET_IP_, qr_caller(_RET_IP_));
	KUNIT_EXPECT_TRUE(test, is_here(qr_caller(0)));
	/* An address of Quarry's own is nobody's. */
	KUNIT_EXPECT_TRUE(test, is_here(qr_caller((unsigned long)qr_drain_all)));
}

/* The log names the client where an address of Quarry's own was passed down, and where none was. */
static void log_names_the_client(struct kunit *test)
{
	unsigned long ip[] = { _THIS_IP_, 0, (unsigned long)qr_drain_all };
	struct qr_caller_buf buf;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ip); i++) {
		const char *text = qr_caller_text(&buf, ip[i]);

		KUNIT_EXPECT_TRUE_MSG(test, strstarts(text, "log_names_the_client"), "%s", text);
	}
}

static struct kunit_case exposure_cases[] = {
	KUNIT_CASE(addresses_are_shown_as_by_the_kernel),
	KUNIT_CASE(numbers_stand_for_addresses),
	KUNIT_CASE(caller_is_the_client),
	KUNIT_CASE(log_names_the_client),
	KUNIT_CASE(qt_books_balance),
	{},
};

static struct kunit_suite exposure_suite = {
	.name = "quarry_exposure",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = exposure_cases,
};

kunit_test_suite(exposure_suite);
