// SPDX-License-Identifier: GPL-2.0
/*
 * Capacity: how many objects a magazine may hold.
 *
 * Each CPU has a budget of bytes, which its magazines of all caches share.  A head starts with
 * no capacity and is granted some when it misses: as much as it can use, or a half, a quarter
 * and so on of that, whatever the rest of the budget allows.  If a head is granted less than it
 * can use, cache/capacity_balance.c later takes capacity from other heads, and this head is
 * granted it at its next miss.
 *
 * Resizing magazines at run time by how often they need the depot is Bonwick and Adams' idea
 * ("Magazines and Vmem", USENIX 2001).  A budget for each CPU that all caches share, from which
 * heads that miss get what others give up, is tcmalloc's.
 */
#include "magazine/magazine.h"

#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/preempt.h>
#include "compat.h"
#include "core/work_queue.h"

#define BUDGET_KIB 4096 /* default, for each CPU */
/*
 * Once less than an eighth of the module's soft limit is left, the magazines of all CPUs together
 * may hold a 64th of the limit.  Objects in magazines are memory that other allocations would
 * have to exceed the limit for.
 */
#define NEAR_PART  8
#define LIMIT_PART 64

unsigned long qr_percpu_budget = BUDGET_KIB * 1024UL;
struct delayed_work qr_balance_work;
EXPORT_SYMBOL_QUARRY_TEST(qr_balance_work);
bool qr_balance_on;

/**
 * struct share - what a CPU uses of its budget
 * @granted: bytes of capacity that its heads have.  Only this CPU adds to it, with interrupts off
 *	and not in NMI, so that a check before the addition stays true; other CPUs may subtract
 *	from it at any time, when they close a head of this one
 * @poorest: of the heads that were refused capacity since the last look (qr_percpu_poorest()),
 *	the bytes of capacity of the one with the least; ULONG_MAX: none was refused
 * @ceiling: value of @poorest at the last look.  Heads with more capacity than that do not grow:
 *	what a look took from a rich head is for the poor ones, not for that head again
 */
struct share {
	atomic_long_t granted;
	unsigned long poorest;
	unsigned long ceiling;
};

static DEFINE_PER_CPU(struct share, shares) = {
	.poorest = ULONG_MAX,
	.ceiling = ULONG_MAX,
};

unsigned long qr_percpu_granted(unsigned int cpu)
{
	return atomic_long_read(per_cpu_ptr(&shares.granted, cpu));
}
EXPORT_SYMBOL_QUARRY_TEST(qr_percpu_granted);

bool qr_percpu_at_rest(unsigned int cpu)
{
	const struct share *s = per_cpu_ptr(&shares, cpu);

	return !atomic_long_read(&s->granted) && READ_ONCE(s->poorest) == ULONG_MAX &&
	       READ_ONCE(s->ceiling) == ULONG_MAX;
}

unsigned long qr_percpu_poorest(unsigned int cpu)
{
	struct share *s = per_cpu_ptr(&shares, cpu);

	s->ceiling = xchg(&s->poorest, ULONG_MAX);
	return s->ceiling;
}

unsigned long qr_percpu_most(void)
{
	unsigned long soft = READ_ONCE(qr_limit_all.soft), most = READ_ONCE(qr_percpu_budget);

	if (likely(!qr_limit_is_near(&qr_limit_all, soft / NEAR_PART)))
		return most;
	return min(most, qr_limit_bytes(soft) / LIMIT_PART / num_online_cpus());
}
EXPORT_SYMBOL_QUARRY_TEST(qr_percpu_most);

/* Bytes of the budget that are left; may be negative. */
static long room_left(const struct share *s)
{
	return qr_percpu_most() - atomic_long_read(&s->granted);
}

static void take_from_budget(struct share *s, long bytes)
{
	atomic_long_add(bytes, &s->granted);
	/* The work stops when no head has capacity, so every grant starts it. */
	if (READ_ONCE(qr_balance_on))
		queue_delayed_work(qr_work_queue, &qr_balance_work, round_jiffies_relative(HZ));
}

unsigned int qr_head_grant(struct qr_cache *c, struct qr_head *h)
{
	struct share *s = this_cpu_ptr(&shares);
	unsigned int want = c->capacity, have = h->capacity;
	long stride = c->geo.stride, room;

	/* An NMI may have interrupted this very function.  A zombie is to have no capacity. */
	if (unlikely(in_nmi()) || unlikely(c->zombie))
		goto out;
	room = have * stride > READ_ONCE(s->ceiling) ? 0 : room_left(s);
	while (want > have && (want - have) * stride > room)
		want /= 2;
	if (want > have && want >= 2) {
		take_from_budget(s, (want - have) * stride);
		WRITE_ONCE(h->capacity, want);
	}
	if (h->capacity < c->capacity)
		s->poorest = min_t(unsigned long, s->poorest, stride * h->capacity);
out:
	return max(h->capacity / 2, 1U);
}

bool qr_head_grant_remote(struct qr_cache *c, struct qr_head *h)
{
	struct share *s = this_cpu_ptr(&shares);
	long bytes = (long)c->remote_room * c->geo.stride;

	if (in_nmi() || c->zombie || !bytes || bytes > room_left(s))
		return false;
	take_from_budget(s, bytes);
	h->remote_room = c->remote_room;
	return true;
}

void qr_head_ungrant(struct qr_cache *c, struct qr_head *h, unsigned int cpu, unsigned int capacity,
		     unsigned int remote_room)
{
	unsigned long had = qr_head_granted(c, h);

	WRITE_ONCE(h->capacity, capacity);
	WRITE_ONCE(h->remote_room, remote_room);
	atomic_long_sub(had - qr_head_granted(c, h), per_cpu_ptr(&shares.granted, cpu));
}
