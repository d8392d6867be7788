// SPDX-License-Identifier: GPL-2.0
/*
 * Large objects.  They share the page heap, the descriptors and the way from
 * an address to its owner with slabs, and need nothing else.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "large.h"

#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include <trace/events/quarry.h>
#include "draw.h"

atomic64_t qr_large_allocs, qr_large_frees, qr_large_failed, qr_large_pages;

u32 qr_large_rate;

/* Is this one to be sampled?  If so, its weight. */
static u64 is_drawn(const struct qr_slab *slab)
{
	u32 rate = READ_ONCE(qr_large_rate);
	unsigned long flags;
	bool drawn;

	if (!rate)
		return 0;
	local_irq_save(flags);
	drawn = qr_draw_one(rate, qr_slab_bytes(slab));
	local_irq_restore(flags);
	return drawn ? qr_weight(rate, qr_slab_bytes(slab)) : 0;
}

static noinline void sample(struct qr_slab *slab, u64 weight, size_t asked, gfp_t gfp,
			    unsigned long ip)
{
	const struct qr_sampled what = {
		.ptr = slab->base,
		.name = "large",
		.node = page_to_nid(virt_to_page(slab->base)),
		.size = qr_slab_bytes(slab),
		.asked = asked,
		.weight = weight,
		.ip = ip,
	};

	if (qr_samples_init(&slab->samples, 1, gfp))
		qr_profile_alloced(&slab->samples.at[0], &what, gfp);
	else
		qr_profile_dropped(weight, what.size);
}

void *qr_large_alloc(size_t size, gfp_t gfp, int node, unsigned long ip)
{
	struct qr_slab *slab = NULL;
	u64 weight;

	if (size <= QUARRY_MAX_LARGE && !in_nmi()) {
		if (node == NUMA_NO_NODE)
			node = raw_cpu_read(qr_home_node);
		slab = qr_slab_create_large(DIV_ROUND_UP(size, PAGE_SIZE), node, gfp);
	}
	if (!slab) {
		atomic64_inc(&qr_large_failed);
		if (!(gfp & __GFP_NOWARN))
			pr_warn_ratelimited("no %zu bytes in a row, gfp %pGg%s\n", size, &gfp,
					    size > QUARRY_MAX_LARGE ? ": more than 2 MiB" : "");
		return NULL;
	}
	trace_slab_get("large", slab->base, slab->run.nr, slab->run.chunk->node);
	weight = is_drawn(slab);
	if (unlikely(weight))
		sample(slab, weight, size, gfp, ip);
	if (qr_want_zero(gfp) && !slab->run.zeroed)
		memset(slab->base, 0, qr_slab_bytes(slab));
	atomic64_inc(&qr_large_allocs);
	atomic64_add(slab->run.nr, &qr_large_pages);
	WRITE_ONCE(slab->bin, QR_LARGE_LIVE);
	return slab->base;
}

enum qr_misuse qr_large_claim(struct qr_slab *slab, const void *p)
{
	if (p != slab->base)
		return QR_MISUSE_INTERIOR;
	if (cmpxchg(&slab->bin, QR_LARGE_LIVE, 0) != QR_LARGE_LIVE)
		return QR_MISUSE_DOUBLE_FREE;
	return QR_MISUSE_NONE;
}

void qr_large_release(struct qr_slab *slab)
{
	if (slab->samples.at) {
		unsigned long flags;

		local_irq_save(flags);
		qr_profile_freed(&slab->samples, 0, slab->base, qr_slab_bytes(slab));
		local_irq_restore(flags);
	}
	if (qr_want_wipe())
		memset(slab->base, 0, qr_slab_bytes(slab));
	atomic64_inc(&qr_large_frees);
	atomic64_sub(slab->run.nr, &qr_large_pages);
	qr_slab_destroy(slab);
}

void qr_large_exit(void)
{
	unsigned long i, lost = 0;
	unsigned int page;

	for (i = 0; i < qr_nr_chunks; i++) {
		for (page = 0; page < QR_CHUNK_PAGES; page++) {
			/* The last run of a mixed chunk takes the chunk along. */
			struct qr_chunk *chunk = qr_chunks[i];

			if (!chunk)
				break;
			if (!chunk->slab[page])
				continue;
			atomic64_inc(&qr_large_frees);
			atomic64_sub(chunk->slab[page]->run.nr, &qr_large_pages);
			qr_slab_destroy(chunk->slab[page]);
			lost++;
		}
	}
	if (lost)
		pr_warn("%lu objects over 32 KiB were never freed\n", lost);
}
