// SPDX-License-Identifier: GPL-2.0
#include "lib/spark.h"

#include <string.h>
#include "lib/clamp.h"

#define MARKS 8

/* After so many times the usual distance of points there is a gap. */
#define GAP 3

static const char *const unicode[MARKS] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char *const ascii_marks[MARKS] = { ".", ":", "-", "=", "+", "*", "#", "@" };

/* In which place a time is. */
static int place(int64_t time_ns, int width, int64_t from_ns, int64_t to_ns)
{
	double all = (double)q_sub(to_ns, from_ns), part = (double)q_sub(time_ns, from_ns);
	double at = all > 0 ? part / all * width : 0;

	return at < 0 ? 0 : at >= width ? width - 1 : (int)at;
}

/* When a place begins. */
static int64_t time_of(int at, int width, int64_t from_ns, int64_t to_ns)
{
	return q_add(from_ns, q_whole((double)q_sub(to_ns, from_ns) * at / width));
}

void q_spark(char *buf, int width, const struct q_point *point, size_t nr, int64_t from_ns,
	     int64_t to_ns, bool ascii)
{
	int64_t hold = nr > 1 ? q_mul(GAP, q_sub(to_ns, from_ns) / (int64_t)(nr - 1)) : 0;
	int64_t low = INT64_MAX, high = -1, last = -1;
	size_t at = 0;

	for (size_t i = 0; i < nr; i++) {
		if (point[i].value < 0)
			continue;
		low = point[i].value < low ? point[i].value : low;
		high = point[i].value > high ? point[i].value : high;
	}
	*buf = '\0';
	for (int i = 0; i < width; i++) {
		int64_t most = -1;
		int mark = 0;

		for (; at < nr && place(point[at].time_ns, width, from_ns, to_ns) <= i; at++)
			most = point[at].value > most ? point[at].value : most;
		if (at && point[at - 1].value < 0)
			last = -1;
		if (most >= 0)
			last = most;
		else if (at &&
			 q_sub(time_of(i, width, from_ns, to_ns), point[at - 1].time_ns) > hold)
			last = -1;
		if (last < 0) {
			strcat(buf, " ");
			continue;
		}
		if (high - low > high / 100)
			mark = (int)((double)(last - low) / (double)(high - low) * (MARKS - 1) +
				     0.5);
		strcat(buf, ascii ? ascii_marks[mark] : unicode[mark]);
	}
}
