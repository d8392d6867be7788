// SPDX-License-Identifier: GPL-2.0
/*
 * The rows of reports: their values, their errors, and how objects are rounded.  The
 * profiles are made up.
 */
#include "tests/kunit_util.h"

#include <linux/string.h>
#include <quarry/profile.h>
#include "tests/report/fake_profile_util.h"
#include "report/profile_report.h"

static void errors_are_square_roots(struct kunit *test)
{
	static const u64 values[] = { 0, 1, 3, 1000, 123456789, 1ULL << 40, 0xffffffffffULL };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		qr_u128 var = ((qr_u128)values[i] * values[i]) << (2 * QR_OBJECTS_SHIFT);
		u64 error = qr_error(var);

		/* The square root is taken of the upper 64 bits only, which cuts off the rest. */
		KUNIT_EXPECT_LE(test, error, values[i]);
		KUNIT_EXPECT_LE(test, values[i] - error, values[i] >> 30);
	}
	/* 2.5 is rounded up, 2.25 down. */
	KUNIT_EXPECT_EQ(test, 3, qr_error((qr_u128)25 << (2 * QR_OBJECTS_SHIFT - 2)));
	KUNIT_EXPECT_EQ(test, 2, qr_error((qr_u128)81 << (2 * QR_OBJECTS_SHIFT - 4)));
}

static void objects_are_rounded(struct kunit *test)
{
	static const struct {
		u64 objects;
		s64 whole;
	} cases[] = {
		{ ONE, 1 },	    { ONE + ONE / 2 - 1, 1 },	       { ONE + ONE / 2, 2 },
		{ 5 * ONE - 1, 5 }, { (1ULL << 40) * ONE, 1LL << 40 }, { U64_MAX, 1LL << 48 },
	};
	struct quarry_profile *p = qf_profile_new(test, ARRAY_SIZE(cases));
	struct qr_report r;
	struct qr_row row;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		p->site[i].inuse.objects = cases[i].objects;
	KUNIT_ASSERT_EQ(test, 0, qr_report_init(&r, p, QUARRY_PROFILE_HEAP));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_ASSERT_TRUE(test, qr_report_next(&r, &row));
		KUNIT_EXPECT_EQ(test, cases[i].whole, row.value[2]);
	}
	KUNIT_EXPECT_FALSE(test, qr_report_next(&r, &row));
	qr_report_exit(&r);
}

/*
 * Many rows with a few objects and a fraction: the sum is right, and no row is off by a whole
 * object.
 */
static void fractions_are_not_lost(struct kunit *test)
{
	enum { ROWS = 64 };
	static const u64 fraction[] = { ONE / 8, ONE - ONE / 8, ONE / 3, 1 };
	struct quarry_profile *p = qf_profile_new(test, ROWS);
	u64 alloc = 0, inuse = 0;
	struct qr_report r;
	struct qr_row row;
	unsigned int i, k;

	for (k = 0; k < ARRAY_SIZE(fraction); k++) {
		s64 allocs = 0, live = 0;

		for (i = 0, alloc = 0, inuse = 0; i < ROWS; i++) {
			struct quarry_site *site = &p->site[i];

			site->alloc.objects = (i % 5 + 1) * (ONE + fraction[k]);
			/* By turns no object is live, all are, some are. */
			site->inuse.objects = i % 3 == 0 ? 0 :
					      i % 3 == 1 ? site->alloc.objects :
							   ONE + fraction[k];
			alloc += site->alloc.objects;
			inuse += site->inuse.objects;
		}
		KUNIT_ASSERT_EQ(test, 0, qr_report_init(&r, p, QUARRY_PROFILE_HEAP));
		for (i = 0; i < ROWS; i++) {
			KUNIT_ASSERT_TRUE(test, qr_report_next(&r, &row));
			allocs += row.value[0];
			live += row.value[2];
			KUNIT_EXPECT_LT(test,
					abs((row.value[0] << QR_OBJECTS_SHIFT) -
					    (s64)row.site->alloc.objects),
					(s64)ONE);
			KUNIT_EXPECT_LT(test,
					abs((row.value[2] << QR_OBJECTS_SHIFT) -
					    (s64)row.site->inuse.objects),
					(s64)ONE);
			KUNIT_EXPECT_LE(test, row.value[2], row.value[0]);
			if (!row.site->inuse.objects)
				KUNIT_EXPECT_EQ(test, 0, row.value[2]);
			if (row.site->inuse.objects == row.site->alloc.objects)
				KUNIT_EXPECT_EQ(test, row.value[0], row.value[2]);
		}
		KUNIT_EXPECT_EQ(test, (alloc + ONE / 2) >> QR_OBJECTS_SHIFT, allocs);
		/* Less exact: live objects are rounded with the carry of the allocated ones. */
		KUNIT_EXPECT_LE(test, abs((live << QR_OBJECTS_SHIFT) - (s64)inuse),
				(s64)(ROWS / 8 * ONE));
		qr_report_exit(&r);
	}
}

