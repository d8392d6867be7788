/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whom pages are for.  The slab allocator, vmalloc(), per-CPU memory and Quarry take pages, and
 * hand them out in pieces; whoever adds up the domains must not count these twice.
 */
#ifndef QR_PAGE_USER_H
#define QR_PAGE_USER_H

#include <linux/types.h>

/*
 * The user of pages that were allocated with the call stack @stack: "slab", "vmalloc", "percpu",
 * "quarry" or "other".  Any context but NMI.
 */
const char *qr_page_user(u32 stack);

#endif /* QR_PAGE_USER_H */
