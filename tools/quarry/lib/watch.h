/* SPDX-License-Identifier: GPL-2.0 */
/* All sites over many moments, of which one profile is in memory at a time. */
#ifndef Q_WATCH_H
#define Q_WATCH_H

#include <stdbool.h>
#include "lib/growth.h"
#include "lib/pprof.h"

/**
 * struct q_watched - a site
 * @stack: its call stack
 * @cache: its cache
 * @s: what it had at each moment
 * @growth: the answer, after q_watch_judge()
 */
struct q_watched {
	char *stack;
	char *cache;
	struct q_series s;
	struct q_growth growth;
};

/**
 * struct q_watch - all sites
 * @site: by stack and cache; after q_watch_judge() the worst first
 * @nr: how many
 * @moments: moments so far, at most Q_MOMENTS_MAX
 * @from_ns: the first of them
 * @to_ns: the last of them
 * @period: bytes between two samples
 * @allocated: bytes allocated so far, of all sites, to see when counting began anew
 * @restarts: how often it did; what was watched before is forgotten then
 * @keep: nothing is forgotten: the profiles may be of different boots
 */
struct q_watch {
	struct q_watched *site;
	unsigned int nr;
	unsigned int moments;
	int64_t from_ns;
	int64_t to_ns;
	int64_t period;
	int64_t allocated;
	unsigned int restarts;
	bool keep;
};

/* Live bytes of a site at the end. */
int64_t q_watched_live(const struct q_watched *site);

/* Is it a profile of a heap, which has all that is watched? */
bool q_watch_takes(const struct q_pprof *p);

/*
 * Add a moment: a profile of a heap whose sites are joined without labels.  NULL, or why it cannot be
 * used.
 */
const char *q_watch_add(struct q_watch *w, const struct q_pprof *p);

/* Judge all sites, and sort them: leaks first, and of each kind what grew most for sure. */
void q_watch_judge(struct q_watch *w);
void q_watch_free(struct q_watch *w);

#endif
