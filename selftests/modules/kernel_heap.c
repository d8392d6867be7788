// SPDX-License-Identifier: GPL-2.0
/*
 * Objects of the kernel's own slab allocator, held from one command to another: "kernel" allocates
 * them, in one of many ways, and "unkernel" frees some.  Each way has a function of its own, which
 * is the leaf of its call stack.
 */
#include <linux/errno.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include "client.h"

#define CACHE_SIZE 200
#define BATCH	   16

/* The start of a held object. */
struct held {
	struct list_head link;
	struct rcu_head rcu;
};

enum way { SINGLE, BULK, SMALL, VARIABLE, LARGE, ZEROED, HARDIRQ, OTHER_CPU, WAYS };
static const char *const ways[] = { "single", "bulk",	 "small",    "variable", "large",
				    "zeroed", "hardirq", "othercpu", NULL };

enum { FREE, FREE_BULK, FREE_RCU, FREE_HARDIRQ };
static const char *const free_ways[] = { "free", "bulk", "rcu", "hardirq", NULL };

static struct kmem_cache *cache;
static struct list_head held[WAYS] = {
	LIST_HEAD_INIT(held[0]), LIST_HEAD_INIT(held[1]), LIST_HEAD_INIT(held[2]),
	LIST_HEAD_INIT(held[3]), LIST_HEAD_INIT(held[4]), LIST_HEAD_INIT(held[5]),
	LIST_HEAD_INIT(held[6]), LIST_HEAD_INIT(held[7]),
};

static u64 nr_held[WAYS];

static bool in_cache(enum way way)
{
	return way == SINGLE || way == BULK || way == HARDIRQ;
}

static void hold(enum way way, void *p)
{
	struct held *h = p;

	list_add(&h->link, &held[way]);
	nr_held[way]++;
}

/* --- Allocations --- */

/* The barrier keeps the call from becoming a tail call, which would hide the function. */
static noinline void *kernel_single(void)
{
	void *p = kmem_cache_alloc(cache, GFP_KERNEL);

	barrier();
	return p;
}

static noinline int kernel_bulk(void **objects, size_t n)
{
	int got = kmem_cache_alloc_bulk(cache, GFP_KERNEL, n, objects);

	barrier();
	return got;
}

static noinline void *kernel_small(void)
{
	void *p = kmalloc(100, GFP_KERNEL);

	barrier();
	return p;
}

static noinline void *kernel_variable(size_t size)
{
	void *p = kmalloc(size, GFP_KERNEL);

	barrier();
	return p;
}

/* With a flag of its own: the compiler merges equal functions. */
static noinline void *kernel_large(size_t size)
{
	void *p = kmalloc(size, GFP_KERNEL | __GFP_NORETRY);

	barrier();
	return p;
}

static noinline void *kernel_zeroed(size_t size)
{
	void *p = kcalloc_node(3, size, GFP_KERNEL, numa_mem_id());

	barrier();
	return p;
}

static noinline void *kernel_hardirq(void)
{
	void *p = kmem_cache_alloc(cache, GFP_ATOMIC);

	barrier();
	return p;
}

static noinline void *kernel_othercpu(void)
{
	void *p = kmalloc(300, GFP_KERNEL);

	barrier();
	return p;
}

static void *irq_object;

static void irq_alloc_fn(struct irq_work *work)
{
	WRITE_ONCE(irq_object, kernel_hardirq());
}

static long other_cpu_fn(void *unused)
{
	irq_object = kernel_othercpu();
	return 0;
}

