/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables and lists of values, printed as text or as JSON.  A command fills one and does not care
 * which.  JSON has exact numbers: bytes, nanoseconds, and per cent with one decimal.
 */
#ifndef Q_TABLE_H
#define Q_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/human.h"

struct json_object;

/**
 * struct q_column - one column
 * @key: its name in JSON
 * @head: its heading in text; NULL: JSON only
 * @unit: what its values are
 */
struct q_column {
	const char *key;
	const char *head;
	enum q_unit unit;
};

/**
 * struct q_cell - one value
 * @text: for Q_TEXT; the table keeps a copy
 * @number: for all others
 */
struct q_cell {
	const char *text;
	int64_t number;
};

#define Q_S(s) ((struct q_cell){ .text = (s) })
#define Q_N(n) ((struct q_cell){ .number = (int64_t)(n) })

/* In place of a number that is not known: "-" in text, null in JSON. */
#define Q_UNKNOWN INT64_MIN

struct q_table;

struct q_table *q_table_new(const struct q_column *columns, unsigned int nr);
void q_table_free(struct q_table *t);

/* Add a row, with one cell for each column. */
void q_table_add(struct q_table *t, const struct q_cell *cells);
unsigned int q_table_rows(const struct q_table *t);

/* Print the first @most rows as text.  Numbers stand to the right; the last text is not cut. */
void q_table_print(const struct q_table *t, unsigned int most);

/* An array of objects. */
struct json_object *q_table_json(const struct q_table *t, unsigned int most);

/* Print @o, with the members every document has (quarry-json(7)), and give it back. */
void q_json_print(struct json_object *o, const char *command);

/* The same in one line, for a command that prints many documents. */
void q_json_print_line(struct json_object *o, const char *command);

/* The same as a text, which is to be freed; @flags: JSON_C_TO_STRING_*. */
char *q_json_text(struct json_object *o, const char *command, int flags);

/* malloc() and strdup() that end the program when there is no memory. */
void *q_alloc(size_t size);
void *q_realloc(void *p, size_t size);
char *q_strdup(const char *s);

#endif
