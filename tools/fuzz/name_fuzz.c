// SPDX-License-Identifier: GPL-2.0
/* Names that are made safe: one word, well-formed, as long as before or shorter. */
#include "fuzz.h"
#include "core/clean_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	size_t room = 2 + take(&in, 1) % 64, len, i, step, most;
	char *name = malloc(in.left + 1), *to = malloc(room), *again = malloc(room);

	expect(name && to && again);
	memcpy(name, in.at, in.left);
	name[in.left] = '\0';
	most = max_t(size_t, strnlen(name, room - 1), 1);
	len = qr_clean_name(to, name, room);
	expect(len >= 1 && len <= most && len == strlen(to));
	for (i = 0; i < len; i += step) {
		step = qr_character((u8 *)to + i, len - i);
		expect(step);
		expect(step > 1 || (to[i] > ' ' && to[i] < 0x7f && !strchr("\"\\;=#", to[i])));
	}
	/* What is clean stays as it is. */
	expect(qr_clean_name(again, to, room) == len && !strcmp(again, to));
	free(name);
	free(to);
	free(again);
	return 0;
}
