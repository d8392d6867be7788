// SPDX-License-Identifier: GPL-2.0
/*
 * How many idle pages to keep, and when to release the others?  (tcmalloc and jemalloc ask the
 * same.)  The scavenger keeps a share of the pages in use, as GOGC does in Go.  Of the pages
 * beyond that share it releases an eighth, but at least a chunk, every quarter of a second.  So
 * a burst that comes again soon finds its pages, and some ten seconds after a burst they are
 * released.  Pages under free objects decay to the same share: see magazine/slab_trim.h.  A cache
 * that is in use keeps a few in any case, so that its slabs are not taken apart and made again.
 *
 * Pages that were in use a few seconds ago are kept longer, up to a chunk of them.  Otherwise a
 * load that ends and begins again each second would get a new chunk from the kernel each time.
 * When it does not come again, they are released too: a node with no page in use keeps none.
 *
 * The scavenger takes at most 1 % of one CPU.  It has a credit: each nanosecond that passes adds
 * 1/100 ns, up to CREDIT_MAX, and each nanosecond of work subtracts 1 ns.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "reclaim/scavenger.h"

#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <quarry/exposure.h>
#include <quarry/stats.h>
#include <trace/events/quarry.h>
#include "cache/cache.h"
#include "cache/capacity_balance.h"
#include "compat.h"
#include "core/limit.h"
#include "core/metadata.h"
#include "core/work_queue.h"
#include "magazine/slab_trim.h"
#include "pages/page_heap.h"
#include "pages/release.h"

#define TICK	       (HZ / 4)
#define TICK_TIGHT     max(HZ / 50, 1) /* the tick near a limit */
#define DECAY	       8	       /* a tick releases 1/8 of the surplus */
#define TICKS_PER_TRIM 4
#define SHARE	       100 /* 1/100 of one CPU's time */
#define CREDIT_MAX     NSEC_PER_SEC
#define RETAIN_MAX     100
#define KEEP	       ((unsigned long)QR_CHUNK_PAGES)
#define RECENTLY       (4 * HZ) /* pages in use then, or as long before, are kept */
#define SPARSE	       8UL	/* a node with more holes for each page in use is sparse */
#define SPARE	       4UL	/* a sparse node keeps an idle page for so many in use */
/* Pages: so many under free objects are kept by a cache in use; descriptors of so many are few. */
#define SLACK	       ((unsigned long)SZ_256K >> PAGE_SHIFT)
#define FEW	       ((unsigned long)SZ_64K >> PAGE_SHIFT)

atomic64_t qr_scavenged_pages, qr_scavenger_ns;
u64 qr_loaded_ns;

bool qr_scavenger_paused;
EXPORT_SYMBOL_QUARRY_TEST(qr_scavenger_paused);

static unsigned int retain_percent = 10;
static bool running; /* changed with kernel_param_lock() */
static struct delayed_work work;
static s64 credit_ns;
static u64 last_ns;

/*
 * Would one more chunk exceed a limit?  Then nothing idle is kept: to get below the soft limit,
 * and so that the hard limit refuses no allocation while pages are idle.
 */
static bool is_tight(void)
{
	return qr_limit_excess(&qr_limit_all, QR_CHUNK_PAGES);
}

/*
 * Has @heap many holes for what it has in use?  If it grows slowly and is quiet in between, each
 * new slab finds no idle page and gets a new chunk, whose other pages become holes.
 */
static bool is_sparse(const struct qr_heap *heap)
{
	return heap->holes > SPARSE * heap->used + KEEP;
}

/*
 * The share that is kept for good.  A sparse heap keeps a quarter of what is in use, up to a chunk:
 * so while it grows slowly, each new chunk comes a quarter later than the one before.
 */
static unsigned long share_of(const struct qr_heap *heap)
{
	unsigned long share = heap->used * READ_ONCE(retain_percent) / 100;

	if (is_tight())
		return 0;
	return is_sparse(heap) ? max(share, min(heap->used / SPARE, KEEP)) : share;
}

