// SPDX-License-Identifier: GPL-2.0
/*
 * Lines for the legacy text: see lines.h.  A comment of the text has a return address and a function:
 *
 *	#	0xffffffffc0251034 word_index_add+0x54/0x1f0 [wordindex]
 *
 * and the end of the text has mappings with build ids:
 *
 *	MAPPED_LIBRARIES:
 *	ffffffffc0251000-ffffffffc0253000 r-xp [wordindex] 5d0ffe2c...
 */
#include "lib/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/problem.h"
#include "lib/table.h"

#define CALL	  "#\t0x"
#define LIBRARIES "\nMAPPED_LIBRARIES:\n"

struct map {
	uint64_t start;
	uint64_t limit;
	unsigned int number;
};

struct text {
	struct q_source *l;
	struct map *map;
	unsigned int maps;
};

static void read_mappings(struct text *t, const char *data)
{
	const char *line = strstr(data, LIBRARIES);
	char name[256], file[256 + 4], build_id[Q_BUILD_ID_LEN];
	struct map m;

	for (line = line ? line + strlen(LIBRARIES) : NULL; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		*build_id = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " r-xp %255[^ \n] %128[0-9a-f]", &m.start,
			   &m.limit, name, build_id) < 3)
			continue;
		/* The kernel's name is "[kernel.kallsyms]_stext". */
		if (*name == '[' && name[strlen(name) - 1] == ']') {
			name[strlen(name) - 1] = '\0';
			snprintf(file, sizeof(file), "%s.ko", name + 1);
		} else {
			snprintf(file, sizeof(file), "%s", name);
		}
		m.number = q_source_mapping(t->l, file, build_id, m.start);
		t->map = q_realloc(t->map, (t->maps + 1) * sizeof(*t->map));
		t->map[t->maps++] = m;
	}
}

/* The mapping of the call in a line of the text, and its address; NULL for other lines. */
static const struct map *call_in(const struct text *t, const char *line, uint64_t *address)
{
	/* Not by sscanf(), which looks for the end of the whole text each time. */
	if (strncmp(line, CALL, strlen(CALL)))
		return NULL;
	*address = strtoull(line + strlen(CALL), NULL, 16) - 1;
	for (unsigned int i = 0; i < t->maps; i++)
		if (*address >= t->map[i].start && *address < t->map[i].limit)
			return &t->map[i];
	return NULL;
}

static void put_place(FILE *out, const struct q_frame *frame)
{
	if (frame->file)
		fprintf(out, " %s:%u", frame->file, frame->line);
	putc('\n', out);
}

/* Write one line, with the functions that were inlined there before it. */
static void put_line(FILE *out, const struct text *t, const char *line, int len)
{
	const struct q_frame *frame = NULL;
	const struct map *m;
	unsigned int nr = 0;
	uint64_t address;

	m = call_in(t, line, &address);
	if (m)
		frame = q_source_at(t->l, m->number, address, &nr);
	for (unsigned int i = 0; i + 1 < nr; i++) {
		fprintf(out, "#\t0x%" PRIx64 " %s (inlined)", address + 1,
			frame[i].function ?: "(unknown)");
		put_place(out, &frame[i]);
	}
	fwrite(line, 1, (size_t)len, out);
	if (nr)
		put_place(out, &frame[nr - 1]);
	else
		putc('\n', out);
}

void q_source_into_text(char **data, size_t *size, const struct q_debug_places *places,
			char **problem)
{
	struct text t = { .l = q_source_new() };
	const struct map *m;
	uint64_t address;
	char *text = NULL, *next;
	size_t text_size;
	FILE *out;

	read_mappings(&t, *data);
	for (const char *line = *data; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		m = call_in(&t, line, &address);
		if (m)
			q_source_want(t.l, m->number, address);
	}
	q_source_find(t.l, places);
	*problem = q_source_problem(t.l) ? q_strdup(q_source_problem(t.l)) : NULL;
	out = open_memstream(&text, &text_size);
	if (!out)
		exit(q_problem(Q_FAILED, "out of memory"));
	for (char *line = *data; *line; line = next) {
		int len = (int)strcspn(line, "\n");

		next = line + len + (line[len] == '\n');
		put_line(out, &t, line, len);
	}
	if (fclose(out))
		exit(q_problem(Q_FAILED, "out of memory"));
	q_source_free(t.l);
	free(t.map);
	free(*data);
	*data = text;
	*size = text_size;
}
