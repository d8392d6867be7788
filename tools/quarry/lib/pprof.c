// SPDX-License-Identifier: GPL-2.0
#include "lib/pprof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "lib/clamp.h"
#include "lib/clean.h"
#include "lib/debugfs.h"
#include "lib/problem.h"
#include "lib/profile.pb-c.h"
#include "lib/table.h"

#define GZIP_WINDOW (15 + 16) /* zlib: the largest window, with gzip's header */
#define TOO_LARGE   "it is too large"

/* --- gzip --- */

void q_gzip(const void *data, size_t size, void **out, size_t *out_size)
{
	z_stream z = { .next_in = (void *)data, .avail_in = (uInt)size };

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		exit(q_problem(Q_FAILED, "out of memory"));
	*out_size = deflateBound(&z, size);
	*out = q_realloc(NULL, *out_size);
	z.next_out = *out;
	z.avail_out = (uInt)*out_size;
	deflate(&z, Z_FINISH);
	*out_size = z.total_out;
	deflateEnd(&z);
}

const char *q_gunzip(const void *data, size_t size, unsigned char **out, size_t *out_size)
{
	z_stream z = { .next_in = (void *)data, .avail_in = (uInt)size };
	const unsigned char *bytes = data;
	size_t room = 0;
	int err;

	*out = NULL;
	if (size > Q_PPROF_MAX)
		return TOO_LARGE;
	if (size < 2 || bytes[0] != 0x1f || bytes[1] != 0x8b)
		return NULL;
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return "out of memory";
	do {
		room = room ? 2 * room : 4 * size + 1024;
		if (room > Q_PPROF_MAX)
			room = Q_PPROF_MAX;
		*out = q_realloc(*out, room);
		z.next_out = *out + z.total_out;
		z.avail_out = (uInt)(room - z.total_out);
		err = inflate(&z, Z_NO_FLUSH);
	} while (err == Z_OK && !z.avail_out && room < Q_PPROF_MAX);
	*out_size = z.total_out;
	inflateEnd(&z);
	if (err == Z_STREAM_END)
		return NULL;
	free(*out);
	*out = NULL;
	return err == Z_OK && room == Q_PPROF_MAX ? TOO_LARGE : "its compression is damaged";
}

/* --- Memory --- */

/*
 * A small file can stand for much: each frame of a stack names a string, which may be as long as the
 * file.  So what is made of a profile is counted, and there is an end to it.
 */
struct budget {
	size_t left;
	bool spent;
};

static bool spend(struct budget *b, size_t size)
{
	if (size > b->left)
		b->spent = true;
	else
		b->left -= size;
	return !b->spent;
}

/* For protobuf-c.  An allocation takes more than its size. */
static void *budget_alloc(void *budget, size_t size)
{
	return spend(budget, size + 32) ? malloc(size) : NULL;
}

static void budget_free(void *budget, void *p)
{
	(void)budget;
	free(p);
}

/* --- Decoding --- */

/**
 * struct decoder - a profile that is being decoded
 * @in: what protobuf-c made of it
 * @budget: the memory that may still be taken
 * @location: its locations by their number: identifiers may be any numbers, and are sorted
 * @function: its functions, likewise
 * @mapping: its mappings, likewise
 * @text: buffer for a stack or labels
 * @used: of @text
 * @room: of @text
 */
struct decoder {
	Quarry__Profile *in;
	struct budget budget;
	Quarry__Location **location;
	Quarry__Function **function;
	Quarry__Mapping **mapping;
	char *text;
	size_t used;
	size_t room;
};

static const char *string(const struct decoder *d, int64_t index)
{
	if (index < 0 || (uint64_t)index >= d->in->n_string_table)
		return "";
	return d->in->string_table[index];
}

static int by_location(const void *a, const void *b)
{
	uint64_t x = (*(Quarry__Location *const *)a)->id, y = (*(Quarry__Location *const *)b)->id;

	return x < y ? -1 : x > y;
}

static int by_function(const void *a, const void *b)
{
	uint64_t x = (*(Quarry__Function *const *)a)->id, y = (*(Quarry__Function *const *)b)->id;

	return x < y ? -1 : x > y;
}

static int by_mapping(const void *a, const void *b)
{
	uint64_t x = (*(Quarry__Mapping *const *)a)->id, y = (*(Quarry__Mapping *const *)b)->id;

	return x < y ? -1 : x > y;
}

