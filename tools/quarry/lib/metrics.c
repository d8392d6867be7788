// SPDX-License-Identifier: GPL-2.0
#include "lib/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/device.h"

#define NAME_LEN 96

/**
 * struct page - the page that is being written
 * @f: where to
 * @openmetrics: which format
 */
struct page {
	FILE *f;
	bool openmetrics;
};

/* Scrapers know seconds and ratios only, and a unit is the end of a name. */
static const struct unit {
	const char *module; /* what the module's names end in */
	const char *ours;
	int decimals;	  /* places by which the point moves */
	const char *unit; /* as OpenMetrics calls it */
} units[] = {
	{ "_bytes", "_bytes", 0, "bytes" },
	{ "_ns", "_seconds", 9, "seconds" },
	{ "_permille", "_ratio", 3, "ratio" },
	{ "", "", 0, NULL },
};

static const struct unit *unit_of(const char *name)
{
	const struct unit *u = units;
	size_t len = strlen(name);

	for (;; u++) {
		size_t end = strlen(u->module);

		if (len >= end && !strcmp(name + len - end, u->module))
			return u;
	}
}

/* Our name for the module's name. */
static void make_name(char out[NAME_LEN], const char *prefix, const char *name)
{
	const struct unit *u = unit_of(name);

	snprintf(out, NAME_LEN, "quarry_%s%.*s%s", prefix, (int)(strlen(name) - strlen(u->module)),
		 name, u->ours);
}

static void declare(struct page *p, const char *name, enum q_metric_kind kind, const char *help)
{
	const char *unit = unit_of(name)->unit;
	const char *end = kind == Q_COUNTER && !p->openmetrics ? "_total" : "";
	const char *type = kind == Q_COUNTER ? "counter" :
			   kind == Q_GAUGE   ? "gauge" :
			   p->openmetrics    ? "unknown" :
					       "untyped";
	/* Our own units end in what OpenMetrics calls them. */
	size_t len = strlen(name);

	if (!unit && len > 8 && !strcmp(name + len - 8, "_seconds"))
		unit = "seconds";
	if (!unit && len > 6 && !strcmp(name + len - 6, "_ratio"))
		unit = "ratio";
	fprintf(p->f, "# TYPE %s%s %s\n", name, end, type);
	if (p->openmetrics && unit)
		fprintf(p->f, "# UNIT %s %s\n", name, unit);
	fprintf(p->f, "# HELP %s%s %s\n", name, end, help);
}

/* Write a label's value, with the escapes that both formats have. */
static void put_label(struct page *p, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", p->f);
			continue;
		}
		if (*text == '"' || *text == '\\')
			fputc('\\', p->f);
		fputc(*text, p->f);
	}
}

/* Write @digits with the point moved by @decimals: 1234567 nanoseconds are 0.001234567 seconds. */
static void put_number(struct page *p, const char *digits, int decimals)
{
	int len = (int)strlen(digits), whole = len - decimals;

	if (!decimals)
		fputs(digits, p->f);
	else if (whole > 0)
		fprintf(p->f, "%.*s.%s", whole, digits, digits + whole);
	else
		fprintf(p->f, "0.%.*s%s", -whole, "000000000", digits);
}

/* Is this what the module may show as a number? */
static bool is_number(const char *text)
{
	return !strcmp(text, "max") || (*text && strspn(text, "0123456789") == strlen(text));
}

static void put_value(struct page *p, const char *text, const struct unit *u)
{
	fputc(' ', p->f);
	if (!strcmp(text, "max"))
		fputs("+Inf", p->f);
	else
		put_number(p, text, u->decimals);
	fputc('\n', p->f);
}

static void put_name(struct page *p, const char *name, enum q_metric_kind kind)
{
	fprintf(p->f, "%s%s", name, kind == Q_COUNTER ? "_total" : "");
}

/* --- Lists of values --- */

static const struct q_metric *find(const struct q_metric *table, const char *name)
{
	for (; table->name; table++)
		if (!strcmp(table->name, name))
			return table;
	return NULL;
}

/* A name of the module's with lower-case letters, digits and "_" can be a metric's. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len && len < 64 && strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == len;
}

static void put_stats(struct page *p, const struct q_values *v)
{
	char name[NAME_LEN];

	for (unsigned int i = 0; i < v->nr; i++) {
		const struct q_metric *m = find(q_stats_metrics, v->name[i]);
		enum q_metric_kind kind = m ? m->kind : Q_UNKNOWN;

		if (!is_name(v->name[i]) || !is_number(v->value[i]))
			continue;
		make_name(name, "", v->name[i]);
		declare(p, name, kind, m ? m->help : "A number that this program does not know.");
		put_name(p, name, kind);
		put_value(p, v->value[i], unit_of(v->name[i]));
	}
}

/* All domains together have one family of each name. */
static void put_domains(struct page *p, const struct q_values *domain)
{
	char name[NAME_LEN];

	for (const struct q_metric *m = q_kernel_metrics; m->name; m++) {
		bool declared = false;

		make_name(name, "kernel_", m->name);
		for (unsigned int i = 1; i < QUARRY_DEV_DOMAINS; i++) {
			const char *value = q_value_text(&domain[i], m->name);

			if (!is_number(value))
				continue;
			if (!declared)
				declare(p, name, m->kind, m->help);
			declared = true;
			put_name(p, name, m->kind);
			fprintf(p->f, "{domain=\"%s\"}", q_domain_name[i]);
			put_value(p, value, unit_of(m->name));
		}
	}
}

