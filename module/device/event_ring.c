// SPDX-License-Identifier: GPL-2.0
/*
 * The ring of events.  Its memory is shared with a program that may write anything
 * there at any time.  So the kernel keeps its own copy of every number that it relies
 * on.  It reads only the tail from the shared memory, and only subtracts it.
 *
 * qr_ring_start() allocates the memory.  It is freed when the file is released; every
 * mapping holds a reference to the file.
 */
#include "device/event_ring.h"

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/numa.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <quarry/exposure.h>
#include <quarry/profile.h>
#include <uapi/quarry.h>
#include "compat.h"
#include "core/metadata.h"

static_assert(sizeof(struct quarry_event_record) == 128);
static_assert(sizeof(struct quarry_ring_control) == 192);
static_assert(QUARRY_DEV_EVENT_ALLOC == (int)QR_EVENT_ALLOC);
static_assert(QUARRY_DEV_EVENT_FREE == (int)QR_EVENT_FREE);

/**
 * struct qr_ring - an open file's ring
 * @wait: tasks that poll
 * @wake: wakes these tasks up, because event() runs where it must not do that itself
 * @start: serializes qr_ring_start()
 * @watcher: receives the events
 * @control: the shared memory; NULL before qr_ring_start(), constant after it
 * @size: bytes of the shared memory
 * @mask: records - 1
 * @frees: record frees too
 * @bare: records have addresses, not numbers that stand for them
 * @head: records written so far
 * @overruns: events dropped so far
 */
struct qr_ring {
	wait_queue_head_t wait;
	struct irq_work wake;
	struct mutex start; /* see above */
	struct qr_watcher watcher;
	struct quarry_ring_control *control;
	size_t size;
	u32 mask;
	bool frees;
	bool bare;
	u64 head;
	u64 overruns;
};

static atomic_t rings = ATOMIC_INIT(0);

static void wake(struct irq_work *work)
{
	struct qr_ring *r = container_of(work, struct qr_ring, wake);

	wake_up_interruptible_poll(&r->wait, EPOLLIN | EPOLLRDNORM);
}

struct qr_ring *qr_ring_new(void)
{
	struct qr_ring *r = qr_meta_alloc(sizeof(*r), GFP_KERNEL, NUMA_NO_NODE);

	if (!r)
		return NULL;
	init_waitqueue_head(&r->wait);
	init_irq_work(&r->wake, wake);
	mutex_init(&r->start);
	return r;
}

void qr_ring_free(struct qr_ring *r)
{
	if (!r)
		return;
	if (r->control) {
		qr_unwatch(&r->watcher);
		irq_work_sync(&r->wake);
		qr_meta_vfree(r->control, r->size);
		atomic_dec(&rings);
	}
	mutex_destroy(&r->start);
	qr_meta_free(r, sizeof(*r));
}

static struct quarry_event_record *record_at(struct qr_ring *r, u64 n)
{
	void *data = (void *)r->control + PAGE_SIZE;

	return (struct quarry_event_record *)data + (n & r->mask);
}

/* A ring that has begun with addresses goes on with numbers when the kernel is locked down. */
static u64 shown(struct qr_ring *r, const void *p)
{
	if (r->bare && qr_hides_addresses())
		r->bare = false;
	return r->bare ? (unsigned long)p : qr_address_number(p);
}

static void write_record(struct qr_ring *r, const struct qr_event *e)
{
	*record_at(r, r->head) = (struct quarry_event_record){
		.type = e->type,
		.cpu = e->cpu,
		.seq = r->head + r->overruns,
		.time_ns = e->time_ns,
		.ptr = shown(r, e->ptr),
		.size = e->size,
		.asked = e->asked,
		.weighted = e->weighted,
		.age_ns = e->age_ns,
		.site = e->site,
		.cache = e->cache,
		.stack = e->stack,
		.labels = e->labels,
		.pid = e->pid,
	};
}

/* Called for one event at a time, under the lock of the profiler's table. */
static void event(struct qr_watcher *w, const struct qr_event *e)
{
	struct qr_ring *r = container_of(w, struct qr_ring, watcher);
	struct quarry_ring_control *control = r->control;
	bool full;

	if (e->type == QR_EVENT_FREE && !r->frees)
		return;
	/*
	 * Pairs with the reader's release of the tail: the reader has read the records
	 * before it.  A tail beyond the head makes the difference large, so the ring counts
	 * as full.
	 */
	full = r->head - smp_load_acquire(&control->tail) > r->mask;
	if (full) {
		r->overruns++;
		WRITE_ONCE(control->overruns, r->overruns);
	} else {
		write_record(r, e);
		WRITE_ONCE(r->head, r->head + 1);
		/* Pairs with the reader's acquire of the head: the record is complete. */
		smp_store_release(&control->head, r->head);
	}
	/* The barrier in wq_has_sleeper() pairs with the one in qr_ring_poll(). */
	if (!full && wq_has_sleeper(&r->wait))
		irq_work_queue(&r->wake);
}

static long start(struct qr_ring *r, u32 records, u32 flags)
{
	size_t size = PAGE_ALIGN(PAGE_SIZE + records * sizeof(struct quarry_event_record));
	struct quarry_ring_control *control = qr_meta_valloc_user(size);

	if (!control)
		return -ENOMEM;
	control->version = QUARRY_ABI_VERSION;
	control->record_size = sizeof(struct quarry_event_record);
	control->records = records;
	control->flags = flags;
	control->data_offset = PAGE_SIZE;
	r->size = size;
	r->mask = records - 1;
	r->frees = flags & QUARRY_DEV_RING_FREES;
	r->bare = qr_shows_addresses();
	r->watcher.event = event;
	/* Pairs with the acquire in qr_ring_poll() and qr_ring_mmap(): all of it is filled in. */
	smp_store_release(&r->control, control);
	qr_watch(&r->watcher);
	return size;
}

long qr_ring_start(struct qr_ring *r, u32 records, u32 flags)
{
	long size = -EBUSY;

	mutex_lock(&r->start);
	if (r->control)
		goto out;
	size = -EUSERS;
	if (!atomic_add_unless(&rings, 1, QUARRY_DEV_RINGS_MAX))
		goto out;
	size = start(r, records, flags);
	if (size < 0)
		atomic_dec(&rings);
out:
	mutex_unlock(&r->start);
	return size;
}

/*
 * Runs under mmap_lock, so it must not take r->start, which is outside of the profiler's
 * locks.  Private mappings are refused: the kernel would not see the reader's tail.
 */
int qr_ring_mmap(struct qr_ring *r, struct vm_area_struct *vma)
{
	/* Pairs with the release in start(). */
	struct quarry_ring_control *control = smp_load_acquire(&r->control);

	if (!control)
		return -ENODATA;
	if (!(vma->vm_flags & VM_MAYSHARE) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != r->size)
		return -EINVAL;
	qr_compat_vm_flags_clear(vma, VM_MAYEXEC);
	return remap_vmalloc_range(vma, control, 0);
}

__poll_t qr_ring_poll(struct qr_ring *r, struct file *file, poll_table *wait)
{
	struct quarry_ring_control *control;

	poll_wait(file, &r->wait, wait);
	/*
	 * Pairs with wq_has_sleeper() in event(): either event() sees this task in the queue,
	 * or this task sees the new head.
	 */
	smp_mb();
	/* Pairs with the release in start(). */
	control = smp_load_acquire(&r->control);
	if (!control || READ_ONCE(r->head) == READ_ONCE(control->tail))
		return 0;
	return EPOLLIN | EPOLLRDNORM;
}
