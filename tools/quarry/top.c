// SPDX-License-Identifier: GPL-2.0
/* top: what happens now: memory, calls, and caches, sites or processes by what they do. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "command.h"
#include "lib/recording.h"
#include "lib/signals.h"
#include "top.h"

#define BATCH_WIDTH 120

/* --- Reading --- */

unsigned int top_domain(const struct top *t)
{
	switch (t->view) {
	case Q_VIEW_KERNEL:
		return t->kernel;
	case Q_VIEW_PROCESSES:
	case Q_VIEW_CGROUPS:
		return t->domain;
	default:
		return QUARRY_DEV_DOMAIN_QUARRY;
	}
}

void top_rows(struct top *t)
{
	const struct q_view_input in = {
		.view = t->view,
		.now = &t->now,
		.before = t->has_before ? &t->before : NULL,
		.first = t->has_first ? &t->first : NULL,
		.sort = t->sort[t->view],
		.filter = t->filter,
	};

	q_rows_free(&t->rows);
	q_rows_make(&t->rows, &in);
	t->head = q_head_of(&t->now, in.before);
}

void top_reset(struct top *t)
{
	if (t->has_first)
		q_pprof_free(&t->first);
	t->has_first = t->now.has_profile;
	if (t->has_first)
		q_pprof_copy(&t->first, &t->now.profile);
	top_rows(t);
}

int top_refresh(struct top *t)
{
	struct q_want want = q_view_want(t->view, top_domain(t));
	struct q_reading next;
	int status = q_reading_take(&next, &want);

	if (status)
		return status;
	if (t->has_before)
		q_reading_free(&t->before);
	/* The reading that there is before the first one is empty. */
	t->has_before = t->now.stats.text != NULL;
	t->before = t->now;
	t->now = next;
	if (!t->has_first || (t->has_before && q_reading_is_anew(&t->now, &t->before)))
		top_reset(t);
	else
		top_rows(t);
	return Q_OK;
}

int top_switch(struct top *t, enum q_view view)
{
	t->view = view;
	if (t->has_first)
		q_pprof_free(&t->first);
	t->has_first = false;
	/* What is known of the last moment stays, but not its rows: they are of another view. */
	q_lines_free(&t->now.caches);
	q_pprof_free(&t->now.profile);
	q_pprof_free(&t->now.whole);
	t->now.has_profile = false;
	return top_refresh(t);
}

void top_detail(struct top *t, struct q_row *row)
{
	const struct q_detail *now, *before = NULL;

	if (t->view != Q_VIEW_CACHES)
		return;
	now = q_reading_detail(&t->now, row->cell[0].text, row->id);
	for (unsigned int i = 0; t->has_before && i < t->before.details; i++)
		if (t->before.detail[i].id == row->id)
			before = &t->before.detail[i];
	q_row_detail(row, now, before, t->rows.seconds);
}

/* The domains that are shown first: one of the kernel's that is on. */
static void choose_domains(struct top *t)
{
	for (unsigned int i = t->now.domains; i-- > 1;)
		if (t->now.domain[i].enabled)
			t->kernel = t->domain = i;
}

/* --- Printing --- */

static struct q_table *table_of(struct top *t, unsigned int most)
{
	static struct q_column columns[Q_VIEW_COLUMNS];
	const struct q_view_info *info = &q_view_info[t->view];
	struct q_table *table = q_table_new(columns, info->nr);

	for (unsigned int i = 0; i < info->nr; i++)
		columns[i] = info->column[i].c;
	for (unsigned int i = 0; i < t->rows.nr && i < most; i++) {
		top_detail(t, &t->rows.row[i]);
		q_table_add(table, t->rows.row[i].cell);
	}
	return table;
}

static void print_json(struct top *t, unsigned int most)
{
	for (unsigned int i = 0; i < t->rows.nr && i < most; i++)
		top_detail(t, &t->rows.row[i]);
	q_json_print_line(q_view_json(t->view, top_domain(t), &t->now, &t->head, &t->rows, most),
			  "top");
}

static void print_text(struct top *t, unsigned int most)
{
	struct q_table *table = table_of(t, most);
	time_t seconds = (time_t)(t->now.wall_ns / 1000000000);
	char buf[Q_HEAD_LEN];

	strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S", localtime(&seconds));
	printf("%s, %s", buf, q_view_info[t->view].name);
	if (t->view != Q_VIEW_CACHES)
		printf(" of domain %s", q_domain_name[top_domain(t)]);
	putchar('\n');
	for (unsigned int i = 0; i < Q_HEAD_LINES; i++)
		puts(q_head_line(buf, i, BATCH_WIDTH, &t->head, &t->now));
	if (*q_head_warning(buf, BATCH_WIDTH, &t->now))
		puts(buf);
	putchar('\n');
	if (t->rows.nr)
		q_table_print(table, most);
	else if (t->rows.all)
		printf("None of %u %s has \"%s\" in it.\n", t->rows.all, q_view_info[t->view].what,
		       t->filter);
	else
		printf("There are no %s.\n", q_view_info[t->view].what);
	if (t->rows.nr > most)
		printf("(%u more; -n says how many)\n", t->rows.nr - most);
	putchar('\n');
	q_table_free(table);
}

/* --- Options --- */

struct top_options {
	unsigned int view;
	int domain; /* -1: not chosen */
	const char *sort;
	const char *filter;
	double interval;
	bool batch;
	unsigned long rounds; /* 0: without end */
	unsigned int most;
};

enum { KEY_BATCH = 0x200, KEY_SORT, KEY_FILTER };

