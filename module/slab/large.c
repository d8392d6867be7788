// SPDX-License-Identifier: GPL-2.0
/*
 * Large objects.  Each has a descriptor of its own, a struct qr_slab that is not cut into
 * objects, so that an address leads to it in the same way as to a slab.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "slab/large.h"

#include <linux/instruction_pointer.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <quarry/stats.h>
#include <trace/events/quarry.h>
#include "core/caller.h"
#include "core/limit.h"
#include "core/task_count.h"
#include "pages/long_run.h"
#include "profile/draw.h"

struct qr_large_count qr_large_count, qr_mapped_count;
EXPORT_SYMBOL_QUARRY_TEST(qr_large_count);
atomic64_t qr_large_failed;
atomic64_t qr_large_remote;

u32 qr_large_rate;

/* --- Counters and samples --- */

static struct qr_large_count *count_of(const struct qr_slab *slab)
{
	return slab->pages ? &qr_mapped_count : &qr_large_count;
}

/*
 * Call these together with the change of qr_slab.bin or .run that they count, and with preemption
 * off around both: the walker stops the machine and must not find one without the other.
 */
static void count_alloc(const struct qr_slab *slab)
{
	atomic64_inc(&count_of(slab)->allocs);
	atomic64_add(slab->run.nr, &count_of(slab)->pages);
}

static void count_free(const struct qr_slab *slab)
{
	atomic64_inc(&count_of(slab)->frees);
	atomic64_sub(slab->run.nr, &count_of(slab)->pages);
}

/* Draws whether to sample the object.  Returns the weight of the sample, or 0. */
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
		.node = page_to_nid(slab->run.chunk->page + slab->run.first),
		.size = qr_slab_bytes(slab),
		.asked = asked,
		.weight = weight,
		.ip = ip,
	};

	/* An object that was resized may have the memory for its sample from before. */
	if (slab->samples.at || qr_samples_init(&slab->samples, 1, gfp))
		qr_profile_alloced(&slab->samples.at[0], &what, gfp);
	else
		qr_profile_dropped(weight, what.size);
}

/* With interrupts off. */
static void unsample(struct qr_slab *slab)
{
	if (slab->samples.at)
		qr_profile_freed(&slab->samples, 0, slab->base, qr_slab_bytes(slab));
}

static void *finish(struct qr_slab *slab, size_t size, gfp_t gfp, unsigned long ip)
{
	u64 weight = is_drawn(slab);

	if (unlikely(weight))
		sample(slab, weight, size, gfp, ip);
	preempt_disable();
	count_alloc(slab);
	WRITE_ONCE(slab->bin, QR_LARGE_LIVE);
	preempt_enable();
	qr_count_alloc();
	return slab->base;
}

/* --- Allocation --- */

/* @align: in pages. */
static struct qr_slab *get_row(size_t size, unsigned int align, gfp_t gfp, int node)
{
	struct qr_slab *slab;

	if (size > QUARRY_MAX_LARGE || in_nmi())
		return NULL;
	if (node == NUMA_NO_NODE)
		node = raw_cpu_read(qr_home_node);
	slab = qr_slab_create_large(DIV_ROUND_UP(size, PAGE_SIZE), align, node, gfp);
	if (!slab)
		return NULL;
	trace_slab_get("large", slab->base, slab->run.nr, slab->run.chunk->node);
	if (page_to_nid(virt_to_page(slab->base)) != node)
		atomic64_inc(&qr_large_remote);
	if (qr_want_zero(gfp) && !slab->run.zeroed)
		memset(slab->base, 0, qr_slab_bytes(slab));
	return slab;
}

void *qr_large_alloc(size_t size, gfp_t gfp, int node, unsigned long ip)
{
	struct qr_slab *slab = get_row(size, 1, gfp, node);

	return slab ? finish(slab, size, gfp, ip) : NULL;
}

void *qr_large_alloc_aligned(size_t align, size_t size, gfp_t gfp, unsigned long ip)
{
	struct qr_slab *slab = get_row(max(size, 1UL), max(align / PAGE_SIZE, 1UL), gfp,
				       NUMA_NO_NODE);

	return slab ? finish(slab, size, gfp, ip) : NULL;
}

