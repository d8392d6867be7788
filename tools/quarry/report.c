// SPDX-License-Identifier: GPL-2.0
/* report: what a recording shows: live bytes over time, and which sites grew. */
#include <inttypes.h>
#include <json-c/json.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "command.h"
#include "lib/clamp.h"
#include "lib/duration.h"
#include "lib/recording.h"
#include "lib/spark.h"
#include "lib/table.h"
#include "lib/watch_text.h"

#define AXIS 60

struct report_options {
	const char *dir;
	const char *from;
	const char *to;
	unsigned int most;
	bool chosen[QUARRY_DEV_DOMAINS];
	bool any_chosen;
	bool check;
};

enum { KEY_FROM = 0x200, KEY_TO, KEY_CHECK };

/**
 * struct range - the part of a recording that is looked at
 * @r: the recording, without damaged moments
 * @damaged: how many were left out
 * @from: the first moment
 * @to: the last one
 * @since: the first one of the module that is loaded at the end
 */
struct range {
	struct q_recording r;
	unsigned int damaged;
	unsigned int from;
	unsigned int to;
	unsigned int since;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct report_options *o = state->input;
	int64_t ignored;

	switch (key) {
	case KEY_FROM:
	case KEY_TO:
		if (q_parse_moment(arg, 0, &ignored))
			argp_error(state,
				   "a moment is 2h (before the end), 18:30, \"2026-11-29 18:30\" or "
				   "@1790000000, not '%s'",
				   arg);
		*(key == KEY_FROM ? &o->from : &o->to) = arg;
		return 0;
	case KEY_CHECK:
		o->check = true;
		return 0;
	case 'd':
		o->chosen[q_option_domain(state, arg)] = o->any_chosen = true;
		return 0;
	case 'n':
		o->most = q_option_lines(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (o->dir)
			argp_error(state, "one recording, not also '%s'", arg);
		o->dir = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->dir)
			argp_error(state, "name the folder of the recording");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- The range --- */

static int choose_range(struct range *range, const struct report_options *o)
{
	struct q_recording *r = &range->r;
	int64_t from = INT64_MIN, to = INT64_MAX, end;
	unsigned int nr = 0;

	for (unsigned int i = 0; i < r->nr; i++)
		if (!r->moment[i].damaged)
			r->moment[nr++] = r->moment[i];
	range->damaged = r->nr - nr;
	r->nr = nr;
	if (!nr)
		return q_problem(Q_FAILED, "%s has no moment that can be read", o->dir);
	end = r->moment[nr - 1].time_ns;
	if (o->from)
		q_parse_moment(o->from, end, &from);
	if (o->to)
		q_parse_moment(o->to, end, &to);
	/* "18:30" is the begin of a minute, and moments are not on whole seconds. */
	while (range->from < nr && r->moment[range->from].time_ns < from)
		range->from++;
	for (range->to = nr;
	     range->to && r->moment[range->to - 1].time_ns >= to + (to < INT64_MAX);)
		range->to--;
	if (range->from + 2 > range->to)
		return q_problem(Q_FAILED,
				 "%s has %d moments in that time, and growth needs two; it has %u in "
				 "all",
				 o->dir, (int)(range->to - range->from) > 0 ? 1 : 0, nr);
	range->to--;
	range->since = range->from;
	for (unsigned int i = range->from + 1; i <= range->to; i++)
		if (q_moment_is_anew(&r->moment[i], &r->moment[i - 1]))
			range->since = i;
	return Q_OK;
}

/* --- Growth --- */

/* Watch a domain at moments that are evenly spread.  How many profiles could not be used. */
static unsigned int watch(const struct range *range, unsigned int domain, struct q_watch *w)
{
	unsigned int *at = q_alloc((range->to - range->since + 1) * sizeof(*at)), nr = 0, bad = 0;
	unsigned int wanted;

	*w = (struct q_watch){ 0 };
	for (unsigned int i = range->since; i <= range->to; i++)
		if (range->r.moment[i].live[domain] >= 0)
			at[nr++] = i;
	wanted = nr < Q_MOMENTS_MAX ? nr : Q_MOMENTS_MAX;
	for (unsigned int i = 0; i < wanted; i++) {
		const struct q_moment *m;
		struct q_pprof p;
		const char *why;

		m = &range->r.moment[at[wanted > 1 ? (uint64_t)i * (nr - 1) / (wanted - 1) : 0]];
		why = q_moment_profile(&p, range->r.dir, m->number, domain);
		if (!why) {
			p.time_ns = m->time_ns;
			why = q_watch_add(w, &p);
			q_pprof_free(&p);
		}
		bad += why != NULL;
	}
	free(at);
	q_watch_judge(w);
	return bad;
}

/* --- Text --- */

static const char *human(enum q_unit unit, int64_t value)
{
	static char buf[8][Q_HUMAN_LEN];
	static unsigned int next;

	return q_human(buf[next++ % 8], unit, value);
}

static const char *clock_text(char *buf, size_t size, const char *fmt, int64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000);

	strftime(buf, size, fmt, localtime(&seconds));
	return buf;
}

static void show_axis(const struct range *range, unsigned int domain, bool ascii)
{
	unsigned int nr = range->to - range->from + 1;
	const struct q_moment *m = &range->r.moment[range->from];
	struct q_point *point = q_alloc(nr * sizeof(*point));
	int64_t low = INT64_MAX, high = -1, last = -1;
	char curve[4 * AXIS + 1];

	for (unsigned int i = 0; i < nr; i++) {
		point[i] = (struct q_point){ m[i].time_ns, m[i].live[domain] };
		if (point[i].value < 0)
			continue;
		last = point[i].value;
		low = last < low ? last : low;
		high = last > high ? last : high;
	}
	q_spark(curve, AXIS, point, nr, m[0].time_ns, m[nr - 1].time_ns, ascii);
	free(point);
	if (high >= 0)
		printf("  %-8s %s  %s to %s, %s at the end\n", q_domain_name[domain], curve,
		       human(Q_BYTES, low), human(Q_BYTES, high), human(Q_BYTES, last));
}

static void show_head(const struct range *range, const struct report_options *o)
{
	const struct q_moment *m = range->r.moment;
	int64_t bytes = 0, from = m[range->from].time_ns, to = m[range->to].time_ns;
	char first[32], last[32];
	bool ascii;

	setlocale(LC_CTYPE, "");
	ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	for (unsigned int i = 0; i < range->r.nr; i++)
		bytes = q_add(bytes, m[i].bytes);
	printf("Recording  %s: %u moments, %s\n", o->dir, range->r.nr, human(Q_BYTES, bytes));
	printf("Time       %s to %s (%s), %u moments\n",
	       clock_text(first, sizeof(first), "%Y-%m-%d %H:%M:%S", from),
	       clock_text(last, sizeof(last), "%Y-%m-%d %H:%M:%S", to),
	       human(Q_NS, q_sub(to, from)), range->to - range->from + 1);
	if (range->damaged)
		printf("Damaged    %u moments cannot be read and were left out.\n", range->damaged);
	if (range->since != range->from)
		printf("Loaded     The module was loaded anew before %s; growth counts from there.\n",
		       clock_text(first, sizeof(first), "%Y-%m-%d %H:%M:%S",
				  m[range->since].time_ns));
	puts("\nLive bytes");
	for (unsigned int i = 0; i < QUARRY_DEV_DOMAINS; i++)
		if (!o->any_chosen || o->chosen[i])
			show_axis(range, i, ascii);
	printf("           %-*s%s\n", AXIS - 5, clock_text(first, sizeof(first), "%H:%M", from),
	       clock_text(last, sizeof(last), "%H:%M", to));
}

static void show_domain(const struct q_watch *w, unsigned int domain, unsigned int bad,
			unsigned int most)
{
	struct q_table *t = q_watch_table(w, Q_AN_HOUR, most, true);

	printf("\n%s: %u moments", q_domain_name[domain], w->moments);
	if (bad)
		printf("; %u more are damaged", bad);
	if (w->restarts)
		printf("; counting began anew meanwhile");
	putchar('\n');
	if (w->moments < 2) {
		puts("Growth needs two moments.");
	} else {
		q_table_print(t, most);
		putchar('\n');
		q_watch_say(w, "record longer to see whether it ends");
	}
	q_table_free(t);
}

/* --- JSON --- */

static struct json_object *axis_json(const struct range *range)
{
	struct json_object *axis = json_object_new_array();

