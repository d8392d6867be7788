// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs with objects that wait are in a list that needs no lock to be added to.  One
 * grace period is under way at a time, for all that were in the list when it began.
 *
 * A slab has one map, whenever its bits were set.  Where some were while the grace
 * period of the others was under way, all of them wait for another one.  That ends, for
 * an object waits once only, and a slab has no more than it has.
 *
 * A slab is in the list or in that of those under way from the first bit on until all
 * of them have been taken out, and one of its objects is live for so long; so it stays.
 */
#include "cache/deferred.h"

#include <linux/irq_work.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include "compat.h"
#include "magazine/magazine.h"

#define QUEUED 0 /* a bit of qr_slab.late */

static void begin_in_irq(struct irq_work *work);

static LLIST_HEAD(collected);
static DEFINE_IRQ_WORK(begin_work, begin_in_irq);

/* Of what is below, and of qr_slab.deferred_again; not of bits that NMIs may set. */
static DEFINE_RAW_SPINLOCK(lock);
static struct llist_node *under_way;
static struct rcu_head rcu;

atomic_long_t qr_deferred_objects;
EXPORT_SYMBOL_QUARRY_TEST(qr_deferred_objects);

static unsigned long *deferred_map(struct qr_slab *slab)
{
	return (unsigned long *)qr_slab_cached(slab);
}

static void end(struct rcu_head *unused);

/* Those that are in the list, unless others are under way: then that goes on with them. */
static void begin(void)
{
	struct qr_slab *slab;
	unsigned long flags;
	bool call = false;

	raw_spin_lock_irqsave(&lock, flags);
	if (!under_way) {
		under_way = llist_del_all(&collected);
		llist_for_each_entry(slab, under_way, deferred_link)
			slab->deferred_again = false;
		call = under_way;
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	if (call)
		call_rcu(&rcu, end);
}

static void begin_in_irq(struct irq_work *unused)
{
	begin();
}

static void enqueue(struct qr_slab *slab)
{
	if (!test_and_set_bit(QUEUED, &slab->deferred) &&
	    llist_add(&slab->deferred_link, &collected))
		irq_work_queue(&begin_work);
}

static enum qr_misuse put(struct qr_slab *slab, unsigned int i)
{
	if (test_and_set_bit(i, deferred_map(slab)))
		return QR_MISUSE_DOUBLE_FREE;
	atomic_inc(&slab->nr_deferred);
	atomic_long_inc(&qr_deferred_objects);
	return QR_MISUSE_NONE;
}

enum qr_misuse qr_defer_free(struct qr_slab *slab, unsigned int i)
{
	enum qr_misuse what;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	what = put(slab, i);
	slab->deferred_again = true;
	enqueue(slab);
	raw_spin_unlock_irqrestore(&lock, flags);
	return what;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_defer_free);

enum qr_misuse qr_defer_free_nolock(struct qr_slab *slab, unsigned int i)
{
	enum qr_misuse what;
	unsigned long flags;

	/* The walker must not come in between a bit and its count. */
	local_irq_save(flags);
	what = put(slab, i);
	enqueue(slab);
	local_irq_restore(flags);
	return what;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_defer_free_nolock);

/* Its objects, unless it has to wait once more.  Returns how many bits were taken out. */
static unsigned int take_out(struct qr_slab *slab, u64 *taken)
{
	unsigned int i, n = 0;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	if (!slab->deferred_again) {
		for (i = 0; i < slab->words; i++) {
			taken[i] = xchg(&qr_slab_cached(slab)[i], 0);
			n += hweight64(taken[i]);
		}
		atomic_sub(n, &slab->nr_deferred);
	}
	clear_bit(QUEUED, &slab->deferred);
	/* What an NMI adds finds it either queued, and is found here, or not. */
	smp_mb__after_atomic();
	if (!bitmap_empty(deferred_map(slab), 64 * slab->words))
		enqueue(slab);
	raw_spin_unlock_irqrestore(&lock, flags);
	return n;
}

static void end(struct rcu_head *unused)
{
	struct llist_node *at = under_way, *next;
	u64 taken[QR_SLAB_MAX_OBJECTS / 64];
	unsigned long flags;
	unsigned int i;

	for (; at; at = next) {
		struct qr_slab *slab = llist_entry(at, struct qr_slab, deferred_link);
		u32 stride = slab->stride, words = slab->words;
		void *base = slab->base;
		unsigned int n;

		/* From here on it is in the list again, or may go. */
		next = at->next;
		n = take_out(slab, taken);
		if (!n)
			continue;
		for (i = 0; i < words; i++) {
			for (; taken[i]; taken[i] &= taken[i] - 1)
				qr_free_slow(NULL, base + (i * 64UL + __ffs64(taken[i])) * stride);
		}
		atomic_long_sub(n, &qr_deferred_objects);
	}
	raw_spin_lock_irqsave(&lock, flags);
	under_way = NULL;
	raw_spin_unlock_irqrestore(&lock, flags);
	begin();
}

void qr_deferred_barrier(void)
{
	might_sleep();
	do {
		irq_work_sync(&begin_work);
		rcu_barrier();
	} while (!llist_empty(&collected) || READ_ONCE(under_way));
}
EXPORT_SYMBOL_QUARRY_TEST(qr_deferred_barrier);
