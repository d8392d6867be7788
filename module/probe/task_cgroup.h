/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cgroup of a task, by which samples are told apart: the one to which its memory is charged.
 * In the unified hierarchy that is its own, or the nearest one above that has the memory
 * controller.
 */
#ifndef QR_TASK_CGROUP_H
#define QR_TASK_CGROUP_H

#include <linux/types.h>

/*
 * The number of the current task's cgroup, which is the inode number of its directory.  0 if
 * samples are not to be told apart by it, or if this kernel has no cgroups.  Any context; in an
 * interrupt it is that of the interrupted task.
 */
u64 qr_task_cgroup(void);

#endif /* QR_TASK_CGROUP_H */
