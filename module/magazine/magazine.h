/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The magazine layer: per-CPU magazines, a depot for each cache and node below them, and the
 * slow paths of allocation and free.  The fast paths are inline, in include/quarry/quarry.h.
 * magazine.c begins with an overview of the ways that objects take; read that first.
 *
 * Offers: objects of a cache (struct qr_cache) that exists already; the folder cache/ makes and
 * destroys caches.  Uses core/, pages/, profile/ and slab/.
 *
 * Files: magazine.c (overview, countdown), alloc.c, free.c and bulk.c (the slow paths), grow.c
 * (another slab), depot.c, depot_slabs.c and depot_view.c (depots), slab_trim.c (pages leave
 * slabs), capacity.c (how much a magazine may hold), array.c (memory for it), remote_free.c (frees
 * of another node's objects), drain.c (emptying magazines and depots), cleanup.c (functions that
 * run when an object is freed).
 *
 * Locks: a head is claimed, which is no lock: nothing waits for a head.  A depot has a raw
 * spinlock, taken with interrupts off, never two depots' at a time.  All cleanups share
 * qr_cleanups_lock.  No page is asked for with a lock held or a head claimed.
 *
 * Contexts: allocation and free may be called in process, softirq and hardirq context.  In an
 * NMI locks are only tried, and an allocation may return NULL for that; cache/nolock.c has the
 * calls for NMIs.  Functions that say "process context" may sleep.
 */
#ifndef QR_MAGAZINE_H
#define QR_MAGAZINE_H

#include <linux/atomic.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>
#include <quarry/stats.h>
#include "core/limit.h"
#include "core/task_count.h"
#include "magazine/array.h"
#include "magazine/depot.h"

/* Objects of a keeper that the walker looks at while it holds a lock once. */
#define QR_LOOK_OBJECTS 64U

/**
 * struct qr_keeper - a layer above that keeps free objects of a cache with their contents
 * @take: take up to @n objects, those at the end of @objs, out of the head of @cpu; return how
 *	many.  With @must all have to leave the head: the keeper frees those that it has no room
 *	for, and puts the slabs that thereby become empty in @doomed.  Interrupts are off
 * @count: how many objects the keeper has
 * @misses: add the allocations and frees that the cache's magazines could not serve so far
 * @walk: call @fn for each object that the keeper has, while the machine is stopped
 * @look: for the walker while the keeper is in use: call @fn for up to QR_LOOK_OBJECTS objects of
 *	@cpu, from number @from on, with a lock held that keeps them there.  False if there are no
 *	more
 * @gone: the cache can no longer be found; softirq context
 *
 * Pools (api/pool.c) are keepers.  A keeper's objects count as cached.  The keeper alone fills and
 * empties the magazines of its cache.  Code that has to make a magazine smaller calls @take
 * instead of giving the objects to slabs.  quarry_cache_free() bypasses such magazines.
 */
struct qr_keeper {
	unsigned int (*take)(struct qr_keeper *keeper, unsigned int cpu, void **objs,
			     unsigned int n, bool must, struct list_head *doomed);
	u64 (*count)(struct qr_keeper *keeper);
	void (*misses)(struct qr_keeper *keeper, u64 *allocs, u64 *frees);
	void (*walk)(struct qr_keeper *keeper, void (*fn)(void *p, void *arg), void *arg);
	bool (*look)(struct qr_keeper *keeper, unsigned int cpu, unsigned int from,
		     void (*fn)(void *p, void *arg), void *arg);
	void (*gone)(struct qr_keeper *keeper);
};

