/* SPDX-License-Identifier: GPL-2.0 */
/* What the probes of the page allocator share. */
#ifndef QR_PAGE_DOMAIN_H
#define QR_PAGE_DOMAIN_H

#include <linux/percpu.h>
#include "kernel/domain_draw.h"

DECLARE_PER_CPU(s64, qr_page_countdown);

/* What stands for @page in the table of samples. */
const void *qr_page_key(struct page *page);

/*
 * Probe the function that allocates many pages at a time, which has no tracepoint.  0 or an error,
 * which is logged; then nothing is probed.  Sleeps.
 */
int qr_page_bulk_start(struct qr_domain *d);
/* No probe runs any more when it returns.  Sleeps. */
void qr_page_bulk_stop(void);
/* Calls that were not reported, since the probe was started. */
u64 qr_page_bulk_missed(void);

#endif /* QR_PAGE_DOMAIN_H */
