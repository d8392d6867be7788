// SPDX-License-Identifier: GPL-2.0
/*
 * The table for people and the folded stacks.  Both merge rows that differ only in their
 * labels: a person first wants to know the place in the code, and a flame graph has no
 * labels at all.
 */
#include "report/profile_table.h"

#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "compat.h"
#include "core/metadata.h"

#define TOP_FRAMES 4

/**
 * struct entry - the merged rows of one stack, cache and age
 * @site: the site with the lowest number among them
 * @largest: the site with the largest value among them
 * @most: that value
 * @other_process: not all of them have the process of @largest
 * @value: sums of their values
 * @var: the variances of the value that matters most and of its counterpart
 * @samples: samples that the values come from
 * @label: the rows' age class, or NULL; see struct qr_row
 */
struct entry {
	const struct quarry_site *site;
	const struct quarry_site *largest;
	s64 most;
	bool other_process;
	s64 value[QR_VALUES];
	qr_u128 var[2];
	s64 samples;
	const char *label;
};

struct entries {
	size_t room;
	size_t nr;
	unsigned int first;
	struct entry e[];
};

/* Stacks through unloaded modules are compared by the names of their functions. */
static int compare_names(const char *x, const char *y)
{
	if (!x || !y)
		return !!x - !!y;
	return strcmp(x, y);
}

static int compare_places(const struct entry *x, const struct entry *y)
{
	if (x->site->stack != y->site->stack)
		return x->site->stack < y->site->stack ? -1 : 1;
	if (x->site->cache != y->site->cache)
		return x->site->cache < y->site->cache ? -1 : 1;
	if (x->label != y->label)
		return x->label < y->label ? -1 : 1;
	return compare_names(x->site->names, y->site->names);
}

static int by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	cond_resched();
	return compare_places(x, y) ?: (x->site->id < y->site->id ? -1 : x->site->id > y->site->id);
}

static int by_value(const void *a, const void *b, const void *priv)
{
	unsigned int first = *(const unsigned int *)priv;
	const struct entry *x = a, *y = b;

	cond_resched();
	if (x->value[first] != y->value[first])
		return x->value[first] > y->value[first] ? -1 : 1;
	return x->site->id < y->site->id ? -1 : x->site->id > y->site->id;
}

/*
 * The process that a site's labels name.  In an interrupt there is none, and the kind of
 * interrupt stands for it.  NULL if the labels are not known.
 */
static const char *process_of(const struct quarry_site *site)
{
	const struct quarry_labels *labels = site->labels ? qr_labels_get(site->labels) : NULL;
	const char *process = NULL;
	unsigned int i;

	for (i = 0; labels && i < min(labels->n, QUARRY_LABELS_MAX); i++) {
		if (!strcmp(labels->key[i], "comm"))
			return labels->value[i];
		if (!strcmp(labels->key[i], "context"))
			process = labels->value[i];
	}
	return process;
}

static void merge_process(struct entry *to, const struct entry *from)
{
	const char *x = process_of(to->largest), *y = process_of(from->largest);

	if (compare_names(x, y))
		to->other_process = true;
	if (from->most > to->most) {
		to->largest = from->largest;
		to->most = from->most;
	}
}

static void merge(struct entries *entries, unsigned int nr_values)
{
	struct entry *to = entries->e, *from;
	size_t i;
	unsigned int v;

	if (!entries->nr)
		return;
	sort(entries->e, entries->nr, sizeof(entries->e[0]), by_place, NULL);
	for (i = 1; i < entries->nr; i++) {
		from = &entries->e[i];
		if (compare_places(to, from)) {
			*++to = *from;
			continue;
		}
		merge_process(to, from);
		for (v = 0; v < nr_values; v++)
			to->value[v] += from->value[v];
		for (v = 0; v < ARRAY_SIZE(to->var); v++)
			to->var[v] += from->var[v];
		to->samples += from->samples;
	}
	entries->nr = to + 1 - entries->e;
}

/* The merged rows of a report, those with the largest value first.  NULL without memory. */
static struct entries *entries_new(struct qr_report *r)
{
	struct entries *entries;
	struct qr_row row;
	size_t n = 0;