static void add_text(struct decoder *d, const char *s)
{
	size_t len = strlen(s);

	if (!spend(&d->budget, len))
		return;
	if (d->used + len + 1 > d->room) {
		d->room = 2 * (d->used + len + 1);
		d->text = q_realloc(d->text, d->room);
	}
	memcpy(d->text + d->used, s, len + 1);
	d->used += len;
}

/* The module that a mapping is of, or "" for the kernel. */
static void add_module(struct decoder *d, uint64_t id)
{
	Quarry__Mapping key = { .id = id }, *at = &key, **m;
	const char *file;
	size_t len;

	m = d->in->n_mapping ?
		    bsearch(&at, d->mapping, d->in->n_mapping, sizeof(*d->mapping), by_mapping) :
		    NULL;
	file = m ? string(d, (*m)->filename) : "";
	len = strlen(file);
	if (len <= 3 || strcmp(file + len - 3, ".ko"))
		return;
	add_text(d, " [");
	add_text(d, file);
	if (d->budget.spent)
		return;
	d->used -= 3;
	add_text(d, "]");
}

static void add_frame(struct decoder *d, const char *name)
{
	if (d->used)
		add_text(d, " < ");
	add_text(d, *name ? name : "(unknown)");
}

static void add_location(struct decoder *d, uint64_t id)
{
	Quarry__Location key = { .id = id }, *at = &key, **found, *l;
	char address[24];

	found = d->in->n_location ? bsearch(&at, d->location, d->in->n_location,
					    sizeof(*d->location), by_location) :
				    NULL;
	l = found ? *found : NULL;
	if (!l || !l->n_line) {
		snprintf(address, sizeof(address), "0x%llx",
			 (unsigned long long)(l ? l->address : 0));
		add_frame(d, address);
		if (l)
			add_module(d, l->mapping_id);
		return;
	}
	for (size_t i = 0; i < l->n_line; i++) {
		Quarry__Function fkey = { .id = l->line[i]->function_id }, *fat = &fkey, **f;

		f = d->in->n_function ? bsearch(&fat, d->function, d->in->n_function,
						sizeof(*d->function), by_function) :
					NULL;
		add_frame(d, f ? string(d, (*f)->name) : "");
		add_module(d, l->mapping_id);
	}
}

static char *copy(struct decoder *d, const char *s)
{
	return q_strdup(spend(&d->budget, strlen(s) + 32) ? s : "");
}

static char *taken(struct decoder *d)
{
	char *s = copy(d, d->used ? d->text : "");

	d->used = 0;
	return s;
}

static void decode_site(struct decoder *d, const Quarry__Sample *sample, struct q_site *site)
{
	for (size_t i = 0; i < sample->n_location_id; i++)
		add_location(d, sample->location_id[i]);
	site->stack = taken(d);
	for (size_t i = 0; i < sample->n_label; i++) {
		const Quarry__Label *label = sample->label[i];
		const char *key = string(d, label->key), *value = string(d, label->str);

		if (!strcmp(key, "cache") || !strcmp(key, "for")) {
			free(site->cache);
			site->cache = copy(d, value);
			continue;
		}
		if (d->used)
			add_text(d, " ");
		add_text(d, key);
		add_text(d, "=");
		add_text(d, value);
	}
	site->labels = taken(d);
	if (!site->cache)
		site->cache = q_strdup("");
	for (size_t i = 0; i < sample->n_value && i < Q_PPROF_VALUES; i++)
		site->value[i] = sample->value[i];
}

