// SPDX-License-Identifier: GPL-2.0
/*
 * Capacity goes where the misses are.
 *
 * Once a second, each CPU's magazines are looked at.  One that nobody used since the
 * last look shrinks by half, down to nothing; one that was used keeps what it has,
 * unless a head of this CPU was refused capacity (magazine/capacity.c).  Then those give half
 * that did without the depot, and if there are none, the largest does.  The poor
 * head takes it at its next miss.  Depots of caches that were not used at all
 * are emptied into their slabs.
 *
 * For the sources see magazine/capacity.c.
 *
 * The look is queued by whoever is granted something, and again after each look
 * as long as anybody has anything: a machine at rest comes to have no ticks.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "cache/capacity_balance.h"

#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sysfs.h>
#include <quarry/stats.h>
#include "cache/cache.h"
#include "compat.h"

/* The largest gives to the poorest until it has no more than so many times as much. */
#define SPREAD 4

/* CPUs to be visited; with qr_caches_lock. */
static struct cpumask to_visit;

/*
 * Allocations and frees of a head so far, modulo 2^32.  It is read as it stands:
 * an interrupt in between makes a head look used, which it is.
 */
static u32 head_ops(const struct qr_head *h)
{
	u64 made = h->drawn - h->countdown;

	return 2 * made + h->direct_allocs - h->refilled + h->flushed + qr_head_peek(h) +
	       h->direct_frees;
}

/* It changes with every miss; what remote frees do is not the magazine's matter. */
static u32 head_misses(const struct qr_head *h)
{
	return h->refilled + h->flushed + h->direct_allocs + h->direct_frees - h->remote_frees;
}

static unsigned int halved(unsigned int capacity)
{
	return capacity < 4 ? 0 : capacity / 2;
}

static void halve(struct qr_cache *c, unsigned int cpu)
{
	qr_magazine_shrink(c, cpu, halved(per_cpu_ptr(c->pub.head, cpu)->capacity));
}

struct look {
	bool used;
	bool missed;
};

static struct look look_at(struct qr_cache *c, struct qr_head *h, unsigned int cpu)
{
	u32 ops = head_ops(h), misses = head_misses(h), remote = h->remote_frees;
	struct look l = {
		.used = ops != h->seen_ops,
		.missed = misses != h->seen_misses,
	};

	if (h->remote_room)
		qr_magazine_send(c, cpu, remote == h->seen_remote);
	h->seen_ops = ops;
	h->seen_misses = misses;
	h->seen_remote = remote;
	return l;
}

static bool cpu_is_above(unsigned int cpu)
{
	return qr_percpu_granted(cpu) > qr_percpu_most();
}

/* Everybody gives half.  Returns whether there was anything to give. */
static bool halve_all(unsigned int cpu)
{
	struct qr_cache *c;
	bool any = false;

	list_for_each_entry(c, &qr_caches, link) {
		struct qr_head *h = per_cpu_ptr(c->pub.head, cpu);

		if (!cpu_is_above(cpu))
			break;
		if (!qr_head_granted(c, h))
			continue;
		any = true;
		qr_magazine_send(c, cpu, true);
		halve(c, cpu);
		cond_resched();
	}
	return any;
}

/* The budget, or the soft limit, has become smaller. */
static u64 fit_cpu(unsigned int cpu, void *unused)
{
	while (halve_all(cpu))
		;
	return 0;
}

static u64 tick_cpu(unsigned int cpu, void *unused)
{
	unsigned long poorest = qr_percpu_poorest(cpu), most = 0;
	bool starved = poorest != ULONG_MAX, taken = false;
	struct qr_cache *c, *rich = NULL;

	list_for_each_entry(c, &qr_caches, link) {
		struct qr_head *h = per_cpu_ptr(c->pub.head, cpu);
		struct look l = look_at(c, h, cpu);
		unsigned long bytes = (unsigned long)h->capacity * c->geo.stride;

		if (l.used)
			WRITE_ONCE(c->used, true);
		if (bytes && (!l.used || (starved && !l.missed))) {
			halve(c, cpu);
			taken = true;
		} else if (bytes > most) {
			most = bytes;
			rich = c;
		}
		cond_resched();
	}
	if (starved && !taken && most / SPREAD > poorest)
		halve(rich, cpu);
	fit_cpu(cpu, NULL);
	return qr_percpu_granted(cpu);
}

