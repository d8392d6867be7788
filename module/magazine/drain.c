// SPDX-License-Identifier: GPL-2.0
/*
 * Emptying magazines and depots into slabs, and other changes to a magazine from outside: a new
 * countdown, less capacity.
 *
 * A CPU's magazine is changed by that CPU, with interrupts off, or by any CPU while that one is
 * offline or no CPU uses the cache.  cache/cpu_visit.c runs functions on every CPU for this.  Two
 * of these may come together: the owner destroys the cache while a visit looks at all caches, or
 * the CPU dies meanwhile.  So each change takes the lock of the magazine's CPU.  Clients'
 * operations do not take it.
 */
#include "magazine/magazine.h"

#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "core/work_queue.h"
#include "magazine/remote_free.h"

struct change {
	raw_spinlock_t lock;
};

static DEFINE_PER_CPU(struct change, changes) = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(changes.lock),
};

struct delayed_work qr_zombie_work;

void qr_zombie_freed(void)
{
	/* An NMI can queue nothing: the next free of a zombie's object does it, or a drain. */
	if (!in_nmi())
		queue_delayed_work(qr_work_queue, &qr_zombie_work, HZ / 10);
}

bool qr_magazine_look(struct qr_cache *c, unsigned int cpu, qr_head_fn fn, void *arg)
{
	raw_spinlock_t *lock = per_cpu_ptr(&changes.lock, cpu);
	struct qr_head *h = per_cpu_ptr(c->pub.head, cpu);
	unsigned long flags;
	int n;

	raw_spin_lock_irqsave(lock, flags);
	n = qr_head_claim(h);
	if (n >= 0) {
		fn(c, h, n, arg);
		qr_head_release(h, n);
	}
	raw_spin_unlock_irqrestore(lock, flags);
	return n >= 0;
}

static void redraw(struct qr_cache *c, struct qr_head *h, unsigned int n, void *unused)
{
	qr_head_redraw(c, h);
}

unsigned int qr_magazine_redraw(struct qr_cache *c, unsigned int cpu)
{
	return !qr_magazine_look(c, cpu, redraw, NULL);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_magazine_redraw);

/* Move all but @left of a claimed head's @n objects to slabs.  Interrupts off. */
static void lower(struct qr_cache *c, struct qr_head *h, unsigned int cpu, unsigned int n,
		  unsigned int left, struct list_head *doomed)
{
	int home = per_cpu(qr_home_node, cpu);

	WRITE_ONCE(c->slack_due, true);
	qr_head_cut(c, h, n, left, home);
	while (n > left) {
		unsigned int k = min(n - left, c->batch), refused;

		n -= k;
		h->flushed += k;
		trace_flush(c->name, home, k);
		refused = qr_depot_give_slabs(c->depot[home], h->obj + n, k, doomed);
		if (unlikely(refused))
			qr_settle_refused(c, h->obj + n, refused, doomed, _RET_IP_);
	}
}

/*
 * The same for a cache with a keeper, which takes the objects.  Returns how many objects are left
 * in the head: with @must only @left, otherwise also those that the keeper has no room for.
 */
static unsigned int hand_over(struct qr_cache *c, struct qr_head *h, unsigned int cpu,
			      unsigned int n, unsigned int left, bool must,
			      struct list_head *doomed)
{
	unsigned int k = c->keeper->take(c->keeper, cpu, h->obj + left, n - left, must, doomed);

	h->flushed += k;
	trace_flush(c->name, per_cpu(qr_home_node, cpu), k);
	return n - k;
}

/* Stands for the CPU that runs the code, once interrupts are off. */
#define THIS_CPU UINT_MAX

/* An array for a head of @cpu that is about to be reduced, if a smaller one will do; or NULL. */
static struct qr_array *smaller_array(struct qr_cache *c, unsigned int cpu, unsigned int capacity,
				      unsigned int remote_room)
{
	const struct qr_head *h = per_cpu_ptr(c->pub.head, cpu);
	struct qr_array *found = NULL;
	const struct qr_array *a;
	unsigned int places;

	rcu_read_lock();
	a = qr_head_array(h);
	if (a) {
		places = min(READ_ONCE(h->capacity), capacity) +
			 qr_remote_places(c, min_t(unsigned int, READ_ONCE(a->remote_room),
						   remote_room));
		if (places && qr_array_is_larger(a, places))
			found = qr_array_new(places);
	}
	rcu_read_unlock();
	return found;
}

/*
 * A claimed head of @n objects was reduced.  Without capacity it needs no array, and with less of
 * it perhaps a smaller one, *@array.  Returns its old array if that has left it.  Sets *@array to
 * NULL if it was used.
 */
static struct qr_array *fit_array(struct qr_cache *c, struct qr_head *h, unsigned int n,
				  struct qr_array **array)
{
	struct qr_array *a = qr_head_array(h), *new = *array;

