/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel profile: the heap profiler over the kernel's own allocators.  Each of these is a
 * domain, with a table of rows, a table of samples and a rate of its own.  Nothing of the kernel
 * is changed while a domain is off.
 *
 *	domain.c		the domains: on and off, rates, resets, numbers
 *	domain_draw.c		which allocations are sampled
 *	slab_domain.c		the probes of kmalloc() and kmem_cache_alloc()
 *	slab_bulk.c		the probes of bulk allocations and frees
 *	page_domain.c		the probes of the page allocator
 *	page_bulk.c		the probe of allocations of many pages
 *	page_user.c		whom a page is for
 *	percpu_domain.c		the probes of alloc_percpu()
 *	vmalloc_domain.c	the probes of vmalloc()
 *	cache_names.c		numbers for the names of caches
 *	sample_table.c		samples by address
 *	oom_snapshot.c		what was live when memory ran out
 *
 * It uses probe/ to watch the kernel, profile/ for draws, stacks, labels and rows, and core/ for
 * memory; the layers of Quarry's own allocator do not know it.  Observers use it through
 * <quarry/profile.h>.
 *
 * The mutex of a domain is held while it is switched on or off, and while a reader copies its
 * table; one mutex of all domains is held at the moment when a table comes or goes.  Probes run in
 * any context, also under locks of the kernel's allocators and of whoever calls these.  They take
 * raw locks only, with interrupts off, and ask for no memory, but for the stack depot, which may
 * ask for pages as the allocation itself may.
 */
#ifndef QR_DOMAIN_H
#define QR_DOMAIN_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <quarry/profile.h>
#include "kernel/cache_names.h"
#include "kernel/sample_table.h"
#include "profile/bucket.h"

struct qr_kernel_alloc;

/**
 * struct qr_domain - an allocator of the kernel's that can be profiled
 * @name: as people write it
 * @label: the label that names what the memory is for
 * @start: begins to probe.  0 or an error, which it has logged
 * @stop: ends that; no probe runs any more when it returns
 * @function: the allocator's function, if a probe does not know its caller
 * @describe: fills in the node of a drawn allocation, whose stack has been saved, and returns the
 *	value of the label
 * @missed_calls: calls of functions that the kernel did not report to their probe; may be NULL
 * @countdown: each CPU's bytes until the next sample; below zero until the next number is drawn
 * @lock: protects the rest against readers, and while it is switched on or off
 * @on: it is on; otherwise it has no memory
 * @rate: bytes between samples; 0: none.  Also kept while it is off
 * @resets: where the next table's count of resets begins
 * @rows: the rows
 * @samples: samples by address
 * @names: names of caches
 * @dropped: allocations that were drawn in a context in which none is recorded
 * @late: frees that an NMI could not record
 * @unknown: frees of an object that has no sample, on a page on which there is one
 */
struct qr_domain {
	const char *name;
	const char *label;
	int (*start)(struct qr_domain *d);
	void (*stop)(struct qr_domain *d);
	void *function;
	const char *(*describe)(const struct qr_kernel_alloc *a, struct qr_sampled *what,
				u32 stack);
	u64 (*missed_calls)(void);
	s64 __percpu *countdown;
	struct mutex lock; /* see above */
	bool on;
	u32 rate;
	u32 resets;
	struct qr_table rows;
	struct qr_sample_table samples;
	struct qr_cache_names *names;
	atomic64_t dropped;
	atomic64_t late;
	atomic64_t unknown;
};

/*
 * A domain for a reader, who may sleep.  While it is held it is not switched on or off.  NULL for
 * Quarry's own heap.
 */
struct qr_domain *qr_domain_hold(enum quarry_domain domain);
void qr_domain_release(struct qr_domain *d);

/*
 * The tables of all domains, for code that runs because there is no memory.  While they are held,
 * none comes or goes.  Whoever holds them asks for no memory.  False: they are held, and @wait is
 * not set.
 */
bool qr_domain_tables_hold(bool wait);
void qr_domain_tables_release(void);
/* The domain, or NULL if it is off.  The tables are held. */
struct qr_domain *qr_domain_if_on(enum quarry_domain domain);

/* Record the allocation @what, which was drawn.  Interrupts off; not in NMI. */
void qr_domain_alloced(struct qr_domain *d, struct qr_sampled *what, const char *cache, u32 stack);

/* The object at @ptr, on a page with samples, is freed.  Any context. */
void qr_domain_freed(struct qr_domain *d, const void *ptr);
/*
 * The same for the probe of a function that is never called in NMI.  Where such a probe is a
 * breakpoint, its handler looks like an NMI, but it can wait for locks.
 */
void qr_domain_freed_by_call(struct qr_domain *d, const void *ptr);

extern struct qr_domain qr_slab_domain, qr_page_domain, qr_percpu_domain, qr_vmalloc_domain;

/* Switch on what the parameter "kernel" names.  Sleeps. */
int qr_domains_init(void);
void qr_domains_exit(void);

#endif /* QR_DOMAIN_H */
