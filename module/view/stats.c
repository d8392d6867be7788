// SPDX-License-Identifier: GPL-2.0
/*
 * The whole allocator's numbers, added up from the counters of the layers.  No counter
 * exists only for this file.  What comes from the kernel and goes back is counted where
 * that happens (core/metadata.c), independently of the layers' counters, so that
 * sys = inuse + idle + metadata is a check and not a definition.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <quarry/profile.h>

#include <linux/cpumask.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include "api/arena.h"
#include "api/kernel_free.h"
#include "cache/cache.h"
#include "cache/rcu_free.h"
#include "compat.h"
#include "core/caller.h"
#include "core/limit.h"
#include "core/metadata.h"
#include "slab/misuse.h"
#include "core/slow_path_time.h"
#include "magazine/slab_trim.h"
#include "pages/release.h"
#include "profile/label.h"
#include "profile/label_scope.h"
#include "profile/profile_memory.h"
#include "reclaim/scavenger.h"
#include "reclaim/shrinker.h"
#include "slab/large.h"

/* More would wait for a machine that never rests. */
#define MEMORY_TRIES 10

static void read_limits(struct quarry_stats *st)
{
	st->soft_limit_bytes = qr_limit_bytes(READ_ONCE(qr_limit_all.soft));
	st->hard_limit_bytes = qr_limit_bytes(READ_ONCE(qr_limit_all.hard));
	st->soft_limit_hits += atomic64_read(&qr_limit_all.soft_hits);
	st->hard_limit_hits += atomic64_read(&qr_limit_all.hard_hits);
}

static void read_nodes(struct quarry_stats *st)
{
	int node;

	st->inuse_bytes = 0;
	st->idle_bytes = 0;
	st->mixed_bytes = 0;
	st->hole_bytes = 0;
	st->chunks = 0;
	for_each_node_mask(node, qr_nodes) {
		struct quarry_node_stats ns;

		qr_node_stats_read(node, &ns);
		st->inuse_bytes += ns.inuse_bytes;
		st->idle_bytes += ns.idle_bytes;
		st->mixed_bytes += ns.mixed_bytes;
		st->hole_bytes += ns.hole_bytes;
		st->chunks += ns.chunks[QR_ORDINARY] + ns.chunks[QR_SAMPLED] + ns.chunks[QR_LARGE];
	}
	st->held_bytes = qr_limit_bytes(atomic_long_read(&qr_limit_all.held));
}

/*
 * Memory that the kernel has given belongs to chunks or to bookkeeping.  The scavenger may give
 * some back at any time, and arrays of magazines come and go.  So all are read again if the totals
 * have changed meanwhile.
 */
static void read_memory(struct quarry_stats *st)
{
	unsigned int try;

	for (try = 0; try < MEMORY_TRIES; try++) {
		st->metadata_bytes = atomic64_read(&qr_metadata_bytes);
		st->taken_bytes = atomic64_read(&qr_taken_bytes);
		st->returned_bytes = atomic64_read(&qr_returned_bytes);
		read_nodes(st);
		if (st->metadata_bytes == atomic64_read(&qr_metadata_bytes) &&
		    st->taken_bytes == atomic64_read(&qr_taken_bytes) &&
		    st->returned_bytes == atomic64_read(&qr_returned_bytes))
			break;
	}
	st->sys_bytes = st->taken_bytes - st->returned_bytes;
}

static void add_large(struct quarry_stats *st, const struct qr_large_count *count, u64 *objects,
		      u64 *bytes)
{
	u64 allocs = atomic64_read(&count->allocs), frees = atomic64_read(&count->frees);

	*objects = allocs - frees;
	*bytes = (u64)atomic64_read(&count->pages) << PAGE_SHIFT;
	st->mallocs += allocs;
	st->frees += frees;
	st->live_objects += *objects;
	st->live_bytes += *bytes;
}

static int add_arena(const struct quarry_arena_stats *as, void *arg)
{
	struct quarry_stats *st = arg;

	st->arenas++;
	st->arena_bytes += as->bytes;
	st->arena_live_bytes += as->live_bytes;
	return 0;
}

/**
 * quarry_stats_read() - read the whole allocator's numbers
 * @st: where to put them, see QUARRY_STATS in quarry/stats.h; ``stats`` in debugfs shows the
 *	same numbers
 *
 * The numbers are sums over all caches, nodes and CPUs, which are read one after the other.
 * They are exact while no allocation or free is under way, and otherwise off by those that
 * happen meanwhile.
 *
 * Context: process; sleeps.
 */
