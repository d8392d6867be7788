/* SPDX-License-Identifier: GPL-2.0 */
/* The module's files in debugfs: "name value" lines, and tables whose first line names columns. */
#ifndef Q_DEBUGFS_H
#define Q_DEBUGFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole of a file, with a zero at its end; NULL after a message, and *@status says why. */
char *q_read_file(const char *path, size_t *size, int *status);

/* The same without a message: NULL, and errno. */
char *q_try_file(const char *path, size_t *size);

/* Of the module's folder: the path is made by @fmt.  A buffer that the next call uses again. */
const char *q_debugfs_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Write @text into a file there.  An exit status. */
int q_debugfs_write(const char *file, const char *text);

/**
 * struct q_values - a file of "name value" lines
 * @text: the file, cut into strings
 * @name: names
 * @value: what stands behind each
 * @nr: how many
 */
struct q_values {
	char *text;
	char **name;
	char **value;
	unsigned int nr;
};

int q_values_read(struct q_values *v, const char *file);
void q_values_parse(struct q_values *v, char *text);
void q_values_free(struct q_values *v);

/* The number of @name, 0 if there is none, INT64_MAX for "max". */
int64_t q_value(const struct q_values *v, const char *name);
const char *q_value_text(const struct q_values *v, const char *name);

/**
 * struct q_lines - a table
 * @text: the file, cut into words
 * @column: names of columns
 * @columns: how many
 * @cell: the words of all lines, one after the other
 * @nr: lines
 *
 * Lines that begin with "#", but the first, are left out.
 */
struct q_lines {
	char *text;
	char **column;
	unsigned int columns;
	char **cell;
	unsigned int nr;
};

int q_lines_read(struct q_lines *l, const char *file);
void q_lines_parse(struct q_lines *l, char *text);
void q_lines_free(struct q_lines *l);

/* The word of a line in the column @name; "" if the module has no such column. */
const char *q_line_text(const struct q_lines *l, unsigned int line, const char *name);
int64_t q_line_number(const struct q_lines *l, unsigned int line, const char *name);

/* Like q_line_number(), for a column with one decimal: in thousandths if the column is per cent. */
int64_t q_line_permille(const struct q_lines *l, unsigned int line, const char *name);

#endif
