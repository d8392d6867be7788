/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers for people.  With --bytes (q_options.exact) they are whole numbers without a unit. */
#ifndef Q_HUMAN_H
#define Q_HUMAN_H

#include <stddef.h>
#include <stdint.h>

/**
 * enum q_unit - what a number counts, which decides how it is printed
 * @Q_TEXT: no number
 * @Q_COUNT: things: 12,345
 * @Q_BYTES: bytes: 4.2 MiB
 * @Q_NS: nanoseconds: 3.4 ms
 * @Q_PERCENT: thousandths: 12.3 %
 * @Q_SECOND: bytes per second: 4.2 MiB/s
 * @Q_NUMBER: a name in the form of a number, such as that of a cache: 12345
 */
enum q_unit { Q_TEXT, Q_COUNT, Q_BYTES, Q_NS, Q_PERCENT, Q_SECOND, Q_NUMBER };

#define Q_HUMAN_LEN 32

/* Write @value into @buf, of Q_HUMAN_LEN characters.  Returns @buf. */
const char *q_human(char *buf, enum q_unit unit, int64_t value);

/* Read a size as the module takes it: decimal, with K, M or G; "max" gives INT64_MAX.  0 or -1. */
int q_parse_size(const char *text, int64_t *value);

/* Read a whole number from @low to @high.  0 or -1. */
int q_parse_count(const char *text, uint64_t low, uint64_t high, uint64_t *value);

#endif
