// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of one cache, switched on and off while it is in use.
 *
 * "sane": frees bypass the magazines.  Each goes to its slab, whose map knows which objects are
 * free, so a double free is noticed in the free itself, and not when a magazine is flushed.  Such a
 * cache has no capacity for magazines, as a cache that the CPU's budget has nothing left for.  So
 * other caches pay nothing, and neither does this one before and after.
 *
 * The other checks need objects of another layout, and get them from a twin: see magazine/twin.c.
 *
 * The search for lost objects shuts the magazines of all caches in the same way, so that an object
 * which waits in one is not taken for a live one.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <quarry/misuse.h>
#include <quarry/quarry.h>
#include "cache/cache.h"
#include "compat.h"

#define CHECKS                                                                                     \
	(QUARRY_CHECK_SANE | QUARRY_CHECK_RED_ZONE | QUARRY_CHECK_POISON | QUARRY_CHECK_STACKS)

static DEFINE_MUTEX(switch_lock); /* one switch at a time; outside of qr_caches_lock */

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
	bool shut = c->checks || c->searched;

	if (c->shut == shut)
		return;
	WRITE_ONCE(c->shut, shut);
	WRITE_ONCE(c->apart, shut);
	if (shut)
		close_magazines(c);
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

/* --- Twins --- */

static struct qr_cache *twin_new(struct qr_cache *c, unsigned int checks)
{
	unsigned int room = c->pub.size + (checks & QUARRY_CHECK_RED_ZONE ? QR_RED_ZONE : 0);
	unsigned long limit = READ_ONCE(c->limit.hard);
	struct quarry_cache_args args = {
		.align = c->align,
		.flags = (checks & QUARRY_CHECK_RED_ZONE ? QUARRY_RED_ZONE : 0) |
			 (checks & QUARRY_CHECK_POISON ? QUARRY_POISON : 0) |
			 (c->typesafe ? QUARRY_TYPESAFE_BY_RCU : 0) |
			 (c->account_reclaim ? QUARRY_ACCOUNT_RECLAIM : 0) |
			 (c->account_node ? QUARRY_ACCOUNT_NODE : 0),
		.ctor = c->ctor,
		.useroffset = c->useroffset,
		.usersize = c->usersize,
		.policy = c->policy,
		.node = c->node,
		.limit = limit == ULONG_MAX ? 0 : limit << PAGE_SHIFT,
	};
	char name[QUARRY_NAME_LEN];

	if (round_up(room, max(c->align, QR_MIN_OBJECT)) > QR_MAX_OBJECT)
		return ERR_PTR(-EOPNOTSUPP);
	if ((checks & QUARRY_CHECK_POISON) && (c->ctor || c->typesafe))
		return ERR_PTR(-EOPNOTSUPP);
	scnprintf(name, sizeof(name), "%.*s:checked", (int)sizeof(name) - 9, c->name);
	/* Its objects have as many bytes as the cache's, so that these may all be zeroed. */
	return qr_cache_new_twin(name, c->pub.size, c->class, &args, c) ?: ERR_PTR(-ENOMEM);
}

/*
 * Nobody finds the twin by its cache any more.  It goes when its last object is free, as a zombie
 * does.
 */
static void retire(struct qr_cache *twin)
{
	synchronize_rcu();
	while (atomic_read(&twin->users))
		schedule_timeout_uninterruptible(1);
	mutex_lock(&qr_caches_lock);
	WRITE_ONCE(twin->zombie, true);
	WRITE_ONCE(twin->apart, true);
	mutex_unlock(&qr_caches_lock);
	/* It may be void by now.  Who destroys the cache waits for us, so others do the work. */
	qr_zombie_freed();
}

void qr_twins_end(struct qr_cache *c, unsigned long ip)
{
	struct qr_cache *twin, *next;

	lockdep_assert_held(&qr_caches_lock);
	RCU_INIT_POINTER(c->twin, NULL);
	list_for_each_entry_safe(twin, next, &qr_caches, link) {
		if (twin->stands_for != c)
			continue;
		WRITE_ONCE(twin->stands_for, NULL);
		qr_cache_settle(twin);
		qr_cache_end(twin, ip);
	}
}

