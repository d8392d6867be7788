// SPDX-License-Identifier: GPL-2.0
/* Tables of profiles: order, marks, calls, processes, growth. */
#include "tests/profile_util.h"

#include <linux/err.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <quarry/profile.h>
#include "tests/report/fake_profile_util.h"
#include "report/profile_report.h"
#include "report/text_buffer.h"

static char *rendered(struct kunit *test, const struct quarry_profile *p,
		      enum quarry_profile_kind kind, enum quarry_profile_format format)
{
	return qt_text_bytes(test, qt_text_owned(test, qr_profile_render(p, kind, format)));
}

static void tables_are_sorted(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_filled(test, 500, 50);
	char *text = rendered(test, p, QUARRY_PROFILE_HEAP, QUARRY_FORMAT_TOP), *line;
	u64 last = U64_MAX, sum = 0, all = 0, value;
	unsigned int lines = 0, i;

	KUNIT_EXPECT_TRUE(test, str_has_prefix(strsep(&text, "\n"), "#inuse_bytes"));
	while ((line = strsep(&text, "\n")) && *line && *line != '#') {
		line = skip_spaces(line);
		line[strcspn(line, " ")] = '\0';
		KUNIT_ASSERT_EQ(test, 0, kstrtou64(line, 10, &value));
		KUNIT_EXPECT_LE(test, value, last);
		last = value;
		sum += value;
		lines++;
	}
	for (i = 0; i < 500; i++)
		all += p->site[i].inuse.space;
	KUNIT_EXPECT_EQ(test, all, sum);
	/* Each of 50 stacks allocates from three caches. */
	KUNIT_EXPECT_EQ(test, 150, lines);
}

/* The first line of a table behind its head. */
static char *first_row(struct kunit *test, const struct quarry_profile *p,
		       enum quarry_profile_kind kind)
{
	char *text = rendered(test, p, kind, QUARRY_FORMAT_TOP);

	strsep(&text, "\n");
	KUNIT_ASSERT_NOT_NULL(test, text);
	return strsep(&text, "\n");
}

static void few_samples_are_marked(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_new(test, 1);

	/* Many samples of allocations, few of live objects. */
	qf_set_site(p, 0, 100, 5, 64);
	KUNIT_EXPECT_NOT_NULL(test, strstr(first_row(test, p, QUARRY_PROFILE_HEAP), " 5* "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(first_row(test, p, QUARRY_PROFILE_ALLOCS), " 100  "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(first_row(test, p, QUARRY_PROFILE_LIFETIME), " 95  "));
	/* Many samples are live, few more than at the base. */
	qf_set_site(p, 0, 100, 50, 64);
	p->delta = true;
	p->base = qt_array(test, 1, sizeof(p->base[0]));
	qf_set_sum(&p->base[0], 53, 53, 64);
	KUNIT_EXPECT_NOT_NULL(test, strstr(first_row(test, p, QUARRY_PROFILE_HEAP), " 3* "));
}

/* The label set of an allocation of this task. */
static u32 own_labels(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct quarry_profile *p;

	qp_rate(test, 1);
	quarry_cache_free(cache, quarry_cache_alloc(cache, GFP_KERNEL));
	p = qp_take(test, qp_id(cache), false);
	KUNIT_ASSERT_EQ(test, 1, p->nr);
	KUNIT_ASSERT_NE(test, 0, p->site[0].labels);
	return p->site[0].labels;
}

static void tables_name_calls_and_processes(struct kunit *test)
{
	unsigned long stack[] = { (unsigned long)qr_text_put + 1, (unsigned long)schedule + 1 };
	struct quarry_profile *p = qf_profile_new(test, 3);
	u32 labels = own_labels(test), i;
	char process[64], *text;

	/* Two calls in one function; the second was made by two processes. */
	for (i = 0; i < 3; i++) {
		qf_set_site(p, i, 30 - i, 30 - i, 64);
		p->site[i].cache = 1000000;
		if (i == 1)
			stack[0]++;
		p->site[i].stack = stack_depot_save(stack, 2, GFP_KERNEL);
		if (i < 2)
			p->site[i].labels = labels;
	}
	text = rendered(test, p, QUARRY_PROFILE_HEAP, QUARRY_FORMAT_TOP);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "  qr_text_put+0x1 [quarry] < schedule+0x1\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "  qr_text_put+0x2 [quarry] < schedule+0x1\n"));
	snprintf(process, sizeof(process), " %s  ", current->comm);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, process));
	snprintf(process, sizeof(process), " %s+  ", current->comm);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, process));
}

static void deltas_are_sorted_by_growth(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_filled(test, 2, 2);
	char *text;

	/* Much that stays, and 10 objects of 64 bytes more in 2 seconds. */
	qf_set_site(p, 0, 0, 1000000, 64);
	qf_set_site(p, 1, 40, 30, 64);
	p->delta = true;
	p->base = qt_array(test, 2, sizeof(p->base[0]));
	qf_set_sum(&p->base[0], 1000000, 1000000, 64);
	qf_set_sum(&p->base[1], 20, 20, 64);
	p->span_ns = 2 * (u64)NSEC_PER_SEC;
	p->duration_ns = p->span_ns;
	text = rendered(test, p, QUARRY_PROFILE_HEAP, QUARRY_FORMAT_TOP);
	KUNIT_EXPECT_TRUE(test, str_has_prefix(text, "#growth_bytes "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\n# growth 640 bytes in 2.000 s: 320 bytes/s\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\n# allocated 2560 bytes, 40 objects: "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, ": 1280 bytes/s, 20 objects/s\n"));
	text = strim(first_row(test, p, QUARRY_PROFILE_HEAP));
	KUNIT_EXPECT_TRUE(test, str_has_prefix(text, "640 "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " 320 "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " 1280 "));
}

static struct kunit_case cases[] = { KUNIT_CASE(tables_are_sorted),
				     KUNIT_CASE(few_samples_are_marked),
				     KUNIT_CASE(tables_name_calls_and_processes),
				     KUNIT_CASE(deltas_are_sorted_by_growth),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite table_suite = {
	.name = "quarry_profile_table",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(table_suite);
