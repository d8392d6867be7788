// SPDX-License-Identifier: GPL-2.0
/*
 * Objects and pages of the kernel's, allocated and freed in a softirq, or by two CPUs at the same
 * time: "kcontext" allocates, and "unkcontext" frees all of a way.  Each way has a function of its
 * own, which is the leaf of its call stack.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "client.h"

#define BATCH 16 /* in one softirq */
#define CPUS  2

enum way { SOFTIRQ, TWO_CPUS, WAYS };
static const char *const ways[] = { "softirq", "twocpus", NULL };

enum kind { OBJECTS, PAGES, KINDS };
static const char *const kinds[] = { "objects", "pages", NULL };

/* What a way holds; of two CPUs each has a half. */
struct store {
	void **at;
	unsigned int nr;
};

static struct store held[WAYS][KINDS][CPUS];

/* --- One of them --- */

/*
 * The barrier keeps a call from becoming a tail call, which would hide the function.  Sizes and
 * flags differ, because the compiler merges equal functions.
 */
static noinline void *softirq_object(void)
{
	void *p = kmalloc(300, GFP_ATOMIC);

	barrier();
	return p;
}

static noinline void *softirq_page(void)
{
	void *p = (void *)__get_free_page(GFP_ATOMIC);

	barrier();
	return p;
}

static noinline void *twocpus_object(void)
{
	void *p = kmalloc(600, GFP_KERNEL);

	barrier();
	return p;
}

static noinline void *twocpus_page(void)
{
	void *p = (void *)__get_free_page(GFP_KERNEL);

	barrier();
	return p;
}

static void *(*const allocate[WAYS][KINDS])(void) = {
	[SOFTIRQ] = { softirq_object, softirq_page },
	[TWO_CPUS] = { twocpus_object, twocpus_page },
};

/**
 * struct part - what one CPU does
 * @way: the way
 * @what: allocate or free these
 * @free: free them
 * @store: where they are
 * @from: index of the first
 * @to: index behind the last
 */
struct part {
	enum way way;
	enum kind what;
	bool free;
	struct store *store;
	unsigned int from;
	unsigned int to;
};

static void do_one(const struct part *part, unsigned int i)
{
	void **p = &part->store->at[i];

	if (!part->free)
		*p = allocate[part->way][part->what]();
	else if (part->what == OBJECTS)
		kfree(*p);
	else
		free_page((unsigned long)*p);
}

static void do_part(const struct part *part)
{
	unsigned int i;

	for (i = part->from; i < part->to; i++)
		do_one(part, i);
}

/* --- In a softirq --- */

static struct {
	struct part part;
	struct completion done;
	unsigned int nr; /* done in a softirq */
} batch;

static void batch_fn(struct tasklet_struct *unused)
{
	do_part(&batch.part);
	if (in_serving_softirq())
		batch.nr += batch.part.to - batch.part.from;
	complete(&batch.done);
}

static DECLARE_TASKLET(batch_tasklet, batch_fn);

static void in_softirq_context(enum kind what, bool free, unsigned int n)
{
	unsigned int from;

	batch.nr = 0;
	for (from = 0; from < n; from += BATCH) {
		batch.part = (struct part){
			.way = SOFTIRQ,
			.what = what,
			.free = free,
			.store = &held[SOFTIRQ][what][0],
			.from = from,
			.to = min(from + BATCH, n),
		};
		init_completion(&batch.done);
		tasklet_schedule(&batch_tasklet);
		wait_for_completion(&batch.done);
	}
	tasklet_kill(&batch_tasklet);
	client_say("in_softirq %u\n", batch.nr);
}

/* --- On two CPUs --- */

#define LEAD 4 /* by so many one CPU may be ahead of the other */

/**
 * struct cpu_part - the part of one of the CPUs
 * @work: runs there
 * @other: the other CPU's part
 * @part: what it does
 * @ready: 0 until it runs, then one more than is done
 * @begin: when both ran
 * @end: when it was done
 */
struct cpu_part {
	struct work_struct work;
	const struct cpu_part *other;
	struct part part;
	atomic_t ready;
	u64 begin;
	u64 end;
};

static struct cpu_part cpu_parts[CPUS];

