// SPDX-License-Identifier: GPL-2.0
/* What covers the rows of "quarry top": help, and all that is known of a row. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/options.h"
#include "top.h"

#define MOST_SITES 40 /* of a process or a cgroup */

static const char *const help[] = {
	"quarry top: what the allocator Quarry does now",
	"",
	"  1 ... 5, Tab    views: caches, sites, kernel, processes, cgroups",
	"  d               another domain: of kernel, processes, cgroups",
	"  s, right, left  sort by the next or the previous column",
	"  up, down        choose a row; also PgUp, PgDn, Home, End",
	"  Enter           all of a row: the whole stack, the cache's numbers",
	"  /               only rows with this text in their names; Esc shows all",
	"  p, blank        pause; again: go on",
	"  r               growth counts from now on",
	"  + -             longer, shorter interval",
	"  q               quit",
	"",
	"allocs/s, frees/s, hits and remote/s are of the time between the two last",
	"readings; \"-\" is not known yet. hits: allocations that a magazine served.",
	"remote/s: frees of objects of another NUMA node. waste: memory of a cache",
	"that no live object fills. live, growth and alloc/s of sites, processes and",
	"cgroups are estimates from samples. slow: time in slow paths, of one CPU.",
	"The bar: # live objects  + in use, but free  . idle pages  m metadata",
};

static char *line_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *line_of(const char *fmt, ...)
{
	char *line;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&line, fmt, args) < 0)
		line = q_strdup("");
	va_end(args);
	return line;
}

static void add(struct screen *s, char *line)
{
	s->text = q_realloc(s->text, (s->text_nr + 1) * sizeof(*s->text));
	s->text[s->text_nr++] = line;
}

void screen_text_free(struct screen *s)
{
	while (s->text_nr)
		free(s->text[--s->text_nr]);
	free(s->text);
	s->text = NULL;
	s->text_top = 0;
}

void screen_help(struct screen *s)
{
	screen_text_free(s);
	for (size_t i = 0; i < sizeof(help) / sizeof(*help); i++)
		add(s, q_strdup(help[i]));
}

const char *screen_key_of(char *buf, size_t size, const struct q_row *row)
{
	if (row->site)
		snprintf(buf, size, "%s\n%s", row->site->cache, row->site->stack);
	else
		snprintf(buf, size, "%lld", (long long)row->id);
	return buf;
}

/* All cells but the texts: "live            4.2 MiB". */
static void add_cells(struct screen *s, const struct top *t, const struct q_row *row)
{
	const struct q_view_info *info = &q_view_info[t->view];
	char buf[Q_CELL_LEN];

	for (unsigned int i = 0; i < info->nr; i++) {
		const struct q_column *c = &info->column[i].c;

		if (c->head && c->unit != Q_TEXT)
			add(s, line_of("  %-9s %14s", c->head,
				       q_cell_fit(buf, c->unit, &row->cell[i], 14)));
	}
}

static void add_stack(struct screen *s, const char *stack)
{
	add(s, q_strdup(""));
	add(s, q_strdup("Stack, innermost first"));
	while (*stack) {
		const char *end = strstr(stack, " < ");
		int len = end ? (int)(end - stack) : (int)strlen(stack);

		add(s, line_of("  %.*s", len, stack));
		stack += len + (end ? 3 : 0);
	}
}

/* --- Of a process or a cgroup: its sites --- */

struct part {
	const struct q_site *site;
	int64_t live;
};

static int by_live(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return (x->live < y->live) - (x->live > y->live);
}

static void add_sites(struct screen *s, const struct top *t, const char *value)
{
	const struct q_pprof *p = &t->now.whole;
	int type = q_pprof_type(p, "inuse_space");
	struct part *part = q_alloc(p->sites * sizeof(*part) + 1);
	char bytes[Q_HUMAN_LEN];
	unsigned int nr = 0;

	for (unsigned int i = 0; type >= 0 && i < p->sites; i++) {
		int len;
		const char *label = q_site_label(&p->site[i], q_view_info[t->view].label, &len);

		if (!label) {
			label = "(none)";
			len = 6;
		}
		if (p->site[i].value[type] && (int)strlen(value) == len &&
		    !strncmp(label, value, len))
			part[nr++] = (struct part){ &p->site[i], p->site[i].value[type] };
	}
	if (nr)
		qsort(part, nr, sizeof(*part), by_live);
	add(s, q_strdup(""));
	add(s, q_strdup("Its sites with most live bytes"));
	for (unsigned int i = 0; i < nr && i < MOST_SITES; i++)
		add(s, line_of("  %9s  %-16s  %s", q_human(bytes, Q_BYTES, part[i].live),
			       part[i].site->cache, part[i].site->stack));
	free(part);
	if (t->view == Q_VIEW_CGROUPS && strspn(value, "0123456789") == strlen(value)) {
		add(s, q_strdup(""));
		add(s, line_of("\"find /sys/fs/cgroup -inum %s\" finds it.", value));
	}
}

/* --- Of a cache: its own file --- */

static void add_cache(struct screen *s, const struct top *t, const struct q_row *row)
{
	struct q_values v;

	(void)t;
	if (!q_cache_values(&v, row->cell[0].text, row->id)) {
		add(s, q_strdup(q_options.recording ? "  Its other numbers were not recorded." :
						      "  It is gone."));
		return;
	}
	for (unsigned int i = 0; i < v.nr; i += 2) {
		if (i + 1 < v.nr)
			add(s, line_of("  %-20s %14s  %-20s %14s", v.name[i], v.value[i],
				       v.name[i + 1], v.value[i + 1]));
		else
			add(s, line_of("  %-20s %14s", v.name[i], v.value[i]));
	}
	q_values_free(&v);
}

void screen_row(struct screen *s, struct top *t)
{
	const struct q_row *row = &t->rows.row[s->selected];

	screen_text_free(s);
	if (t->view == Q_VIEW_CACHES) {
		add(s, line_of("Cache %s", row->cell[0].text));
		add(s, q_strdup(""));
		add_cells(s, t, row);
		add(s, q_strdup(""));
		add_cache(s, t, row);
		return;
	}
	if (q_view_info[t->view].label) {
		add(s, line_of("%s %s, domain %s", q_view_info[t->view].label, row->site->stack,
			       q_domain_name[top_domain(t)]));
		add(s, q_strdup(""));
		add_cells(s, t, row);
		add_sites(s, t, row->site->stack);
		return;
	}
	add(s, line_of("Cache %s, domain %s", row->site->cache, q_domain_name[top_domain(t)]));
	add(s, q_strdup(""));
	add_cells(s, t, row);
	add_stack(s, row->site->stack);
}
