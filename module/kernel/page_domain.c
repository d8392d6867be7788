// SPDX-License-Identifier: GPL-2.0
/*
 * The probes of the page allocator.  The tracepoint of an allocation comes after it, and that of a
 * free before it.
 *
 * A block of pages that is split, and freed page by page, counts until its first page is freed.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "kernel/page_domain.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/tracepoint.h>
#include <trace/events/kmem.h>
#include "compat.h"
#include "kernel/page_user.h"
#include "probe/tracepoints.h"

DEFINE_PER_CPU(s64, qr_page_countdown);

/*
 * A page's number, as an address.  It takes fewer instructions than the address of its memory, and
 * is also different for each page.
 */
static __always_inline const void *key_of(struct page *page)
{
	return (const void *)(page_to_pfn(page) << PAGE_SHIFT);
}

static const char *describe(const struct qr_kernel_alloc *a, struct qr_sampled *what, u32 stack)
{
	what->node = page_to_nid(pfn_to_page((unsigned long)a->ptr >> PAGE_SHIFT));
	return qr_page_user(stack);
}

const void *qr_page_key(struct page *page)
{
	return key_of(page);
}

/* A function of its own, so that the probe needs no stack. */
static noinline void page_drawn(struct qr_domain *d, struct page *page, size_t size, gfp_t gfp,
				s64 left)
{
	const struct qr_kernel_alloc a = {
		.ptr = page ? key_of(page) : NULL,
		.size = size,
		.asked = size,
		.gfp = gfp,
	};

	qr_domain_drawn(d, &a, left);
}

static notrace void page_alloc_probe(void *data, struct page *page, unsigned int order, gfp_t gfp,
				     int migratetype)
{
	s64 left = qr_count_down(qr_page_countdown, PAGE_SIZE << order);

	if (unlikely(left < 0))
		page_drawn(data, page, PAGE_SIZE << order, gfp, left);
}

static notrace void page_free_probe(void *data, struct page *page, unsigned int order)
{
	qr_domain_free(data, key_of(page));
}

/* Compares the types of the probes with those of this kernel's tracepoints. */
static inline void check_types(void)
{
	check_trace_callback_type_mm_page_alloc(page_alloc_probe);
	check_trace_callback_type_mm_page_free(page_free_probe);
}

/* Frees are seen before the first allocation is. */
static struct qr_probe probes[] = {
	{ .name = "mm_page_free", .probe = page_free_probe },
	{ .name = "mm_page_alloc", .probe = page_alloc_probe },
};

static void page_stop(struct qr_domain *d)
{
	qr_page_bulk_stop();
	qr_probes_off(probes, ARRAY_SIZE(probes), d);
	tracepoint_synchronize_unregister();
}

static int page_start(struct qr_domain *d)
{
	int err = qr_probes_on(probes, ARRAY_SIZE(probes), d);

	check_types();
	if (err)
		return err;
	err = qr_page_bulk_start(d);
	if (err) {
		qr_probes_off(probes, ARRAY_SIZE(probes), d);
		tracepoint_synchronize_unregister();
	}
	return err;
}

struct qr_domain qr_page_domain = {
	.name = "pages",
	.label = "for",
	.start = page_start,
	.stop = page_stop,
	.function = QR_COMPAT_ALLOC_PAGES,
	.describe = describe,
	.missed_calls = qr_page_bulk_missed,
	.countdown = &qr_page_countdown,
	.lock = __MUTEX_INITIALIZER(qr_page_domain.lock),
	.rate = QUARRY_RATE_DEFAULT,
};
