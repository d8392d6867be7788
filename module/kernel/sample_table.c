// SPDX-License-Identifier: GPL-2.0
/*
 * A sample is opened before its object's allocation returns, and closed before the allocator can
 * give the address to somebody else.  So between two samples of one address there was a free, and
 * if it was not seen, it was missed.
 *
 * A free looks at the bit of its page without a lock.  It cannot miss a sample: whoever has the
 * address got it after the sample was opened.
 */
#include "kernel/sample_table.h"

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/hardirq.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include "compat.h"
#include "core/metadata.h"
#include "profile/bucket.h"

/* Lists for each entry.  With 2, at most 40 % of the bits are set. */
#define LISTS_PER_ENTRY 2

/**
 * struct qr_entry - a sample
 * @ptr: its object
 * @size: bytes that the object was given
 * @next: 1 + index of the next entry of the list, or 0
 * @sample: what the profiler knows of it
 */
struct qr_entry {
	const void *ptr;
	u32 size;
	u32 next;
	struct qr_sample sample;
};

/* --- Locks --- */

/* As lock_to_free() of profile/profile.c. */
static __always_inline bool lock_or_try(raw_spinlock_t *lock, bool wait)
{
	if (likely(!in_nmi())) {
		raw_spin_lock(lock);
		return true;
	}
	while (!raw_spin_trylock(lock)) {
		if (!wait)
			return false;
		cpu_relax();
	}
	return true;
}

static raw_spinlock_t *lock_of(struct qr_sample_table *t, u32 list)
{
	return &t->shard[list % QR_SAMPLE_SHARDS].lock;
}

/* --- Entries --- */

static struct qr_entry *take_unused(struct qr_sample_table *t)
{
	struct qr_entry *e = NULL;

	raw_spin_lock(&t->unused_lock);
	if (t->unused) {
		e = &t->entry[t->unused - 1];
		t->unused = e->next;
		WRITE_ONCE(t->used, t->used + 1);
	}
	raw_spin_unlock(&t->unused_lock);
	return e;
}

/* The link that leads to the entry of @ptr in the list, or NULL.  Under the lock of the list. */
static u32 *find(struct qr_sample_table *t, u32 list, const void *ptr)
{
	u32 *link = &t->head[list];

	while (*link) {
		struct qr_entry *e = &t->entry[*link - 1];

		if (e->ptr == ptr)
			return link;
		link = &e->next;
	}
	return NULL;
}

/*
 * Closes the sample that @link leads to.  False in an NMI that finds a lock held; then nothing has
 * changed.  Under the lock of the list.
 */
static bool close_at(struct qr_sample_table *t, u32 list, u32 *link, bool wait)
{
	u32 number = *link;
	struct qr_entry *e = &t->entry[number - 1];
	bool closed;

	if (!lock_or_try(&t->unused_lock, wait))
		return false;
	closed = qr_table_freed(t->rows, &e->sample, e->ptr, e->size, wait);
	if (closed) {
		*link = e->next;
		if (!t->head[list])
			clear_bit(list, t->pages);
		e->ptr = NULL;
		e->next = t->unused;
		t->unused = number;
		WRITE_ONCE(t->used, t->used - 1);
	}
	raw_spin_unlock(&t->unused_lock);
	return closed;
}

bool qr_sample_open(struct qr_sample_table *t, const struct qr_sampled *what, u32 stack)
{
	u32 list = qr_sample_list(t, what->ptr), *link;
	struct qr_entry *e = take_unused(t);

	if (!e)
		return false;
	qr_table_alloced(t->rows, &e->sample, what, stack);
	e->ptr = what->ptr;
	e->size = what->size;
	raw_spin_lock(lock_of(t, list));
	link = find(t, list, what->ptr);
	if (unlikely(link)) {
		close_at(t, list, link, true);
		atomic64_inc(&t->missed);
	}
	e->next = t->head[list];
	t->head[list] = e - t->entry + 1;
	set_bit(list, t->pages);
	raw_spin_unlock(lock_of(t, list));
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_sample_open);

enum qr_close qr_sample_close(struct qr_sample_table *t, const void *ptr, bool wait)
{
	enum qr_close ret = QR_NO_SAMPLE;
	u32 list = qr_sample_list(t, ptr), *link;

