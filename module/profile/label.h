/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Labels: what a sample knows beside its stack.  Some come by themselves, the
 * node of the memory, the context, the task's name; others are what
 * quarry_label_begin() said.  Samples carry the number of a set of labels.
 */
#ifndef QR_LABEL_H
#define QR_LABEL_H

#include <linux/gfp.h>
#include <linux/types.h>

#define QR_LABEL_SETS 1024 /* distinct ones; all others are number 0, "other" */

/**
 * qr_labels_now() - the set of labels of an allocation that is under way
 * @node: where its memory is
 * @gfp: what may be done to describe a set that was never seen
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the set's number, or 0 when it is new and there is no room.
 */
u32 qr_labels_now(int node, gfp_t gfp);

/* Sets that were given a number. */
unsigned int qr_label_sets(void);

int qr_labels_init(void);
void qr_labels_exit(void);

#endif /* QR_LABEL_H */
