// SPDX-License-Identifier: GPL-2.0
/*
 * Samples by address (kernel/sample_table.c): which are found, what the bits of pages say, and what
 * becomes of samples whose free was missed.  Addresses are made up; nothing looks at the objects.
 */
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/string.h>
#include "kernel/sample_table.h"
#include "profile/bucket.h"
#include "tests/kunit_util.h"

#define SAMPLES 1024 /* samples */
#define ROWS	128
#define BASE	0xffff888000000000UL
#define SIZE	64

struct tables {
	struct qr_table rows;
	struct qr_sample_table samples;
};

static void tables_exit(void *arg)
{
	struct tables *t = arg;

	qr_sample_table_exit(&t->samples);
	qr_table_exit(&t->rows);
}

static struct tables *tables(struct kunit *test)
{
	struct tables *t = qt_array(test, 1, sizeof(*t));

	KUNIT_ASSERT_EQ(test, 0, qr_table_init(&t->rows, ROWS, 0));
	KUNIT_ASSERT_EQ(test, 0, qr_sample_table_init(&t->samples, SAMPLES, &t->rows));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, tables_exit, t));
	return t;
}

static const void *object(unsigned int page, unsigned int i)
{
	return (const void *)(BASE + page * PAGE_SIZE + i * SIZE);
}

static bool open_sample(struct tables *t, const void *ptr)
{
	const struct qr_sampled what = {
		.ptr = ptr,
		.cache = 1,
		.name = "test",
		.size = SIZE,
		.asked = SIZE - 4,
		.weight = 1ULL << QR_OBJECTS_SHIFT,
		.ip = _THIS_IP_,
	};
	unsigned long flags;
	bool ok;

	local_irq_save(flags);
	ok = qr_sample_open(&t->samples, &what, 0);
	local_irq_restore(flags);
	return ok;
}

static enum qr_close close_sample(struct tables *t, const void *ptr)
{
	unsigned long flags;
	enum qr_close ret;

	local_irq_save(flags);
	ret = qr_sample_close(&t->samples, ptr, true);
	local_irq_restore(flags);
	return ret;
}

static void expect_live(struct kunit *test, struct tables *t, u64 live)
{
	struct qr_profile_counts c;

	qr_table_counts(&t->rows, &c);
	KUNIT_EXPECT_EQ(test, live, c.live_samples);
	KUNIT_EXPECT_EQ(test, live * SIZE, c.live_space);
	KUNIT_EXPECT_EQ(test, live, (u64)t->samples.used);
}

static void found_once(struct kunit *test)
{
	struct tables *t = tables(test);

	KUNIT_EXPECT_EQ(test, QR_NO_SAMPLE, close_sample(t, object(0, 0)));
	KUNIT_ASSERT_TRUE(test, open_sample(t, object(0, 0)));
	expect_live(test, t, 1);
	KUNIT_EXPECT_EQ(test, QR_NO_SAMPLE, close_sample(t, object(0, 1)));
	KUNIT_EXPECT_EQ(test, QR_NO_SAMPLE, close_sample(t, object(0, 0) + 8));
	KUNIT_EXPECT_EQ(test, QR_CLOSED, close_sample(t, object(0, 0)));
	expect_live(test, t, 0);
	KUNIT_EXPECT_EQ(test, QR_NO_SAMPLE, close_sample(t, object(0, 0)));
}

static void bits_of_pages(struct kunit *test)
{
	struct tables *t = tables(test);

	KUNIT_EXPECT_FALSE(test, qr_sample_on_page(&t->samples, object(3, 5)));
	KUNIT_ASSERT_TRUE(test, open_sample(t, object(3, 0)));
	KUNIT_ASSERT_TRUE(test, open_sample(t, object(3, 9)));
	KUNIT_EXPECT_TRUE(test, qr_sample_on_page(&t->samples, object(3, 5)));
	KUNIT_EXPECT_EQ(test, QR_CLOSED, close_sample(t, object(3, 0)));
	KUNIT_EXPECT_TRUE(test, qr_sample_on_page(&t->samples, object(3, 5)));
	KUNIT_EXPECT_EQ(test, QR_CLOSED, close_sample(t, object(3, 9)));
	KUNIT_EXPECT_FALSE(test, qr_sample_on_page(&t->samples, object(3, 5)));
	KUNIT_EXPECT_FALSE(test, qr_sample_on_page(&t->samples, NULL));
}

/* Without samples no bit is left over, whatever was opened and closed in whatever order. */
static void same_as_a_model(struct kunit *test)
{
	enum { PAGES = 300, EACH = 8 };
	struct tables *t = tables(test);
	bool *live = qt_array(test, PAGES * EACH, sizeof(*live));
	struct rnd_state rnd;
	unsigned int i, n, nr = 0, wrong = 0;

	prandom_seed_state(&rnd, 14);
	for (n = 0; n < 30000; n++) {
		i = prandom_u32_state(&rnd) % (PAGES * EACH);
		if (live[i]) {
			wrong += close_sample(t, object(i / EACH, i % EACH)) != QR_CLOSED;
			live[i] = false;
			nr--;
		} else if (nr < SAMPLES) {
			wrong += close_sample(t, object(i / EACH, i % EACH)) != QR_NO_SAMPLE;
			wrong += !open_sample(t, object(i / EACH, i % EACH));
			live[i] = true;
			nr++;
		}
		wrong += live[i] && !qr_sample_on_page(&t->samples, object(i / EACH, i % EACH));
	}
	KUNIT_EXPECT_EQ(test, 0, wrong);
	expect_live(test, t, nr);
	for (i = 0; i < PAGES * EACH; i++)
		if (live[i])
			wrong += close_sample(t, object(i / EACH, i % EACH)) != QR_CLOSED;
	KUNIT_EXPECT_EQ(test, 0, wrong);
	expect_live(test, t, 0);
	KUNIT_EXPECT_EQ(test, 0, bitmap_weight(t->samples.pages, 1U << (64 - t->samples.shift)));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&t->samples.missed));
}

