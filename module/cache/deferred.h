/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frees that cannot be done now, and for which nothing can be had to remember them in:
 * a bit in the object's slab does, and nothing is written into the object.
 */
#ifndef QR_DEFERRED_H
#define QR_DEFERRED_H

#include "core/misuse.h"
#include "slab/slab.h"

/* Objects that wait. */
extern atomic_long_t qr_deferred_objects;

/**
 * qr_defer_free() - free an object after a grace period
 * @slab: its slab, or its own, if it is a large one; it is live, so this stays
 * @i: its number there
 *
 * It is freed as by quarry_free(), in softirq, not before those who may see it in an RCU
 * read-side section have left that.
 *
 * Context: any but NMI, no lock of Quarry's held.
 * Return: QR_MISUSE_NONE, or QR_MISUSE_DOUBLE_FREE if it waits already.
 */
enum qr_misuse qr_defer_free(struct qr_slab *slab, unsigned int i);

/**
 * qr_defer_free_nolock() - free an object a little later
 * @slab: as for qr_defer_free()
 * @i: likewise
 *
 * As qr_defer_free(), but it may be freed before a grace period has ended.
 *
 * Context: any, NMI and holders of any lock included.
 * Return: as qr_defer_free().
 */
enum qr_misuse qr_defer_free_nolock(struct qr_slab *slab, unsigned int i);

/* All that was put before the call has been freed.  Process context. */
void qr_deferred_barrier(void);

#endif /* QR_DEFERRED_H */
