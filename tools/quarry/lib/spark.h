/* SPDX-License-Identifier: GPL-2.0 */
/* A curve in one line of text. */
#ifndef Q_SPARK_H
#define Q_SPARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct q_point - a value at a time
 * @time_ns: when
 * @value: the value; below 0: there is none
 */
struct q_point {
	int64_t time_ns;
	int64_t value;
};

/*
 * Draw points, sorted by time, into @width places: each shows the largest value in its part of the
 * time from @from_ns to @to_ns, or the value before it; where there was none for long it is blank.  The lowest mark stands for the smallest
 * value, the highest for the largest; if both are within 1 %, all marks are the lowest.  Eight marks
 * of Unicode, or with @ascii of ".:-=+*#@".  @buf has room for 4 * @width + 1 bytes.
 */
void q_spark(char *buf, int width, const struct q_point *point, size_t nr, int64_t from_ns,
	     int64_t to_ns, bool ascii);

#endif