/* Pages that were in use a few seconds ago and are idle.  They are kept: a load may come again. */
static unsigned long used_lately(struct qr_heap *heap)
{
	if (is_tight())
		return 0;
	if (time_after(jiffies, heap->peak_since + RECENTLY)) {
		heap->last_peak = heap->peak;
		heap->peak = heap->used;
		heap->peak_since = jiffies;
	}
	return max(heap->peak, heap->last_peak) - heap->used;
}

static void earn(u64 now)
{
	credit_ns = min_t(s64, credit_ns + div_u64(now - last_ns, SHARE), CREDIT_MAX);
	last_ns = now;
}

/* Subtract the time since *@start from the credit.  False if there is no credit left. */
static bool pay(u64 *start)
{
	u64 now = ktime_get_mono_fast_ns(), spent = now - *start;

	*start = now;
	credit_ns -= spent;
	atomic64_add(spent, &qr_scavenger_ns);
	return credit_ns > 0;
}

static unsigned long until_credit(void)
{
	return credit_ns > 0 ? 0 : nsecs_to_jiffies((u64)-credit_ns * SHARE) + 1;
}

/*
 * How many idle pages of @heap are to be released.  *@more: there are some, or pages that are kept
 * only for some seconds.  If there are none, the heap calls qr_heap_watcher when there are some
 * again, or when its share has become much smaller.
 */
static unsigned long surplus(struct qr_heap *heap, bool *more)
{
	unsigned long flags, idle, share, keep;

	raw_spin_lock_irqsave(&heap->lock, flags);
	qr_heap_report(heap);
	share = share_of(heap);
	keep = max(share, min(used_lately(heap), KEEP));
	idle = qr_heap_idle(heap);
	heap->keep = keep;
	heap->surplus = idle > share ? ULONG_MAX : share;
	heap->low = idle > share ? 0 : DIV_ROUND_UP(heap->used, 2);
	*more |= idle > share;
	raw_spin_unlock_irqrestore(&heap->lock, flags);
	return idle > keep ? idle - keep : 0;
}

/* Release a tick's part of a node's surplus.  *@more: as above. */
static void scavenge_node(int node, u64 *start, bool *more)
{
	unsigned long extra = surplus(qr_heaps[node], more), want, done = 0, n = 1;

	want = is_tight() ? extra : min(extra, max(extra / DECAY, KEEP));
	while (n && done < want && pay(start)) {
		n = qr_heap_release(node, min(want - done, KEEP));
		done += n;
		cond_resched();
	}
	if (done) {
		atomic64_add(done, &qr_scavenged_pages);
		trace_scavenge(node, done, is_tight() ? "limit" : "idle");
	}
}

/* With qr_caches_lock. */
static bool is_resting(const struct qr_cache *c)
{
	return READ_ONCE(c->rested) == QR_REST && qr_cache_moves(c) == c->look_moves;
}

/* How many pages under free objects should leave slabs of @c now. */
static unsigned long slack_of(struct qr_cache *c)
{
	bool resting = is_resting(c);
	unsigned long least = is_tight() ? 0 : resting ? 1 : SLACK;
	struct quarry_cache_stats st;
	unsigned long slack, used, keep;
	s64 free;

	/* Most caches have few pages. */
	if (qr_cache_pages(c) <= least)
		return 0;
	/* What a trim could not get, the next one cannot get either: the slabs are the same. */
	if (resting && qr_cache_slack(c) <= least)
		return 0;
	qr_cache_sum(c, &st);
	/* The counters are not read at one moment, so the difference may be negative. */
	free = max_t(s64, st.capacity_objects - st.live_objects - st.cached_objects, 0);
	used = st.inuse_bytes >> PAGE_SHIFT;
	slack = min_t(u64, used, div_u64(free * c->geo.pages, c->geo.objects));
	used -= slack;
	keep = is_tight() ? 0 : max(used * READ_ONCE(retain_percent) / 100, least);
	if (slack <= keep)
		return 0;
	return is_tight() ? slack : max((slack - keep) / 2, 2 * SLACK);
}

