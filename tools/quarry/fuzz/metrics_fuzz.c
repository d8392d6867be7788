// SPDX-License-Identifier: GPL-2.0
/* The page /metrics of texts of the module's: stats, caches/table, and stats of two domains. */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include "lib/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct q_metrics m = { .serve = { .status = { 200 }, .answers = { 1 } } };
	struct fuzz_part part[4];
	size_t page_size;
	char *page;

	fuzz_cut(data, size, part, 4);
	q_values_parse(&m.stats, fuzz_take(&part[0]));
	q_lines_parse(&m.caches, fuzz_take(&part[1]));
	q_values_parse(&m.domain[1], fuzz_take(&part[2]));
	q_values_parse(&m.domain[2], fuzz_take(&part[3]));
	for (int openmetrics = 0; openmetrics < 2; openmetrics++) {
		m.openmetrics = openmetrics;
		page = q_metrics_render(&m, &page_size);
		expect(page && strlen(page) == page_size);
		expect(!openmetrics || !strcmp(page + page_size - 6, "# EOF\n"));
		free(page);
	}
	q_values_free(&m.stats);
	q_lines_free(&m.caches);
	q_values_free(&m.domain[1]);
	q_values_free(&m.domain[2]);
	fuzz_parts_free(part, 4);
	return 0;
}
