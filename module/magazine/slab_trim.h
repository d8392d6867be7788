/* SPDX-License-Identifier: GPL-2.0 */
/* Trimming: pages on which no object is live leave slabs that still have live objects. */
#ifndef QR_SLAB_TRIM_H
#define QR_SLAB_TRIM_H

#include <linux/atomic.h>
#include "magazine/depot.h"

/* Pages that were trimmed off slabs since the module was loaded. */
extern atomic64_t qr_trimmed_pages;

/**
 * qr_depot_trim() - give pages without an object in use to the page heap
 * @d: the depot; may be in use meanwhile
 * @want: stop after so many pages.  A few more may leave, because slabs are looked at several at
 *	a time and each loses all the pages that it can
 *
 * Empty slabs go first, then pages of other slabs, the emptiest slab first.  Objects in magazines
 * and in batches count as in use; drain the cache first to trim the pages under them, too.
 *
 * Context: process, with qr_trim_lock held, which allows one trim at a time and keeps
 * qr_validate() out, and qr_caches_lock.  May reschedule; allocates nothing.
 * Return: pages that left; fewer than @want when there are no more.
 */
unsigned long qr_depot_trim(struct qr_depot *d, unsigned long want);

#endif /* QR_SLAB_TRIM_H */
