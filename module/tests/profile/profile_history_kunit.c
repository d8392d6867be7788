// SPDX-License-Identifier: GPL-2.0
/* What a profile tells about the past: deltas to an earlier profile, resets and ages. */
#include "tests/profile_util.h"

#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/string.h>
#include "profile/bucket.h"
#include "profile/unloaded.h"

/* --- Deltas and resets --- */

/* The samples that were in use at the base of a delta, of a cache. */
static u64 base_samples(const struct quarry_profile *p, u32 cache)
{
	u64 samples = 0;
	u32 i;

	for (i = 0; i < p->nr; i++)
		if (p->site[i].cache == cache)
			samples += p->base[i].samples;
	return samples;
}

static void deltas(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL), *later = qt_cache(test, 64, NULL);
	struct quarry_profile *base, *p;
	struct quarry_site sum;
	void *objs[10], *more[7];
	u64 freed = 0;
	u32 i;

	qp_rate(test, 1);
	qt_alloc_n(test, cache, objs, 10);
	base = qp_take(test, QUARRY_CACHE_ALL, true);
	KUNIT_EXPECT_FALSE(test, base->delta);
	KUNIT_EXPECT_EQ(test, 0, base->duration_ns);
	/* The wall clock is set back by an hour after the base.  The monotonic clock goes on. */
	base->time_ns += 3600 * NSEC_PER_SEC;
	qt_free_n(cache, objs, 4);
	qt_alloc_n(test, cache, more, 7);
	qt_alloc_n(test, later, objs, 3);
	qt_free_n(later, objs, 3);
	p = qp_take(test, QUARRY_CACHE_ALL, true);
	KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, base));
	KUNIT_EXPECT_TRUE(test, p->delta);
	KUNIT_EXPECT_EQ(test, p->mono_ns - base->mono_ns, p->duration_ns);
	KUNIT_EXPECT_GT(test, p->duration_ns, 0);
	KUNIT_EXPECT_LT(test, p->duration_ns, 600 * NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, 0, p->dropped_samples);
	qp_sum(p, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 7, sum.alloc.samples);
	KUNIT_EXPECT_EQ(test, qp_objects(7), sum.alloc.objects);
	KUNIT_EXPECT_EQ(test, 7 * 64, sum.alloc.space);
	KUNIT_EXPECT_TRUE(test, !sum.alloc.var_objects && !sum.alloc.var_space);
	KUNIT_EXPECT_EQ(test, 13, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, 13 * 64, sum.asked);
	/* The level of the base is kept, so that the growth is known: 13 objects, 10 before. */
	KUNIT_EXPECT_EQ(test, 10, base_samples(p, qp_id(cache)));
	qp_sum(p, qp_id(later), &sum);
	KUNIT_EXPECT_EQ(test, 3, sum.alloc.samples);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, 0, base_samples(p, qp_id(later)));
	for (i = 0; i < p->nr; i++) {
		unsigned int age;

		if (p->site[i].cache == qp_id(cache))
			for (age = 0; age < QR_AGES; age++)
				freed += p->ages[i].freed_objects[age];
		/* No other cache was used. */
		if (p->site[i].cache != qp_id(cache) && p->site[i].cache != qp_id(later))
			KUNIT_EXPECT_EQ(test, 0, p->site[i].alloc.samples);
	}
	KUNIT_EXPECT_EQ(test, qp_objects(4), freed);

	/* A base of one cache is enough for a profile of that cache. */
	base = qp_take(test, qp_id(cache), false);
	qt_alloc_n(test, cache, objs, 2);
	p = qp_take(test, qp_id(cache), false);
	KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, base));
	qp_sum(p, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 2, sum.alloc.samples);
	KUNIT_EXPECT_EQ(test, 15, sum.inuse.samples);
	qt_free_n(cache, objs, 2);
	qt_free_n(cache, more, 7);
	qt_free_n(cache, objs + 4, 6);
}

static u64 grown_by(const struct quarry_profile *p)
{
	u64 samples = 0;
	u32 i;

	for (i = 0; i < p->nr; i++)
		samples += p->site[i].alloc.samples;
	return samples;
}

