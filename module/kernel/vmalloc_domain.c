// SPDX-License-Identifier: GPL-2.0
/*
 * The probes of vmalloc(), vmap() and ioremap(), which return areas of the kernel's address space.
 * One function of the kernel makes all areas that have a struct vm_struct, and another one removes
 * them.  Per-CPU memory and vm_map_ram() get their areas in other ways, which are not seen.
 *
 * The kernel's tracepoints for areas are not used: 6.1 has none, the one of an allocation does not
 * tell what the area is for, and when the one of a free comes, another CPU may have got the address
 * already.
 *
 * An area counts with its pages, without the guard page behind it.  Its stack begins with the
 * caller that /proc/vmallocinfo names.
 */
#include <linux/container_of.h>
#include <linux/gfp.h>
#include <linux/kasan.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/vmalloc.h>
#include "kernel/domain_draw.h"
#include "probe/function_probe.h"
#include "probe/stack_user.h"

static DEFINE_PER_CPU(s64, countdown);

/* An area that was drawn. */
struct area_alloc {
	struct qr_kernel_alloc alloc;
	const struct vm_struct *area;
};

/* One of these is the caller, or the caller's caller, where the compiler has inlined the caller. */
static const struct qr_user_function functions[] = {
	{ "alloc_thread_stack", "stack" }, { "dup_task_struct", "stack" },
	{ "copy_process", "stack" },	   { "kernel_clone", "stack" },
	{ "create_io_thread", "stack" },   { "vhost_task_create", "stack" },
};

static struct qr_stack_users users = {
	.function = functions,
	.nr = ARRAY_SIZE(functions),
	.callers = 1,
	.other = "vmalloc",
};

static const char *describe(const struct qr_kernel_alloc *a, struct qr_sampled *what, u32 stack)
{
	const struct vm_struct *area = container_of(a, struct area_alloc, alloc)->area;

	if (area->flags & VM_IOREMAP)
		return "ioremap";
	if (area->flags & (VM_MAP | VM_DMA_COHERENT))
		return "vmap";
	if (!(area->flags & VM_ALLOC))
		return "other";
	/* Modules have a range of addresses of their own. */
	if (!is_vmalloc_addr(area->addr))
		return "module";
	return qr_stack_user(&users, stack);
}

static void area_made(void *domain, unsigned long value, unsigned long ip, void *call)
{
	const struct vm_struct *area = (const struct vm_struct *)value;
	size_t size;
	s64 left;

	if (!area)
		return;
	size = get_vm_area_size(area);
	left = qr_count_down(countdown, size);
	if (unlikely(left < 0)) {
		const struct area_alloc made = {
			.alloc = {
				.ptr = kasan_reset_tag(area->addr),
				.size = size,
				.asked = size,
				.ip = (unsigned long)area->caller ?: ip,
				.gfp = GFP_NOWAIT,
			},
			.area = area,
		};

		qr_domain_drawn(domain, &made.alloc, left);
	}
}

/* remove_vm_area(address) */
static void area_removed(void *domain, struct pt_regs *regs, void *call)
{
	qr_domain_free_by_call(domain, kasan_reset_tag((const void *)qr_function_arg(regs, 0)));
}

/* Frees are seen before the first allocation is. */
static struct qr_function_probe probes[] = {
	{ .name = "remove_vm_area", .entry = area_removed },
	{ .name = "__get_vm_area_node", .leave = area_made },
};

static int vmalloc_start(struct qr_domain *d)
{
	return qr_function_probes_on(probes, ARRAY_SIZE(probes), d);
}

static void vmalloc_stop(struct qr_domain *d)
{
	qr_function_probes_off(probes, ARRAY_SIZE(probes));
}

static u64 vmalloc_missed(void)
{
	return qr_function_probes_missed(probes, ARRAY_SIZE(probes));
}

struct qr_domain qr_vmalloc_domain = {
	.name = "vmalloc",
	.label = "for",
	.start = vmalloc_start,
	.stop = vmalloc_stop,
	.describe = describe,
	.missed_calls = vmalloc_missed,
	.countdown = &countdown,
	.lock = __MUTEX_INITIALIZER(qr_vmalloc_domain.lock),
	.rate = QUARRY_RATE_DEFAULT,
};