static void rows_of_nothing_are_left_out(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_new(test, 4);
	struct qr_report r;
	struct qr_row row;

	qf_set_site(p, 1, 10, 0, 64);
	qf_set_site(p, 3, 10, 10, 64);
	KUNIT_ASSERT_EQ(test, 0, qr_report_init(&r, p, QUARRY_PROFILE_HEAP));
	KUNIT_ASSERT_TRUE(test, qr_report_next(&r, &row));
	KUNIT_EXPECT_EQ(test, 2, row.site->id);
	KUNIT_ASSERT_TRUE(test, qr_report_next(&r, &row));
	KUNIT_EXPECT_EQ(test, 4, row.site->id);
	KUNIT_EXPECT_FALSE(test, qr_report_next(&r, &row));
	qr_report_exit(&r);
}

static void ages_are_rows(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_new(test, 2);
	u64 freed = 0, live = 0;
	const char *last = "";
	unsigned int rows = 0;
	struct qr_report r;
	struct qr_row row;

	qf_set_site(p, 0, 100, 20, 64);
	p->ages[0].freed_objects[5] = 3 * ONE;
	p->ages[0].freed_space[5] = 3 * 64;
	p->ages[0].live_objects[1] = ONE;
	KUNIT_ASSERT_EQ(test, 0, qr_report_init(&r, p, QUARRY_PROFILE_LIFETIME));
	while (qr_report_next(&r, &row)) {
		rows++;
		freed += row.value[0];
		live += row.value[2];
		KUNIT_EXPECT_STREQ(test, "age", row.key);
		KUNIT_EXPECT_STRNEQ(test, last, row.label);
		last = row.label;
		/* The samples are those of the freed objects, which matter most. */
		KUNIT_EXPECT_EQ(test, row.value[0] > 0, row.samples > 0);
	}
	KUNIT_EXPECT_EQ(test, 3, rows);
	KUNIT_EXPECT_EQ(test, 80 + 3, freed);
	KUNIT_EXPECT_EQ(test, 1, live);
	qr_report_exit(&r);
}

