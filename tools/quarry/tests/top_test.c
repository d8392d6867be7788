// SPDX-License-Identifier: GPL-2.0
/* What "quarry top" shows: lib/view.c, lib/view_text.c, and the labels of lib/reading.c. */
#include <stdlib.h>
#include "lib/options.h"
#include "lib/view.h"
#include "tap.h"

#define SECOND 1000000000LL

/* --- Readings --- */

static void reading(struct q_reading *r, int64_t seconds, const char *stats, const char *caches)
{
	*r = (struct q_reading){ .time_ns = seconds * SECOND, .domains = QUARRY_DEV_DOMAINS };
	q_values_parse(&r->stats, q_strdup(stats));
	if (caches)
		q_lines_parse(&r->caches, q_strdup(caches));
	for (unsigned int i = 1; i < QUARRY_DEV_DOMAINS; i++)
		strcpy(r->domain[i].name, q_domain_name[i]);
}

static void profile(struct q_pprof *p, const struct q_site *site, unsigned int nr)
{
	/* Another order than that of the columns. */
	static const char *const types[] = { "alloc_objects", "alloc_space", "inuse_objects",
					     "inuse_space" };

	*p = (struct q_pprof){ .types = 4, .period = 1, .sites = nr };
	for (unsigned int i = 0; i < 4; i++) {
		p->type[i] = q_strdup(types[i]);
		p->unit[i] = q_strdup("bytes");
	}
	p->comment = q_alloc(sizeof(*p->comment));
	p->comment[p->comments++] = q_strdup("a comment");
	p->site = q_alloc(nr * sizeof(*site) + 1);
	for (unsigned int i = 0; i < nr; i++) {
		p->site[i] = site[i];
		p->site[i].stack = q_strdup(site[i].stack);
		p->site[i].cache = q_strdup(site[i].cache);
		p->site[i].labels = q_strdup(site[i].labels ?: "");
	}
}

static const struct q_row *row_of(const struct q_rows *rows, unsigned int column, const char *text)
{
	static struct q_row none;

	for (unsigned int i = 0; i < rows->nr; i++)
		if (!strcmp(rows->row[i].cell[column].text, text))
			return &rows->row[i];
	ok(false, text);
	return &none;
}

static int64_t cell(const struct q_rows *rows, enum q_view view, unsigned int name,
		    const char *text, const char *head)
{
	int column = q_view_sort(view, head);

	return row_of(rows, name, text)->cell[column < 0 ? 0 : column].number;
}

/* --- Caches --- */

#define HEAD "#name id size inuse_bytes waste_pct live_objs cached mallocs state\n"

static int64_t cache_cell(const struct q_rows *rows, const char *name, const char *head)
{
	return cell(rows, Q_VIEW_CACHES, 0, name, head);
}

