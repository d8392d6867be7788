/* SPDX-License-Identifier: GPL-2.0 */
/* A ring of sample events that a program maps; <uapi/quarry.h> says how it is read. */
#ifndef QR_EVENT_RING_H
#define QR_EVENT_RING_H

#include <linux/poll.h>
#include <linux/types.h>

struct file;
struct qr_ring;
struct vm_area_struct;

#define QR_RING_MAX 65536 /* records */

/* Something to poll, without memory for events; NULL without memory for itself. */
struct qr_ring *qr_ring_new(void);
/* Nobody polls it and no mapping is left. */
void qr_ring_free(struct qr_ring *r);

/*
 * Events from now on.  @records is a power of two up to QR_RING_MAX; @flags are
 * QUARRY_DEV_RING_*.  Returns the bytes to map, -EBUSY the second time, -EUSERS,
 * -ENOMEM.  Sleeps.
 */
long qr_ring_start(struct qr_ring *r, u32 records, u32 flags);

int qr_ring_mmap(struct qr_ring *r, struct vm_area_struct *vma);
__poll_t qr_ring_poll(struct qr_ring *r, struct file *file, poll_table *wait);

#endif /* QR_EVENT_RING_H */
