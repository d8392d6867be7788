// SPDX-License-Identifier: GPL-2.0
/* leaks: watch all sites for a while, and say what each does.  diff: the same of two profiles. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "command.h"
#include "lib/clamp.h"
#include "lib/output.h"
#include "lib/page.h"
#include "lib/pprof.h"
#include "lib/recording.h"
#include "lib/target.h"
#include "lib/watch_text.h"

#define MOMENTS 13 /* so that each third of the time has four */

/* Judge all sites and print.  How many leak. */
static unsigned int judge(struct q_watch *w, unsigned int most, const char *command,
			  const char *advice)
{
	struct q_table *t;
	struct json_object *o;
	unsigned int leaks;

	q_watch_judge(w);
	t = q_watch_table(w, Q_A_SECOND, most, q_options.json);
	leaks = q_watch_leaks(w);
	if (q_options.json) {
		o = json_object_new_object();
		json_object_object_add(o, "seconds",
				       json_object_new_double((double)q_sub(w->to_ns, w->from_ns) /
							      1e9));
		json_object_object_add(o, "leaks", json_object_new_int64(leaks));
		json_object_object_add(o, "sites", q_table_json(t, most));
		q_json_print(o, command);
	} else {
		q_table_print(t, most);
		putchar('\n');
		q_watch_say(w, advice);
	}
	q_table_free(t);
	return leaks;
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

static int moment(struct q_device *d, const struct q_what *what, struct q_watch *w)
{
	struct q_pprof p;
	const char *why;
	size_t size;
	char *data;
	int status = q_device_profile(d, what, &data, &size);

	if (status)
		return status;
	why = q_pprof_parse(&p, data, size);
	free(data);
	if (!why) {
		q_pprof_join(&p, false);
		why = q_watch_add(w, &p);
		q_pprof_free(&p);
	}
	return why ? q_problem(Q_OTHER_ABI, "the module's profile cannot be read: %s", why) : Q_OK;
}

static int watch(const struct leaks_options *o, struct q_watch *w)
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
	for (unsigned int i = 0; !status && i < moments; i++) {
		until = o->seconds * i / (moments - 1);
		q_wait(until - waited, o->seconds - until, "watching");
		waited = until;
		status = moment(&d, &what, w);
	}
	q_device_close(&d);
	if (status || !w->restarts)
		return status;
	if (w->moments < 2)
		return q_problem(Q_FAILED, "the profile was reset at the end; watch again");
	q_problem(Q_OK, "the profile was reset meanwhile; growth counts from there");
	return Q_OK;
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
	struct q_watch w = { 0 };
	unsigned int leaks = 0;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	status = watch(&o, &w);
	if (!status)
		leaks = judge(&w, o.most, "leaks", "watch longer to see whether it ends");
	q_watch_free(&w);
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
static int write_page(const struct diff_options *o, const struct q_pprof *moments)
{
	struct q_page page = {
		.moment = moments,
		.name = o->file,
		.moments = 2,
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

static int read_profile(struct q_pprof *p, const char *file, bool labels)
{
	int status = q_pprof_read(p, file);

	if (status)
		return status;
	if (!q_watch_takes(p))
		return q_problem(Q_FAILED, "%s is no profile of a heap", file);
	q_pprof_join(p, labels);
	return Q_OK;
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
	struct q_pprof moment[2] = { 0 };
	struct q_watch w = { .keep = true };
	int status = Q_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.html && !o.out && isatty(STDOUT_FILENO))
		return q_problem(Q_USAGE, "a page is not for a terminal; name a file with -o");
	for (int i = 0; i < 2 && !status; i++) {
		status = read_profile(&moment[i], o.file[i], o.html);
		if (status || o.html)
			continue;
		q_watch_add(&w, &moment[i]);
		q_pprof_free(&moment[i]);
	}
	if (!status && o.html)
		status = write_page(&o, moment);
	else if (!status)
		judge(&w, o.most, "diff", "\"quarry leaks\" tells whether it ends");
	q_watch_free(&w);
	q_pprof_free(&moment[0]);
	q_pprof_free(&moment[1]);
	return status;
}
