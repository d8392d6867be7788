// SPDX-License-Identifier: GPL-2.0
#include "lib/occupancy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/table.h"
#include "quarry.h"

#define SLABINFO "/proc/slabinfo"

void q_occupancies_parse(struct q_occupancies *o, unsigned int domain, char *text)
{
	struct q_lines *l = &o->lines;

	*o = (struct q_occupancies){ 0 };
	/* The kernel's file has its version in a line before that of the columns. */
	if (domain == QUARRY_DEV_DOMAIN_SLAB) {
		char *end = strchr(text, '\n');

		if (end)
			memmove(text, end + 1, strlen(end));
	}
	q_lines_parse(l, text);
	o->cache = q_alloc(l->nr * sizeof(*o->cache) + 1);
	for (unsigned int i = 0; i < l->nr; i++) {
		struct q_occupancy *c = &o->cache[o->nr++];

		c->name = q_line_text(l, i, "name");
		if (domain == QUARRY_DEV_DOMAIN_SLAB) {
			c->size = q_line_number(l, i, "<objsize>");
			c->live = q_line_number(l, i, "<active_objs>");
			if (__builtin_mul_overflow(q_line_number(l, i, "<num_objs>"), c->size,
						   &c->memory))
				c->memory = 0;
		} else {
			c->size = q_line_number(l, i, "size");
			c->memory = q_line_number(l, i, "inuse_bytes");
			c->live = q_line_number(l, i, "live_objs");
			c->cached = q_line_number(l, i, "cached");
		}
	}
}

void q_occupancies_read(struct q_occupancies *o, unsigned int domain)
{
	const char *path = domain == QUARRY_DEV_DOMAIN_SLAB ? SLABINFO :
							      q_debugfs_path("caches/all");
	char *text = NULL;
	int status;

	*o = (struct q_occupancies){ 0 };
	if (domain != QUARRY_DEV_DOMAIN_QUARRY && domain != QUARRY_DEV_DOMAIN_SLAB)
		return;
	if (!access(path, R_OK))
		text = q_read_file(path, NULL, &status);
	if (text)
		q_occupancies_parse(o, domain, text);
}

void q_occupancies_free(struct q_occupancies *o)
{
	q_lines_free(&o->lines);
	free(o->cache);
	*o = (struct q_occupancies){ 0 };
}