/**
 * struct qr_cache - a cache
 * @pub: what clients see, and the magazines
 * @geo: how its slabs are cut
 * @capacity: objects that a magazine may hold when the budget allows it; 0: no magazines
 * @batch: objects that move between a magazine and a depot at a time: half of @capacity, at
 *	least 1
 * @remote_room: objects of other nodes that a CPU may collect before it sends them home; 0 on
 *	machines with one node
 * @class: the size class that the cache serves, or 0
 * @id: unique since the module was loaded
 * @asked: bytes per object that its creator asked for
 * @align: of its objects, in bytes
 * @rate: bytes between samples, on average; 0 is off
 * @own_rate: @rate was set for this cache; otherwise it follows qr_default_rate
 * @no_sample: QUARRY_NO_SAMPLE
 * @typesafe: QUARRY_TYPESAFE_BY_RCU
 * @guarded: objects have a red zone or poison, so allocations and frees bypass the magazines
 * @align: of objects
 * @account_node: QUARRY_ACCOUNT_NODE
 * @account_reclaim: QUARRY_ACCOUNT_RECLAIM, which prevails over QUARRY_ACCOUNT_NODE
 * @rcu_frees: some object was given to RCU or deferred, so destroying the cache waits for those
 * @ctor: see &struct quarry_cache_args
 * @policy: which node objects come from
 * @node: for QUARRY_NODE_FIXED
 * @turn: for QUARRY_NODE_INTERLEAVE
 * @failed: allocations that returned NULL
 * @refused: frees that went into a magazine and turned out to be misuse
 * @handed_on: objects that a reserve handed to a client.  No magazine counts them, though each
 *	is a free by the reserve and an allocation by the client
 * @limit: of its slabs' pages
 * @guard: red zone and poison of its objects
 * @useroffset: see &struct quarry_cache_args
 * @usersize: see &struct quarry_cache_args
 * @trim_wait: how many more times the scavenger skips the cache, after a trim brought little
 * @trim_backoff: what @trim_wait was set to after the last trim
 * @trim_moves: sum of the depots' moves at the last trim
 * @slack: pages that a trim can bring, as of the last look; with qr_caches_lock
 * @slack_moves: sum of the depots' moves at that look
 * @slack_due: objects went from magazines or depots to slabs since that look
 * @fallbacks: slabs that came from another node than was asked for
 * @remote_allocs: objects that came from another node than was asked for, including those that
 *	are still in a magazine, see @far of &struct qr_array
 * @remote_frees: freed objects of another node than the CPU's that have gone home
 * @remote_batches: batches of those
 * @look_moves: sum of the depots' moves at the last look, see cache/capacity_balance.c
 * @used: a CPU allocated or freed since the last look, see cache/capacity_balance.c
 * @rested: looks since somebody allocated or freed, up to QR_REST, see there
 * @zombie: destroyed while objects were live
 * @over: the zombie has no slab any more, and is about to be freed
 * @checks: of quarry_cache_check(), see cache/live_check.c
 * @searched: lost objects are being searched for, see view/find_leaks.c
 * @shut: the magazines have no capacity, because of @checks or @searched
 * @apart: frees bypass the magazines, because the cache is a zombie, is guarded, has a keeper or is
 *	@shut
 * @single: objects are allocated one by one, because the cache is guarded or has a twin
 * @twin: serves its allocations while it is checked, see magazine/twin.c; NULL for none
 * @had_twin: it has had one, which may live on
 * @stands_for: of a twin: the cache that it serves; of any other: NULL
 * @users: of a twin: allocations that are under way
 * @keeper: the layer that keeps its objects, or NULL
 * @link: in the list of caches
 * @rcu: delays freeing the struct until readers that found it by a dangling object are done
 * @name: for people
 * @depot: [node] for ordinary objects, [nr_node_ids + node] for sampled ones; NULL for nodes
 *	that had no memory when the cache was created
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
	unsigned int align;
	u32 rate;
	bool own_rate;
	bool no_sample;
	bool typesafe;
	bool guarded;
	bool account_node;
	bool account_reclaim;
	bool rcu_frees;
	void (*ctor)(void *obj);
	enum quarry_policy policy;
	int node;
	atomic_t turn;
	atomic64_t failed;
	atomic64_t refused;
	atomic64_t fallbacks;
	atomic64_t handed_on;
	atomic64_t remote_allocs;
	atomic64_t remote_frees;
	atomic64_t remote_batches;
	struct qr_limit limit;
	struct qr_guard guard;
	unsigned int useroffset;
	unsigned int usersize;
	u8 trim_wait;
	u8 trim_backoff;
	unsigned int trim_moves;
	unsigned long slack;
	unsigned int slack_moves;
	bool slack_due;
	unsigned int look_moves;
	bool used;
	u8 rested;
	bool zombie;
	bool over;
	bool searched;
	bool shut;
	bool apart;
	bool single;
	u8 checks;
	struct qr_cache __rcu *twin;
	bool had_twin;
	struct qr_cache *stands_for;
	atomic_t users;
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
 * The value of a countdown while sampling is off, in allocations.  Large enough that the slow
 * path, taken once in so many, costs nothing; small enough that the countdown cannot overflow.
 */
