// SPDX-License-Identifier: GPL-2.0
/*
 * The stress: more threads than there are CPUs, and on each CPU a hardirq and a
 * softirq user, which interrupt the threads between any two instructions.  In
 * the meantime, the overseer shrinks the caches that they use.
 *
 * Interrupts have two sources, which have the same name in every kernel
 * release: the tick, which runs lazy irq_work, and calls from threads on other
 * CPUs.  A call only raises irq_work, because in the context of the call not
 * even the kernel's own allocators may be used (see lockdep on PREEMPT_RT).
 * Both sources also raise the softirq user.
 */
#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include "stress.h"

#define STEPS_PER_TICK 16
#define STEPS_PER_CALL 4

struct cpu_users {
	struct irq_work tick, work;
	call_single_data_t call;
	atomic_t called; /* the call is on its way */
	struct tasklet_struct tasklet;
	struct stress_user hard, soft;
};

static struct cpu_users __percpu *cpu_users;
static bool interrupts;

static void hard_steps(struct cpu_users *c, unsigned int n)
{
	while (n--)
		stress_step_atomic(&c->hard);
	tasklet_schedule(&c->tasklet);
}

static void on_tick(struct irq_work *work)
{
	struct cpu_users *c = container_of(work, struct cpu_users, tick);

	hard_steps(c, STEPS_PER_TICK);
	/*
	 * On PREEMPT_RT a thread with a real-time priority runs this, as long as there is work, and
	 * nothing else would run.  The overseer queues it again there.
	 */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return;
	/* A CPU that goes offline runs this a last time.  Work queued then would never run. */
	if (READ_ONCE(interrupts) && cpu_online(smp_processor_id()))
		irq_work_queue(work);
}

static void on_work(struct irq_work *work)
{
	struct cpu_users *c = container_of(work, struct cpu_users, work);

	hard_steps(c, STEPS_PER_CALL);
	atomic_set_release(&c->called, 0);
}

static void on_call(void *info)
{
	struct cpu_users *c = info;

	irq_work_queue(&c->work);
}

static void on_softirq(struct tasklet_struct *t)
{
	struct cpu_users *c = container_of(t, struct cpu_users, tasklet);
	unsigned int i;

	for (i = 0; i < STEPS_PER_TICK; i++)
		stress_step_atomic(&c->soft);
}

/* Interrupt another CPU, if there is one and no other call to it is on its way. */
static void call_another(void)
{
	struct cpu_users *c;
	unsigned int cpu;

	cpus_read_lock();
	cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	if (cpu < nr_cpu_ids) {
		c = per_cpu_ptr(cpu_users, cpu);
		if (!atomic_cmpxchg_acquire(&c->called, 0, 1))
			smp_call_function_single_async(cpu, &c->call);
	}
	cpus_read_unlock();
}

static void interrupts_start(u64 seed)
{
	unsigned int cpu;

	WRITE_ONCE(interrupts, true);
	for_each_possible_cpu(cpu) {
		struct cpu_users *c = per_cpu_ptr(cpu_users, cpu);

		c->tick = IRQ_WORK_INIT_LAZY(on_tick);
		init_irq_work(&c->work, on_work);
		INIT_CSD(&c->call, on_call, c);
		tasklet_setup(&c->tasklet, on_softirq);
		prandom_seed_state(&c->hard.rnd, seed + 1000 + cpu);
		prandom_seed_state(&c->soft.rnd, seed + 2000 + cpu);
	}
}

/* Queue the work of this CPU's tick, unless it is queued.  A CPU that came back needs this. */
static int tick_start(void *unused)
{
	/* If the CPU has gone offline, another one runs this, and starts its own tick's work. */
	irq_work_queue(&get_cpu_ptr(cpu_users)->tick);
	put_cpu_ptr(cpu_users);
	return 0;
}

static void nothing(void *unused)
{
}

