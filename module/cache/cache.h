/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cache layer: creating, destroying and finding caches, and what is done to all of them.
 *
 * Offers: the life of a cache (cache.c) and its end (zombie.c), its numbers (cache_view.c), limits
 * (cache_limit.c) and sampling rate (sample_rate.c); frees that wait for a grace period (rcu_*.c,
 * deferred.c); calls for NMIs (nolock.c); and what runs in the background: moving capacity between
 * magazines (capacity_balance.c) and trimming (cache_trim.c).  Uses core/, pages/, profile/, slab/
 * and magazine/.
 *
 * Locks: qr_caches_lock, a mutex, guards the list of caches and keeps each cache on it alive.
 * Clients create and destroy caches also in callbacks of CPU hotplug, so no holder of this lock
 * waits for CPU hotplug or for another CPU's work items.  cpu_visit.c runs a function on every CPU,
 * because a magazine is changed by its own CPU only; it finds caches by RCU.  rcu_block.c and
 * deferred.c have raw spinlocks of their own, which are taken alone.
 *
 * Contexts: process, and the functions sleep, unless they say otherwise.  Frees by RCU may be
 * called from process, softirq and hardirq context, nolock.c's calls from anywhere.
 */
#ifndef QR_CACHE_H
#define QR_CACHE_H

#include "magazine/magazine.h"

/*
 * Guards the list of caches; no cache on it is freed while it is held.  Sleeps.  Taken inside of
 * cpus_read_lock(), so its holder waits for nothing that needs that.
 */
extern struct mutex qr_caches_lock;
extern struct list_head qr_caches;

/*
 * Held while slabs are trimmed, together with qr_caches_lock, and while the walker stops the
 * machine.  Outermost: outside of cpus_read_lock() and of qr_caches_lock.
 */
extern struct mutex qr_trim_lock;

/* Bytes between samples, for every cache that has no rate of its own.  Changed with the lock. */
extern u32 qr_default_rate;

/*
 * Run @fn once for every possible CPU for which @wanted is true, or for all if that is NULL.  For a
 * CPU that is offline, @fn runs on the calling CPU.  Returns the sum of what @fn returns.  Takes
 * cpus_read_lock(), and waits for work items on other CPUs.  Not with qr_caches_lock.
 */
typedef u64 (*qr_cpu_fn)(unsigned int cpu, void *arg);
u64 qr_visit_cpus(bool (*wanted)(unsigned int cpu), qr_cpu_fn fn, void *arg);
/* Call @fn on every CPU, as above, for the cache with the number @cache; 0: for all caches. */
typedef unsigned int (*qr_magazine_fn)(struct qr_cache *cache, unsigned int cpu);
u64 qr_visit_magazines(unsigned int cache, qr_magazine_fn fn);
/*
 * Call @fn here for @cpu and all caches, or the one with the number @only, each in an RCU read-side
 * section.  Caches that come or go meanwhile may be left out.  Sleeps.
 */
u64 qr_each_cache(unsigned int only, unsigned int cpu, qr_magazine_fn fn);

/*
 * Memory is short: free what waits in RCU blocks, after an expedited grace period.  Process
 * context; sleeps.
 */
void qr_rcu_hurry(void);

/*
 * From now on, each object that is freed is known as free by its slab: the magazines of all caches
 * are flushed, and have no capacity until this is called with false.  Objects of pools and frees by
 * RCU that wait stay where they are.  Sleeps; takes qr_caches_lock.
 */
void qr_caches_shut(bool shut);

/* The cache with that id, or NULL.  With qr_caches_lock, or rcu_read_lock(). */
struct qr_cache *qr_cache_find(unsigned int id);
/* The cache with the lowest id from *@id to @last; sets *@id to it.  With rcu_read_lock(). */
struct qr_cache *qr_cache_next(unsigned long *id, unsigned long last);

/*
 * Reserve an id that no cache has, for an arena, which the profiler treats like a cache.
 * qr_cache_find() returns NULL for it.  Returns 0 or a negative error.  Sleeps.
 */
int qr_cache_id_get(u32 *id);
void qr_cache_id_put(u32 id);

/* Sums of the counters of caches that no longer exist. */
extern atomic64_t qr_gone_mallocs, qr_gone_frees, qr_gone_remote_allocs;

/* Create a cache.  @class: the size class that it serves, or 0.  The caller has checked @args. */
struct qr_cache *qr_cache_new(const char *name, unsigned int size, unsigned int class,
			      const struct quarry_cache_args *args);