static void missed_free_of_an_address(struct kunit *test)
{
	struct tables *t = tables(test);

	KUNIT_ASSERT_TRUE(test, open_sample(t, object(1, 1)));
	KUNIT_ASSERT_TRUE(test, open_sample(t, object(1, 2)));
	KUNIT_ASSERT_TRUE(test, open_sample(t, object(1, 1)));
	KUNIT_EXPECT_EQ(test, 1, atomic64_read(&t->samples.missed));
	expect_live(test, t, 2);
	KUNIT_EXPECT_EQ(test, QR_CLOSED, close_sample(t, object(1, 1)));
	KUNIT_EXPECT_EQ(test, QR_NO_SAMPLE, close_sample(t, object(1, 1)));
	expect_live(test, t, 1);
}

static void missed_frees_of_a_page(struct kunit *test)
{
	struct tables *t = tables(test);
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_TRUE(test, open_sample(t, object(7, 2 * i)));
		KUNIT_ASSERT_TRUE(test, open_sample(t, object(8, 2 * i)));
	}
	local_irq_save(flags);
	qr_sample_close_page(&t->samples, object(7, 0));
	qr_sample_close_page(&t->samples, object(9, 0));
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, 3, atomic64_read(&t->samples.missed));
	expect_live(test, t, 3);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, QR_NO_SAMPLE, close_sample(t, object(7, 2 * i)));
		KUNIT_EXPECT_EQ(test, QR_CLOSED, close_sample(t, object(8, 2 * i)));
	}
}

static void full(struct kunit *test)
{
	struct tables *t = tables(test);
	unsigned int i;

	for (i = 0; i < SAMPLES; i++)
		KUNIT_ASSERT_TRUE(test, open_sample(t, object(i, 0)));
	KUNIT_EXPECT_FALSE(test, open_sample(t, object(SAMPLES, 0)));
	expect_live(test, t, SAMPLES);
	KUNIT_EXPECT_EQ(test, QR_NO_SAMPLE, close_sample(t, object(SAMPLES, 0)));
	KUNIT_EXPECT_EQ(test, QR_CLOSED, close_sample(t, object(SAMPLES / 2, 0)));
	KUNIT_EXPECT_TRUE(test, open_sample(t, object(SAMPLES, 0)));
	expect_live(test, t, SAMPLES);
}

static void add_up(const struct qr_live_sample *s, u32 size, void *arg)
{
	u64 *sums = arg;

	sums[0]++;
	sums[1] += size;
	sums[2] += s->asked;
}

static void walk(struct kunit *test)
{
	struct tables *t = tables(test);
	u64 sums[3] = {};
	unsigned int i;

	for (i = 0; i < 100; i++)
		KUNIT_ASSERT_TRUE(test, open_sample(t, object(i / 3, i)));
	qr_sample_walk(&t->samples, add_up, sums);
	KUNIT_EXPECT_EQ(test, 100, sums[0]);
	KUNIT_EXPECT_EQ(test, 100 * SIZE, sums[1]);
	KUNIT_EXPECT_EQ(test, 100 * (SIZE - 4), sums[2]);
}

/* More rows than there is memory for: the samples are counted in row 0, and none is lost. */
static void rows_run_out(struct kunit *test)
{
	struct tables *t = tables(test);
	struct qr_sampled what = { .size = SIZE, .asked = SIZE, .name = "test", .ip = _THIS_IP_ };
	struct qr_profile_counts c;
	unsigned long flags;
	unsigned int i;

	what.weight = 1ULL << QR_OBJECTS_SHIFT;
	for (i = 0; i < 2 * ROWS; i++) {
		what.ptr = object(i, 0);
		what.cache = i + 1;
		local_irq_save(flags);
		KUNIT_EXPECT_TRUE(test, qr_sample_open(&t->samples, &what, 0));
		local_irq_restore(flags);
	}
	qr_table_counts(&t->rows, &c);
	KUNIT_EXPECT_EQ(test, ROWS, c.sites);
	KUNIT_EXPECT_EQ(test, ROWS, c.site_limit);
	KUNIT_EXPECT_GE(test, c.other_samples, (u64)ROWS);
	expect_live(test, t, 2 * ROWS);
	KUNIT_EXPECT_GT(test, t->rows.other.site.inuse.samples, (u64)ROWS - 2);
	for (i = 0; i < 2 * ROWS; i++)
		KUNIT_EXPECT_EQ(test, QR_CLOSED, close_sample(t, object(i, 0)));
	expect_live(test, t, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(found_once),
	KUNIT_CASE(bits_of_pages),
	KUNIT_CASE(same_as_a_model),
	KUNIT_CASE(missed_free_of_an_address),
	KUNIT_CASE(missed_frees_of_a_page),
	KUNIT_CASE(full),
	KUNIT_CASE(walk),
	KUNIT_CASE(rows_run_out),
	KUNIT_CASE(qt_books_balance),
	{},
};

static struct kunit_suite suite = {
	.name = "quarry_sample_table",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
