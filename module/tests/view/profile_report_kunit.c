// SPDX-License-Identifier: GPL-2.0
/*
 * Profiles as people and programs get them: rows, and the four formats.  The profiles are
 * made up here.  A decoder that shares no code with the writer reads profile.proto.
 */
#include "tests/kunit_util.h"

#include <linux/err.h>
#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/stackdepot.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <quarry/profile.h>
#include "tests/view/pprof_decode.h"
#include "view/profile_report.h"
#include "view/text_buffer.h"

#define ONE BIT_ULL(QR_OBJECTS_SHIFT)

static char *rendered(struct kunit *test, const struct quarry_profile *p,
		      enum quarry_profile_kind kind, enum quarry_profile_format format)
{
	return qt_text_bytes(test, qt_text_owned(test, qr_profile_render(p, kind, format)));
}

/* --- Made-up profiles --- */

static struct quarry_profile *profile_new(struct kunit *test, u32 nr)
{
	struct quarry_profile *p = qt_array(test, 1, sizeof(*p));
	u32 i;

	p->time_ns = 1700000000ULL * NSEC_PER_SEC;
	p->duration_ns = NSEC_PER_SEC;
	p->rate = QUARRY_RATE_DEFAULT;
	p->cache = QUARRY_CACHE_ALL;
	p->nr = nr;
	p->site = qt_array(test, max(nr, 1U), sizeof(p->site[0]));
	p->ages = qt_array(test, max(nr, 1U), sizeof(p->ages[0]));
	for (i = 0; i < nr; i++) {
		p->site[i].id = i + 1;
		p->site[i].cache = 1000000 + i % 3;
		snprintf(p->site[i].cache_name, QUARRY_NAME_LEN, "fake%u", i % 3);
	}
	return p;
}

/* A stack of real functions, of the kernel and of Quarry.  Each @i gives another stack. */
static u32 stack_new(unsigned int i)
{
	unsigned long f[] = {
		(unsigned long)qr_text_put,	  (unsigned long)qr_report_next,
		(unsigned long)qr_profile_render, (unsigned long)sprint_symbol,
		(unsigned long)queue_work_on,	  (unsigned long)kfree,
		(unsigned long)schedule,	  (unsigned long)msleep,
	};
	unsigned long entries[QUARRY_STACK_MAX];
	unsigned int n = 4 + i % 8, k;

	for (k = 0; k < n; k++) {
		entries[k] = f[(i >> (3 * (k % 6))) % ARRAY_SIZE(f)] + 1 + k % 2;
		/* The octal digits of @i choose six functions; these here make all of @f occur. */
		if (k >= 6)
			entries[k] = f[k % ARRAY_SIZE(f)] + 1;
	}
	return stack_depot_save(entries, n, GFP_KERNEL);
}

static void set_sum(struct quarry_sum *sum, u64 samples, u64 objects, u64 size)
{
	sum->samples = samples;
	sum->objects = objects * ONE;
	sum->space = objects * size;
	sum->var_objects = (qr_u128)samples << (2 * QR_OBJECTS_SHIFT);
	sum->var_space = sum->var_objects * size * size;
}

static void set_site(struct quarry_profile *p, u32 i, u64 allocs, u64 live, u64 size)
{
	struct quarry_site *site = &p->site[i];

	set_sum(&site->alloc, allocs, allocs, size);
	set_sum(&site->inuse, live, live, size);
	site->peak_objects = site->alloc.objects;
	site->peak_space = site->alloc.space;
	site->asked = site->inuse.space - live;
	p->ages[i].freed_objects[i % QR_AGES] = site->alloc.objects - site->inuse.objects;
	p->ages[i].freed_space[i % QR_AGES] = site->alloc.space - site->inuse.space;
	p->ages[i].live_objects[(i + 1) % QR_AGES] = site->inuse.objects;
	p->ages[i].live_space[(i + 1) % QR_AGES] = site->inuse.space;
}

static struct quarry_profile *profile_filled(struct kunit *test, u32 nr, u32 stacks)
{
	struct quarry_profile *p = profile_new(test, nr);
	u32 i;

	for (i = 0; i < nr; i++) {
		set_site(p, i, 20 + i % 7, i % 5, 64 + i % 3 * 8);
		p->site[i].stack = stack_new(i % stacks);
	}
	return p;
}

