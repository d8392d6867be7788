/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Snapshots of what is live when memory runs out: the largest rows of Quarry's heap and of each
 * domain that is on.  <quarry/oom.h> has what observers read of them.
 *
 * A snapshot is taken when no memory can be had, by a task that may hold any lock that somebody
 * holds while it waits for memory.  So all memory is taken beforehand, and no mutex is waited for.
 * The mutex of kept profiles protects the snapshots.
 */
#ifndef QR_OOM_SNAPSHOT_H
#define QR_OOM_SNAPSHOT_H

#include <quarry/oom.h>

struct qr_kept;

/*
 * Get the memory for snapshots of a heap, which stays until qr_oom_free().  Quarry's own comes
 * first; without it there are no snapshots at all.  0 or -ENOMEM.  Sleeps.
 */
int qr_oom_reserve(enum quarry_domain heap);
/* No snapshot is taken or read any more.  Sleeps. */
void qr_oom_free(void);

/* False: a snapshot is being taken or read, and @wait is not set. */
bool qr_oom_lock(bool wait);
void qr_oom_unlock(void);

/* For all that follows, the lock is held. */

/**
 * struct qr_oom_slot - a snapshot and what observers get from its numbers
 * @oom: the snapshot, without errors
 * @var: variances of its bytes, as in &struct quarry_sum
 */
struct qr_oom_slot {
	struct quarry_oom oom;
	qr_u128 var[QUARRY_DOMAINS];
};

/**
 * qr_oom_take() - take a snapshot
 * @why: what happened
 * @own: it concerns Quarry's own heap only
 * @only: of that heap, the rows of caches of this name; NULL: all
 * @wait: mutexes may be waited for
 *
 * Return: its slot, or a negative number if a mutex is held or there is no memory for snapshots.
 */
int qr_oom_take(const char *why, bool own, const char *only, bool wait);

/* There is no snapshot for an occasion: count it.  Any context; the lock need not be held. */
void qr_oom_skipped(void);

const struct qr_oom_slot *qr_oom_slot(unsigned int slot);
/* The copy of a heap that is in a slot; NULL if it has none. */
const struct qr_kept *qr_oom_kept(unsigned int slot, enum quarry_domain heap);

#endif /* QR_OOM_SNAPSHOT_H */
