/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quarry's own workqueues.  Both have a rescuer (WQ_MEM_RECLAIM): callers that reclaim memory, such
 * as a work item of a file system, may wait for work on them, and work on them gives memory back
 * when no new worker can be created.
 */
#ifndef QR_WORK_QUEUE_H
#define QR_WORK_QUEUE_H

#include <linux/workqueue.h>

/* Runs on any CPU.  Work on it may wait for work on qr_cpu_queue, not for other work on it. */
extern struct workqueue_struct *qr_work_queue;
/*
 * Runs on the CPU that it was queued on.  Work on it waits for no other work: the one rescuer
 * would wait for itself.
 */
extern struct workqueue_struct *qr_cpu_queue;

int qr_work_queues_init(void);
void qr_work_queues_exit(void);

#endif /* QR_WORK_QUEUE_H */
