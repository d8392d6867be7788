// SPDX-License-Identifier: GPL-2.0
#include "lib/view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/clamp.h"

/* --- Views and their columns --- */

enum cache_column {
	CACHE_NAME,
	CACHE_ID,
	CACHE_SIZE,
	CACHE_MEMORY,
	CACHE_LIVE,
	CACHE_WASTE,
	CACHE_WASTED,
	CACHE_ALLOCS,
	CACHE_FREES,
	CACHE_HITS,
	CACHE_REMOTE,
	CACHE_COLUMNS,
};

static const struct q_view_column cache_columns[CACHE_COLUMNS] = {
	[CACHE_NAME] = { { "name", "cache", Q_TEXT }, 14, 0, true },
	[CACHE_ID] = { { "id", NULL, Q_NUMBER }, 0, 0, false },
	[CACHE_SIZE] = { { "size", "size", Q_BYTES }, 8, 6, true },
	[CACHE_MEMORY] = { { "inuse_bytes", "memory", Q_BYTES }, 8, 1, true },
	[CACHE_LIVE] = { { "live_objects", "live", Q_COUNT }, 9, 2, true },
	[CACHE_WASTE] = { { "waste_percent", "waste", Q_PERCENT }, 7, 3, true },
	[CACHE_WASTED] = { { "waste_bytes", "wasted", Q_BYTES }, 8, 5, true },
	[CACHE_ALLOCS] = { { "mallocs_per_second", "allocs/s", Q_COUNT }, 9, 2, true },
	[CACHE_FREES] = { { "frees_per_second", "frees/s", Q_COUNT }, 9, 3, true },
	[CACHE_HITS] = { { "hit_percent", "hits", Q_PERCENT }, 7, 3, false },
	[CACHE_REMOTE] = { { "remote_frees_per_second", "remote/s", Q_COUNT }, 8, 4, false },
};

enum site_column {
	SITE_LIVE,
	SITE_GROWTH,
	SITE_RATE,
	SITE_OBJECTS,
	SITE_ALLOCS,
	SITE_CACHE,
	SITE_STACK,
	SITE_COLUMNS,
};

#define NUMBERS_OF_SITES                                                                           \
	[SITE_LIVE] = { { "live_bytes", "live", Q_BYTES }, 8, 1, true },                           \
	[SITE_GROWTH] = { { "growth_bytes", "growth", Q_BYTES }, 9, 2, true },                     \
	[SITE_RATE] = { { "allocated_bytes_per_second", "alloc/s", Q_SECOND }, 10, 3, true },      \
	[SITE_OBJECTS] = { { "live_objects", "objects", Q_COUNT }, 9, 4, true },                   \
	[SITE_ALLOCS] = { { "allocations_per_second", "calls/s", Q_COUNT }, 9, 5, true }

static const struct q_view_column site_columns[SITE_COLUMNS] = {
	NUMBERS_OF_SITES,
	[SITE_CACHE] = { { "cache", "cache", Q_TEXT }, 12, 3, true },
	[SITE_STACK] = { { "stack", "stack", Q_TEXT }, 24, 0, true },
};

static const struct q_view_column process_columns[SITE_CACHE + 1] = {
	NUMBERS_OF_SITES,
	[SITE_CACHE] = { { "comm", "process", Q_TEXT }, 16, 0, true },
};

static const struct q_view_column cgroup_columns[SITE_CACHE + 1] = {
	NUMBERS_OF_SITES,
	[SITE_CACHE] = { { "cgroup", "cgroup", Q_TEXT }, 16, 0, true },
};

const struct q_view_info q_view_info[Q_VIEWS] = {
	[Q_VIEW_CACHES] = { "caches", "caches", cache_columns, CACHE_COLUMNS, CACHE_MEMORY, NULL },
	[Q_VIEW_SITES] = { "sites", "sites", site_columns, SITE_COLUMNS, SITE_LIVE, NULL },
	[Q_VIEW_KERNEL] = { "kernel", "sites", site_columns, SITE_COLUMNS, SITE_LIVE, NULL },
	[Q_VIEW_PROCESSES] = { "processes", "processes", process_columns, SITE_CACHE + 1, SITE_LIVE,
			       "comm" },
	[Q_VIEW_CGROUPS] = { "cgroups", "cgroups", cgroup_columns, SITE_CACHE + 1, SITE_LIVE,
			     "cgroup" },
};

int q_view_number(const char *name)
{
	for (int i = 0; i < Q_VIEWS; i++)
		if (!strcmp(q_view_info[i].name, name))
			return i;
	return -1;
}

