// SPDX-License-Identifier: GPL-2.0
/* record: profiles and numbers at an interval, into a bounded ring on the disk. */
#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "command.h"
#include "lib/debugfs.h"
#include "lib/duration.h"
#include "lib/human.h"
#include "lib/pprof.h"
#include "lib/ring.h"
#include "lib/signals.h"
#include "lib/table.h"

/* moment, stats, caches.table, and of each domain a profile and its numbers. */
#define FILES (3 + 2 * QUARRY_DEV_DOMAINS)

struct record_options {
	const char *dir;
	int64_t interval_ns;
	int64_t max_bytes;
	int64_t max_age_ns;
	uint64_t moments; /* 0: without end */
	bool chosen[QUARRY_DEV_DOMAINS];
	bool any_chosen;
};

enum { KEY_MAX_BYTES = 0x200, KEY_MAX_AGE };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct record_options *o = state->input;

	switch (key) {
	case 'o':
		o->dir = arg;
		return 0;
	case 'i':
		if (q_parse_duration(arg, &o->interval_ns) || o->interval_ns < 100000000)
			argp_error(state, "--interval takes 0.1 s or more, as 30, 5m, 1h; not '%s'",
				   arg);
		return 0;
	case KEY_MAX_BYTES:
		if (q_parse_size(arg, &o->max_bytes) || !o->max_bytes)
			argp_error(state, "--max-bytes takes bytes, as 256M; not '%s'", arg);
		return 0;
	case KEY_MAX_AGE:
		if (q_parse_duration(arg, &o->max_age_ns) || !o->max_age_ns)
			argp_error(state, "--max-age takes a time, as 12h or 7d; not '%s'", arg);
		return 0;
	case 'd':
		o->chosen[q_option_domain(state, arg)] = o->any_chosen = true;
		return 0;
	case 'n':
		o->moments = q_option_count(state, "--moments", arg, 1, UINT64_MAX);
		return 0;
	case ARGP_KEY_END:
		if (!o->dir)
			argp_error(state, "name the folder of the recording with -o");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- One moment --- */

/**
 * struct taken - a moment that is being taken
 * @m: what the index has of it
 * @file: its files
 * @nr: how many
 */
struct taken {
	struct q_moment m;
	struct q_ring_file file[FILES];
	unsigned int nr;
};

static void add_file(struct taken *t, const char *name, void *data, size_t size)
{
	struct q_ring_file *f = &t->file[t->nr++];

	snprintf(f->name, sizeof(f->name), "%s", name);
	f->data = data;
	f->size = size;
}

static void free_taken(struct taken *t)
{
	while (t->nr)
		free(t->file[--t->nr].data);
}

/* A file of debugfs, as it is. */
static int add_debugfs(struct taken *t, const char *file, const char *name, struct q_values *v)
{
	size_t size;
	int status;
	char *text = q_read_file(q_debugfs_path("%s", file), &size, &status);

	if (!text)
		return status;
	add_file(t, name, text, size);
	if (v)
		q_values_parse(v, q_strdup(text));
	return Q_OK;
}

static int add_profile(struct taken *t, struct q_device *d, unsigned int domain)
{
	const struct q_what what = {
		.domain = domain,
		.kind = QUARRY_DEV_KIND_HEAP,
		.format = QUARRY_DEV_FORMAT_PPROF,
		.cache = QUARRY_DEV_CACHE_ALL,
	};
	size_t size;
	void *packed;
	char *data;
	int status = q_device_profile(d, &what, &data, &size);

	if (status)
		return status;
	q_gzip(data, size, &packed, &size);
	free(data);
	add_file(t, q_profile_file(domain), packed, size);
	return Q_OK;
}

/* A domain of the kernel's, if it is on.  What was asked for and is off at first is an error. */
static int add_domain(struct taken *t, struct q_device *d, unsigned int domain, bool needed)
{
	struct quarry_dev_domain state;
	struct q_values v = { 0 };
	char file[64];
	int status = q_device_domain(d, domain, -1, &state);

	t->m.live[domain] = -1;
	if (status)
		return status;
	if (!state.enabled)
		return needed ? q_problem(Q_FAILED,
					  "domain %s is off; switch it on with "
					  "\"quarry kernel on %s\"",
					  state.name, state.name) :
				Q_OK;
	snprintf(file, sizeof(file), "kernel/%s/stats", q_domain_name[domain]);
	status = add_debugfs(t, file, q_stats_file(domain), &v);
	if (!status)
		t->m.live[domain] = q_value(&v, "sampled_live_bytes");
	q_values_free(&v);
	return status ?: add_profile(t, d, domain);
}

/* Stands for this boot of the kernel. */
static uint32_t this_boot(void)
{
	char *id = q_try_file("/proc/sys/kernel/random/boot_id", NULL);
	uint32_t boot = id ? (uint32_t)strtoul(id, NULL, 16) : 0;

	free(id);
	return boot;
}

static void add_when(struct taken *t, int64_t uptime_ns)
{
	struct timespec wall;
	int64_t now = q_now_ns();
	char *text;
	int len;

	clock_gettime(CLOCK_REALTIME, &wall);
	t->m.time_ns = wall.tv_sec * 1000000000LL + wall.tv_nsec;
	t->m.started_ns = now - uptime_ns;
	t->m.boot = this_boot();
	len = asprintf(&text, "time_ns %" PRId64 "\nmonotonic_ns %" PRId64 "\nboot %08x\n",
		       t->m.time_ns, now, t->m.boot);
	if (len < 0)
		exit(q_problem(Q_FAILED, "out of memory"));
	add_file(t, "moment", text, (size_t)len);
}

/* The device is closed afterwards, so that the module can be unloaded. */
static int take(const struct record_options *o, struct taken *t, bool is_first)
{
	struct q_values v = { 0 };
	struct q_device d;
	int status = q_device_open(&d, false);

	*t = (struct taken){ .nr = 0 };
	if (status)
		return status;
	status = add_debugfs(t, "stats", "stats", &v);
	if (!status) {
		add_when(t, q_value(&v, "uptime_ns"));
		t->m.live[0] = q_value(&v, "live_bytes");
		status = add_debugfs(t, "caches/table", "caches.table", NULL);
	}
	q_values_free(&v);
	if (!status && (!o->any_chosen || o->chosen[0]))
		status = add_profile(t, &d, 0);
	for (unsigned int i = 1; i < QUARRY_DEV_DOMAINS; i++) {
		t->m.live[i] = -1;
		if (!status && i < d.info.domains && (!o->any_chosen || o->chosen[i]))
			status = add_domain(t, &d, i, is_first && o->any_chosen);
	}
	q_device_close(&d);
	return status;
}

/* --- The loop --- */

static void show_progress(const struct q_ring *ring)
{
	char bytes[Q_HUMAN_LEN];

	if (!q_options.json && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%u moments, %s \033[K", ring->r.nr,
			q_human(bytes, Q_BYTES, ring->bytes));
}

static int record(const struct record_options *o, struct q_ring *ring, int signals)
{
	int64_t next = q_now_ns(), now;
	int status = Q_OK;

	for (uint64_t n = 0; !status && (!o->moments || n < o->moments); n++) {
		struct taken t;

		if (n) {
			next += o->interval_ns;
			now = q_now_ns();
			/* What took longer than an interval is not made up for. */
			if (next < now)
				next = now;
			if (q_signals_wait(signals, next))
				break;
		}
		status = take(o, &t, !n);
		if (!status)
			status = q_ring_add(ring, &t.m, t.file, t.nr);
		free_taken(&t);
		show_progress(ring);
	}
	if (!q_options.json && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return status;
}

static void show_end(const struct q_ring *ring)
{
	struct json_object *o;
	char bytes[Q_HUMAN_LEN];

	if (!q_options.json) {
		printf("%u moments are in %s (%s); \"quarry report %s\" shows them.\n", ring->r.nr,
		       ring->r.dir, q_human(bytes, Q_BYTES, ring->bytes), ring->r.dir);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "recording", json_object_new_string(ring->r.dir));
	json_object_object_add(o, "moments", json_object_new_int64(ring->r.nr));
	json_object_object_add(o, "bytes", json_object_new_int64(ring->bytes));
	q_json_print(o, "record");
}

int q_record(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "output", 'o', "DIR", 0, "The folder; it is made if it is not there", 0 },
		{ "interval", 'i', "T", 0, "Between two moments: 30, 5m, 1h (60)", 0 },
		{ "max-bytes", KEY_MAX_BYTES, "B", 0,
		  "What the recording may take on the disk (256M)", 0 },
		{ "max-age", KEY_MAX_AGE, "T", 0, "Drop moments that are older: 12h, 7d", 0 },
		{ "domain", 'd', "DOMAIN", 0,
		  "Record this one; can be repeated.  Without it: quarry, and what is on of slab, "
		  "pages, percpu and vmalloc",
		  0 },
		{ "moments", 'n', "N", 0, "End after N moments", 0 },
		{ 0 },
	};
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = {
		options,
		parse,
		NULL,
		"Record profiles and numbers at an interval, until SIGINT or SIGTERM.  The oldest "
		"moments make room for new ones.  \"quarry report DIR\" shows what grew.",
		children,
		NULL,
		NULL
	};
	struct record_options o = { .interval_ns = 60000000000LL, .max_bytes = 256 << 20 };
	struct q_ring ring;
	int signals, status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (q_options.recording)
		return q_problem(Q_USAGE, "a recording cannot be recorded; leave --recording out");
	signals = q_signals_open(false);
	status = q_ring_open(&ring, o.dir, o.max_bytes, o.max_age_ns);
	if (!status) {
		status = record(&o, &ring, signals);
		if (!status)
			show_end(&ring);
		q_ring_close(&ring);
	}
	close(signals);
	return status;
}