static void test_caches(void)
{
	struct q_reading before, now;
	struct q_view_input in = { .view = Q_VIEW_CACHES, .now = &now, .before = &before };
	struct q_rows rows;

	reading(&before, 100, "uptime_ns 5\nmallocs 10\n",
		HEAD "a 7 64 4096 50.0 32 0 1000 active\nb 8 128 8192 0.0 64 0 500 active\n");
	reading(&now, 102, "uptime_ns 7\nmallocs 20\n",
		HEAD "b 8 128 8192 0.0 64 0 100 active\na 7 64 8192 25.5 96 0 3000 active\n"
		     "new 9 256 12288 97.9 1 0 5 active\n");
	in.sort = (unsigned int)q_view_sort(Q_VIEW_CACHES, "memory");
	q_rows_make(&rows, &in);
	same(rows.nr, 3, "all caches are rows");
	same(rows.seconds, 2, "seconds between the readings");
	same_text(rows.row[0].cell[0].text, "new", "most memory comes first");
	same_text(rows.row[1].cell[0].text, "a", "equal ones are in the order of their names");
	same(cache_cell(&rows, "a", "allocs/s"), 1000, "allocations a second");
	same(cache_cell(&rows, "a", "frees/s"), (2904 - 968) / 2, "frees a second");
	same(cache_cell(&rows, "a", "waste"), 255, "waste");
	same(cache_cell(&rows, "a", "wasted"), 8192 - 96 * 64, "wasted bytes");
	same(cache_cell(&rows, "b", "allocs/s"), Q_UNKNOWN, "a counter that fell has no rate");
	same(cache_cell(&rows, "new", "allocs/s"), Q_UNKNOWN, "nor has a cache that is new");
	q_rows_free(&rows);

	in.sort = (unsigned int)q_view_sort(Q_VIEW_CACHES, "allocs/s");
	q_rows_make(&rows, &in);
	same_text(rows.row[0].cell[0].text, "a", "sorted by a rate");
	same_text(rows.row[2].cell[0].text, "new", "unknown rates come last, by name");
	q_rows_free(&rows);

	in.sort = (unsigned int)q_view_sort(Q_VIEW_CACHES, "cache");
	in.filter = "E";
	q_rows_make(&rows, &in);
	same(rows.nr, 1, "the filter leaves one");
	same(rows.all, 3, "of three");
	same_text(rows.row[0].cell[0].text, "new", "in large letters or small ones");
	q_rows_free(&rows);
	in.filter = NULL;

	/* The module was loaded again. */
	q_values_free(&now.stats);
	q_values_parse(&now.stats, q_strdup("uptime_ns 1\nmallocs 20\n"));
	q_rows_make(&rows, &in);
	same(cache_cell(&rows, "a", "allocs/s"), Q_UNKNOWN, "no rates over a load of the module");
	q_rows_free(&rows);
	in.before = NULL;
	q_rows_make(&rows, &in);
	same(rows.seconds, 0, "one reading has no seconds");
	same(cache_cell(&rows, "a", "allocs/s"), Q_UNKNOWN, "and no rates");
	q_rows_free(&rows);
	q_reading_free(&now);
	q_reading_free(&before);
}

static void test_details(void)
{
	const struct q_detail before = { 7, 1000, 100, 10 };
	struct q_detail now = { 7, 3000, 200, 50 };
	struct q_reading r;
	struct q_view_input in = { .view = Q_VIEW_CACHES, .now = &r };
	struct q_rows rows;
	struct q_row *row;
	int hits = -1, remote = -1;

	for (unsigned int i = 0; i < q_view_info[Q_VIEW_CACHES].nr; i++) {
		const char *key = q_view_info[Q_VIEW_CACHES].column[i].c.key;

		if (!strcmp(key, "hit_percent"))
			hits = (int)i;
		if (!strcmp(key, "remote_frees_per_second"))
			remote = (int)i;
	}
	reading(&r, 1, "uptime_ns 1\n", HEAD "a 7 64 4096 50.0 32 0 1000 active\n");
	q_rows_make(&rows, &in);
	row = &rows.row[0];
	same(row->cell[hits].number, Q_UNKNOWN, "hits are not known without the cache's own file");
	q_row_detail(row, &now, NULL, 2);
	same(row->cell[hits].number, Q_UNKNOWN, "nor with one reading of it");
	q_row_detail(row, &now, &before, 2);
	same(row->cell[hits].number, 950, "hits: 1,900 of 2,000");
	same(row->cell[remote].number, 20, "remote frees a second");
	row->cell[hits].number = Q_UNKNOWN;
	now.mallocs = 1000;
	q_row_detail(row, &now, &before, 2);
	same(row->cell[hits].number, Q_UNKNOWN, "no allocation, no hits");
	now = (struct q_detail){ 7, 1010, 150, 10 };
	q_row_detail(row, &now, &before, 2);
	same(row->cell[hits].number, 0,
	     "more misses than allocations: they are read at once, nearly");
	q_rows_free(&rows);
	q_reading_free(&r);
}

