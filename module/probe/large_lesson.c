// SPDX-License-Identifier: GPL-2.0
/*
 * Some kernels report a large object of kmalloc() twice: first where its pages are allocated, with
 * a call site in the allocator, then with the caller's.  These call sites are learnt by allocating
 * one in each way; their events are ignored.
 */
#include "probe/large_lesson.h"

#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include "probe/tracepoints.h"

#define REPEATED 4
static unsigned long repeated[REPEATED];

/**
 * struct lesson - the events of this task
 * @task: the task that learns
 * @nr: events since the last allocation
 * @ip: the first one's call site
 * @ptr: the first one's object
 * @last: the last one's object
 */
struct lesson {
	struct task_struct *task;
	unsigned int nr;
	unsigned long ip;
	const void *ptr;
	const void *last;
};

static void lesson_probe(void *data, unsigned long call_site, const void *ptr, size_t asked,
			 size_t size, gfp_t gfp, int node)
{
	struct lesson *l = data;

	if (!in_task() || current != l->task || size <= KMALLOC_MAX_CACHE_SIZE)
		return;
	if (!l->nr++) {
		l->ip = call_site;
		l->ptr = ptr;
	}
	l->last = ptr;
}

/* The sizes are variables, as otherwise the functions for constant sizes are called. */
static void *large_object(unsigned int way, size_t size)
{
	OPTIMIZER_HIDE_VAR(size);
	switch (way) {
	case 0:
		return kmalloc(size, GFP_KERNEL);
	case 1:
		return kmalloc_node(size, GFP_KERNEL, numa_mem_id());
	case 2:
		return kmalloc_track_caller(size, GFP_KERNEL);
	default:
		return kvmalloc(size, GFP_KERNEL);
	}
}

int qr_large_learn(void)
{
	struct lesson l = { .task = current };
	struct qr_probe probe = { .name = "kmalloc", .probe = lesson_probe };
	int err = qr_probes_on(&probe, 1, &l);
	unsigned int i;

	memset(repeated, 0, sizeof(repeated));
	for (i = 0; !err && i < REPEATED; i++) {
		void *p;

		l.nr = 0;
		p = large_object(i, KMALLOC_MAX_CACHE_SIZE + 1);
		if (!p)
			err = -ENOMEM;
		else if (l.nr == 2 && l.ptr == p && l.last == p)
			repeated[i] = l.ip;
		kvfree(p);
	}
	qr_probes_off(&probe, 1, &l);
	tracepoint_synchronize_unregister();
	return err;
}

noinline bool qr_large_is_repeated(unsigned long call_site)
{
	unsigned int i;

	for (i = 0; i < REPEATED; i++)
		if (repeated[i] && repeated[i] == call_site)
			return true;
	return false;
}
