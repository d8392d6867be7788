// SPDX-License-Identifier: GPL-2.0
/*
 * A task may be moved, and its old cgroup removed, at any time.  What leads from the task to the
 * number is freed a grace period later.
 */
#include "probe/task_cgroup.h"

#include <linux/cgroup.h>
#include <linux/compiler.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include "core/exposure.h"

static bool enabled;
module_param_cb(kernel_cgroups, &qr_bool_param_ops, &enabled, 0644);
MODULE_PARM_DESC(kernel_cgroups,
		 "tell samples of the kernel's allocators apart by memory cgroup (default N)");

#if defined(CONFIG_MEMCG)
static struct cgroup *cgroup_of(struct task_struct *task)
{
	return task_css(task, memory_cgrp_id)->cgroup;
}
#elif defined(CONFIG_CGROUPS)
static struct cgroup *cgroup_of(struct task_struct *task)
{
	return task_dfl_cgroup(task);
}
#endif

u64 qr_task_cgroup(void)
{
	u64 id = 0;

	if (!READ_ONCE(enabled))
		return 0;
#ifdef CONFIG_CGROUPS
	rcu_read_lock();
	id = cgroup_id(cgroup_of(current));
	rcu_read_unlock();
#endif
	return id;
}
