// SPDX-License-Identifier: GPL-2.0
/*
 * Zombies: caches that were destroyed while objects were live.
 *
 * Each free of a zombie's object queues a work item, which frees the zombies whose objects are all
 * free.  So a zombie stays for as long as its objects, and costs nothing meanwhile.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "cache/cache.h"

#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include "compat.h"
#include "core/work_queue.h"

static DEFINE_MUTEX(collect_lock); /* outside of qr_caches_lock */

bool qr_cache_is_void(struct qr_cache *c)
{
	unsigned int i;

	for (i = 0; i < qr_nr_depots(); i++)
		if (c->depot[i] && READ_ONCE(c->depot[i]->nr_slabs))
			return false;
	return true;
}

void qr_cache_bury(struct qr_cache *c, unsigned long ip)
{
	struct quarry_cache_stats st;
	const void *first = NULL;
	unsigned int i;

	lockdep_assert_held(&qr_caches_lock);
	qr_cache_sum(c, &st);
	for (i = 0; i < qr_nr_depots() && !first; i++)
		if (c->depot[i])
			first = qr_depot_first_live(c->depot[i]);
	WRITE_ONCE(c->zombie, true);
	WRITE_ONCE(c->apart, true);
	/* The module with the cleanup functions may be unloaded next. */
	for (i = 0; i < qr_nr_depots(); i++)
		if (c->depot[i])
			qr_depot_strip(c->depot[i]);
	qr_report(QR_MISUSE_BUSY_DESTROY, first, c->name, NULL, ip);
	pr_err("cache %s destroyed with %llu live objects of %u bytes\n", c->name,
	       st.live_objects + st.cached_objects, c->pub.size);
	/* The last object may have been freed before its CPU saw that this is a zombie. */
	qr_zombie_freed();
}

void qr_cache_end(struct qr_cache *c, unsigned long ip)
{
	if (qr_cache_is_void(c))
		qr_cache_gone(c);
	else
		qr_cache_bury(c, ip);
}

/* Mark the zombies that are void.  Returns true if there are any. */
static bool mark_void(void)
{
	struct qr_cache *c;
	bool any = false;

	mutex_lock(&qr_caches_lock);
	list_for_each_entry(c, &qr_caches, link) {
		if (likely(!c->zombie))
			continue;
		qr_cache_settle(c);
		c->over = qr_cache_is_void(c);
		any |= c->over;
		cond_resched();
	}
	mutex_unlock(&qr_caches_lock);
	return any;
}

static void free_marked(void)
{
	struct qr_cache *c, *next;

	mutex_lock(&qr_caches_lock);
	list_for_each_entry_safe(c, next, &qr_caches, link)
		if (c->over)
			qr_cache_gone(c);
	mutex_unlock(&qr_caches_lock);
}

void qr_zombies_collect(void)
{
	mutex_lock(&collect_lock);
	if (mark_void()) {
		/* The frees that made them void count themselves with interrupts off. */
		synchronize_rcu();
		free_marked();
	}
	mutex_unlock(&collect_lock);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_zombies_collect);

static void collect_fn(struct work_struct *unused)
{
	/* A free that did not see the zombie queues nothing.  It has ended after this. */
	synchronize_rcu();
	qr_zombies_collect();
}

void qr_zombies_init(void)
{
	INIT_DELAYED_WORK(&qr_zombie_work, collect_fn);
}

void qr_zombies_exit(void)
{
	cancel_delayed_work_sync(&qr_zombie_work);
}
