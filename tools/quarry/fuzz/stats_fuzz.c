// SPDX-License-Identifier: GPL-2.0
/* "name value" lines, such as the file stats: now, some time before, and of a domain. */
#include "fuzz/fuzz.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include "lib/view.h"
#include "lib/warnings.h"

static void show(const struct q_reading *now, const struct q_reading *before)
{
	struct q_head head = q_head_of(now, before);
	char buf[Q_HEAD_LEN];

	for (int width = 0; width < Q_HEAD_LEN; width += 1 + width) {
		for (unsigned int line = 0; line < Q_HEAD_LINES; line++)
			expect(strlen(q_head_line(buf, line, width, &head, now)) <= (size_t)width);
		q_head_warning(buf, width, now);
	}
	q_memory_bar(buf, 100, &now->stats);
	expect(strlen(buf) == 100);
	json_object_put(q_warnings(&now->stats, now->domain, now->domains));
	for (unsigned int i = 0; i < now->stats.nr && i < 8; i++)
		for (enum q_unit unit = Q_COUNT; unit <= Q_NUMBER; unit++)
			q_human(buf, unit, q_value(&now->stats, now->stats.name[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct q_reading now = { .time_ns = 2000000000, .domains = 2 };
	struct q_reading before = { .time_ns = 1000000000, .domains = 2 };
	struct quarry_dev_domain *domain = &now.domain[1];
	struct fuzz_part part[3];
	struct q_values v;

	fuzz_cut(data, size, part, 3);
	q_values_parse(&now.stats, fuzz_take(&part[0]));
	q_values_parse(&before.stats, fuzz_take(&part[1]));
	q_values_parse(&v, fuzz_take(&part[2]));
	snprintf(domain->name, sizeof(domain->name), "%s", q_value_text(&v, "name"));
	domain->enabled = q_value(&v, "enabled") != 0;
	domain->live_bytes = (uint64_t)q_value(&v, "live_bytes");
	domain->missed_frees = (uint64_t)q_value(&v, "missed_frees");
	domain->dropped_samples = (uint64_t)q_value(&v, "dropped_samples");
	show(&now, &before);
	show(&now, NULL);
	q_values_free(&v);
	q_reading_free(&now);
	q_reading_free(&before);
	fuzz_parts_free(part, 3);
	return 0;
}