/* --- Profiles --- */

static const struct q_site sites_then[] = {
	{ (char *)"leak < f", (char *)"c1", (char *)"comm=a cgroup=12", { 10, 1000, 10, 1000 } },
	{ (char *)"leak < f", (char *)"c1", (char *)"node=0 comm=b", { 1, 100, 1, 100 } },
	{ (char *)"gone < f", (char *)"c2", (char *)"comm=a", { 5, 50, 5, 50 } },
};

static const struct q_site sites_now[] = {
	{ (char *)"leak < f", (char *)"c1", (char *)"comm=a cgroup=12", { 30, 3000, 20, 2000 } },
	{ (char *)"leak < f", (char *)"c1", (char *)"xcomm=a comm=b", { 1, 100, 1, 100 } },
	{ (char *)"fresh < f", (char *)"C2", (char *)"", { 8, 800, 4, 400 } },
};

static void test_sites(void)
{
	struct q_reading before, now;
	struct q_pprof first;
	struct q_view_input in = {
		.view = Q_VIEW_SITES, .now = &now, .before = &before, .first = &first
	};
	struct q_rows rows;

	reading(&before, 10, "uptime_ns 1\nmallocs 1\n", NULL);
	reading(&now, 20, "uptime_ns 2\nmallocs 2\n", NULL);
	profile(&before.profile, sites_then, 3);
	profile(&now.profile, sites_now, 3);
	q_pprof_join(&before.profile, false);
	q_pprof_join(&now.profile, false);
	q_pprof_copy(&first, &before.profile);
	ok(first.comments == 1 && first.comment[0] != before.profile.comment[0] &&
		   !strcmp(first.comment[0], "a comment"),
	   "a copy has comments of its own");
	before.has_profile = now.has_profile = true;
	in.sort = (unsigned int)q_view_sort(Q_VIEW_SITES, "live");
	q_rows_make(&rows, &in);
	same(rows.nr, 2, "a row for each stack and cache");
	same_text(rows.row[0].site->stack, "leak < f", "most live bytes come first");
	same(cell(&rows, Q_VIEW_SITES, 6, "leak < f", "live"), 2100, "live bytes");
	same(cell(&rows, Q_VIEW_SITES, 6, "leak < f", "objects"), 21, "live objects");
	same(cell(&rows, Q_VIEW_SITES, 6, "leak < f", "growth"), 1000, "growth");
	same(cell(&rows, Q_VIEW_SITES, 6, "leak < f", "alloc/s"), 200, "bytes a second");
	same(cell(&rows, Q_VIEW_SITES, 6, "leak < f", "calls/s"), 2, "allocations a second");
	same(cell(&rows, Q_VIEW_SITES, 6, "fresh < f", "growth"), 400, "a new site grew from 0");
	same(cell(&rows, Q_VIEW_SITES, 6, "fresh < f", "alloc/s"), 80, "and allocated since");
	q_rows_free(&rows);
	in.filter = "c2";
	q_rows_make(&rows, &in);
	same(rows.nr, 1, "the filter looks at the cache, too");
	q_rows_free(&rows);
	in.filter = NULL;

	/* profile/reset was written. */
	now.profile.site[1].value[1] = 0;
	q_rows_make(&rows, &in);
	same(cell(&rows, Q_VIEW_SITES, 6, "leak < f", "alloc/s"), Q_UNKNOWN,
	     "no rate when the profile was reset");
	q_rows_free(&rows);
	before.has_profile = false;
	in.first = NULL;
	q_rows_make(&rows, &in);
	same(cell(&rows, Q_VIEW_SITES, 6, "fresh < f", "alloc/s"), Q_UNKNOWN,
	     "no rate without the profile before");
	same(cell(&rows, Q_VIEW_SITES, 6, "fresh < f", "growth"), Q_UNKNOWN, "no growth either");
	q_rows_free(&rows);
	q_reading_free(&before);
	q_reading_free(&now);
	q_pprof_free(&first);
}