static bool trim_cache(struct qr_cache *c, u64 *start)
{
	unsigned long want = slack_of(c), got = 0, n;

	if (!want) {
		c->trim_backoff = 0;
		WRITE_ONCE(c->trim_wait, 0);
		return false;
	}
	if (c->trim_wait) {
		WRITE_ONCE(c->trim_wait, c->trim_wait - 1);
		return c->trim_backoff < QR_TRIM_BACKOFF;
	}
	do {
		n = qr_cache_trim(c, min(want - got, KEEP));
		got += n;
	} while (pay(start) && n && got < want);
	if (credit_ns > 0)
		qr_cache_trimmed(c, got >= want / 4);
	/* After too many trims in vain, stop until the depot calls its watcher. */
	return c->trim_backoff < QR_TRIM_BACKOFF;
}

/* Trim all caches.  Returns true if there may be more to trim. */
static bool trim_caches(u64 *start)
{
	struct qr_cache *c;
	bool more = false;

	mutex_lock(&qr_trim_lock);
	mutex_lock(&qr_caches_lock);
	list_for_each_entry(c, &qr_caches, link) {
		more |= trim_cache(c, start);
		if (!pay(start)) {
			more = true;
			break;
		}
	}
	qr_caches_count_spare(true);
	mutex_unlock(&qr_caches_lock);
	mutex_unlock(&qr_trim_lock);
	return more;
}

static void wake(unsigned long delay)
{
	if (READ_ONCE(running))
		queue_delayed_work(qr_work_queue, &work, delay);
}

static bool slack_due; /* caches may have something to trim that the last trim did not see */

static void on_slack(void)
{
	WRITE_ONCE(slack_due, true);
	wake(TICK);
}

static void shrink_metadata(struct work_struct *unused)
{
	qr_meta_shrink();
}

/* Apart from the ticks, because it waits for other CPUs. */
static DECLARE_WORK(metadata_work, shrink_metadata);

/*
 * There was nothing to release or to trim.  If few pages are in use now and many were, most of
 * Quarry's own structs are free too, and the kernel should have their slabs.  Many is what was
 * released, or twice of what is in use; or the structs themselves have become fewer.  While many
 * pages are kept for a load that may come again, it would need the structs again, too.
 */
static void at_rest(void)
{
	static unsigned long most;
	static s64 released;
	static s64 most_metadata;
	s64 now = atomic64_read(&qr_released_pages), metadata = atomic64_read(&qr_metadata_bytes);
	unsigned long used = 0, idle = 0;
	int node;

	for_each_node_mask(node, qr_nodes) {
		used += READ_ONCE(qr_heaps[node]->used);
		/* A guess is enough, so no lock. */
		idle += data_race(qr_heap_idle(qr_heaps[node]));
	}
	most = max(most, used);
	most_metadata = max(most_metadata, metadata);
	if (used > KEEP || idle > SLACK)
		return;
	if (now - released < SLACK && (most < FEW || used > most / 2) &&
	    most_metadata - metadata < (s64)(FEW << PAGE_SHIFT))
		return;
	released = now;
	most = used;
	most_metadata = metadata;
	queue_work(qr_work_queue, &metadata_work);
}

static s64 pages_moved(void)
{
	return atomic64_read(&qr_released_pages) + atomic64_read(&qr_trimmed_pages);
}

