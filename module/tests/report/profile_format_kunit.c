// SPDX-License-Identifier: GPL-2.0
/*
 * Profiles as people and programs get them: the four formats.  The profiles are made up.
 * A decoder that shares no code with the writer reads profile.proto.
 */
#include "tests/profile_util.h"

#include <linux/err.h>
#include <linux/sched.h>
#include <linux/stackdepot.h>
#include <linux/string.h>
#include <quarry/exposure.h>
#include <quarry/profile.h>
#include "profile/unloaded.h"
#include "tests/report/fake_profile_util.h"
#include "tests/report/pprof_decode.h"
#include "report/code_mapping.h"
#include "report/profile_report.h"
#include "report/text_buffer.h"

static char *rendered(struct kunit *test, const struct quarry_profile *p,
		      enum quarry_profile_kind kind, enum quarry_profile_format format)
{
	return qt_text_bytes(test, qt_text_owned(test, qr_profile_render(p, kind, format)));
}

/* --- profile.proto --- */

static void varints_have_edges(struct kunit *test)
{
	static const u64 values[] = { 0,     1,	      127,	  128,	       16383,
				      16384, U32_MAX, 1ULL << 32, S64_MAX - 1, S64_MAX };
	struct quarry_profile *p = qf_profile_new(test, ARRAY_SIZE(values));
	struct pd_profile *d;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		p->site[i].inuse.objects = ONE;
		p->site[i].inuse.space = values[i];
	}
	d = pd_decode(test, qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_HEAP,
								  QUARRY_FORMAT_PPROF)));
	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(values), d->nr_samples);
	for (i = 0; i < ARRAY_SIZE(values); i++)
		KUNIT_EXPECT_EQ(test, values[i], d->sample[i].value[3]);
}

static void check_pprof(struct kunit *test, struct quarry_profile *p, enum quarry_profile_kind kind)
{
	u64 sum[QR_VALUES] = {}, got[QR_VALUES] = {};
	struct pd_profile *d;
	struct qr_report r;
	struct qr_row row;
	unsigned int i, v;

	d = pd_decode(test, qt_text_owned(test, qr_profile_render(p, kind, QUARRY_FORMAT_PPROF)));
	KUNIT_ASSERT_EQ(test, 0, qr_report_init(&r, p, kind));
	KUNIT_ASSERT_EQ(test, 0, qr_report_bound(&r, qr_profile_rows));
	KUNIT_EXPECT_EQ(test, r.nr, d->nr_types);
	for (v = 0; v < r.nr; v++)
		KUNIT_EXPECT_STREQ(test, r.type[v].type, d->type[v]);
	KUNIT_EXPECT_STREQ(test, r.type[r.first].type, d->first);
	for (i = 0; qr_report_next(&r, &row); i++) {
		KUNIT_ASSERT_LT(test, i, d->nr_samples);
		for (v = 0; v < r.nr; v++) {
			sum[v] += row.value[v];
			got[v] += d->sample[i].value[v];
		}
		KUNIT_EXPECT_STREQ(test, row.site->cache_name, d->sample[i].cache);
		KUNIT_EXPECT_EQ(test, !row.site->labels && !row.merged, d->sample[i].other);
		KUNIT_EXPECT_EQ(test, !!row.label, !!d->sample[i].age);
	}
	KUNIT_EXPECT_EQ(test, i, d->nr_samples);
	for (v = 0; v < r.nr; v++)
		KUNIT_EXPECT_EQ(test, sum[v], got[v]);
	KUNIT_EXPECT_EQ(test, p->rate, d->period);
	KUNIT_EXPECT_EQ(test, p->time_ns, d->time);
	KUNIT_EXPECT_EQ(test, p->duration_ns, d->duration);
	qr_report_exit(&r);
}

static void pprof_is_well_formed(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_filled(test, 300, 100);
	unsigned int kind;

	p->site[7].stack = 0;
	for (kind = 0; kind < QUARRY_PROFILE_KINDS; kind++)
		check_pprof(test, p, kind);
}

