// SPDX-License-Identifier: GPL-2.0
/*
 * Under memory pressure idle pages go back to the kernel first.  If these are not enough, pools
 * give up objects that were not used since the last call, and idle caches empty their
 * magazines and depots.  If that is not enough either, pages under free objects leave slabs.
 *
 * The kernel calls the shrinker from any allocation that may reclaim, also from Quarry's own, and
 * the caller may hold any lock.  So nothing here waits for a lock that is held while memory
 * is allocated.
 */
#include "reclaim/shrinker.h"

#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/shrinker.h>
#include <trace/events/quarry.h>
#include "api/pool.h"
#include "cache/cache.h"
#include "cache/capacity_balance.h"
#include "cache/rcu_free.h"
#include "compat.h"
#include "core/exposure.h"
#include "core/work_queue.h"
#include "pages/page_heap.h"
#include "pages/release.h"

/* The kernel asks for a whole chunk at a time: see do_shrink_slab(). */
#define BATCH QR_CHUNK_PAGES

/* Objects that wait for a grace period and count as one page.  Their sizes are not known. */
#define RCU_OBJECTS 8

static bool enabled = true;

module_param_cb(shrinker, &qr_bool_param_ops, &enabled, 0644);
MODULE_PARM_DESC(shrinker, "give pages back when the kernel is short of memory (default Y)");

atomic64_t qr_shrunk_pages, qr_shrinker_ns;

/* Did the depots of @c move no object since the last call? */
static bool is_idle(struct qr_cache *c)
{
	bool idle = true;
	unsigned int i;

	for (i = 0; i < qr_nr_depots(); i++) {
		struct qr_depot *d = c->depot[i];

		if (!d || qr_depot_moves(d) == d->moves_seen)
			continue;
		d->moves_seen = qr_depot_moves(d);
		idle = false;
	}
	return idle;
}

/*
 * Return objects to their slabs, and empty slabs to the page heap.  An idle cache returns those
 * in its depots and in this CPU's magazine.  Unless @idle_only, the other caches return those in
 * their depots.  A work item looks after other CPUs' magazines; this does not wait for it.
 */
static void drain_caches(bool idle_only)
{
	struct qr_cache *c;

	qr_magazines_soon();
	if (!mutex_trylock(&qr_caches_lock))
		return;
	list_for_each_entry(c, &qr_caches, link) {
		bool idle = is_idle(c);

		if (idle)
			qr_magazine_drain_here(c);
		if (idle || !idle_only)
			qr_cache_settle(c);
	}
	mutex_unlock(&qr_caches_lock);
}

/* A work item, because it waits for a grace period and the shrinker's caller may not. */
static void hurry(struct work_struct *unused)
{
	qr_rcu_hurry();
}

static DECLARE_WORK(hurry_work, hurry);

unsigned long qr_shrink_count(int node)
{
	struct qr_heap *heap = qr_heaps[node];

	if (!heap || !READ_ONCE(enabled))
		return 0;
	return READ_ONCE(heap->owned) - READ_ONCE(heap->used) + qr_caches_spare(node) +
	       qr_pools_pages(node) + DIV_ROUND_UP(qr_rcu_pending(), RCU_OBJECTS);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_shrink_count);

/*
 * Trim the caches until @want pages have left slabs.  No heap of @node has idle pages before.
 * Those that leave slabs go to the kernel at once, but for as many as the heap may keep; and
 * these go now.  Returns pages.
 */
static unsigned long trim(int node, unsigned long want,
			  unsigned long (*release)(int, unsigned long))
{
	unsigned long left = qr_trim_all(want, false);

	return max(left, release(node, want));
}

/*
 * Give back pages for an allocation near a limit of the module (qr_heap_helper).  Here the depots
 * of busy caches are emptied as well: near a limit, pages matter more than speed.
 */
static unsigned long spare(int node, unsigned long want)
{
	unsigned long done;

	drain_caches(false);
	done = qr_heaps_release(node, want);
	if (done < want)
		done += trim(node, want - done, qr_heaps_release);
	if (done)
		trace_scavenge(node, done, "limit");
	return done;
}

unsigned long qr_shrink_scan(int node, unsigned long want)
{
	u64 start = ktime_get_mono_fast_ns();
	unsigned long done;

	if (!READ_ONCE(enabled))
		return 0;
	if (qr_rcu_pending())
		queue_work(qr_work_queue, &hurry_work);
	done = qr_heap_release(node, want);
	if (done < want) {
		qr_pools_age(node);
		drain_caches(true);
		done += qr_heap_release(node, want - done);
	}
	if (done < want) {
		done += trim(node, want - done, qr_heap_release);
		if (mutex_trylock(&qr_caches_lock)) {
			qr_caches_count_spare(false);
			mutex_unlock(&qr_caches_lock);
		}
	}
	if (done)
		trace_scavenge(node, done, "memory");
	atomic64_add(done, &qr_shrunk_pages);
	atomic64_add(ktime_get_mono_fast_ns() - start, &qr_shrinker_ns);
	return done;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_shrink_scan);

static unsigned long count_objects(struct shrinker *unused, struct shrink_control *sc)
{
	return qr_shrink_count(sc->nid);
}

static unsigned long scan_objects(struct shrinker *unused, struct shrink_control *sc)
{
	return qr_shrink_scan(sc->nid, sc->nr_to_scan) ?: SHRINK_STOP;
}

static struct shrinker *shrinker;

int qr_shrinker_init(void)
{
	shrinker = qr_compat_shrinker_new("quarry", SHRINKER_NUMA_AWARE, count_objects,
					  scan_objects, BATCH);
	if (!shrinker)
		return -ENOMEM;
	WRITE_ONCE(qr_heap_helper, spare);
	return 0;
}

void qr_shrinker_exit(void)
{
	WRITE_ONCE(qr_heap_helper, NULL);
	qr_compat_shrinker_free(shrinker);
	cancel_work_sync(&hurry_work);
}
