// SPDX-License-Identifier: GPL-2.0
#include "lib/debugfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/clamp.h"
#include "lib/clean.h"
#include "lib/options.h"
#include "lib/problem.h"
#include "lib/table.h"

const char *q_debugfs_path(const char *fmt, ...)
{
	static char path[4096];
	int n = snprintf(path, sizeof(path), "%s/", q_options.debugfs);
	va_list args;

	va_start(args, fmt);
	if (n < (int)sizeof(path))
		vsnprintf(path + n, sizeof(path) - n, fmt, args);
	va_end(args);
	/* A moment of a recording is one folder without others in it. */
	for (char *s = path + n; q_options.recording && n < (int)sizeof(path) && *s; s++)
		if (*s == '/')
			*s = '.';
	return path;
}

char *q_try_file(const char *path, size_t *size)
{
	size_t room = 65536, used = 0;
	char *text;
	ssize_t n;
	int fd, error;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	text = q_realloc(NULL, room);
	while ((n = read(fd, text + used, room - used - 1))) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error = errno;
			free(text);
			close(fd);
			errno = error;
			return NULL;
		}
		used += (size_t)n;
		if (room - used < room / 2) {
			room *= 2;
			text = q_realloc(text, room);
		}
	}
	close(fd);
	text[used] = '\0';
	if (size)
		*size = used;
	return text;
}

char *q_read_file(const char *path, size_t *size, int *status)
{
	char *text = q_try_file(path, size);

	*status = text ? Q_OK : q_cannot_open(path);
	return text;
}

int q_debugfs_write(const char *file, const char *text)
{
	const char *path = q_debugfs_path("%s", file);
	int fd, status = Q_OK;

	if (q_options.recording)
		return q_problem(Q_USAGE, "a recording cannot be changed");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return q_cannot_open(path);
	if (write(fd, text, strlen(text)) < 0) {
		if (errno == EINVAL || errno == ERANGE)
			status = q_problem(Q_USAGE, "the module does not take \"%s\" for %s: %s",
					   text, file, strerror(errno));
		else
			status = q_cannot_open(path);
	}
	close(fd);
	return status;
}

/* --- Values --- */

void q_values_parse(struct q_values *v, char *text)
{
	unsigned int room = 0;
	char *line, *save;

	*v = (struct q_values){ .text = text };
	q_clean_lines(text);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, ' ');

		if (!value)
			continue;
		*value++ = '\0';
		if (v->nr == room) {
			room = room ? 2 * room : 64;
			v->name = q_realloc(v->name, room * sizeof(*v->name));
			v->value = q_realloc(v->value, room * sizeof(*v->value));
		}
		v->name[v->nr] = line;
		v->value[v->nr++] = value + strspn(value, " ");
	}
}

int q_values_read(struct q_values *v, const char *file)
{
	int status;
	char *text = q_read_file(q_debugfs_path("%s", file), NULL, &status);

	*v = (struct q_values){ 0 };
	if (text)
		q_values_parse(v, text);
	return status;
}

void q_values_free(struct q_values *v)
{
	free(v->text);
	free(v->name);
	free(v->value);
	*v = (struct q_values){ 0 };
}

const char *q_value_text(const struct q_values *v, const char *name)
{
	for (unsigned int i = 0; i < v->nr; i++)
		if (!strcmp(v->name[i], name))
			return v->value[i];
	return "";
}

int64_t q_value(const struct q_values *v, const char *name)
{
	const char *text = q_value_text(v, name);

	return strcmp(text, "max") ? strtoll(text, NULL, 10) : INT64_MAX;
}

/* --- Tables --- */

/* Cut @line into words at @room places of @word; missing ones are "". */
static unsigned int cut(char *line, char **word, unsigned int room)
{
	unsigned int n = 0;
	char *save, *s;

	for (s = strtok_r(line, " \t", &save); s && n < room; s = strtok_r(NULL, " \t", &save))
		word[n++] = s;
	for (unsigned int i = n; i < room; i++)
		word[i] = (char *)"";
	return n;
}

void q_lines_parse(struct q_lines *l, char *text)
{
	char *head[64], *line, *save;
	unsigned int room = 0;

	*l = (struct q_lines){ .text = text };
	q_clean_lines(text);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!l->columns) {
			l->columns = cut(line + (*line == '#'), head, 64);
			if (!l->columns)
				return;
			l->column = q_realloc(NULL, l->columns * sizeof(*l->column));
			memcpy(l->column, head, l->columns * sizeof(*l->column));
			continue;
		}
		if (*line == '#')
			continue;
		if (l->nr == room) {
			room = room ? 2 * room : 64;
			l->cell = q_realloc(l->cell, room * l->columns * sizeof(*l->cell));
		}
		cut(line, &l->cell[l->nr++ * l->columns], l->columns);
	}
}

int q_lines_read(struct q_lines *l, const char *file)
{
	int status;
	char *text = q_read_file(q_debugfs_path("%s", file), NULL, &status);

	*l = (struct q_lines){ 0 };
	if (text)
		q_lines_parse(l, text);
	return status;
}

void q_lines_free(struct q_lines *l)
{
	free(l->text);
	free(l->column);
	free(l->cell);
	*l = (struct q_lines){ 0 };
}

const char *q_line_text(const struct q_lines *l, unsigned int line, const char *name)
{
	for (unsigned int i = 0; i < l->columns; i++)
		if (!strcmp(l->column[i], name))
			return l->cell[line * l->columns + i];
	return "";
}

int64_t q_line_number(const struct q_lines *l, unsigned int line, const char *name)
{
	return strtoll(q_line_text(l, line, name), NULL, 10);
}

int64_t q_line_permille(const struct q_lines *l, unsigned int line, const char *name)
{
	char *end;
	int64_t n = q_mul(10, strtoll(q_line_text(l, line, name), &end, 10));

	return *end == '.' && end[1] >= '0' && end[1] <= '9' ? q_add(n, end[1] - '0') : n;
}
