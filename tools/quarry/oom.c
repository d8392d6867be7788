// SPDX-License-Identifier: GPL-2.0
/* oom: the snapshots that the module took when memory ran out. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "command.h"
#include "lib/debugfs.h"
#include "lib/device.h"
#include "lib/table.h"

#define SLOTS 4

struct oom_options {
	int64_t number; /* of the snapshot; 0: the last one */
	const char *heap;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct oom_options *o = state->input;

	switch (key) {
	case 'd':
		o->heap = q_domain_name[q_option_domain(state, arg)];
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "one snapshot, not also '%s'", arg);
		o->number = (int64_t)q_option_count(state, "NUMBER", arg, 1, INT64_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct q_column columns[] = {
	{ "snapshot", "snapshot", Q_NUMBER },  { "time", "when", Q_TEXT },
	{ "quarry_bytes", "quarry", Q_BYTES }, { "slab_bytes", "slab", Q_BYTES },
	{ "pages_bytes", "pages", Q_BYTES },   { "vmalloc_bytes", "vmalloc", Q_BYTES },
	{ "percpu_bytes", "percpu", Q_BYTES }, { "why", "why", Q_TEXT },
};

/* Adds the snapshots that there are to @t.  Returns an exit status; *@last is the newest one. */
static int read_slots(struct q_table *t, int64_t *last)
{
	int64_t number[SLOTS] = { 0 };
	struct q_values v[SLOTS];
	int status = Q_OK;

	for (int slot = 0; slot < SLOTS; slot++) {
		char file[64];

		snprintf(file, sizeof(file), "kernel/oom/%d/info", slot);
		v[slot] = (struct q_values){ 0 };
		if (!status)
			status = q_values_read(&v[slot], file);
		number[slot] = q_value(&v[slot], "snapshot");
		if (number[slot] > *last)
			*last = number[slot];
	}
	/* The oldest one first. */
	for (int64_t n = *last - SLOTS + 1; !status && n <= *last; n++) {
		char when[32] = "";
		const struct q_values *s;
		time_t seconds;

		if (n <= 0 || number[(n - 1) % SLOTS] != n)
			continue;
		s = &v[(n - 1) % SLOTS];
		seconds = (time_t)(q_value(s, "time_ns") / 1000000000);
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime(&seconds));
		q_table_add(t,
			    (struct q_cell[]){
				    Q_N(n), Q_S(when), Q_N(q_value(s, "quarry_bytes")),
				    Q_N(q_value(s, "slab_bytes")), Q_N(q_value(s, "pages_bytes")),
				    Q_N(q_value(s, "vmalloc_bytes")),
				    Q_N(q_value(s, "percpu_bytes")), Q_S(q_value_text(s, "why")) });
	}
	for (int slot = 0; slot < SLOTS; slot++)
		q_values_free(&v[slot]);
	return status;
}

/* The heap that a snapshot is mostly about: the one with most bytes. */
static int show_heap(int64_t number, const char *heap)
{
	int status;
	char *text = q_read_file(q_debugfs_path("kernel/oom/%d/%s/top", (int)((number - 1) % SLOTS),
						heap),
				 NULL, &status);

	if (!text)
		return status;
	if (!*text)
		status = q_problem(Q_FAILED, "snapshot %" PRId64 " does not have the heap %s",
				   number, heap);
	else
		fputs(text, stdout);
	free(text);
	return status;
}

int q_oom(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "domain", 'd', "DOMAIN", 0, "Show the sites of this heap: quarry, slab, ...", 0 },
		{ 0 },
	};
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = {
		options,
		parse,
		"[NUMBER]",
		"The snapshots that were taken when memory ran out or a hard limit "
		"was reached; with --domain, who held memory then, by the last one "
		"or the one with NUMBER.",
		children,
		NULL,
		NULL
	};
	struct q_table *t = q_table_new(columns, sizeof(columns) / sizeof(*columns));
	struct oom_options o = { 0 };
	struct json_object *json;
	int64_t last = 0;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	status = read_slots(t, &last);
	if (!status && o.heap) {
		if (!last)
			status = q_problem(Q_FAILED,
					   "memory has not run out since the module was loaded");
		else
			status = show_heap(o.number ? o.number : last, o.heap);
	} else if (!status && q_options.json) {
		json = json_object_new_object();
		json_object_object_add(json, "snapshots", q_table_json(t, SLOTS));
		q_json_print(json, "oom");
	} else if (!status && !last) {
		puts("Memory has not run out since the module was loaded.");
	} else if (!status) {
		q_table_print(t, SLOTS);
		puts("\"quarry oom --domain slab\" and the like show who held it.");
	}
	q_table_free(t);
	return status;
}
