// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse is reported and survived.  The object is leaked and not reused, and Quarry keeps none
 * of its own state in objects.  A caller that repeats the same misuse is logged once and then
 * only counted, so that a loop does not flood the log.
 *
 * The last reports are kept, for observers.  A report may come from any context, also from an NMI
 * that interrupted another report.  So nothing waits here: a report whose place is being written to
 * is logged and counted, but not kept.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "slab/misuse.h"

#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <quarry/misuse.h>
#include <quarry/quarry.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "core/caller.h"
#include "core/exposure.h"
#include "profile/stack.h"
#include "slab/mapped.h"
#include "slab/slab.h"

#define SEEN_BITS 8

atomic64_t qr_misuse_count[QR_NR_MISUSE];
atomic64_t qr_leaked_objects;

static bool panic_on_misuse;
module_param_cb(panic_on_misuse, &qr_bool_param_ops, &panic_on_misuse, 0600);
MODULE_PARM_DESC(panic_on_misuse, "stop the machine at the first misuse (default N)");

/* Caller plus misuse, of those that were logged.  Two that share a slot may be logged again. */
static unsigned long seen[1 << SEEN_BITS];

static const struct {
	const char *name;
	const char *what;
	const char *result; /* what the log says happened, if the object is not leaked */
} text[QR_NR_MISUSE] = {
	[QR_MISUSE_FOREIGN] = { "foreign", "free of a pointer that is not Quarry's to free",
				"ignored" },
	[QR_MISUSE_INTERIOR] = { "interior",
				 "free of a pointer that is not the start of an object" },
	[QR_MISUSE_WRONG_CACHE] = { "wrong_cache", "free to the wrong cache" },
	[QR_MISUSE_DOUBLE_FREE] = { "double_free", "double free", "ignored" },
	[QR_MISUSE_BUSY_DESTROY] = { "busy_destroy", "cache destroyed with live objects",
				     "cache kept" },
	[QR_MISUSE_STALE_MARK] = { "stale_mark", "arena released to a mark that is not good",
				   "ignored" },
	[QR_MISUSE_RED_ZONE] = { "red_zone", "written to behind its end", "its page goes back" },
	[QR_MISUSE_POISON] = { "poison", "written to while it was free", "its page goes back" },
	[QR_MISUSE_KERNEL_FREE] = { "kernel_free", "freed by the kernel, which cannot do it" },
};

/**
 * struct kept - a place for a report
 * @busy: somebody writes to it
 * @key: the caller plus the misuse, so that the next time is found
 * @number: @report.number; 0 while there is none, or it is being written
 * @times: @report.times, which goes on
 * @last_ns: @report.last_ns, which goes on
 * @report: the rest
 */
struct kept {
	atomic_t busy;
	unsigned long key;
	u64 number;
	atomic64_t times;
	u64 last_ns;
	struct quarry_misuse report;
};

static struct kept kept[QUARRY_MISUSE_KEPT];
static atomic64_t nr_reports;

/* --- What is known of an object --- */

/* With rcu_read_lock(). */
static void look_up(struct quarry_misuse *m, const void *p)
{
	const struct qr_slab *slab = qr_slab_of(p) ?: qr_mapped_of(p);
	struct qr_origin origin;
	unsigned int i = 0;
	u32 stride;

	if (!slab || READ_ONCE(slab->bin) == QR_ARENA_BLOCK)
		return;
	m->offset = p - slab->base;
	m->size = qr_slab_bytes(slab);
	/* A dangling pointer's slab may be a large object by now. */
	stride = READ_ONCE(slab->cache) ? READ_ONCE(slab->stride) : 0;
	if (stride) {
		i = m->offset / stride;
		m->offset %= stride;
		m->size = stride;
	}
	if (!qr_sample_origin(&slab->samples, i, &origin, true))
		return;
	m->stack = origin.allocated;
	m->freed_stack = origin.freed;
	m->was_free = origin.is_free;
	m->age_ns = m->first_ns - min(origin.time, m->first_ns);
}

/* --- Reports that are kept --- */

static struct kept *find_kept(unsigned long key)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kept); i++)
		if (READ_ONCE(kept[i].number) && READ_ONCE(kept[i].key) == key)
			return &kept[i];
	return NULL;
}

/* A repeat of a report that is kept is only counted. */
static bool is_repeat(unsigned long key)
{
	struct kept *k = find_kept(key);

	if (!k)
		return false;
	atomic64_inc(&k->times);
	WRITE_ONCE(k->last_ns, ktime_get_mono_fast_ns());
	return true;
}

static void keep(unsigned long key, struct quarry_misuse *m)
{
	struct kept *k;

	m->number = atomic64_inc_return(&nr_reports);
	k = &kept[(m->number - 1) % ARRAY_SIZE(kept)];
	if (atomic_cmpxchg_acquire(&k->busy, 0, 1))
		return;
	WRITE_ONCE(k->number, 0);
	smp_wmb(); /* for qr_misuse_next(): no number while the report changes */
	k->report = *m;
	WRITE_ONCE(k->key, key);
	WRITE_ONCE(k->last_ns, m->first_ns);
	atomic64_set(&k->times, 1);
	/* Pairs with the load in qr_misuse_next(): with the number, the report is there. */
	smp_store_release(&k->number, m->number);
	atomic_set_release(&k->busy, 0);
}

