// SPDX-License-Identifier: GPL-2.0
/* Trimming caches: which of them, and when it is worth it.  The work is in magazine/slab_trim.c. */
#include "cache/cache.h"

#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "compat.h"
#include "magazine/slab_trim.h"

DEFINE_MUTEX(qr_trim_lock); /* see cache.h */
EXPORT_SYMBOL_QUARRY_TEST(qr_trim_lock);

unsigned long qr_cache_pages(const struct qr_cache *c)
{
	unsigned long pages = 0;
	unsigned int i;

	for (i = 0; i < qr_nr_depots(); i++)
		if (c->depot[i])
			pages += READ_ONCE(c->depot[i]->nr_pages);
	return pages;
}

unsigned long qr_cache_trimmable(struct qr_cache *c)
{
	struct quarry_cache_stats st;
	s64 free;

	if (!qr_cache_pages(c))
		return 0;
	qr_cache_sum(c, &st);
	/* The numbers are not read at one moment, so their difference may be negative. */
	free = st.capacity_objects - st.live_objects - st.cached_objects;
	return free > 0 ? DIV_ROUND_UP_ULL(free * c->geo.pages, c->geo.objects) : 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_trimmable);

/* A skipped cache is trimmed again after its depots have moved so many batches and objects. */
#define TRIM_MOVES 128

unsigned int qr_cache_moves(const struct qr_cache *c)
{
	unsigned int moves = 0, i;

	for (i = 0; i < qr_nr_depots(); i++)
		if (c->depot[i])
			moves += qr_depot_moves(c->depot[i]);
	return moves;
}

/* Computed anew only if the cache's slabs may have got free objects, or lost some. */
unsigned long qr_cache_slack(struct qr_cache *c)
{
	unsigned int moves = qr_cache_moves(c);

	lockdep_assert_held(&qr_caches_lock);
	if (READ_ONCE(c->slack_due) || moves != c->slack_moves) {
		WRITE_ONCE(c->slack_due, false);
		c->slack_moves = moves;
		c->slack = qr_cache_trimmable(c);
	}
	return c->slack;
}

static unsigned long spare_pages[MAX_NUMNODES];

unsigned long qr_caches_spare(int node)
{
	return READ_ONCE(spare_pages[node]);
}

void qr_caches_count_spare(bool with_slack)
{
	static unsigned long sum[MAX_NUMNODES]; /* with qr_caches_lock */
	unsigned long slack = 0;
	struct qr_cache *c;
	int node;

	lockdep_assert_held(&qr_caches_lock);
	memset(sum, 0, sizeof(sum));
	list_for_each_entry(c, &qr_caches, link) {
		if (with_slack)
			qr_cache_slack(c);
		slack += READ_ONCE(c->trim_wait) ? 0 : c->slack;
		for_each_node_mask(node, qr_nodes) {
			const struct qr_depot *d = c->depot[node];
			unsigned long cached = d ? READ_ONCE(d->nr_cached) : 0;

			sum[node] += d ? READ_ONCE(d->nr_empty) * c->geo.pages : 0;
			sum[node] += cached * c->geo.stride >> PAGE_SHIFT;
		}
		cond_resched();
	}
	/* @slack is of all nodes; an even share of it is near enough. */
	for_each_node_mask(node, qr_nodes)
		WRITE_ONCE(spare_pages[node], sum[node] + slack / nodes_weight(qr_nodes));
}
EXPORT_SYMBOL_QUARRY_TEST(qr_caches_count_spare);

unsigned long qr_cache_trim(struct qr_cache *c, unsigned long want)
{
	unsigned long pages = 0;
	unsigned int i;

	lockdep_assert_held(&qr_trim_lock);
	lockdep_assert_held(&qr_caches_lock);
	/*
	 * RCU readers may still look at free objects of a typesafe cache, and writes to free
	 * objects of a guarded cache are still to be found.
	 */
	if (c->typesafe || c->guarded)
		return 0;
	for (i = 0; i < qr_nr_depots() && pages < want; i++)
		if (c->depot[i])
			pages += qr_depot_trim(c->depot[i], want - pages);
	c->slack = pages < want ? 0 : c->slack - min(c->slack, pages);
	return pages;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_trim);

/*
 * With small objects, most objects of a slab can be free and hardly a page is.  Trimming such a
 * cache brings little, so it is tried less and less often.
 */
void qr_cache_trimmed(struct qr_cache *c, bool worth_it)
{
	c->trim_moves = qr_cache_moves(c);
	c->trim_backoff = worth_it ? 0 : min(2 * c->trim_backoff + 1, QR_TRIM_BACKOFF);
	WRITE_ONCE(c->trim_wait, c->trim_backoff);
}

static bool trim_lock(bool wait)
{
	if (wait) {
		mutex_lock(&qr_trim_lock);
		mutex_lock(&qr_caches_lock);
		return true;
	}
	if (!mutex_trylock(&qr_trim_lock))
		return false;
	if (mutex_trylock(&qr_caches_lock))
		return true;
	mutex_unlock(&qr_trim_lock);
	return false;
}

u64 qr_trim_all(unsigned long want, bool wait)
{
	struct qr_cache *c;
	u64 pages = 0;
	unsigned long n;

	if (!trim_lock(wait))
		return 0;
	list_for_each_entry(c, &qr_caches, link) {
		if (pages >= want)
			break;
		if (c->trim_wait && qr_cache_moves(c) - c->trim_moves < TRIM_MOVES)
			continue;
		if (!qr_cache_trimmable(c))
			continue;
		n = qr_cache_trim(c, want - pages);
		if (!n)
			qr_cache_trimmed(c, false);
		pages += n;
		cond_resched();
	}
	mutex_unlock(&qr_caches_lock);
	mutex_unlock(&qr_trim_lock);
	return pages;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_trim_all);
