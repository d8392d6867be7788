// SPDX-License-Identifier: GPL-2.0
#include "lib/folded.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/problem.h"
#include "lib/table.h"

#define AGE "age=" /* the label of a row of lifetime, whose rows stay apart by it */

/* Cut the labels of a site down to its age. */
static void keep_age(struct q_site *site)
{
	const char *age = strstr(site->labels, AGE);
	char *kept;

	if (age && (age == site->labels || age[-1] == ' ')) {
		kept = q_strdup(age + strlen(AGE));
		kept[strcspn(kept, " ")] = '\0';
	} else {
		kept = q_strdup("");
	}
	free(site->labels);
	site->labels = kept;
}

/* The functions of @stack from the outermost on, without their modules. */
static void put_stack(FILE *out, const char *stack)
{
	const char *end = stack + strlen(stack), *at, *module;

	for (; end; end = at > stack ? at - 3 : NULL) {
		size_t len;

		for (at = end; at > stack && (at - stack < 3 || memcmp(at - 3, " < ", 3)); at--)
			;
		len = (size_t)(end - at);
		module = memmem(at, len, " [", 2);
		if (module && end[-1] == ']')
			len = (size_t)(module - at);
		fprintf(out, "%.*s;", (int)len, at);
	}
}

static int order_by;

static int by_value(const void *a, const void *b)
{
	int64_t x = ((const struct q_site *)a)->value[order_by];
	int64_t y = ((const struct q_site *)b)->value[order_by];

	return x > y ? -1 : x < y;
}

int q_folded_make(struct q_pprof *p, char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);

	if (!out)
		return q_problem(Q_FAILED, "out of memory");
	for (unsigned int i = 0; i < p->sites; i++)
		keep_age(&p->site[i]);
	q_pprof_join(p, true);
	order_by = p->shown;
	if (p->sites)
		qsort(p->site, p->sites, sizeof(*p->site), by_value);
	for (unsigned int i = 0; i < p->sites; i++) {
		const struct q_site *site = &p->site[i];

		if (site->value[p->shown] <= 0)
			break;
		put_stack(out, site->stack);
		if (*site->labels)
			fprintf(out, "[%s];", site->labels);
		fprintf(out, "[%s] %" PRId64 "\n", site->cache, site->value[p->shown]);
	}
	if (ferror(out) | fclose(out)) {
		free(*text);
		return q_problem(Q_FAILED, "out of memory");
	}
	return Q_OK;
}
