// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for all frees by RCU: first the objects in the heads of all CPUs are put into blocks,
 * then all blocks are waited for.
 */
#include "cache/cache.h"

#include <linux/cpumask.h>
#include <linux/mutex.h>
#include "cache/rcu_free.h"
#include "compat.h"

static u64 flush_rcu(unsigned int cpu, void *unused)
{
	return qr_rcu_flush(cpu);
}

/* Start a grace period for the objects that CPUs have collected for RCU. */
static void rcu_flush_all(void)
{
	static struct cpumask with_some;

	lockdep_assert_held(&qr_caches_lock);
	if (qr_rcu_cpus(&with_some))
		qr_visit_cpus(&with_some, flush_rcu, NULL);
}

void qr_rcu_settle(void)
{
	rcu_flush_all();
	qr_rcu_wait();
}

/**
 * quarry_rcu_barrier() - wait for all frees by RCU
 *
 * When it returns, all objects that were given to quarry_free_rcu() and quarry_cache_free_rcu()
 * before the call are free.  quarry_cache_destroy() waits in the same way for its cache.
 *
 * Context: process; sleeps.
 */
void quarry_rcu_barrier(void)
{
	might_sleep();
	mutex_lock(&qr_caches_lock);
	rcu_flush_all();
	mutex_unlock(&qr_caches_lock);
	qr_rcu_wait();
}
EXPORT_SYMBOL_QUARRY(quarry_rcu_barrier);

void qr_rcu_hurry(void)
{
	mutex_lock(&qr_caches_lock);
	rcu_flush_all();
	mutex_unlock(&qr_caches_lock);
	qr_rcu_expedite();
}
EXPORT_SYMBOL_QUARRY_TEST(qr_rcu_hurry);
