// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for all frees by RCU: first the objects in the heads of all CPUs are put into blocks,
 * then all blocks are waited for.
 */
#include "cache/cache.h"

#include "cache/rcu_free.h"
#include "compat.h"

/**
 * quarry_rcu_barrier() - wait for all frees by RCU
 *
 * When it returns, all objects that were given to quarry_free_rcu() and quarry_cache_free_rcu()
 * before the call are free.  quarry_cache_destroy() waits in the same way for its cache.
 *
 * Context: process; sleeps.  Also in callbacks of CPU hotplug and with cpus_read_lock() held.
 */
void quarry_rcu_barrier(void)
{
	might_sleep();
	qr_rcu_flush_all();
	qr_rcu_wait();
}
EXPORT_SYMBOL_QUARRY(quarry_rcu_barrier);

void qr_rcu_hurry(void)
{
	qr_rcu_flush_all();
	qr_rcu_expedite();
}
EXPORT_SYMBOL_QUARRY_TEST(qr_rcu_hurry);
