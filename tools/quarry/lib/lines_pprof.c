// SPDX-License-Identifier: GPL-2.0
/* Lines for a profile of pprof's format: see lines.h. */
#include "lib/lines.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include "lib/problem.h"
#include "lib/profile.pb-c.h"
#include "lib/table.h"

/**
 * struct string - a text of the profile
 * @text: it
 * @index: its number in the profile's table
 */
struct string {
	const char *text;
	int64_t index;
};

/**
 * struct function - a function of the new profile
 * @key: it
 * @id: its identifier, from 1
 */
struct function {
	Quarry__Function key;
	uint64_t id;
};

/**
 * struct rewriting - a profile that gets lines
 * @p: the profile, which protobuf-c allocated
 * @l: what is known of its addresses
 * @mapping: a number for @l, for each mapping of @p
 * @string: texts of @p as a tree of struct string
 * @function: a tree of struct function
 * @old: the functions that the profile had, sorted by identifier
 * @olds: how many
 * @room: for functions in @p
 * @strings_room: for texts in @p
 */
struct rewriting {
	Quarry__Profile *p;
	struct q_source *l;
	unsigned int *mapping;
	void *string;
	void *function;
	Quarry__Function **old;
	size_t olds;
	size_t room;
	size_t strings_room;
};

/* --- Texts and functions, each once --- */