static void test_labels(void)
{
	struct q_reading now;
	struct q_view_input in = { .view = Q_VIEW_PROCESSES, .now = &now };
	struct q_pprof whole;
	struct q_rows rows;

	reading(&now, 20, "uptime_ns 2\n", NULL);
	profile(&whole, sites_now, 3);
	q_pprof_by_label(&now.profile, &whole, "comm");
	now.has_profile = true;
	q_rows_make(&rows, &in);
	same(rows.nr, 3, "a row for each process");
	same(cell(&rows, Q_VIEW_PROCESSES, 5, "a", "live"), 2000, "its live bytes");
	same(cell(&rows, Q_VIEW_PROCESSES, 5, "b", "live"), 100, "xcomm is another label");
	same(cell(&rows, Q_VIEW_PROCESSES, 5, "(none)", "live"), 400, "sites without the label");
	q_rows_free(&rows);
	q_pprof_free(&now.profile);
	q_pprof_by_label(&now.profile, &whole, "cgroup");
	in.view = Q_VIEW_CGROUPS;
	q_rows_make(&rows, &in);
	same(cell(&rows, Q_VIEW_CGROUPS, 5, "12", "live"), 2000, "live bytes of a cgroup");
	same(rows.nr, 2, "cgroups");
	q_rows_free(&rows);
	same(whole.sites, 3, "the profile is as it was");
	q_pprof_free(&whole);
	q_reading_free(&now);
}

/* --- What is read --- */

static void test_wants(void)
{
	same(q_view_want(Q_VIEW_CACHES, 2).profile, false, "caches need no profile");
	same(q_view_want(Q_VIEW_CACHES, 2).caches, true, "but their table");
	same(q_view_want(Q_VIEW_SITES, 2).domain, 0, "sites are of quarry's own heap");
	same(q_view_want(Q_VIEW_KERNEL, 2).domain, 2, "kernel is of the domain that is chosen");
	same(q_view_want(Q_VIEW_KERNEL, 2).caches, false, "and does not need the caches");
	same_text(q_view_want(Q_VIEW_CGROUPS, 1).label, "cgroup", "cgroups are a label");
	same(q_view_number("processes"), Q_VIEW_PROCESSES, "a view by its name");
	same(q_view_number("proc"), -1, "not by another one");
	same(q_view_sort(Q_VIEW_CACHES, "mem"), q_view_sort(Q_VIEW_CACHES, "memory"),
	     "a column by the begin of its heading");
	same(q_view_sort(Q_VIEW_CACHES, "hits"), -1, "not one that is read for shown rows only");
	same(q_view_sort(Q_VIEW_CACHES, ""), -1, "nor none");
	ok(q_view_sort(Q_VIEW_CACHES, "waste") != q_view_sort(Q_VIEW_CACHES, "wasted"),
	   "waste is not wasted");
}

/* --- Texts --- */

static void test_layout(void)
{
	bool fits = true, shown = true;
	int widths[Q_VIEW_COLUMNS];

	for (int view = 0; view < Q_VIEWS; view++) {
		for (int width = 40; width <= 300; width++) {
			int used = -1, texts = 0;

			q_view_layout(view, width, widths);
			for (unsigned int i = 0; i < q_view_info[view].nr; i++) {
				used += widths[i] ? widths[i] + 1 : 0;
				if (q_view_info[view].column[i].rank == 0 && widths[i] > 9)
					texts++;
			}
			fits = fits && used <= width;
			shown = shown && texts;
		}
	}
	ok(fits, "columns of each view fit in 40 to 300 characters");
	ok(shown, "the names are always there");
	q_view_layout(Q_VIEW_CACHES, 80, widths);
	ok(widths[q_view_sort(Q_VIEW_CACHES, "allocs/s")], "caches show allocs/s at 80");
	ok(!widths[q_view_sort(Q_VIEW_CACHES, "size")], "but not the size");
	q_view_layout(Q_VIEW_CACHES, 200, widths);
	ok(widths[q_view_sort(Q_VIEW_CACHES, "size")], "which they show at 200");
	same(widths[0], 47, "where the longest name fits");
}

