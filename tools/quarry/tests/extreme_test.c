// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers that no module shows, and that a file may have: the largest and the smallest ones.  UBSan
 * ends the test at a sum that does not fit.  scripts/fuzz found most of these.
 */
#include "tests/tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/clamp.h"
#include "lib/duration.h"
#include "lib/growth.h"
#include "lib/ring.h"
#include "lib/spark.h"
#include "lib/svg.h"
#include "lib/table.h"
#include "lib/view.h"
#include "lib/warnings.h"
#include "lib/watch.h"

#define MAX "9223372036854775807"
#define MIN "-9223372036854775808"

static void clamped(void)
{
	same(q_add(INT64_MAX, 1), INT64_MAX, "a sum that is too large");
	same(q_add(INT64_MIN, -1), INT64_MIN, "a sum that is too small");
	same(q_sub(INT64_MIN, 1), INT64_MIN, "a difference that is too small");
	same(q_sub(0, INT64_MIN), INT64_MAX, "a difference that is too large");
	same(q_mul(INT64_MAX, -2), INT64_MIN, "a product that is too small");
	same(q_mul(INT64_MIN, INT64_MIN), INT64_MAX, "a product that is too large");
	same(q_mul(-3, 4), -12, "one that fits");
	same(q_whole(0x1p63), INT64_MAX, "2 ** 63");
	same(q_whole(-1e300), INT64_MIN, "far below");
	same(q_whole(NAN), 0, "no number");
	same(q_whole(-2.9), -2, "one with a fraction");
}

/* A profile with one value. */
static void make(struct q_pprof *p, unsigned int sites, int64_t value)
{
	static const char *const types[] = { "inuse_space", "inuse_objects", "alloc_space",
					     "alloc_objects" };

	*p = (struct q_pprof){ .types = 4, .sites = sites, .period = 2 };
	for (unsigned int i = 0; i < 4; i++) {
		p->type[i] = q_strdup(types[i]);
		p->unit[i] = q_strdup("bytes");
	}
	p->site = q_alloc(sites * sizeof(*p->site));
	for (unsigned int i = 0; i < sites; i++) {
		p->site[i] = (struct q_site){ .stack = q_strdup("f"),
					      .cache = q_strdup("c"),
					      .labels = q_strdup(i % 2 ? "comm=sh" : ""),
					      .value = { value, value, value, value } };
	}
}

static void profiles(void)
{
	struct q_pprof p, by;
	char *svg;
	size_t size;

	make(&p, 3, INT64_MAX);
	q_pprof_by_label(&by, &p, "comm");
	same(by.sites, 2, "sites by a label");
	same(by.site[0].value[0], INT64_MAX, "whose sum does not fit");
	ok(!q_svg_make(&p, "t", &svg, &size) && strstr(svg, ", max</text>"),
	   "a picture of more than fits");
	free(svg);
	q_pprof_join(&p, false);
	same(p.sites, 1, "sites are joined");
	same(p.site[0].value[0], INT64_MAX, "and their sum does not fit");
	q_pprof_free(&p);
	q_pprof_free(&by);
}

static void growth(void)
{
	struct q_watch w = { 0 };
	struct q_pprof p;

	for (int i = 0; i < 6; i++) {
		make(&p, 1, i % 2 ? INT64_MAX : INT64_MIN);
		ok(!q_watch_add(&w, &p), "a moment");
		q_pprof_free(&p);
	}
	q_watch_judge(&w);
	ok(w.nr == 1 && w.site[0].growth.verdict < Q_VERDICTS, "a site has a verdict");
	q_watch_free(&w);
	make(&p, 2, INT64_MAX);
	ok(!q_watch_add(&w, &p), "a profile whose sum does not fit");
	same(w.allocated, INT64_MAX, "has allocated as much as fits");
	q_pprof_free(&p);
	q_watch_free(&w);
}

