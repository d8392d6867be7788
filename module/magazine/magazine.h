/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Magazines: the slow half of what quarry.h does inline, and a cache as this
 * layer knows it.  The layer's files: magazines (magazine/magazine.c), another slab (magazine/grow.c),
 * the paths of objects (magazine/alloc.c, magazine/free.c, magazine/bulk.c), how large a magazine may be (magazine/capacity.c),
 * frees of another node's objects (magazine/remote_free.c), and what empties magazines (magazine/drain.c).
 */
#ifndef QR_MAGAZINE_H
#define QR_MAGAZINE_H

#include <linux/atomic.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>
#include <quarry/stats.h>
#include "core/limit.h"
#include "core/task_count.h"
#include "magazine/depot.h"

/**
 * struct qr_keeper - a layer above that keeps free objects of a cache as they are
 * @take: up to @n objects, those at the end of @objs, leave the head of @cpu; returns how many
 *	it took.  All, if they @must; what it frees instead leaves slabs in @doomed.  Interrupts off
 * @count: how many it has
 * @walk: call @fn for each, while nothing runs
 * @gone: nobody will find the cache any more; in softirq
 *
 * They count as cached.  Only it fills and empties the cache's magazines, and whoever asks a
 * magazine to give objects up has it take them; frees to the cache itself go past those.
 */
struct qr_keeper {
	unsigned int (*take)(struct qr_keeper *keeper, unsigned int cpu, void **objs,
			     unsigned int n, bool must, struct list_head *doomed);
	u64 (*count)(struct qr_keeper *keeper);
	void (*walk)(struct qr_keeper *keeper, void (*fn)(void *p, void *arg), void *arg);
	void (*gone)(struct qr_keeper *keeper);
};

/**
 * struct qr_cache - a cache
 * @pub: what clients see, and the magazines
 * @geo: how its slabs are cut
 * @capacity: objects in a magazine of full size; 0 if it has none
 * @batch: half of that, but not 0: objects that move between it and a depot at a time
 * @remote_room: objects of other nodes that a CPU may collect; 0 on machines with one
 * @class: the size class that it serves, or 0
 * @id: unique since the module was loaded
 * @asked: bytes per object that were asked for
 * @rate: bytes between samples; 0 is off
 * @own_rate: @rate is this cache's own, not that of all
 * @no_sample: QUARRY_NO_SAMPLE
 * @typesafe: QUARRY_TYPESAFE_BY_RCU
 * @guarded: its objects are watched, and so go past the magazines, both ways
 * @account_node: QUARRY_ACCOUNT_NODE
 * @rcu_frees: objects of it were, and may be, on their way to be freed by RCU
 * @ctor: see &struct quarry_cache_args
 * @policy: where objects come from
 * @node: for QUARRY_NODE_FIXED
 * @turn: for QUARRY_NODE_INTERLEAVE
 * @failed: allocations that returned NULL
 * @refused: frees that went into a magazine and turned out to be misuse
 * @handed_on: objects that went from a reserve to a client: freed by one, allocated by the other
 * @limit: of its slabs' pages
 * @guard: how its objects are watched
 * @useroffset: see &struct quarry_cache_args
 * @usersize: likewise
 * @trim_wait: times that the scavenger passes it over, after trimming brought little
 * @trim_backoff: how many these were the last time
 * @trim_moves: what its depots had moved by then
 * @fallbacks: slabs that came from a node not asked for
 * @head_bytes: size of one CPU's head
 * @used: a CPU has allocated or freed since the last look, see cache/capacity_balance.c
 * @zombie: destroyed while objects were live
 * @apart: what is freed goes past the magazines, for it is a zombie, is guarded or has a keeper
 * @keeper: who keeps its objects, or NULL
 * @link: in the list of caches
 * @rcu: freed after readers that came from a dangling object
 * @name: for people
 * @depot: by node, and from nr_node_ids on again by node those of sampled objects;
 *	NULL for nodes that had no memory
 */
struct qr_cache {
	struct quarry_cache pub;
	struct qr_geometry geo;
	unsigned int capacity;
	unsigned int batch;
	unsigned int remote_room;
	unsigned int class;
	unsigned int id;
	unsigned int asked;
	u32 rate;
	bool own_rate;
	bool no_sample;
	bool typesafe;
	bool guarded;
	bool account_node;
	bool rcu_frees;
	void (*ctor)(void *obj);
	enum quarry_policy policy;
	int node;
	atomic_t turn;
	atomic64_t failed;
	atomic64_t refused;
	atomic64_t fallbacks;
	atomic64_t handed_on;
	struct qr_limit limit;
	struct qr_guard guard;
	unsigned int useroffset;
	unsigned int usersize;
	u8 trim_wait;
	u8 trim_backoff;
	unsigned int trim_moves;
	unsigned int head_bytes;
	bool used;
	bool zombie;
	bool apart;
	struct qr_keeper *keeper;
	struct list_head link;
	struct rcu_head rcu;
	char name[QUARRY_NAME_LEN];
	struct qr_depot *depot[];
};

