// SPDX-License-Identifier: GPL-2.0
/*
 * Names that try to forge lines of a text: each text shows the same word for them.  names.sh
 * looks at the files of debugfs.
 */
#include "tests/profile_util.h"

#include <linux/err.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "tests/report/pprof_decode.h"
#include "report/text_buffer.h"

/* As clients and processes give them, and as every text shows them. */
#define CACHE_NAME  "evil \"x\";\n# site 1\x1b[2J"
#define CACHE_CLEAN "evil__x_____site_1_[2J"
#define COMM_NAME   "a \"b;\n# c\x1b"
#define COMM_CLEAN  "a__b____c_"
#define KEY_NAME    "k ="
#define KEY_CLEAN   "k__"
#define VALUE_NAME  "v \"\n# site 2"
#define VALUE_CLEAN "v_____site_2"

static void rename_back(void *comm)
{
	strscpy_pad(current->comm, comm, TASK_COMM_LEN);
}

/* Makes the cache, and gives this task the name above until the case ends. */
static struct quarry_cache *evil(struct kunit *test)
{
	struct quarry_cache *cache = quarry_cache_create(CACHE_NAME, 64, NULL);
	char *comm = qt_array(test, 1, TASK_COMM_LEN);

	KUNIT_ASSERT_NOT_NULL(test, cache);
	strscpy(comm, current->comm, TASK_COMM_LEN);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, rename_back, comm));
	qp_rate(test, 1);
	strscpy_pad(current->comm, COMM_NAME, TASK_COMM_LEN);
	return cache;
}

static void *evil_alloc(struct kunit *test, struct quarry_cache *cache)
{
	struct quarry_label_scope scope;
	void *p;

	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope, KEY_NAME, VALUE_NAME));
	p = quarry_cache_alloc(cache, GFP_KERNEL);
	quarry_label_end(&scope);
	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static const char *text_of(struct kunit *test, struct quarry_profile *p,
			   enum quarry_profile_format format)
{
	return qt_text_bytes(test, qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_HEAP,
									 format)));
}

/* No line is forged: the raw names hold a line's end, an escape, a quote and "# site". */
static void expect_clean(struct kunit *test, const char *text)
{
	const char *c;

	for (c = text; *c; c++)
		if ((*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f || *c == '"')
			break;
	KUNIT_EXPECT_EQ_MSG(test, 0, *c, "%.40s", c);
	KUNIT_EXPECT_NULL(test, strstr(text, "\n# site 1\n"));
	KUNIT_EXPECT_NULL(test, strstr(text, "\n# site 2\n"));
}

static void expect_has(struct kunit *test, const char *text, const char *part)
{
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(text, part), "%s", part);
}

static void all_texts_show_the_same(struct kunit *test)
{
	struct quarry_cache *cache = evil(test);
	void *p = evil_alloc(test, cache);
	struct quarry_profile *profile = qp_take(test, qp_id(cache), false);
	struct quarry_cache_stats st;
	const char *text;

	KUNIT_EXPECT_EQ(test, 0, quarry_cache_stats_read(cache, &st));
	KUNIT_EXPECT_STREQ(test, CACHE_CLEAN, st.name);
	text = text_of(test, profile, QUARRY_FORMAT_TOP);
	expect_clean(test, text);
	expect_has(test, text, " " CACHE_CLEAN " ");
	text = text_of(test, profile, QUARRY_FORMAT_FOLDED);
	expect_clean(test, text);
	expect_has(test, text, ";[" CACHE_CLEAN "] ");
	text = text_of(test, profile, QUARRY_FORMAT_TEXT);
	expect_clean(test, text);
	expect_has(test, text, " cache=" CACHE_CLEAN " ");
	expect_has(test, text, " comm=" COMM_CLEAN " ");
	expect_has(test, text, " " KEY_CLEAN "=" VALUE_CLEAN "\n");
	quarry_cache_free(cache, p);
	quarry_cache_destroy(cache);
}

static bool has_string(const struct pd_profile *d, const char *s)
{
	u64 i;

	for (i = 0; i < d->nr_strings; i++)
		if (!strcmp(d->string[i], s))
			return true;
	return false;
}

static void pprof_shows_the_same(struct kunit *test)
{
	struct quarry_cache *cache = evil(test);
	void *p = evil_alloc(test, cache);
	struct quarry_profile *profile = qp_take(test, qp_id(cache), false);
	struct pd_profile *d;
	u64 i;

	d = pd_decode(test, qt_text_owned(test, qr_profile_render(profile, QUARRY_PROFILE_HEAP,
								  QUARRY_FORMAT_PPROF)));
	KUNIT_ASSERT_EQ(test, 1, d->nr_samples);
	KUNIT_EXPECT_STREQ(test, CACHE_CLEAN, d->sample[0].cache);
	KUNIT_EXPECT_TRUE(test, has_string(d, COMM_CLEAN));
	KUNIT_EXPECT_TRUE(test, has_string(d, KEY_CLEAN));
	KUNIT_EXPECT_TRUE(test, has_string(d, VALUE_CLEAN));
	/* pprof -svg writes names into strings in quotes. */
	for (i = 0; i < d->nr_strings; i++)
		KUNIT_EXPECT_EQ(test, strlen(d->string[i]), strcspn(d->string[i], "\"\n\x1b"));
	quarry_cache_free(cache, p);
	quarry_cache_destroy(cache);
}

static struct kunit_case cases[] = { KUNIT_CASE(all_texts_show_the_same),
				     KUNIT_CASE(pprof_shows_the_same),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite names_suite = {
	.name = "quarry_names",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(names_suite);