static void *alloc_one(enum way way, u64 i)
{
	struct irq_work work = IRQ_WORK_INIT(irq_alloc_fn);
	size_t size = 500 + i % 5 * 300;

	OPTIMIZER_HIDE_VAR(size);
	switch (way) {
	case SINGLE:
		return kernel_single();
	case SMALL:
		return kernel_small();
	case VARIABLE:
		return kernel_variable(size);
	case LARGE:
		return kernel_large(size * 20);
	case ZEROED:
		return kernel_zeroed(size);
	case HARDIRQ:
		irq_work_queue(&work);
		irq_work_sync(&work);
		return irq_object;
	default:
		work_on_cpu(cpumask_last(cpu_online_mask), other_cpu_fn, NULL);
		return irq_object;
	}
}

static int alloc_bulk(u64 n)
{
	void *objects[BATCH];
	unsigned int i, want;

	for (; n; n -= want) {
		want = min_t(u64, n, BATCH);
		if (kernel_bulk(objects, want) != want)
			return -ENOMEM;
		for (i = 0; i < want; i++)
			hold(BULK, objects[i]);
	}
	return 0;
}

static int kernel_run(const u64 *v)
{
	enum way way = v[0];
	u64 i;

	if (!cache)
		cache = kmem_cache_create("quarry_kernel_test", CACHE_SIZE, 0, SLAB_TYPESAFE_BY_RCU,
					  NULL);
	if (!cache)
		return -ENOMEM;
	if (way == BULK)
		return alloc_bulk(v[1]);
	for (i = 0; i < v[1]; i++) {
		void *p = alloc_one(way, i);

		if (!p)
			return -ENOMEM;
		hold(way, p);
		cond_resched();
	}
	return 0;
}

/* --- Frees --- */

static void free_object(enum way way, void *p)
{
	if (in_cache(way))
		kmem_cache_free(cache, p);
	else
		kfree(p);
}

static enum way irq_way;

static void irq_free_fn(struct irq_work *work)
{
	free_object(irq_way, irq_object);
}

static struct held *unhold(enum way way)
{
	struct held *h = list_first_entry(&held[way], struct held, link);

	list_del(&h->link);
	nr_held[way]--;
	return h;
}

static void free_bulk(enum way way, u64 n)
{
	void *objects[BATCH];
	unsigned int i, nr;

	for (; n; n -= nr) {
		nr = min_t(u64, n, BATCH);
		for (i = 0; i < nr; i++)
			objects[i] = unhold(way);
		if (in_cache(way))
			kmem_cache_free_bulk(cache, nr, objects);
		else
			kfree_bulk(nr, objects);
	}
}

static void free_one(enum way way, unsigned int how, struct held *h)
{
	struct irq_work work = IRQ_WORK_INIT(irq_free_fn);

	switch (how) {
	case FREE:
		free_object(way, h);
		break;
	case FREE_RCU:
		kfree_rcu(h, rcu);
		break;
	case FREE_HARDIRQ:
		irq_way = way;
		irq_object = h;
		irq_work_queue(&work);
		irq_work_sync(&work);
		break;
	}
}

static int unkernel_run(const u64 *v)
{
	enum way way = v[0];
	u64 n = min(v[2], nr_held[way]);

	client_say("freed %llu\nheld %llu\n", n, nr_held[way] - n);
	if (v[1] == FREE_BULK) {
		free_bulk(way, n);
		n = 0;
	}
	for (; n; n--) {
		free_one(way, v[1], unhold(way));
		cond_resched();
	}
	if (v[3] && cache && !nr_held[SINGLE] && !nr_held[BULK] && !nr_held[HARDIRQ]) {
		rcu_barrier();
		kmem_cache_destroy(cache);
		cache = NULL;
	}
	return 0;
}

const struct client_command client_kernel = {
	.name = "kernel",
	.run = kernel_run,
	.args = {
		{ "way", SINGLE, 0, ways },
		{ "n", 100, 1000000 },
	},
};

const struct client_command client_unkernel = {
	.name = "unkernel",
	.run = unkernel_run,
	.args = {
		{ "way", SINGLE, 0, ways },
		{ "how", FREE, 0, free_ways },
		{ "n", 1000000, 1000000 },
		{ "destroy", 0, 1 },
	},
};