static noinline void some_of_a_cache(struct kunit *test, struct quarry_cache *cache, unsigned int n)
{
	void *objs[10];

	qt_alloc_n(test, cache, objs, n);
	qt_free_n(cache, objs, n);
}

/*
 * Rows of destroyed caches are merged if they read the same, and their numbers are reused.
 * A delta counts no allocation from before the base, in any of these cases.
 */
static void deltas_and_caches_that_go(struct kunit *test)
{
	struct quarry_cache_args args = { .align = 16 };
	struct quarry_cache *cache, *next;
	struct quarry_profile *base, *p;
	unsigned int i;

	qp_rate(test, 1);
	for (i = 0; i < 6; i++) {
		cache = qt_cache(test, 64, NULL);
		some_of_a_cache(test, cache, 7);
		base = qp_take(test, QUARRY_CACHE_ALL, false);
		p = qp_take(test, QUARRY_CACHE_ALL, false);
		KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, base));
		KUNIT_EXPECT_EQ(test, 0, grown_by(p));

		qt_cache_destroy(test, cache);
		p = qp_take(test, QUARRY_CACHE_ALL, false);
		KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, base));
		KUNIT_EXPECT_EQ(test, 0, grown_by(p));

		/* The next cache has the same name in every other round. */
		if (i % 2) {
			next = qt_cache(test, 64, &args);
		} else {
			next = quarry_cache_create("another", 64, &args);
			KUNIT_ASSERT_NOT_NULL(test, next);
		}
		some_of_a_cache(test, next, 9);
		p = qp_take(test, QUARRY_CACHE_ALL, false);
		KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, base));
		KUNIT_EXPECT_EQ(test, 9, grown_by(p));
		if (i % 2)
			qt_cache_destroy(test, next);
		else
			quarry_cache_destroy(next);
		p = qp_take(test, QUARRY_CACHE_ALL, false);
		KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, base));
		KUNIT_EXPECT_EQ(test, 9, grown_by(p));
	}
}

/*
 * A client that is loaded again and again and has live objects when it is unloaded.  Its
 * rows are merged as soon as they have no live objects, and no allocation is counted twice
 * or lost.
 */
static void deltas_and_modules_that_go(struct kunit *test)
{
	unsigned long frame = (unsigned long)qt_free_n + 1;
	const char *names = qr_unloaded_names(&frame, 1, NULL);
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct quarry_profile *first, *base, *p;
	const struct quarry_site *site;
	struct quarry_site sum;
	unsigned int i, rows;
	void *objs[7];
	u64 sites = 0;

	KUNIT_EXPECT_EQ(test, 0, strncmp(names, "qt_free_n", 9));
	/* Rows with another node's label do not read the same, so stay on one node. */
	qt_pin(test, 0);
	qp_rate(test, 1);
	first = qp_take(test, QUARRY_CACHE_ALL, false);
	for (i = 0; i < 6; i++) {
		base = qp_take(test, QUARRY_CACHE_ALL, false);
		qt_alloc_n(test, cache, objs, 7);
		p = qp_take(test, QUARRY_CACHE_ALL, false);
		site = qp_grown(test, p, base, &rows);
		KUNIT_ASSERT_EQ(test, 1, rows);
		KUNIT_EXPECT_NULL(test, site->names);
		KUNIT_EXPECT_PTR_EQ(test, names, qr_unloaded_names(&frame, 1, NULL));
		qr_profile_retire(&qr_own_table, site->id, names);
		p = qp_take(test, QUARRY_CACHE_ALL, false);
		KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, base));
		KUNIT_EXPECT_EQ(test, 7, grown_by(p));
		qt_free_n(cache, objs, 7);
		p = qp_take(test, QUARRY_CACHE_ALL, false);
		KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, base));
		KUNIT_EXPECT_EQ(test, 7, grown_by(p));
		qp_now(test, qp_id(cache), &sum);
		KUNIT_EXPECT_EQ(test, 7 * (i + 1), sum.alloc.samples);
		/* Three rows from now on: the oldest, the last, and one that is merged next. */
		if (i == 2)
			sites = qp_counts().sites;
	}
	KUNIT_EXPECT_EQ(test, sites, qp_counts().sites);
	p = qp_take(test, QUARRY_CACHE_ALL, false);
	KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, first));
	KUNIT_EXPECT_EQ(test, 42, grown_by(p));
}

