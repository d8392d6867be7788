// SPDX-License-Identifier: GPL-2.0
/* leaks: watch all sites for a while, and say what each does.  diff: the same of two profiles. */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "lib/clamp.h"
#include "lib/growth.h"
#include "lib/output.h"
#include "lib/page.h"
#include "lib/pprof.h"
#include "lib/recording.h"
#include "lib/table.h"
#include "lib/target.h"

#define MOMENTS 13 /* so that each third of the time has four */

/* The values of a heap profile that a series is made of. */
static const char *const types[] = { "inuse_space", "inuse_objects", "alloc_space",
				     "alloc_objects" };

/**
 * struct watched - all sites at all moments
 * @moment: the profiles
 * @nr: how many
 */
struct watched {
	struct q_pprof moment[MOMENTS];
	unsigned int nr;
};

struct found {
	const struct q_site *site;
	struct q_growth growth;
	int64_t live;
};

/* The series of a site that the last moment has. */
static bool series_of(const struct watched *w, const struct q_site *like, struct q_series *s)
{
	*s = (struct q_series){ .moments = w->nr };
	for (unsigned int m = 0; m < w->nr; m++) {
		const struct q_site *site = q_pprof_find(&w->moment[m], like);
		int64_t *to[] = { &s->live[m], &s->live_objects[m], &s->allocated[m],
				  &s->allocated_objects[m] };

		for (unsigned int t = 0; t < 4; t++) {
			int type = q_pprof_type(&w->moment[m], types[t]);

			if (type < 0)
				return false;
			if (site)
				*to[t] = site->value[type];
		}
	}
	return true;
}

/* What matters most comes first: leaks, and of each kind what grew most for sure. */
static int by_verdict(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->growth.verdict != y->growth.verdict)
		return x->growth.verdict < y->growth.verdict ? -1 : 1;
	if (x->growth.sure != y->growth.sure)
		return x->growth.sure > y->growth.sure ? -1 : 1;
	if (x->growth.allocated != y->growth.allocated)
		return x->growth.allocated > y->growth.allocated ? -1 : 1;
	return x->live > y->live ? -1 : x->live < y->live;
}

static const struct q_column columns[] = {
	{ "verdict", "verdict", Q_TEXT },      { "growth_bytes", "growth", Q_BYTES },
	{ "error_bytes", "+/-", Q_BYTES },     { "growth_bytes_per_second", "a second", Q_SECOND },
	{ "live_bytes", "live", Q_BYTES },     { "allocated_bytes", "allocated", Q_BYTES },
	{ "kept_percent", "kept", Q_PERCENT }, { "cache", "cache", Q_TEXT },
	{ "stack", "stack", Q_TEXT },
};

static int64_t kept_permille(const struct q_growth *g)
{
	if (g->growth <= 0 || g->allocated <= 0)
		return 0;
	return g->growth >= g->allocated ? 1000 :
					   (int64_t)((double)g->growth * 1000 / g->allocated);
}

/* The first frames of a stack, for a line. */
static const char *shortened(const char *stack, bool whole)
{
	static char buf[512];
	const char *end = stack;

	for (int frames = 0; !whole && frames < 5 && end; frames++) {
		end = strstr(end, " < ");
		if (end)
			end += 3;
	}
	if (whole || !end)
		return stack;
	snprintf(buf, sizeof(buf), "%.*s...", (int)(end - stack > 500 ? 500 : end - stack), stack);
	return buf;
}

static void add(struct q_table *t, const struct found *f, double seconds)
{
	const struct q_growth *g = &f->growth;

	q_table_add(t,
		    (struct q_cell[]){
			    Q_S(q_verdict_name[g->verdict]), Q_N(g->growth), Q_N(g->error),
			    Q_N(seconds > 0 ? q_whole((double)g->growth / seconds) : 0),
			    Q_N(f->live), Q_N(g->allocated), Q_N(kept_permille(g)),
			    Q_S(f->site->cache), Q_S(shortened(f->site->stack, q_options.json)) });
}