	if (!lock_or_try(lock_of(t, list), wait))
		return QR_BUSY;
	link = find(t, list, ptr);
	if (link)
		ret = close_at(t, list, link, wait) ? QR_CLOSED : QR_BUSY;
	raw_spin_unlock(lock_of(t, list));
	return ret;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_sample_close);

void qr_sample_close_page(struct qr_sample_table *t, const void *addr)
{
	u32 list = qr_sample_list(t, addr), *link;

	if (!lock_or_try(lock_of(t, list), false))
		return;
	link = &t->head[list];
	while (*link) {
		struct qr_entry *e = &t->entry[*link - 1];

		if ((unsigned long)e->ptr >> PAGE_SHIFT != (unsigned long)addr >> PAGE_SHIFT)
			link = &e->next;
		else if (close_at(t, list, link, false))
			atomic64_inc(&t->missed);
		else
			break;
	}
	raw_spin_unlock(lock_of(t, list));
}
EXPORT_SYMBOL_QUARRY_TEST(qr_sample_close_page);

/* --- Observers --- */

static void show_list(struct qr_sample_table *t, u32 list, qr_sample_fn fn, void *arg)
{
	struct qr_live_sample s;
	unsigned long flags;
	u32 number;

	if (!READ_ONCE(t->head[list]))
		return;
	raw_spin_lock_irqsave(lock_of(t, list), flags);
	for (number = t->head[list]; number; number = t->entry[number - 1].next) {
		const struct qr_entry *e = &t->entry[number - 1];

		s = (struct qr_live_sample){
			.site = e->sample.bucket->site.id,
			.weight = e->sample.weight,
			.time = e->sample.time,
			.asked = e->sample.asked,
			.cpu = e->sample.cpu,
		};
		fn(&s, e->size, arg);
	}
	raw_spin_unlock_irqrestore(lock_of(t, list), flags);
}

void qr_sample_walk(struct qr_sample_table *t, qr_sample_fn fn, void *arg)
{
	u32 list;

	for (list = 0; list < t->max * LISTS_PER_ENTRY; list++) {
		show_list(t, list, fn, arg);
		if (!(list % 1024))
			cond_resched();
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_sample_walk);

/* --- Life --- */

static size_t head_bytes(u32 max)
{
	return (size_t)max * LISTS_PER_ENTRY * sizeof(u32);
}

static size_t page_bytes(u32 max)
{
	return BITS_TO_LONGS((size_t)max * LISTS_PER_ENTRY) * sizeof(long);
}

int qr_sample_table_init(struct qr_sample_table *t, u32 max, struct qr_table *rows)
{
	u32 i;

	*t = (struct qr_sample_table){ .rows = rows, .max = max };
	raw_spin_lock_init(&t->unused_lock);
	for (i = 0; i < QR_SAMPLE_SHARDS; i++)
		raw_spin_lock_init(&t->shard[i].lock);
	t->shift = 64 - ilog2(max * LISTS_PER_ENTRY);
	t->pages = qr_meta_valloc(page_bytes(max));
	t->head = qr_meta_valloc(head_bytes(max));
	t->entry = qr_meta_valloc((size_t)max * sizeof(*t->entry));
	if (!t->pages || !t->head || !t->entry) {
		qr_sample_table_exit(t);
		return -ENOMEM;
	}
	for (i = 0; i < max; i++)
		t->entry[i].next = i + 1 < max ? i + 2 : 0;
	t->unused = 1;
	return 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_sample_table_init);

void qr_sample_table_exit(struct qr_sample_table *t)
{
	qr_meta_vfree(t->pages, page_bytes(t->max));
	qr_meta_vfree(t->head, head_bytes(t->max));
	qr_meta_vfree(t->entry, (size_t)t->max * sizeof(*t->entry));
	t->pages = NULL;
	t->head = NULL;
	t->entry = NULL;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_sample_table_exit);

size_t qr_sample_table_bytes(u32 max)
{
	return page_bytes(max) + head_bytes(max) + (size_t)max * sizeof(struct qr_entry);
}