static void pprof_knows_functions(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_filled(test, 40, 40);
	unsigned long nobody[2];
	struct pd_profile *d;

	/* The address of data belongs to no code and has no name. */
	nobody[0] = (unsigned long)p->site;
	nobody[1] = (unsigned long)schedule + 1;
	p->site[0].stack = 0;
	p->site[1].stack = stack_depot_save(nobody, 2, GFP_KERNEL);
	d = pd_decode(test, qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_ALLOCS,
								  QUARRY_FORMAT_PPROF)));
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, "qr_text_put"));
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, "qr_profile_render"));
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, "sprint_symbol"));
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, QR_NO_STACK));
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, QR_NO_NAME));
	KUNIT_EXPECT_EQ(test, 3, d->nr_mappings);
	KUNIT_EXPECT_STREQ(test, QR_KERNEL_FILE, d->mapping[1].file);
	KUNIT_EXPECT_STREQ(test, "quarry.ko", d->mapping[2].file);
	KUNIT_EXPECT_STREQ(test, "[other]", d->mapping[3].file);
	KUNIT_EXPECT_EQ(test, 40, strlen(d->mapping[1].build_id));
	KUNIT_EXPECT_EQ(test, 40, strlen(d->mapping[2].build_id));
	/* Unless this reader may see addresses, the code is where it was linked to begin. */
	if (!qr_shows_addresses()) {
		KUNIT_EXPECT_EQ(test, QR_SHOWN_KERNEL, d->mapping[1].start);
		KUNIT_EXPECT_EQ(test, 0, (d->mapping[2].start - QR_SHOWN_MODULES) % PAGE_SIZE);
		KUNIT_EXPECT_LT(test, d->mapping[2].start - QR_SHOWN_MODULES, 1UL << 29);
	}
}

static void large_profiles_work(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_filled(test, 20000, 2000);
	unsigned int format;

	check_pprof(test, p, QUARRY_PROFILE_HEAP);
	for (format = QUARRY_FORMAT_TEXT; format < QUARRY_PROFILE_FORMATS; format++)
		qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_HEAP, format));
}

static void set_rows(void *most)
{
	qr_profile_rows = (unsigned long)most;
}

static void smallest_rows_are_merged(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_new(test, 100);
	u64 sum[2] = {}, all[2] = {};
	struct pd_profile *d;
	u32 i;

	KUNIT_EXPECT_LE(test, qr_profile_rows, 16000);
	KUNIT_EXPECT_GT(test, qr_profile_rows, 1000);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, set_rows,
						  (void *)(unsigned long)qr_profile_rows));
	/* Three rows matter: two for what is live, one for what it allocated. */
	for (i = 0; i < 100; i++) {
		qf_set_site(p, i, 2, 1, 64);
		snprintf(p->site[i].cache_name, QUARRY_NAME_LEN, "cache%u", i);
	}
	qf_set_site(p, 30, 1000, 1000, 64);
	qf_set_site(p, 50, 2000, 0, 64);
	qf_set_site(p, 99, 900, 900, 64);
	for (i = 0; i < 100; i++) {
		all[0] += p->site[i].alloc.space;
		all[1] += p->site[i].inuse.space;
	}
	qr_profile_rows = 4;
	d = pd_decode(test, qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_HEAP,
								  QUARRY_FORMAT_PPROF)));
	KUNIT_ASSERT_EQ(test, 4, d->nr_samples);
	KUNIT_EXPECT_STREQ(test, "cache30", d->sample[0].cache);
	KUNIT_EXPECT_STREQ(test, "cache50", d->sample[1].cache);
	KUNIT_EXPECT_STREQ(test, "cache99", d->sample[2].cache);
	KUNIT_EXPECT_STREQ(test, "(merged)", d->sample[3].cache);
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, QR_MERGED));
	for (i = 0; i < 4; i++) {
		sum[0] += d->sample[i].value[1];
		sum[1] += d->sample[i].value[3];
	}
	KUNIT_EXPECT_EQ(test, all[0], sum[0]);
	KUNIT_EXPECT_EQ(test, all[1], sum[1]);
	KUNIT_EXPECT_EQ(test, 97 * 64, d->sample[3].value[3]);

	/* Of rows of one size as many stay as there is room for. */
	qr_profile_rows = 50;
	check_pprof(test, p, QUARRY_PROFILE_HEAP);
	d = pd_decode(test, qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_HEAP,
								  QUARRY_FORMAT_PPROF)));
	KUNIT_ASSERT_EQ(test, 50, d->nr_samples);
	KUNIT_EXPECT_EQ(test, 51 * 64, d->sample[49].value[3]);
	/* One row is the whole, and 100 rows need no bound. */
	qr_profile_rows = 1;
	d = pd_decode(test, qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_LIFETIME,
								  QUARRY_FORMAT_PPROF)));
	KUNIT_EXPECT_EQ(test, 1, d->nr_samples);
	qr_profile_rows = 100;
	d = pd_decode(test, qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_HEAP,
								  QUARRY_FORMAT_PPROF)));
	KUNIT_EXPECT_EQ(test, 100, d->nr_samples);
	KUNIT_EXPECT_FALSE(test, pd_has_function(d, QR_MERGED));
}