static void texts(void)
{
	struct q_reading now = { .time_ns = 2, .domains = 1 };
	struct q_reading before = { .time_ns = 1, .domains = 1 };
	struct q_view_input in = { .view = Q_VIEW_CACHES, .now = &now, .before = &before };
	struct q_head head;
	struct q_rows rows;
	char bar[101];

	q_values_parse(&now.stats,
		       q_strdup("sys_bytes " MAX "\ninuse_bytes " MAX "\nlive_bytes " MIN
				"\nmallocs " MAX "\nfrees " MIN "\nuptime_ns 2\n"));
	q_values_parse(&before.stats, q_strdup("mallocs " MIN "\nfrees " MAX "\nuptime_ns 1\n"));
	q_lines_parse(&now.caches,
		      q_strdup("#name id size inuse_bytes live_objs mallocs waste_pct\n"
			       "c 1 " MAX " " MAX " " MIN " " MAX " " MAX ".9\n"));
	q_lines_parse(&before.caches, q_strdup("#name id size inuse_bytes live_objs mallocs\n"
					       "c 1 " MAX " " MAX " " MAX " " MIN "\n"));
	same(q_line_permille(&now.caches, 0, "waste_pct"), INT64_MAX, "per cent");
	q_rows_make(&rows, &in);
	same(rows.nr, 1, "a row");
	/* name, id, size, memory, live, waste, wasted, allocs */
	same(rows.row[0].cell[6].number, INT64_MAX, "wasted");
	same(rows.row[0].cell[7].number, INT64_MAX, "allocations a second");
	q_row_detail(&rows.row[0], &(struct q_detail){ .mallocs = INT64_MAX },
		     &(struct q_detail){ .mallocs = 7 }, 1);
	same(rows.row[0].cell[9].number, 1000, "hits of more calls than a thousandth of what fits");
	head = q_head_of(&now, &before);
	same(head.allocs, INT64_MAX, "rates at the head");
	same(head.frees, INT64_MIN, "that fall");
	q_memory_bar(bar, 100, &now.stats);
	same((int64_t)strlen(bar), 100, "the bar");
	q_rows_free(&rows);
	q_reading_free(&now);
	q_reading_free(&before);
}

static void times(void)
{
	const struct q_point p[] = { { INT64_MAX, 1 }, { INT64_MIN, 2 }, { 0, 3 } };
	char buf[64];
	int64_t ns;

	setenv("TZ", "UTC", 1);
	ok(!q_parse_moment("9999-12-31", 0, &ns), "a date that nanoseconds do not reach");
	same(ns, INT64_MAX, "is the last moment");
	ok(!q_parse_moment("2h", INT64_MIN, &ns), "before the first moment");
	same(ns, INT64_MIN, "there is none");
	ok(!q_parse_moment("12:00", INT64_MIN, &ns) && !q_parse_moment("12:00", INT64_MAX, &ns),
	   "a time of the first and the last day");
	q_spark(buf, 10, p, 3, INT64_MIN, INT64_MAX, true);
	same((int64_t)strlen(buf), 10, "a curve of all times");
	q_spark(buf, 10, p, 3, 0, 1, true);
	same((int64_t)strlen(buf), 10, "points far from the axis");
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f || fputs(text, f) < 0 || fclose(f))
		ok(false, path);
}

static void recordings(void)
{
	static const char *const stats[] = { MAX, "1" };
	char dir[] = "/tmp/quarry-extreme-test-XXXXXX", folder[128], text[256];
	struct q_ring ring;
	struct q_recording r;
	struct q_moment m = { .number = 3, .bytes = INT64_MAX };

	ok(mkdtemp(dir) != NULL, "a folder");
	put(dir, Q_RECORDING_MARK, "version 1\n");
	for (int i = 0; i < 2; i++) {
		snprintf(folder, sizeof(folder), "%s/0000000%d", dir, i + 1);
		mkdir(folder, 0700);
		snprintf(text, sizeof(text), "time_ns 1\nmonotonic_ns %s\nboot 1\n", i ? MAX : MIN);
		put(folder, "moment", text);
		snprintf(text, sizeof(text), "uptime_ns %s\n", stats[i]);
		put(folder, "stats", text);
	}
	for (int i = 3; i < 5; i++) {
		snprintf(folder, sizeof(folder), "%s/0000000%d", dir, i);
		mkdir(folder, 0700);
	}
	snprintf(text, sizeof(text), "%s", q_index_head);
	q_index_line(text + strlen(text), &m);
	put(dir, Q_RECORDING_INDEX, text);
	ok(!q_recording_read(&r, dir), "a recording");
	same(r.nr, 4, "with moments");
	same(r.moment[0].started_ns, INT64_MIN, "of a module that was loaded before all time");
	ok(q_moment_is_anew(&r.moment[1], &r.moment[0]) &&
		   q_moment_is_anew(&r.moment[0], &r.moment[1]),
	   "and anew");
	q_recording_free(&r);
	ok(!q_ring_open(&ring, dir, 1 << 20, INT64_MAX), "is opened for writing");
	same(ring.bytes, INT64_MAX, "takes more bytes than fit");
	m = (struct q_moment){ .time_ns = INT64_MIN };
	ok(!q_ring_add(&ring, &m, NULL, 0), "and takes one more moment");
	q_ring_close(&ring);
	snprintf(text, sizeof(text), "rm -rf %s", dir);
	ok(!system(text), "the folder is removed");
}

int main(void)
{
	clamped();
	profiles();
	growth();
	texts();
	times();
	recordings();
	return tap_end();
}