/* --- Switching --- */

/*
 * The cache cannot go meanwhile: its user would be destroying it while it uses it, and a writer of
 * its file is waited for.
 */
static int set_checks(struct qr_cache *c, unsigned int checks)
{
	struct qr_cache *twin = NULL, *old;
	const char *why = NULL;
	int err = 0;

	if (checks & ~CHECKS) {
		pr_warn_ratelimited("cache %s: not all of %#x are checks\n", c->name, checks);
		return -EINVAL;
	}
	mutex_lock(&switch_lock);
	if (!can_be_shut(c)) {
		err = -EOPNOTSUPP;
		why = "it has red zones or poison, belongs to a pool or is destroyed";
		goto out;
	}
	if (c->checks == checks)
		goto out;
	if (checks & ~QUARRY_CHECK_SANE) {
		twin = twin_new(c, checks);
		if (IS_ERR(twin)) {
			err = PTR_ERR(twin);
			why = err == -ENOMEM ?
				      "no memory" :
				      "its objects are too large, constructed or type-safe";
			goto out;
		}
	}
	mutex_lock(&qr_caches_lock);
	old = rcu_replace_pointer(c->twin, twin, lockdep_is_held(&qr_caches_lock));
	c->had_twin |= !!twin;
	WRITE_ONCE(c->single, twin);
	WRITE_ONCE(c->checks, checks);
	follow(c);
	mutex_unlock(&qr_caches_lock);
	if (old)
		retire(old);
out:
	mutex_unlock(&switch_lock);
	if (err)
		pr_warn_ratelimited("cache %s: checks %#x cannot be switched: %s\n", c->name,
				    checks, why);
	return err;
}

int qr_cache_check_get(u32 cache, unsigned int *checks)
{
	struct qr_cache *c;

	mutex_lock(&qr_caches_lock);
	c = qr_cache_find(cache);
	if (c)
		*checks = c->checks;
	mutex_unlock(&qr_caches_lock);
	return c ? 0 : -ENOENT;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_check_get);

int qr_cache_check_set(u32 cache, unsigned int checks)
{
	struct qr_cache *c;

	mutex_lock(&qr_caches_lock);
	c = qr_cache_find(cache);
	mutex_unlock(&qr_caches_lock);
	return c ? set_checks(c, checks) : -ENOENT;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_check_set);

/**
 * quarry_cache_check() - switch checks of a cache on or off while it is in use
 * @cache: from quarry_cache_create()
 * @checks: the checks that are to be on, QUARRY_CHECK_SANE and others; 0 for none
 *
 * With any check, each free goes to the object's slab, so a double free and a pointer into an
 * object are reported in the free itself.  Each allocation and each free then takes a lock.  When
 * no check is on any more, the magazines fill as those of a new cache.
 *
 * Red zones, poison and stacks are for objects that are allocated from then on.  They come from a
 * hidden cache, NAME:checked, which goes when the check is off and its last object is free.
 * Objects that were live before stay as they are.  When memory is short, and for
 * quarry_cache_alloc_nolock(), an object is one without guards.
 *
 * Caches with QUARRY_RED_ZONE or QUARRY_POISON are always checked like this, so for them, and for
 * the caches of pools, nothing can be switched.
 *
 * Context: process; sleeps.
 * Return: 0; -EINVAL for a check that does not exist; -ENOMEM; -EOPNOTSUPP if this cache has no
 * such switch, or its objects cannot have that check: poison where there is a constructor or
 * QUARRY_TYPESAFE_BY_RCU, red zones where the objects would become larger than 32 KiB.
 */
int quarry_cache_check(struct quarry_cache *cache, unsigned int checks)
{
	return set_checks(qr_cache_of(cache), checks);
}
EXPORT_SYMBOL_QUARRY(quarry_cache_check);
