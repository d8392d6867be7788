// SPDX-License-Identifier: GPL-2.0
/* drain, scavenge, limit, rate, kernel: commands that change something. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "lib/clamp.h"
#include "lib/debugfs.h"
#include "lib/device.h"
#include "lib/table.h"

/* Write 1 into @file of control/, and say how many @things of @unit it moved. */
static int act(const char *file, const char *command, const char *key, enum q_unit unit,
	       int64_t each, const char *text)
{
	char path[64], buf[Q_HUMAN_LEN], *count;
	struct json_object *o;
	int64_t moved;
	int status;

	snprintf(path, sizeof(path), "control/%s", file);
	status = q_debugfs_write(path, "1");
	if (status)
		return status;
	count = q_read_file(q_debugfs_path("%s", path), NULL, &status);
	if (!count)
		return status;
	moved = q_mul(strtoll(count, NULL, 10), each);
	free(count);
	if (q_options.json) {
		o = json_object_new_object();
		json_object_object_add(o, key, json_object_new_int64(moved));
		q_json_print(o, command);
	} else {
		printf(text, q_human(buf, unit, moved));
	}
	return Q_OK;
}

int q_drain(int argc, char **argv)
{
	q_parse_common(argc, argv,
		       "Empty magazines and depots into slabs, so that no free object is kept ready, "
		       "and free objects do not look live.");
	return act("drain", "drain", "objects", Q_COUNT, 1,
		   "%s free objects went back to their slabs.\n");
}

int q_scavenge(int argc, char **argv)
{
	q_parse_common(argc, argv, "Give every idle page back to the kernel.");
	return act("scavenge", "scavenge", "bytes", Q_BYTES, sysconf(_SC_PAGESIZE),
		   "%s went back to the kernel.\n");
}

/* --- limit --- */

struct limit_options {
	const char *cache;
	const char *soft;
	const char *hard;
};

static error_t parse_limit(int key, char *arg, struct argp_state *state)
{
	struct limit_options *o = state->input;
	int64_t value;

	switch (key) {
	case 'c':
		o->cache = arg;
		return 0;
	case 's':
	case 'h':
		if (q_parse_size(arg, &value))
			argp_error(state,
				   "a limit is a number of bytes, with K, M or G, or max; not '%s'",
				   arg);
		*(key == 's' ? &o->soft : &o->hard) = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Set one limit, of the module or of a cache. */
static int set_limit(const struct limit_options *o, const char *which, const char *value)
{
	char file[256], text[64];

	if (!value)
		return Q_OK;
	if (!o->cache) {
		snprintf(file, sizeof(file), "control/%s_limit", which);
		return q_debugfs_write(file, value);
	}
	snprintf(file, sizeof(file), "caches/%s/limit", o->cache);
	snprintf(text, sizeof(text), "%s %s", which, value);
	return q_debugfs_write(file, text);
}

static int show_limits(const struct limit_options *o)
{
	static const struct q_column columns[] = {
		{ "of", "limit of", Q_TEXT },
		{ "held_bytes", "holds", Q_BYTES },
		{ "soft_limit_bytes", "soft", Q_BYTES },
		{ "hard_limit_bytes", "hard", Q_BYTES },
	};
	struct q_table *t;
	struct q_values v, used;
	struct json_object *json;
	char file[256];
	int status;

	if (!o->cache) {
		status = q_values_read(&v, "stats");
		used = (struct q_values){ 0 };
	} else {
		snprintf(file, sizeof(file), "caches/%s/limit", o->cache);
		status = q_values_read(&v, file);
		if (status)
			return status;
		snprintf(file, sizeof(file), "caches/%s/stats", o->cache);
		status = q_values_read(&used, file);
	}
	if (status) {
		q_values_free(&v);
		return status;
	}
	t = q_table_new(columns, 4);
	if (o->cache)
		q_table_add(t, (struct q_cell[]){ Q_S(o->cache), Q_N(q_value(&used, "inuse_bytes")),
						  Q_N(q_value(&v, "soft")),
						  Q_N(q_value(&v, "hard")) });
	else
		q_table_add(t, (struct q_cell[]){ Q_S("quarry"), Q_N(q_value(&v, "held_bytes")),
						  Q_N(q_value(&v, "soft_limit_bytes")),
						  Q_N(q_value(&v, "hard_limit_bytes")) });
	if (q_options.json) {
		json = json_object_new_object();
		json_object_object_add(json, "limits", q_table_json(t, 1));
		q_json_print(json, "limit");
	} else {
		q_table_print(t, 1);
	}
	q_table_free(t);
	q_values_free(&v);
	q_values_free(&used);
	return Q_OK;
}

int q_limit(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "cache", 'c', "NAME", 0, "The limits of one cache", 0 },
		{ "soft", 's', "SIZE", 0, "Beyond it, idle pages go back before more are taken",
		  0 },
		{ "hard", 'h', "SIZE", 0, "Beyond it, allocations fail", 0 },
		{ 0 },
	};
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = {
		options,
		parse_limit,
		NULL,
		"Show or set how much memory Quarry or one cache may hold.  SIZE is "
		"a number of bytes, with K, M or G, or max for no limit.",
		children,
		NULL,
		NULL
	};
	struct limit_options o = { 0 };
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	status = set_limit(&o, "soft", o.soft);
	if (!status)
		status = set_limit(&o, "hard", o.hard);
	return status ? status : show_limits(&o);
}