static inline struct qr_cache *qr_cache_of(struct quarry_cache *pub)
{
	return container_of(pub, struct qr_cache, pub);
}

/*
 * What goes into a countdown while nothing is sampled.  Large enough that the
 * slow path costs nothing, small enough that the sum cannot overflow the countdown.
 */
#define QR_DRAW 65536

static inline unsigned int qr_nr_depots(void)
{
	return 2 * nr_node_ids;
}

static inline struct qr_depot *qr_sampled_depot(struct qr_cache *c, int node)
{
	return c->depot[nr_node_ids + node];
}

/* Make a magazine ready for its first operation.  It has no capacity yet. */
void qr_head_init(struct qr_head *h);

/*
 * How many allocations in a row a claimed head may serve: the one after them is
 * the slow path's.  They are counted by qr_head_count().
 */
static __always_inline unsigned int qr_head_quota(const struct qr_head *h)
{
	return h->countdown;
}

static __always_inline void qr_head_count(struct qr_head *h, unsigned int n)
{
	h->countdown -= n;
}

/* One allocation.  With no countdown it is counted all the same, and not down: see api/allocs_per_run.c. */
static __always_inline void qr_head_count_one(struct qr_head *h)
{
	if (likely(h->countdown > 0)) {
		qr_head_count(h, 1);
	} else {
		h->drawn++;
		qr_count_alloc();
	}
}

/*
 * Bytes of object capacity that a CPU's heads may have together.  Changed by
 * qr_percpu_kib_set() only.
 */
extern unsigned long qr_percpu_budget;
/* That, or less where the soft limit asks for it. */
unsigned long qr_percpu_most(void);
/* What a CPU has of it. */
unsigned long qr_percpu_granted(unsigned int cpu);
/* It has nothing, and wanted nothing. */
bool qr_percpu_at_rest(unsigned int cpu);
/*
 * Since the last call: the bytes of capacity of the poorest head that was refused more,
 * or ULONG_MAX.  Until the next call those that have more are refused.
 */
unsigned long qr_percpu_poorest(unsigned int cpu);

/* A new countdown; interrupts off, the head claimed. */
void qr_head_redraw(struct qr_cache *c, struct qr_head *h);

/* What comes later to take capacity away again; queued by every grant while that is on. */
extern struct delayed_work qr_balance_work;
extern bool qr_balance_on;

/*
 * A miss of a head that has less than its full capacity: grant it what the
 * budget has.  Returns how many objects the head should move now.  Interrupts
 * off, on the head's own CPU, and the head claimed.
 */
unsigned int qr_head_grant(struct qr_cache *c, struct qr_head *h);
/* The same for the room of remote frees; all or nothing. */
bool qr_head_grant_remote(struct qr_cache *c, struct qr_head *h);
/* Take capacity away from @cpu's head, which is claimed and holds no more than is left. */
void qr_head_ungrant(struct qr_cache *c, struct qr_head *h, unsigned int cpu, unsigned int capacity,
		     unsigned int remote_room);

/* How many objects to move at a miss: half of what fits.  Claimed, interrupts off. */
static __always_inline unsigned int qr_head_unit(struct qr_cache *c, struct qr_head *h)
{
	if (unlikely(h->capacity < c->capacity))
		return qr_head_grant(c, h);
	return c->batch;
}

static inline unsigned long qr_head_granted(const struct qr_cache *c, const struct qr_head *h)
{
	return (unsigned long)(READ_ONCE(h->capacity) + READ_ONCE(h->remote_room)) * c->geo.stride;
}

/* How many of the @n objects that the head of a CPU near @home holds are another node's. */
unsigned int qr_head_far(const struct qr_head *h, unsigned int n, int home);
/* All but @left of its @n objects leave without having been allocated. */
void qr_head_far_leave(struct qr_head *h, unsigned int n, unsigned int left, int home);

static __always_inline void qr_head_cut(struct qr_head *h, unsigned int n, unsigned int left,
					int home)
{
	if (unlikely(h->far > left))
		qr_head_far_leave(h, n, left, home);
}

/* Objects of other nodes on their way home. */
static inline void **qr_head_remote(const struct qr_cache *c, struct qr_head *h)
{
	return h->obj + c->capacity;
}

/*
 * Keep an object of another node until there are more; false if that cannot
 * be.  Interrupts off, the head claimed.
 */
bool qr_remote_put(struct qr_cache *c, struct qr_head *h, void *p, struct list_head *doomed,
		   unsigned long ip);
/* Send home what is kept, a lock for each node; returns how many.  As above. */
unsigned int qr_remote_send(struct qr_cache *c, struct qr_head *h, struct list_head *doomed,
			    unsigned long ip);