void *qr_large_alloc_mapped(size_t size, gfp_t gfp, unsigned long ip)
{
	gfp_t light = qr_gfp_humble(gfp &
				    ~(__GFP_DIRECT_RECLAIM | __GFP_NOFAIL | __GFP_RETRY_MAYFAIL)) |
		      __GFP_NORETRY | __GFP_NOWARN;
	struct qr_slab *slab = NULL;

	if (!gfpflags_allow_blocking(gfp) || in_nmi())
		return qr_large_alloc(size, gfp, NUMA_NO_NODE, ip);
	if (likely(READ_ONCE(qr_mapped_longest) == QR_CHUNK_PAGES))
		slab = get_row(size, 1, light, NUMA_NO_NODE);
	if (!slab && size <= QUARRY_MAX_MAPPED)
		slab = qr_mapped_create(DIV_ROUND_UP(size, PAGE_SIZE), raw_cpu_read(qr_home_node),
					gfp);
	/* Up to 2 MiB, a run takes longer but honours __GFP_NOFAIL, as a mapped object does not. */
	if (!slab && (gfp & __GFP_NOFAIL))
		slab = get_row(size, 1, gfp, NUMA_NO_NODE);
	return slab ? finish(slab, size, gfp, ip) : NULL;
}

void *qr_large_refuse(size_t size, gfp_t gfp)
{
	atomic64_inc(&qr_large_failed);
	/* A caller with __GFP_NOFAIL does not check for NULL: so log it even with __GFP_NOWARN. */
	if ((gfp & __GFP_NOWARN) && !(gfp & __GFP_NOFAIL))
		return NULL;
	if (size > QUARRY_MAX_LARGE)
		pr_warn_ratelimited("refused %zu bytes to %s, gfp %pGg: more than %lu MiB in a row\n",
				    size, qr_caller_name(0), &gfp, QUARRY_MAX_LARGE >> 20);
	else
		qr_limit_refused("cache", "(large)", NULL, DIV_ROUND_UP(size, PAGE_SIZE), size,
				 gfp);
	return NULL;
}

/* --- Resize --- */

/* Give back the pages behind the first @keep ones. */
static void trim(const struct qr_run *run, void *base, unsigned int keep)
{
	void *tail = base + ((size_t)keep << PAGE_SHIFT);
	unsigned int nr = run->nr - keep;

	if (qr_want_wipe())
		memset(tail, 0, (size_t)nr << PAGE_SHIFT);
	trace_slab_put(tail, nr, run->chunk->node);
	qr_heap_trim(run, keep);
}

bool qr_large_resize(struct qr_slab *slab, size_t size, gfp_t gfp, unsigned long ip)
{
	size_t old = qr_slab_bytes(slab), from = size;
	const struct qr_run was = slab->run;
	struct qr_run added = {};
	unsigned long flags;
	unsigned int nr;
	u64 weight;

	if (slab->pages && (size > old || size <= old / 2))
		return false;
	if (size > max(old, QUARRY_MAX_LARGE) || in_nmi())
		return false;
	nr = slab->pages ? was.nr : DIV_ROUND_UP(size, PAGE_SIZE);
	if (nr > was.nr) {
		if (!qr_heap_extend(&was, nr - was.nr, slab, &added))
			return false;
		trace_slab_get("large", slab->base + old, added.nr, was.chunk->node);
		from = old;
	}
	if (nr != was.nr) {
		local_irq_save(flags);
		unsample(slab);
		count_free(slab);
		WRITE_ONCE(slab->run.nr, nr);
		count_alloc(slab);
		local_irq_restore(flags);
		if (nr < was.nr)
			trim(&was, slab->base, nr);
		weight = is_drawn(slab);
		if (unlikely(weight))
			sample(slab, weight, size, gfp, ip);
	}
	if (qr_want_zero(gfp) && !added.zeroed)
		memset(slab->base + from, 0, qr_slab_bytes(slab) - from);
	return true;
}

/* --- Free --- */

enum qr_misuse qr_large_claim(struct qr_slab *slab, const void *p)
{
	u32 bin = READ_ONCE(slab->bin);

	/*
	 * Not a large object, or one that is still being created.  In NMI the free is refused,
	 * because it would have to wait for locks.
	 */
	if ((bin != QR_LARGE_LIVE && bin != QR_LARGE_FREED) || in_nmi())
		return QR_MISUSE_FOREIGN;
	if (p != slab->base)
		return QR_MISUSE_INTERIOR;
	if (cmpxchg(&slab->bin, QR_LARGE_LIVE, QR_LARGE_FREED) != QR_LARGE_LIVE)
		return QR_MISUSE_DOUBLE_FREE;
	count_free(slab);
	return QR_MISUSE_NONE;
}

void qr_large_release(struct qr_slab *slab)
{
	unsigned long flags;

	if (slab->samples.at) {
		local_irq_save(flags);
		unsample(slab);
		local_irq_restore(flags);
	}
	if (slab->pages) {
		qr_mapped_retire(slab);
		return;
	}
	if (qr_want_wipe())
		memset(slab->base, 0, qr_slab_bytes(slab));
	qr_slab_destroy(slab);
}

