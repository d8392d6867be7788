/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Release: idle pages go back to the kernel, whole chunks first, then the highest pages.
 *
 * Context: any but NMI, no lock held.  The heap's lock is taken for at most one chunk or
 * 64 pages at a time.
 */
#ifndef QR_RELEASE_H
#define QR_RELEASE_H

#include "pages/node_heap.h"

/* Release up to @want idle pages of @node.  Returns how many. */
unsigned long qr_heap_release(int node, unsigned long want);
/* The same from all nodes, beginning with @node. */
unsigned long qr_heaps_release(int node, unsigned long want);
/*
 * Give back a run that lies within one chunk.  The heap gets it if it may keep that many idle
 * pages; otherwise it goes straight to the kernel.
 */
void qr_heap_drop(const struct qr_run *run);
/* The same, but the run goes straight to the kernel. */
void qr_heap_expel(const struct qr_run *run);
/* Release the idle pages in the page frames [@start, @end).  Returns how many. */
unsigned long qr_heap_release_range(unsigned long start, unsigned long end);
/* Release every chunk that has no page in use.  Returns the number of pages. */
unsigned long qr_heap_release_idle(void);

/* Pages that these functions released since the module was loaded. */
extern atomic64_t qr_released_pages;

#endif /* QR_RELEASE_H */
