/* SPDX-License-Identifier: GPL-2.0 */
/* A ring of sample events that a program maps.  <uapi/quarry.h> documents how it is read. */
#ifndef QR_EVENT_RING_H
#define QR_EVENT_RING_H

#include <linux/poll.h>
#include <linux/types.h>

struct file;
struct qr_ring;
struct vm_area_struct;

#define QR_RING_MAX 65536 /* records */

/* A ring that can be polled but holds no events yet.  NULL without memory. */
struct qr_ring *qr_ring_new(void);
/* The caller must know that the ring is not polled any more and has no mapping. */
void qr_ring_free(struct qr_ring *r);

/*
 * Get memory for @records events, and record events from now on.  @records is a power of
 * two up to QR_RING_MAX; @flags are QUARRY_DEV_RING_*.  Returns the bytes to map; -EBUSY if
 * the ring was started before; -EUSERS if QUARRY_DEV_RINGS_MAX rings exist; -ENOMEM.  Sleeps.
 */
long qr_ring_start(struct qr_ring *r, u32 records, u32 flags);

int qr_ring_mmap(struct qr_ring *r, struct vm_area_struct *vma);
__poll_t qr_ring_poll(struct qr_ring *r, struct file *file, poll_table *wait);

#endif /* QR_EVENT_RING_H */
