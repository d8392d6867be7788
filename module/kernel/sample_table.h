/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The samples of a heap that is not Quarry's, by the address of their objects.
 *
 * An object of Quarry has its sample beside its slab.  For an object of the kernel's the free
 * knows the address only.  Nearly all frees are of objects without a sample, so each page has a
 * bit (of a hash of its address) that tells whether a sampled object may lie there.  Samples of
 * the pages of one bit are in one list.
 *
 * All memory is allocated beforehand.  Locks are raw: one for each of QR_SAMPLE_SHARDS parts of
 * the lists; inside of it the lock of unused entries; inside of that the lock of the table of
 * rows.
 */
#ifndef QR_SAMPLE_TABLE_H
#define QR_SAMPLE_TABLE_H

#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include "profile/profile.h"

#define QR_SAMPLE_SHARDS 64

struct qr_entry;

/**
 * struct qr_sample_table - samples by address
 * @rows: the table in which they are counted
 * @pages: the bits; one for each list
 * @shift: 64 - log2 of the number of lists
 * @head: the lists: 1 + index of the first entry, or 0
 * @entry: memory for the samples
 * @max: how many there are
 * @unused_lock: protects @unused and @used
 * @unused: 1 + index of the first unused entry, or 0
 * @used: entries that are in use
 * @missed: samples whose object was allocated again, or whose page was freed
 * @shard: locks; shard i protects the lists whose number is i modulo the number of shards
 */
struct qr_sample_table {
	struct qr_table *rows;
	unsigned long *pages;
	unsigned int shift;
	u32 *head;
	struct qr_entry *entry;
	u32 max;
	raw_spinlock_t unused_lock; /* see above */
	u32 unused;
	u32 used;
	atomic64_t missed;
	struct {
		raw_spinlock_t lock; /* see above */
	} ____cacheline_aligned_in_smp shard[QR_SAMPLE_SHARDS];
};

static __always_inline unsigned long qr_sample_list(const struct qr_sample_table *t,
						    const void *ptr)
{
	/* hash_64() would compute the shift each time. */
	return ((unsigned long)ptr >> PAGE_SHIFT) * GOLDEN_RATIO_64 >> t->shift;
}

/* May there be a sample on the page of @ptr?  Any context; @ptr may be anything. */
static __always_inline bool qr_sample_on_page(const struct qr_sample_table *t, const void *ptr)
{
	return test_bit(qr_sample_list(t, ptr), t->pages);
}

/*
 * A drawn object was allocated: count it, and remember its sample.  An older sample at the same
 * address is closed: its free was missed.  Returns false if there is no unused entry; then nothing
 * has changed.  Interrupts off; not in NMI.  @stack is of qr_table_stack().
 */
bool qr_sample_open(struct qr_sample_table *t, const struct qr_sampled *what, u32 stack);

enum qr_close {
	QR_CLOSED,
	QR_NO_SAMPLE, /* the object has none */
	QR_BUSY,      /* an NMI found a lock held; nothing has changed */
};

/*
 * The object at @ptr is freed.  Interrupts off; also in NMI.  Without @wait locks are only tried
 * there, as this CPU may hold one.
 */
enum qr_close qr_sample_close(struct qr_sample_table *t, const void *ptr, bool wait);

/*
 * The page at @addr is freed.  If there are samples on it, their frees were missed.  Interrupts
 * off; also in NMI.
 */
void qr_sample_close_page(struct qr_sample_table *t, const void *addr);

/* Call @fn for each sample, with the lock of its list held.  The order is that of memory. */
typedef void (*qr_sample_fn)(const struct qr_live_sample *s, u32 size, void *arg);
void qr_sample_walk(struct qr_sample_table *t, qr_sample_fn fn, void *arg);

/* Make an empty table of @max samples, a power of two, counted in @rows.  0 or -ENOMEM.  Sleeps. */
int qr_sample_table_init(struct qr_sample_table *t, u32 max, struct qr_table *rows);
/* Nobody uses it any more.  Sleeps. */
void qr_sample_table_exit(struct qr_sample_table *t);
/* Bytes of a table of @max samples. */
size_t qr_sample_table_bytes(u32 max);

#endif /* QR_SAMPLE_TABLE_H */
