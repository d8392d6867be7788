/* SPDX-License-Identifier: GPL-2.0 */
/* What the module shows at one moment, as far as a view of "quarry top" needs it. */
#ifndef Q_READING_H
#define Q_READING_H

#include "lib/debugfs.h"
#include "lib/device.h"
#include "lib/pprof.h"

/* Caches whose own file is read at one moment, at most: as many as the highest screen has lines. */
#define Q_DETAILS_MAX 256

/**
 * struct q_want - what to read
 * @caches: the table of caches
 * @profile: the profile of @domain
 * @domain: QUARRY_DEV_DOMAIN_*
 * @label: sum the profile by this label; NULL: by call stack and cache
 */
struct q_want {
	bool caches;
	bool profile;
	unsigned int domain;
	const char *label;
};

/**
 * struct q_detail - of one cache, what only its own file has
 * @id: its number
 * @mallocs: allocations so far
 * @alloc_misses: those that no magazine served
 * @remote_frees: frees of objects of another node so far
 */
struct q_detail {
	int64_t id;
	int64_t mallocs;
	int64_t alloc_misses;
	int64_t remote_frees;
};

/**
 * struct q_reading - all that was read
 * @time_ns: when, by the monotonic clock, or by the recording's
 * @wall_ns: when, since 1970
 * @stats: the file stats
 * @caches: the file caches/table, if it was wanted
 * @domain: state of the kernel's domains; that of Quarry's own heap is empty
 * @domains: how many, Quarry's own included
 * @has_profile: it was wanted, and the domain is on
 * @profile: the profile; with a label, a site's stack is the label's value
 * @whole: with a label, the profile with all labels
 * @detail: of caches that are shown
 * @details: how many
 */
struct q_reading {
	int64_t time_ns;
	int64_t wall_ns;
	struct q_values stats;
	struct q_lines caches;
	struct quarry_dev_domain domain[QUARRY_DEV_DOMAINS];
	unsigned int domains;
	bool has_profile;
	struct q_pprof profile;
	struct q_pprof whole;
	struct q_detail detail[Q_DETAILS_MAX];
	unsigned int details;
};

/*
 * Read: stats, the state of each domain, and either the table of caches or one profile.  The device
 * is closed afterwards, so that the module can be unloaded between two readings.  An exit status.
 */
int q_reading_take(struct q_reading *r, const struct q_want *want);
void q_reading_free(struct q_reading *r);

/* Take a profile that was read elsewhere, summed by @label if that is not NULL.  NULL, or why not. */
const char *q_reading_profile(struct q_reading *r, const void *data, size_t size,
			      const char *label);

/* Read what only the own file of a cache has, unless it has been read.  NULL: it has no such file. */
const struct q_detail *q_reading_detail(struct q_reading *r, const char *name, int64_t id);

/* The file of a cache's own.  false: there is none. */
bool q_cache_values(struct q_values *v, const char *name, int64_t id);

/* A copy of a profile whose sites are the values of @label; those without it are "(none)". */
void q_pprof_by_label(struct q_pprof *by, const struct q_pprof *p, const char *label);

/* A copy of all of a profile. */
void q_pprof_copy(struct q_pprof *to, const struct q_pprof *p);

/* The value of @label in the labels of a site, of *@len characters; NULL if it has none. */
const char *q_site_label(const struct q_site *site, const char *label, int *len);

#endif
