// SPDX-License-Identifier: GPL-2.0
/* The last reports of misuse that are kept: what they say, repeats, and which ones go. */
#include "tests/kunit_util.h"

#include <linux/compiler.h>
#include <linux/kallsyms.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <quarry/misuse.h>
#include "slab/misuse.h"
#include "tests/profile_util.h"

/* The newest report, or one with number 0. */
static struct quarry_misuse *newest(struct kunit *test)
{
	struct quarry_misuse *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	while (qr_misuse_next(m->number, m))
		;
	return m;
}

/* Neither inlined nor left before its end, so that the report names it. */
static noinline void free_into(struct quarry_cache *cache, void *p)
{
	quarry_cache_free(cache, p);
	barrier();
}

/* A cache with red zones has no magazine, so the mistake is noticed in the free itself. */
static void says_what_is_known(struct kunit *test)
{
	static const struct quarry_cache_args args = { .flags = QUARRY_RED_ZONE };
	struct quarry_cache *cache = qt_cache(test, 200, &args);
	u64 number = newest(test)->number, before = ktime_get_mono_fast_ns();
	struct quarry_misuse *m;
	unsigned long *frames;
	void *first, *p;

	qt_pin(test, 0);
	qp_cache_rate(test, cache, 0);
	first = quarry_cache_alloc(cache, GFP_KERNEL);
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, first && p);
	free_into(cache, p + 24);
	m = newest(test);
	KUNIT_ASSERT_EQ(test, number + 1, m->number);
	KUNIT_EXPECT_STREQ(test, "interior", m->what);
	KUNIT_EXPECT_STREQ(test, "object leaked", m->result);
	KUNIT_EXPECT_STREQ(test, qr_cache_of(cache)->name, m->cache);
	KUNIT_EXPECT_STREQ(test, "", m->given);
	KUNIT_EXPECT_PTR_EQ(test, p + 24, m->object);
	KUNIT_EXPECT_EQ(test, 24, m->offset);
	KUNIT_EXPECT_EQ(test, 208, m->size);
	KUNIT_EXPECT_NOT_NULL(test, strstr(m->caller, "free_into"));
	KUNIT_EXPECT_EQ(test, current->pid, m->pid);
	KUNIT_EXPECT_STREQ(test, current->comm, m->comm);
	KUNIT_EXPECT_EQ(test, 0, m->cpu);
	KUNIT_EXPECT_FALSE(test, m->interrupt);
	KUNIT_EXPECT_EQ(test, 1, m->times);
	KUNIT_EXPECT_EQ(test, m->first_ns, m->last_ns);
	KUNIT_EXPECT_TRUE(test, m->first_ns >= before && m->first_ns <= ktime_get_mono_fast_ns());
	KUNIT_EXPECT_EQ(test, 0, qr_misuse_stack(m, &frames));
	KUNIT_EXPECT_EQ(test, 0, m->age_ns);
	quarry_cache_free(cache, first);
	quarry_cache_free(cache, p);
}

/* Of a sampled object, the report has the stack that allocated it. */
static void says_who_allocated(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	struct quarry_misuse *m;
	unsigned long *frames;
	char name[KSYM_SYMBOL_LEN];
	unsigned int n;
	void *p;

	qp_cache_rate(test, cache, 1);
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	free_into(cache, p + 8);
	m = newest(test);
	KUNIT_EXPECT_PTR_EQ(test, p + 8, m->object);
	n = qr_misuse_stack(m, &frames);
	KUNIT_ASSERT_GT(test, n, 2);
	sprint_symbol(name, frames[0]);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(name, __func__), "%s", name);
	KUNIT_EXPECT_GT(test, m->age_ns, 0);
	KUNIT_EXPECT_LT(test, m->age_ns, m->first_ns);
	quarry_cache_free(cache, p);
}

static void large_and_foreign(struct kunit *test)
{
	void *p = quarry_malloc(SZ_64K, GFP_KERNEL);
	struct quarry_misuse *m;

	KUNIT_ASSERT_NOT_NULL(test, p);
	quarry_free(p + 4096);
	m = newest(test);
	KUNIT_EXPECT_STREQ(test, "interior", m->what);
	KUNIT_EXPECT_STREQ(test, "(large)", m->cache);
	KUNIT_EXPECT_EQ(test, SZ_64K, m->size);
	KUNIT_EXPECT_EQ(test, 4096, m->offset);
	quarry_free(p);
	quarry_free(&p);
	m = newest(test);
	KUNIT_EXPECT_STREQ(test, "foreign", m->what);
	KUNIT_EXPECT_STREQ(test, "", m->cache);
	KUNIT_EXPECT_PTR_EQ(test, &p, m->object);
	KUNIT_EXPECT_EQ(test, 0, m->size);
	KUNIT_EXPECT_EQ(test, 0, m->offset);
}

/* A caller has one report, which counts. */
static void repeats_are_counted(struct kunit *test)
{
	unsigned long ip = (unsigned long)repeats_are_counted;
	struct quarry_misuse *m, *last;

	qr_report(QR_MISUSE_FOREIGN, test, NULL, "given", ip);
	m = newest(test);
	KUNIT_EXPECT_EQ(test, 1, m->times);
	KUNIT_EXPECT_STREQ(test, "given", m->given);
	qr_report(QR_MISUSE_FOREIGN, test, NULL, "given", ip);
	qr_report(QR_MISUSE_FOREIGN, m, NULL, "given", ip);
	last = newest(test);
	KUNIT_EXPECT_EQ(test, m->number, last->number);
	KUNIT_EXPECT_EQ(test, 3, last->times);
	KUNIT_EXPECT_PTR_EQ(test, (void *)test, last->object);
	KUNIT_EXPECT_EQ(test, m->first_ns, last->first_ns);
	KUNIT_EXPECT_GT(test, last->last_ns, last->first_ns);
	/* Another kind is another report. */
	qr_report(QR_MISUSE_DOUBLE_FREE, test, NULL, "given", ip);
	KUNIT_EXPECT_EQ(test, m->number + 1, newest(test)->number);
}

static void the_oldest_go(struct kunit *test)
{
	struct quarry_misuse *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	u64 number = newest(test)->number;
	unsigned int i, n;

	KUNIT_ASSERT_NOT_NULL(test, m);
	for (i = 0; i < QUARRY_MISUSE_KEPT + 5; i++)
		qr_report(QR_MISUSE_FOREIGN, test, NULL, NULL, (unsigned long)the_oldest_go + i);
	for (n = 0; qr_misuse_next(m->number, m); n++)
		KUNIT_EXPECT_EQ(test, number + 6 + n, m->number);
	KUNIT_EXPECT_EQ(test, QUARRY_MISUSE_KEPT, n);
}

static struct kunit_case cases[] = { KUNIT_CASE(says_what_is_known),
				     KUNIT_CASE(says_who_allocated),
				     KUNIT_CASE(large_and_foreign),
				     KUNIT_CASE(repeats_are_counted),
				     KUNIT_CASE(the_oldest_go),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite misuse_kept_suite = {
	.name = "quarry_misuse_kept",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(misuse_kept_suite);