static void test_texts(void)
{
	char buf[Q_CELL_LEN];

	same_text(q_cell_fit(buf, Q_COUNT, &Q_N(123456), 7), "123,456", "a number that fits");
	same_text(q_cell_fit(buf, Q_COUNT, &Q_N(12345678), 7), "12.3 M", "one that does not");
	same_text(q_cell_fit(buf, Q_COUNT, &Q_N(999960), 6), "1.0 M",
		  "999,960 is 1.0 M, not 1000 k");
	same_text(q_cell_fit(buf, Q_COUNT, &Q_N(INT64_MAX), 9), "9.2 E", "the largest number");
	same_text(q_cell_fit(buf, Q_BYTES, &Q_N(Q_UNKNOWN), 7), "-", "a number that is not known");
	same_text(q_cell_fit(buf, Q_TEXT, &Q_S("name"), 2), "name", "a text");
}

static void test_head(void)
{
	struct q_reading before, now;
	struct q_head head;
	char buf[Q_HEAD_LEN];
	bool fits = true;

	reading(&before, 10, "uptime_ns 1\nmallocs 1000\nfrees 500\nslow_path_ns 0\n", NULL);
	reading(&now, 12,
		"uptime_ns 2\nmallocs 5000\nfrees 4500\nslow_path_ns 100000000\nsys_bytes 1000\n"
		"inuse_bytes 500\nlive_bytes 250\nidle_bytes 250\nmetadata_bytes 250\n"
		"hard_limit_bytes max\nfailed_allocs 4\nzombie_caches 1\nsample_rate_bytes 524288\n",
		NULL);
	head = q_head_of(&now, &before);
	same(head.allocs, 2000, "allocations a second");
	same(head.frees, 2000, "frees a second");
	same(head.slow_permille, 50, "5 % of a CPU in slow paths");
	same(q_head_of(&now, NULL).allocs, Q_UNKNOWN, "no rate with one reading");
	same(q_head_of(&before, &now).frees, Q_UNKNOWN, "no rate if the module was loaded anew");
	for (int width = 40; width < 250; width++)
		for (unsigned int i = 0; i < Q_HEAD_LINES; i++)
			fits = fits &&
			       strlen(q_head_line(buf, i, width, &head, &now)) <= (size_t)width;
	ok(fits, "the lines fit in 40 to 250 characters");
	q_head_line(buf, 0, 80, &head, &now);
	ok(strstr(buf, "[###") && strstr(buf, "+]") == NULL && strstr(buf, "m]"),
	   "the bar begins with live objects and ends with metadata");
	q_head_warning(buf, 80, &now);
	same_text(buf, "! 4 allocations failed. (1 more)", "the first warning, and how many more");
	ok(strlen(q_head_warning(buf, 20, &now)) <= 20, "it is cut");
	ok(strstr(q_head_warning(buf, 20, &now), "(1 more)"), "but not the number");
	q_values_free(&now.stats);
	q_values_parse(&now.stats, q_strdup("sample_rate_bytes 1\n"));
	same_text(q_head_warning(buf, 80, &now), "", "no warning");
	now.domain[1].enabled = 1;
	now.domain[1].live_bytes = 4 << 20;
	ok(strstr(q_head_line(buf, 2, 80, &head, &now), "slab 4.0 MiB"), "a domain that is on");
	ok(!strstr(buf, "pages"), "and none that is off");
	q_reading_free(&before);
	q_reading_free(&now);
}

int main(void)
{
	test_caches();
	test_details();
	test_sites();
	test_labels();
	test_wants();
	test_layout();
	test_texts();
	test_head();
	return tap_end();
}