static bool cpu_is_busy(unsigned int cpu)
{
	return !qr_percpu_at_rest(cpu);
}

static const struct cpumask *cpus_that(bool (*what)(unsigned int cpu))
{
	unsigned int cpu;

	cpumask_clear(&to_visit);
	for_each_possible_cpu(cpu)
		if (what(cpu))
			cpumask_set_cpu(cpu, &to_visit);
	return &to_visit;
}

static bool depots_hold(const struct qr_cache *c)
{
	unsigned int i;

	for (i = 0; i < qr_nr_depots(); i++)
		if (c->depot[i] &&
		    (READ_ONCE(c->depot[i]->nr_cached) || READ_ONCE(c->depot[i]->nr_empty)))
			return true;
	return false;
}

bool qr_magazines_tick(void)
{
	struct qr_cache *c;
	bool more;

	mutex_lock(&qr_caches_lock);
	more = qr_visit_cpus(cpus_that(cpu_is_busy), tick_cpu, NULL);
	list_for_each_entry(c, &qr_caches, link) {
		if (c->used)
			more = true;
		else if (depots_hold(c))
			qr_cache_settle(c);
		WRITE_ONCE(c->used, false);
		cond_resched();
	}
	mutex_unlock(&qr_caches_lock);
	return more;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_magazines_tick);

static void resize_fn(struct work_struct *work)
{
	if (qr_magazines_tick() && READ_ONCE(qr_balance_on))
		queue_delayed_work(system_power_efficient_wq, &qr_balance_work,
				   round_jiffies_relative(HZ));
}

void qr_magazines_ticking(bool on)
{
	WRITE_ONCE(qr_balance_on, on);
	if (on)
		queue_delayed_work(system_power_efficient_wq, &qr_balance_work, HZ);
	else
		cancel_delayed_work_sync(&qr_balance_work);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_magazines_ticking);

void qr_magazines_soon(void)
{
	if (READ_ONCE(qr_balance_on))
		mod_delayed_work(system_power_efficient_wq, &qr_balance_work, 0);
}

u32 qr_percpu_kib_get(void)
{
	return READ_ONCE(qr_percpu_budget) >> 10;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_percpu_kib_get);

void qr_percpu_kib_set(u32 kib)
{
	mutex_lock(&qr_caches_lock);
	WRITE_ONCE(qr_percpu_budget, (unsigned long)kib << 10);
	qr_visit_cpus(cpus_that(cpu_is_above), fit_cpu, NULL);
	mutex_unlock(&qr_caches_lock);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_percpu_kib_set);

static int param_set(const char *text, const struct kernel_param *kp)
{
	u32 kib;
	int err = kstrtou32(text, 10, &kib);

	if (err) {
		pr_err("percpu_cache_kib \"%s\" is no number of KiB\n", text);
		return err;
	}
	qr_percpu_kib_set(kib);
	return 0;
}

static int param_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%u\n", qr_percpu_kib_get());
}

static const struct kernel_param_ops percpu_ops = { .set = param_set, .get = param_get };

module_param_cb(percpu_cache_kib, &percpu_ops, NULL, 0600);
/* clang-format off */
MODULE_PARM_DESC(percpu_cache_kib,
		 "KiB of free objects that each CPU's magazines may hold, of all caches together (default 4096)");
/* clang-format on */

void qr_balance_init(void)
{
	INIT_DELAYED_WORK(&qr_balance_work, resize_fn);
	qr_magazines_ticking(true);
}

void qr_balance_exit(void)
{
	qr_magazines_ticking(false);
}
