/* SPDX-License-Identifier: GPL-2.0 */
/* How full caches are, of Quarry's own and of the kernel's slab allocator. */
#ifndef Q_OCCUPANCY_H
#define Q_OCCUPANCY_H

#include <stdint.h>
#include "lib/debugfs.h"

/**
 * struct q_occupancy - one cache
 * @name: its name
 * @size: bytes of an object
 * @memory: bytes of its pages
 * @live: live objects
 * @cached: free objects that CPUs keep ready, 0 where that is not known
 */
struct q_occupancy {
	const char *name;
	int64_t size;
	int64_t memory;
	int64_t live;
	int64_t cached;
};

/**
 * struct q_occupancies - all caches
 * @lines: the text that names are in
 * @cache: the caches
 * @nr: how many
 */
struct q_occupancies {
	struct q_lines lines;
	struct q_occupancy *cache;
	unsigned int nr;
};

/*
 * Read the caches of a domain (QUARRY_DEV_DOMAIN_*).  There are none if the domain has no caches, or
 * if the file cannot be read: this is an addition to something else, and no reason to fail.
 */
void q_occupancies_read(struct q_occupancies *o, unsigned int domain);

/* The same from the text of "caches/all" or of /proc/slabinfo, which it keeps. */
void q_occupancies_parse(struct q_occupancies *o, unsigned int domain, char *text);
void q_occupancies_free(struct q_occupancies *o);

#endif
