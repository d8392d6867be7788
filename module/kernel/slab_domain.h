/* SPDX-License-Identifier: GPL-2.0 */
/* What the probes of the slab allocator share. */
#ifndef QR_SLAB_DOMAIN_H
#define QR_SLAB_DOMAIN_H

#include <linux/percpu.h>
#include "kernel/domain.h"

struct kmem_cache;

/*
 * Bytes until this CPU's next sample.  A probe subtracts the bytes of each allocation; below zero
 * the object is drawn.  It stays below zero until the next number is drawn.
 */
DECLARE_PER_CPU(s64, qr_slab_left);

/**
 * struct qr_slab_alloc - an allocation that was drawn
 * @ptr: the object, or NULL if it failed
 * @s: its cache, or NULL if that has to be looked up
 * @size: bytes that the object takes
 * @asked: bytes that were asked for
 * @ip: return address into the allocator's caller
 * @gfp: flags of the allocation
 */
struct qr_slab_alloc {
	const void *ptr;
	const struct kmem_cache *s;
	size_t size;
	size_t asked;
	unsigned long ip;
	gfp_t gfp;
};

/* @left is what is left of the countdown after the allocation: less than 0. */
void qr_slab_drawn(struct qr_domain *d, const struct qr_slab_alloc *a, s64 left);

/* Counts an allocation of @size bytes down.  Preemption is off. */
static __always_inline s64 qr_slab_count(size_t size)
{
	return this_cpu_sub_return(qr_slab_left, (s64)size);
}

/* The object at @ptr is freed; it may be anything that kfree() takes.  Any context. */
static __always_inline void qr_slab_freed(struct qr_domain *d, const void *ptr)
{
	if (unlikely(qr_sample_on_page(&d->samples, ptr)))
		qr_domain_freed(d, ptr);
}

/*
 * Probe the functions for bulk allocations and frees, which have no tracepoint.  0 or an error,
 * which is logged; then nothing is probed.  Sleeps.
 */
int qr_slab_bulk_start(struct qr_domain *d);
/* No probe runs any more when it returns.  Sleeps. */
void qr_slab_bulk_stop(void);
/* Calls that were not reported, since the probes were started. */
u64 qr_slab_bulk_missed(void);

#endif /* QR_SLAB_DOMAIN_H */
