// SPDX-License-Identifier: GPL-2.0
/* The module's texts: values and tables, also such as no module writes. */
#include "tests/tap.h"

#include "lib/debugfs.h"
#include "lib/table.h"

static void values(void)
{
	struct q_values v;

	q_values_parse(&v, q_strdup("live_bytes       4096\nhard_limit_bytes max\n"
				    "verdict ok and more\n\nodd\n"));
	same(v.nr, 3, "lines without a value are left out");
	same(q_value(&v, "live_bytes"), 4096, "a number");
	same(q_value(&v, "hard_limit_bytes"), INT64_MAX, "max");
	same(q_value(&v, "live"), 0, "a name that is the beginning of another one is none");
	same_text(q_value_text(&v, "verdict"), "ok and more", "a text");
	q_values_free(&v);
}

static void lines(void)
{
	struct q_lines l;

	q_lines_parse(&l, q_strdup("#name  id size waste_pct\n"
				   "malloc-64 7   64   12.5\n"
				   "# a comment\n"
				   "short\n"
				   "more 1 2 3 4 5 6\n"));
	same(l.nr, 3, "comments are left out");
	same(l.columns, 4, "columns");
	same_text(q_line_text(&l, 0, "name"), "malloc-64",
		  "the first column's name loses its sign");
	same(q_line_number(&l, 0, "size"), 64, "a number");
	same(q_line_permille(&l, 0, "waste_pct"), 125, "per cent with a decimal");
	same_text(q_line_text(&l, 1, "size"), "", "a line that is too short");
	same(q_line_permille(&l, 2, "waste_pct"), 30,
	     "per cent without one, in a line that is too long");
	same_text(q_line_text(&l, 0, "nothing"), "", "a column that is not there");
	q_lines_free(&l);
	q_lines_parse(&l, q_strdup(""));
	same(l.nr, 0, "an empty file has no lines");
	q_lines_free(&l);
	q_lines_parse(&l, q_strdup("#\nx\n"));
	same(l.nr, 0, "a heading without names");
	q_lines_free(&l);
}

int main(void)
{
	values();
	lines();
	return tap_end();
}