	qr_report_rewind(r);
	while (qr_report_next(r, &row))
		n++;
	entries = qr_meta_valloc(struct_size(entries, e, n));
	if (!entries)
		return NULL;
	entries->room = n;
	entries->first = r->first;
	qr_report_rewind(r);
	while (entries->nr < n && qr_report_next(r, &row)) {
		struct entry *e = &entries->e[entries->nr++];

		e->site = row.site;
		e->largest = row.site;
		e->most = row.value[r->first];
		memcpy(e->value, row.value, sizeof(e->value));
		e->var[0] = row.var[r->first];
		e->var[1] = row.var[r->first ^ 1];
		e->samples = row.samples;
		e->label = row.label;
	}
	merge(entries, r->nr);
	sort_r(entries->e, entries->nr, sizeof(entries->e[0]), by_value, NULL, &entries->first);
	return entries;
}

static void entries_free(struct entries *entries)
{
	qr_meta_vfree(entries, struct_size(entries, e, entries->room));
}

/* Writes the name of a frame's function, or what stands for its address if it has none. */
static void put_function(struct qr_text *t, const struct qr_symbols *s, const struct qr_frames *f,
			 unsigned int i)
{
	const struct qr_function *function = qr_symbols_function(s, f->place[i]);

	if (function)
		qr_text_puts(t, function->name);
	else
		qr_text_printf(t, "0x%lx", qr_symbols_shown(s, f->place[i]) + 1);
}

/* --- Folded stacks --- */

int qr_table_folded(struct qr_text *t, struct qr_report *r, const struct qr_symbols *s)
{
	struct entries *entries = entries_new(r);
	size_t i;

	if (!entries)
		return -ENOMEM;
	for (i = 0; i < entries->nr && !qr_text_error(t); i++) {
		const struct entry *e = &entries->e[i];
		struct qr_frames f;
		unsigned int n;

		if (!e->value[r->first])
			break;
		qr_report_frames(&f, s, e->site);
		if (!f.nr)
			qr_text_puts(t, QR_NO_STACK ";");
		for (n = f.nr; n--;) {
			put_function(t, s, &f, n);
			qr_text_puts(t, ";");
		}
		if (e->label)
			qr_text_printf(t, "[%s];", e->label);
		qr_text_printf(t, "[%s] %lld\n", e->site->cache_name, e->value[r->first]);
		cond_resched();
	}
	entries_free(entries);
	return 0;
}

/* --- A table for people --- */

/*
 * Writes a frame as function+offset [module].  The offset tells apart two calls in one function.
 * It is that of the return address, as in the kernel's own traces.
 */
static void put_frame(struct qr_text *t, const struct qr_symbols *s, const struct qr_frames *f,
		      unsigned int i)
{
	const struct qr_function *function = qr_symbols_function(s, f->place[i]);

	put_function(t, s, f, i);
	if (function && function->start)
		qr_text_printf(t, "+0x%lx", f->ret[i] - function->start);
	if (function && function->module)
		qr_text_printf(t, " [%s]", function->module);
}

static void put_path(struct qr_text *t, const struct qr_symbols *s, const struct quarry_site *site)
{
	struct qr_frames f;
	unsigned int i;

	qr_report_frames(&f, s, site);
	if (!f.nr)
		qr_text_puts(t, QR_NO_STACK);
	for (i = 0; i < min_t(unsigned int, f.nr, TOP_FRAMES); i++) {
		if (i)
			qr_text_puts(t, " < ");
		put_frame(t, s, &f, i);
	}
	qr_text_puts(t, f.nr > TOP_FRAMES ? " < ...\n" : "\n");
}

/* @value over @ns nanoseconds, per second. */
static s64 per_second(s64 value, u64 ns)
{
	u64 ms = max(div_u64(ns, NSEC_PER_MSEC), 1ULL);
	u64 n = abs(value);

	n = n < U64_MAX / MSEC_PER_SEC ? div64_u64(n * MSEC_PER_SEC, ms) :
					 div64_u64(n, ms) * MSEC_PER_SEC;
	return value < 0 ? -n : n;
}

