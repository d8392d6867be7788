/* SPDX-License-Identifier: GPL-2.0 */
/* Frees of objects that belong to another node.  See remote_free.c. */
#ifndef QR_REMOTE_FREE_H
#define QR_REMOTE_FREE_H

#include "magazine/magazine.h"

/*
 * Collect the object @p of another node, and send all home when the room is full.  False if the
 * head has no room for such objects, or in NMI.  Interrupts off, the head claimed.
 */
bool qr_remote_put(struct qr_cache *c, struct qr_head *h, void *p, struct list_head *doomed,
		   unsigned long ip);
/* Is @p the object that was collected last?  The head is claimed. */
static inline bool qr_remote_repeats(const struct qr_cache *c, struct qr_head *h, const void *p)
{
	struct qr_array *a = qr_head_array(h);

	return a && a->nr_remote && qr_array_remote(c, a)[a->nr_remote - 1] == p;
}

/*
 * Send the collected objects home, with one lock for each node; returns how many.  Interrupts
 * off, the head claimed.
 */
unsigned int qr_remote_send(struct qr_cache *c, struct qr_head *h, struct list_head *doomed,
			    unsigned long ip);
/*
 * Deal with the @n objects that qr_depot_give() refused: those of another depot go to their
 * slab, and misuse is reported.  @given is the cache that they were freed to.
 */
void qr_settle_refused(struct qr_cache *given, void **in, unsigned int n, struct list_head *doomed,
		       unsigned long ip);

#endif /* QR_REMOTE_FREE_H */
