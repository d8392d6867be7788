// SPDX-License-Identifier: GPL-2.0
/* What people write on a command line: sizes, lengths of time, moments, addresses, names. */
#include "fuzz/fuzz.h"

#include <string.h>
#include "lib/device.h"
#include "lib/duration.h"
#include "lib/human.h"
#include "lib/listen.h"
#include "lib/view.h"

static void size_of(const char *text)
{
	int64_t value;
	char buf[Q_HUMAN_LEN];

	if (q_parse_size(text, &value))
		return;
	expect(value >= 0);
	for (enum q_unit unit = Q_COUNT; unit <= Q_NUMBER; unit++)
		expect(strlen(q_human(buf, unit, value)) < Q_HUMAN_LEN);
}

static void moment(const char *text)
{
	static const int64_t ends[] = { 0, 1790000000000000000, INT64_MAX, INT64_MIN };
	int64_t ns;

	if (!q_parse_duration(text, &ns))
		expect(ns >= 0);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		q_parse_moment(text, ends[i], &ns);
}

static void address(const char *text)
{
	char buf[Q_ADDRESS_LEN];
	struct q_address a, again;

	if (q_address_parse(&a, text))
		return;
	expect(!q_address_parse(&again, q_address_text(buf, &a)));
	expect(a.size == again.size && a.loopback == again.loopback);
	expect(!memcmp(&a.store, &again.store, a.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part part;

	fuzz_cut(data, size, &part, 1);
	size_of(part.text);
	moment(part.text);
	address(part.text);
	for (enum q_view view = 0; view < Q_VIEWS; view++)
		expect(q_view_sort(view, part.text) < (int)q_view_info[view].nr);
	expect(q_domain_number(part.text) < QUARRY_DEV_DOMAINS);
	expect(q_kind_number(part.text) < QUARRY_DEV_KINDS);
	expect(q_view_number(part.text) < Q_VIEWS);
	fuzz_parts_free(&part, 1);
	return 0;
}
