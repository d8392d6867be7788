/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Labels: what is known of a sample besides its stack.  The profiler adds some by
 * itself: the memory's node, the context, the task's name.  Clients add others with
 * quarry_label_begin().  A sample carries the number of its label set.
 */
#ifndef QR_LABEL_H
#define QR_LABEL_H

#include <linux/gfp.h>
#include <linux/types.h>

#define QR_LABEL_SETS 1024 /* distinct sets; all further ones are number 0, "other" */

/**
 * qr_labels_now() - the set of labels of an allocation that is under way
 * @node: the node of its memory
 * @gfp: what may be done to get memory for a new set
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the set's number, or 0 if the set is new and there is no room for it.
 */
u32 qr_labels_now(int node, gfp_t gfp);

/* The number of sets so far, without "other". */
unsigned int qr_label_sets(void);

int qr_labels_init(void);
void qr_labels_exit(void);

#endif /* QR_LABEL_H */
