/* SPDX-License-Identifier: GPL-2.0 */
/* Lengths of time and moments, as people write them. */
#ifndef Q_DURATION_H
#define Q_DURATION_H

#include <stdint.h>

/* "90", "90s", "15m", "8h", "7d": nanoseconds.  0 or -1. */
int q_parse_duration(const char *text, int64_t *ns);

/*
 * A moment since 1970, in nanoseconds: "2h" is so long before @end_ns, "@1790000000" in seconds since
 * 1970, "2026-11-29 18:30[:00]", or "18:30[:00]" of the last day on which it was not after @end_ns.
 * 0 or -1.
 */
int q_parse_moment(const char *text, int64_t end_ns, int64_t *ns);

#endif
