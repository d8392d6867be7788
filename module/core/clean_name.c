// SPDX-License-Identifier: GPL-2.0
/*
 * Any process can choose its name, and a client may take the name of a cache or the value of a
 * label from outside.  So a name must not be able to end the line, the column or the string
 * that it stands in.
 */
#include "core/clean_name.h"

#include <linux/compiler.h>
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "compat.h"

/* Well-formed characters beyond ASCII that show nothing, or change the order of a line. */
static const struct {
	u32 first;
	u32 last;
} invisible[] = {
	{ 0xa0, 0xa0 },	    { 0xad, 0xad }, /* no-break space, soft hyphen */
	{ 0x61c, 0x61c },   { 0x1680, 0x1680 },
	{ 0x180e, 0x180e },			  /* a mark of direction, spaces */
	{ 0x2000, 0x200f }, { 0x2028, 0x202f },	  /* spaces, joiners, separators, directions */
	{ 0x205f, 0x206f }, { 0x3000, 0x3000 },	  /* a space, operators, directions, a space */
	{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },	  /* variation selectors, byte order mark */
	{ 0xfff0, 0xfffb }, { 0xe0000, 0xe0fff }, /* annotations, tags */
};

/* The code point of the character of @len bytes at @s, which is well-formed. */
static u32 code_point(const u8 *s, size_t len)
{
	u32 c = len == 1 ? s[0] : s[0] & (0x7f >> len);
	size_t i;

	for (i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

size_t qr_character(const u8 *s, size_t left)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len, i;
	u32 c;

	if (s[0] < 0x80)
		return s[0] >= ' ' && s[0] != 0x7f;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (left < len)
		return 0;
	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	c = code_point(s, len);
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c < 0xa0)
		return 0;
	return len;
}

static bool is_plain(const u8 *s, size_t len)
{
	u32 c = code_point(s, len);
	unsigned int i;

	if (len == 1)
		return isgraph(c) && !strchr("\"\\;=#", c);
	for (i = 0; i < ARRAY_SIZE(invisible); i++)
		if (c >= invisible[i].first && c <= invisible[i].last)
			return false;
	return true;
}

size_t qr_clean_name(char *to, const char *name, size_t size)
{
	size_t left = strnlen(name, size - 1), done = 0;
	const u8 *s = name;

	while (left) {
		size_t len = qr_character(s, left), step = max_t(size_t, len, 1);

		if (len && is_plain(s, len)) {
			memcpy(to + done, s, len);
			done += len;
		} else {
			to[done++] = '_';
		}
		s += step;
		left -= step;
	}
	if (!done)
		to[done++] = '_';
	to[done] = '\0';
	return done;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_clean_name);
