// SPDX-License-Identifier: GPL-2.0
/*
 * Running a function on each CPU.  A magazine is changed by its own CPU only, or by any CPU while
 * that one is offline.
 */
#include "cache/cache.h"

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include "compat.h"
#include "core/work_queue.h"

struct visit {
	struct work_struct work;
	qr_cpu_fn fn;
	void *arg;
	u64 sum;
};

static DEFINE_PER_CPU(struct visit, visits);

static void visit_fn(struct work_struct *work)
{
	struct visit *v = container_of(work, struct visit, work);

	/* Bound to this CPU.  No operation on a magazine is under way: they disable preemption. */
	v->sum = v->fn(raw_smp_processor_id(), v->arg);
}

u64 qr_visit_cpus(const struct cpumask *only, qr_cpu_fn fn, void *arg)
{
	unsigned int cpu;
	u64 sum = 0;

	lockdep_assert_held(&qr_caches_lock);
	if (!only)
		only = cpu_possible_mask;
	cpus_read_lock();
	for_each_cpu_and(cpu, only, cpu_online_mask) {
		struct visit *v = per_cpu_ptr(&visits, cpu);

		INIT_WORK(&v->work, visit_fn);
		v->fn = fn;
		v->arg = arg;
		queue_work_on(cpu, qr_cpu_queue, &v->work);
	}
	for_each_cpu(cpu, only) {
		struct visit *v = per_cpu_ptr(&visits, cpu);

		if (cpu_online(cpu)) {
			flush_work(&v->work);
			sum += v->sum;
		} else {
			sum += fn(cpu, arg);
		}
	}
	cpus_read_unlock();
	return sum;
}

struct to_do {
	struct qr_cache *cache; /* NULL: all caches */
	qr_magazine_fn fn;
};

static u64 visit_magazines(unsigned int cpu, void *arg)
{
	const struct to_do *what = arg;
	struct qr_cache *c;
	u64 sum = 0;

	if (what->cache)
		return what->fn(what->cache, cpu);
	list_for_each_entry(c, &qr_caches, link)
		sum += what->fn(c, cpu);
	return sum;
}

u64 qr_visit_magazines(struct qr_cache *cache, qr_magazine_fn fn)
{
	struct to_do what = { .cache = cache, .fn = fn };

	return qr_visit_cpus(NULL, visit_magazines, &what);
}
