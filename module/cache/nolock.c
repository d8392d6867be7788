// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation and free for code that may have interrupted anything, Quarry itself included: NMI
 * handlers, and tracing programs at any place of the kernel.  They claim the head unless the
 * interrupted code has claimed it, they try the depot's lock, and they never wait for a lock.
 */
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <quarry/quarry.h>
#include "cache/deferred.h"
#include "compat.h"
#include "core/task_count.h"
#include "magazine/twin.h"

static struct qr_depot *depot_of(struct qr_cache *c)
{
	return c->depot[c->policy == QUARRY_NODE_FIXED ? c->node : raw_cpu_read(qr_home_node)];
}

/* After a failed qr_head_pop(): preemption is off, the claim is as qr_head_pop() left it. */
static noinline void *alloc_slow(struct qr_cache *c, unsigned long ip)
{
	unsigned long flags;
	struct qr_head *h;
	void *p = NULL;
	int n;

	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	n = qr_head_enter_alloc(h);
	if (n > 0) {
		p = h->obj[--n];
		/* A sample may be due.  It cannot be recorded here, so it stays due. */
		qr_head_count_one(h);
	}
	if (n >= 0)
		qr_head_release(h, n);
	if (!p && qr_depot_take_nolock(depot_of(c), &p, 1)) {
		this_cpu_inc(c->pub.head->direct_allocs);
		qr_count_alloc();
	}
	local_irq_restore(flags);
	preempt_enable();
	if (unlikely(c->guarded) && p) {
		enum qr_misuse what = qr_guard_take(&c->guard, p);

		if (unlikely(what)) {
			qr_guard_report(&c->guard, what, p, true, ip, true);
			return NULL;
		}
	}
	return p;
}

/**
 * quarry_cache_alloc_nolock() - allocate an object in any context
 * @cache: from quarry_cache_create()
 * @gfp: __GFP_ZERO or 0; other flags have no effect
 *
 * The object comes from this CPU's magazine, or from the depot of the node if its lock is free.
 * The call neither asks for pages nor waits for a lock, so it fails more often than
 * quarry_cache_alloc(); failures are not logged.  The profiler does not see the object: a sample
 * that is due is taken of the next ordinary allocation.
 *
 * Context: any: in an NMI, in a tracing program, with any lock held.
 * Return: the object, or NULL.
 */
void *quarry_cache_alloc_nolock(struct quarry_cache *cache, gfp_t gfp)
{
	void *p;

	preempt_disable_notrace();
	if (likely(qr_head_pop(cache->head, &p)))
		preempt_enable_notrace();
	else
		p = alloc_slow(qr_cache_of(cache), _RET_IP_);
	if (likely(p)) {
		if (qr_want_zero(gfp))
			qr_zero(cache, p, gfp);
	} else {
		atomic64_inc(&qr_cache_of(cache)->failed);
	}
	return p;
}
EXPORT_SYMBOL_QUARRY(quarry_cache_alloc_nolock);

/*
 * Put an object into the magazine.  False if it is not an ordinary object of this node, or if the
 * magazine is full or claimed.  If it is the object that was put there last, sets *@again instead,
 * and returns false.  Preemption is off.
 */
static bool push(struct qr_cache *c, void *obj, bool *again)
{
	unsigned long i = qr_chunk_index(obj), flags;
	struct qr_head *h;
	int n;

	if (qr_want_wipe() || i >= qr_nr_chunks || __this_cpu_read(qr_view.fast)[i] != 1)
		return false;
	if (likely(qr_head_push(c->pub.head, obj)))
		return true;
	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	n = qr_head_enter_free(h);
	if (n >= 0) {
		*again = qr_head_repeats(h, n, obj);
		qr_head_release(h, n);
	}
	local_irq_restore(flags);
	return false;
}

/**
 * quarry_cache_free_nolock() - give an object back in any context
 * @cache: the cache it was allocated from
 * @obj: the object, or NULL
 *
 * The object goes into this CPU's magazine.  If the magazine is full or claimed, or the object is
 * sampled or another node's, the object is freed a little later, when a grace period has ended at
 * the latest; this needs no memory.  The call never fails.  Misuse is dealt with as in
 * quarry_cache_free().
 *
 * Context: any: in an NMI, in a tracing program, with any lock held.
 */
void quarry_cache_free_nolock(struct quarry_cache *cache, void *obj)
{
	struct qr_cache *c = qr_cache_of(cache), *owner = NULL;
	enum qr_misuse what = QR_MISUSE_FOREIGN;
	struct qr_slab *slab;
	bool again = false, ours;
	int i;

	if (unlikely(!obj))
		return;
	preempt_disable_notrace();
	slab = qr_slab_of(obj);
	if (likely(slab)) {
		owner = READ_ONCE(slab->cache);
		ours = owner && qr_serves(owner, c);
		i = ours ? qr_slab_index(slab, obj) : 0;
		if (unlikely(!ours))
			what = QR_MISUSE_WRONG_CACHE;
		else if (unlikely(i < 0))
			what = QR_MISUSE_INTERIOR;
		else if (likely(owner == c) && likely(push(c, obj, &again)))
			what = QR_MISUSE_NONE;
		else if (unlikely(again))
			what = QR_MISUSE_DOUBLE_FREE;
		else
			what = qr_defer_free_nolock(slab, i);
	}
	preempt_enable_notrace();
	if (unlikely(what))
		qr_report(what, obj, owner ? owner->name : NULL, qr_given_name(owner, c), _RET_IP_);
	else if (!READ_ONCE(c->rcu_frees))
		WRITE_ONCE(c->rcu_frees, true);
}
EXPORT_SYMBOL_QUARRY(quarry_cache_free_nolock);