/* --- Texts for people --- */

static void empty_profiles_work(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_new(test, 0);
	unsigned int kind;
	const char *text;

	for (kind = 0; kind < QUARRY_PROFILE_KINDS; kind++) {
		check_pprof(test, p, kind);
		KUNIT_EXPECT_STREQ(test, "", rendered(test, p, kind, QUARRY_FORMAT_FOLDED));
		KUNIT_EXPECT_EQ(test, '#', rendered(test, p, kind, QUARRY_FORMAT_TOP)[0]);
		text = rendered(test, p, kind, QUARRY_FORMAT_TEXT);
		KUNIT_EXPECT_TRUE(test, str_has_prefix(text, "heap profile: 0: 0 [0: 0] @ "));
	}
}

static void folded_stacks_add_up(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_filled(test, 500, 50);
	char *text = rendered(test, p, QUARRY_PROFILE_ALLOCS, QUARRY_FORMAT_FOLDED), *line;
	u64 sum = 0, all = 0, value;
	unsigned int i;

	while ((line = strsep(&text, "\n")) && *line) {
		char *last = strrchr(line, ' ');

		KUNIT_ASSERT_NOT_NULL(test, last);
		KUNIT_ASSERT_EQ(test, 0, kstrtou64(last + 1, 10, &value));
		*last = '\0';
		KUNIT_EXPECT_TRUE(test, str_has_prefix(strrchr(line, ';'), ";[fake"));
		sum += value;
	}
	for (i = 0; i < 500; i++)
		all += p->site[i].alloc.space;
	KUNIT_EXPECT_EQ(test, all, sum);
}

static bool read_four(const char *line, u64 *n)
{
	return sscanf(line, "%llu: %llu [%llu: %llu] @", &n[0], &n[1], &n[2], &n[3]) == 4;
}

static void legacy_text_is_consistent(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_filled(test, 100, 20);
	char *text = rendered(test, p, QUARRY_PROFILE_HEAP, QUARRY_FORMAT_TEXT), *line;
	static const char head_start[] = "heap profile: ";
	u64 head[4], sum[4] = {}, n[4];
	unsigned int i, rows = 0;

	line = strsep(&text, "\n");
	KUNIT_ASSERT_TRUE(test, str_has_prefix(line, head_start));
	KUNIT_ASSERT_TRUE(test, read_four(line + strlen(head_start), head));
	while ((line = strsep(&text, "\n")) && !str_has_prefix(line, "MAPPED_LIBRARIES:")) {
		if (!*line || *line == '#')
			continue;
		KUNIT_ASSERT_TRUE(test, read_four(line, n));
		for (i = 0; i < 4; i++)
			sum[i] += n[i];
		rows++;
	}
	KUNIT_EXPECT_EQ(test, 100, rows);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, head[i], sum[i]);
	KUNIT_ASSERT_NOT_NULL(test, text);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, QR_KERNEL_FILE));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "[quarry] "));
}

