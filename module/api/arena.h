/* SPDX-License-Identifier: GPL-2.0 */
/* Arenas: blocks of pages, allocated from front to back and given up from the back. */
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
 * @base: address of the block at hand, from which objects are allocated; 0 if there is none
 * @end: address behind the block at hand
 * @start: bytes that were allocated before @base.  The arena's offset, which is how much of it
 *	is allocated, is @start + @pub.next - @base
 * @ahead: bytes from @pub.limit to the next sample
 * @rate: bytes between samples, as the next sample was drawn with; 0 if there is none
 * @grow: pages of the next block
 * @most: pages of the largest block
 * @no_sample: QUARRY_NO_SAMPLE
 * @policy: which node blocks come from
 * @node: for QUARRY_NODE_FIXED
 * @marks: tells which of the arena's marks are valid
 * @samples: samples of its objects
 * @sampled: an object was sampled at some time
 * @lock: protects the members below and changes of the block at hand against observers.  The
 *	arena's user, who alone changes them, reads them without it.  Interrupts off; no other
 *	lock is taken inside
 * @blocks: the blocks in the order of their allocation.  Any number of single objects with
 *	pages of their own may follow the block at hand
 * @spare: an unused block that is kept for later, or NULL
 * @nr_blocks: number of @blocks and @spare
 * @nr_pages: pages of @blocks and @spare
 * @changes: a new value whenever a block comes or goes
 * @peak: the largest offset before the arena was last given up in part or whole
 * @id: unique among caches and arenas
 * @link: in qr_arenas
 * @name: shown to people
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
	u64 changes;
	u64 peak;
	u32 id;
	struct list_head link;
	char name[QUARRY_NAME_LEN];
};

/* The list of all arenas.  An arena on it exists while the lock is held. */
extern struct mutex qr_arenas_lock;
extern struct list_head qr_arenas;

/* Allocations that failed, and blocks that came from another node than was asked for. */
extern atomic64_t qr_arena_failed, qr_arena_fallbacks;

static inline struct qr_arena *qr_arena_of(struct quarry_arena *pub)
{
	return container_of(pub, struct qr_arena, pub);
}

/* How many bytes of the arena are allocated, including those lost to alignment. */
static inline u64 qr_arena_offset(const struct qr_arena *a)
{
	return a->start + (READ_ONCE(a->pub.next) - a->base);
}

/* Give up everything that was allocated at @offset or behind it.  The caller is the only user. */
void qr_arena_cut(struct qr_arena *a, u64 offset);
/* Draw the distance to the first sample of a new arena. */
void qr_arena_draw_first(struct qr_arena *a);

/* At unload, when no client is left: destroys the arenas that clients did not destroy. */
void qr_arenas_exit(void);

#endif /* QR_ARENA_H */
