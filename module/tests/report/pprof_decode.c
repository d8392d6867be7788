// SPDX-License-Identifier: GPL-2.0
/* A decoder of profile.proto for the tests. */
#include "tests/report/pprof_decode.h"

#include <linux/string.h>
#include "tests/kunit_util.h"

#define MAX_FIELD 15

/* The bytes that are still to be read, and the field that was read last. */
struct cursor {
	struct kunit *test;
	const u8 *at;
	const u8 *end;
	unsigned int field;
	bool nested;
	u64 v;		/* value of the field, or its length if it is nested */
	const u8 *data; /* bytes of the field, if it is nested */
};

static u64 varint(struct cursor *c)
{
	unsigned int shift = 0;
	u64 v = 0;
	u8 byte;

	do {
		KUNIT_ASSERT_LT_MSG(c->test, (unsigned long)c->at, (unsigned long)c->end,
				    "a number goes on behind its message");
		KUNIT_ASSERT_LT_MSG(c->test, shift, 64, "a number of more than 64 bits");
		byte = *c->at++;
		v |= (u64)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	KUNIT_ASSERT_TRUE_MSG(c->test, byte || shift == 7, "a number is longer than needed");
	return v;
}

static bool next(struct cursor *c)
{
	u64 tag;

	if (c->at == c->end)
		return false;
	tag = varint(c);
	c->field = tag >> 3;
	KUNIT_ASSERT_GE(c->test, c->field, 1);
	KUNIT_ASSERT_LE(c->test, c->field, MAX_FIELD);
	KUNIT_ASSERT_TRUE_MSG(c->test, (tag & 7) == 0 || (tag & 7) == 2, "wire type %llu", tag & 7);
	c->nested = (tag & 7) == 2;
	c->v = varint(c);
	if (c->nested) {
		KUNIT_ASSERT_LE_MSG(c->test, c->v, c->end - c->at,
				    "field %u is longer than what it is in", c->field);
		c->data = c->at;
		c->at += c->v;
	}
	return true;
}

static struct cursor within(const struct cursor *c)
{
	KUNIT_ASSERT_TRUE_MSG(c->test, c->nested, "field %u is no message", c->field);
	return (struct cursor){ .test = c->test, .at = c->data, .end = c->data + c->v };
}

static struct cursor start(struct kunit *test, const u8 *data, size_t size)
{
	return (struct cursor){ .test = test, .at = data, .end = data + size };
}

static const char *string_at(const struct pd_profile *d, const struct cursor *c)
{
	KUNIT_ASSERT_FALSE(c->test, c->nested);
	KUNIT_ASSERT_LT_MSG(c->test, c->v, d->nr_strings, "no such string");
	return d->string[c->v];
}

static void read_strings(struct kunit *test, struct pd_profile *d, const u8 *data, size_t size)
{
	struct cursor c = start(test, data, size);
	u64 n = 0, samples = 0, functions = 0;
	char *text;

	while (next(&c)) {
		n += c.field == 6;
		samples += c.field == 2;
		functions += c.field == 5;
	}
	d->string = qt_array(test, n, sizeof(d->string[0]));
	d->sample = qt_array(test, samples + 1, sizeof(d->sample[0]));
	d->function = qt_array(test, functions + 1, sizeof(d->function[0]));
	/* Room for all strings, with a zero behind each. */
	text = qt_array(test, size + n, 1);
	c = start(test, data, size);
	while (next(&c)) {
		if (c.field != 6)
			continue;
		KUNIT_ASSERT_TRUE(test, c.nested);
		memcpy(text, c.data, c.v);
		d->string[d->nr_strings++] = text;
		text += c.v + 1;
	}
	KUNIT_ASSERT_GT(test, d->nr_strings, 0);
	KUNIT_ASSERT_STREQ(test, "", d->string[0]);
}

static void read_type(struct pd_profile *d, struct cursor c)
{
	KUNIT_ASSERT_LT(c.test, d->nr_types, PD_VALUES);
	while (next(&c)) {
		const char *s = string_at(d, &c);

		if (c.field == 1)
			d->type[d->nr_types] = s;
		else
			KUNIT_EXPECT_TRUE(c.test, !strcmp(s, "count") || !strcmp(s, "bytes"));
	}
	KUNIT_ASSERT_NOT_NULL(c.test, d->type[d->nr_types]);
	d->nr_types++;
}

static void read_mapping(struct pd_profile *d, struct cursor c)
{
	struct pd_mapping *m = &d->mapping[++d->nr_mappings];
	u64 id = 0;

	KUNIT_ASSERT_LT(c.test, d->nr_mappings, PD_MAPPINGS);
	while (next(&c)) {
		switch (c.field) {
		case 1:
			id = c.v;
			break;
		case 2:
			m->start = c.v;
			break;
		case 3:
			m->limit = c.v;
			break;
		case 5:
			m->file = string_at(d, &c);
			break;
		case 6:
			m->build_id = string_at(d, &c);
			break;
		}
	}
	KUNIT_ASSERT_EQ_MSG(c.test, id, d->nr_mappings, "mappings out of order");
	KUNIT_ASSERT_LT(c.test, m->start, m->limit);
	KUNIT_ASSERT_NOT_NULL(c.test, m->file);
}

static void read_location(struct pd_profile *d, struct cursor c, u64 *functions)
{
	u64 id = 0, mapping = 0, address = 0;
	struct cursor line;

	while (next(&c)) {
		switch (c.field) {
		case 1:
			id = c.v;
			break;
		case 2:
			mapping = c.v;
			break;
		case 3:
			address = c.v;
			break;
		case 4:
			line = within(&c);
			KUNIT_ASSERT_TRUE(c.test, next(&line) && line.field == 1);
			*functions = max(*functions, line.v);
			break;
		}
	}
	KUNIT_ASSERT_EQ_MSG(c.test, id, ++d->nr_locations, "locations out of order");
	KUNIT_ASSERT_GE(c.test, mapping, 1);
	KUNIT_ASSERT_LE(c.test, mapping, d->nr_mappings);
	KUNIT_ASSERT_GE(c.test, address, d->mapping[mapping].start);
	KUNIT_ASSERT_LT(c.test, address, d->mapping[mapping].limit);
}

static void read_function(struct pd_profile *d, struct cursor c)
{
	const char *name = NULL;
	u64 id = 0;

	while (next(&c)) {
		if (c.field == 1)
			id = c.v;
		else if (c.field == 2)
			name = string_at(d, &c);
	}
	KUNIT_ASSERT_EQ_MSG(c.test, id, ++d->nr_functions, "functions out of order");
	KUNIT_ASSERT_NOT_NULL(c.test, name);
	KUNIT_ASSERT_NE(c.test, '\0', name[0]);
	d->function[id] = name;
}

static void read_label(struct pd_profile *d, struct pd_sample *s, struct cursor c)
{
	const char *key = NULL, *value = "";

	while (next(&c)) {
		if (c.field == 1)
			key = string_at(d, &c);
		else if (c.field == 2)
			value = string_at(d, &c);
	}
	KUNIT_ASSERT_NOT_NULL(c.test, key);
	if (!strcmp(key, "cache")) {
		KUNIT_ASSERT_NULL_MSG(c.test, s->cache, "two labels of one key");
		s->cache = value;
	} else if (!strcmp(key, "age")) {
		s->age = value;
	} else if (!strcmp(key, "labels")) {
		s->other = !strcmp(value, "other");
	}
}

static void read_sample(struct pd_profile *d, struct cursor c)
{
	struct pd_sample *s = &d->sample[d->nr_samples++];
	unsigned int locations = 0, values = 0;
	struct cursor packed;
	u64 id;

	while (next(&c)) {
		packed = within(&c);
		switch (c.field) {
		case 1:
			for (; packed.at < packed.end; locations++) {
				id = varint(&packed);
				KUNIT_ASSERT_GE(c.test, id, 1);
				KUNIT_ASSERT_LE(c.test, id, d->nr_locations);
			}
			break;
		case 2:
			for (; packed.at < packed.end; values++) {
				KUNIT_ASSERT_LT(c.test, values, PD_VALUES);
				s->value[values] = varint(&packed);
			}
			break;
		case 3:
			read_label(d, s, packed);
			break;
		}
	}
	KUNIT_ASSERT_GT(c.test, locations, 0);
	KUNIT_ASSERT_EQ(c.test, values, d->nr_types);
}

struct pd_profile *pd_decode(struct kunit *test, const struct qr_text *t)
{
	struct pd_profile *d = qt_array(test, 1, sizeof(*d));
	size_t size = qr_text_size(t);
	u8 *data = qt_array(test, size, 1);
	u64 functions = 0;
	struct cursor c;

	KUNIT_ASSERT_EQ(test, size, qr_text_copy(t, 0, data, size));
	read_strings(test, d, data, size);
	/* Locations and samples are read in later passes: fields may come in any order. */
	for (c = start(test, data, size); next(&c);) {
		switch (c.field) {
		case 1:
			read_type(d, within(&c));
			break;
		case 3:
			read_mapping(d, within(&c));
			break;
		case 5:
			read_function(d, within(&c));
			break;
		case 9:
			d->time = c.v;
			break;
		case 10:
			d->duration = c.v;
			break;
		case 12:
			d->period = c.v;
			break;
		case 14:
			d->first = string_at(d, &c);
			break;
		}
	}
	for (c = start(test, data, size); next(&c);)
		if (c.field == 4)
			read_location(d, within(&c), &functions);
	KUNIT_ASSERT_EQ_MSG(test, functions, d->nr_functions, "functions that nobody uses");
	for (c = start(test, data, size); next(&c);)
		if (c.field == 2)
			read_sample(d, within(&c));
	return d;
}

bool pd_has_function(const struct pd_profile *d, const char *name)
{
	u64 i;

	for (i = 1; i <= d->nr_functions; i++)
		if (!strcmp(d->function[i], name))
			return true;
	return false;
}
