// SPDX-License-Identifier: GPL-2.0
/*
 * The twin of a cache that is being checked while it is in use.  The layout of a cache's slabs is
 * made for good when the cache is created.  So red zones and poison come with another, hidden cache
 * of that layout, which serves the allocations of the first one meanwhile: its twin.  All objects
 * of a twin are sampled, as objects of the first cache.  That gives their call stacks, and lets no
 * free of them take the fast path.  A free finds the twin by the object's slab, also long after the
 * check was switched off, so objects of both may be live side by side.
 *
 * cache/live_check.c makes and retires twins.
 */
#include "magazine/twin.h"

#include <linux/atomic.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include "profile/draw.h"

void *qr_twin_alloc(struct qr_cache *c, int node, size_t asked, gfp_t gfp, unsigned long ip)
{
	enum qr_misuse what = QR_MISUSE_NONE;
	struct qr_cache *twin;
	void *p;

	if (in_nmi())
		return NULL;
	rcu_read_lock();
	twin = rcu_dereference(c->twin);
	if (twin)
		atomic_inc(&twin->users);
	rcu_read_unlock();
	if (!twin)
		return NULL;
	do {
		p = qr_alloc_sampled_as(twin, c, node, QR_WEIGHT_ONE, asked, gfp, ip);
		if (p && twin->guarded)
			what = qr_guard_take(&twin->guard, p);
		if (p && unlikely(what))
			qr_guard_report(&twin->guard, what, p, true, ip, true);
	} while (p && unlikely(what));
	/* Behind this the twin may go: retire() in cache/live_check.c waits for it. */
	atomic_dec_return(&twin->users);
	return p;
}
