// SPDX-License-Identifier: GPL-2.0
/*
 * Pages, areas of vmalloc() and per-CPU memory of the kernel's, held from one command to another:
 * "pages" allocates, and "unpages" frees all of a way.  Each way has a function of its own, which
 * is on its call stack.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "client.h"

#define BATCH	    32
#define PERCPU_SIZE 264

enum way { SINGLE, BULK, LIST, SLABS, AREA, OWN, PERCPU, WAYS };
static const char *const ways[] = { "single", "bulk",	"list",	  "slabs",
				    "area",   "quarry", "percpu", NULL };

/* What a way holds: pages, per-CPU memory, or areas. */
static struct {
	void **at;
	unsigned int nr;
	unsigned int order;
} held[WAYS];

/* --- Allocations.  A barrier keeps a call from becoming a tail call, which would hide it. --- */

static noinline int pages_single(void **at, unsigned int n, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		at[i] = (void *)__get_free_pages(GFP_KERNEL, order);
		barrier();
		if (!at[i])
			break;
	}
	return i;
}

/* Newer kernels have one function for arrays, and none for lists. */
#ifdef alloc_pages_bulk
#define alloc_pages_bulk_array(gfp, n, pages) alloc_pages_bulk(gfp, n, pages)

static __always_inline unsigned int alloc_pages_bulk_list(gfp_t gfp, unsigned int n,
							  struct list_head *list)
{
	struct page *pages[BATCH] = {};
	unsigned int got = alloc_pages_bulk(gfp, n, pages), i;

	for (i = 0; i < got; i++)
		list_add(&pages[i]->lru, list);
	return got;
}
#endif

/* The first page of each batch is there already. */
static noinline int pages_bulk(void **at, unsigned int n, unsigned int order)
{
	struct page *pages[BATCH];
	unsigned int done, i;

	for (done = 0; done + BATCH - 1 <= n; done += BATCH - 1) {
		memset(pages, 0, sizeof(pages));
		pages[0] = ZERO_PAGE(0);
		if (alloc_pages_bulk_array(GFP_KERNEL, BATCH, pages) != BATCH)
			client_say("incomplete 1\n");
		for (i = 1; i < BATCH; i++)
			at[done + i - 1] = pages[i] ? page_address(pages[i]) : NULL;
	}
	return done;
}

static noinline int pages_list(void **at, unsigned int n, unsigned int order)
{
	struct page *page, *next;
	LIST_HEAD(list);
	unsigned int done = 0;

	while (done < n) {
		unsigned int want = min_t(unsigned int, n - done, BATCH);
		unsigned int got = alloc_pages_bulk_list(GFP_KERNEL, want, &list);

		barrier();
		if (!got)
			break;
		list_for_each_entry_safe(page, next, &list, lru) {
			list_del(&page->lru);
			at[done++] = page_address(page);
		}
	}
	return done;
}

static noinline int pages_slabs(void **at, unsigned int n, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		at[i] = kmalloc(PAGE_SIZE, GFP_KERNEL);
		barrier();
		if (!at[i])
			break;
	}
	return i;
}

static noinline int pages_area(void **at, unsigned int n, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		at[i] = vmalloc(PAGE_SIZE << order);
		barrier();
		if (!at[i])
			break;
	}
	return i;
}

static noinline int pages_quarry(void **at, unsigned int n, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		at[i] = quarry_malloc(PAGE_SIZE << order, GFP_KERNEL);
		barrier();
		if (!at[i])
			break;
	}
	return i;
}

static noinline int pages_percpu(void **at, unsigned int n, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		at[i] = (__force void *)__alloc_percpu(PERCPU_SIZE, 8);
		barrier();
		if (!at[i])
			break;
	}
	return i;
}

static int (*const allocate[WAYS])(void **at, unsigned int n, unsigned int order) = {
	[SINGLE] = pages_single, [BULK] = pages_bulk, [LIST] = pages_list,
	[SLABS] = pages_slabs,	 [AREA] = pages_area, [OWN] = pages_quarry,
	[PERCPU] = pages_percpu,
};

static int pages_run(const u64 *v)
{
	enum way way = v[0];

	if (held[way].at)
		return -EBUSY;
	held[way].at = vcalloc(v[1], sizeof(void *));
	if (!held[way].at)
		return -ENOMEM;
	held[way].order = v[2];
	held[way].nr = allocate[way](held[way].at, v[1], v[2]);
	client_say("pages %u\n", held[way].nr);
	return held[way].nr ? 0 : -ENOMEM;
}

/* --- Frees --- */

static void free_one(enum way way, void *p)
{
	switch (way) {
	case SLABS:
		kfree(p);
		break;
	case AREA:
		vfree(p);
		break;
	case OWN:
		quarry_free(p);
		break;
	case PERCPU:
		free_percpu((void __percpu *)(unsigned long)p);
		break;
	default:
		if (p)
			free_pages((unsigned long)p, way == SINGLE ? held[way].order : 0);
	}
}

static void unpages(enum way way)
{
	unsigned int i;

	for (i = 0; i < held[way].nr; i++) {
		free_one(way, held[way].at[i]);
		cond_resched();
	}
	vfree(held[way].at);
	held[way].at = NULL;
	held[way].nr = 0;
}

static int unpages_run(const u64 *v)
{
	unpages(v[0]);
	return 0;
}

void client_unpages_all(void)
{
	enum way way;

	for (way = 0; way < WAYS; way++)
		unpages(way);
}

const struct client_command client_pages = {
	.name = "pages",
	.run = pages_run,
	.args = {
		{ "way", SINGLE, 0, ways },
		{ "n", 100, 100000 },
		{ "order", 0, 9 },
	},
};

const struct client_command client_unpages = {
	.name = "unpages",
	.run = unpages_run,
	.args = {
		{ "way", SINGLE, 0, ways },
	},
};
