// SPDX-License-Identifier: GPL-2.0
/* profile: take a profile and write it.  dump: the list of live objects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "lib/debugfs.h"
#include "lib/device.h"
#include "lib/folded.h"
#include "lib/lines.h"
#include "lib/output.h"
#include "lib/page.h"
#include "lib/pprof.h"
#include "lib/svg.h"
#include "lib/table.h"
#include "lib/target.h"

struct profile_options {
	struct q_target target;
	unsigned int kind;
	unsigned int format;
	bool gzip;
	bool drain;
	unsigned int seconds;
	const char *out;
	const char *in;
	bool html;
	bool svg;
	bool no_lines;
	struct q_debug_places places;
};

enum {
	KEY_TOP = 0x200,
	KEY_TEXT,
	KEY_FOLDED,
	KEY_PB,
	KEY_HTML,
	KEY_SVG,
	KEY_DRAIN,
	KEY_DEBUG_DIR,
	KEY_NO_LINES,
};

static void add_debug_dir(struct q_debug_places *places, const char *dir)
{
	places->dir = q_realloc(places->dir, (places->dirs + 1) * sizeof(*places->dir));
	places->dir[places->dirs++] = dir;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct profile_options *o = state->input;
	int kind;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->target;
		return 0;
	case 't':
		kind = q_kind_number(arg);
		if (kind < 0)
			argp_error(state,
				   "types are heap, allocs, peak, lifetime and fragmentation, "
				   "not '%s'",
				   arg);
		o->kind = (unsigned int)kind;
		return 0;
	case 's':
		o->seconds = q_option_seconds(state, arg, 1);
		return 0;
	case 'o':
		o->out = arg;
		return 0;
	case KEY_TOP:
		o->format = QUARRY_DEV_FORMAT_TOP;
		return 0;
	case KEY_TEXT:
		o->format = QUARRY_DEV_FORMAT_TEXT;
		return 0;
	case KEY_FOLDED:
		o->format = QUARRY_DEV_FORMAT_FOLDED;
		return 0;
	case KEY_PB:
		o->format = QUARRY_DEV_FORMAT_PPROF;
		return 0;
	case KEY_HTML:
		o->html = true;
		return 0;
	case KEY_SVG:
		o->svg = true;
		return 0;
	case 'i':
		o->in = arg;
		return 0;
	case KEY_DRAIN:
		o->drain = true;
		return 0;
	case KEY_DEBUG_DIR:
		add_debug_dir(&o->places, arg);
		return 0;
	case KEY_NO_LINES:
		o->no_lines = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool ends_with(const char *s, const char *end)
{
	size_t a = strlen(s), b = strlen(end);

	return a >= b && !strcmp(s + a - b, end);
}

/* The format that the name of a file asks for. */
static unsigned int format_of(const char *file)
{
	if (ends_with(file, ".folded"))
		return QUARRY_DEV_FORMAT_FOLDED;
	if (ends_with(file, ".txt"))
		return QUARRY_DEV_FORMAT_TEXT;
	if (ends_with(file, ".top"))
		return QUARRY_DEV_FORMAT_TOP;
	return QUARRY_DEV_FORMAT_PPROF;
}

static int take(const struct profile_options *o, char **data, size_t *size)
{
	struct q_what what = {
		.domain = o->target.domain,
		.kind = o->kind,
		.format = o->format,
		.drain = o->drain,
	};
	struct q_device d;
	int status = q_target_open(&o->target, &d, &what.cache);

	if (status)
		return status;
	if (o->seconds) {
		status = q_device_mark(&d, what.domain);
		if (!status) {
			q_wait(o->seconds, 0, "profiling");
			status = q_device_delta(&d, &what, data, size);
		}
	} else {
		status = q_device_profile(&d, &what, data, size);
	}
	q_device_close(&d);
	return status;
}

/* Say what is wrong with a profile, which is freed. */
static int refuse(const struct profile_options *o, char *data, const char *why)
{
	free(data);
	if (o->in)
		return q_problem(Q_FAILED, "%s is no profile: %s", o->in, why);
	return q_problem(Q_OTHER_ABI, "the module's profile cannot be read: %s", why);
}