/* What the table says, in words. */
static void say(const struct found *found, unsigned int nr, double seconds)
{
	static const char *const text[Q_VERDICTS] = {
		[Q_LEAK] = "leaks: what it keeps grows as it allocates, and does not slow down",
		[Q_GROWS] = "grows; watch longer to see whether it ends",
		[Q_FILLS] = "filled, and has stopped growing",
	};
	unsigned int said = 0;
	char bytes[Q_HUMAN_LEN];

	putchar('\n');
	for (unsigned int i = 0; i < nr && said < 3 && text[found[i].growth.verdict]; i++, said++) {
		const char *stack = found[i].site->stack, *end = strstr(stack, " < ");

		printf("%.*s %s (%s in %.0f s).\n", (int)(end ? end - stack : (long)strlen(stack)),
		       stack, text[found[i].growth.verdict],
		       q_human(bytes, Q_BYTES, found[i].growth.growth), seconds);
	}
	if (!said)
		printf("Nothing grew by more than its error in %.0f s.\n", seconds);
}

/* Judge all sites and print.  *@leaks is how many leak. */
static void judge(const struct watched *w, unsigned int most, const char *command,
		  unsigned int *leaks)
{
	const struct q_pprof *first = &w->moment[0], *last = &w->moment[w->nr - 1];
	struct found *found = q_alloc((last->sites + 1) * sizeof(*found));
	double seconds = (double)q_sub(last->time_ns, first->time_ns) / 1e9;
	struct q_table *t = q_table_new(columns, sizeof(columns) / sizeof(*columns));
	unsigned int nr = 0;
	struct json_object *o;

	*leaks = 0;
	for (unsigned int i = 0; i < last->sites; i++) {
		struct q_series s;

		if (!series_of(w, &last->site[i], &s))
			continue;
		found[nr] = (struct found){
			.site = &last->site[i],
			.growth = q_growth_of(&s, last->period),
			.live = s.live[w->nr - 1],
		};
		*leaks += found[nr++].growth.verdict == Q_LEAK;
	}
	if (nr)
		qsort(found, nr, sizeof(*found), by_verdict);
	for (unsigned int i = 0; i < nr && i < most; i++)
		add(t, &found[i], seconds);
	if (q_options.json) {
		o = json_object_new_object();
		json_object_object_add(o, "seconds", json_object_new_double(seconds));
		json_object_object_add(o, "leaks", json_object_new_int64(*leaks));
		json_object_object_add(o, "sites", q_table_json(t, most));
		q_json_print(o, command);
	} else {
		q_table_print(t, most);
		say(found, nr, seconds);
	}
	q_table_free(t);
	free(found);
}

/* --- leaks --- */

struct leaks_options {
	struct q_target target;
	unsigned int seconds;
	unsigned int most;
	bool check;
};

enum { KEY_CHECK = 0x200, KEY_HTML };

