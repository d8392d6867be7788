/* SPDX-License-Identifier: GPL-2.0 */
/* Caches: making, destroying, finding, draining. */
#ifndef QR_CACHE_H
#define QR_CACHE_H

#include "magazine/magazine.h"

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
/* The same with a function for the CPU itself; only on CPUs of @only, if that is given. */
typedef u64 (*qr_cpu_fn)(unsigned int cpu, void *arg);
u64 qr_visit_cpus(const struct cpumask *only, qr_cpu_fn fn, void *arg);

/* Memory is short: what is to be freed by RCU is freed as soon as can be.  Process context. */
void qr_rcu_hurry(void);

/* The cache of that number, or NULL; with the lock. */
struct qr_cache *qr_cache_find(unsigned int id);

/*
 * A number that no cache has, for what is like one to the profiler.  qr_cache_find() does not
 * find it.  0, or a negative error.  Sleeps.
 */
int qr_cache_id_get(u32 *id);
void qr_cache_id_put(u32 id);

/* What caches that no longer exist had counted. */
extern atomic64_t qr_gone_mallocs, qr_gone_frees, qr_gone_remote_allocs;

/* For a size class, @class; otherwise 0.  Arguments are known to be good. */
struct qr_cache *qr_cache_new(const char *name, unsigned int size, unsigned int class,
			      const struct quarry_cache_args *args);

/* Add one cache's numbers to @st; the lock is held or the cache cannot go. */
void qr_cache_sum(struct qr_cache *cache, struct quarry_cache_stats *st);

/**
 * qr_cache_trimmable() - what qr_cache_trim() may bring at best
 * @cache: one that cannot go
 *
 * By its counters, for a look now and then: as if all free objects of its slabs lay side
 * by side.  It brings that much of sizes of a page and more, and little of small ones.
 *
 * Context: process, softirq.
 * Return: pages, about.
 */
unsigned long qr_cache_trimmable(struct qr_cache *cache);

/**
 * qr_cache_trim() - give pages under free objects to the page heap
 * @cache: the cache; may be in use meanwhile
 * @want: stop after so many pages; ULONG_MAX for all that can go
 *
 * All depots in turn, see qr_depot_trim().
 *
 * Context: process, with qr_caches_lock held.
 * Return: pages that left; fewer than @want when there are no more.
 */
unsigned long qr_cache_trim(struct qr_cache *cache, unsigned long want);

/* The most that a cache is passed over after trimming it was not worth it. */
#define QR_TRIM_BACKOFF 31

/* It has been trimmed: it is passed over for a while if that was not worth it. */
void qr_cache_trimmed(struct qr_cache *cache, bool worth_it);

/**
 * qr_trim_all() - give pages under free objects of all caches to the page heap
 * @want: stop after so many pages; ULONG_MAX for all that can go.  Caches of
 *	which it was found to bring little are passed over
 * @wait: for qr_caches_lock, which others may hold for long, and while they ask
 *	the kernel for memory: false for whoever comes from reclaim
 *
 * Context: process.
 * Return: pages that left; 0 as well when the lock was not to be had.
 */
u64 qr_trim_all(unsigned long want, bool wait);

int qr_caches_init(void);
/* Gives back everything, live or not: no client is left. */
void qr_caches_exit(void);

#endif /* QR_CACHE_H */