#define QR_DRAW 65536

/* The length of qr_cache.depot. */
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
 * How many allocations in a row a claimed head may serve; the next one must take the slow path.
 * The caller counts those that it serves with qr_head_count().
 */
static __always_inline unsigned int qr_head_quota(const struct qr_head *h)
{
	return h->countdown;
}

static __always_inline void qr_head_count(struct qr_head *h, unsigned int n)
{
	h->countdown -= n;
}

/*
 * Count one allocation.  With the countdown at zero, as while a task's allocations are counted
 * (api/allocs_per_run.c), it is added to @drawn instead, and the countdown stays.
 */
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
 * A CPU's budget: bytes of object capacity that its heads, of all caches, may have together.
 * Only qr_percpu_kib_set() changes it.
 */
extern unsigned long qr_percpu_budget;
/* The budget, or less when the module is close to its soft limit.  Bytes. */
unsigned long qr_percpu_most(void);
/* Bytes of capacity that the heads of @cpu have. */
unsigned long qr_percpu_granted(unsigned int cpu);
/* A number that changes whenever a head of @cpu gets capacity or loses some. */
unsigned int qr_percpu_changes(unsigned int cpu);
/* The heads of @cpu have no capacity, and none was refused any since the look before the last. */
bool qr_percpu_at_rest(unsigned int cpu);
/*
 * Of the heads that were refused capacity since the last call, the bytes of capacity of the one
 * with the least; ULONG_MAX: none was refused.  Until the next call, heads with more than that
 * do not grow.
 */
unsigned long qr_percpu_poorest(unsigned int cpu);
/* Was a head of @cpu marked since the last call?  See magazine/array.h. */
bool qr_percpu_asked(unsigned int cpu);

/* Draw a new countdown.  Interrupts off, the head claimed. */
void qr_head_redraw(struct qr_cache *c, struct qr_head *h);

/*
 * The work of cache/capacity_balance.c, which takes capacity from idle heads.  Every grant
 * queues it while qr_balance_on is set.
 */
extern struct delayed_work qr_balance_work;
extern bool qr_balance_on;

/*
 * The work of cache/zombie.c, which frees zombies without objects.  qr_zombie_freed() queues it
 * after an object of a zombie was freed, in any context.  In an NMI it does nothing.
 */
extern struct delayed_work qr_zombie_work;
void qr_zombie_freed(void);

/*
 * A head with less than its full capacity missed: grant it what the budget has, as far as its array
 * has places.  Returns how many objects to move between the head and the depot now.  Interrupts
 * off, on the head's own CPU, the head claimed.
 */
unsigned int qr_head_grant(struct qr_cache *c, struct qr_head *h);
/*
 * The same for the room of remote frees; false if the budget does not have all of it, or the array
 * has no places for it.
 */
bool qr_head_grant_remote(struct qr_cache *c, struct qr_head *h);
/*
 * Reduce a head of @cpu to @capacity and @remote_room.  The head is claimed, has an array, and
 * holds no more than that.
 */
void qr_head_ungrant(struct qr_cache *c, struct qr_head *h, unsigned int cpu, unsigned int capacity,
		     unsigned int remote_room);

/* Places at the end of an array that are for remote frees, which have been granted @room. */
static inline unsigned int qr_remote_places(const struct qr_cache *c, unsigned int room)
{
	return room ? c->remote_room : 0;
}

