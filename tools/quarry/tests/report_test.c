// SPDX-License-Identifier: GPL-2.0
/* What "quarry report" needs: lib/duration.c, lib/spark.c and lib/watch.c. */
#include <json-c/json.h>
#include <stdlib.h>
#include <time.h>
#include "lib/duration.h"
#include "lib/spark.h"
#include "lib/table.h"
#include "lib/watch_text.h"
#include "tap.h"

#define SECOND 1000000000LL
#define START  (1790000000 * SECOND)

/* --- Time --- */

static void test_time(void)
{
	int64_t ns, end;
	struct tm tm = { .tm_year = 126, .tm_mon = 10, .tm_mday = 29, .tm_hour = 18 };

	setenv("TZ", "UTC", 1);
	tzset();
	end = (int64_t)mktime(&tm) * SECOND;
	ok(!q_parse_duration("90", &ns) && ns == 90 * SECOND, "90 are seconds");
	ok(!q_parse_duration("1.5m", &ns) && ns == 90 * SECOND, "1.5m");
	ok(!q_parse_duration("7d", &ns) && ns == 7 * 86400 * SECOND, "7d");
	ok(q_parse_duration("", &ns) && q_parse_duration("m", &ns) && q_parse_duration("5x", &ns) &&
		   q_parse_duration("5mm", &ns) && q_parse_duration("-5", &ns) &&
		   q_parse_duration("1e300", &ns) && q_parse_duration("nan", &ns),
	   "no lengths of time");
	ok(!q_parse_moment("2h", end, &ns) && ns == end - 7200 * SECOND, "2h before the end");
	ok(!q_parse_moment("17:30", end, &ns) && ns == end - 1800 * SECOND, "17:30");
	ok(!q_parse_moment("18:30", end, &ns) && ns == end - 84600 * SECOND,
	   "18:30 was on the day before");
	ok(!q_parse_moment("2026-11-29 17:59:59", end, &ns) && ns == end - SECOND, "a date");
	ok(!q_parse_moment("@1790000000", end, &ns) && ns == START, "seconds since 1970");
	ok(q_parse_moment("@", end, &ns) && q_parse_moment("@1x", end, &ns) &&
		   q_parse_moment("25:00", end, &ns) && q_parse_moment("soon", end, &ns) &&
		   q_parse_moment("@99999999999999999999", end, &ns),
	   "no moments");
}

static void test_spark(void)
{
	struct q_point p[] = { { 0, 10 }, { 10, 20 }, { 20, 80 }, { 30, 45 }, { 40, 10 } };
	char buf[64];

	q_spark(buf, 5, p, 5, 0, 40, true);
	same_text(buf, ".:@+.", "one mark for each point");
	q_spark(buf, 10, p, 5, 0, 40, true);
	same_text(buf, "..:::@@++.", "between points the value before holds");
	q_spark(buf, 2, p, 5, 0, 40, true);
	same_text(buf, ":@", "the largest value of a part counts");
	p[2].value = -1;
	q_spark(buf, 5, p, 5, 0, 40, true);
	same_text(buf, ".- @.", "no value, no mark");
	q_spark(buf, 5, p, 1, 0, 0, true);
	same_text(buf, ".....", "one point");
	for (int i = 0; i < 5; i++)
		p[i].value = 1000 + i;
	q_spark(buf, 5, p, 5, 0, 40, true);
	same_text(buf, ".....", "what changes by less than 1 % is flat");
	p[4].time_ns = 1000;
	q_spark(buf, 10, p, 5, 0, 1000, false);
	ok(strstr(buf, "▁ ") || strstr(buf, " ▁"), "a gap is blank");
}

/* --- Growth over many moments --- */

static void profile(struct q_pprof *p, unsigned int n, bool has_late)
{
	static const char *const types[] = { "alloc_objects", "alloc_space", "inuse_objects",
					     "inuse_space" };
	int64_t filled = n < 8 ? n + 1 : 8;
	struct q_site site[] = {
		{ (char *)"churn", (char *)"c", NULL, { 100 * n, 6400 * n, 5, 320 } },
		{ (char *)"fill",
		  (char *)"c",
		  NULL,
		  { filled, 4096 * filled, filled, 4096 * filled } },
		{ (char *)"leak", (char *)"c", NULL, { 2 * n, 128 * n, n + 1, 64 * (n + 1) } },
		{ (char *)"late", (char *)"c", NULL, { n, 64 * n, n, 64 * n } },
	};

	*p = (struct q_pprof){ .types = 4, .period = 1, .time_ns = START + n * 60 * SECOND };
	for (unsigned int i = 0; i < 4; i++) {
		p->type[i] = q_strdup(types[i]);
		p->unit[i] = q_strdup("bytes");
	}
	p->site = q_alloc(sizeof(site));
	for (p->sites = 0; p->sites < (has_late ? 4 : 3); p->sites++) {
		p->site[p->sites] = site[p->sites];
		p->site[p->sites].stack = q_strdup(site[p->sites].stack);
		p->site[p->sites].cache = q_strdup(site[p->sites].cache);
		p->site[p->sites].labels = q_strdup("");
	}
	q_pprof_join(p, false);
}

