// SPDX-License-Identifier: GPL-2.0
/*
 * How large a magazine may be.
 *
 * A CPU has a budget of bytes for what its magazines may hold, of all caches
 * together.  A head begins without capacity and is granted some when it misses:
 * all that it can use, or half, a quarter and so on if the budget has no more
 * room.  Who gets less is the reason that cache/capacity_balance.c takes from others later.
 *
 * That magazines are resized as they run, by how hard they are on the depot, is
 * Bonwick and Adams' idea ("Magazines and Vmem", USENIX 2001); that all caches share
 * a budget per CPU, and who misses takes from the others, is tcmalloc's.
 */
#include "magazine/magazine.h"

#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/preempt.h>
#include "compat.h"

#define BUDGET_KIB 4096
/*
 * Once less than an eighth of the soft limit is left, the magazines of all CPUs may hold a
 * 64th of it together: what lies there is memory that others go beyond the limit for.
 */
#define NEAR_PART  8
#define LIMIT_PART 64

unsigned long qr_percpu_budget = BUDGET_KIB * 1024UL;
struct delayed_work qr_balance_work;
EXPORT_SYMBOL_QUARRY_TEST(qr_balance_work);
bool qr_balance_on;

/**
 * struct share - a CPU's part
 * @granted: bytes of capacity that its heads have.  Added to by this CPU only, with
 *	interrupts off and not in NMI, so that a check before the addition holds; whoever
 *	closes a head of another CPU subtracts
 * @poorest: bytes of capacity that the poorest head has of those that were refused
 *	more since the last look; ULONG_MAX: none was
 * @ceiling: what that was at the last look.  Heads that have more do not grow, or
 *	what was taken from one for the poor would be its own again
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

static long room_left(const struct share *s)
{
	return qr_percpu_most() - atomic_long_read(&s->granted);
}

static void take_from_budget(struct share *s, long bytes)
{
	atomic_long_add(bytes, &s->granted);
	/* No tick while nobody has anything. */
	if (READ_ONCE(qr_balance_on))
		queue_delayed_work(system_power_efficient_wq, &qr_balance_work,
				   round_jiffies_relative(HZ));
}

unsigned int qr_head_grant(struct qr_cache *c, struct qr_head *h)
{
	struct share *s = this_cpu_ptr(&shares);
	unsigned int want = c->capacity, have = h->capacity;
	long stride = c->geo.stride, room;

	/* NMI may have interrupted this very function. */
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
