// SPDX-License-Identifier: GPL-2.0
/* caches, nodes, pools, arenas: the module's tables, sorted and filtered. */
#include <dirent.h>
#include <fnmatch.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "command.h"
#include "lib/clamp.h"
#include "lib/debugfs.h"
#include "lib/table.h"

/* --- caches --- */

struct cache_options {
	const char *pattern;
	const char *sort;
	bool all;
	bool waste;
	unsigned int most;
};

/* What one may sort by, and the column of the module's table. */
static const struct sort_key {
	const char *name;
	const char *column;
} sort_keys[] = {
	{ "memory", "inuse_bytes" },
	{ "waste", "waste_pct" },
	{ "live", "live_objs" },
	{ "size", "size" },
	{ "mallocs", "mallocs" },
	{ "cached", "cached" },
	{ "id", "id" },
};

static error_t parse_caches(int key, char *arg, struct argp_state *state)
{
	struct cache_options *o = state->input;

	switch (key) {
	case 's':
		for (size_t i = 0; i < sizeof(sort_keys) / sizeof(*sort_keys); i++) {
			if (!strcmp(sort_keys[i].name, arg)) {
				o->sort = arg;
				return 0;
			}
		}
		argp_error(state, "one sorts by memory, waste, live, size, mallocs, cached or id");
		return EINVAL;
	case 'a':
		o->all = true;
		return 0;
	case 'w':
		o->waste = true;
		return 0;
	case 'n':
		o->most = q_option_lines(state, arg);
		return 0;
	case ARGP_KEY_INIT:
		state->child_inputs[0] = NULL;
		return 0;
	case ARGP_KEY_ARG:
		if (o->pattern)
			argp_error(state, "one pattern of names, in quotes: '%s'", arg);
		o->pattern = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct q_column cache_columns[] = {
	{ "name", "cache", Q_TEXT },
	{ "id", "id", Q_NUMBER },
	{ "size", "size", Q_BYTES },
	{ "inuse_bytes", "memory", Q_BYTES },
	{ "live_objects", "live", Q_COUNT },
	{ "cached_objects", "cached", Q_COUNT },
	{ "waste_percent", "waste", Q_PERCENT },
	{ "waste_bytes", "wasted", Q_BYTES },
	{ "mallocs", "mallocs", Q_COUNT },
	{ "state", "state", Q_TEXT },
};

struct ordered {
	const struct q_lines *l;
	unsigned int line;
	int64_t key;
};

static int by_key(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? 1 : -1;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* What no live object fills, in bytes. */
static int64_t wasted(const struct q_lines *l, unsigned int i)
{
	int64_t live = q_mul(q_line_number(l, i, "live_objs"), q_line_number(l, i, "size"));
	int64_t bytes = q_line_number(l, i, "inuse_bytes");

	return bytes > live ? q_sub(bytes, live) : 0;
}

static const char *column_of(const char *sort)
{
	for (size_t i = 0; i < sizeof(sort_keys) / sizeof(*sort_keys); i++)
		if (!strcmp(sort_keys[i].name, sort))
			return sort_keys[i].column;
	return sort_keys[0].column;
}

static struct q_table *sorted(const struct q_lines *l, const struct cache_options *o)
{
	struct q_table *t = q_table_new(cache_columns,
					sizeof(cache_columns) / sizeof(*cache_columns));
	struct ordered *order = q_alloc((l->nr + 1) * sizeof(*order));
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->nr; i++) {
		if (o->pattern && fnmatch(o->pattern, q_line_text(l, i, "name"), 0))
			continue;
		order[n++] = (struct ordered){
			.l = l,
			.line = i,
			.key = !strcmp(o->sort, "waste") ? wasted(l, i) :
							   q_line_number(l, i, column_of(o->sort)),
		};
	}
	if (n)
		qsort(order, n, sizeof(*order), by_key);
	for (unsigned int k = 0; k < n; k++) {
		unsigned int i = order[k].line;

		q_table_add(t, (struct q_cell[]){ Q_S(q_line_text(l, i, "name")),
						  Q_N(q_line_number(l, i, "id")),
						  Q_N(q_line_number(l, i, "size")),
						  Q_N(q_line_number(l, i, "inuse_bytes")),
						  Q_N(q_line_number(l, i, "live_objs")),
						  Q_N(q_line_number(l, i, "cached")),
						  Q_N(q_line_permille(l, i, "waste_pct")),
						  Q_N(wasted(l, i)),
						  Q_N(q_line_number(l, i, "mallocs")),
						  Q_S(q_line_text(l, i, "state")) });
	}
	free(order);
	return t;
}

static void print(struct q_table *t, unsigned int most, const char *name)
{
	struct json_object *o;

	if (!q_options.json) {
		q_table_print(t, most);
		if (q_table_rows(t) > most)
			printf("(%u more; -n says how many)\n", q_table_rows(t) - most);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, name, q_table_json(t, most));
	q_json_print(o, name);
}

int q_caches(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "sort", 's', "KEY", 0,
		  "Sort by memory (the default), waste, live, size, mallocs, cached or id", 0 },
		{ "waste", 'w', NULL, 0, "Sort by the memory that no live object fills", 0 },
		{ "all", 'a', NULL, 0, "Show caches that hold no memory too", 0 },
		{ "lines", 'n', "N", 0, "Show at most N caches", 0 },
		{ 0 },
	};
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = {
		options,
		parse_caches,
		"[PATTERN]",
		"The caches that hold memory, the largest first.  PATTERN has the "
		"wildcards of a shell.",
		children,
		NULL,
		NULL
	};
	struct cache_options o = { .sort = "memory", .most = UINT_MAX };
	struct q_lines l;
	struct q_table *t;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.waste)
		o.sort = "waste";
	status = q_lines_read(&l, o.all ? "caches/all" : "caches/table");
	if (status)
		return status;
	t = sorted(&l, &o);
	if (o.pattern && !q_table_rows(t) && !q_options.json)
		status = q_problem(Q_FAILED, "no cache%s is called '%s'%s",
				   o.all ? "" : " that holds memory", o.pattern,
				   o.all ? "" : "; --all shows the others");
	else
		print(t, o.most, "caches");
	q_table_free(t);
	q_lines_free(&l);
	return status;
}

