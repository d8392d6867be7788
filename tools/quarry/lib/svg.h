/* SPDX-License-Identifier: GPL-2.0 */
/* A picture of a profile: a flame graph that does not move. */
#ifndef Q_SVG_H
#define Q_SVG_H

#include "lib/pprof.h"

/* Draw the bytes that are live, or else the first value.  *@svg is to be freed.  An exit status. */
int q_svg_make(const struct q_pprof *p, const char *title, char **svg, size_t *size);

/* The length of the character at @s if it is valid UTF-8, else 0. */
unsigned int q_utf8(const char *s);

#endif
