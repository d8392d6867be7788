/* SPDX-License-Identifier: GPL-2.0 */
/* A ring of events with its mapping, for the parts of "dev" that test rings. */
#ifndef QUARRY_SELFTESTS_DEV_RING_H
#define QUARRY_SELFTESTS_DEV_RING_H

#include "dev.h"

#define RECORDS 4096 /* more than the events of one hold and its release */

/**
 * struct ring - a ring with its mapping
 * @fd: the file
 * @d: the answer of QUARRY_IOC_RING
 * @control: the first page
 * @record: the records
 * @tail: the reader's own copy of the tail, because part_tails() spoils the one in @control
 */
struct ring {
	int fd;
	struct quarry_dev_ring d;
	struct quarry_ring_control *control;
	struct quarry_event_record *record;
	__u64 tail;
};

/* Ends the program if it fails. */
void ring_open(struct ring *r, __u32 records, __u32 flags);
void ring_close(struct ring *r);

static inline __u64 ring_head(struct ring *r)
{
	return __atomic_load_n(&r->control->head, __ATOMIC_ACQUIRE);
}

static inline void ring_set_tail(struct ring *r, __u64 tail)
{
	__atomic_store_n(&r->control->tail, tail, __ATOMIC_RELEASE);
}

/* The next record, or NULL; valid until ring_next(). */
static inline const struct quarry_event_record *ring_first(struct ring *r)
{
	return r->tail == ring_head(r) ? NULL : &r->record[r->tail & (r->d.records - 1)];
}

static inline void ring_next(struct ring *r)
{
	ring_set_tail(r, ++r->tail);
}

static inline __u64 overruns(struct ring *r)
{
	return __atomic_load_n(&r->control->overruns, __ATOMIC_RELAXED);
}

#endif /* QUARRY_SELFTESTS_DEV_RING_H */