static void expect_peak_is_live(struct kunit *test, const struct quarry_site *sum)
{
	KUNIT_EXPECT_EQ(test, sum->inuse.objects, sum->peak_objects);
	KUNIT_EXPECT_EQ(test, sum->inuse.space, sum->peak_space);
}

static void resets(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL), *quiet = qt_cache(test, 64, NULL);
	struct quarry_profile *base, *p;
	struct quarry_site sum;
	void *objs[20], *silent[5];
	u64 samples;

	qp_rate(test, 1);
	qt_alloc_n(test, cache, objs, 20);
	qt_free_n(cache, objs, 8);
	qt_alloc_n(test, quiet, silent, 5);
	qt_free_n(quiet, silent, 2);
	base = qp_take(test, QUARRY_CACHE_ALL, false);
	samples = qp_counts().samples;
	qr_profile_reset();

	/* Rows that have not changed since the reset have forgotten their history as well. */
	p = qp_take(test, QUARRY_CACHE_ALL, true);
	KUNIT_EXPECT_EQ(test, base->resets + 1, p->resets);
	KUNIT_EXPECT_EQ(test, 0, p->dropped_samples);
	KUNIT_EXPECT_EQ(test, 0, p->other_samples);
	KUNIT_EXPECT_EQ(test, 0, p->duration_ns);
	KUNIT_EXPECT_GT(test, p->since_ns, base->mono_ns);
	qp_sum(p, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.alloc.samples);
	KUNIT_EXPECT_EQ(test, 0, sum.alloc.space);
	KUNIT_EXPECT_EQ(test, 12, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, 12 * 64, sum.asked);
	expect_peak_is_live(test, &sum);
	KUNIT_EXPECT_TRUE(test, qt_is_zero(p->ages[p->nr - 1].freed_objects,
					   sizeof(p->ages->freed_objects)));

	qt_alloc_n(test, cache, objs, 3);
	qt_free_n(cache, objs, 3);
	p = qp_take(test, QUARRY_CACHE_ALL, false);
	qp_sum(p, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 3, sum.alloc.samples);
	KUNIT_EXPECT_EQ(test, 12, sum.inuse.samples);
	qp_sum(p, qp_id(quiet), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.alloc.samples);
	KUNIT_EXPECT_EQ(test, 3, sum.inuse.samples);

	/* A base from before the reset counts as zero. */
	KUNIT_ASSERT_EQ(test, 0, qr_profile_subtract(p, base));
	KUNIT_EXPECT_TRUE(test, p->delta);
	KUNIT_EXPECT_EQ(test, p->mono_ns - p->since_ns, p->duration_ns);
	KUNIT_EXPECT_LT(test, p->duration_ns, p->mono_ns - base->mono_ns);
	/* The level of the base still counts for the growth. */
	KUNIT_EXPECT_EQ(test, p->mono_ns - base->mono_ns, p->span_ns);
	KUNIT_EXPECT_EQ(test, 12, base_samples(p, qp_id(cache)));
	qp_sum(p, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 3, sum.alloc.samples);
	KUNIT_EXPECT_EQ(test, 12, sum.inuse.samples);

	/* Objects that were live at the reset are counted until they are freed. */
	qt_free_n(cache, objs + 8, 12);
	qt_free_n(quiet, silent + 2, 3);
	qp_now(test, qp_id(cache), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, 3, sum.alloc.samples);
	qp_now(test, qp_id(quiet), &sum);
	KUNIT_EXPECT_EQ(test, 0, sum.inuse.samples);
	KUNIT_EXPECT_EQ(test, 0, sum.asked);
	/* A reset does not change the totals of `stats`. */
	KUNIT_EXPECT_EQ(test, samples + 3, qp_counts().samples);
}

/* --- Ages --- */

