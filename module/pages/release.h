/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Idle pages go back to the kernel: whole chunks first, then the highest pages.
 * Any context but NMI, no lock held; bounded work with a lock held.
 */
#ifndef QR_RELEASE_H
#define QR_RELEASE_H

#include "pages/node_heap.h"

/* At most @want pages of @node; returns how many. */
unsigned long qr_heap_release(int node, unsigned long want);
/* The same from all nodes, beginning with @node. */
unsigned long qr_heaps_release(int node, unsigned long want);
/*
 * Give a run back that lies within a chunk: to the heap, or, where that has as many idle
 * pages as it may keep, to the kernel at once, which saves it the way there and back.
 */
void qr_heap_drop(const struct qr_run *run);
/* Idle ones from page frame @start to before @end.  Returns how many went. */
unsigned long qr_heap_release_range(unsigned long start, unsigned long end);
/* Every chunk without a page in use; returns pages. */
unsigned long qr_heap_release_idle(void);

extern atomic64_t qr_released_pages;

#endif /* QR_RELEASE_H */