/* Read the profile that the user names, and decompress it. */
static int read_input(const struct profile_options *o, char **data, size_t *size)
{
	unsigned char *plain;
	const char *why;
	int status;

	*data = q_read_file(strcmp(o->in, "-") ? o->in : "/dev/stdin", size, &status);
	if (!*data)
		return status;
	why = q_gunzip(*data, *size, &plain, size);
	if (why)
		return refuse(o, *data, why);
	if (plain) {
		free(*data);
		*data = (char *)plain;
	}
	return Q_OK;
}

/* Write source lines and inlined functions into a profile.  Without them it is as good as before. */
static int add_lines(const struct profile_options *o, char **data, size_t *size)
{
	char *problem;
	const char *why;

	if (o->format == QUARRY_DEV_FORMAT_TEXT) {
		q_source_into_text(data, size, &o->places, &problem);
	} else {
		why = q_source_into_pprof(data, size, &o->places, &problem);
		if (why)
			return refuse(o, *data, why);
	}
	if (problem)
		q_problem(Q_OK, "source lines are missing: %s", problem);
	free(problem);
	return Q_OK;
}

/* Make a page or a picture of @p. */
static int make_page(const struct profile_options *o, struct q_pprof *p, char **data, size_t *size)
{
	char title[128];
	const char *name = o->in ? q_page_file(o->in) : title;
	struct q_occupancies caches = { 0 };
	struct q_page page = { .title = name, .moment = p, .name = &name, .moments = 1 };
	int status;

	snprintf(title, sizeof(title), "%s of %s", q_kind_name[o->kind],
		 o->target.cache ?: q_domain_name[o->target.domain]);
	q_pprof_join(p, true);
	if (o->html && !o->in && !o->target.cache) {
		q_occupancies_read(&caches, o->target.domain);
		page.caches = &caches;
	}
	status = o->html ? q_page_make(&page, data, size) : q_svg_make(p, name, data, size);
	q_occupancies_free(&caches);
	return status;
}

/* Make of a profile what the user wants to see; the profile is freed. */
static int show(const struct profile_options *o, char **data, size_t *size)
{
	const char *why;
	struct q_pprof p;
	int status = Q_OK;

	why = q_pprof_parse(&p, *data, *size);
	if (why)
		return refuse(o, *data, why);
	if (o->html || o->svg || o->format == QUARRY_DEV_FORMAT_FOLDED) {
		free(*data);
		status = o->html || o->svg ? make_page(o, &p, data, size) :
					     q_folded_make(&p, data, size);
	}
	q_pprof_free(&p);
	return status;
}

/* A profile in the format that was asked for, with lines where there are any. */
static int make(const struct profile_options *o, char **data, size_t *size)
{
	struct profile_options raw = *o;
	bool own = o->html || o->svg || (o->format == QUARRY_DEV_FORMAT_FOLDED && !o->no_lines);
	int status;

	if (own)
		raw.format = QUARRY_DEV_FORMAT_PPROF;
	status = o->in ? read_input(o, data, size) : take(&raw, data, size);
	if (!status && !o->no_lines && raw.format != QUARRY_DEV_FORMAT_TOP)
		status = add_lines(&raw, data, size);
	/* A file of the user's is looked at even if it is only copied. */
	if (!status && (own || o->in))
		status = show(o, data, size);
	return status;
}

/* Can the options be carried out? */
static int check_options(const struct profile_options *o)
{
	for (unsigned int i = 0; i < o->places.dirs; i++)
		if (access(o->places.dir[i], R_OK))
			return q_problem(Q_FAILED, "--debug-dir %s: %s", o->places.dir[i],
					 strerror(errno));
	if (o->no_lines && o->places.dirs)
		return q_problem(Q_USAGE, "--debug-dir and --no-lines exclude each other");
	if (o->in && (o->format == QUARRY_DEV_FORMAT_TOP || o->format == QUARRY_DEV_FORMAT_TEXT))
		return q_problem(Q_USAGE, "--input is for --pb, --folded, --html and --svg");
	if (o->format == QUARRY_DEV_FORMAT_PPROF && !o->html && !o->svg && !o->out &&
	    isatty(STDOUT_FILENO))
		return q_problem(Q_USAGE, "such a file is not for a terminal; name a file with -o");
	return Q_OK;
}