/* Is it worth asking qr_head_wants()? */
static __always_inline bool qr_head_is_short(const struct qr_cache *c, const struct qr_head *h,
					     bool remote)
{
	if (unlikely(remote)) {
		const struct qr_array *a = qr_head_array(h);

		return !a || !a->remote_room;
	}
	return h->capacity < c->capacity;
}

/* How many objects to move at a miss: half of what fits.  Claimed, interrupts off. */
static __always_inline unsigned int qr_head_unit(struct qr_cache *c, struct qr_head *h)
{
	if (unlikely(h->capacity < c->capacity))
		return qr_head_grant(c, h);
	return c->batch;
}

/* Bytes of the CPU's budget that the head has.  With rcu_read_lock(). */
static inline unsigned long qr_head_granted(const struct qr_cache *c, const struct qr_head *h)
{
	const struct qr_array *a = qr_head_array(h);
	unsigned long objects = READ_ONCE(h->capacity);

	if (a)
		objects += READ_ONCE(a->remote_room);
	return objects * c->geo.stride;
}

/*
 * Of a head's @n objects, how many belong to another node than @home, the node of its CPU.  With
 * rcu_read_lock().
 */
unsigned int qr_head_far(const struct qr_head *h, unsigned int n, int home);
/*
 * All but @left of the head's @n objects leave it without having been allocated, so those of
 * another node no longer count as remote allocations.
 */
void qr_head_far_leave(struct qr_cache *c, struct qr_head *h, unsigned int n, unsigned int left,
		       int home);

/* The same; quick for heads without objects of another node.  @n is not 0. */
static __always_inline void qr_head_cut(struct qr_cache *c, struct qr_head *h, unsigned int n,
					unsigned int left, int home)
{
	if (unlikely(qr_head_array(h)->far > left))
		qr_head_far_leave(c, h, n, left, home);
}

/* The freed objects that belong to other nodes: the last places of the array. */
static inline void **qr_array_remote(const struct qr_cache *c, struct qr_array *a)
{
	return a->obj + a->total - c->remote_room;
}

/*
 * The node that a call names with @node: a number, QUARRY_CALL_LOCAL (this CPU's node) or
 * QUARRY_CALL_INTERLEAVE (the next one in @turn).  -EINVAL if there is no such node.
 */
int qr_call_node(int node, atomic_t *turn);

static __always_inline struct qr_depot *qr_home_depot(struct qr_cache *c)
{
	return c->depot[raw_cpu_read(qr_home_node)];
}

/* The depot of a cache whose policy is not QUARRY_NODE_LOCAL. */
struct qr_depot *qr_depot_by_policy(struct qr_cache *c);

/* The depot that the cache's policy takes objects from. */
static __always_inline struct qr_depot *qr_depot_for(struct qr_cache *c)
{
	return likely(c->policy == QUARRY_NODE_LOCAL) ? qr_home_depot(c) : qr_depot_by_policy(c);
}

/*
 * Add a slab to the depot of @node, or of another node if the pages come from there.  @sampled:
 * the depot of sampled objects.  No lock held; sleeps if @gfp allows it.  Returns the depot that
 * has the slab, or NULL.
 */
struct qr_depot *qr_cache_grow(struct qr_cache *c, int node, bool sampled, gfp_t gfp);

/*
 * Make the cache's two depots on a node that has none, such as one that had no memory when the
 * cache was created.  No lock held; sleeps if @gfp allows it.  False if there is no memory.
 */
bool qr_cache_add_depots(struct qr_cache *c, int node, gfp_t gfp);

/* For reports of misuse: the name of the cache, or what else owns @slab; either may be NULL. */
const char *qr_owner_name(const struct qr_cache *cache, const struct qr_slab *slab);

/*
 * Allocate an object, fast path included.  @asked: bytes that the client asked for, and @ip: its
 * address, both for the profile.
 */
void *qr_magazine_alloc(struct qr_cache *cache, gfp_t gfp, size_t asked, unsigned long ip);
/* The same from a node, see quarry_cache_alloc_node(). */
void *qr_magazine_alloc_node(struct qr_cache *cache, gfp_t gfp, int node, size_t asked,
			     unsigned long ip);