/*
 * pprof shows the first pair of numbers when the second is the same, or else takes them for
 * live and allocated memory.
 */
static void legacy_text_has_the_right_default(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_filled(test, 100, 20);
	unsigned int kind;

	for (kind = 0; kind < QUARRY_PROFILE_KINDS; kind++) {
		const char *text = rendered(test, p, kind, QUARRY_FORMAT_TEXT);
		s64 first = 0, allocated = 0;
		struct qr_report r;
		struct qr_row row;
		u64 n[4];

		KUNIT_ASSERT_EQ(test, 0, qr_report_init(&r, p, kind));
		while (qr_report_next(&r, &row)) {
			first += row.value[r.first];
			allocated += row.value[1];
		}
		KUNIT_ASSERT_TRUE(test, read_four(text + strlen("heap profile: "), n));
		KUNIT_EXPECT_EQ(test, first, n[1]);
		if (kind == QUARRY_PROFILE_HEAP) {
			KUNIT_EXPECT_EQ(test, allocated, n[3]);
		} else {
			KUNIT_EXPECT_EQ(test, n[0], n[2]);
			KUNIT_EXPECT_EQ(test, n[1], n[3]);
		}
		qr_report_exit(&r);
	}
}

/* --- Unloaded modules --- */

static void names_outlive_modules(struct kunit *test)
{
	unsigned long stack[] = { (unsigned long)qr_text_put + 1, (unsigned long)schedule + 1,
				  (unsigned long)qr_text_put + 2 };
	struct quarry_profile *p = qf_profile_filled(test, 4, 1);
	struct pd_profile *d;
	char *text;
	u32 i;

	for (i = 0; i < 4; i++) {
		p->site[i].stack = stack_depot_save(stack, 3, GFP_KERNEL);
		p->site[i].cache = 1000000;
	}
	/* Two rows with the names of an unloaded module, and one without even the names. */
	p->site[0].names = "ghost_fn [ghost]\nschedule\n0xffffffffc0000001\n";
	p->site[1].names = kunit_kstrdup(test, p->site[0].names, GFP_KERNEL);
	p->site[2].names = "";
	d = pd_decode(test, qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_ALLOCS,
								  QUARRY_FORMAT_PPROF)));
	KUNIT_EXPECT_EQ(test, 4, d->nr_functions);
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, "ghost_fn"));
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, "schedule"));
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, "qr_text_put"));
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, QR_NO_NAME));
	text = rendered(test, p, QUARRY_PROFILE_ALLOCS, QUARRY_FORMAT_FOLDED);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, ";schedule;ghost_fn;[fake0] 2792\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, ";schedule;qr_text_put;[fake0] 1472\n"));
	text = rendered(test, p, QUARRY_PROFILE_ALLOCS, QUARRY_FORMAT_TEXT);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " ghost_fn [ghost]\n"));
}

/*
 * Names were saved, but the module is still where it was: its init code has gone, or it was
 * loaded again.  All frames are shown as if nothing had happened.
 */
static void saved_names_of_a_loaded_module(struct kunit *test)
{
	unsigned long stack[] = { (unsigned long)qr_text_put + 1, (unsigned long)schedule + 1 };
	struct quarry_profile *p = qf_profile_filled(test, 1, 1);
	struct pd_profile *d;

	p->site[0].stack = stack_depot_save(stack, 2, GFP_KERNEL);
	p->site[0].names = qr_unloaded_names(stack, 2, NULL);
	d = pd_decode(test, qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_ALLOCS,
								  QUARRY_FORMAT_PPROF)));
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, "qr_text_put"));
	KUNIT_ASSERT_EQ(test, 2, d->nr_mappings);
	KUNIT_EXPECT_STREQ(test, QR_KERNEL_FILE, d->mapping[1].file);
	KUNIT_EXPECT_STREQ(test, "quarry.ko", d->mapping[2].file);
	KUNIT_EXPECT_EQ(test, 40, strlen(d->mapping[2].build_id));
	/* The name has an offset: 0x1, that of the return address. */
	KUNIT_EXPECT_NOT_NULL(test,
			      strstr(rendered(test, p, QUARRY_PROFILE_ALLOCS, QUARRY_FORMAT_TEXT),
				     " qr_text_put+0x1/0x"));
}

