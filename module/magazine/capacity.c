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

#include <asm/barrier.h>
#include <linux/cpumask.h>
#include <linux/irqflags.h>
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
 * @asked: a head was marked since the last look, see magazine/array.h
 * @changes: a new value whenever a head gets capacity or loses some
 */
struct share {
	atomic_long_t granted;
	unsigned long poorest;
	unsigned long ceiling;
	bool asked;
	atomic_t changes;
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

unsigned int qr_percpu_changes(unsigned int cpu)
{
	return atomic_read(per_cpu_ptr(&shares.changes, cpu));
}

bool qr_percpu_at_rest(unsigned int cpu)
{
	const struct share *s = per_cpu_ptr(&shares, cpu);

	return !atomic_long_read(&s->granted) && READ_ONCE(s->poorest) == ULONG_MAX &&
	       READ_ONCE(s->ceiling) == ULONG_MAX && !READ_ONCE(s->asked);
}

bool qr_percpu_asked(unsigned int cpu)
{
	return xchg(per_cpu_ptr(&shares.asked, cpu), false);
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

/* The next look has work on this CPU. */
static void expect_look(void)
{
	if (READ_ONCE(qr_balance_on))
		queue_delayed_work(qr_work_queue, &qr_balance_work, round_jiffies_relative(HZ));
}

static void take_from_budget(struct share *s, long bytes)
{
	atomic_long_add(bytes, &s->granted);
	atomic_inc(&s->changes);
	/* The work stops when no head has capacity, so every grant starts it. */
	expect_look();
}

/*
 * The capacity that the budget lets a head have: all that the cache allows, or a half, a quarter
 * and so on of that.  What it has already, if that is more.
 */
static unsigned int affordable(const struct qr_cache *c, const struct qr_head *h,
			       const struct share *s)
{
	unsigned int want = c->capacity, have = h->capacity;
	long stride = c->geo.stride, room;

	room = have * stride > READ_ONCE(s->ceiling) ? 0 : room_left(s);
	while (want > have && (want - have) * stride > room)
		want /= 2;
	return want > have && want >= 2 ? want : have;
}

static void grant(struct qr_cache *c, struct qr_head *h, struct share *s, unsigned int want)
{
	take_from_budget(s, (want - h->capacity) * (long)c->geo.stride);
	WRITE_ONCE(h->capacity, want);
}

/*
 * Can heads be granted anything?  An NMI may have interrupted just that.  Heads of a zombie, or of
 * a cache that is being checked or searched, have no capacity.
 */
static bool may_grant(const struct qr_cache *c)
{
	return likely(!in_nmi()) && likely(!READ_ONCE(c->zombie)) && likely(!READ_ONCE(c->shut));
}

/* Places for the magazine in a head's array. */
static unsigned int places_of(const struct qr_cache *c, const struct qr_array *a)
{
	return a ? a->total - qr_remote_places(c, a->remote_room) : 0;
}

unsigned int qr_head_grant(struct qr_cache *c, struct qr_head *h)
{
	struct share *s = this_cpu_ptr(&shares);
	unsigned int want;

	if (!may_grant(c))
		goto out;
	want = affordable(c, h, s);
	if (want < c->capacity)
		s->poorest = min_t(unsigned long, s->poorest, (unsigned long)want * c->geo.stride);
	want = min(want, places_of(c, qr_head_array(h)));
	if (want > h->capacity)
		grant(c, h, s, want);
out:
	return max(h->capacity / 2, 1U);
}

/* Bytes that the room for remote frees takes from the budget; 0 if it cannot be granted. */
static long remote_bytes(const struct qr_cache *c, const struct share *s)
{
	long bytes = (long)c->remote_room * c->geo.stride;

	return may_grant(c) && bytes <= room_left(s) ? bytes : 0;
}

static void grant_remote(struct qr_cache *c, struct qr_array *a, struct share *s, long bytes)
{
	take_from_budget(s, bytes);
	WRITE_ONCE(a->remote_room, c->remote_room);
	a->seen_puts = a->remote_puts - 1; /* the next look finds it used */
}

bool qr_head_grant_remote(struct qr_cache *c, struct qr_head *h)
{
	struct share *s = this_cpu_ptr(&shares);
	struct qr_array *a = qr_head_array(h);
	long bytes = remote_bytes(c, s);

	if (!bytes || !a || a->total < h->capacity + c->remote_room)
		return false;
	grant_remote(c, a, s, bytes);
	return true;
}

void qr_head_ungrant(struct qr_cache *c, struct qr_head *h, unsigned int cpu, unsigned int capacity,
		     unsigned int remote_room)
{
	unsigned long had = qr_head_granted(c, h);

	WRITE_ONCE(h->capacity, capacity);
	WRITE_ONCE(qr_head_array(h)->remote_room, remote_room);
	had -= qr_head_granted(c, h);
	if (!had)
		return;
	atomic_long_sub(had, per_cpu_ptr(&shares.granted, cpu));
	atomic_inc(per_cpu_ptr(&shares.changes, cpu));
}

/* --- Arrays --- */

/* Mark a claimed head of this CPU, which gets its array at the next look.  Interrupts off. */
static void ask_later(struct qr_head *h, bool remote)
{
	unsigned long what = remote ? QR_ASKS_REMOTE : QR_ASKS_CAPACITY;
	struct qr_array *a = qr_head_array(h);

	if (a)
		a->asks |= what;
	else
		WRITE_ONCE(h->obj, (void **)((unsigned long)h->obj | what));
	this_cpu_write(shares.asked, true);
	expect_look();
}

unsigned int qr_head_wants(struct qr_cache *c, struct qr_head *h, bool remote)
{
	struct share *s = this_cpu_ptr(&shares);
	struct qr_array *a = qr_head_array(h);
	unsigned int capacity = h->capacity, places;

	if (!may_grant(c))
		return 0;
	if (remote) {
		if (!remote_bytes(c, s))
			return 0;
		places = capacity + c->remote_room;
	} else {
		capacity = affordable(c, h, s);
		if (capacity == h->capacity)
			return 0;
		places = capacity + qr_remote_places(c, a ? a->remote_room : 0);
	}
	if (a && a->total >= places)
		return 0;
	if (unlikely(in_hardirq())) {
		ask_later(h, remote);
		return 0;
	}
	return places;
}

struct qr_array *qr_head_move(const struct qr_cache *c, struct qr_head *h, unsigned int n,
			      struct qr_array *a)
{
	struct qr_array *old = qr_head_array(h);

	if (old) {
		a->seen_ops = old->seen_ops;
		a->seen_misses = old->seen_misses;
		a->seen_puts = old->seen_puts;
		a->remote_puts = old->remote_puts;
		a->far = min_t(unsigned int, old->far, n); /* other CPUs read so many places */
		a->nr_remote = old->nr_remote;
		a->remote_room = old->remote_room;
		qr_copy(a->obj, old->obj, n);
		qr_copy(qr_array_remote(c, a), qr_array_remote(c, old), old->nr_remote);
	} else {
		a->seen_ops = qr_head_ops(h) - 1; /* the next look finds it used */
	}
	smp_store_release(&h->obj, a->obj); /* pairs with the dependency in qr_head_array() */
	return old;
}

struct qr_array *qr_head_equip(struct qr_cache *c, struct qr_head *h, int n, struct qr_array *a,
			       bool remote)
{
	struct share *s = this_cpu_ptr(&shares);
	struct qr_array *old = qr_head_array(h);
	unsigned int want, ends;
	long bytes;

	if (unlikely(n < 0) || !qr_head_wants(c, h, remote))
		return a;
	if (unlikely(!a)) {
		ask_later(h, remote);
		return NULL;
	}
	/* The task may have come to another CPU, whose head wants an array of another size. */
	ends = qr_remote_places(c, remote || (old && old->remote_room));
	if (a->total < h->capacity + ends || (old && a->total <= old->total))
		return a;
	if (remote) {
		bytes = remote_bytes(c, s);
		if (!bytes)
			return a;
		old = qr_head_move(c, h, n, a);
		grant_remote(c, a, s, bytes);
		return old;
	}
	want = min(affordable(c, h, s), a->total - ends);
	if (want <= h->capacity)
		return a;
	old = qr_head_move(c, h, n, a);
	grant(c, h, s, want);
	return old;
}

noinline int qr_head_fetch(struct qr_cache *c, int n, unsigned long flags)
{
	struct qr_head *h = this_cpu_ptr(c->pub.head);
	unsigned int places = qr_head_wants(c, h, false);
	struct qr_array *a;

	if (!places)
		return n;
	qr_head_release(h, n);
	local_irq_restore(flags);
	preempt_enable();
	a = qr_array_new(places);
	preempt_disable();
	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	n = qr_head_claim(h);
	qr_array_free(qr_head_equip(c, h, n, a, false));
	return n;
}

/* What does a head ask for?  It will have asked for nothing.  Interrupts off, on its own CPU. */
static unsigned int take_asks(struct qr_head *h)
{
	struct qr_array *a = qr_head_array(h);
	unsigned int asks;

	if (a) {
		asks = a->asks;
		a->asks = 0;
	} else {
		asks = (unsigned long)h->obj;
		WRITE_ONCE(h->obj, NULL);
	}
	return asks;
}

/* Returns an array that is to be freed. */
static struct qr_array *equip_here(struct qr_cache *c, struct qr_array *a, bool remote)
{
	struct qr_head *h;
	unsigned long flags;
	int n;

	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	n = qr_head_claim(h);
	a = qr_head_equip(c, h, n, a, remote);
	if (n >= 0)
		qr_head_release(h, n);
	local_irq_restore(flags);
	return a;
}

void qr_head_serve(struct qr_cache *c)
{
	unsigned int asks, places, remote;
	unsigned long flags;
	struct qr_head *h;

	local_irq_save(flags);
	asks = take_asks(this_cpu_ptr(c->pub.head));
	local_irq_restore(flags);
	for (remote = 0; asks >> remote; remote++) {
		if (!(asks & BIT(remote)))
			continue;
		local_irq_save(flags);
		h = this_cpu_ptr(c->pub.head);
		places = qr_head_wants(c, h, remote);
		local_irq_restore(flags);
		if (places)
			qr_array_free(equip_here(c, qr_array_new(places), remote));
	}
}
