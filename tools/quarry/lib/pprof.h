/* SPDX-License-Identifier: GPL-2.0 */
/* Profiles of pprof's format: read, compared site by site, and written, with or without gzip. */
#ifndef Q_PPROF_H
#define Q_PPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A profile is refused if it is larger than this when it is not compressed, or if more memory than
 * that would be needed to decode it.  The module's largest ones have some 10 MB.
 */
#define Q_PPROF_MAX    (1U << 27)
#define Q_PPROF_MEMORY (1U << 29)
#define Q_PPROF_VALUES 4 /* of one sample, at most, that are looked at */

/**
 * struct q_site - a call stack with its labels
 * @stack: the functions, innermost first, separated by " < "
 * @cache: the label "cache" or "for", or ""
 * @labels: all other labels, as "key=value key=value"
 * @value: as in the profile
 */
struct q_site {
	char *stack;
	char *cache;
	char *labels;
	int64_t value[Q_PPROF_VALUES];
};

/**
 * struct q_pprof - a profile
 * @type: names of the values
 * @unit: their units
 * @types: how many
 * @shown: the number of the value that readers show first
 * @site: sites, in the order of the profile
 * @sites: how many
 * @time_ns: the moment that it shows, since 1970
 * @duration_ns: of a delta, else 0
 * @period: bytes between two samples
 * @comment: what the profile says of itself, one text each
 * @comments: how many
 */
struct q_pprof {
	char *type[Q_PPROF_VALUES];
	char *unit[Q_PPROF_VALUES];
	unsigned int types;
	int shown;
	struct q_site *site;
	unsigned int sites;
	int64_t time_ns;
	int64_t duration_ns;
	int64_t period;
	char **comment;
	unsigned int comments;
};

/*
 * Decode @size bytes, which may be compressed.  Returns NULL, or why this is no profile.  Any bytes
 * may be given: what they point to is checked.
 */
const char *q_pprof_parse(struct q_pprof *p, const void *data, size_t size);

/* The same from a file, or from standard input for "-".  An exit status. */
int q_pprof_read(struct q_pprof *p, const char *file);
void q_pprof_free(struct q_pprof *p);

/* The number of the value @type, or -1. */
int q_pprof_type(const struct q_pprof *p, const char *type);

/*
 * Join sites that are equal but for the labels that @keep_labels drops: false drops all but the
 * cache.  Sites are in the order of their names afterwards, as q_pprof_find() needs it.
 */
void q_pprof_join(struct q_pprof *p, bool keep_labels);
const struct q_site *q_pprof_find(const struct q_pprof *p, const struct q_site *like);

/*
 * Decompress @size bytes into *@out, which is to be freed, or NULL where they are not compressed.
 * Returns NULL, or why that cannot be done.
 */
const char *q_gunzip(const void *data, size_t size, unsigned char **out, size_t *out_size);

/* Compress @size bytes into *@out, which is to be freed. */
void q_gzip(const void *data, size_t size, void **out, size_t *out_size);

#endif
