// SPDX-License-Identifier: GPL-2.0
/*
 * A draw costs nothing where nothing is drawn: the CPU's countdown of bytes is an exponential
 * number, and the allocation during which it runs out is the sample.  Such a number has no memory,
 * so it can be drawn anew at any time, for instance when an interrupt has drawn while a task did.
 *
 * A draw and all of its work is done with interrupts off, so only an NMI can come in between; it
 * records nothing.  Other recursion is of pages for the kernel's stack depot, which are not seen.
 */
#include "kernel/domain_draw.h"

#include <linux/cpu.h>
#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include "probe/task_cgroup.h"
#include "profile/draw.h"

/* More than a CPU allocates in years. */
#define NEVER (S64_MAX / 2)

/* This CPU records a sample of some domain, so allocations are the profiler's own. */
static DEFINE_PER_CPU(bool, at_work);

static void draw_next(const struct qr_domain *d)
{
	u32 rate = READ_ONCE(d->rate);

	this_cpu_write(*d->countdown, rate ? qr_draw_bytes(rate) : NEVER);
}

static void record(struct qr_domain *d, const struct qr_kernel_alloc *a, u32 rate)
{
	/* A sum of bytes has more bits than an object's size. */
	u32 size = min_t(size_t, a->size, U32_MAX);
	struct qr_sampled what = {
		.ptr = a->ptr,
		.node = NUMA_NO_NODE,
		.size = size,
		.asked = min_t(size_t, a->asked, size),
		.weight = qr_weight(rate, size),
		.ip = a->ip,
		.cgroup = qr_task_cgroup(),
	};
	u32 stack = qr_table_stack(&d->rows, a->ip, (unsigned long)d->function, a->gfp);
	const char *name = d->describe(a, &what, stack);

	qr_domain_alloced(d, &what, name, stack);
}

noinline void qr_domain_drawn(struct qr_domain *d, const struct qr_kernel_alloc *a, s64 left)
{
	u32 rate = READ_ONCE(d->rate);
	unsigned long flags;

	if (in_nmi()) {
		atomic64_inc(&d->dropped);
		return;
	}
	local_irq_save(flags);
	if (this_cpu_read(at_work)) {
		local_irq_restore(flags);
		return;
	}
	this_cpu_write(at_work, true);
	/*
	 * If the countdown had run out before this allocation, another one is being drawn on this
	 * CPU, or was in an NMI: this allocation gets a draw of its own.
	 */
	if (rate && !ZERO_OR_NULL_PTR(a->ptr) && a->size &&
	    (left + (s64)a->size >= 0 || qr_draw_one(rate, a->size)))
		record(d, a, rate);
	draw_next(d);
	this_cpu_write(at_work, false);
	local_irq_restore(flags);
}

static void draw_here(void *d)
{
	unsigned long flags;

	local_irq_save(flags);
	draw_next(d);
	local_irq_restore(flags);
}

/* A CPU that is not online starts with a countdown that has run out. */
void qr_domain_renew(struct qr_domain *d)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_possible_cpu(cpu)
		if (!cpu_online(cpu))
			*per_cpu_ptr(d->countdown, cpu) = -1;
	on_each_cpu(draw_here, d, true);
	cpus_read_unlock();
}
