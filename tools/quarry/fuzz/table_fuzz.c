// SPDX-License-Identifier: GPL-2.0
/* Tables, such as the file caches/table: now, and some time before, in the view of caches. */
#include "fuzz/fuzz.h"

#include <string.h>
#include "lib/view.h"

static void show(const struct q_reading *now, const struct q_reading *before)
{
	for (unsigned int sort = 0; sort < q_view_info[Q_VIEW_CACHES].nr; sort++) {
		struct q_view_input in = { .view = Q_VIEW_CACHES,
					   .now = now,
					   .before = before,
					   .sort = sort,
					   .filter = sort % 2 ? "a" : "" };
		struct q_rows rows;
		char buf[Q_CELL_LEN];

		q_rows_make(&rows, &in);
		expect(rows.nr <= rows.all && rows.all == now->caches.nr);
		for (unsigned int i = 0; i < rows.nr; i++)
			for (unsigned int c = 0; c < q_view_info[Q_VIEW_CACHES].nr; c++)
				q_cell_fit(buf, q_view_info[Q_VIEW_CACHES].column[c].c.unit,
					   &rows.row[i].cell[c], 8);
		q_rows_free(&rows);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct q_reading now = { .time_ns = 2000000000 }, before = { .time_ns = 1000000000 };
	struct fuzz_part part[2];

	fuzz_cut(data, size, part, 2);
	q_lines_parse(&now.caches, fuzz_take(&part[0]));
	q_lines_parse(&before.caches, fuzz_take(&part[1]));
	for (unsigned int i = 0; i < now.caches.nr; i++)
		for (unsigned int c = 0; c < now.caches.columns; c++)
			q_line_permille(&now.caches, i, now.caches.column[c]);
	show(&now, &before);
	q_reading_free(&now);
	q_reading_free(&before);
	fuzz_parts_free(part, 2);
	return 0;
}