int q_view_sort(enum q_view view, const char *word)
{
	const struct q_view_info *info = &q_view_info[view];
	int found = -1;

	for (unsigned int i = 0; i < info->nr; i++) {
		if (!info->column[i].sort)
			continue;
		if (!strcmp(info->column[i].c.head, word))
			return (int)i;
		if (found < 0 && *word && !strncmp(info->column[i].c.head, word, strlen(word)))
			found = (int)i;
	}
	return found;
}

struct q_want q_view_want(enum q_view view, unsigned int domain)
{
	return (struct q_want){
		.caches = view == Q_VIEW_CACHES,
		.profile = view != Q_VIEW_CACHES,
		.domain = view == Q_VIEW_SITES ? QUARRY_DEV_DOMAIN_QUARRY : domain,
		.label = q_view_info[view].label,
	};
}

bool q_reading_is_anew(const struct q_reading *now, const struct q_reading *before)
{
	return q_value(&now->stats, "uptime_ns") < q_value(&before->stats, "uptime_ns") ||
	       q_value(&now->stats, "mallocs") < q_value(&before->stats, "mallocs");
}

/* How much a counter grew in a second; a counter that fell was set back. */
static int64_t per_second(int64_t now, int64_t before, double seconds)
{
	if (seconds <= 0 || now < before)
		return Q_UNKNOWN;
	return q_whole(round((double)q_sub(now, before) / seconds));
}

/* --- Rows of caches --- */

struct numbered {
	int64_t id;
	unsigned int line;
};