	for (unsigned int i = range->from; i <= range->to; i++) {
		const struct q_moment *m = &range->r.moment[i];
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "moment", json_object_new_int64((int64_t)m->number));
		json_object_object_add(o, "time_ns", json_object_new_int64(m->time_ns));
		for (unsigned int d = 0; d < QUARRY_DEV_DOMAINS; d++)
			if (m->live[d] >= 0)
				json_object_object_add(o, q_domain_name[d],
						       json_object_new_int64(m->live[d]));
		json_object_array_add(axis, o);
	}
	return axis;
}

static struct json_object *domain_json(const struct q_watch *w, unsigned int domain,
				       unsigned int bad, unsigned int most)
{
	struct json_object *o = json_object_new_object();
	struct q_table *t = q_watch_table(w, Q_AN_HOUR, most, true);

	json_object_object_add(o, "domain", json_object_new_string(q_domain_name[domain]));
	json_object_object_add(o, "moments", json_object_new_int64(w->moments));
	json_object_object_add(o, "damaged", json_object_new_int64(bad));
	json_object_object_add(o, "restarts", json_object_new_int64(w->restarts));
	json_object_object_add(o, "seconds",
			       json_object_new_double((double)q_sub(w->to_ns, w->from_ns) / 1e9));
	json_object_object_add(o, "leaks", json_object_new_int64(q_watch_leaks(w)));
	json_object_object_add(o, "sites", q_table_json(t, most));
	q_table_free(t);
	return o;
}

