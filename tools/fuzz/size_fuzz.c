// SPDX-License-Identifier: GPL-2.0
/* Numbers of bytes as people write them, beside a reading with numbers of any length. */
#include "fuzz.h"
#include "core/parse_size.h"

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || (uint8_t)c == 0xa0;
}

/* The same as qr_size_parse(), in one pass and with a number that cannot overflow. */
static int naive(const char *text, u64 max, u64 *bytes)
{
	unsigned __int128 value = 0, most = (unsigned __int128)1 << 100;
	unsigned int digits = 0;

	while (is_space(*text))
		text++;
	for (; isdigit(*text); text++, digits++)
		if (value < most)
			value = value * 10 + (*text - '0');
	if (!digits)
		return -EINVAL;
	switch (*text) {
	case 'k':
	case 'K':
		value *= 1 << 10;
		text++;
		break;
	case 'm':
	case 'M':
		value *= 1 << 20;
		text++;
		break;
	case 'g':
	case 'G':
		value = value < most ? value << 30 : value;
		text++;
		break;
	}
	while (is_space(*text))
		text++;
	if (*text)
		return -EINVAL;
	if (value > max)
		return -ERANGE;
	*bytes = value;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	u64 max = take(&in, 8), got = 1, want = 1;
	char *text = malloc(in.left + 1);

	expect(text);
	memcpy(text, in.at, in.left);
	text[in.left] = '\0';
	expect(qr_size_parse(text, max, &got) == naive(text, max, &want));
	expect(got == want);
	free(text);
	return 0;
}