/* Writes the columns of the value that matters most and its counterpart, then all others. */
static void put_heads(struct qr_text *t, const struct qr_report *r)
{
	char head[32];
	int v;

	snprintf(head, sizeof(head), "#%s", r->type[r->first].column);
	qr_text_printf(t, "%-16s %12s %14s %12s", head, "+/-", r->type[r->first ^ 1].column, "+/-");
	for (v = r->nr - 1; v > 0; v -= 2)
		if (v / 2 != r->first / 2)
			qr_text_printf(t, " %14s %14s", r->type[v].column, r->type[v ^ 1].column);
	if (r->nr > QR_FIRST_GROWTH)
		qr_text_printf(t, " %14s %14s", "growth_B/s", "alloc_B/s");
	qr_text_printf(t, " %9s  ", "samples");
	if (r->kind == QUARRY_PROFILE_LIFETIME)
		qr_text_printf(t, "%-11s ", "age");
	qr_text_printf(t, "%-24s %8s  %-18s  %s\n", qr_domain_label(r->p->domain), "site",
		       "process", "path");
}

static void put_numbers(struct qr_text *t, const struct qr_report *r, const struct entry *e)
{
	unsigned int first = r->first;
	u64 samples = abs(e->samples);
	int v;

	qr_text_printf(t, "%16lld %12llu %14lld %12llu", e->value[first], qr_error(e->var[0]),
		       e->value[first ^ 1], qr_error(e->var[1]));
	for (v = r->nr - 1; v > 0; v -= 2)
		if (v / 2 != first / 2)
			qr_text_printf(t, " %14lld %14lld", e->value[v], e->value[v ^ 1]);
	if (r->nr > QR_FIRST_GROWTH)
		qr_text_printf(t, " %14lld %14lld",
			       per_second(e->value[QR_FIRST_GROWTH + 1], r->p->span_ns),
			       per_second(e->value[1], r->p->duration_ns));
	qr_text_printf(t, " %9llu%c ", samples, samples < QR_FEW ? '*' : ' ');
}

static void put_process(struct qr_text *t, const struct entry *e)
{
	const char *process = process_of(e->largest);
	char buf[QUARRY_LABEL_VALUE + sizeof("+")];

	strscpy(buf, process ?: "-", QUARRY_LABEL_VALUE);
	if (e->other_process)
		strlcat(buf, "+", sizeof(buf));
	qr_text_printf(t, "%-18s  ", buf);
}

static void put_entry(struct qr_text *t, const struct qr_report *r, const struct qr_symbols *s,
		      const struct entry *e)
{
	put_numbers(t, r, e);
	if (e->label)
		qr_text_printf(t, "%-11s ", e->label);
	qr_text_printf(t, "%-24s %8u  ", e->site->cache_name, e->site->id);
	put_process(t, e);
	put_path(t, s, e->site);
}

/* What the whole profile grew by and allocated, per second. */
static void put_rates(struct qr_text *t, const struct qr_report *r, const struct entries *entries)
{
	s64 growth = 0, space = 0, objects = 0;
	size_t i;

	for (i = 0; i < entries->nr; i++) {
		growth += entries->e[i].value[QR_FIRST_GROWTH + 1];
		space += entries->e[i].value[1];
		objects += entries->e[i].value[0];
	}
	qr_text_printf(t, "# growth %lld bytes in %llu.%03llu s: %lld bytes/s\n", growth,
		       div_u64(r->p->span_ns, NSEC_PER_SEC),
		       div_u64(r->p->span_ns, NSEC_PER_MSEC) % MSEC_PER_SEC,
		       per_second(growth, r->p->span_ns));
	qr_text_printf(t, "# allocated %lld bytes, %lld objects: %lld bytes/s, %lld objects/s\n",
		       space, objects, per_second(space, r->p->duration_ns),
		       per_second(objects, r->p->duration_ns));
}

int qr_table_top(struct qr_text *t, struct qr_report *r, const struct qr_symbols *s)
{
	struct entries *entries = entries_new(r);
	char comment[QR_COMMENT];
	unsigned int n;
	size_t i;

	if (!entries)
		return -ENOMEM;
	put_heads(t, r);
	for (i = 0; i < entries->nr && !qr_text_error(t); i++) {
		put_entry(t, r, s, &entries->e[i]);
		cond_resched();
	}
	qr_text_printf(t, "# +/- is one standard error%s.  *: fewer than %u samples, a guess.\n",
		       r->nr > QR_FIRST_GROWTH ? ", of growth at most that" : "", QR_FEW);
	if (r->nr > QR_FIRST_GROWTH)
		put_rates(t, r, entries);
	for (n = 0; qr_report_comment(r, n, comment, sizeof(comment)); n++)
		qr_text_printf(t, "# %s\n", comment);
	entries_free(entries);
	return 0;
}