static error_t parse_leaks(int key, char *arg, struct argp_state *state)
{
	struct leaks_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->target;
		return 0;
	case 's':
		o->seconds = q_option_seconds(state, arg, 3);
		return 0;
	case 'n':
		o->most = q_option_lines(state, arg);
		return 0;
	case KEY_CHECK:
		o->check = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int moment(struct q_device *d, const struct q_what *what, struct q_pprof *p)
{
	const char *why;
	size_t size;
	char *data;
	int status = q_device_profile(d, what, &data, &size);

	if (status)
		return status;
	why = q_pprof_parse(p, data, size);
	free(data);
	if (why)
		return q_problem(Q_OTHER_ABI, "the module's profile cannot be read: %s", why);
	q_pprof_join(p, false);
	return Q_OK;
}

static int watch(const struct leaks_options *o, struct watched *w)
{
	struct q_what what = {
		.domain = o->target.domain,
		.kind = QUARRY_DEV_KIND_HEAP,
		.format = QUARRY_DEV_FORMAT_PPROF,
	};
	unsigned int moments = o->seconds < MOMENTS - 1 ? o->seconds + 1 : MOMENTS, waited = 0,
		     until;
	struct q_device d;
	int status = q_target_open(&o->target, &d, &what.cache);

	if (status)
		return status;
	if (q_options.recording)
		q_recording_back(o->seconds);
	while (!status && w->nr < moments) {
		until = o->seconds * w->nr / (moments - 1);
		q_wait(until - waited, "watching");
		waited = until;
		status = moment(&d, &what, &w->moment[w->nr]);
		w->nr += !status;
	}
	q_device_close(&d);
	return status;
}

int q_leaks(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "seconds", 's', "N", 0, "Watch for N seconds (60)", 0 },
		{ "lines", 'n', "N", 0, "Show N sites (10)", 0 },
		{ "check", KEY_CHECK, NULL, 0, "Exit with status 6 if anything leaks", 0 },
		{ 0 },
	};
	const struct argp_child children[] = { { &q_target_argp, 0, NULL, 0 },
					       Q_COMMON_CHILD,
					       { 0 } };
	const struct argp argp = {
		options,
		parse_leaks,
		NULL,
		"Watch all sites for a while, and say what each does.  leak: it keeps more and more, as "
		"fast at the end as at the beginning.  grows: it keeps more, but it cannot be said how.  "
		"fills: it kept more at first, and does not any longer.  churn: it allocates much and "
		"frees as much.  steady: nothing changes.",
		children,
		NULL,
		NULL
	};
	struct leaks_options o = { .seconds = 60, .most = 10 };
	struct watched w = { .nr = 0 };
	unsigned int leaks = 0;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	status = watch(&o, &w);
	if (!status)
		judge(&w, o.most, "leaks", &leaks);
	while (w.nr)
		q_pprof_free(&w.moment[--w.nr]);
	return !status && o.check && leaks ? Q_FOUND : status;
}

/* --- diff --- */

struct diff_options {
	const char *file[2];
	unsigned int most;
	bool html;
	const char *out;
};

static error_t parse_diff(int key, char *arg, struct argp_state *state)
{
	struct diff_options *o = state->input;

	switch (key) {
	case 'n':
		o->most = q_option_lines(state, arg);
		return 0;
	case KEY_HTML:
		o->html = true;
		return 0;
	case 'o':
		o->html = true;
		o->out = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "two profiles, the older one first");
		o->file[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num != 2)
			argp_error(state, "two profiles, the older one first");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Labels are kept: sites differ by them, too. */
static int write_page(const struct diff_options *o, const struct watched *w)
{
	struct q_page page = {
		.moment = w->moment,
		.name = o->file,
		.moments = w->nr,
	};
	char title[512], *html;
	size_t size;
	int status;

	snprintf(title, sizeof(title), "From %s to %s", q_page_file(o->file[0]),
		 q_page_file(o->file[1]));
	page.title = title;
	status = q_page_make(&page, &html, &size);
	if (status)
		return status;
	status = q_output(o->out, html, size);
	free(html);
	return status;
}

int q_diff(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "lines", 'n', "N", 0, "Show N sites (10)", 0 },
		{ "html", KEY_HTML, NULL, 0, "A page to click, in one file that fetches nothing",
		  0 },
		{ "output", 'o', "FILE", 0, "Write the page into FILE", 0 },
		{ 0 },
	};
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = {
		options,
		parse_diff,
		"OLD NEW",
		"What grew between two profiles that \"quarry profile -o FILE.pb.gz\" "
		"or debugfs made.",
		children,
		NULL,
		NULL
	};
	struct diff_options o = { .most = 10 };
	struct watched w = { .nr = 0 };
	unsigned int leaks;
	int status = Q_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.html && !o.out && isatty(STDOUT_FILENO))
		return q_problem(Q_USAGE, "a page is not for a terminal; name a file with -o");
	for (; w.nr < 2 && !status; w.nr += !status) {
		status = q_pprof_read(&w.moment[w.nr], o.file[w.nr]);
		if (!status && q_pprof_type(&w.moment[w.nr], types[0]) < 0) {
			q_pprof_free(&w.moment[w.nr]);
			status = q_problem(Q_FAILED, "%s is no profile of a heap", o.file[w.nr]);
		}
		if (!status)
			q_pprof_join(&w.moment[w.nr], o.html);
	}
	if (!status && o.html)
		status = write_page(&o, &w);
	else if (!status)
		judge(&w, o.most, "diff", &leaks);
	while (w.nr)
		q_pprof_free(&w.moment[--w.nr]);
	return status;
}
