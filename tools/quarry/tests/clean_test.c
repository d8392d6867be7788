// SPDX-License-Identifier: GPL-2.0
/* Names and texts that would give orders to a terminal. */
#include "tests/tap.h"

#include <stdlib.h>
#include "lib/clean.h"
#include "lib/debugfs.h"
#include "lib/pprof.h"
#include "lib/table.h"
#include "tests/profile_make.h"

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
	struct q_pprof read;
	struct make m;
	unsigned char *data;
	size_t size;

	make_begin(&m);
	make_type(&m, "inuse_space", "bytes");
	make_location(&m, "evil\x1b[2J", 0);
	make_label(&m, make_sample(&m, 1, (uint64_t[]){ 1 }, INT64_C(1)), "cache", "two\nlines");
	data = make_end(&m, &size);
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
