/* SPDX-License-Identifier: GPL-2.0 */
/* What the probes of the slab allocator share. */
#ifndef QR_SLAB_DOMAIN_H
#define QR_SLAB_DOMAIN_H

#include <linux/percpu.h>
#include "kernel/domain_draw.h"

DECLARE_PER_CPU(s64, qr_slab_countdown);

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
