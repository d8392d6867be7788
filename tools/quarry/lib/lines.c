// SPDX-License-Identifier: GPL-2.0
#include "lib/lines.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/problem.h"
#include "lib/table.h"

#define KERNEL "vmlinux"

/**
 * struct mapping - code of one file
 * @name: of the module, or KERNEL
 * @build_id: NULL if it is not known
 * @start: its first address
 * @has: a file with debug information was found
 */
struct mapping {
	char *name;
	char *build_id;
	uint64_t start;
	bool has;
};

/**
 * struct place - an address
 * @mapping: its mapping's number
 * @address: in the profile
 * @first: index of its first frame
 * @frames: how many it has
 */
struct place {
	unsigned int mapping;
	uint64_t address;
	unsigned int first;
	unsigned int frames;
};

/**
 * struct q_source - all addresses of a profile
 * @mapping: its code
 * @mappings: how many
 * @place: its addresses, sorted and each once after q_source_find()
 * @places: how many
 * @room: of @place
 * @frame: of all addresses
 * @frames: how many
 * @frame_room: of @frame
 * @text: each name of a function or a file once, as a tree of tsearch(3)
 * @problem: see q_source_problem()
 */
struct q_source {
	struct mapping *mapping;
	unsigned int mappings;
	struct place *place;
	size_t places;
	size_t room;
	struct q_frame *frame;
	unsigned int frames;
	unsigned int frame_room;
	void *text;
	char *problem;
};

struct q_source *q_source_new(void)
{
	return q_alloc(sizeof(struct q_source));
}

void q_source_free(struct q_source *l)
{
	for (unsigned int i = 0; i < l->mappings; i++) {
		free(l->mapping[i].name);
		free(l->mapping[i].build_id);
	}
	tdestroy(l->text, free);
	free(l->mapping);
	free(l->place);
	free(l->frame);
	free(l->problem);
	free(l);
}

unsigned int q_source_mapping(struct q_source *l, const char *file, const char *build_id,
			      uint64_t start)
{
	size_t len = strlen(file);
	struct mapping *m;

	l->mapping = q_realloc(l->mapping, (l->mappings + 1) * sizeof(*l->mapping));
	m = &l->mapping[l->mappings];
	*m = (struct mapping){ .start = start };
	if (len > 3 && !strcmp(file + len - 3, ".ko")) {
		m->name = q_strdup(file);
		m->name[len - 3] = '\0';
	} else {
		m->name = q_strdup(KERNEL);
	}
	/* Only hexadecimal digits, because a build id becomes a part of the names of files. */
	if (*build_id && !build_id[strspn(build_id, "0123456789abcdef")])
		m->build_id = q_strdup(build_id);
	return l->mappings++;
}

void q_source_want(struct q_source *l, unsigned int mapping, uint64_t address)
{
	if (!l->mapping[mapping].build_id || address < l->mapping[mapping].start)
		return;
	if (l->places == l->room) {
		l->room = l->room ? 2 * l->room : 1024;
		l->place = q_realloc(l->place, l->room * sizeof(*l->place));
	}
	l->place[l->places++] = (struct place){ .mapping = mapping, .address = address };
}

/* --- Finding them --- */

static int by_address(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->mapping != y->mapping)
		return x->mapping < y->mapping ? -1 : 1;
	return x->address < y->address ? -1 : x->address > y->address;
}