/* The headings that a view can be sorted by. */
static const char *sort_keys(enum q_view view)
{
	static char text[256];
	int n = 0;

	for (unsigned int i = 0; i < q_view_info[view].nr; i++)
		if (q_view_info[view].column[i].sort)
			n += snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "",
				      q_view_info[view].column[i].c.head);
	return text;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct top_options *o = state->input;
	char *end;
	int n;

	switch (key) {
	case KEY_BATCH:
		o->batch = true;
		o->rounds = q_option_count(state, "--batch", arg, 0, 1000000000);
		return 0;
	case 'n':
		o->most = q_option_lines(state, arg);
		return 0;
	case 'i':
		o->interval = strtod(arg, &end);
		/* Also true for what is not a number. */
		if (end == arg || *end || !(o->interval >= 0.1 && o->interval <= 3600))
			argp_error(state, "--interval takes 0.1 to 3600 seconds, not '%s'", arg);
		return 0;
	case 'v':
		n = q_view_number(arg);
		if (n < 0)
			argp_error(state,
				   "views are caches, sites, kernel, processes and cgroups, "
				   "not '%s'",
				   arg);
		o->view = (unsigned int)n;
		return 0;
	case 'd':
		o->domain = (int)q_option_domain(state, arg);
		return 0;
	case KEY_SORT:
		o->sort = arg;
		return 0;
	case KEY_FILTER:
		if (strlen(arg) >= TOP_FILTER)
			argp_error(state, "--filter takes at most %d characters", TOP_FILTER - 1);
		o->filter = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->view == Q_VIEW_KERNEL && !o->domain)
			argp_error(state, "quarry's own heap is the view sites");
		if (o->sort && q_view_sort(o->view, o->sort) < 0)
			argp_error(state, "the view %s is sorted by %s, not by '%s'",
				   q_view_info[o->view].name, sort_keys(o->view), o->sort);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "view", 'v', "NAME", 0,
	  "Begin with caches (the default), sites, kernel, processes or cgroups", 0 },
	{ "domain", 'd', "DOMAIN", 0,
	  "Of kernel, processes and cgroups: quarry, slab, pages, percpu or vmalloc", 0 },
	{ "sort", KEY_SORT, "KEY", 0, "Sort by the column with this heading", 0 },
	{ "filter", KEY_FILTER, "TEXT", 0, "Only rows with TEXT in their names", 0 },
	{ "interval", 'i', "S", 0, "Read every S seconds (2)", 0 },
	{ "batch", KEY_BATCH, "N", 0,
	  "Print N rounds, one each interval, and do not take the screen; 0: do not end", 1 },
	{ "lines", 'n', "N", 0, "With --batch: at most N rows (20)", 1 },
	{ 0 },
};

static int batch(struct top *t, const struct top_options *o)
{
	int fd = q_signals_open(false), status = Q_OK;
	int64_t next = q_now_ns();
	bool stopped = false;

	for (unsigned long i = 0; !status && (!o->rounds || i < o->rounds); i++) {
		if (q_options.recording) {
			if (!q_recording_next())
				break;
		} else {
			next += t->interval_ns;
			stopped = q_signals_wait(fd, next);
		}
		if (stopped)
			break;
		status = top_refresh(t);
		if (status)
			break;
		if (q_options.json)
			print_json(t, o->most);
		else
			print_text(t, o->most);
		/* A reader of the output that is gone ends this, too. */
		if (fflush(stdout))
			break;
	}
	close(fd);
	return status;
}

static void free_top(struct top *t)
{
	q_rows_free(&t->rows);
	q_reading_free(&t->now);
	if (t->has_before)
		q_reading_free(&t->before);
	if (t->has_first)
		q_pprof_free(&t->first);
}

int q_top(int argc, char **argv)
{
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = {
		options,
		parse,
		NULL,
		"What happens now: memory and calls, and caches, call stacks, processes or cgroups by "
		"what they hold and do.  The key ? lists the keys.",
		children,
		NULL,
		NULL
	};
	struct top_options o = { .domain = -1, .interval = 2, .most = 20 };
	struct top t = { .kernel = QUARRY_DEV_DOMAIN_SLAB };
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!o.batch && (q_options.json || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)))
		return q_problem(Q_USAGE, "the screen needs a terminal; --batch N prints instead");
	for (int i = 0; i < Q_VIEWS; i++)
		t.sort[i] = q_view_info[i].sort;
	t.view = o.view;
	t.interval_ns = llround(o.interval * 1e9);
	if (o.sort)
		t.sort[t.view] = (unsigned int)q_view_sort(t.view, o.sort);
	snprintf(t.filter, sizeof(t.filter), "%s", o.filter ?: "");
	if (o.domain > 0)
		t.kernel = (unsigned int)o.domain;
	if (o.domain >= 0)
		t.domain = (unsigned int)o.domain;
	if (q_options.recording)
		q_recording_first();
	status = top_refresh(&t);
	if (!status && o.domain < 0) {
		choose_domains(&t);
		if (top_domain(&t))
			status = top_switch(&t, t.view);
	}
	if (!status && o.batch && top_domain(&t) && !t.now.has_profile && t.view != Q_VIEW_CACHES)
		status = q_problem(Q_FAILED,
				   "domain %s is off; switch it on with \"quarry kernel on %s\"",
				   q_domain_name[top_domain(&t)], q_domain_name[top_domain(&t)]);
	if (!status)
		status = o.batch ? batch(&t, &o) : top_screen(&t);
	free_top(&t);
	return status;
}