/* --- Caches --- */

static uint64_t cell(const struct q_lines *l, unsigned int line, const char *column)
{
	int64_t n = q_line_number(l, line, column);

	return n < 0 ? 0 : (uint64_t)n;
}

static uint64_t live_bytes(const struct q_lines *l, unsigned int line)
{
	return cell(l, line, "live_objs") * cell(l, line, "size");
}

/*
 * The caches beyond the hundredth have no counter: which caches these are changes, so their sum
 * could fall, and a scraper would take that for a restart.
 */
static const struct {
	const char *name;
	const char *column; /* NULL: computed */
	enum q_metric_kind kind;
	const char *help;
} cache_metrics[] = {
	{ "quarry_cache_inuse_bytes", "inuse_bytes", Q_GAUGE, "Pages of the cache's slabs." },
	{ "quarry_cache_live_bytes", NULL, Q_GAUGE, "Live objects of the cache, in bytes." },
	{ "quarry_cache_live_objects", "live_objs", Q_GAUGE, "Live objects of the cache." },
	{ "quarry_cache_cached_objects", "cached", Q_GAUGE,
	  "Free objects of the cache in magazines and depots." },
	{ "quarry_cache_mallocs", "mallocs", Q_COUNTER, "Allocations from the cache." },
};

static void put_caches(struct page *p, const struct q_lines *l)
{
	for (size_t i = 0; l->nr && i < sizeof(cache_metrics) / sizeof(*cache_metrics); i++) {
		const char *name = cache_metrics[i].name, *column = cache_metrics[i].column;
		enum q_metric_kind kind = cache_metrics[i].kind;
		uint64_t other = 0;

		declare(p, name, kind, cache_metrics[i].help);
		for (unsigned int line = 0; line < l->nr; line++) {
			uint64_t n = column ? cell(l, line, column) : live_bytes(l, line);

			if (line >= Q_METRICS_CACHES) {
				other += n;
				continue;
			}
			put_name(p, name, kind);
			fputs("{cache=\"", p->f);
			put_label(p, q_line_text(l, line, "name"));
			fprintf(p->f, "\",id=\"%" PRIu64 "\"} %" PRIu64 "\n", cell(l, line, "id"),
				n);
		}
		if (l->nr > Q_METRICS_CACHES && kind == Q_GAUGE)
			fprintf(p->f, "%s{cache=\"(other)\",id=\"\"} %" PRIu64 "\n", name, other);
	}
}

/* --- The page --- */

static void put_serve(struct page *p, const struct q_serve_numbers *n)
{
	declare(p, "quarry_serve_answers", Q_COUNTER, "Answers of this server, by status of HTTP.");
	for (unsigned int i = 0; i < Q_STATUSES && n->status[i]; i++)
		fprintf(p->f, "quarry_serve_answers_total{code=\"%d\"} %" PRIu64 "\n", n->status[i],
			n->answers[i]);
	declare(p, "quarry_serve_connections", Q_GAUGE, "Clients that are connected.");
	fprintf(p->f, "quarry_serve_connections %u\n", n->connections);
	declare(p, "quarry_serve_profiles", Q_GAUGE, "Profiles that are being taken.");
	fprintf(p->f, "quarry_serve_profiles %u\n", n->profiles);
	declare(p, "quarry_serve_held_bytes", Q_GAUGE,
		"Memory of answers that clients have not read yet.");
	fprintf(p->f, "quarry_serve_held_bytes %zu\n", n->held_bytes);
	declare(p, "quarry_serve_build_info", Q_GAUGE, "1, with the version of this program.");
	fprintf(p->f, "quarry_serve_build_info{version=\"" QUARRY_VERSION "\"} 1\n");
}

const char *q_metrics_type(bool openmetrics)
{
	return openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" :
			     "text/plain; version=0.0.4; charset=utf-8";
}

char *q_metrics_render(const struct q_metrics *m, size_t *size)
{
	struct page p = { .openmetrics = m->openmetrics };
	char *text = NULL;

	p.f = open_memstream(&text, size);
	if (!p.f)
		return NULL;
	put_stats(&p, &m->stats);
	put_caches(&p, &m->caches);
	put_domains(&p, m->domain);
	put_serve(&p, &m->serve);
	if (p.openmetrics)
		fputs("# EOF\n", p.f);
	if (fclose(p.f)) {
		free(text);
		return NULL;
	}
	return text;
}
