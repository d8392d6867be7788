// SPDX-License-Identifier: GPL-2.0
/*
 * kmem_cache_alloc_bulk() and kmem_cache_free_bulk() have no tracepoint.  Batches of kfree_rcu()
 * end in the latter.  A probe at its entry sees the array of objects, and one of the former sees
 * that when it returns.
 *
 * If the kernel leaves out a probe, objects of a bulk allocation are not seen, or a free is missed,
 * which shows when the address is used again or the page goes back.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/stringify.h>
#include "compat.h"
#include "probe/function_probe.h"
#include "kernel/slab_domain.h"
#include "probe/slab_layout.h"

/* kmem_cache_free_bulk(cache, n, objects) */
static void free_bulk_entry(void *domain, struct pt_regs *regs, void *unused)
{
	size_t n = qr_function_arg(regs, 1), i;
	void **objects = (void **)qr_function_arg(regs, 2);

	for (i = 0; i < n; i++)
		qr_domain_free_by_call(domain, objects[i]);
}

/* Arguments of kmem_cache_alloc_bulk(cache, gfp, n, objects). */
struct alloc_call {
	struct kmem_cache *s;
	gfp_t gfp;
	void **objects;
};

static void alloc_bulk_entry(void *domain, struct pt_regs *regs, void *arg)
{
	struct alloc_call *call = arg;

	call->s = (struct kmem_cache *)qr_function_arg(regs, 0);
	call->gfp = (__force gfp_t)qr_function_arg(regs, 1);
	call->objects = (void **)qr_function_arg(regs, 3);
}

static void alloc_bulk_return(void *domain, unsigned long value, unsigned long ip, void *arg)
{
	const struct alloc_call *call = arg;
	int n = value, i;
	u32 size = qr_kernel_cache_size(call->s);

	for (i = 0; i < n; i++) {
		s64 left = qr_count_down(qr_slab_countdown, size);

		if (unlikely(left < 0)) {
			const struct qr_kernel_alloc a = {
				.ptr = call->objects[i],
				.s = call->s,
				.size = size,
				.asked = kmem_cache_size(call->s),
				.ip = ip,
				.gfp = call->gfp,
			};

			qr_domain_drawn(domain, &a, left);
		}
	}
}

/*
 * The probe of frees is the first to be on, and the last one that is.  Objects that a bulk
 * allocation returns after its probe is off are not seen; then no free has to be.
 */
static struct qr_function_probe probes[] = {
	{ .name = "kmem_cache_free_bulk", .entry = free_bulk_entry },
	{
		.name = __stringify(qr_compat_noprof(kmem_cache_alloc_bulk)),
		.entry = alloc_bulk_entry,
		.leave = alloc_bulk_return,
		.call_size = sizeof(struct alloc_call),
	},
};

int qr_slab_bulk_start(struct qr_domain *d)
{
	return qr_function_probes_on(probes, ARRAY_SIZE(probes), d);
}

void qr_slab_bulk_stop(void)
{
	qr_function_probes_off(probes, ARRAY_SIZE(probes));
}

u64 qr_slab_bulk_missed(void)
{
	return qr_function_probes_missed(probes, ARRAY_SIZE(probes));
}