/*
 * Draw for an allocation that no countdown counts: returns its weight if it is to be sampled,
 * or else 0.  Interrupts off.
 */
u64 qr_is_drawn(struct qr_cache *cache);
/*
 * The countdown of a claimed head has run out.  Returns the weight of this allocation if it is
 * to be sampled, or else 0.  Without @may_sample a due sample is left for the next allocation.
 */
u64 qr_head_expired(struct qr_cache *cache, struct qr_head *h, bool may_sample);
/* Allocate an object and record its sample.  NULL: no such object, and the sample is lost. */
void *qr_alloc_sampled(struct qr_cache *cache, int node, u64 weight, size_t asked, gfp_t gfp,
		       unsigned long ip);
/* For keepers: an object from a slab, bypassing the magazine, and not sampled. */
void *qr_alloc_past(struct qr_cache *cache, gfp_t gfp);

/* Allocate @n objects or none, as quarry_cache_alloc_bulk().  Returns @n or 0. */
unsigned int qr_bulk_alloc(struct qr_cache *cache, gfp_t gfp, size_t asked, unsigned int n,
			   void **objs, unsigned long ip);

/*
 * The cache's rate has changed: draw a new countdown for @cpu.  @cpu: see qr_magazine_drain().
 * Returns 1 if that failed because the caller has interrupted an operation on the head, or else 0.
 */
unsigned int qr_magazine_redraw(struct qr_cache *cache, unsigned int cpu);

/*
 * Take up to @n objects from the depot that this CPU would refill from; they bypass the magazine
 * but are counted there.  Returns how many.  0 means: allocate the next one the usual way,
 * because it is to be sampled, the cache is guarded, the head is claimed or the depot is empty.
 */
unsigned int qr_magazine_bypass(struct qr_cache *cache, void **objs, unsigned int n);

/*
 * Move the objects of @cpu's magazine to slabs.  @cpu is the calling CPU, with preemption off,
 * or a CPU that does not use this cache meanwhile.  Returns objects moved.
 */
unsigned int qr_magazine_drain(struct qr_cache *cache, unsigned int cpu);
/* The same for the CPU that the caller runs on.  Preemption may be on. */
unsigned int qr_magazine_drain_here(struct qr_cache *cache);
/* Reduce the capacity of @cpu's magazine; objects above @capacity go to slabs.  @cpu: as above. */
void qr_magazine_shrink(struct qr_cache *cache, unsigned int cpu, unsigned int capacity);
/*
 * Send the remote frees that @cpu collected home.  With @close it collects no more until room
 * for them is granted again.  @cpu: as above.
 */
void qr_magazine_send(struct qr_cache *cache, unsigned int cpu, bool close);
/* Empty @cpu's magazine and take its capacity away.  @cpu: as above.  Returns objects moved. */
unsigned int qr_magazine_close(struct qr_cache *cache, unsigned int cpu);
/*
 * The same for the CPU that the caller runs on, also in hardirq context: slabs that become empty go
 * to @doomed, for qr_slabs_destroy().  Nothing happens if the caller has interrupted an operation
 * on the head.
 */
void qr_magazine_close_here(struct qr_cache *cache, struct list_head *doomed);

/*
 * For looks at a head, and small changes of it: call @fn with the head of @cpu claimed and
 * interrupts off; it has @n objects.  @cpu: as above; interrupts may be off.  False if the caller
 * has interrupted an operation on the head.
 */
typedef void (*qr_head_fn)(struct qr_cache *cache, struct qr_head *h, unsigned int n, void *arg);
bool qr_magazine_look(struct qr_cache *cache, unsigned int cpu, qr_head_fn fn, void *arg);

/*
 * Move the objects of the cache's depots to slabs, and destroy empty slabs.  Returns objects
 * moved.  Process context.
 */
unsigned int qr_cache_settle(struct qr_cache *cache);

#endif /* QR_MAGAZINE_H */