bool qr_misuse_next(u64 number, struct quarry_misuse *m)
{
	u64 least = U64_MAX, n;
	unsigned int i;

	do {
		struct kept *k = NULL;

		for (i = 0, least = U64_MAX; i < ARRAY_SIZE(kept); i++) {
			/* Pairs with the store in keep(). */
			n = smp_load_acquire(&kept[i].number);
			if (n > number && n < least) {
				least = n;
				k = &kept[i];
			}
		}
		if (!k)
			return false;
		/* If a newer report takes the place meanwhile, the copy is not used. */
		*m = data_race(k->report);
		m->times = atomic64_read(&k->times);
		m->last_ns = READ_ONCE(k->last_ns);
		smp_rmb(); /* the number is looked at again when all is copied; pairs with keep() */
		n = READ_ONCE(k->number);
	} while (n != least);
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_misuse_next);

unsigned int qr_misuse_stack(const struct quarry_misuse *m, unsigned long **entries)
{
	return qr_stack_frames(m->stack, entries);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_misuse_stack);

unsigned int qr_misuse_freed_stack(const struct quarry_misuse *m, unsigned long **entries)
{
	return qr_stack_frames(m->freed_stack, entries);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_misuse_freed_stack);

/* --- The report --- */

/*
 * Logs one line, and another one for each frame of the stacks that allocated and freed the object,
 * where these are known.  Pointers are hashed, as in all of the kernel's log, unless the kernel was
 * booted with no_hash_pointers.
 */
static void tell(const struct quarry_misuse *m)
{
	const char *to = m->given[0] ? ", given to " : "";
	unsigned long *frames;
	unsigned int n, i;

	pr_err("misuse: %s: object %p, cache %s%s%s, seen in %s; %s\n", m->text, m->object,
	       m->cache[0] ? m->cache : "none", to, m->given, m->caller, m->result);
	n = qr_misuse_stack(m, &frames);
	for (i = 0; i < n; i++)
		pr_err("misuse: allocated in %pB\n", (void *)frames[i]);
	n = qr_misuse_freed_stack(m, &frames);
	for (i = 0; i < n; i++)
		pr_err("misuse: freed in %pB\n", (void *)frames[i]);
}

static void fill_in(struct quarry_misuse *m, enum qr_misuse what, const void *p, const char *cache,
		    const char *given, unsigned long caller, bool lost)
{
	struct qr_caller_buf name;

	m->first_ns = ktime_get_mono_fast_ns();
	m->what = text[what].name;
	m->text = text[what].what;
	m->result = lost ? "object leaked" : text[what].result;
	m->object = p;
	strscpy(m->cache, cache ?: "", sizeof(m->cache));
	strscpy(m->given, given ?: "", sizeof(m->given));
	strscpy(m->caller, qr_caller_text(&name, caller), sizeof(m->caller));
	m->pid = current->pid;
	m->cpu = raw_smp_processor_id();
	m->interrupt = !in_task();
	strscpy(m->comm, current->comm, sizeof(m->comm));
	rcu_read_lock();
	look_up(m, p);
	rcu_read_unlock();
}

bool qr_report_loss(enum qr_misuse what, const void *p, const char *cache, const char *given,
		    unsigned long ip, bool lost)
{
	unsigned long caller = qr_caller(ip);
	unsigned long key = (caller ?: ip) + what;
	unsigned long *slot = &seen[hash_long(key, SEEN_BITS)];
	struct quarry_misuse m = {};
	bool repeat, logged, ends;

	atomic64_inc(&qr_misuse_count[what]);
	trace_misuse(text[what].name, p, caller ?: ip);
	if (lost)
		atomic64_inc(&qr_leaked_objects);
	repeat = is_repeat(key);
	logged = READ_ONCE(*slot) != key;
	ends = READ_ONCE(panic_on_misuse);
	/* A caller that repeats its mistake in a loop costs no more than the counting. */
	if (repeat && !logged && !ends)
		return false;
	fill_in(&m, what, p, cache, given, caller, lost);
	if (!repeat)
		keep(key, &m);
	if (logged) {
		WRITE_ONCE(*slot, key);
		tell(&m);
	}
	if (ends)
		panic("quarry: misuse: %s, in %s\n", m.text, m.caller);
	return logged;
}

bool qr_report(enum qr_misuse what, const void *p, const char *cache, const char *given,
	       unsigned long ip)
{
	/* The object was live.  Its owner will not free it properly any more, so it is leaked. */
	return qr_report_loss(what, p, cache, given, ip,
			      what == QR_MISUSE_INTERIOR || what == QR_MISUSE_WRONG_CACHE ||
				      what == QR_MISUSE_KERNEL_FREE);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_report);

void *qr_zone_refused(gfp_t gfp)
{
	pr_warn_once("no memory with gfp %pGg, from %s: Quarry cannot choose a zone\n", &gfp,
		     qr_caller_name(_RET_IP_));
	return NULL;
}
EXPORT_SYMBOL_QUARRY(qr_zone_refused);
