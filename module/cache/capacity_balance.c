// SPDX-License-Identifier: GPL-2.0
/*
 * Balancing capacity: it moves to the magazines that miss.
 *
 * Once a second a work item looks at the magazines of each CPU:
 * - A magazine that was not used since the last look loses half of its capacity, down to nothing.
 * - A magazine that was used keeps its capacity, unless a head of the same CPU was refused some
 *   (magazine/capacity.c).  Then each magazine that was used without going to the depot loses
 *   half.  If no magazine has lost anything, the largest one loses half, as long as it has more
 *   than SPREAD times the capacity of the poorest head.
 * - The head that was refused capacity is granted it at its next miss.
 * - Depots of caches that no CPU used are emptied into their slabs.  To caches that nobody used for
 *   QR_REST looks, the scavenger leaves one page for objects to come.
 *
 * magazine/capacity.c names the sources of this design.
 *
 * Every grant of capacity queues the work, and the work queues itself while a magazine has
 * capacity or a cache was used.  So on an idle machine it stops.
 *
 * Locks: tick_lock, one look at a time; inside of it qr_caches_lock, while depots are emptied.  The
 * look at a CPU's magazines finds the caches by RCU.  Context: process.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "cache/capacity_balance.h"

#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <linux/sysfs.h>
#include <quarry/exposure.h>
#include <quarry/stats.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/work_queue.h"

/* The largest magazine loses capacity until it has at most so many times that of the poorest. */
#define SPREAD 4

static DEFINE_MUTEX(tick_lock); /* outside of all that qr_visit_cpus() takes */