static void names_of_ages(struct kunit *test)
{
	u64 limit = 10 * NSEC_PER_USEC;
	unsigned int age;

	for (age = 0; age < QR_AGES - 1; age++, limit *= 10) {
		KUNIT_EXPECT_EQ(test, age, qr_age(limit - 1));
		KUNIT_EXPECT_EQ(test, age + 1, qr_age(limit));
	}
	KUNIT_EXPECT_EQ(test, 0, qr_age(0));
	KUNIT_EXPECT_EQ(test, QR_AGES - 1, qr_age(U64_MAX));
	KUNIT_EXPECT_STREQ(test, "<10us", qr_age_name(0));
	KUNIT_EXPECT_STREQ(test, "10ms-100ms", qr_age_name(qr_age(50 * NSEC_PER_MSEC)));
	KUNIT_EXPECT_STREQ(test, "1s-10s", qr_age_name(qr_age(2 * (u64)NSEC_PER_SEC)));
	KUNIT_EXPECT_STREQ(test, ">=1000s", qr_age_name(QR_AGES - 1));
}

/* All @sum objects are in the age classes from @least to @most. */
static void expect_aged(struct kunit *test, const u64 *objects, const u64 *space, u64 sum,
			unsigned int least, unsigned int most)
{
	unsigned int age;

	for (age = 0; age < QR_AGES; age++) {
		KUNIT_EXPECT_EQ(test, (objects[age] >> QR_OBJECTS_SHIFT) * 64, space[age]);
		if (age < least || age > most)
			KUNIT_EXPECT_EQ_MSG(test, 0, objects[age], "%s", qr_age_name(age));
		else
			sum -= objects[age] >> QR_OBJECTS_SHIFT;
	}
	KUNIT_EXPECT_EQ(test, 0, sum);
}

static void ages(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	unsigned int ms, least, most;
	struct quarry_profile *p;
	u64 begin, end, begun;
	void *objs[9];

	qp_rate(test, 1);
	begin = ktime_get_mono_fast_ns();
	qt_alloc_n(test, cache, objs, 9);
	begun = ktime_get_mono_fast_ns();
	for (ms = 2; ms <= 200; ms *= 10) {
		msleep(ms);
		end = ktime_get_mono_fast_ns();
		p = qp_take(test, qp_id(cache), true);
		KUNIT_ASSERT_EQ(test, 1, p->nr);
		least = qr_age(end - begun);
		most = qr_age(ktime_get_mono_fast_ns() - begin);
		expect_aged(test, p->ages->live_objects, p->ages->live_space, 9, least, most);
		expect_aged(test, p->ages->freed_objects, p->ages->freed_space, 0, 0, 0);
	}
	KUNIT_EXPECT_GE(test, least, qr_age(200 * NSEC_PER_MSEC));
	end = ktime_get_mono_fast_ns();
	qt_free_n(cache, objs, 7);
	least = qr_age(end - begun);
	most = qr_age(ktime_get_mono_fast_ns() - begin);
	p = qp_take(test, qp_id(cache), true);
	expect_aged(test, p->ages->freed_objects, p->ages->freed_space, 7, least, most);
	expect_aged(test, p->ages->live_objects, p->ages->live_space, 2, least, QR_AGES - 1);
	/* A new object in the place of an old one, freed at once: its own age counts. */
	begin = ktime_get_mono_fast_ns();
	objs[0] = quarry_cache_alloc(cache, GFP_KERNEL);
	quarry_cache_free(cache, objs[0]);
	most = qr_age(ktime_get_mono_fast_ns() - begin);
	if (most < least) {
		struct quarry_site sum;
		unsigned int age, young = 0;
		u32 i;

		p = qp_take(test, qp_id(cache), true);
		qp_sum(p, qp_id(cache), &sum);
		KUNIT_EXPECT_EQ(test, 10, sum.alloc.samples);
		for (i = 0; i < p->nr; i++)
			for (age = 0; age <= most; age++)
				young += p->ages[i].freed_objects[age] >> QR_OBJECTS_SHIFT;
		KUNIT_EXPECT_EQ(test, 1, young);
	}
	qt_free_n(cache, objs + 7, 2);
}

static struct kunit_case cases[] = { KUNIT_CASE(deltas),
				     KUNIT_CASE(deltas_and_caches_that_go),
				     KUNIT_CASE(deltas_and_modules_that_go),
				     KUNIT_CASE(resets),
				     KUNIT_CASE(names_of_ages),
				     KUNIT_CASE(ages),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite history_suite = {
	.name = "quarry_profile_history",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(history_suite);
