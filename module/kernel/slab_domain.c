// SPDX-License-Identifier: GPL-2.0
/*
 * The probes of the kernel's slab allocator.  The tracepoint of an allocation comes after it, and
 * that of a free before it.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "kernel/slab_domain.h"

#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/tracepoint.h>
#include <trace/events/kmem.h>
#include "compat.h"
#include "probe/large_lesson.h"
#include "probe/slab_layout.h"
#include "probe/tracepoints.h"

DEFINE_PER_CPU(s64, qr_slab_countdown);

static const char *describe(const struct qr_kernel_alloc *a, struct qr_sampled *what, u32 stack)
{
	const struct kmem_cache *s = a->s ?: qr_kernel_cache_of(a->ptr);

	what->node = page_to_nid(virt_to_page(a->ptr));
	return s ? qr_kernel_cache_name(s) : "kmalloc-large";
}

/* --- Probes --- */

/*
 * What is drawn has a function of its own, so that a probe needs no stack.  Probes are not traced,
 * which saves an instruction, and the tracer a call for each allocation.
 */
static noinline void kmalloc_drawn(struct qr_domain *d, unsigned long call_site, const void *ptr,
				   size_t asked, size_t size, gfp_t gfp, s64 left)
{
	const struct qr_kernel_alloc a = {
		.ptr = ptr,
		.size = size,
		.asked = asked,
		.ip = call_site,
		.gfp = gfp,
	};

	qr_domain_drawn(d, &a, left);
}

static __always_inline void kmalloc_count(void *data, unsigned long call_site, const void *ptr,
					  size_t asked, size_t size, gfp_t gfp)
{
	s64 left = qr_count_down(qr_slab_countdown, size);

	if (unlikely(left < 0))
		kmalloc_drawn(data, call_site, ptr, asked, size, gfp, left);
}

static noinline void large_alloc(void *data, unsigned long call_site, const void *ptr, size_t asked,
				 size_t size, gfp_t gfp)
{
	if (!qr_large_is_repeated(call_site))
		kmalloc_count(data, call_site, ptr, asked, size, gfp);
}

static notrace void kmalloc_probe(void *data, unsigned long call_site, const void *ptr,
				  size_t asked, size_t size, gfp_t gfp, int node)
{
	if (unlikely(size > KMALLOC_MAX_CACHE_SIZE))
		large_alloc(data, call_site, ptr, asked, size, gfp);
	else
		kmalloc_count(data, call_site, ptr, asked, size, gfp);
}

static noinline void cache_drawn(struct qr_domain *d, unsigned long call_site, const void *ptr,
				 struct kmem_cache *s, gfp_t gfp, s64 left)
{
	const struct qr_kernel_alloc a = {
		.ptr = ptr,
		.s = s,
		.size = qr_kernel_cache_size(s),
		.asked = kmem_cache_size(s),
		.ip = call_site,
		.gfp = gfp,
	};

	qr_domain_drawn(d, &a, left);
}

static notrace void cache_alloc_probe(void *data, unsigned long call_site, const void *ptr,
				      struct kmem_cache *s, gfp_t gfp, int node)
{
	u32 size = qr_kernel_cache_size(s);
	s64 left = qr_count_down(qr_slab_countdown, size);

	if (unlikely(left < 0))
		cache_drawn(data, call_site, ptr, s, gfp, left);
}

static notrace void kfree_probe(void *data, unsigned long call_site, const void *ptr)
{
	qr_domain_free(data, ptr);
}

static notrace void cache_free_probe(void *data, unsigned long call_site, const void *ptr,
				     const struct kmem_cache *s)
{
	qr_domain_free(data, ptr);
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
	int err = qr_slab_layout_learn() ?: qr_large_learn();

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

struct qr_domain qr_slab_domain = {
	.name = "slab",
	.label = "cache",
	.start = slab_start,
	.stop = slab_stop,
	.describe = describe,
	.missed_calls = qr_slab_bulk_missed,
	.countdown = &qr_slab_countdown,
	.lock = __MUTEX_INITIALIZER(qr_slab_domain.lock),
	.rate = QUARRY_RATE_DEFAULT,
};