/* --- The command --- */

static bool is_recorded(const struct range *range, unsigned int domain)
{
	for (unsigned int i = range->since; i <= range->to; i++)
		if (range->r.moment[i].live[domain] >= 0)
			return true;
	return false;
}

/* Judge and show each domain.  How many sites leak. */
static unsigned int show(const struct range *range, const struct report_options *o,
			 struct json_object *domains)
{
	unsigned int leaks = 0;

	for (unsigned int i = 0; i < QUARRY_DEV_DOMAINS; i++) {
		struct q_watch w;
		unsigned int bad;

		if ((o->any_chosen && !o->chosen[i]) || !is_recorded(range, i))
			continue;
		bad = watch(range, i, &w);
		if (domains)
			json_object_array_add(domains, domain_json(&w, i, bad, o->most));
		else
			show_domain(&w, i, bad, o->most);
		leaks += q_watch_leaks(&w);
		q_watch_free(&w);
	}
	return leaks;
}

static unsigned int show_json(const struct range *range, const struct report_options *o)
{
	struct json_object *json = json_object_new_object(), *domains = json_object_new_array();
	unsigned int leaks = show(range, o, domains);

	json_object_object_add(json, "recording", json_object_new_string(o->dir));
	json_object_object_add(json, "moments", json_object_new_int64(range->r.nr));
	json_object_object_add(json, "damaged", json_object_new_int64(range->damaged));
	json_object_object_add(json, "axis", axis_json(range));
	json_object_object_add(json, "domains", domains);
	q_json_print(json, "report");
	return leaks;
}

int q_report(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "from", KEY_FROM, "T", 0, "Begin at this moment: 2h (before the end), 18:30, ...",
		  0 },
		{ "to", KEY_TO, "T", 0, "End at this moment", 0 },
		{ "domain", 'd', "DOMAIN", 0, "Only this one; can be repeated", 0 },
		{ "lines", 'n', "N", 0, "Show N sites of each domain (10)", 0 },
		{ "check", KEY_CHECK, NULL, 0, "Exit with status 6 if anything leaks", 0 },
		{ 0 },
	};
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = {
		options,
		parse,
		"DIR",
		"What a recording of \"quarry record\" shows: live bytes over time, and which sites "
		"leak, grow, filled or churn between two moments.",
		children,
		NULL,
		NULL
	};
	struct report_options o = { .most = 10 };
	struct range range = { .damaged = 0 };
	unsigned int leaks = 0;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	status = q_recording_read(&range.r, o.dir);
	if (!status)
		status = choose_range(&range, &o);
	if (!status && q_options.json) {
		leaks = show_json(&range, &o);
	} else if (!status) {
		show_head(&range, &o);
		leaks = show(&range, &o, NULL);
	}
	q_recording_free(&range.r);
	return !status && o.check && leaks ? Q_FOUND : status;
}
