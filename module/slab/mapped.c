// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped objects.  Their pages are gathered from the page heap, in runs as long as possible, and
 * then mapped.  To unmap them sleeps, so a free that may not sleep leaves it to a work item.
 */
#include "slab/mapped.h"

#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "core/metadata.h"
#include "core/work_queue.h"

static void retired_fn(struct work_struct *work);

static DEFINE_RAW_SPINLOCK(retired_lock); /* taken alone */
static LIST_HEAD(retired);		  /* slabs that retired_work destroys; retired_lock */
static DECLARE_WORK(retired_work, retired_fn);

unsigned int qr_mapped_longest = QR_CHUNK_PAGES;
EXPORT_SYMBOL_QUARRY_TEST(qr_mapped_longest);

struct qr_slab *qr_mapped_of(const void *p)
{
	struct page *page = is_vmalloc_addr(p) ? vmalloc_to_page(p) : NULL;
	struct qr_slab *slab = page ? qr_slab_of(page_address(page)) : NULL;

	/* A client may have mapped pages of another object, or of this one a second time. */
	if (!slab || !READ_ONCE(slab->pages) ||
	    (unsigned long)(p - READ_ONCE(slab->base)) >= qr_slab_bytes(slab))
		return NULL;
	return slab;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_mapped_of);

/*
 * Get up to @want pages for @slab; returns how many it got.  Start with long runs that can be had
 * without effort, and halve the length when there is none.  Only for single pages may the
 * kernel reclaim memory.  A task with a fatal signal stops.
 */
static unsigned int gather(struct qr_slab *slab, unsigned int want, int node, gfp_t gfp)
{
	gfp_t light = qr_gfp_humble(gfp & ~(__GFP_DIRECT_RECLAIM | __GFP_RETRY_MAYFAIL)) |
		      __GFP_NORETRY | __GFP_NOWARN;
	unsigned int n = min(READ_ONCE(qr_mapped_longest), QR_CHUNK_PAGES), have = 0, i;
	struct qr_run run;
	void *p;

	while (have < want && !fatal_signal_pending(current)) {
		n = min(n, want - have);
		if (!qr_heap_get(&run, slab, QR_LARGE, node, n, n, 1, n > 1 ? light : gfp)) {
			if (n == 1)
				break;
			n /= 2;
			continue;
		}
		p = qr_chunk_addr(run.chunk, run.first);
		trace_slab_get("large", p, n, run.chunk->node);
		if (qr_want_zero(gfp) && !run.zeroed)
			memset(p, 0, (size_t)n << PAGE_SHIFT);
		slab->run.access = max(slab->run.access, run.access);
		for (i = 0; i < n; i++, p += PAGE_SIZE)
			slab->pages[have++] = virt_to_page(p);
		cond_resched();
	}
	return have;
}

/*
 * Give the first @nr pages back; adjacent pages in a chunk go as one run.  If one of them is from
 * the emergency reserves, all are treated so.
 */
static void scatter(struct qr_slab *slab, unsigned int nr)
{
	struct page **page = slab->pages, **end = page + nr;
	unsigned int n;

	for (; page < end; page += n) {
		void *p = page_address(*page);
		struct qr_run run = {
			.chunk = qr_chunk_at(qr_chunk_index(p)),
			.first = qr_page_in_chunk(p),
			.access = slab->run.access,
		};

		for (n = 1; page + n < end && run.first + n < QR_CHUNK_PAGES; n++)
			if (page_address(page[n]) != p + n * PAGE_SIZE)
				break;
		run.nr = n;
		if (qr_want_wipe())
			memset(p, 0, (size_t)n << PAGE_SHIFT);
		trace_slab_put(p, n, run.chunk->node);
		qr_heap_put(&run);
		cond_resched();
	}
}

/*
 * vmap() takes no gfp flags for the page tables that it allocates.  The task's scope makes it
 * obey a missing __GFP_IO or __GFP_FS of @gfp.
 */
static void *map(struct page **pages, unsigned int nr, gfp_t gfp)
{
	unsigned int flags;
	void *p;

	if (!(gfp & __GFP_IO)) {
		flags = memalloc_noio_save();
		p = vmap(pages, nr, VM_MAP, PAGE_KERNEL);
		memalloc_noio_restore(flags);
	} else if (!(gfp & __GFP_FS)) {
		flags = memalloc_nofs_save();
		p = vmap(pages, nr, VM_MAP, PAGE_KERNEL);
		memalloc_nofs_restore(flags);
	} else {
		p = vmap(pages, nr, VM_MAP, PAGE_KERNEL);
	}
	return p;
}

/* Free the array of pages and the descriptor.  The pages themselves are gone already. */
static void forget(struct qr_slab *slab, unsigned int nr)
{
	struct page **pages = slab->pages;

	WRITE_ONCE(slab->pages, NULL);
	qr_meta_kvfree(pages, nr * sizeof(*pages));
	qr_slab_destroy_bare(slab);
}

struct qr_slab *qr_mapped_create(unsigned int nr, int node, gfp_t gfp)
{
	struct qr_slab *slab;
	unsigned int have;
	void *p, *first;

	if (nr > totalram_pages())
		return NULL;
	gfp &= ~__GFP_NOFAIL;
	slab = qr_slab_create_bare(node, gfp);
	if (!slab)
		return NULL;
	slab->pages = qr_meta_kvalloc(nr * sizeof(*slab->pages), gfp);
	if (!slab->pages) {
		qr_slab_destroy_bare(slab);
		return NULL;
	}
	have = gather(slab, nr, node, gfp);
	p = have == nr ? map(slab->pages, nr, gfp) : NULL;
	if (!p) {
		scatter(slab, have);
		forget(slab, nr);
		return NULL;
	}
	first = page_address(slab->pages[0]);
	slab->run = (struct qr_run){
		.chunk = qr_chunk_at(qr_chunk_index(first)),
		.first = qr_page_in_chunk(first),
		.nr = nr,
		.access = slab->run.access,
	};
	WRITE_ONCE(slab->base, p);
	return slab;
}

void qr_mapped_destroy(struct qr_slab *slab)
{
	unsigned int nr = slab->run.nr;

	vunmap(slab->base);
	scatter(slab, nr);
	forget(slab, nr);
}

static void retired_fn(struct work_struct *work)
{
	struct qr_slab *slab, *next;
	LIST_HEAD(list);

	raw_spin_lock_irq(&retired_lock);
	list_splice_init(&retired, &list);
	raw_spin_unlock_irq(&retired_lock);
	list_for_each_entry_safe(slab, next, &list, link)
		qr_mapped_destroy(slab);
}

void qr_mapped_retire(struct qr_slab *slab)
{
	unsigned long flags;

	if (preemptible() && !rcu_preempt_depth()) {
		qr_mapped_destroy(slab);
		return;
	}
	raw_spin_lock_irqsave(&retired_lock, flags);
	list_add(&slab->link, &retired);
	raw_spin_unlock_irqrestore(&retired_lock, flags);
	queue_work(qr_work_queue, &retired_work);
}

void qr_mapped_flush(void)
{
	flush_work(&retired_work);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_mapped_flush);