static void sort_places(struct q_source *l)
{
	size_t to = 0;

	if (!l->places)
		return;
	qsort(l->place, l->places, sizeof(*l->place), by_address);
	for (size_t i = 1; i < l->places; i++)
		if (by_address(&l->place[to], &l->place[i]))
			l->place[++to] = l->place[i];
	l->places = to + 1;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* A copy of @text that lives as long as @l. */
static const char *keep(struct q_source *l, const char *text)
{
	char **found, *copy;

	if (!text)
		return NULL;
	found = tfind(text, &l->text, by_text);
	if (found)
		return *found;
	copy = q_strdup(text);
	if (!tsearch(copy, &l->text, by_text))
		exit(q_problem(Q_FAILED, "out of memory"));
	return copy;
}

/* Is the file a header of Quarry's, whose inline functions are the beginning of an allocation? */
static bool is_quarry_header(const char *file)
{
	static const char dir[] = "include/quarry/";
	const char *at = NULL, *next = file;
	size_t len;

	while (next && (next = strstr(next, dir))) {
		if (next == file || next[-1] == '/')
			at = next + sizeof(dir) - 1;
		next++;
	}
	if (!at || strchr(at, '/'))
		return false;
	len = strlen(at);
	return len > 2 && !strcmp(at + len - 2, ".h");
}

static void add_frames(struct q_source *l, struct place *place, const struct q_frame *frame,
		       unsigned int nr)
{
	unsigned int skip = 0;

	while (skip + 1 < nr && frame[skip].file && is_quarry_header(frame[skip].file))
		skip++;
	if (l->frames + nr > l->frame_room) {
		l->frame_room = 2 * (l->frame_room + nr);
		l->frame = q_realloc(l->frame, l->frame_room * sizeof(*l->frame));
	}
	place->first = l->frames;
	place->frames = nr - skip;
	for (unsigned int i = skip; i < nr; i++)
		l->frame[l->frames++] = (struct q_frame){
			.function = keep(l, frame[i].function),
			.file = keep(l, frame[i].file),
			.line = frame[i].line,
		};
}

/* The places from @place to @end, which are of one mapping. */
static void read_file(struct q_source *l, struct q_debug_want *want, struct place *place,
		      const struct place *end)
{
	struct q_frame frame[Q_DWARF_FRAMES];
	const char *why;
	struct q_dwarf *d = q_dwarf_open(want->path, &why);
	struct mapping *m = &l->mapping[place->mapping];
	unsigned int nr;

	if (!d) {
		q_debug_note(want, Q_DEBUG_DAMAGED, "%s is damaged: %s", want->path, why);
		return;
	}
	for (; place < end; place++) {
		nr = q_dwarf_frames(d, place->address - m->start, frame);
		if (nr)
			add_frames(l, place, frame, nr);
	}
	m->has = true;
	if (q_dwarf_damage(d))
		q_debug_note(want, Q_DEBUG_DAMAGED, "%s is damaged: %s", want->path,
			     q_dwarf_damage(d));
	q_dwarf_close(d);
}

/* The one sentence that is shown: on damage, or if what the user named is of no use. */
static void choose_problem(struct q_source *l, struct q_debug_want *want,
			   const struct q_debug_places *places)
{
	struct q_debug_want *most = NULL;
	bool any = false;

	for (unsigned int i = 0; i < l->mappings; i++) {
		any |= l->mapping[i].has;
		if (want[i].text && (!most || want[i].reason > most->reason))
			most = &want[i];
	}
	if (most) {
		l->problem = most->text;
		most->text = NULL;
	} else if (places->dirs && !any &&
		   asprintf(&l->problem, "%s%s has no file with a build id of this profile",
			    places->dir[0], places->dirs > 1 ? " and the other folders" : "") < 0) {
		exit(q_problem(Q_FAILED, "out of memory"));
	}
}

void q_source_find(struct q_source *l, const struct q_debug_places *places)
{
	struct q_debug_want *want = q_alloc(l->mappings * sizeof(*want) + 1);
	size_t i = 0, end;

	sort_places(l);
	for (size_t p = 0; p < l->places; p++) {
		const struct mapping *m = &l->mapping[l->place[p].mapping];

		want[l->place[p].mapping].name = m->name;
		want[l->place[p].mapping].build_id = m->build_id;
	}
	q_debug_find(want, l->mappings, places);
	for (; i < l->places; i = end) {
		struct q_debug_want *w = &want[l->place[i].mapping];

		for (end = i; end < l->places; end++)
			if (l->place[end].mapping != l->place[i].mapping)
				break;
		if (!w->path)
			continue;
		/* Whatever is wrong with other files does not matter. */
		free(w->text);
		w->text = NULL;
		w->reason = Q_DEBUG_NONE;
		read_file(l, w, &l->place[i], &l->place[end]);
	}
	choose_problem(l, want, places);
	for (unsigned int m = 0; m < l->mappings; m++) {
		free(want[m].path);
		free(want[m].text);
	}
	free(want);
}

const struct q_frame *q_source_at(const struct q_source *l, unsigned int mapping, uint64_t address,
				  unsigned int *nr)
{
	const struct place key = { .mapping = mapping, .address = address }, *found = NULL;

	if (l->places)
		found = bsearch(&key, l->place, l->places, sizeof(*l->place), by_address);
	*nr = found ? found->frames : 0;
	return *nr ? &l->frame[found->first] : NULL;
}

bool q_source_has(const struct q_source *l, unsigned int mapping)
{
	return l->mapping[mapping].has;
}

const char *q_source_problem(const struct q_source *l)
{
	return l->problem;
}