static int by_text(const void *a, const void *b)
{
	const struct string *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static int64_t string(struct rewriting *r, const char *text)
{
	struct string *s = q_alloc(sizeof(*s)), **found;
	Quarry__Profile *p = r->p;

	s->text = text;
	found = tsearch(s, &r->string, by_text);
	if (!found)
		exit(q_problem(Q_FAILED, "out of memory"));
	if (*found != s) {
		free(s);
		return (*found)->index;
	}
	if (p->n_string_table == r->strings_room) {
		r->strings_room = 2 * r->strings_room + 64;
		p->string_table = q_realloc(p->string_table,
					    r->strings_room * sizeof(*p->string_table));
	}
	s->text = p->string_table[p->n_string_table] = q_strdup(text);
	s->index = (int64_t)p->n_string_table++;
	return s->index;
}

/* The texts that the profile has. */
static void know_strings(struct rewriting *r)
{
	for (size_t i = 0; i < r->p->n_string_table; i++) {
		struct string *s = q_alloc(sizeof(*s)), **found;

		*s = (struct string){ r->p->string_table[i], (int64_t)i };
		found = tsearch(s, &r->string, by_text);
		if (!found)
			exit(q_problem(Q_FAILED, "out of memory"));
		if (*found != s)
			free(s);
	}
	r->strings_room = r->p->n_string_table;
}

static int by_function(const void *a, const void *b)
{
	const Quarry__Function *x = &((const struct function *)a)->key;
	const Quarry__Function *y = &((const struct function *)b)->key;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	if (x->system_name != y->system_name)
		return x->system_name < y->system_name ? -1 : 1;
	if (x->filename != y->filename)
		return x->filename < y->filename ? -1 : 1;
	return x->start_line < y->start_line ? -1 : x->start_line > y->start_line;
}

static uint64_t function(struct rewriting *r, int64_t name, int64_t system_name, int64_t file,
			 int64_t start_line)
{
	struct function *f = q_alloc(sizeof(*f)), **found;
	Quarry__Profile *p = r->p;
	Quarry__Function *new;

	quarry__function__init(&f->key);
	f->key.name = name;
	f->key.system_name = system_name;
	f->key.filename = file;
	f->key.start_line = start_line;
	found = tsearch(f, &r->function, by_function);
	if (!found)
		exit(q_problem(Q_FAILED, "out of memory"));
	if (*found != f) {
		free(f);
		return (*found)->id;
	}
	if (p->n_function == r->room) {
		r->room = 2 * r->room + 64;
		p->function = q_realloc(p->function, r->room * sizeof(*p->function));
	}
	new = q_alloc(sizeof(*new));
	*new = f->key;
	f->id = new->id = p->n_function + 1;
	p->function[p->n_function++] = new;
	return f->id;
}

/* --- Old functions --- */

static int by_id(const void *a, const void *b)
{
	uint64_t x = (*(Quarry__Function *const *)a)->id, y = (*(Quarry__Function *const *)b)->id;

	return x < y ? -1 : x > y;
}

static const Quarry__Function *old_function(const struct rewriting *r, uint64_t id)
{
	Quarry__Function key = { .id = id }, *at = &key, **found = NULL;

	if (r->olds)
		found = bsearch(&at, r->old, r->olds, sizeof(*r->old), by_id);
	return found ? *found : NULL;
}

/* --- Locations --- */

static void keep_lines(struct rewriting *r, Quarry__Location *at)
{
	for (size_t i = 0; i < at->n_line; i++) {
		const Quarry__Function *f = old_function(r, at->line[i]->function_id);

		at->line[i]->function_id = f ? function(r, f->name, f->system_name, f->filename,
							f->start_line) :
					       0;
	}
}

/* The number of a location's mapping, or -1. */
static int mapping_of(const struct rewriting *r, const Quarry__Location *at)
{
	for (size_t i = 0; i < r->p->n_mapping; i++)
		if (r->p->mapping[i]->id == at->mapping_id)
			return (int)i;
	return -1;
}

static void replace_lines(struct rewriting *r, Quarry__Location *at, const struct q_frame *frame,
			  unsigned int nr)
{
	const Quarry__Function *old = at->n_line ?
					      old_function(r,
							   at->line[at->n_line - 1]->function_id) :
					      NULL;
	Quarry__Line **line = q_alloc(nr * sizeof(*line));

	for (unsigned int i = 0; i < nr; i++) {
		int64_t name = frame[i].function ? string(r, frame[i].function) :
			       old		 ? old->name :
						   string(r, "(unknown)");
		int64_t system = name, file = frame[i].file ? string(r, frame[i].file) : 0;

		/* The kernel's name, of the function that the others were inlined into. */
		if (old && i == nr - 1)
			system = old->system_name ?: old->name;
		line[i] = q_alloc(sizeof(**line));
		quarry__line__init(line[i]);
		line[i]->function_id = function(r, name, system, file, 0);
		line[i]->line = frame[i].line;
	}
	for (size_t i = 0; i < at->n_line; i++)
		quarry__line__free_unpacked(at->line[i], NULL);
	free(at->line);
	at->line = line;
	at->n_line = nr;
}

static void rewrite(struct rewriting *r)
{
	Quarry__Profile *p = r->p;

	r->old = p->function;
	r->olds = p->n_function;
	if (r->olds)
		qsort(r->old, r->olds, sizeof(*r->old), by_id);
	p->function = NULL;
	p->n_function = 0;
	know_strings(r);
	for (size_t i = 0; i < p->n_location; i++) {
		Quarry__Location *at = p->location[i];
		int map = mapping_of(r, at);
		unsigned int nr = 0;
		const struct q_frame *frame = map < 0 ? NULL :
							q_source_at(r->l, r->mapping[map],
								    at->address, &nr);

		if (nr)
			replace_lines(r, at, frame, nr);
		else
			keep_lines(r, at);
	}
	for (size_t i = 0; i < p->n_mapping; i++) {
		Quarry__Mapping *m = p->mapping[i];

		if (q_source_has(r->l, r->mapping[i]))
			m->has_functions = m->has_filenames = m->has_line_numbers =
				m->has_inline_frames = true;
	}
	for (size_t i = 0; i < r->olds; i++)
		quarry__function__free_unpacked(r->old[i], NULL);
	free(r->old);
	tdestroy(r->string, free);
	tdestroy(r->function, free);
}

/* --- The whole --- */

static const char *text_of(const Quarry__Profile *p, int64_t index)
{
	return index < 0 || (uint64_t)index >= p->n_string_table ? "" : p->string_table[index];
}

static void find_lines(struct rewriting *r, const struct q_debug_places *places)
{
	Quarry__Profile *p = r->p;

	r->l = q_source_new();
	r->mapping = q_alloc(p->n_mapping * sizeof(*r->mapping) + 1);
	for (size_t i = 0; i < p->n_mapping; i++)
		r->mapping[i] = q_source_mapping(r->l, text_of(p, p->mapping[i]->filename),
						 text_of(p, p->mapping[i]->build_id),
						 p->mapping[i]->memory_start);
	for (size_t i = 0; i < p->n_location; i++) {
		int map = mapping_of(r, p->location[i]);

		if (map >= 0)
			q_source_want(r->l, r->mapping[map], p->location[i]->address);
	}
	q_source_find(r->l, places);
}

const char *q_source_into_pprof(char **data, size_t *size, const struct q_debug_places *places,
				char **problem)
{
	struct rewriting r = { 0 };

	*problem = NULL;
	r.p = quarry__profile__unpack(NULL, *size, (unsigned char *)*data);
	if (!r.p)
		return "it is not in pprof's format";
	if (!r.p->n_sample_type || !r.p->n_string_table) {
		quarry__profile__free_unpacked(r.p, NULL);
		return "it has no values";
	}
	find_lines(&r, places);
	if (q_source_problem(r.l))
		*problem = q_strdup(q_source_problem(r.l));
	rewrite(&r);
	q_source_free(r.l);
	free(r.mapping);
	free(*data);
	*size = quarry__profile__get_packed_size(r.p);
	*data = q_realloc(NULL, *size + 1);
	quarry__profile__pack(r.p, (unsigned char *)*data);
	(*data)[*size] = '\0';
	quarry__profile__free_unpacked(r.p, NULL);
	return NULL;
}