/* --- Numbers --- */

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
	struct quarry_profile *p = profile_new(test, ARRAY_SIZE(cases));
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
	struct quarry_profile *p = profile_new(test, ROWS);
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
	struct quarry_profile *p = profile_new(test, 4);
	struct qr_report r;
	struct qr_row row;

	set_site(p, 1, 10, 0, 64);
	set_site(p, 3, 10, 10, 64);
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
	struct quarry_profile *p = profile_new(test, 2);
	u64 freed = 0, live = 0;
	const char *last = "";
	unsigned int rows = 0;
	struct qr_report r;
	struct qr_row row;

	set_site(p, 0, 100, 20, 64);
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
		KUNIT_EXPECT_GT(test, row.samples, 0);
	}
	KUNIT_EXPECT_EQ(test, 3, rows);
	KUNIT_EXPECT_EQ(test, 80 + 3, freed);
	KUNIT_EXPECT_EQ(test, 1, live);
	qr_report_exit(&r);
}

static void fragmentation_is_shared_out(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	struct quarry_profile *p = profile_new(test, 50);
	u64 pinned = 0, internal = 0;
	struct quarry_cache_stats st;
	struct qr_report r;
	struct qr_row row;
	unsigned int i;
	void *held;

	held = quarry_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, held);
	for (i = 0; i < 50; i++) {
		set_site(p, i, 20 + i, i % 7 + 1, 200);
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

/* --- profile.proto --- */

static void varints_have_edges(struct kunit *test)
{
	static const u64 values[] = { 0,     1,	      127,	  128,	       16383,
				      16384, U32_MAX, 1ULL << 32, S64_MAX - 1, S64_MAX };
	struct quarry_profile *p = profile_new(test, ARRAY_SIZE(values));
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
		KUNIT_EXPECT_EQ(test, !row.site->labels, d->sample[i].other);
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
	struct quarry_profile *p = profile_filled(test, 300, 100);
	unsigned int kind;

	p->site[7].stack = 0;
	for (kind = 0; kind < QUARRY_PROFILE_KINDS; kind++)
		check_pprof(test, p, kind);
}

static void pprof_knows_functions(struct kunit *test)
{
	struct quarry_profile *p = profile_filled(test, 40, 40);
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
}

static void large_profiles_work(struct kunit *test)
{
	struct quarry_profile *p = profile_filled(test, 20000, 2000);
	unsigned int format;

	check_pprof(test, p, QUARRY_PROFILE_HEAP);
	for (format = QUARRY_FORMAT_TEXT; format < QUARRY_PROFILE_FORMATS; format++)
		qt_text_owned(test, qr_profile_render(p, QUARRY_PROFILE_HEAP, format));
}

/* --- Texts for people --- */

static void empty_profiles_work(struct kunit *test)
{
	struct quarry_profile *p = profile_new(test, 0);
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

static void tables_are_sorted(struct kunit *test)
{
	struct quarry_profile *p = profile_filled(test, 500, 50);
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

static void folded_stacks_add_up(struct kunit *test)
{
	struct quarry_profile *p = profile_filled(test, 500, 50);
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
	struct quarry_profile *p = profile_filled(test, 100, 20);
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

/* --- Unloaded modules --- */

static void names_outlive_modules(struct kunit *test)
{
	unsigned long stack[] = { (unsigned long)qr_text_put + 1, (unsigned long)schedule + 1,
				  (unsigned long)qr_text_put + 2 };
	struct quarry_profile *p = profile_filled(test, 4, 1);
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

/* --- Memory --- */

static void rendering_gives_memory_back(struct kunit *test)
{
	struct quarry_profile *p = profile_filled(test, 500, 100);
	struct quarry_stats *before = qt_stats(test), *after;
	unsigned int kind, format;

	for (kind = 0; kind < QUARRY_PROFILE_KINDS; kind++)
		for (format = 0; format < QUARRY_PROFILE_FORMATS; format++)
			qr_text_free(qr_profile_render(p, kind, format));
	after = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->metadata_bytes, after->metadata_bytes);
	KUNIT_EXPECT_GT(test, after->taken_bytes, before->taken_bytes);
}

static struct kunit_case cases[] = { KUNIT_CASE(errors_are_square_roots),
				     KUNIT_CASE(objects_are_rounded),
				     KUNIT_CASE(fractions_are_not_lost),
				     KUNIT_CASE(rows_of_nothing_are_left_out),
				     KUNIT_CASE(ages_are_rows),
				     KUNIT_CASE(fragmentation_is_shared_out),
				     KUNIT_CASE(varints_have_edges),
				     KUNIT_CASE(pprof_is_well_formed),
				     KUNIT_CASE(pprof_knows_functions),
				     KUNIT_CASE(names_outlive_modules),
				     KUNIT_CASE_SLOW(large_profiles_work),
				     KUNIT_CASE(rendering_gives_memory_back),
				     KUNIT_CASE(empty_profiles_work),
				     KUNIT_CASE(tables_are_sorted),
				     KUNIT_CASE(folded_stacks_add_up),
				     KUNIT_CASE(legacy_text_is_consistent),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite report_suite = {
	.name = "quarry_profile_report",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(report_suite);