/* Objects that a depot would not take: another depot's, or misused. */
void qr_settle_refused(struct qr_cache *given, void **in, unsigned int n, struct list_head *doomed,
		       unsigned long ip);

/*
 * The first step of a free, see magazine/cleanup.c: if the object at @p has cleanups they are in *@list
 * now, to be run before anything else.  Interrupts off.  Returns what is wrong: while they
 * run the object is freed again.
 */
enum qr_misuse qr_cleanups_take(struct qr_slab *slab, const void *p, struct qr_cleanup **list);
/* With interrupts and all as the one who frees has them.  The list is gone. */
void qr_cleanups_run(struct qr_cleanup *list, void *p);
/* They have run: it is an object without any.  Interrupts off. */
void qr_cleanups_done(struct qr_slab *slab, const void *p);
/* Cleanups of @p, an object of @slab, become @to's.  False: no memory, and none did. */
bool qr_cleanups_move(struct qr_slab *slab, const void *p, const void *to, gfp_t gfp);

/*
 * The node that a call's argument stands for: itself, or what QUARRY_CALL_LOCAL and
 * QUARRY_CALL_INTERLEAVE mean now; -EINVAL for what is none.  @turn: of the latter.
 */
int qr_call_node(int node, atomic_t *turn);

static __always_inline struct qr_depot *qr_home_depot(struct qr_cache *c)
{
	return c->depot[raw_cpu_read(qr_home_node)];
}

struct qr_depot *qr_depot_by_policy(struct qr_cache *c);

/* Where the cache's policy wants objects from. */
static __always_inline struct qr_depot *qr_depot_for(struct qr_cache *c)
{
	return likely(c->policy == QUARRY_NODE_LOCAL) ? qr_home_depot(c) : qr_depot_by_policy(c);
}

/* A new slab for @node; returns the depot that has it now, or NULL. */
struct qr_depot *qr_cache_grow(struct qr_cache *c, int node, bool sampled, gfp_t gfp);

/* For reports of misuse: whose @slab is; either may be NULL. */
const char *qr_owner_name(const struct qr_cache *cache, const struct qr_slab *slab);

/* What qr_malloc_slow() and its like are made of. */
void *qr_magazine_alloc(struct qr_cache *cache, gfp_t gfp, size_t asked, unsigned long ip);
void *qr_magazine_alloc_node(struct qr_cache *cache, gfp_t gfp, int node, size_t asked,
			     unsigned long ip);

/*
 * For keepers.  Is an allocation that no countdown counts to be sampled?  If so, its weight,
 * or else 0.  Interrupts off.
 */
u64 qr_is_drawn(struct qr_cache *cache);
/*
 * The countdown of a claimed head has run out.  Returns the weight of this allocation if it
 * is to be sampled, or else 0.  If it may not be sampled, the sample stays due.
 */
u64 qr_head_expired(struct qr_cache *cache, struct qr_head *h, bool may_sample);
/* An object that was drawn, or NULL: then the sample is lost. */
void *qr_alloc_sampled(struct qr_cache *cache, int node, u64 weight, size_t asked, gfp_t gfp,
		       unsigned long ip);
/* One from a slab, past the magazine, that is not sampled. */
void *qr_alloc_past(struct qr_cache *cache, gfp_t gfp);

/* Of quarry_cache_alloc_bulk() and its like: all or none. */
unsigned int qr_bulk_alloc(struct qr_cache *cache, gfp_t gfp, size_t asked, unsigned int n,
			   void **objs, unsigned long ip);

/* The cache's rate has changed: @cpu draws anew.  @cpu is as for qr_magazine_drain(). */
unsigned int qr_magazine_redraw(struct qr_cache *cache, unsigned int cpu);

/*
 * Up to @n objects from the depot that this CPU would refill from, past the
 * magazine but counted there; returns how many.  0 may mean that the next one is
 * to be sampled or looked at, or that this is nested: go the usual way.
 */
unsigned int qr_magazine_bypass(struct qr_cache *cache, void **objs, unsigned int n);

/*
 * Empty @cpu's magazine into slabs.  @cpu is this one, with preemption off,
 * or one that runs nothing of this cache.  Returns objects moved.
 */
unsigned int qr_magazine_drain(struct qr_cache *cache, unsigned int cpu);
/* Make it smaller; what it has above @capacity goes to slabs.  @cpu as above. */
void qr_magazine_shrink(struct qr_cache *cache, unsigned int cpu, unsigned int capacity);
/* Send remote frees home; with @close no more are collected until that is granted anew. */
void qr_magazine_send(struct qr_cache *cache, unsigned int cpu, bool close);
/* Empty it and take its capacity away; it may be any CPU's.  Returns objects moved. */
unsigned int qr_magazine_close(struct qr_cache *cache, unsigned int cpu);

/* Empty the depots into slabs and destroy what is empty.  Process context. */
unsigned int qr_cache_settle(struct qr_cache *cache);

#endif /* QR_MAGAZINE_H */
