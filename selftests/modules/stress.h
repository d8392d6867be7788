/* SPDX-License-Identifier: GPL-2.0 */
/* One stress run: what its users share, and the steps that they take. */
#ifndef QUARRY_CLIENT_STRESS_H
#define QUARRY_CLIENT_STRESS_H

#include <linux/spinlock.h>
#include "client.h"

#define STRESS_CACHES 7
#define STRESS_SHARDS 64
#define STRESS_SLOTS  32 /* in a shard */

/**
 * struct stress_shard - a part of the table, by which users pass objects to each other
 * @lock: protects @slot; tasks and interrupts take it
 * @slot: an object each; p is NULL in an empty slot
 */
struct stress_shard {
	raw_spinlock_t lock;
	struct client_object slot[STRESS_SLOTS];
};

/**
 * struct stress_user - a thread, or the hardirqs or softirqs of one CPU
 * @rnd: its random numbers
 * @seq: number of its next object
 * @allocs: allocations that succeeded
 * @frees: objects it freed
 * @failed: allocations that failed
 * @cross: objects it freed that another CPU had allocated
 * @err: the first error
 */
struct stress_user {
	struct rnd_state rnd;
	u32 seq;
	u64 allocs;
	u64 frees;
	u64 failed;
	u64 cross;
	int err;
};

extern struct quarry_cache *stress_cache[STRESS_CACHES];

int stress_create(void);
void stress_destroy(void);

/* A number below @n. */
static inline u32 stress_below(struct stress_user *u, u32 n)
{
	return ((u64)prandom_u32_state(&u->rnd) * n) >> 32;
}

/* A step of an interrupt: allocate an object, and free it or one of the table.  Does not sleep. */
void stress_step_atomic(struct stress_user *u);
/* A step of a thread: several objects, or a bulk request.  May sleep. */
void stress_step(struct stress_user *u);
/* Free the objects that are still in the table. */
void stress_empty(struct stress_user *u);

#endif /* QUARRY_CLIENT_STRESS_H */