static const struct q_watched *watched(const struct q_watch *w, const char *stack)
{
	static struct q_watched none;

	for (unsigned int i = 0; i < w->nr; i++)
		if (!strcmp(w->site[i].stack, stack))
			return &w->site[i];
	ok(false, stack);
	return &none;
}

/* What is in a table, as JSON. */
static const char *member(struct json_object *sites, unsigned int row, const char *name)
{
	struct json_object *o = NULL;

	json_object_object_get_ex(json_object_array_get_idx(sites, row), name, &o);
	return json_object_get_string(o);
}

static void test_sentences(struct q_watch *w)
{
	struct q_table *second = q_watch_table(w, Q_A_SECOND, 3, true);
	struct q_table *hour = q_watch_table(w, Q_AN_HOUR, 99, false);
	struct json_object *sites = q_table_json(second, 99);
	char buf[Q_WATCH_SENTENCE];

	same(q_watch_leaks(w), 1, "leaks");
	same_text(q_watch_sentence(buf, w, 0, "watch longer"),
		  "leak leaks: what it keeps grows as it allocates, and does not slow down "
		  "(1.9 KiB in 31 min).",
		  "a leak in words");
	same_text(q_watch_sentence(buf, w, 1, "watch longer"),
		  "fill filled, and has stopped growing (28.0 KiB in 31 min).", "a cache in words");
	ok(!q_watch_sentence(buf, w, 2, "watch longer"), "no words for what does not grow");
	w->site[0].growth.verdict = Q_GROWS;
	same_text(q_watch_sentence(buf, w, 0, "record longer"),
		  "leak grows; record longer (1.9 KiB in 31 min).", "growth in words");
	w->site[0].growth.verdict = Q_LEAK;

	same(q_table_rows(second), 3, "rows that are wanted");
	same(q_table_rows(hour), 4, "no more than there are");
	same_text(member(sites, 0, "verdict"), "leak", "a row's verdict");
	same_text(member(sites, 0, "growth_bytes"), "1984", "its growth");
	same_text(member(sites, 0, "growth_bytes_per_second"), "1", "its growth a second");
	same_text(member(sites, 0, "live_bytes"), "2048", "what it holds");
	same_text(member(sites, 0, "kept_percent"), "50.0", "the part that it keeps");
	json_object_put(sites);
	sites = q_table_json(hour, 99);
	same_text(member(sites, 0, "growth_bytes_per_hour"), "3840", "its growth an hour");
	json_object_put(sites);
	q_table_free(second);
	q_table_free(hour);
	free(w->site[0].stack);
	w->site[0].stack = q_strdup("a < b < c < d < e < f");
	second = q_watch_table(w, Q_A_SECOND, 1, false);
	sites = q_table_json(second, 1);
	same_text(member(sites, 0, "stack"), "a < b < c < d < e < ...", "five frames of a stack");
	json_object_put(sites);
	q_table_free(second);
	free(w->site[0].stack);
	w->site[0].stack = q_strdup("leak");
}

static void test_watch(void)
{
	struct q_watch w = { 0 };
	struct q_pprof p;

	for (unsigned int n = 0; n < Q_MOMENTS_MAX; n++) {
		profile(&p, n, n > 10 && n < 20);
		ok(!q_watch_add(&w, &p) || n, "a moment");
		q_pprof_free(&p);
	}
	profile(&p, 99, false);
	ok(q_watch_add(&w, &p) != NULL, "more moments than there is room for are refused");
	q_pprof_free(&p);
	q_watch_judge(&w);
	test_sentences(&w);
	same(w.moments, Q_MOMENTS_MAX, "moments");
	same(w.nr, 4, "sites, also one that came and went");
	same_text(w.site[0].stack, "leak", "the leak comes first");
	same(watched(&w, "leak")->growth.verdict, Q_LEAK, "it is one");
	same(watched(&w, "leak")->growth.growth, 64 * 31, "its growth");
	same(watched(&w, "fill")->growth.verdict, Q_FILLS, "a cache that filled");
	same(watched(&w, "churn")->growth.verdict, Q_CHURN, "one that churns");
	ok(watched(&w, "late")->growth.verdict >= Q_CHURN, "what is gone does not leak");
	ok(watched(&w, "late")->growth.allocated >= 0, "and has not allocated less than nothing");
	q_watch_free(&w);

	for (unsigned int n = 20; n < 24; n++) {
		profile(&p, n == 22 ? 1 : n, false);
		q_watch_add(&w, &p);
		q_pprof_free(&p);
	}
	same(w.restarts, 1, "a reset of the profile begins anew");
	same(w.moments, 2, "with the moment behind it");
	q_watch_free(&w);
	w.keep = true;
	for (unsigned int n = 9; n > 7; n--) {
		profile(&p, n, false);
		q_watch_add(&w, &p);
		q_pprof_free(&p);
	}
	q_watch_judge(&w);
	ok(!w.restarts && w.moments == 2, "or does not, for two profiles of different boots");
	same(watched(&w, "leak")->growth.growth, -64,
	     "what is less then grew by less than nothing");
	q_watch_free(&w);
	profile(&p, 1, false);
	strcpy(p.type[1], "x");
	ok(q_watch_add(&w, &p) != NULL, "a profile of something else is refused");
	q_pprof_free(&p);
}

int main(void)
{
	test_time();
	test_spark();
	test_watch();
	return tap_end();
}
