// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of one cache, switched on and off while it is in use.
 *
 * "sane": frees bypass the magazines.  Each goes to its slab, whose map knows which objects are
 * free, so a double free is noticed in the free itself, and not when a magazine is flushed.  Such a
 * cache has no capacity for magazines, as a cache that the CPU's budget has nothing left for.  So
 * other caches pay nothing, and neither does this one before and after.
 *
 * The search for lost objects shuts the magazines of all caches in the same way, so that an object
 * which waits in one is not taken for a live one.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <quarry/misuse.h>
#include <quarry/quarry.h>
#include "cache/cache.h"
#include "compat.h"

struct closing {
	struct qr_cache *cache;
	struct list_head doomed;
};

static void close_here(void *arg)
{
	struct closing *what = arg;

	qr_magazine_close_here(what->cache, &what->doomed);
}

static bool is_open(const struct qr_cache *c, unsigned int cpu)
{
	unsigned long granted;

	rcu_read_lock();
	granted = qr_head_granted(c, per_cpu_ptr(c->pub.head, cpu));
	rcu_read_unlock();
	return granted;
}

/*
 * By interrupts, and not by a visit: quarry_cache_destroy() waits for writers of the cache's files,
 * see redraw_one() in sample_rate.c.  An interrupt may come in the middle of an operation on the
 * head; then the next one closes it.  The head of a CPU that goes offline is closed there, and that
 * of one that comes has no capacity.
 */
static void close_magazines(struct qr_cache *c)
{
	struct closing what = { .cache = c, .doomed = LIST_HEAD_INIT(what.doomed) };
	unsigned int cpu;

	for_each_online_cpu(cpu)
		while (!smp_call_function_single(cpu, close_here, &what, true) && is_open(c, cpu))
			cpu_relax();
	qr_slabs_destroy(&what.doomed);
	qr_cache_settle(c);
}

/* The magazines of a pool's cache are the pool's; a guarded cache has none. */
static bool can_be_shut(const struct qr_cache *c)
{
	return !c->zombie && !c->keeper && !c->guarded;
}

/* Close the magazines, or let them fill again, as the cache's flags say. */
static void follow(struct qr_cache *c)
{
	bool shut = c->sane || c->searched;

	if (c->shut == shut)
		return;
	WRITE_ONCE(c->shut, shut);
	WRITE_ONCE(c->apart, shut);
	if (shut)
		close_magazines(c);
}

static int set_checks(struct qr_cache *c, unsigned int checks)
{
	lockdep_assert_held(&qr_caches_lock);
	if (checks & ~QUARRY_CHECK_SANE)
		return -EINVAL;
	if (!can_be_shut(c))
		return -EOPNOTSUPP;
	c->sane = checks & QUARRY_CHECK_SANE;
	follow(c);
	return 0;
}

void qr_caches_shut(bool shut)
{
	struct qr_cache *c;

	mutex_lock(&qr_caches_lock);
	list_for_each_entry(c, &qr_caches, link) {
		if (!can_be_shut(c))
			continue;
		c->searched = shut;
		follow(c);
		cond_resched();
	}
	mutex_unlock(&qr_caches_lock);
}

int qr_cache_check_get(u32 cache, unsigned int *checks)
{
	struct qr_cache *c;

	mutex_lock(&qr_caches_lock);
	c = qr_cache_find(cache);
	if (c)
		*checks = c->sane ? QUARRY_CHECK_SANE : 0;
	mutex_unlock(&qr_caches_lock);
	return c ? 0 : -ENOENT;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_check_get);

int qr_cache_check_set(u32 cache, unsigned int checks)
{
	struct qr_cache *c;
	int err = -ENOENT;

	mutex_lock(&qr_caches_lock);
	c = qr_cache_find(cache);
	if (c)
		err = set_checks(c, checks);
	mutex_unlock(&qr_caches_lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_check_set);

/**
 * quarry_cache_check() - switch checks of a cache on or off while it is in use
 * @cache: from quarry_cache_create()
 * @checks: QUARRY_CHECK_SANE, or 0 for none
 *
 * With QUARRY_CHECK_SANE each free goes to the object's slab, so a double free and a pointer into
 * an object are reported in the free itself.  Each allocation and each free then takes a lock.
 * Objects that are live stay as they are.  When the check is off again, the magazines fill as those
 * of a new cache.
 *
 * Caches with QUARRY_RED_ZONE or QUARRY_POISON are always checked like this, so for them, and for
 * the caches of pools, nothing can be switched.
 *
 * Context: process; sleeps.
 * Return: 0; -EINVAL for a check that does not exist; -EOPNOTSUPP if this cache has no such switch.
 */
int quarry_cache_check(struct quarry_cache *cache, unsigned int checks)
{
	struct qr_cache *c = qr_cache_of(cache);
	int err;

	mutex_lock(&qr_caches_lock);
	err = set_checks(c, checks);
	mutex_unlock(&qr_caches_lock);
	if (err)
		pr_warn_ratelimited("cache %s: checks %#x %s\n", c->name, checks,
				    err == -EINVAL ? "do not exist" : "cannot be switched");
	return err;
}
EXPORT_SYMBOL_QUARRY(quarry_cache_check);