static int by_id(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* The lines of a table of caches by their number, sorted. */
static struct numbered *number_lines(const struct q_lines *l)
{
	struct numbered *n = q_alloc(l->nr * sizeof(*n) + 1);

	for (unsigned int i = 0; i < l->nr; i++)
		n[i] = (struct numbered){ q_line_number(l, i, "id"), i };
	if (l->nr)
		qsort(n, l->nr, sizeof(*n), by_id);
	return n;
}

/* frees = mallocs - live, which are both in the table. */
static int64_t frees_of(const struct q_lines *l, unsigned int line)
{
	return q_sub(q_line_number(l, line, "mallocs"), q_line_number(l, line, "live_objs"));
}

static void cache_row(struct q_row *row, const struct q_lines *l, unsigned int i)
{
	int64_t bytes = q_line_number(l, i, "inuse_bytes");
	int64_t live = q_mul(q_line_number(l, i, "live_objs"), q_line_number(l, i, "size"));

	row->id = q_line_number(l, i, "id");
	row->cell[CACHE_NAME] = Q_S(q_line_text(l, i, "name"));
	row->cell[CACHE_ID] = Q_N(row->id);
	row->cell[CACHE_SIZE] = Q_N(q_line_number(l, i, "size"));
	row->cell[CACHE_MEMORY] = Q_N(bytes);
	row->cell[CACHE_LIVE] = Q_N(q_line_number(l, i, "live_objs"));
	row->cell[CACHE_WASTE] = Q_N(q_line_permille(l, i, "waste_pct"));
	row->cell[CACHE_WASTED] = Q_N(bytes > live ? q_sub(bytes, live) : 0);
	for (unsigned int c = CACHE_ALLOCS; c < CACHE_COLUMNS; c++)
		row->cell[c] = Q_N(Q_UNKNOWN);
}

static void cache_rows(struct q_rows *rows, const struct q_view_input *in)
{
	const struct q_lines *l = &in->now->caches, *old = in->before ? &in->before->caches : NULL;
	struct numbered *index = old ? number_lines(old) : NULL, *was;

	rows->row = q_alloc(l->nr * sizeof(*rows->row) + 1);
	for (unsigned int i = 0; i < l->nr; i++) {
		struct q_row *row = &rows->row[rows->nr++];
		struct numbered key;

		cache_row(row, l, i);
		key.id = row->id;
		was = old && old->nr ? bsearch(&key, index, old->nr, sizeof(key), by_id) : NULL;
		if (!was)
			continue;
		row->cell[CACHE_ALLOCS] = Q_N(per_second(q_line_number(l, i, "mallocs"),
							 q_line_number(old, was->line, "mallocs"),
							 rows->seconds));
		row->cell[CACHE_FREES] = Q_N(
			per_second(frees_of(l, i), frees_of(old, was->line), rows->seconds));
	}
	free(index);
}

void q_row_detail(struct q_row *row, const struct q_detail *now, const struct q_detail *before,
		  double seconds)
{
	int64_t calls, misses;

	if (!now || !before)
		return;
	row->cell[CACHE_REMOTE] = Q_N(per_second(now->remote_frees, before->remote_frees, seconds));
	calls = q_sub(now->mallocs, before->mallocs);
	misses = q_sub(now->alloc_misses, before->alloc_misses);
	/* The counters are read one after the other, while they grow. */
	if (calls > 0 && misses >= 0)
		row->cell[CACHE_HITS] = Q_N(
			misses < calls ? 1000 * (double)(calls - misses) / (double)calls : 0);
}

/* --- Rows of profiles --- */

static const char *const types[] = { "inuse_space", "inuse_objects", "alloc_space",
				     "alloc_objects" };

/* The value of a site of @p, which may have none: 0. */
static int64_t value(const struct q_pprof *p, const struct q_site *site, unsigned int type)
{
	int at = q_pprof_type(p, types[type]);

	return site && at >= 0 ? site->value[at] : 0;
}

static void site_rows(struct q_rows *rows, const struct q_view_input *in)
{
	const struct q_pprof *now = &in->now->profile, *old = NULL;

	if (in->before && in->before->has_profile)
		old = &in->before->profile;
	rows->row = q_alloc(now->sites * sizeof(*rows->row) + 1);
	for (unsigned int i = 0; i < now->sites; i++) {
		const struct q_site *site = &now->site[i];
		const struct q_site *was = old ? q_pprof_find(old, site) : NULL;
		const struct q_site *first = in->first ? q_pprof_find(in->first, site) : NULL;
		double seconds = old ? rows->seconds : 0;
		struct q_row *row = &rows->row[rows->nr++];

		row->site = site;
		row->cell[SITE_LIVE] = Q_N(value(now, site, 0));
		row->cell[SITE_GROWTH] = Q_N(
			in->first ? q_sub(value(now, site, 0), value(in->first, first, 0)) :
				    Q_UNKNOWN);
		row->cell[SITE_RATE] = Q_N(
			per_second(value(now, site, 2), old ? value(old, was, 2) : 0, seconds));
		row->cell[SITE_OBJECTS] = Q_N(value(now, site, 1));
		row->cell[SITE_ALLOCS] = Q_N(
			per_second(value(now, site, 3), old ? value(old, was, 3) : 0, seconds));
		if (q_view_info[in->view].label) {
			row->cell[SITE_CACHE] = Q_S(site->stack);
		} else {
			row->cell[SITE_CACHE] = Q_S(site->cache);
			row->cell[SITE_STACK] = Q_S(site->stack);
		}
	}
}

/* --- Sorting and filtering --- */

static bool passes(const struct q_row *row, const struct q_view_input *in)
{
	const struct q_view_info *info = &q_view_info[in->view];

	if (!in->filter || !*in->filter)
		return true;
	for (unsigned int i = 0; i < info->nr; i++)
		if (info->column[i].c.unit == Q_TEXT && strcasestr(row->cell[i].text, in->filter))
			return true;
	return false;
}

static int by_texts(const struct q_row *x, const struct q_row *y, const struct q_view_info *info)
{
	int order = 0;

	for (unsigned int i = 0; !order && i < info->nr; i++)
		if (info->column[i].c.unit == Q_TEXT)
			order = strcmp(x->cell[i].text, y->cell[i].text);
	return order ?: (x->id > y->id) - (x->id < y->id);
}

/* Numbers from large to small, unknown ones last; texts in the order of the alphabet. */
static int by_column(const void *a, const void *b, void *arg)
{
	const struct q_view_input *in = arg;
	const struct q_view_info *info = &q_view_info[in->view];
	const struct q_row *x = a, *y = b;
	const struct q_cell *p = &x->cell[in->sort], *q = &y->cell[in->sort];
	int order;

	if (info->column[in->sort].c.unit == Q_TEXT)
		order = strcmp(p->text, q->text);
	else
		order = (p->number < q->number) - (p->number > q->number);
	return order ?: by_texts(x, y, info);
}

void q_rows_make(struct q_rows *rows, const struct q_view_input *in)
{
	struct q_view_input all = *in;
	unsigned int to = 0;

	*rows = (struct q_rows){ 0 };
	if (all.before && q_reading_is_anew(all.now, all.before))
		all.before = NULL;
	if (all.before)
		rows->seconds = (double)q_sub(all.now->time_ns, all.before->time_ns) / 1e9;
	if (all.view == Q_VIEW_CACHES)
		cache_rows(rows, &all);
	else
		site_rows(rows, &all);
	rows->all = rows->nr;
	for (unsigned int i = 0; i < rows->nr; i++)
		if (passes(&rows->row[i], &all))
			rows->row[to++] = rows->row[i];
	rows->nr = to;
	if (to)
		qsort_r(rows->row, to, sizeof(*rows->row), by_column, &all);
}

void q_rows_free(struct q_rows *rows)
{
	free(rows->row);
	*rows = (struct q_rows){ 0 };
}