static void interrupts_stop(void)
{
	unsigned int cpu;

	WRITE_ONCE(interrupts, false);
	/* When this call has run on a CPU, all calls that were sent before it have, too. */
	on_each_cpu(nothing, NULL, 1);
	for_each_possible_cpu(cpu) {
		struct cpu_users *c = per_cpu_ptr(cpu_users, cpu);

		irq_work_sync(&c->tick);
		irq_work_sync(&c->work);
		tasklet_kill(&c->tasklet);
	}
}

struct worker {
	struct task_struct *task;
	struct stress_user user;
};

static int worker_fn(void *data)
{
	struct worker *w = data;

	while (!kthread_should_stop() && !w->user.err) {
		unsigned int i;

		for (i = 0; i < 16; i++)
			stress_step(&w->user);
		if (!stress_below(&w->user, 4))
			call_another();
		cond_resched();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 10);
	return 0;
}

static void add(struct stress_user *sum, const struct stress_user *u)
{
	sum->allocs += u->allocs;
	sum->frees += u->frees;
	sum->failed += u->failed;
	sum->cross += u->cross;
	sum->err = sum->err ?: u->err;
}

/* Shrink a cache every 50 ms, and start the tick's work on CPUs where it does not run. */
static unsigned int oversee(unsigned int seconds, u64 seed)
{
	unsigned long end = jiffies + seconds * HZ;
	struct stress_user u = {};
	unsigned int shrinks = 0, cpu;

	prandom_seed_state(&u.rnd, seed + 3000);
	while (time_before(jiffies, end)) {
		for_each_online_cpu(cpu)
			smp_call_on_cpu(cpu, tick_start, NULL, false);
		quarry_cache_shrink(stress_cache[stress_below(&u, STRESS_CACHES)]);
		shrinks++;
		msleep(50);
	}
	return shrinks;
}

static int run_workers(struct worker *w, const u64 *v, unsigned int *shrinks)
{
	unsigned int n, started;
	int err = 0;

	for (started = 0; started < v[1]; started++) {
		struct worker *one = &w[started];

		prandom_seed_state(&one->user.rnd, v[2] + started);
		one->task = kthread_run(worker_fn, one, "quarry_stress/%u", started);
		if (IS_ERR(one->task)) {
			err = PTR_ERR(one->task);
			break;
		}
	}
	if (!err)
		*shrinks = oversee(v[0], v[2]);
	for (n = 0; n < started; n++)
		kthread_stop(w[n].task);
	return err;
}

static int stress_run(const u64 *v)
{
	struct stress_user sum = {}, hard = {}, soft = {};
	unsigned int n, cpu, shrinks = 0;
	struct worker *w;
	int err;

	w = kcalloc(v[1], sizeof(*w), GFP_KERNEL);
	cpu_users = alloc_percpu(struct cpu_users);
	err = w && cpu_users ? stress_create() : -ENOMEM;
	if (err)
		goto out;
	interrupts_start(v[2]);
	err = run_workers(w, v, &shrinks);
	interrupts_stop();
	for (n = 0; n < v[1]; n++)
		add(&sum, &w[n].user);
	for_each_possible_cpu(cpu) {
		add(&hard, &per_cpu_ptr(cpu_users, cpu)->hard);
		add(&soft, &per_cpu_ptr(cpu_users, cpu)->soft);
	}
	client_say("hardirq_allocs %llu\nsoftirq_allocs %llu\ntask_allocs %llu\nshrinks %u\n",
		   hard.allocs, soft.allocs, sum.allocs, shrinks);
	add(&sum, &hard);
	add(&sum, &soft);
	stress_empty(&sum);
	client_say("allocs %llu\nfrees %llu\nfailed %llu\ncross_cpu_frees %llu\n", sum.allocs,
		   sum.frees, sum.failed, sum.cross);
	err = err ?: sum.err ?: sum.allocs == sum.frees ? 0 : -EIO;
	stress_destroy();
out:
	free_percpu(cpu_users);
	kfree(w);
	return err;
}

const struct client_command client_stress = {
	"stress",
	stress_run,
	{
		{ .name = "seconds", .value = 5, .max = 3600 },
		{ .name = "threads", .value = 4, .max = 256 },
		{ .name = "seed", .value = 1, .max = U32_MAX },
	},
};