/* --- rate --- */

struct rate_options {
	const char *domain;
	const char *value;
};

static error_t parse_rate(int key, char *arg, struct argp_state *state)
{
	struct rate_options *o = state->input;
	int64_t value;

	switch (key) {
	case 'd':
		o->domain = q_domain_name[q_option_domain(state, arg)];
		return 0;
	case ARGP_KEY_ARG:
		if (o->value)
			argp_error(state, "one rate");
		if (strcmp(arg, "off") && strcmp(arg, "default") &&
		    (q_parse_size(arg, &value) || value > UINT32_MAX))
			argp_error(state,
				   "a rate is the mean number of bytes between two samples, with K, "
				   "M or G and less than 4G, or off, or default; not '%s'",
				   arg);
		o->value = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int q_rate(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "domain", 'd', "DOMAIN", 0, "Of slab, pages, percpu or vmalloc; else of quarry",
		  0 },
		{ 0 },
	};
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = { options,
				   parse_rate,
				   "[BYTES|off|default]",
				   "Show or set the mean number of bytes between two samples.  1 "
				   "samples everything and is exact, off stops sampling.",
				   children,
				   NULL,
				   NULL };
	struct rate_options o = { .domain = "quarry" };
	struct quarry_dev_rate rate = { .cache = QUARRY_DEV_CACHE_ALL };
	struct json_object *json;
	struct q_device d;
	int64_t value = 0;
	char buf[Q_HUMAN_LEN];
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	status = q_device_open(&d, o.value);
	if (status)
		return status;
	rate.domain = (unsigned int)q_domain_number(o.domain);
	if (o.value) {
		if (!strcmp(o.value, "default"))
			value = 512 << 10;
		else if (strcmp(o.value, "off"))
			q_parse_size(o.value, &value);
		rate.flags = QUARRY_DEV_RATE_SET;
		rate.rate = (uint32_t)value;
	}
	status = q_device_do(&d, QUARRY_IOC_RATE, &rate,
			     o.value ? "setting the rate" : "reading the rate");
	q_device_close(&d);
	if (status)
		return status;
	if (q_options.json) {
		json = json_object_new_object();
		json_object_object_add(json, "domain", json_object_new_string(o.domain));
		json_object_object_add(json, "rate_bytes", json_object_new_int64(rate.rate));
		q_json_print(json, "rate");
	} else if (!rate.rate) {
		printf("%s: not sampled\n", o.domain);
	} else if (rate.rate == 1) {
		printf("%s: every object is sampled\n", o.domain);
	} else {
		printf("%s: one sample in %s\n", o.domain, q_human(buf, Q_BYTES, rate.rate));
	}
	return Q_OK;
}

