// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs with deferred objects are in a list, @collected, that takes new ones without a lock.  One
 * grace period is under way at a time, for the slabs that were in the list when it began; these
 * are in the list @under_way.
 *
 * A slab has one map for all of its deferred objects.  If bits are set while the grace period of
 * earlier ones is under way, all of them wait for another grace period.  This terminates: each
 * object waits at most once, and a slab has a fixed number of objects.
 *
 * A slab is in one of the two lists from its first bit on until all bits have been taken out.
 * Until then at least one of its objects is live, so the slab cannot be destroyed.
 */
#include "cache/deferred.h"

#include <linux/irq_work.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include "compat.h"
#include "magazine/magazine.h"

#define QUEUED 0 /* a bit of qr_slab.deferred: the slab is in @collected or @under_way */

static void begin_in_irq(struct irq_work *work);

static LLIST_HEAD(collected);
static DEFINE_IRQ_WORK(begin_work, begin_in_irq);

/* Guards what is below and qr_slab.deferred_round.  The map is atomic, as NMIs set bits in it. */
static DEFINE_RAW_SPINLOCK(lock);
static struct llist_node *under_way;
static struct rcu_head rcu;
static u32 round; /* the number of the grace period that is under way, or of the last one */

atomic_long_t qr_deferred_objects;
EXPORT_SYMBOL_QUARRY_TEST(qr_deferred_objects);

/* A bit for each object that waits. */
static unsigned long *deferred_map(struct qr_slab *slab)
{
	return (unsigned long *)qr_slab_cached(slab);
}

static void end(struct rcu_head *unused);

/*
 * Begin a grace period for the slabs in @collected, unless one is under way; its end calls this
 * again.
 */
static void begin(void)
{
	unsigned long flags;
	bool call = false;

	raw_spin_lock_irqsave(&lock, flags);
	if (!under_way) {
		under_way = llist_del_all(&collected);
		round++;
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

/* Add the slab to @collected, unless it is in a list. */
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
	slab->deferred_round = round;
	enqueue(slab);
	raw_spin_unlock_irqrestore(&lock, flags);
	return what;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_defer_free);

enum qr_misuse qr_defer_free_nolock(struct qr_slab *slab, unsigned int i)
{
	enum qr_misuse what;
	unsigned long flags;

	/* The walker stops all CPUs; interrupts are off so that it finds bit and count agree. */
	local_irq_save(flags);
	what = put(slab, i);
	enqueue(slab);
	local_irq_restore(flags);
	return what;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_defer_free_nolock);

/*
 * A grace period has ended.  Move the bits of the slab to @taken, unless the slab has to wait for
 * another one.  Returns how many bits were taken out.
 */
static unsigned int take_out(struct qr_slab *slab, u64 *taken)
{
	unsigned int i, n = 0;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	if (slab->deferred_round != round) {
		for (i = 0; i < slab->words; i++) {
			taken[i] = xchg(&qr_slab_cached(slab)[i], 0);
			n += hweight64(taken[i]);
		}
		atomic_sub(n, &slab->nr_deferred);
	}
	clear_bit(QUEUED, &slab->deferred);
	/*
	 * An NMI that adds a bit either finds QUEUED set, and then the map below has its bit,
	 * or finds it clear, and then it enqueues the slab itself.
	 */
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

		/* After take_out() the slab may be in the other list, or be destroyed. */
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