/* A module that is gone, made up: the same code as Quarry's by name, with another build id. */
static void saved_names_of_a_module_that_is_gone(struct kunit *test)
{
	unsigned long stack[] = { (unsigned long)qr_text_put + 1, (unsigned long)schedule + 1 };
	struct quarry_profile *p = qf_profile_filled(test, 1, 1);
	const struct qr_mapping *const *maps;
	const char *names = qr_unloaded_names(stack, 2, NULL);
	struct qr_mapping *map, was;
	struct pd_profile *d;
	const char *text;

	maps = qr_unloaded_mappings(names);
	KUNIT_ASSERT_NOT_NULL(test, maps);
	KUNIT_ASSERT_NOT_NULL(test, maps[0]);
	KUNIT_EXPECT_NULL(test, maps[1]);
	p->site[0].stack = stack_depot_save(stack, 2, GFP_KERNEL);
	p->site[0].names = names;
	map = (struct qr_mapping *)maps[0];
	was = *map;
	strscpy(map->name, "ghost", sizeof(map->name));
	map->build_id[0] ^= 0xff;
	d = pd_decode(test, qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_ALLOCS,
								  QUARRY_FORMAT_PPROF)));
	text = rendered(test, p, QUARRY_PROFILE_ALLOCS, QUARRY_FORMAT_TEXT);
	*map = was;
	KUNIT_EXPECT_TRUE(test, pd_has_function(d, "qr_text_put"));
	KUNIT_ASSERT_EQ(test, 2, d->nr_mappings);
	KUNIT_EXPECT_STREQ(test, "ghost.ko", d->mapping[2].file);
	KUNIT_EXPECT_EQ(test, 40, strlen(d->mapping[2].build_id));
	/*
	 * In a text with addresses Quarry itself is at the same ones, so the module has no line.
	 * Without addresses each module has a place of its own.
	 */
	KUNIT_EXPECT_EQ(test, qr_shows_addresses(), !strstr(text, "[ghost] "));
	KUNIT_EXPECT_EQ(test, qr_shows_addresses(), !!strstr(text, "r-xp [other]\n"));
}

/* --- Memory --- */

static void rendering_gives_memory_back(struct kunit *test)
{
	struct quarry_profile *p = qf_profile_filled(test, 500, 100);
	struct quarry_stats *before = qt_stats(test), *after;
	unsigned int kind, format;

	for (kind = 0; kind < QUARRY_PROFILE_KINDS; kind++)
		for (format = 0; format < QUARRY_PROFILE_FORMATS; format++)
			qr_text_free(qr_profile_render(p, kind, format));
	after = qt_stats(test);
	KUNIT_EXPECT_EQ(test, qt_metadata(before), qt_metadata(after));
	KUNIT_EXPECT_GT(test, after->taken_bytes, before->taken_bytes);
}

static struct kunit_case cases[] = { KUNIT_CASE(varints_have_edges),
				     KUNIT_CASE(pprof_is_well_formed),
				     KUNIT_CASE(pprof_knows_functions),
				     KUNIT_CASE(names_outlive_modules),
				     KUNIT_CASE(saved_names_of_a_loaded_module),
				     KUNIT_CASE(saved_names_of_a_module_that_is_gone),
				     KUNIT_CASE_SLOW(large_profiles_work),
				     KUNIT_CASE(rendering_gives_memory_back),
				     KUNIT_CASE(empty_profiles_work),
				     KUNIT_CASE(folded_stacks_add_up),
				     KUNIT_CASE(legacy_text_is_consistent),
				     KUNIT_CASE(smallest_rows_are_merged),
				     KUNIT_CASE(legacy_text_has_the_right_default),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite format_suite = {
	.name = "quarry_profile_format",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(format_suite);