/* Growth is a difference of levels, and also the first value of a heap profile, of a delta only. */
static void deltas_have_growth(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_new(test, 3);
	static const s64 growth[] = { 7, -4, 0 };
	struct qr_report r;
	struct qr_row row;
	unsigned int i;

	qf_set_site(p, 0, 40, 20, 64);
	qf_set_site(p, 1, 40, 20, 64);
	qf_set_site(p, 2, 0, 20, 64);
	KUNIT_ASSERT_EQ(test, 0, qr_report_init(&r, p, QUARRY_PROFILE_HEAP));
	qr_report_show_growth(&r);
	KUNIT_EXPECT_EQ(test, 4, r.nr);
	KUNIT_EXPECT_STREQ(test, "inuse_bytes", r.type[r.first].column);
	qr_report_exit(&r);

	p->delta = true;
	p->base = qt_array(test, 3, sizeof(p->base[0]));
	for (i = 0; i < 3; i++)
		qf_set_sum(&p->base[i], 20 - growth[i], 20 - growth[i], 64);
	KUNIT_ASSERT_EQ(test, 0, qr_report_init(&r, p, QUARRY_PROFILE_HEAP));
	qr_report_show_growth(&r);
	KUNIT_EXPECT_STREQ(test, "growth_bytes", r.type[r.first].column);
	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_TRUE(test, qr_report_next(&r, &row));
		KUNIT_EXPECT_EQ(test, growth[i] * 64, row.value[r.first]);
		KUNIT_EXPECT_EQ(test, growth[i], row.value[r.first ^ 1]);
		KUNIT_EXPECT_EQ(test, 20 * 64, row.value[3]);
		KUNIT_EXPECT_EQ(test, growth[i], row.samples);
	}
	/*
	 * The last row: nothing was allocated, so nothing was freed, and the growth is exact.
	 * qf_set_sum() gives each sample a variance of 1 object.
	 */
	KUNIT_EXPECT_EQ(test, 0, qr_error(row.var[r.first]));
	qr_report_exit(&r);

	/* No object was allocated, and 5 of 20 were freed: only these are in doubt. */
	qf_set_sum(&p->site[2].inuse, 15, 15, 64);
	qf_set_sum(&p->base[2], 20, 20, 64);
	KUNIT_ASSERT_EQ(test, 0, qr_report_init(&r, p, QUARRY_PROFILE_ALLOCS));
	qr_report_show_growth(&r);
	KUNIT_EXPECT_STREQ(test, "alloc_bytes", r.type[r.first].column);
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_TRUE(test, qr_report_next(&r, &row));
	KUNIT_EXPECT_EQ(test, -5, row.value[QR_FIRST_GROWTH]);
	KUNIT_EXPECT_TRUE(test, row.var[QR_FIRST_GROWTH] == (qr_u128)5 << (2 * QR_OBJECTS_SHIFT));
	/* A reset hides what was allocated and freed before it: then all may be in doubt. */
	p->span_ns = p->duration_ns + 1;
	qr_report_rewind(&r);
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_TRUE(test, qr_report_next(&r, &row));
	KUNIT_EXPECT_TRUE(test, row.var[QR_FIRST_GROWTH] == (qr_u128)35 << (2 * QR_OBJECTS_SHIFT));
	qr_report_exit(&r);
}

static void fragmentation_is_shared_out(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	struct quarry_profile *p = qf_profile_new(test, 50);
	u64 pinned = 0, internal = 0;
	struct quarry_cache_stats st;
	struct qr_report r;
	struct qr_row row;
	unsigned int i;
	void *held;

	held = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, held);
	for (i = 0; i < 50; i++) {
		qf_set_site(p, i, 20 + i, i % 7 + 1, 200);
		if (i % 2)
			p->site[i].cache = qr_cache_of(cache)->id;
	}
	KUNIT_ASSERT_EQ(test, 0, qr_report_init(&r, p, QUARRY_PROFILE_FRAGMENTATION));
	st = qt_sum(cache);
	while (qr_report_next(&r, &row)) {
		internal += row.value[0];
		pinned += row.value[1];
		KUNIT_EXPECT_TRUE(test, row.site->cache == qr_cache_of(cache)->id || !row.value[1]);
	}
	KUNIT_EXPECT_GT(test, pinned, 0);
	KUNIT_EXPECT_EQ(test, st.inuse_bytes - st.live_objects * st.size, pinned);
	for (i = 0; i < 50; i++)
		internal -= p->site[i].inuse.space - p->site[i].asked;
	KUNIT_EXPECT_EQ(test, 0, internal);
	qr_report_exit(&r);
	quarry_cache_free(cache, held);
}

static struct kunit_case cases[] = { KUNIT_CASE(errors_are_square_roots),
				     KUNIT_CASE(objects_are_rounded),
				     KUNIT_CASE(fractions_are_not_lost),
				     KUNIT_CASE(rows_of_nothing_are_left_out),
				     KUNIT_CASE(ages_are_rows),
				     KUNIT_CASE(fragmentation_is_shared_out),
				     KUNIT_CASE(deltas_have_growth),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite report_suite = {
	.name = "quarry_profile_report",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(report_suite);
