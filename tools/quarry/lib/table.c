// SPDX-License-Identifier: GPL-2.0
#include "lib/table.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/options.h"
#include "lib/problem.h"

#define SCHEMA 1

void *q_realloc(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p && size)
		exit(q_problem(Q_FAILED, "out of memory"));
	return p;
}

void *q_alloc(size_t size)
{
	return memset(q_realloc(NULL, size), 0, size);
}

char *q_strdup(const char *s)
{
	return strcpy(q_realloc(NULL, strlen(s) + 1), s);
}

struct q_table {
	const struct q_column *columns;
	unsigned int nr;
	unsigned int rows;
	unsigned int room;
	struct q_cell *cells;
};

struct q_table *q_table_new(const struct q_column *columns, unsigned int nr)
{
	struct q_table *t = q_alloc(sizeof(*t));

	t->columns = columns;
	t->nr = nr;
	return t;
}

void q_table_free(struct q_table *t)
{
	for (unsigned int i = 0; i < t->rows * t->nr; i++)
		free((char *)t->cells[i].text);
	free(t->cells);
	free(t);
}

void q_table_add(struct q_table *t, const struct q_cell *cells)
{
	if (t->rows == t->room) {
		t->room = t->room ? 2 * t->room : 16;
		t->cells = q_realloc(t->cells, t->room * t->nr * sizeof(*t->cells));
	}
	for (unsigned int i = 0; i < t->nr; i++) {
		struct q_cell *cell = &t->cells[t->rows * t->nr + i];

		*cell = cells[i];
		if (cell->text)
			cell->text = q_strdup(cell->text);
	}
	t->rows++;
}

unsigned int q_table_rows(const struct q_table *t)
{
	return t->rows;
}

static const char *cell_text(const struct q_table *t, unsigned int row, unsigned int column,
			     char *buf)
{
	const struct q_cell *cell = &t->cells[row * t->nr + column];

	if (t->columns[column].unit == Q_TEXT)
		return cell->text ?: "";
	if (cell->number == Q_UNKNOWN)
		return "-";
	return q_human(buf, t->columns[column].unit, cell->number);
}

void q_table_print(const struct q_table *t, unsigned int most)
{
	unsigned int rows = t->rows < most ? t->rows : most, last = 0, i, row;
	int *width = q_alloc(t->nr * sizeof(*width));
	char buf[Q_HUMAN_LEN];

	for (i = 0; i < t->nr; i++) {
		if (!t->columns[i].head)
			continue;
		last = i;
		width[i] = (int)strlen(t->columns[i].head);
		for (row = 0; row < rows; row++) {
			int len = (int)strlen(cell_text(t, row, i, buf));

			if (len > width[i])
				width[i] = len;
		}
	}
	for (row = 0; row <= rows; row++) {
		if (!row && q_options.colour)
			fputs("\033[1m", stdout);
		for (i = 0; i <= last; i++) {
			const char *text = row ? cell_text(t, row - 1, i, buf) : t->columns[i].head;
			bool left = t->columns[i].unit == Q_TEXT;

			if (!t->columns[i].head)
				continue;
			if (left && i == last)
				fputs(text, stdout);
			else
				printf("%*s", left ? -width[i] : width[i], text);
			if (i < last)
				fputs("  ", stdout);
		}
		if (!row && q_options.colour)
			fputs("\033[0m", stdout);
		putchar('\n');
	}
	free(width);
}

static struct json_object *cell_json(enum q_unit unit, const struct q_cell *cell)
{
	char buf[32];

	if (unit != Q_TEXT && cell->number == Q_UNKNOWN)
		return NULL;
	switch (unit) {
	case Q_TEXT:
		return cell->text ? json_object_new_string(cell->text) : NULL;
	case Q_PERCENT:
		snprintf(buf, sizeof(buf), "%.1f", (double)cell->number / 10);
		return json_object_new_double_s((double)cell->number / 10, buf);
	case Q_BYTES:
		/* No limit. */
		if (cell->number == INT64_MAX)
			return NULL;
		__attribute__((fallthrough));
	default:
		return json_object_new_int64(cell->number);
	}
}

struct json_object *q_table_json(const struct q_table *t, unsigned int most)
{
	struct json_object *rows = json_object_new_array();

	for (unsigned int row = 0; row < t->rows && row < most; row++) {
		struct json_object *o = json_object_new_object();

		for (unsigned int i = 0; i < t->nr; i++)
			json_object_object_add(o, t->columns[i].key,
					       cell_json(t->columns[i].unit,
							 &t->cells[row * t->nr + i]));
		json_object_array_add(rows, o);
	}
	return rows;
}

char *q_json_text(struct json_object *o, const char *command, int flags)
{
	struct json_object *all = json_object_new_object();
	char *text;

	json_object_object_add(all, "schema", json_object_new_int(SCHEMA));
	json_object_object_add(all, "command", json_object_new_string(command));
	json_object_object_foreach(o, key, value)
		json_object_object_add(all, key, json_object_get(value));
	text = q_strdup(
		json_object_to_json_string_ext(all, flags | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(all);
	json_object_put(o);
	return text;
}

static void json_print(struct json_object *o, const char *command, int flags)
{
	char *text = q_json_text(o, command, flags);

	puts(text);
	free(text);
}

void q_json_print(struct json_object *o, const char *command)
{
	json_print(o, command, JSON_C_TO_STRING_PRETTY);
}

void q_json_print_line(struct json_object *o, const char *command)
{
	json_print(o, command, JSON_C_TO_STRING_PLAIN);
}