/* --- Tables as they are --- */

/* One of the module's tables: which of its columns are shown, and how. */
static int show(const char *file, const char *name, const struct q_column *columns, unsigned int nr)
{
	struct q_table *t = q_table_new(columns, nr);
	struct q_cell *cells = q_alloc(nr * sizeof(*cells));
	struct q_lines l;
	int status = q_lines_read(&l, file);

	for (unsigned int i = 0; !status && i < l.nr; i++) {
		for (unsigned int c = 0; c < nr; c++)
			cells[c] = columns[c].unit == Q_TEXT ?
					   Q_S(q_line_text(&l, i, columns[c].key)) :
					   Q_N(q_line_number(&l, i, columns[c].key));
		q_table_add(t, cells);
	}
	if (!status && !q_table_rows(t) && !q_options.json)
		printf("There are no %s.\n", name);
	else if (!status)
		print(t, UINT_MAX, name);
	q_lines_free(&l);
	q_table_free(t);
	free(cells);
	return status;
}

int q_pools(int argc, char **argv)
{
	static const struct q_column columns[] = {
		{ "name", "pool", Q_TEXT },
		{ "id", NULL, Q_NUMBER },
		{ "size_bytes", "size", Q_BYTES },
		{ "idle", "stored", Q_COUNT },
		{ "gets", "gets", Q_COUNT },
		{ "private_hits", "own CPU", Q_COUNT },
		{ "shared_hits", "shared", Q_COUNT },
		{ "stolen_hits", "other CPUs", Q_COUNT },
		{ "victim_hits", "last chance", Q_COUNT },
		{ "misses", "made", Q_COUNT },
		{ "puts", "puts", Q_COUNT },
		{ "dropped", "dropped", Q_COUNT },
		{ "remote_hits", NULL, Q_COUNT },
	};

	q_parse_common(argc, argv,
		       "Pools of objects that are set up, and where gets found theirs.");
	return show("pools", "pools", columns, sizeof(columns) / sizeof(*columns));
}

int q_arenas(int argc, char **argv)
{
	static const struct q_column columns[] = {
		{ "name", "arena", Q_TEXT },
		{ "id", NULL, Q_NUMBER },
		{ "live_bytes", "allocated", Q_BYTES },
		{ "bytes", "memory", Q_BYTES },
		{ "peak_bytes", "most so far", Q_BYTES },
		{ "blocks", "blocks", Q_COUNT },
	};

	q_parse_common(argc, argv, "Arenas: what is allocated in each, and their pages.");
	return show("arenas", "arenas", columns, sizeof(columns) / sizeof(*columns));
}

static const struct q_column node_columns[] = {
	{ "node", "node", Q_NUMBER },
	{ "inuse_bytes", "in use", Q_BYTES },
	{ "idle_bytes", "idle", Q_BYTES },
	{ "hole_bytes", "holes", Q_BYTES },
	{ "mixed_bytes", "mixed", Q_BYTES },
	{ "chunks_ordinary", "chunks", Q_COUNT },
	{ "chunks_sampled", "of samples", Q_COUNT },
	{ "chunks_large", "large", Q_COUNT },
	{ "searches", NULL, Q_COUNT },
	{ "search_steps", NULL, Q_COUNT },
};

int q_nodes(int argc, char **argv)
{
	const unsigned int nr = sizeof(node_columns) / sizeof(*node_columns);
	struct dirent **dir;
	struct q_table *t;
	int status = Q_OK, n;

	q_parse_common(argc, argv, "Pages that Quarry holds on each NUMA node.");
	n = scandir(q_debugfs_path("nodes"), &dir, NULL, versionsort);
	if (n < 0)
		return q_cannot_open(q_debugfs_path("nodes"));
	t = q_table_new(node_columns, nr);
	for (int i = 0; i < n; i++) {
		struct q_cell cells[sizeof(node_columns) / sizeof(*node_columns)];
		struct q_values v;
		char file[300];

		if (!status && *dir[i]->d_name != '.') {
			snprintf(file, sizeof(file), "nodes/%s/stats", dir[i]->d_name);
			status = q_values_read(&v, file);
			cells[0] = Q_N(atoi(dir[i]->d_name));
			for (unsigned int c = 1; !status && c < nr; c++)
				cells[c] = Q_N(q_value(&v, node_columns[c].key));
			if (!status)
				q_table_add(t, cells);
			q_values_free(&v);
		}
		free(dir[i]);
	}
	free(dir);
	if (!status)
		print(t, UINT_MAX, "nodes");
	q_table_free(t);
	return status;
}
