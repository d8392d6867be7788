/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trimming: pages under free objects leave slabs that live on.
 */
#ifndef QR_SLAB_TRIM_H
#define QR_SLAB_TRIM_H

#include <linux/atomic.h>
#include "magazine/depot.h"

/* Pages that left slabs which lived on, so far. */
extern atomic64_t qr_trimmed_pages;

/**
 * qr_depot_trim() - give pages without an object in use to the page heap
 * @d: the depot; may be in use meanwhile
 * @want: stop after so many pages; it may be some more, as slabs are looked at by the
 *	handful and each loses all that it can
 *
 * Empty slabs go first, then the pages of others, emptiest first.  What is in
 * magazines or in batches counts as in use: drain before.
 *
 * Context: process, with qr_caches_lock held, so that there is one of them at a time and
 * qr_validate() does not look meanwhile.  May reschedule; allocates nothing.
 * Return: pages that left; fewer than @want when there are no more.
 */
unsigned long qr_depot_trim(struct qr_depot *d, unsigned long want);

#endif /* QR_SLAB_TRIM_H */