/* A number that changes with every miss of the magazine.  Remote frees are no misses. */
static u32 head_misses(const struct qr_head *h, const struct qr_array *a)
{
	return h->refilled + h->flushed + h->direct_allocs + h->direct_frees - a->remote_puts;
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

static struct look look_at(struct qr_cache *c, struct qr_head *h, struct qr_array *a,
			   unsigned int cpu)
{
	u32 ops = qr_head_ops(h), misses = head_misses(h, a), puts = a->remote_puts;
	bool close = puts == a->seen_puts, send = a->remote_room;
	struct look l = {
		.used = ops != a->seen_ops,
		.missed = misses != a->seen_misses,
	};

	a->seen_ops = ops;
	a->seen_misses = misses;
	a->seen_puts = puts;
	/* The last, because the head may lose the array. */
	if (send)
		qr_magazine_send(c, cpu, close);
	return l;
}

static bool cpu_is_above(unsigned int cpu)
{
	return qr_percpu_granted(cpu) > qr_percpu_most();
}

/* While @cpu is above its budget, halve the capacity of a magazine.  Returns 1 if it was halved. */
static unsigned int halve_if_above(struct qr_cache *c, unsigned int cpu)
{
	if (!cpu_is_above(cpu) || !qr_head_granted(c, per_cpu_ptr(c->pub.head, cpu)))
		return 0;
	qr_magazine_send(c, cpu, true);
	halve(c, cpu);
	return 1;
}

/* Bring a CPU within its budget, which becomes smaller when it is set and near the soft limit. */
static u64 fit_cpu(unsigned int cpu, void *unused)
{
	while (cpu_is_above(cpu) && qr_each_cache(0, cpu, halve_if_above))
		;
	return 0;
}

/**
 * struct cpu_look - a look at one CPU's magazines
 * @starved: a head was refused capacity
 * @asked: a head asks for an array
 * @taken: a magazine has lost capacity
 * @most: bytes of capacity of the largest magazine that has lost none
 * @rich: the number of its cache
 */
struct cpu_look {
	bool starved;
	bool asked;
	bool taken;
	unsigned long most;
	unsigned int rich;
};

/* Each is used by the visit of its CPU, of which there is one at a time. */
static DEFINE_PER_CPU(struct cpu_look, looks);

static unsigned int look_and_halve(struct qr_cache *c, unsigned int cpu)
{
	struct cpu_look *look = per_cpu_ptr(&looks, cpu);
	struct qr_head *h = per_cpu_ptr(c->pub.head, cpu);
	unsigned long bytes;
	struct qr_array *a;
	struct look l;

	if (unlikely(look->asked))
		qr_head_serve(c);
	a = qr_head_array(h);
	if (!a)
		return 0;
	if (unlikely(READ_ONCE(c->zombie))) {
		/* A free that came late may have left an object here. */
		if (qr_magazine_close(c, cpu))
			qr_zombie_freed();
		return 0;
	}
	l = look_at(c, h, a, cpu);
	bytes = (unsigned long)READ_ONCE(h->capacity) * c->geo.stride;
	if (l.used)
		WRITE_ONCE(c->used, true);
	if (bytes && (!l.used || (look->starved && !l.missed))) {
		halve(c, cpu);
		look->taken = true;
	} else if (bytes > look->most) {
		look->most = bytes;
		look->rich = c->id;
	}
	return 0;
}

static unsigned int halve_one(struct qr_cache *c, unsigned int cpu)
{
	halve(c, cpu);
	return 0;
}

static u64 tick_cpu(unsigned int cpu, void *unused)
{
	struct cpu_look *look = per_cpu_ptr(&looks, cpu);
	unsigned long poorest = qr_percpu_poorest(cpu);

	*look = (struct cpu_look){ .starved = poorest != ULONG_MAX };
	/* What heads of a CPU that is offline asked for no longer matters. */
	look->asked = qr_percpu_asked(cpu) && cpu == raw_smp_processor_id();
	qr_each_cache(0, cpu, look_and_halve);
	if (look->starved && !look->taken && look->most / SPREAD > poorest)
		qr_each_cache(look->rich, cpu, halve_one);
	fit_cpu(cpu, NULL);
	return qr_percpu_granted(cpu);
}

static bool cpu_is_busy(unsigned int cpu)
{
	return !qr_percpu_at_rest(cpu);
}

static bool depots_hold(const struct qr_cache *c)
{
	unsigned int i;

	for (i = 0; i < qr_nr_depots(); i++)
		if (c->depot[i] &&
		    (READ_ONCE(c->depot[i]->nr_batches) || READ_ONCE(c->depot[i]->nr_empty)))
			return true;
	return false;
}

static void restock(struct qr_cache *c)
{
	unsigned int i;

	for (i = 0; i < qr_nr_depots(); i++)
		if (c->depot[i])
			qr_depot_restock(c->depot[i]);
}

/* A cache was not used since the last look.  *@news: it has pages that it may lose from now on. */
static void rest(struct qr_cache *c, bool *more, bool *news)
{
	if (c->rested == QR_REST)
		return;
	WRITE_ONCE(c->rested, c->rested + 1);
	if (c->rested == QR_REST)
		*news |= qr_cache_slack(c) > 1;
	else
		*more |= qr_cache_pages(c) > 1;
}

bool qr_magazines_tick(void)
{
	struct qr_cache *c;
	unsigned int moves;
	bool more, news = false;

	mutex_lock(&tick_lock);
	more = qr_visit_cpus(cpu_is_busy, tick_cpu, NULL);
	mutex_lock(&qr_caches_lock);
	list_for_each_entry(c, &qr_caches, link) {
		/* Operations without a magazine show in the depots. */
		moves = qr_cache_moves(c);
		if (c->used || moves != c->look_moves) {
			WRITE_ONCE(c->rested, 0);
			more = true;
			restock(c);
		} else {
			if (depots_hold(c))
				qr_cache_settle(c);
			rest(c, &more, &news);
		}
		WRITE_ONCE(c->used, false);
		c->look_moves = moves;
		cond_resched();
	}
	qr_caches_count_spare(true);
	mutex_unlock(&qr_caches_lock);
	mutex_unlock(&tick_lock);
	if (news)
		qr_depot_call_watcher();
	return more;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_magazines_tick);

static void resize_fn(struct work_struct *work)
{
	if (qr_magazines_tick() && READ_ONCE(qr_balance_on))
		queue_delayed_work(qr_work_queue, &qr_balance_work, round_jiffies_relative(HZ));
}

void qr_magazines_ticking(bool on)
{
	WRITE_ONCE(qr_balance_on, on);
	if (on)
		queue_delayed_work(qr_work_queue, &qr_balance_work, HZ);
	else
		cancel_delayed_work_sync(&qr_balance_work);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_magazines_ticking);

void qr_magazines_soon(void)
{
	if (READ_ONCE(qr_balance_on))
		mod_delayed_work(qr_work_queue, &qr_balance_work, 0);
}

u32 qr_percpu_kib_get(void)
{
	return READ_ONCE(qr_percpu_budget) >> 10;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_percpu_kib_get);

void qr_percpu_kib_set(u32 kib)
{
	WRITE_ONCE(qr_percpu_budget, (unsigned long)kib << 10);
	qr_visit_cpus(cpu_is_above, fit_cpu, NULL);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_percpu_kib_set);

/*
 * There may be caches with magazines.  With kernel_param_lock(), because parameters can be written
 * before the module is ready and until it is gone.
 */
static bool loaded;

static int param_set(const char *text, const struct kernel_param *kp)
{
	u32 kib;
	int err = qr_may_set_parameter();

	if (err)
		return err;
	err = kstrtou32(text, 10, &kib);
	if (err) {
		pr_err("percpu_cache_kib \"%s\" is no number of KiB\n", text);
		return err;
	}
	if (loaded)
		qr_percpu_kib_set(kib);
	else
		WRITE_ONCE(qr_percpu_budget, (unsigned long)kib << 10);
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

static void set_loaded(bool yes)
{
	kernel_param_lock(THIS_MODULE);
	loaded = yes;
	kernel_param_unlock(THIS_MODULE);
}

void qr_balance_init(void)
{
	INIT_DELAYED_WORK(&qr_balance_work, resize_fn);
	set_loaded(true);
	qr_magazines_ticking(true);
}

void qr_balance_exit(void)
{
	set_loaded(false);
	qr_magazines_ticking(false);
}
