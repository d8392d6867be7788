// SPDX-License-Identifier: GPL-2.0
/*
 * The probes of alloc_percpu().  An allocation counts with its bytes on all possible CPUs, but not
 * with those of the allocator's own arrays, which the tracepoint adds.  Its address is the one that
 * the caller got, which is not one of memory.
 */
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/tracepoint.h>
#include <trace/events/percpu.h>
#include "kernel/domain_draw.h"
#include "probe/tracepoints.h"

static DEFINE_PER_CPU(s64, countdown);

static const char *describe(const struct qr_kernel_alloc *a, struct qr_sampled *what, u32 stack)
{
	return "percpu";
}

static void percpu_alloc_probe(void *data, unsigned long call_site, bool reserved, bool is_atomic,
			       size_t size, size_t align, void *base_addr, int off,
			       void __percpu *ptr, size_t bytes, gfp_t gfp)
{
	size_t all = size * num_possible_cpus();
	s64 left = qr_count_down(countdown, all);

	if (unlikely(left < 0)) {
		const struct qr_kernel_alloc a = {
			.ptr = (__force const void *)(unsigned long)ptr,
			.size = all,
			.asked = all,
			.ip = call_site,
			.gfp = gfp,
		};

		qr_domain_drawn(data, &a, left);
	}
}

static void percpu_free_probe(void *data, void *base_addr, int off, void __percpu *ptr)
{
	qr_domain_free(data, (__force const void *)(unsigned long)ptr);
}

/* Compares the types of the probes with those of this kernel's tracepoints. */
static inline void check_types(void)
{
	check_trace_callback_type_percpu_alloc_percpu(percpu_alloc_probe);
	check_trace_callback_type_percpu_free_percpu(percpu_free_probe);
}

/* Frees are seen before the first allocation is. */
static struct qr_probe probes[] = {
	{ .name = "percpu_free_percpu", .probe = percpu_free_probe },
	{ .name = "percpu_alloc_percpu", .probe = percpu_alloc_probe },
};

static int percpu_start(struct qr_domain *d)
{
	check_types();
	return qr_probes_on(probes, ARRAY_SIZE(probes), d);
}

static void percpu_stop(struct qr_domain *d)
{
	qr_probes_off(probes, ARRAY_SIZE(probes), d);
	tracepoint_synchronize_unregister();
}

struct qr_domain qr_percpu_domain = {
	.name = "percpu",
	.label = "cache",
	.start = percpu_start,
	.stop = percpu_stop,
	.describe = describe,
	.countdown = &countdown,
	.lock = __MUTEX_INITIALIZER(qr_percpu_domain.lock),
	.rate = QUARRY_RATE_DEFAULT,
};
