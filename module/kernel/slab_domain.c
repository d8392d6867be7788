// SPDX-License-Identifier: GPL-2.0
/*
 * The probes of the kernel's slab allocator.  The tracepoint of an allocation comes after it, and
 * that of a free before it.
 *
 * A draw costs nothing where nothing is drawn: the CPU's countdown of bytes is an exponential
 * number, and the object during which it runs out is the sample.  Such a number has no memory, so
 * it can be drawn anew at any time, for instance when an interrupt has drawn while a task did.
 *
 * A draw and all of its work is done with interrupts off, so only an NMI can come in between: on a
 * CPU that is at work it records nothing.  There is no other recursion, since nothing that a probe
 * calls allocates from slabs.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "kernel/slab_domain.h"

#include <linux/cpu.h>
#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/tracepoint.h>
#include <trace/events/kmem.h>
#include "compat.h"
#include "kernel/slab_layout.h"
#include "kernel/tracepoints.h"
#include "profile/draw.h"

/* More than a CPU allocates in years. */
#define NEVER (S64_MAX / 2)

DEFINE_PER_CPU(s64, qr_slab_left);
static DEFINE_PER_CPU(bool, at_work);

/* --- Draws --- */

static void draw_next(const struct qr_domain *d)
{
	u32 rate = READ_ONCE(d->rate);

	this_cpu_write(qr_slab_left, rate ? qr_draw_bytes(rate) : NEVER);
}

static void record(struct qr_domain *d, const struct qr_slab_alloc *a, u32 rate)
{
	const struct kmem_cache *s = a->s ?: qr_kernel_cache_of(a->ptr);
	struct qr_sampled what = {
		.ptr = a->ptr,
		.node = page_to_nid(virt_to_page(a->ptr)),
		.size = a->size,
		.asked = a->asked,
		.weight = qr_weight(rate, a->size),
		.ip = a->ip,
	};

	qr_domain_alloced(d, &what, s ? qr_kernel_cache_name(s) : "kmalloc-large", a->gfp);
}

noinline void qr_slab_drawn(struct qr_domain *d, const struct qr_slab_alloc *a, s64 left)
{
	u32 rate = READ_ONCE(d->rate);
	unsigned long flags;

	if (in_nmi()) {
		atomic64_inc(&d->dropped);
		return;
	}
	local_irq_save(flags);
	if (__this_cpu_read(at_work)) {
		atomic64_inc(&d->dropped);
		local_irq_restore(flags);
		return;
	}
	__this_cpu_write(at_work, true);
	/*
	 * If the countdown had run out before this allocation, another one is being drawn on this
	 * CPU, or was in an NMI: this allocation gets a draw of its own.
	 */
	if (rate && !ZERO_OR_NULL_PTR(a->ptr) && a->size &&
	    (left + (s64)a->size >= 0 || qr_draw_one(rate, a->size)))
		record(d, a, rate);
	draw_next(d);
	__this_cpu_write(at_work, false);
	local_irq_restore(flags);
}

/* --- Large objects that are reported twice --- */

/*
 * Some kernels report a large object of kmalloc() twice: first where its pages are allocated, with
 * a call site in the allocator, then with the caller's.  These call sites are learnt by allocating
 * one in each way; their events are ignored.
 */
#define REPEATED 4
static unsigned long repeated[REPEATED];

/**
 * struct lesson - the events of this task
 * @task: the task that learns
 * @nr: events since the last allocation
 * @ip: the first one's call site
 * @ptr: the first one's object
 * @last: the last one's object
 */
struct lesson {
	struct task_struct *task;
	unsigned int nr;
	unsigned long ip;
	const void *ptr;
	const void *last;
};

static void lesson_probe(void *data, unsigned long call_site, const void *ptr, size_t asked,
			 size_t size, gfp_t gfp, int node)
{
	struct lesson *l = data;

	if (!in_task() || current != l->task || size <= KMALLOC_MAX_CACHE_SIZE)
		return;
	if (!l->nr++) {
		l->ip = call_site;
		l->ptr = ptr;
	}
	l->last = ptr;
}

/* The sizes are variables, as otherwise the functions for constant sizes are called. */
static void *large_object(unsigned int way, size_t size)
{
	OPTIMIZER_HIDE_VAR(size);
	switch (way) {
	case 0:
		return kmalloc(size, GFP_KERNEL);
	case 1:
		return kmalloc_node(size, GFP_KERNEL, numa_mem_id());
	case 2:
		return kmalloc_track_caller(size, GFP_KERNEL);
	default:
		return kvmalloc(size, GFP_KERNEL);
	}
}

static int learn_repeated(void)
{
	struct lesson l = { .task = current };
	struct qr_probe probe = { .name = "kmalloc", .probe = lesson_probe };
	int err = qr_probes_on(&probe, 1, &l);
	unsigned int i;

	memset(repeated, 0, sizeof(repeated));
	for (i = 0; !err && i < REPEATED; i++) {
		void *p;

		l.nr = 0;
		p = large_object(i, KMALLOC_MAX_CACHE_SIZE + 1);
		if (!p)
			err = -ENOMEM;
		else if (l.nr == 2 && l.ptr == p && l.last == p)
			repeated[i] = l.ip;
		kvfree(p);
	}
	qr_probes_off(&probe, 1, &l);
	tracepoint_synchronize_unregister();
	return err;
}

