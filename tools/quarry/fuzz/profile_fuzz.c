// SPDX-License-Identifier: GPL-2.0
/* Profiles, compressed or not: the picture, the page, the views of "top", and growth over moments. */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/page.h"
#include "lib/pprof.h"
#include "lib/svg.h"
#include "lib/view.h"
#include "lib/watch.h"

static void draw(const struct q_pprof *p)
{
	const char *const name[] = { "old", "new" };
	const struct q_pprof moment[] = { *p, *p };
	const struct q_page page = { .title = "fuzz", .moment = moment, .name = name, .moments = 2 };
	char *text;
	size_t size;

	expect(!q_svg_make(p, "fuzz", &text, &size));
	free(text);
	expect(!q_page_make(&page, &text, &size));
	free(text);
}

/* All views of sites, each sorted by each column. */
static void show(struct q_reading *now, struct q_reading *before)
{
	for (enum q_view view = Q_VIEW_SITES; view < Q_VIEWS; view++) {
		for (unsigned int sort = 0; sort < q_view_info[view].nr; sort++) {
			struct q_view_input in = {
				.view = view,
				.now = now,
				.before = before,
				.first = &before->profile,
				.sort = sort,
				.filter = sort % 2 ? "a" : "",
			};
			struct q_rows rows;

			q_rows_make(&rows, &in);
			expect(rows.nr <= rows.all && rows.all == now->profile.sites);
			q_rows_free(&rows);
		}
	}
}

static void watch(const struct q_pprof *a, const struct q_pprof *b)
{
	struct q_watch w = { 0 };

	for (int i = 0; i < 6; i++)
		if (q_watch_add(&w, i < 3 ? a : b))
			break;
	q_watch_judge(&w);
	q_watch_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct q_reading now = { .has_profile = true, .time_ns = 2000000000, .domains = 1 };
	struct q_reading before = { .has_profile = true, .time_ns = 1000000000, .domains = 1 };
	struct q_pprof by;

	if (q_pprof_parse(&now.profile, data, size))
		return 0;
	q_pprof_join(&now.profile, true);
	draw(&now.profile);
	q_pprof_by_label(&by, &now.profile, "comm");
	q_pprof_free(&by);
	q_pprof_join(&now.profile, false);
	for (unsigned int i = 0; i < now.profile.sites; i++)
		expect(q_pprof_find(&now.profile, &now.profile.site[i]) == &now.profile.site[i]);
	/* The same sites with numbers of the other sign. */
	q_pprof_copy(&before.profile, &now.profile);
	for (unsigned int i = 0; i < before.profile.sites; i++)
		for (int v = 0; v < Q_PPROF_VALUES; v++)
			before.profile.site[i].value[v] = ~before.profile.site[i].value[v];
	show(&now, &before);
	watch(&now.profile, &before.profile);
	q_reading_free(&now);
	q_reading_free(&before);
	return 0;
}
