// SPDX-License-Identifier: GPL-2.0
/* Which marks are valid, compared with a model that remembers all marks. */
#include "tests/kunit_util.h"

#include <linux/random.h>
#include "api/arena_mark.h"

#define MARKS 400

/**
 * struct model - remembers all marks of an arena
 * @marks: the code under test
 * @at: offset of the arena
 * @nr: number of marks in @mark
 * @mark: every mark that was made, and whether it is valid
 * @forgets: @marks may have forgotten some releases
 */
struct model {
	struct qr_marks marks;
	u64 at;
	unsigned int nr;
	struct {
		u64 offset;
		u64 serial;
		bool live;
	} mark[MARKS];
	bool forgets;
};

static unsigned int mark(struct model *m)
{
	m->mark[m->nr].offset = m->at;
	m->mark[m->nr].serial = qr_mark_new(&m->marks);
	m->mark[m->nr].live = true;
	return m->nr++;
}

static bool is_live(const struct model *m, unsigned int i)
{
	return qr_mark_is_live(&m->marks, m->mark[i].offset, m->mark[i].serial);
}

/* Release to a valid mark: it and all later marks die. */
static void release(struct model *m, unsigned int i)
{
	m->forgets |= m->marks.nr == QR_MARK_CUTS;
	m->at = m->mark[i].offset;
	qr_mark_release(&m->marks, m->mark[i].offset, m->mark[i].serial);
	for (; i < m->nr; i++)
		m->mark[i].live = false;
}

static void reset(struct model *m)
{
	unsigned int i;

	m->at = 0;
	m->forgets = false;
	qr_marks_reset(&m->marks);
	for (i = 0; i < m->nr; i++)
		m->mark[i].live = false;
}

static void check(struct kunit *test, const struct model *m)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++) {
		bool live = is_live(m, i);

		if (m->mark[i].live)
			KUNIT_ASSERT_TRUE_MSG(test, live, "good mark %u of %u", i, m->nr);
		else if (!m->forgets)
			KUNIT_ASSERT_FALSE_MSG(test, live, "dead mark %u of %u", i, m->nr);
	}
}

/* Makes about @steps allocations and as many marks for each release. */
static void random_walk(struct kunit *test, unsigned int turns, unsigned int steps, bool resets)
{
	struct model *m = qt_array(test, 1, sizeof(*m));
	unsigned int i, live = 0, released = 0;

	while (turns--) {
		unsigned int what = get_random_u32_below(2 * steps + 2);

		if (m->nr == MARKS) {
			memset(m->mark, 0, sizeof(m->mark));
			m->nr = 0;
			reset(m);
		}
		if (what < steps) {
			m->at += 8 * get_random_u32_below(3);
		} else if (what < 2 * steps) {
			mark(m);
		} else if (what == 2 * steps + 1 && resets && !get_random_u32_below(10)) {
			reset(m);
		} else if (m->nr) {
			i = get_random_u32_below(m->nr);
			while (i && !m->mark[i].live)
				i--;
			if (m->mark[i].live) {
				release(m, i);
				released++;
			}
		}
		check(test, m);
		for (i = 0; i < m->nr; i++)
			live += m->mark[i].live;
	}
	KUNIT_EXPECT_GT(test, live, 0);
	KUNIT_EXPECT_GT(test, released, 50);
}

static void random_operations_match_model(struct kunit *test)
{
	random_walk(test, 3000, 1, true);
	random_walk(test, 3000, 2, true);
	random_walk(test, 3000, 4, true);
	random_walk(test, 2000, 4, false);
}

/* Releases to one place over and over need one entry, so no dead mark is forgotten. */
static void loops_need_no_room(struct kunit *test)
{
	struct model *m = qt_array(test, 1, sizeof(*m));
	unsigned int outer, first, i;

	m->at = 64;
	outer = mark(m);
	first = mark(m);
	release(m, first);
	for (i = 0; i < 300; i++) {
		unsigned int k = mark(m);

		m->at += 8;
		check(test, m);
		release(m, k);
		check(test, m);
		KUNIT_ASSERT_EQ(test, 1, m->marks.nr);
	}
	KUNIT_EXPECT_FALSE(test, is_live(m, first));
	KUNIT_EXPECT_TRUE(test, is_live(m, outer));
	/* A release to an earlier mark replaces the entry. */
	release(m, outer);
	KUNIT_EXPECT_EQ(test, 1, m->marks.nr);
	check(test, m);
}

/* Something is kept behind each release.  The last ones are known; no valid mark is refused. */
static void what_is_forgotten(struct kunit *test)
{
	struct model *m = qt_array(test, 1, sizeof(*m));
	unsigned int dead[2 * QR_MARK_CUTS], outer = mark(m), i;

	for (i = 0; i < ARRAY_SIZE(dead); i++) {
		unsigned int k;

		m->at += 8;
		k = mark(m);
		m->at += 8;
		dead[i] = mark(m);
		release(m, k);
		m->at += 16;
		check(test, m);
	}
	KUNIT_EXPECT_EQ(test, QR_MARK_CUTS, m->marks.nr);
	for (i = QR_MARK_CUTS; i < ARRAY_SIZE(dead); i++)
		KUNIT_EXPECT_FALSE_MSG(test, is_live(m, dead[i]), "%u", i);
	KUNIT_EXPECT_TRUE(test, is_live(m, outer));
	/* A release to a lower place makes all entries for higher places superfluous. */
	release(m, outer);
	KUNIT_EXPECT_EQ(test, 1, m->marks.nr);
	reset(m);
	KUNIT_EXPECT_EQ(test, 0, m->marks.nr);
	check(test, m);
}

static void numbers_that_never_were(struct kunit *test)
{
	struct qr_marks m = {};

	KUNIT_EXPECT_FALSE(test, qr_mark_is_live(&m, 0, 0));
	KUNIT_EXPECT_FALSE(test, qr_mark_is_live(&m, 0, 1));
	KUNIT_EXPECT_EQ(test, 1, qr_mark_new(&m));
	KUNIT_EXPECT_TRUE(test, qr_mark_is_live(&m, 0, 1));
	KUNIT_EXPECT_FALSE(test, qr_mark_is_live(&m, 0, 0));
	KUNIT_EXPECT_FALSE(test, qr_mark_is_live(&m, 0, 2));
	KUNIT_EXPECT_FALSE(test, qr_mark_is_live(&m, 0, U64_MAX));
}

static struct kunit_case cases[] = { KUNIT_CASE(numbers_that_never_were),
				     KUNIT_CASE(loops_need_no_room),
				     KUNIT_CASE(what_is_forgotten),
				     KUNIT_CASE(random_operations_match_model),
				     {} };

static struct kunit_suite mark_suite = {
	.name = "quarry_arena_mark",
	.test_cases = cases,
};

kunit_test_suite(mark_suite);
