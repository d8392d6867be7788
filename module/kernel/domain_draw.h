/* SPDX-License-Identifier: GPL-2.0 */
/* How a probe of an allocation decides whether it is sampled. */
#ifndef QR_DOMAIN_DRAW_H
#define QR_DOMAIN_DRAW_H

#include <linux/percpu.h>
#include "kernel/domain.h"

/**
 * struct qr_kernel_alloc - an allocation that was drawn
 * @ptr: the memory, or NULL if the allocation failed
 * @s: the cache of an object of the slab allocator, or NULL if that has to be looked up
 * @size: bytes that it takes
 * @asked: bytes that were asked for
 * @ip: return address into the allocator's caller, or 0 if that has to be found
 * @gfp: flags of the allocation
 */
struct qr_kernel_alloc {
	const void *ptr;
	const struct kmem_cache *s;
	size_t size;
	size_t asked;
	unsigned long ip;
	gfp_t gfp;
};

/*
 * Count an allocation of @size bytes down, in a domain's variable for each CPU.  If the result is
 * less than 0, call qr_domain_drawn() with it.  Preemption is off.
 */
#define qr_count_down(countdown, size) this_cpu_sub_return(countdown, (s64)(size))

void qr_domain_drawn(struct qr_domain *d, const struct qr_kernel_alloc *a, s64 left);

/* Draw anew on all CPUs, since the rate has changed.  Sleeps. */
void qr_domain_renew(struct qr_domain *d);

/* The memory at @ptr is freed; it may be any address.  Any context. */
static __always_inline void qr_domain_free(struct qr_domain *d, const void *ptr)
{
	if (unlikely(qr_sample_on_page(&d->samples, ptr)))
		qr_domain_freed(d, ptr);
}

/* The same, for probes of functions (qr_domain_freed_by_call()). */
static __always_inline void qr_domain_free_by_call(struct qr_domain *d, const void *ptr)
{
	if (unlikely(qr_sample_on_page(&d->samples, ptr)))
		qr_domain_freed_by_call(d, ptr);
}

#endif /* QR_DOMAIN_DRAW_H */