void quarry_stats_read(struct quarry_stats *st)
{
	struct quarry_cache_stats cs;
	struct qr_profile_counts pc;
	struct qr_cache *c;
	unsigned int cpu;

	memset(st, 0, sizeof(*st));
	mutex_lock(&qr_caches_lock);
	list_for_each_entry(c, &qr_caches, link) {
		qr_cache_sum(c, &cs);
		st->caches++;
		st->zombie_caches += cs.zombie;
		st->slabs += cs.slabs;
		st->mallocs += cs.mallocs;
		st->frees += cs.frees;
		st->live_objects += cs.live_objects;
		st->live_bytes += cs.live_objects * cs.size;
		st->cached_objects += cs.cached_objects;
		st->cached_bytes += cs.cached_objects * cs.size;
		st->refilled_objects += cs.refilled;
		st->flushed_objects += cs.flushed;
		st->direct_allocs += cs.direct_allocs;
		st->direct_frees += cs.direct_frees;
		st->remote_allocs += cs.remote_allocs;
		st->remote_frees += cs.remote_frees;
		st->remote_batches += cs.remote_batches;
		st->failed_allocs += atomic64_read(&c->failed);
		st->remote_fallbacks += atomic64_read(&c->fallbacks);
		st->soft_limit_hits += atomic64_read(&c->limit.soft_hits);
		st->hard_limit_hits += atomic64_read(&c->limit.hard_hits);
	}
	st->mallocs += atomic64_read(&qr_gone_mallocs);
	st->frees += atomic64_read(&qr_gone_frees);
	st->remote_allocs += atomic64_read(&qr_gone_remote_allocs);
	mutex_unlock(&qr_caches_lock);

	st->kernel_frees = atomic64_read(&qr_kernel_frees);
	st->rcu_pending_objects = qr_rcu_pending();
	add_large(st, &qr_large_count, &st->large_objects, &st->large_bytes);
	add_large(st, &qr_mapped_count, &st->mapped_objects, &st->mapped_bytes);
	qr_walk_arenas(add_arena, st);
	st->live_bytes += st->arena_live_bytes;
	st->failed_allocs += atomic64_read(&qr_large_failed) + atomic64_read(&qr_arena_failed);
	st->remote_fallbacks += atomic64_read(&qr_arena_fallbacks);
	st->remote_allocs += atomic64_read(&qr_large_remote);
	st->local_allocs = st->mallocs - st->remote_allocs;

	for_each_possible_cpu(cpu)
		st->percpu_cached_bytes += qr_percpu_granted(cpu);
	st->percpu_max_bytes = (u64)num_online_cpus() * READ_ONCE(qr_percpu_budget);
	st->magazine_array_bytes = atomic64_read(&qr_array_bytes);
	st->slow_path_ns = qr_slow_path_ns();

	read_memory(st);
	st->trimmed_bytes = (u64)atomic64_read(&qr_trimmed_pages) << PAGE_SHIFT;
	st->released_bytes = (u64)atomic64_read(&qr_released_pages) << PAGE_SHIFT;
	st->scavenged_bytes = (u64)atomic64_read(&qr_scavenged_pages) << PAGE_SHIFT;
	st->shrunk_bytes = (u64)atomic64_read(&qr_shrunk_pages) << PAGE_SHIFT;
	st->shrinker_ns = atomic64_read(&qr_shrinker_ns);
	st->scavenger_ns = atomic64_read(&qr_scavenger_ns);
	st->uptime_ns = ktime_get_mono_fast_ns() - qr_loaded_ns;
	if (st->inuse_bytes > st->live_bytes)
		st->fragmentation_permille = 1000 -
					     div64_u64(st->live_bytes * 1000, st->inuse_bytes);
	read_limits(st);

	qr_profile_counts(&pc);
	st->sample_rate_bytes = qr_rate_get();
	st->samples = pc.samples;
	st->live_samples = pc.live_samples;
	st->sampled_live_bytes = pc.live_space;
	st->dropped_samples = pc.dropped_samples;
	st->dropped_bytes = pc.dropped_space;
	st->other_samples = pc.other_samples;
	st->profile_sites = pc.sites;
	st->profile_max_sites = pc.site_limit;
	st->profile_label_sets = qr_label_sets();
	st->label_scopes = atomic_read(&qr_label_scopes);
	st->dropped_labels = atomic64_read(&qr_label_scopes_dropped);
	st->profile_bytes = atomic_long_read(&qr_profile_memory_used);
	st->profile_max_bytes = qr_profile_memory_limit;

	st->misuse_foreign = atomic64_read(&qr_misuse_count[QR_MISUSE_FOREIGN]);
	st->misuse_interior = atomic64_read(&qr_misuse_count[QR_MISUSE_INTERIOR]);
	st->misuse_wrong_cache = atomic64_read(&qr_misuse_count[QR_MISUSE_WRONG_CACHE]);
	st->misuse_double_free = atomic64_read(&qr_misuse_count[QR_MISUSE_DOUBLE_FREE]);
	st->misuse_busy_destroy = atomic64_read(&qr_misuse_count[QR_MISUSE_BUSY_DESTROY]);
	st->misuse_stale_mark = atomic64_read(&qr_misuse_count[QR_MISUSE_STALE_MARK]);
	st->misuse_red_zone = atomic64_read(&qr_misuse_count[QR_MISUSE_RED_ZONE]);
	st->misuse_poison = atomic64_read(&qr_misuse_count[QR_MISUSE_POISON]);
	st->misuse_kernel_free = atomic64_read(&qr_misuse_count[QR_MISUSE_KERNEL_FREE]);
	st->leaked_objects = atomic64_read(&qr_leaked_objects);
}
EXPORT_SYMBOL_QUARRY(quarry_stats_read);

/**
 * quarry_cache_stats_read() - read one cache's numbers
 * @cache: from quarry_cache_create(); must not be destroyed meanwhile
 * @st: where to put them; ``caches/<name>/stats`` in debugfs shows the same numbers
 *
 * The numbers are sums over all CPUs and nodes, which are read one after the other.  They
 * are exact while the cache is not used, and otherwise off by what happens meanwhile.  No
 * lock is taken.
 *
 * Context: any.
 * Return: 0, or -EINVAL if @cache is NULL, which is logged.
 */
int quarry_cache_stats_read(struct quarry_cache *cache, struct quarry_cache_stats *st)
{
	if (!cache) {
		pr_warn_ratelimited("the numbers of no cache were asked for, from %s\n",
				    qr_caller_name(_RET_IP_));
		return -EINVAL;
	}
	qr_cache_sum(qr_cache_of(cache), st);
	return 0;
}
EXPORT_SYMBOL_QUARRY(quarry_cache_stats_read);
