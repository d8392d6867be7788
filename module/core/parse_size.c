// SPDX-License-Identifier: GPL-2.0
/* Stricter than memparse(), which reads "18446744073709551617" as 1 and "12Q" as 12. */
#include "core/parse_size.h"

#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/overflow.h>
#include <linux/string.h>

int qr_size_parse(const char *text, u64 max, u64 *bytes)
{
	static const char suffixes[] = "kmg";
	const char *suffix = NULL;
	bool too_much = false;
	u64 value = 0;

	text = skip_spaces(text);
	if (!isdigit(*text))
		return -EINVAL;
	for (; isdigit(*text); text++)
		too_much |= check_mul_overflow(value, 10ULL, &value) ||
			    check_add_overflow(value, (u64)(*text - '0'), &value);
	if (*text)
		suffix = strchr(suffixes, tolower(*text));
	if (suffix) {
		unsigned int shift = 10 * (suffix - suffixes + 1);

		too_much |= value > U64_MAX >> shift;
		value <<= shift;
		text++;
	}
	if (*skip_spaces(text))
		return -EINVAL;
	if (too_much || value > max)
		return -ERANGE;
	*bytes = value;
	return 0;
}
