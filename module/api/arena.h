/* SPDX-License-Identifier: GPL-2.0 */
/* Arenas: blocks of pages that are allocated from front to back and given up from the back. */
#ifndef QR_ARENA_H
#define QR_ARENA_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <quarry/stats.h>
#include "api/arena_mark.h"
#include "api/arena_samples.h"
#include "slab/slab.h"

/**
 * struct qr_arena - an arena
 * @pub: what the fast path needs
 * @base: the block at hand: its first byte; 0 if there is none
 * @end: and behind its last
 * @start: bytes that were allocated before @base.  So @start + @pub.next - @base is how much
 *	is allocated: the arena's offset
 * @ahead: bytes behind @pub.limit that are not sampled either
 * @rate: that the next sample was drawn with; 0: there is none
 * @grow: pages of the next block
 * @most: pages of the largest
 * @no_sample: the profiler does not see it
 * @policy: which node blocks come from
 * @node: for QUARRY_NODE_FIXED
 * @marks: which of them are good
 * @samples: samples of its objects
 * @sampled: there has been one
 * @lock: against observers, for all that follows and for changes of the block at hand; interrupts
 *	off, before none.  What its user alone changes its user reads without
 * @blocks: in the order in which they came; of those that are one object each, any number may
 *	come after the block at hand
 * @spare: a block of no use at the moment, or NULL
 * @nr_blocks: of both
 * @nr_pages: their pages
 * @peak: the largest offset until the arena was last cut
 * @id: unique among caches and arenas
 * @link: in the list of all arenas
 * @name: for people
 */
struct qr_arena {
	struct quarry_arena pub;
	unsigned long base;
	unsigned long end;
	u64 start;
	u64 ahead;
	u32 rate;
	unsigned int grow;
	unsigned int most;
	bool no_sample;
	enum quarry_policy policy;
	int node;
	struct qr_marks marks;
	struct qr_arena_samples samples;
	bool sampled;
	raw_spinlock_t lock;
	struct list_head blocks;
	struct qr_slab *spare;
	u64 nr_blocks;
	u64 nr_pages;
	u64 peak;
	u32 id;
	struct list_head link;
	char name[QUARRY_NAME_LEN];
};

/* The list of arenas, and each one's existence; inside of qr_caches_lock. */
extern struct mutex qr_arenas_lock;
extern struct list_head qr_arenas;

/* Requests that failed, and blocks from a node that was not asked for. */
extern atomic64_t qr_arena_failed, qr_arena_fallbacks;

static inline struct qr_arena *qr_arena_of(struct quarry_arena *pub)
{
	return container_of(pub, struct qr_arena, pub);
}

/* How much is allocated. */
static inline u64 qr_arena_offset(const struct qr_arena *a)
{
	return a->start + (READ_ONCE(a->pub.next) - a->base);
}

/* Destroy what was never destroyed; no client is left. */
void qr_arenas_exit(void);

#endif /* QR_ARENA_H */
