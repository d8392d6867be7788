// SPDX-License-Identifier: GPL-2.0
/*
 * Areas of the kernel's address space, held from one command to another: "areas" makes them, and
 * "unareas" removes all of a way.  Each way has a function of its own, which is the leaf of its
 * call stack.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "client.h"

/* Of a PC's HPET, which is memory of no driver's own. */
#define DEVICE_REGISTERS 0xfed00000

enum way { VMALLOC, HUGE, MAPPED, DEVICE, WAYS };
static const char *const ways[] = { "vmalloc", "huge", "vmap", "ioremap", NULL };

enum { FREE, FREE_HARDIRQ };
static const char *const free_ways[] = { "free", "hardirq", NULL };

static struct {
	void **at;
	unsigned int nr;
} held[WAYS];

/* What all areas of "vmap" show. */
static struct page *mapped;
static unsigned int mapped_order;

/* --- Allocations.  A barrier keeps a call from becoming a tail call, which would hide it. --- */

/* Less than whole pages. */
static noinline void *areas_vmalloc(unsigned int order)
{
	void *p = vmalloc((PAGE_SIZE << order) - 100);

	barrier();
	return p;
}

/* More than one huge page; where the kernel maps huge pages, that is two. */
static noinline void *areas_huge(unsigned int order)
{
	void *p = vmalloc_huge(SZ_2M + (PAGE_SIZE << order), GFP_KERNEL);

	barrier();
	return p;
}

static noinline void *areas_vmap(unsigned int order)
{
	unsigned int n = 1U << order, i;
	struct page **pages = kcalloc(n, sizeof(*pages), GFP_KERNEL);
	void *p = NULL;

	for (i = 0; pages && i < n; i++)
		pages[i] = mapped + i;
	if (pages)
		p = vmap(pages, n, VM_MAP, PAGE_KERNEL);
	kfree(pages);
	return p;
}

static noinline void *areas_ioremap(unsigned int order)
{
	void __iomem *p = ioremap(DEVICE_REGISTERS, PAGE_SIZE << order);

	barrier();
	return (__force void *)p;
}

static void *(*const make[WAYS])(unsigned int order) = {
	[VMALLOC] = areas_vmalloc,
	[HUGE] = areas_huge,
	[MAPPED] = areas_vmap,
	[DEVICE] = areas_ioremap,
};

static int areas_run(const u64 *v)
{
	enum way way = v[0];
	unsigned int n = v[1], order = v[2], i;

	if (held[way].at)
		return -EBUSY;
	if (way == MAPPED) {
		mapped = alloc_pages(GFP_KERNEL, order);
		mapped_order = order;
		if (!mapped)
			return -ENOMEM;
	}
	held[way].at = vcalloc(n, sizeof(void *));
	for (i = 0; held[way].at && i < n; i++) {
		held[way].at[i] = make[way](order);
		if (!held[way].at[i])
			break;
	}
	held[way].nr = i;
	client_say("areas %u\n", i);
	return i == n ? 0 : -ENOMEM;
}

/* --- Frees --- */

static void *irq_area;

static void irq_free_fn(struct irq_work *work)
{
	vfree(irq_area);
}

static void free_in_hardirq(void *p)
{
	struct irq_work work = IRQ_WORK_INIT_HARD(irq_free_fn);

	irq_area = p;
	irq_work_queue(&work);
	irq_work_sync(&work);
}

static void free_one(enum way way, void *p, unsigned int how)
{
	if (way == MAPPED)
		vunmap(p);
	else if (way == DEVICE)
		iounmap((void __iomem __force *)p);
	else if (how == FREE_HARDIRQ)
		free_in_hardirq(p);
	else
		vfree(p);
}

static void unareas(enum way way, unsigned int how)
{
	unsigned int i;

	for (i = 0; i < held[way].nr; i++) {
		free_one(way, held[way].at[i], how);
		cond_resched();
	}
	vfree(held[way].at);
	held[way].at = NULL;
	held[way].nr = 0;
	if (way == MAPPED && mapped) {
		__free_pages(mapped, mapped_order);
		mapped = NULL;
	}
}

static int unareas_run(const u64 *v)
{
	unareas(v[0], v[1]);
	return 0;
}

void client_unareas_all(void)
{
	enum way way;

	for (way = 0; way < WAYS; way++)
		unareas(way, FREE);
}

const struct client_command client_areas = {
	.name = "areas",
	.run = areas_run,
	.args = {
		{ "way", VMALLOC, 0, ways },
		{ "n", 100, 10000 },
		{ "order", 0, 5 },
	},
};

const struct client_command client_unareas = {
	.name = "unareas",
	.run = unareas_run,
	.args = {
		{ "way", VMALLOC, 0, ways },
		{ "how", FREE, 0, free_ways },
	},
};