/* The same; @stands_for: its twin is made, of which the observer knows nothing; or NULL. */
struct qr_cache *qr_cache_new_twin(const char *name, unsigned int size, unsigned int class,
				   const struct quarry_cache_args *args,
				   struct qr_cache *stands_for);

/*
 * The end of a cache (zombie.c).  A cache is void when it has no slab: all its objects are free and
 * its empty slabs have been given back.
 */
bool qr_cache_is_void(struct qr_cache *cache);
/*
 * The cache is void, or its objects are given up.  Add its numbers to the totals and free it.  With
 * qr_caches_lock.
 */
void qr_cache_gone(struct qr_cache *cache);
/* The cache was destroyed with live objects: make it a zombie, and report it.  As above. */
void qr_cache_bury(struct qr_cache *cache, unsigned long ip);
/* One of the two. */
void qr_cache_end(struct qr_cache *cache, unsigned long ip);
/* The same for the twin that the cache has, and those that it had and that have live objects. */
void qr_twins_end(struct qr_cache *cache, unsigned long ip);
/* Free the zombies that are void.  Sleeps. */
void qr_zombies_collect(void);
void qr_zombies_init(void);
void qr_zombies_exit(void);

/* Fill @st with one cache's numbers.  With qr_caches_lock, or for a cache that cannot go. */
void qr_cache_sum(struct qr_cache *cache, struct quarry_cache_stats *st);

/* Pages of all its slabs.  Much quicker than qr_cache_sum(). */
unsigned long qr_cache_pages(const struct qr_cache *cache);

/**
 * qr_cache_trimmable() - estimate what qr_cache_trim() can bring at most
 * @cache: a cache that cannot go
 *
 * Computed from counters, as if all free objects of the cache's slabs lay side by side.  For
 * objects of a page and more a trim brings about that much, for small objects far less.
 *
 * Context: process, softirq.
 * Return: pages, about.
 */
unsigned long qr_cache_trimmable(struct qr_cache *cache);

/* The same, less what trims since have brought or could not bring.  With qr_caches_lock. */
unsigned long qr_cache_slack(struct qr_cache *cache);

/* Sum of qr_depot_moves() of all its depots. */
unsigned int qr_cache_moves(const struct qr_cache *cache);

/*
 * Pages of @node that caches could give up, as an estimate: what qr_caches_count_spare() found
 * last.  Any context.
 */
unsigned long qr_caches_spare(int node);
/*
 * Count them.  The look once a second and the scavenger do so, and the shrinker after it has
 * emptied caches.  With @slack the pages under free objects of slabs in use are computed anew for
 * the caches that have moved objects, which takes a step for each CPU.  With qr_caches_lock.
 */
void qr_caches_count_spare(bool slack);

/**
 * qr_cache_trim() - give pages without a live object to the page heap
 * @cache: the cache; may be in use meanwhile
 * @want: stop after so many pages; ULONG_MAX for all that can go
 *
 * Trims all depots in turn, see qr_depot_trim().
 *
 * Context: process, with qr_trim_lock and qr_caches_lock held.
 * Return: pages that left; fewer than @want when there are no more.
 */
unsigned long qr_cache_trim(struct qr_cache *cache, unsigned long want);

/* How many times a cache is skipped at most, after trimming it brought too little. */
#define QR_TRIM_BACKOFF 31

/* The cache has been trimmed.  If that was not worth it, it is skipped for a while. */
void qr_cache_trimmed(struct qr_cache *cache, bool worth_it);

/**
 * qr_trim_all() - trim all caches, except those where a trim recently brought little
 * @want: stop after so many pages; ULONG_MAX for all that can go
 * @wait: wait for qr_trim_lock and qr_caches_lock.  Must be false in the kernel's reclaim, because
 *	a holder of a lock may be asking the kernel for memory
 *
 * Context: process.
 * Return: pages that left; also 0 when a lock was held and @wait is false.
 */
u64 qr_trim_all(unsigned long want, bool wait);

/*
 * A node has got its first memory: make its heap and view, and its depots in all caches.  Process
 * context; sleeps.
 */
int qr_caches_add_node(int node);

int qr_caches_init(void);
/* The module is unloaded: destroy all caches, with objects that are still live. */
void qr_caches_exit(void);

#endif /* QR_CACHE_H */
