/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deferred objects: frees that must wait (for a grace period, or because a lock cannot be taken
 * here) and for which no memory can be allocated.  A bit in the slab's map marks each waiting
 * object; nothing is written into the object.
 */
#ifndef QR_DEFERRED_H
#define QR_DEFERRED_H

#include "slab/misuse.h"
#include "slab/slab.h"

/* How many objects wait. */
extern atomic_long_t qr_deferred_objects;

/**
 * qr_defer_free() - free an object after a grace period
 * @slab: the object's slab, which stays because the object is live; for a large object, the slab
 *	that describes it
 * @i: the number of the object in @slab
 *
 * After all RCU read-side sections that may see the object have ended, it is freed as by
 * quarry_free(), in softirq context.
 *
 * Context: any but NMI, no lock of Quarry's held.
 * Return: QR_MISUSE_NONE, or QR_MISUSE_DOUBLE_FREE if the object waits already.
 */
enum qr_misuse qr_defer_free(struct qr_slab *slab, unsigned int i);

/**
 * qr_defer_free_nolock() - free an object a little later, from any context
 * @slab: as for qr_defer_free()
 * @i: as for qr_defer_free()
 *
 * The object is freed as by qr_defer_free(), but maybe before a grace period has ended.
 *
 * Context: any, including NMI, and with any lock held.
 * Return: as qr_defer_free().
 */
enum qr_misuse qr_defer_free_nolock(struct qr_slab *slab, unsigned int i);

/* Wait until all objects that were deferred before the call are free.  Process context; sleeps. */
void qr_deferred_barrier(void);

#endif /* QR_DEFERRED_H */
