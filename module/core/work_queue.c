// SPDX-License-Identifier: GPL-2.0
#include "core/work_queue.h"

#include <linux/errno.h>
#include "compat.h"

struct workqueue_struct *qr_work_queue, *qr_cpu_queue;

int qr_work_queues_init(void)
{
	qr_work_queue = alloc_workqueue("quarry", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!qr_work_queue)
		return -ENOMEM;
	qr_cpu_queue = alloc_workqueue("quarry_cpu", WQ_MEM_RECLAIM | QR_COMPAT_WQ_PERCPU, 0);
	if (!qr_cpu_queue) {
		destroy_workqueue(qr_work_queue);
		return -ENOMEM;
	}
	return 0;
}

void qr_work_queues_exit(void)
{
	destroy_workqueue(qr_cpu_queue);
	destroy_workqueue(qr_work_queue);
}