/* They stay together from the first to the last, also on a machine that runs them by turns. */
static void cpu_part_fn(struct work_struct *work)
{
	struct cpu_part *c = container_of(work, struct cpu_part, work);
	unsigned int i;

	atomic_inc(&c->ready);
	while (!atomic_read(&c->other->ready))
		cpu_relax();
	c->begin = ktime_get_ns();
	for (i = c->part.from; i < c->part.to; i++) {
		while (atomic_read(&c->other->ready) + LEAD < i)
			cpu_relax();
		do_one(&c->part, i);
		atomic_inc(&c->ready);
	}
	c->end = ktime_get_ns();
}

/* To free, each CPU takes what the other one has allocated. */
static int on_two_cpus(enum kind what, bool free, unsigned int n)
{
	unsigned int cpu[CPUS], i;
	u64 begin, end;

	cpus_read_lock();
	cpu[0] = cpumask_first(cpu_online_mask);
	cpu[1] = cpumask_last(cpu_online_mask);
	if (cpu[0] == cpu[1]) {
		cpus_read_unlock();
		return -ENODEV;
	}
	for (i = 0; i < CPUS; i++) {
		cpu_parts[i] = (struct cpu_part){
			.other = &cpu_parts[1 - i],
			.part = {
				.way = TWO_CPUS,
				.what = what,
				.free = free,
				.store = &held[TWO_CPUS][what][free ? 1 - i : i],
				.to = n,
			},
		};
		INIT_WORK(&cpu_parts[i].work, cpu_part_fn);
	}
	for (i = 0; i < CPUS; i++)
		schedule_work_on(cpu[i], &cpu_parts[i].work);
	for (i = 0; i < CPUS; i++)
		flush_work(&cpu_parts[i].work);
	cpus_read_unlock();
	begin = max(cpu_parts[0].begin, cpu_parts[1].begin);
	end = min(cpu_parts[0].end, cpu_parts[1].end);
	client_say("together_ns %llu\n", end > begin ? end - begin : 0);
	return 0;
}

/* --- Commands --- */

static int do_all(enum way way, enum kind what, bool free, unsigned int n)
{
	if (way == TWO_CPUS)
		return on_two_cpus(what, free, n);
	in_softirq_context(what, free, n);
	return 0;
}

static bool is_complete(const struct store *s)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (!s->at[i])
			return false;
	return true;
}

static void drop(enum way way, enum kind what)
{
	unsigned int i;

	for (i = 0; i < CPUS; i++) {
		vfree(held[way][what][i].at);
		held[way][what][i] = (struct store){};
	}
}

static int uncontext(enum way way, enum kind what)
{
	unsigned int n = held[way][what][0].nr, i;
	int err = n ? do_all(way, what, true, n) : 0;

	/* If one CPU is left, all are freed there. */
	for (i = 0; err && i < CPUS; i++)
		do_part(&(struct part){
			.way = way,
			.what = what,
			.free = true,
			.store = &held[way][what][i],
			.to = n,
		});
	drop(way, what);
	return err;
}

static int kcontext_run(const u64 *v)
{
	enum way way = v[0];
	enum kind what = v[1];
	unsigned int i, nr = way == TWO_CPUS ? CPUS : 1;
	struct store *store = held[way][what];
	bool complete = true;
	int err;

	if (store[0].nr)
		return -EBUSY;
	for (i = 0; i < nr; i++) {
		store[i].at = vcalloc(v[2], sizeof(void *));
		store[i].nr = v[2];
		if (!store[i].at) {
			drop(way, what);
			return -ENOMEM;
		}
	}
	err = do_all(way, what, false, v[2]);
	if (err) {
		drop(way, what);
		return err;
	}
	for (i = 0; i < nr; i++)
		complete = is_complete(&store[i]) && complete;
	return complete ? 0 : -ENOMEM;
}

static int unkcontext_run(const u64 *v)
{
	return uncontext(v[0], v[1]);
}

void client_unkcontext_all(void)
{
	enum way way;
	enum kind what;

	for (way = 0; way < WAYS; way++)
		for (what = 0; what < KINDS; what++)
			uncontext(way, what);
}

const struct client_command client_kcontext = {
	.name = "kcontext",
	.run = kcontext_run,
	.args = {
		{ "way", SOFTIRQ, 0, ways },
		{ "what", OBJECTS, 0, kinds },
		{ "n", 100, 100000 },
	},
};

const struct client_command client_unkcontext = {
	.name = "unkcontext",
	.run = unkcontext_run,
	.args = {
		{ "way", SOFTIRQ, 0, ways },
		{ "what", OBJECTS, 0, kinds },
	},
};
