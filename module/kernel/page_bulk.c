// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are allocated many at a time, for vmalloc() and for network drivers, have no
 * tracepoint.  A probe of the function sees the list or the array of them.  For a single page the
 * function calls the one that has the tracepoint.
 *
 * An array may have pages in it already; the kernel fills the gaps.
 */
#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/stringify.h>
#include "compat.h"
#include "probe/function_probe.h"
#include "kernel/page_domain.h"

/* Places of an array that are looked at; the kernel asks for a hundred pages at a time. */
#define PLACES 512

/**
 * struct bulk_call - a call that is under way
 * @gfp: its flags
 * @list: where the pages are added, or NULL
 * @array: else the array
 * @full: places of the array that had a page
 */
struct bulk_call {
	gfp_t gfp;
	struct list_head *list;
	struct page **array;
	DECLARE_BITMAP(full, PLACES);
};

static void bulk_entry(void *domain, struct pt_regs *regs, void *arg)
{
	int wanted = qr_function_arg(regs, 3), i;
	struct bulk_call *call = arg;
	unsigned int at = 4;

	call->gfp = (__force gfp_t)qr_function_arg(regs, 0);
	call->list = NULL;
	if (QR_COMPAT_PAGES_BULK_HAS_LIST)
		call->list = (struct list_head *)qr_function_arg(regs, at++);
	call->array = (struct page **)qr_function_arg(regs, at);
	bitmap_zero(call->full, PLACES);
	for (i = 0; call->array && i < min(wanted, PLACES); i++)
		if (call->array[i])
			__set_bit(i, call->full);
}

static void saw(struct qr_domain *d, const struct bulk_call *call, struct page *page,
		unsigned long ip)
{
	s64 left = qr_count_down(qr_page_countdown, PAGE_SIZE);

	if (unlikely(left < 0)) {
		const struct qr_kernel_alloc a = {
			.ptr = qr_page_key(page),
			.size = PAGE_SIZE,
			.asked = PAGE_SIZE,
			.ip = ip,
			.gfp = call->gfp,
		};

		qr_domain_drawn(d, &a, left);
	}
}

static void bulk_return(void *domain, unsigned long value, unsigned long ip, void *arg)
{
	int n = min_t(int, value, PLACES), i;
	const struct bulk_call *call = arg;
	struct page *page;

	if (n - (call->list ? 0 : bitmap_weight(call->full, max(n, 0))) <= 1)
		return;
	if (call->list) {
		/* Each page was put in front of those before it. */
		list_for_each_entry(page, call->list, lru) {
			if (!n--)
				break;
			saw(domain, call, page, ip);
		}
		return;
	}
	for (i = 0; i < n; i++)
		if (!test_bit(i, call->full))
			saw(domain, call, call->array[i], ip);
}

static struct qr_function_probe probe = {
	.name = __stringify(QR_COMPAT_PAGES_BULK),
	.entry = bulk_entry,
	.leave = bulk_return,
	.call_size = sizeof(struct bulk_call),
};

int qr_page_bulk_start(struct qr_domain *d)
{
	return qr_function_probes_on(&probe, 1, d);
}

void qr_page_bulk_stop(void)
{
	qr_function_probes_off(&probe, 1);
}

u64 qr_page_bulk_missed(void)
{
	return qr_function_probes_missed(&probe, 1);
}
