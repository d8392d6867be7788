/* SPDX-License-Identifier: GPL-2.0 */
/* Caches: making, destroying, finding, draining. */
#ifndef QR_CACHE_H
#define QR_CACHE_H

#include "magazine.h"

/* The list of caches, and each one's existence.  Outermost; sleeps. */
extern struct mutex qr_caches_lock;
extern struct list_head qr_caches;

/* The rate of every cache that has none of its own; with the lock. */
extern u32 qr_default_rate;

/*
 * Run @fn for @cache, or for all caches if that is NULL, on every CPU: there, or
 * in the name of one that is offline.  Returns the sum.  The lock is held.
 */
typedef unsigned int (*qr_magazine_fn)(struct qr_cache *cache, unsigned int cpu);
u64 qr_visit_magazines(struct qr_cache *cache, qr_magazine_fn fn);

/* The cache of that number, or NULL; with the lock. */
struct qr_cache *qr_cache_find(unsigned int id);

/* What caches that no longer exist had counted. */
extern atomic64_t qr_gone_mallocs, qr_gone_frees;

/* For a size class, @class; otherwise 0.  Arguments are known to be good. */
struct qr_cache *qr_cache_new(const char *name, unsigned int size, unsigned int class,
			      const struct quarry_cache_args *args);

/* Add one cache's numbers to @st; the lock is held or the cache cannot go. */
void qr_cache_sum(struct qr_cache *cache, struct quarry_cache_stats *st);

int qr_caches_init(void);
/* Gives back everything, live or not: no client is left. */
void qr_caches_exit(void);

#endif /* QR_CACHE_H */