int q_profile(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "type", 't', "TYPE", 0,
		  "heap (the default), allocs, peak, lifetime, fragmentation", 0 },
		{ "seconds", 's', "N", 0, "What is allocated in the next N seconds", 0 },
		{ "output", 'o', "FILE", 0,
		  "Write into FILE.  Its end chooses the format: .pb, .pb.gz, .folded, .txt, .top, .html, .svg",
		  0 },
		{ "top", KEY_TOP, NULL, 0, "A table, largest first (the default without a FILE)",
		  1 },
		{ "pb", KEY_PB, NULL, 0, "profile.proto, for go tool pprof", 1 },
		{ "folded", KEY_FOLDED, NULL, 0, "One line for each stack, for flame graphs", 1 },
		{ "text", KEY_TEXT, NULL, 0, "The legacy text of pprof, with standard errors", 1 },
		{ "html", KEY_HTML, NULL, 0, "A page to click, in one file that fetches nothing",
		  1 },
		{ "svg", KEY_SVG, NULL, 0, "A flame graph as a picture", 1 },
		{ "input", 'i', "IN", 0,
		  "With --pb, --folded, --html or --svg: show the profile IN, which -o wrote", 2 },
		{ "drain", KEY_DRAIN, NULL, 0,
		  "Empty magazines first, so that no free object looks live", 2 },
		{ "debug-dir", KEY_DEBUG_DIR, "DIR", 0,
		  "Look for modules and a vmlinux with debug information in DIR, or take the file DIR; may be given again",
		  3 },
		{ "no-lines", KEY_NO_LINES, NULL, 0, "No source lines and inlined functions", 3 },
		{ 0 },
	};
	const struct argp_child children[] = { { &q_target_argp, 0, NULL, 0 },
					       Q_COMMON_CHILD,
					       { 0 } };
	const struct argp argp = { options,  parse,
				   NULL,     "Take a profile: which call stacks hold memory.",
				   children, NULL,
				   NULL };
	struct profile_options o = { .kind = QUARRY_DEV_KIND_HEAP, .format = QUARRY_DEV_FORMATS };
	size_t size;
	void *packed;
	char *data;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	o.html |= o.out && ends_with(o.out, ".html");
	o.svg |= o.out && ends_with(o.out, ".svg");
	if (o.html || o.svg)
		o.format = QUARRY_DEV_FORMAT_PPROF;
	if (o.format == QUARRY_DEV_FORMATS)
		o.format = o.out && strcmp(o.out, "-") ? format_of(o.out) : QUARRY_DEV_FORMAT_TOP;
	status = check_options(&o);
	if (!status)
		status = make(&o, &data, &size);
	free(o.places.dir);
	if (status)
		return status;
	if (o.format == QUARRY_DEV_FORMAT_PPROF && o.out && ends_with(o.out, ".gz")) {
		q_gzip(data, size, &packed, &size);
		free(data);
		data = packed;
	}
	status = q_output(o.out, data, size);
	free(data);
	return status;
}

int q_dump(int argc, char **argv)
{
	char buf[65536];
	size_t n;
	FILE *f;
	int status = Q_OK;

	q_parse_common(argc, argv,
		       "Every live object of Quarry's own heap, one line each.  \"quarry drain\" before "
		       "it keeps free objects out.");
	f = fopen(q_debugfs_path("heapdump"), "re");
	if (!f)
		return q_cannot_open(q_debugfs_path("heapdump"));
	while ((n = fread(buf, 1, sizeof(buf), f)))
		if (fwrite(buf, 1, n, stdout) != n)
			break;
	if (ferror(f))
		status = q_cannot_open(q_debugfs_path("heapdump"));
	fclose(f);
	return status;
}