	if (!h->capacity && !a->remote_room) {
		WRITE_ONCE(h->obj, NULL);
		return a;
	}
	if (!new || new->total >= a->total ||
	    new->total < h->capacity + qr_remote_places(c, a->remote_room))
		return NULL;
	*array = NULL;
	return qr_head_move(c, h, n, new);
}

/*
 * Reduce the head of @cpu to @left objects, @capacity and @remote_room; what is less already stays
 * as it is.  With @send its remote frees go home.  Slabs that become empty go to @doomed.  Returns
 * objects moved; 0 if the head is claimed.
 */
static unsigned int lower_head(struct qr_cache *c, unsigned int cpu, unsigned int left,
			       unsigned int capacity, unsigned int remote_room, bool send,
			       struct list_head *doomed)
{
	struct qr_array *smaller = NULL, *old = NULL;
	unsigned int moved = 0;
	unsigned long flags;
	raw_spinlock_t *lock;
	struct qr_head *h;
	int n;

	if (cpu != THIS_CPU && (capacity != UINT_MAX || remote_room != UINT_MAX))
		smaller = smaller_array(c, cpu, capacity, remote_room);
	local_irq_save(flags);
	if (cpu == THIS_CPU)
		cpu = smp_processor_id();
	lock = per_cpu_ptr(&changes.lock, cpu);
	h = per_cpu_ptr(c->pub.head, cpu);
	/* Most heads of a cache have never had anything. */
	if (!qr_head_array(h)) {
		if (!capacity)
			WRITE_ONCE(h->obj, NULL); /* it asks for nothing any more */
		goto out;
	}
	raw_spin_lock(lock);
	n = qr_head_claim(h);
	/* Who held the lock before may have taken the array away. */
	if (n >= 0 && qr_head_array(h)) {
		if (n > left && unlikely(c->keeper)) {
			left = hand_over(c, h, cpu, n, left, !capacity, doomed);
			capacity = max(capacity, left);
			moved = n - left;
			n = left;
		} else if (n > left) {
			lower(c, h, cpu, n, left, doomed);
			moved = n - left;
			n = left;
		}
		if (send)
			moved += qr_remote_send(c, h, doomed, _RET_IP_);
		qr_head_ungrant(c, h, cpu, min(h->capacity, capacity),
				min_t(unsigned int, qr_head_array(h)->remote_room, remote_room));
		old = fit_array(c, h, n, &smaller);
	}
	if (n >= 0)
		qr_head_release(h, n);
	raw_spin_unlock(lock);
out:
	local_irq_restore(flags);
	qr_array_free(old);
	qr_array_free(smaller);
	return moved;
}

static unsigned int lower_to(struct qr_cache *c, unsigned int cpu, unsigned int left,
			     unsigned int capacity, unsigned int remote_room, bool send)
{
	LIST_HEAD(doomed);
	unsigned int moved;

	moved = lower_head(c, cpu, left, capacity, remote_room, send, &doomed);
	qr_slabs_destroy(&doomed);
	return moved;
}

unsigned int qr_magazine_drain_here(struct qr_cache *c)
{
	return lower_to(c, THIS_CPU, 0, UINT_MAX, UINT_MAX, true);
}

unsigned int qr_magazine_drain(struct qr_cache *c, unsigned int cpu)
{
	return lower_to(c, cpu, 0, UINT_MAX, UINT_MAX, true);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_magazine_drain);

void qr_magazine_shrink(struct qr_cache *c, unsigned int cpu, unsigned int capacity)
{
	lower_to(c, cpu, capacity, capacity, UINT_MAX, false);
}

void qr_magazine_send(struct qr_cache *c, unsigned int cpu, bool close)
{
	lower_to(c, cpu, UINT_MAX, UINT_MAX, close ? 0 : UINT_MAX, true);
}

unsigned int qr_magazine_close(struct qr_cache *c, unsigned int cpu)
{
	return lower_to(c, cpu, 0, 0, 0, true);
}

void qr_magazine_close_here(struct qr_cache *c, struct list_head *doomed)
{
	lower_head(c, THIS_CPU, 0, 0, 0, true, doomed);
}

unsigned int qr_cache_settle(struct qr_cache *c)
{
	unsigned int moved = 0, gone = 0;
	int node;

	for (node = 0; node < qr_nr_depots(); node++) {
		struct qr_depot *d = c->depot[node];
		void *objs[QR_MAGAZINE_MAX / 2];
		unsigned long flags;
		unsigned int n;
		LIST_HEAD(doomed);

		if (!d)
			continue;
		do {
			unsigned int refused;

			local_irq_save(flags);
			n = qr_depot_unstock(d, objs);
			refused = qr_depot_give_slabs(d, objs, n, &doomed);
			if (unlikely(refused))
				qr_settle_refused(c, objs, refused, &doomed, _RET_IP_);
			local_irq_restore(flags);
			moved += n;
		} while (n);
		gone += qr_depot_reclaim(d, &doomed);
		qr_depot_rest(d);
		qr_slabs_destroy(&doomed);
	}
	if (moved || gone)
		WRITE_ONCE(c->slack_due, true);
	return moved;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_settle);