static noinline bool is_repeated(unsigned long call_site)
{
	unsigned int i;

	for (i = 0; i < REPEATED; i++)
		if (repeated[i] && repeated[i] == call_site)
			return true;
	return false;
}

/* --- Probes --- */

static void kmalloc_probe(void *data, unsigned long call_site, const void *ptr, size_t asked,
			  size_t size, gfp_t gfp, int node)
{
	s64 left;

	if (unlikely(size > KMALLOC_MAX_CACHE_SIZE) && is_repeated(call_site))
		return;
	left = qr_slab_count(size);
	if (unlikely(left < 0)) {
		const struct qr_slab_alloc a = {
			.ptr = ptr,
			.size = size,
			.asked = asked,
			.ip = call_site,
			.gfp = gfp,
		};

		qr_slab_drawn(data, &a, left);
	}
}

static void cache_alloc_probe(void *data, unsigned long call_site, const void *ptr,
			      struct kmem_cache *s, gfp_t gfp, int node)
{
	u32 size = qr_kernel_cache_size(s);
	s64 left = qr_slab_count(size);

	if (unlikely(left < 0)) {
		const struct qr_slab_alloc a = {
			.ptr = ptr,
			.s = s,
			.size = size,
			.asked = kmem_cache_size(s),
			.ip = call_site,
			.gfp = gfp,
		};

		qr_slab_drawn(data, &a, left);
	}
}

static void kfree_probe(void *data, unsigned long call_site, const void *ptr)
{
	qr_slab_freed(data, ptr);
}

static void cache_free_probe(void *data, unsigned long call_site, const void *ptr,
			     const struct kmem_cache *s)
{
	qr_slab_freed(data, ptr);
}

/* Samples on a page that goes back to the page allocator were missed. */
static void page_free_probe(void *data, struct page *page, unsigned int order)
{
	struct qr_sample_table *t = &((struct qr_domain *)data)->samples;
	const void *addr = page_address(page), *end = addr + (PAGE_SIZE << order);
	unsigned long flags;

	for (; addr < end; addr += PAGE_SIZE) {
		if (likely(!qr_sample_on_page(t, addr)))
			continue;
		local_irq_save(flags);
		qr_sample_close_page(t, addr);
		local_irq_restore(flags);
	}
}

/* Compares the types of the probes with those of this kernel's tracepoints. */
static inline void check_types(void)
{
	check_trace_callback_type_kmalloc(kmalloc_probe);
	check_trace_callback_type_kmem_cache_alloc(cache_alloc_probe);
	check_trace_callback_type_kfree(kfree_probe);
	check_trace_callback_type_kmem_cache_free(cache_free_probe);
	check_trace_callback_type_mm_page_free(page_free_probe);
}

static struct qr_probe free_probes[] = {
	{ .name = "mm_page_free", .probe = page_free_probe },
	{ .name = "kfree", .probe = kfree_probe },
	{ .name = "kmem_cache_free", .probe = cache_free_probe },
};

static struct qr_probe alloc_probes[] = {
	{ .name = "kmalloc", .probe = kmalloc_probe },
	{ .name = "kmem_cache_alloc", .probe = cache_alloc_probe },
};

/* --- Life --- */

/* Frees are seen before the first allocation is, and until no allocation is any more. */
static int slab_start(struct qr_domain *d)
{
	int err = qr_slab_layout_learn() ?: learn_repeated();

	if (err)
		return err;
	check_types();
	err = qr_probes_on(free_probes, ARRAY_SIZE(free_probes), d);
	if (err)
		return err;
	err = qr_slab_bulk_start(d);
	if (err)
		goto no_bulk;
	err = qr_probes_on(alloc_probes, ARRAY_SIZE(alloc_probes), d);
	if (err)
		goto no_allocs;
	return 0;

no_allocs:
	qr_slab_bulk_stop();
no_bulk:
	qr_probes_off(free_probes, ARRAY_SIZE(free_probes), d);
	tracepoint_synchronize_unregister();
	return err;
}

static void slab_stop(struct qr_domain *d)
{
	qr_probes_off(alloc_probes, ARRAY_SIZE(alloc_probes), d);
	qr_slab_bulk_stop();
	qr_probes_off(free_probes, ARRAY_SIZE(free_probes), d);
	tracepoint_synchronize_unregister();
}

static void draw_here(void *d)
{
	unsigned long flags;

	local_irq_save(flags);
	draw_next(d);
	local_irq_restore(flags);
}

/* A CPU that is not online starts with a countdown that has run out. */
static void slab_renew(struct qr_domain *d)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_possible_cpu(cpu)
		if (!cpu_online(cpu))
			per_cpu(qr_slab_left, cpu) = -1;
	on_each_cpu(draw_here, d, true);
	cpus_read_unlock();
}

struct qr_domain qr_slab_domain = {
	.name = "slab",
	.start = slab_start,
	.stop = slab_stop,
	.renew = slab_renew,
	.missed_calls = qr_slab_bulk_missed,
	.lock = __MUTEX_INITIALIZER(qr_slab_domain.lock),
	.rate = QUARRY_RATE_DEFAULT,
};
