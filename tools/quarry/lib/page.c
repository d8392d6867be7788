// SPDX-License-Identifier: GPL-2.0
#include "lib/page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "lib/human.h"
#include "lib/problem.h"
#include "lib/svg.h"
#include "lib/table.h"

#define MARK "@QUARRY_DATA@" /* page/build.mjs leaves it for the data */

/* --- Strings --- */

void q_page_string(FILE *f, const char *text)
{
	unsigned int len;

	putc('"', f);
	for (; *text; text += len) {
		len = q_utf8(text);
		if (!len) {
			fputs("\\ufffd", f);
			len = 1;
		} else if ((len == 1 && *text < ' ') || *text == 0x7f || strchr("\"\\<>&", *text)) {
			fprintf(f, "\\u%04x", *text);
		} else {
			fwrite(text, 1, len, f);
		}
	}
	putc('"', f);
}

const char *q_page_file(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* --- Frames --- */

/**
 * struct frames - each name of a function once
 * @name: the names
 * @nr: how many
 * @slot: a hash table of indexes of @name, plus one
 * @slots: its size, a power of two
 */
struct frames {
	char **name;
	unsigned int nr;
	unsigned int *slot;
	unsigned int slots;
};

static unsigned int hash(const char *name)
{
	unsigned int h = 2166136261;

	while (*name)
		h = (h ^ (unsigned char)*name++) * 16777619;
	return h;
}

/* The place in the table where @name is, or where it belongs. */
static unsigned int *place(struct frames *f, const char *name)
{
	unsigned int i = hash(name) & (f->slots - 1);

	while (f->slot[i] && strcmp(f->name[f->slot[i] - 1], name))
		i = (i + 1) & (f->slots - 1);
	return &f->slot[i];
}

static void grow(struct frames *f)
{
	f->slots = f->slots ? 2 * f->slots : 1024;
	free(f->slot);
	f->slot = q_alloc(f->slots * sizeof(*f->slot));
	f->name = q_realloc(f->name, f->slots * sizeof(*f->name));
	for (unsigned int i = 0; i < f->nr; i++)
		*place(f, f->name[i]) = i + 1;
}

/* The index of a name. */
static unsigned int frame(struct frames *f, const char *name)
{
	unsigned int *at;

	if (f->nr * 2 >= f->slots)
		grow(f);
	at = place(f, name);
	if (!*at) {
		f->name[f->nr] = q_strdup(name);
		*at = ++f->nr;
	}
	return *at - 1;
}

/* Cut @stack, which the caller may lose, at its " < ". */
static void write_stack(FILE *out, struct frames *f, char *stack)
{
	const char *comma = "";

	putc('[', out);
	while (stack && *stack) {
		char *end = strstr(stack, " < ");

		if (end) {
			*end = '\0';
			end += 3;
		}
		fprintf(out, "%s%u", comma, frame(f, stack));
		comma = ",";
		stack = end;
	}
	putc(']', out);
}

/* --- Sites --- */

static int by_name(const void *a, const void *b)
{
	const struct q_site *const *x = a, *const *y = b;

	return strcmp((*x)->stack, (*y)->stack)		?:
		       strcmp((*x)->cache, (*y)->cache) ?:
							  strcmp((*x)->labels, (*y)->labels);
}

/* All sites of all moments, each once. */
static const struct q_site **all_sites(const struct q_page *page, unsigned int *nr)
{
	const struct q_site **site;
	size_t all = 0, at = 0;

	for (unsigned int m = 0; m < page->moments; m++)
		all += page->moment[m].sites;
	site = q_alloc((all + 1) * sizeof(*site));
	for (unsigned int m = 0; m < page->moments; m++)
		for (unsigned int i = 0; i < page->moment[m].sites; i++)
			site[at++] = &page->moment[m].site[i];
	qsort(site, all, sizeof(*site), by_name);
	*nr = 0;
	for (at = 0; at < all; at++)
		if (!*nr || by_name(&site[*nr - 1], &site[at]))
			site[(*nr)++] = site[at];
	return site;
}

static void write_sites(FILE *out, const struct q_site **site, unsigned int nr)
{
	struct frames f = { 0 };

	fputs(",\n\"sites\":[", out);
	for (unsigned int i = 0; i < nr; i++) {
		char *stack = q_strdup(site[i]->stack);

		fputs(i ? ",\n[" : "\n[", out);
		write_stack(out, &f, stack);
		free(stack);
		putc(',', out);
		q_page_string(out, site[i]->cache);
		putc(',', out);
		q_page_string(out, site[i]->labels);
		putc(']', out);
	}
	fputs("],\n\"frames\":[", out);
	for (unsigned int i = 0; i < f.nr; i++) {
		fputs(i ? ",\n" : "\n", out);
		q_page_string(out, f.name[i]);
		free(f.name[i]);
	}
	putc(']', out);
	free(f.name);
	free(f.slot);
}

/* --- Moments --- */

static void write_moment(FILE *out, const struct q_page *page, unsigned int m,
			 const struct q_site **site, unsigned int nr)
{
	const struct q_pprof *p = &page->moment[m];

	fputs(m ? ",\n{\"name\":" : "\n{\"name\":", out);
	q_page_string(out, page->name[m]);
	fprintf(out, ",\"time_ms\":%" PRId64 ",\"values\":[", p->time_ns / 1000000);
	for (unsigned int i = 0; i < nr; i++) {
		const struct q_site *at = q_pprof_find(p, site[i]);

		/* The types of all moments are those of the first. */
		for (unsigned int t = 0; t < page->moment[0].types; t++) {
			int type = q_pprof_type(p, page->moment[0].type[t]);

			fprintf(out, "%s%" PRId64, i || t ? "," : "",
				at && type >= 0 ? at->value[type] : 0);
		}
	}
	fputs("]}", out);
}

static void write_types(FILE *out, const struct q_pprof *p)
{
	fputs(",\n\"types\":[", out);
	for (unsigned int t = 0; t < p->types; t++) {
		fputs(t ? ",{\"name\":" : "{\"name\":", out);
		q_page_string(out, p->type[t]);
		fputs(",\"unit\":", out);
		q_page_string(out, p->unit[t]);
		putc('}', out);
	}
	putc(']', out);
}

static void write_caches(FILE *out, const struct q_occupancies *caches)
{
	fputs(",\n\"caches\":", out);
	if (!caches || !caches->nr) {
		fputs("null", out);
		return;
	}
	for (unsigned int i = 0; i < caches->nr; i++) {
		const struct q_occupancy *c = &caches->cache[i];

		fputs(i ? ",\n{\"name\":" : "[\n{\"name\":", out);
		q_page_string(out, c->name);
		fprintf(out,
			",\"size\":%" PRId64 ",\"memory\":%" PRId64 ",\"live\":%" PRId64
			",\"cached\":%" PRId64 "}",
			c->size, c->memory, c->live, c->cached);
	}
	putc(']', out);
}

/* So the module's own comment on the rate begins. */
#define PERIOD "one sample per "

/* What the last profile says of itself. */
static void write_about(FILE *out, const struct q_pprof *p)
{
	char period[64], bytes[Q_HUMAN_LEN];
	bool said = false;

	fputs(",\n\"about\":[", out);
	for (unsigned int i = 0; i < p->comments; i++) {
		said = said || !strncmp(p->comment[i], PERIOD, strlen(PERIOD));
		q_page_string(out, p->comment[i]);
		putc(',', out);
	}
	if (p->period > 1 && !said) {
		snprintf(period, sizeof(period), PERIOD "%s on average",
			 q_human(bytes, Q_BYTES, p->period));
		q_page_string(out, period);
		putc(',', out);
	}
	q_page_string(out, "written by quarry " QUARRY_VERSION);
	putc(']', out);
}

static void write_data(FILE *out, const struct q_page *page)
{
	const struct q_pprof *last = &page->moment[page->moments - 1];
	const struct q_site **site;
	unsigned int nr;

	site = all_sites(page, &nr);
	fputs("{\"schema\":1,\"title\":", out);
	q_page_string(out, page->title);
	write_about(out, last);
	write_types(out, &page->moment[0]);
	fprintf(out, ",\n\"compare\":%s", page->moments > 1 ? "true" : "false");
	write_sites(out, site, nr);
	fputs(",\n\"moments\":[", out);
	for (unsigned int m = 0; m < page->moments; m++)
		write_moment(out, page, m, site, nr);
	putc(']', out);
	write_caches(out, page->caches);
	fputs("}\n", out);
	free(site);
}

int q_page_make(const struct q_page *page, char **html, size_t *size)
{
	const char *mark = strstr(q_page_html, MARK);
	FILE *out;

	if (!mark)
		return q_problem(Q_FAILED,
				 "this program was built without the page; install nodejs and "
				 "npm, and build it with \"make -C tools/quarry page\"");
	out = open_memstream(html, size);
	if (!out)
		return q_problem(Q_FAILED, "out of memory");
	fwrite(q_page_html, 1, (size_t)(mark - q_page_html), out);
	write_data(out, page);
	fputs(mark + strlen(MARK), out);
	if (ferror(out) | fclose(out)) {
		free(*html);
		return q_problem(Q_FAILED, "out of memory");
	}
	return Q_OK;
}
