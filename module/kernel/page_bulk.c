// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are allocated many at a time, for vmalloc() and for network drivers, have no
 * tracepoint.  A kretprobe sees the list or the array of them.  For a single page the function
 * calls the one that has the tracepoint.
 *
 * An array may have pages in it already; the kernel fills the gaps.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/bitmap.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/ptrace.h>
#include <linux/stringify.h>
#include "compat.h"
#include "kernel/page_domain.h"

#if defined(CONFIG_KRETPROBES) && defined(CONFIG_HAVE_FUNCTION_ARG_ACCESS_API)

#define BULK __stringify(QR_COMPAT_PAGES_BULK)

/* Tasks that may be in such an allocation at a time; it may sleep. */
#define ALLOCS_UNDER_WAY 256

/* Places of an array that are looked at; the kernel asks for a hundred pages at a time. */
#define PLACES 512

static struct qr_domain *domain;
static struct kretprobe bulk;

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

static int bulk_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	int wanted = regs_get_kernel_argument(regs, 3), i;
	struct bulk_call *call = (void *)ri->data;
	unsigned int at = 4;

	call->gfp = (__force gfp_t)regs_get_kernel_argument(regs, 0);
	call->list = NULL;
	if (QR_COMPAT_PAGES_BULK_HAS_LIST)
		call->list = (struct list_head *)regs_get_kernel_argument(regs, at++);
	call->array = (struct page **)regs_get_kernel_argument(regs, at);
	bitmap_zero(call->full, PLACES);
	for (i = 0; call->array && i < min(wanted, PLACES); i++)
		if (call->array[i])
			__set_bit(i, call->full);
	return 0;
}

static void saw(const struct bulk_call *call, struct page *page, unsigned long ip)
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

		qr_domain_drawn(domain, &a, left);
	}
}

static int bulk_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	int n = min_t(int, regs_return_value(regs), PLACES), i;
	const struct bulk_call *call = (void *)ri->data;
	unsigned long ip = get_kretprobe_retaddr(ri);
	struct page *page;

	if (n - (call->list ? 0 : bitmap_weight(call->full, max(n, 0))) <= 1)
		return 0;
	if (call->list) {
		/* Each page was put in front of those before it. */
		list_for_each_entry(page, call->list, lru) {
			if (!n--)
				break;
			saw(call, page, ip);
		}
		return 0;
	}
	for (i = 0; i < n; i++)
		if (!test_bit(i, call->full))
			saw(call, call->array[i], ip);
	return 0;
}

/* A probe cannot be registered again with what the kernel has left in it. */
int qr_page_bulk_start(struct qr_domain *d)
{
	int err;

	domain = d;
	bulk = (struct kretprobe){
		.kp.symbol_name = BULK,
		.entry_handler = bulk_entry,
		.handler = bulk_return,
		.data_size = sizeof(struct bulk_call),
		.maxactive = ALLOCS_UNDER_WAY,
	};
	err = register_kretprobe(&bulk);
	if (err)
		pr_err("kernel=pages: no probe on %s() (error %d)\n", BULK, err);
	return err;
}

void qr_page_bulk_stop(void)
{
	unregister_kretprobe(&bulk);
}

u64 qr_page_bulk_missed(void)
{
	return bulk.nmissed + bulk.kp.nmissed;
}

#else

int qr_page_bulk_start(struct qr_domain *d)
{
	pr_err("kernel=pages: this kernel has no kretprobes\n");
	return -EOPNOTSUPP;
}

void qr_page_bulk_stop(void)
{
}

u64 qr_page_bulk_missed(void)
{
	return 0;
}

#endif