/* --- kernel --- */

static const struct q_column domain_columns[] = {
	{ "name", "domain", Q_TEXT },
	{ "state", "state", Q_TEXT },
	{ "rate_bytes", "one sample in", Q_BYTES },
	{ "live_bytes", "live", Q_BYTES },
	{ "live_samples", "samples", Q_COUNT },
	{ "missed_frees", "missed frees", Q_COUNT },
	{ "dropped_samples", "dropped", Q_COUNT },
	{ "memory_bytes", "needs", Q_BYTES },
};

static int show_domains(struct q_device *d)
{
	struct q_table *t = q_table_new(domain_columns,
					sizeof(domain_columns) / sizeof(*domain_columns));
	struct quarry_dev_domain state;
	struct json_object *json;
	int status = Q_OK;

	for (unsigned int i = 1; !status && i < d->info.domains; i++) {
		status = q_device_domain(d, i, -1, &state);
		if (!status)
			q_table_add(t,
				    (struct q_cell[]){
					    Q_S(state.name), Q_S(state.enabled ? "on" : "off"),
					    Q_N(state.rate), Q_N(state.live_bytes),
					    Q_N(state.live_samples), Q_N(state.missed_frees),
					    Q_N(state.dropped_samples), Q_N(state.memory_bytes) });
	}
	if (!status && q_options.json) {
		json = json_object_new_object();
		json_object_object_add(json, "domains", q_table_json(t, UINT32_MAX));
		q_json_print(json, "kernel");
	} else if (!status) {
		q_table_print(t, UINT32_MAX);
	}
	q_table_free(t);
	return status;
}

struct kernel_options {
	int enable;
	unsigned int domains;
};

static error_t parse_kernel(int key, char *arg, struct argp_state *state)
{
	struct kernel_options *o = state->input;
	unsigned int domain;

	switch (key) {
	case ARGP_KEY_ARG:
		if (!state->arg_num) {
			if (strcmp(arg, "on") && strcmp(arg, "off"))
				argp_error(state, "\"on\" or \"off\" comes first, not '%s'", arg);
			o->enable = !strcmp(arg, "on");
			return 0;
		}
		domain = q_option_domain(state, arg);
		if (!domain)
			argp_error(state,
				   "domains of the kernel's are slab, pages, percpu and vmalloc, "
				   "not '%s'",
				   arg);
		o->domains |= 1U << domain;
		return 0;
	case ARGP_KEY_END:
		if (o->enable >= 0 && !o->domains)
			argp_error(state, "which domain? slab, pages, percpu or vmalloc");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int q_kernel(int argc, char **argv)
{
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = {
		NULL,
		parse_kernel,
		"[on|off DOMAIN...]",
		"Show which of the kernel's allocators are profiled, or switch "
		"them.  slab is kmalloc() and kmem_cache_alloc(), pages is "
		"alloc_pages(), percpu is alloc_percpu(), vmalloc is vmalloc() and "
		"ioremap().  Switching off forgets what was recorded.",
		children,
		NULL,
		NULL
	};
	struct kernel_options o = { .enable = -1 };
	struct quarry_dev_domain state;
	struct q_device d;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	status = q_device_open(&d, o.enable >= 0);
	if (status)
		return status;
	for (unsigned int i = 1; !status && i < QUARRY_DEV_DOMAINS; i++)
		if (o.domains & 1U << i)
			status = q_device_domain(&d, i, o.enable, &state);
	if (!status)
		status = show_domains(&d);
	q_device_close(&d);
	return status;
}
