// SPDX-License-Identifier: GPL-2.0
/* Names and texts that would give orders to a terminal. */
#include "tests/tap.h"

#include <stdlib.h>
#include "lib/clean.h"
#include "lib/debugfs.h"
#include "lib/pprof.h"
#include "lib/profile.pb-c.h"
#include "lib/table.h"

static void name(const char *from, const char *want, const char *what)
{
	char *s = q_strdup(from);

	q_clean_name(s);
	same_text(s, want, what);
	free(s);
}

static void names(void)
{
	name("leak_session [leaky]", "leak_session [leaky]", "a name stays");
	name("", "", "nothing stays");
	name("a\x1b[2Jb", "a?[2Jb", "an escape");
	name("a\nb\tc\x7f", "a?b?c?", "a line, a tab, a delete");
	name("sch\xc3\xb6n \xe2\x82\xac \xf0\x9f\x98\x80",
	     "sch\xc3\xb6n \xe2\x82\xac \xf0\x9f\x98\x80", "letters of other languages stay");
	name("\xc2\x9b[", "??[", "an escape of one character");
	name("a\xc3", "a?", "half a character at the end");
	name("a\xe2\x82z", "a??z", "half a character in the middle");
	name("\xc0\xaf", "??", "a character of too many bytes");
	name("\xed\xa0\x80", "???", "half of a pair");
	name("\xf4\x90\x80\x80\xff", "?????", "beyond the last character");
}

/* Each reader of the library cleans what it reads. */
static void readers(void)
{
	struct q_values v;
	struct q_lines l;

	q_values_parse(&v, q_strdup("reason a\x1b]0;b\nbytes 1\n"));
	same_text(q_value_text(&v, "reason"), "a?]0;b", "a value");
	same(q_value(&v, "bytes"), 1, "lines stay lines");
	q_values_free(&v);
	q_lines_parse(&l, q_strdup("#name\tsize\na\x1b[1m\t64\n"));
	same_text(q_line_text(&l, 0, "name"), "a?[1m", "a cell");
	same(q_line_number(&l, 0, "size"), 64, "cells stay cells");
	q_lines_free(&l);
}

static void profile(void)
{
	char *table[] = { "", "inuse_space", "bytes", "evil\x1b[2J", "cache", "two\nlines" };
	int64_t value = 1;
	uint64_t id = 1;
	Quarry__ValueType type = QUARRY__VALUE_TYPE__INIT, *types[] = { &type };
	Quarry__Function function = QUARRY__FUNCTION__INIT, *functions[] = { &function };
	Quarry__Line line = QUARRY__LINE__INIT, *lines[] = { &line };
	Quarry__Location location = QUARRY__LOCATION__INIT, *locations[] = { &location };
	Quarry__Label label = QUARRY__LABEL__INIT, *labels[] = { &label };
	Quarry__Sample sample = QUARRY__SAMPLE__INIT, *samples[] = { &sample };
	Quarry__Profile p = QUARRY__PROFILE__INIT;
	struct q_pprof read;
	uint8_t *data;
	size_t size;

	type.type = 1;
	type.unit = 2;
	function.id = 1;
	function.name = 3;
	line.function_id = 1;
	location.id = 1;
	location.n_line = 1;
	location.line = lines;
	label.key = 4;
	label.str = 5;
	sample.n_location_id = 1;
	sample.location_id = &id;
	sample.n_value = 1;
	sample.value = &value;
	sample.n_label = 1;
	sample.label = labels;
	p.n_sample_type = 1;
	p.sample_type = types;
	p.n_sample = 1;
	p.sample = samples;
	p.n_function = 1;
	p.function = functions;
	p.n_location = 1;
	p.location = locations;
	p.n_string_table = 6;
	p.string_table = table;
	size = quarry__profile__get_packed_size(&p);
	data = q_alloc(size);
	quarry__profile__pack(&p, data);
	ok(!q_pprof_parse(&read, data, size), "a profile with such names is read");
	same(read.sites, 1, "its site");
	same_text(read.site[0].stack, "evil?[2J", "its function");
	same_text(read.site[0].cache, "two?lines", "its cache");
	q_pprof_free(&read);
	free(data);
}

int main(void)
{
	names();
	readers();
	profile();
	return tap_end();
}