/* --- Walker and exit --- */

/* Check that the object owns its pages from @from to @to, and that a mapped one maps them so. */
static void validate_pages(const struct qr_slab *slab, unsigned int from, unsigned int to,
			   struct quarry_validation *v)
{
	unsigned int i;

	for (i = from; i < to; i++) {
		void *p = slab->base + ((size_t)i << PAGE_SHIFT);

		if (slab->pages) {
			if (vmalloc_to_page(p) != slab->pages[i])
				qr_invalid(v, "large object %p: page %u is mapped elsewhere",
					   slab->base, i);
			p = page_address(slab->pages[i]);
		}
		if (qr_slab_of(p) != slab)
			qr_invalid(v, "large object %p does not own page %u", slab->base, i);
	}
}

void qr_large_validate_cleaned(const struct qr_slab *slab, struct quarry_validation *v)
{
	if (slab->nr_cleaned != (slab->cleanups && slab->cleanups[0]))
		qr_invalid(v, "large object %p counts %u with cleanups", slab->base,
			   slab->nr_cleaned);
}

void qr_large_add(struct qr_large_sum *sum, const struct qr_slab *slab)
{
	sum->objects[!!slab->pages]++;
	sum->pages[!!slab->pages] += slab->run.nr;
}

void qr_large_validate_sum(const struct qr_large_sum *sum, struct quarry_validation *v)
{
	const struct qr_large_count *count;
	unsigned int k;

	for (k = 0; k < 2; k++) {
		count = k ? &qr_mapped_count : &qr_large_count;
		if (sum->objects[k] !=
			    atomic64_read(&count->allocs) - atomic64_read(&count->frees) ||
		    sum->pages[k] != atomic64_read(&count->pages))
			qr_invalid(v, "%s objects: %llu of %llu pages, %lld of %lld counted",
				   k ? "mapped" : "large", sum->objects[k], sum->pages[k],
				   atomic64_read(&count->allocs) - atomic64_read(&count->frees),
				   atomic64_read(&count->pages));
	}
}

void qr_large_validate(struct quarry_validation *v)
{
	struct qr_large_sum sum = {};
	const struct qr_slab *slab;
	struct qr_chunk *chunk;
	unsigned int page;
	unsigned long i;

	qr_for_each_chunk(i, chunk) {
		for (page = 0; page < QR_CHUNK_PAGES; page++) {
			slab = chunk->slab[page];
			if (!slab || !qr_is_large(slab) || slab->run.chunk != chunk ||
			    slab->run.first != page)
				continue;
			qr_large_add(&sum, slab);
			qr_large_validate_cleaned(slab, v);
			validate_pages(slab, 0, slab->run.nr, v);
		}
	}
	qr_large_validate_sum(&sum, v);
}

/* Pages of an object that are looked at with the lock: a mapping takes longer to look up. */
#define LOOK_PAGES  512U
#define LOOK_MAPPED 64U

bool qr_large_look(const struct qr_slab *slab, unsigned int *from, struct quarry_validation *v)
{
	unsigned int nr = READ_ONCE(slab->run.nr), to;
	u64 before = v->errors;

	to = min(nr, *from + (slab->pages ? LOOK_MAPPED : LOOK_PAGES));
	validate_pages(slab, *from, to, v);
	/* While it is freed it is unmapped, but its pages stay until the lock is dropped. */
	if (!qr_is_large(slab))
		v->errors = before;
	*from = to;
	return to < nr;
}

u64 qr_large_moves(void)
{
	return atomic64_read(&qr_large_count.allocs) + atomic64_read(&qr_large_count.frees) +
	       atomic64_read(&qr_mapped_count.allocs) + atomic64_read(&qr_mapped_count.frees);
}

void qr_large_exit(void)
{
	unsigned long i, lost = 0;
	struct qr_chunk *chunk;
	struct qr_slab *slab;
	unsigned int page;

	qr_mapped_flush();
	qr_for_each_chunk(i, chunk) {
		for (page = 0; page < QR_CHUNK_PAGES; page++) {
			/* A mixed chunk goes with its last run, so read the entry again. */
			chunk = qr_chunk_at(i);
			if (!chunk)
				break;
			slab = chunk->slab[page];
			if (!slab)
				continue;
			count_free(slab);
			if (slab->pages)
				qr_mapped_destroy(slab);
			else
				qr_slab_destroy(slab);
			lost++;
		}
	}
	if (lost)
		pr_warn("%lu objects over 32 KiB were never freed\n", lost);
}
