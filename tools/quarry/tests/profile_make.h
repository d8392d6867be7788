/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes a small profile in pprof's format, for tests.  Everything has a number, from 1 on in the
 * order in which it came; a test may change what it made before it packs the profile.
 */
#ifndef PROFILE_MAKE_H
#define PROFILE_MAKE_H

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/profile.pb-c.h"

#define MAKE_MOST    8 /* of each kind, and frames of a sample */
#define MAKE_LABELS  3 /* of a sample */
#define MAKE_STRINGS 32

struct make {
	Quarry__Profile p;
	char *string[MAKE_STRINGS];
	Quarry__ValueType type[MAKE_MOST], *types[MAKE_MOST];
	Quarry__Mapping mapping[MAKE_MOST], *mappings[MAKE_MOST];
	Quarry__Function function[MAKE_MOST], *functions[MAKE_MOST];
	Quarry__Line line[MAKE_MOST], *lines[MAKE_MOST];
	Quarry__Location location[MAKE_MOST], *locations[MAKE_MOST];
	Quarry__Sample sample[MAKE_MOST], *samples[MAKE_MOST];
	uint64_t frame[MAKE_MOST][MAKE_MOST];
	int64_t value[MAKE_MOST][MAKE_MOST];
	Quarry__Label label[MAKE_MOST][MAKE_LABELS], *labels[MAKE_MOST][MAKE_LABELS];
};

static inline void make_begin(struct make *m)
{
	memset(m, 0, sizeof(*m));
	quarry__profile__init(&m->p);
	m->p.string_table = m->string;
	m->p.sample_type = m->types;
	m->p.mapping = m->mappings;
	m->p.function = m->functions;
	m->p.location = m->locations;
	m->p.sample = m->samples;
	m->string[m->p.n_string_table++] = (char *)"";
}

/* The place of one more element. */
static inline size_t make_room(size_t *nr, size_t most)
{
	if (*nr == most)
		abort();
	return (*nr)++;
}

/* The number of a string, which must outlive the profile. */
static inline int64_t make_string(struct make *m, const char *s)
{
	size_t i;

	for (i = 0; i < m->p.n_string_table; i++)
		if (!strcmp(m->string[i], s))
			return (int64_t)i;
	m->string[make_room(&m->p.n_string_table, MAKE_STRINGS)] = (char *)s;
	return (int64_t)i;
}

static inline Quarry__ValueType *make_type(struct make *m, const char *type, const char *unit)
{
	size_t i = make_room(&m->p.n_sample_type, MAKE_MOST);

	m->types[i] = &m->type[i];
	quarry__value_type__init(&m->type[i]);
	m->type[i].type = make_string(m, type);
	m->type[i].unit = make_string(m, unit);
	return &m->type[i];
}

static inline Quarry__Mapping *make_mapping(struct make *m, const char *file)
{
	size_t i = make_room(&m->p.n_mapping, MAKE_MOST);

	m->mappings[i] = &m->mapping[i];
	quarry__mapping__init(&m->mapping[i]);
	m->mapping[i].id = i + 1;
	m->mapping[i].filename = make_string(m, file);
	return &m->mapping[i];
}

/* A function with its line; one that is there is not made again. */
static inline Quarry__Line *make_function(struct make *m, const char *name)
{
	int64_t string = make_string(m, name);
	size_t i;

	for (i = 0; i < m->p.n_function; i++)
		if (m->function[i].name == string)
			return &m->line[i];
	i = make_room(&m->p.n_function, MAKE_MOST);
	m->functions[i] = &m->function[i];
	m->lines[i] = &m->line[i];
	quarry__function__init(&m->function[i]);
	quarry__line__init(&m->line[i]);
	m->function[i].id = i + 1;
	m->function[i].name = m->function[i].system_name = string;
	m->line[i].function_id = i + 1;
	return &m->line[i];
}

/* A place in @function, of a mapping by its number or, with 0, of none. */
static inline Quarry__Location *make_location(struct make *m, const char *function,
					      uint64_t mapping)
{
	size_t i = make_room(&m->p.n_location, MAKE_MOST);

	m->locations[i] = &m->location[i];
	quarry__location__init(&m->location[i]);
	m->location[i].id = i + 1;
	m->location[i].mapping_id = mapping;
	m->location[i].n_line = 1;
	m->location[i].line = &m->lines[make_function(m, function) - m->line];
	return &m->location[i];
}

/* A sample with the numbers of @n locations, the leaf first, and a value for each type, behind them. */
static inline Quarry__Sample *make_sample(struct make *m, size_t n, const uint64_t *frames, ...)
{
	size_t i = make_room(&m->p.n_sample, MAKE_MOST);
	va_list values;

	if (n > MAKE_MOST)
		abort();
	m->samples[i] = &m->sample[i];
	quarry__sample__init(&m->sample[i]);
	m->sample[i].n_location_id = n;
	m->sample[i].location_id = memcpy(m->frame[i], frames, n * sizeof(*frames));
	m->sample[i].n_value = m->p.n_sample_type;
	m->sample[i].value = m->value[i];
	m->sample[i].label = m->labels[i];
	va_start(values, frames);
	for (size_t v = 0; v < m->p.n_sample_type; v++)
		m->value[i][v] = va_arg(values, int64_t);
	va_end(values);
	return &m->sample[i];
}

static inline Quarry__Label *make_label(struct make *m, Quarry__Sample *s, const char *key,
					const char *value)
{
	size_t sample = (size_t)(s - m->sample), i = make_room(&s->n_label, MAKE_LABELS);
	Quarry__Label *label = &m->label[sample][i];

	m->labels[sample][i] = label;
	quarry__label__init(label);
	label->key = make_string(m, key);
	label->str = make_string(m, value);
	return label;
}

/* The packed profile, which the caller frees. */
static inline unsigned char *make_end(const struct make *m, size_t *size)
{
	unsigned char *data = malloc(quarry__profile__get_packed_size(&m->p));

	if (!data)
		abort();
	*size = quarry__profile__pack(&m->p, data);
	return data;
}

#endif