static void tick(struct work_struct *unused)
{
	u64 start = ktime_get_mono_fast_ns();
	unsigned long delay = is_tight() ? TICK_TIGHT : TICK;
	s64 moved = pages_moved();
	static bool slack; /* the last trim left something to trim */
	static unsigned int ticks;
	bool more = false;
	int node;

	earn(start);
	WRITE_ONCE(qr_depot_watcher, on_slack);
	if (READ_ONCE(qr_scavenger_paused) || credit_ns <= 0)
		return wake(max(delay, until_credit()));
	for_each_node_mask(node, qr_nodes)
		scavenge_node(node, &start, &more);
	if (is_tight()) {
		/* Near a limit, idle objects in magazines and depots go down to slabs as well. */
		qr_magazines_tick();
		pay(&start);
	}
	if (ticks++ % TICKS_PER_TRIM == 0 && (slack || READ_ONCE(slack_due))) {
		WRITE_ONCE(slack_due, false);
		slack = trim_caches(&start);
	}
	more |= slack || READ_ONCE(slack_due);
	pay(&start);
	if (more)
		wake(max(delay, until_credit()));
	if (moved == pages_moved())
		at_rest();
}

/* Any context but NMI. */
static void on_surplus(void)
{
	wake(TICK);
}

static void on_limit(void)
{
	WRITE_ONCE(slack_due, true);
	wake(is_tight() ? TICK_TIGHT : TICK);
}

u64 qr_scavenge_now(void)
{
	unsigned long pages, all = 0;
	int node;

	for_each_node_mask(node, qr_nodes) {
		pages = qr_heap_release(node, ULONG_MAX);
		if (pages)
			trace_scavenge(node, pages, "asked");
		all += pages;
	}
	atomic64_add(all, &qr_scavenged_pages);
	return all;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_scavenge_now);

unsigned int qr_retain_get(void)
{
	return READ_ONCE(retain_percent);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_retain_get);

int qr_retain_set(unsigned int percent)
{
	if (percent > RETAIN_MAX)
		return -ERANGE;
	WRITE_ONCE(retain_percent, percent);
	WRITE_ONCE(slack_due, true);
	wake(0);
	return 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_retain_set);

static int param_set(const char *text, const struct kernel_param *kp)
{
	unsigned int percent;
	int err = qr_may_set_parameter();

	if (err)
		return err;
	err = kstrtouint(text, 10, &percent);
	if (!err)
		err = qr_retain_set(percent);
	if (err)
		pr_err("retain_percent \"%s\" is no number from 0 to %u\n", text, RETAIN_MAX);
	return err;
}

static const struct kernel_param_ops retain_ops = { .set = param_set, .get = param_get_uint };

module_param_cb(retain_percent, &retain_ops, &retain_percent, 0600);
MODULE_PARM_DESC(retain_percent,
		 "idle pages to keep, as a share of those in use (0 to 100; default 10)");

int qr_scavenger_init(void)
{
	INIT_DELAYED_WORK(&work, tick);
	qr_loaded_ns = ktime_get_mono_fast_ns();
	last_ns = qr_loaded_ns;
	kernel_param_lock(THIS_MODULE);
	WRITE_ONCE(running, true);
	WRITE_ONCE(qr_heap_watcher, on_surplus);
	WRITE_ONCE(qr_limit_watcher, on_limit);
	kernel_param_unlock(THIS_MODULE);
	wake(TICK);
	return 0;
}

void qr_scavenger_exit(void)
{
	unsigned long flags;
	int node;

	/* Module parameters can be written until the module is gone. */
	kernel_param_lock(THIS_MODULE);
	WRITE_ONCE(qr_limit_watcher, NULL);
	WRITE_ONCE(running, false);
	kernel_param_unlock(THIS_MODULE);
	/* Heaps decide under their lock whether to call qr_heap_watcher. */
	for_each_node_mask(node, qr_nodes) {
		raw_spin_lock_irqsave(&qr_heaps[node]->lock, flags);
		qr_heaps[node]->surplus = ULONG_MAX;
		qr_heaps[node]->low = 0;
		raw_spin_unlock_irqrestore(&qr_heaps[node]->lock, flags);
	}
	cancel_delayed_work_sync(&work);
	/* The last run of the work may have set the watcher again. */
	WRITE_ONCE(qr_depot_watcher, NULL);
	cancel_delayed_work_sync(&work);
	cancel_work_sync(&metadata_work);
}
