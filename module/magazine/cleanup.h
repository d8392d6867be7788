/* SPDX-License-Identifier: GPL-2.0 */
/* What frees and realloc do with the cleanups of an object.  See cleanup.c, <quarry/cleanup.h>. */
#ifndef QR_CLEANUP_H
#define QR_CLEANUP_H

#include <linux/gfp.h>
#include <linux/types.h>
#include "slab/slab.h"

/* Cleanups that are looked at while their lock is held once. */
#define QR_CLEANUP_SLICE 512

/*
 * Cleanups in a free.  First, qr_cleanups_take() moves the cleanups of the object
 * at @p to *@list; the caller runs them before it does anything else.  Interrupts off.  Returns
 * QR_MISUSE_DOUBLE_FREE if the object's cleanups are running already, and QR_MISUSE_FOREIGN if
 * this is an NMI, which cannot run them.
 */
enum qr_misuse qr_cleanups_take(struct qr_slab *slab, const void *p, struct qr_cleanup **list);
/* Run the cleanups of @p and free @list.  No lock held, interrupts as the caller has them. */
void qr_cleanups_run(struct qr_cleanup *list, void *p);
/* The cleanups of @p have run: from now on the object has none.  Interrupts off. */
void qr_cleanups_done(struct qr_slab *slab, const void *p);
/* For realloc: move the cleanups of @p, an object of @slab, to @to.  False: no memory. */
bool qr_cleanups_move(struct qr_slab *slab, const void *p, const void *to, gfp_t gfp);

#endif /* QR_CLEANUP_H */