static const char *decode(struct q_pprof *p, struct decoder *d)
{
	Quarry__Profile *in = d->in;

	if (!in->n_sample_type || !in->n_string_table)
		return "it has no values";
	p->types = in->n_sample_type < Q_PPROF_VALUES ? (unsigned int)in->n_sample_type :
							Q_PPROF_VALUES;
	for (unsigned int i = 0; i < p->types; i++) {
		p->type[i] = copy(d, string(d, in->sample_type[i]->type));
		p->unit[i] = copy(d, string(d, in->sample_type[i]->unit));
	}
	p->shown = q_pprof_type(p, string(d, in->default_sample_type));
	if (p->shown < 0)
		p->shown = (int)p->types - 1;
	p->time_ns = in->time_nanos;
	p->duration_ns = in->duration_nanos;
	p->period = in->period;
	p->comment = q_alloc(in->n_comment * sizeof(*p->comment) + 1);
	for (size_t i = 0; i < in->n_comment && !d->budget.spent; i++)
		p->comment[p->comments++] = copy(d, string(d, in->comment[i]));
	d->location = in->location;
	d->function = in->function;
	d->mapping = in->mapping;
	if (in->n_location)
		qsort(d->location, in->n_location, sizeof(*d->location), by_location);
	if (in->n_function)
		qsort(d->function, in->n_function, sizeof(*d->function), by_function);
	if (in->n_mapping)
		qsort(d->mapping, in->n_mapping, sizeof(*d->mapping), by_mapping);
	p->site = q_alloc(in->n_sample * sizeof(*p->site) + 1);
	for (size_t i = 0; i < in->n_sample && !d->budget.spent; i++)
		decode_site(d, in->sample[i], &p->site[p->sites++]);
	return d->budget.spent ? TOO_LARGE : NULL;
}

const char *q_pprof_parse(struct q_pprof *p, const void *data, size_t size)
{
	ProtobufCAllocator allocator = { budget_alloc, budget_free, NULL };
	struct decoder d = { .budget.left = Q_PPROF_MEMORY };
	unsigned char *plain;
	const char *why = q_gunzip(data, size, &plain, &size);

	*p = (struct q_pprof){ 0 };
	if (why)
		return why;
	allocator.allocator_data = &d.budget;
	d.in = quarry__profile__unpack(&allocator, size, plain ?: data);
	free(plain);
	if (!d.in)
		return d.budget.spent ? TOO_LARGE : "it is not in pprof's format";
	for (size_t i = 0; i < d.in->n_string_table; i++)
		q_clean_name(d.in->string_table[i]);
	why = decode(p, &d);
	quarry__profile__free_unpacked(d.in, &allocator);
	free(d.text);
	if (why)
		q_pprof_free(p);
	return why;
}

int q_pprof_read(struct q_pprof *p, const char *file)
{
	const char *path = strcmp(file, "-") ? file : "/dev/stdin", *why;
	size_t size;
	int status;
	char *data = q_read_file(path, &size, &status);

	*p = (struct q_pprof){ 0 };
	if (!data)
		return status;
	why = q_pprof_parse(p, data, size);
	free(data);
	return why ? q_problem(Q_FAILED, "%s is no profile: %s", file, why) : Q_OK;
}

void q_pprof_free(struct q_pprof *p)
{
	for (unsigned int i = 0; i < p->types; i++) {
		free(p->type[i]);
		free(p->unit[i]);
	}
	for (unsigned int i = 0; i < p->sites; i++) {
		free(p->site[i].stack);
		free(p->site[i].cache);
		free(p->site[i].labels);
	}
	for (unsigned int i = 0; i < p->comments; i++)
		free(p->comment[i]);
	free(p->comment);
	free(p->site);
	*p = (struct q_pprof){ 0 };
}

int q_pprof_type(const struct q_pprof *p, const char *type)
{
	for (unsigned int i = 0; i < p->types; i++)
		if (!strcmp(p->type[i], type))
			return (int)i;
	return -1;
}

/* --- Sites --- */

static int by_name(const void *a, const void *b)
{
	const struct q_site *x = a, *y = b;

	return strcmp(x->stack, y->stack)	  ?:
		       strcmp(x->cache, y->cache) ?:
						    strcmp(x->labels, y->labels);
}

void q_pprof_join(struct q_pprof *p, bool keep_labels)
{
	unsigned int to = 0;

	for (unsigned int i = 0; !keep_labels && i < p->sites; i++)
		*p->site[i].labels = '\0';
	if (!p->sites)
		return;
	qsort(p->site, p->sites, sizeof(*p->site), by_name);
	for (unsigned int i = 1; i < p->sites; i++) {
		if (by_name(&p->site[to], &p->site[i])) {
			p->site[++to] = p->site[i];
			continue;
		}
		for (unsigned int v = 0; v < p->types; v++)
			p->site[to].value[v] = q_add(p->site[to].value[v], p->site[i].value[v]);
		free(p->site[i].stack);
		free(p->site[i].cache);
		free(p->site[i].labels);
	}
	p->sites = to + 1;
}

const struct q_site *q_pprof_find(const struct q_pprof *p, const struct q_site *like)
{
	return p->sites ? bsearch(like, p->site, p->sites, sizeof(*p->site), by_name) : NULL;
}
