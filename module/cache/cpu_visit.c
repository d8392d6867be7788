// SPDX-License-Identifier: GPL-2.0
/*
 * Running a function on each CPU.  A magazine is changed by its own CPU, or by any CPU while that
 * one is offline (magazine/drain.c).
 *
 * A visit waits for work items on other CPUs, for as long as a real-time task keeps the workers of
 * one from running.  So it holds nothing that creating or destroying a cache needs: the work item
 * finds the caches by their numbers, each in an RCU read-side section of its own.
 */
#include "cache/cache.h"

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include "compat.h"
#include "core/caller.h"
#include "core/work_queue.h"

struct visit {
	struct work_struct work;
	qr_cpu_fn fn;
	void *arg;
	unsigned long caller; /* on whose behalf, for reports of misuse; see qr_caller() */
	u64 sum;
};

static DEFINE_PER_CPU(struct visit, visits);
static DEFINE_MUTEX(visit_lock); /* one visit at a time; outside of cpus_read_lock() */

static void visit_fn(struct work_struct *work)
{
	struct visit *v = container_of(work, struct visit, work);

	/* Bound to this CPU.  No operation on a magazine is under way: they disable preemption. */
	raw_cpu_write(qr_work_caller, v->caller);
	v->sum = v->fn(raw_smp_processor_id(), v->arg);
	raw_cpu_write(qr_work_caller, 0);
}

u64 qr_visit_cpus(bool (*wanted)(unsigned int cpu), qr_cpu_fn fn, void *arg)
{
	static struct cpumask cpus; /* with visit_lock */
	unsigned long caller = qr_caller(0);
	unsigned int cpu;
	u64 sum = 0;

	mutex_lock(&visit_lock);
	cpus_read_lock();
	cpumask_clear(&cpus);
	for_each_possible_cpu(cpu)
		if (!wanted || wanted(cpu))
			cpumask_set_cpu(cpu, &cpus);
	for_each_cpu_and(cpu, &cpus, cpu_online_mask) {
		struct visit *v = per_cpu_ptr(&visits, cpu);

		INIT_WORK(&v->work, visit_fn);
		v->fn = fn;
		v->arg = arg;
		v->caller = caller;
		queue_work_on(cpu, qr_cpu_queue, &v->work);
	}
	for_each_cpu(cpu, &cpus) {
		struct visit *v = per_cpu_ptr(&visits, cpu);

		if (cpu_online(cpu)) {
			flush_work(&v->work);
			sum += v->sum;
		} else {
			sum += fn(cpu, arg);
		}
	}
	cpus_read_unlock();
	mutex_unlock(&visit_lock);
	return sum;
}

u64 qr_each_cache(unsigned int only, unsigned int cpu, qr_magazine_fn fn)
{
	unsigned long id = only, last = only ?: ULONG_MAX;
	struct qr_cache *c;
	u64 sum = 0;

	do {
		rcu_read_lock();
		c = qr_cache_next(&id, last);
		if (c)
			sum += fn(c, cpu);
		rcu_read_unlock();
		id++;
		cond_resched();
	} while (c && id <= last);
	return sum;
}

struct to_do {
	unsigned int cache;
	qr_magazine_fn fn;
};

static u64 visit_magazines(unsigned int cpu, void *arg)
{
	const struct to_do *what = arg;

	return qr_each_cache(what->cache, cpu, what->fn);
}

u64 qr_visit_magazines(unsigned int cache, qr_magazine_fn fn)
{
	struct to_do what = { .cache = cache, .fn = fn };

	return qr_visit_cpus(NULL, visit_magazines, &what);
}
