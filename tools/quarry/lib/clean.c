// SPDX-License-Identifier: GPL-2.0
#include "lib/clean.h"

#include <stdbool.h>
#include <stdint.h>

/* The bytes of the character at @s, or 0 if they are no UTF-8 or a command for terminals. */
static unsigned int length(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int n = *s < 0x80 ? 1 : *s < 0xc0 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
	uint32_t c = *s;

	if (n > 1)
		c &= 0x7fU >> n;
	for (unsigned int i = 1; i < n; i++) {
		/* The zero at the end is no such byte either. */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < ' ' || (c >= 0x7f && c < 0xa0) || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n && c >= least[n] ? n : 0;
}

static void clean(char *text, bool lines)
{
	unsigned char *s = (unsigned char *)text;

	while (*s) {
		unsigned int n = lines && (*s == '\n' || *s == '\t') ? 1 : length(s);

		if (!n)
			*s = '?';
		s += n ?: 1;
	}
}

void q_clean_lines(char *text)
{
	clean(text, true);
}

void q_clean_name(char *name)
{
	clean(name, false);
}
