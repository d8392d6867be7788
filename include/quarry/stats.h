/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The allocator's interface for observers (debugfs/, the character device, the tests):
 * its numbers in structures, iterators, requests (drain, scavenge, validate) and
 * settings.  Observers never include a header of module/.
 *
 * Clients may use the structures and the two functions whose names begin with quarry_.
 * Later versions may add members, so a client must be built for the module it uses.
 */
#ifndef QUARRY_STATS_H
#define QUARRY_STATS_H

#include <linux/types.h>
#include <quarry/quarry.h>

#define QUARRY_NAME_LEN 48 /* a cache's name with its terminating zero */

/*
 * One line per number: its name, and what it means.  This list makes both struct
 * quarry_stats and the names in debugfs.  The numbers are exact while no allocation or
 * free is under way.
 */
/* clang-format off */
#define QUARRY_STATS(X)								\
	X(sys_bytes,		"held from the kernel: inuse + idle + metadata")	\
	X(inuse_bytes,		"pages of slabs, large objects and arenas")	\
	X(idle_bytes,		"pages held for later use")			\
	X(metadata_bytes,	"the allocator's own book-keeping")		\
	X(taken_bytes,		"taken from the kernel so far")			\
	X(returned_bytes,	"given back to the kernel so far")		\
	X(released_bytes,	"idle pages given back so far, for any reason")	\
	X(scavenged_bytes,	"part of released_bytes: given back by the scavenger")	\
	X(shrunk_bytes,		"part of released_bytes: when the kernel was short of memory")	\
	X(hole_bytes,		"holes: pages of held chunks that were given back")	\
	X(trimmed_bytes,	"pages under free objects that left slabs so far")	\
	X(live_bytes,		"objects that clients hold, including arena_live_bytes")	\
	X(live_objects,		"mallocs - frees")				\
	X(mallocs,		"allocations so far")				\
	X(frees,		"frees so far")					\
	X(kernel_frees,		"part of frees: by the kernel, which handed them to Quarry")	\
	X(rcu_pending_objects,	"part of live_objects: RCU is going to free them")	\
	X(cached_objects,	"free objects in magazines and depots")		\
	X(cached_bytes,		"bytes of cached_objects")			\
	X(large_objects,	"live objects over 32 KiB, physically contiguous")	\
	X(large_bytes,		"bytes of their pages")				\
	X(mapped_objects,	"live objects over 32 KiB, virtually contiguous only")	\
	X(mapped_bytes,		"bytes of their pages")				\
	X(arenas,		"arenas")					\
	X(arena_bytes,		"bytes of their pages, used or kept for later")	\
	X(arena_live_bytes,	"part of arena_bytes that is allocated")	\
	X(caches,		"caches, size classes included")		\
	X(zombie_caches,	"caches destroyed while they had live objects")	\
	X(slabs,		"slabs held")					\
	X(chunks,		"2 MiB chunks held")				\
	X(mixed_bytes,		"part of inuse_bytes in chunks that are not wholly ours")	\
	X(refilled_objects,	"objects moved from depots to magazines")	\
	X(flushed_objects,	"objects moved from magazines to depots")	\
	X(direct_allocs,	"allocations that bypassed the magazine")	\
	X(direct_frees,		"frees that bypassed the magazine")		\
	X(local_allocs,		"all other allocations: mallocs = local + remote")	\
	X(remote_allocs,	"allocations from another node than was asked for")	\
	X(remote_frees,		"frees of objects of another node")		\
	X(remote_batches,	"batches in which such objects went back to their node")	\
	X(remote_fallbacks,	"slabs taken from a node that was not asked for")	\
	X(failed_allocs,	"allocations that returned NULL")		\
	X(held_bytes,		"inuse + idle as limits count them, at one moment")	\
	X(soft_limit_bytes,	"above it idle pages go back first; max: QUARRY_NO_LIMIT")	\
	X(hard_limit_bytes,	"above it requests fail; max: QUARRY_NO_LIMIT")		\
	X(soft_limit_hits,	"times that a soft limit was hit")		\
	X(hard_limit_hits,	"requests for pages that a hard limit refused")	\
	X(fragmentation_permille, "1 - live/inuse")				\
	X(uptime_ns,		"time since the module was loaded")		\
	X(scavenger_ns,		"time spent by the scavenger, at most 1 % of one CPU")	\
	X(shrinker_ns,		"time spent by the shrinker, for a kernel short of memory")	\
	X(percpu_cached_bytes,	"capacity of all magazines")			\
	X(percpu_max_bytes,	"limit of percpu_cached_bytes, for the CPUs that are online")	\
	X(magazine_array_bytes,	"part of metadata_bytes: the places in magazines")	\
	X(slow_path_ns,		"time spent in slow paths, summed over CPUs; an estimate")	\
	X(sample_rate_bytes,	"bytes between samples of the profiler; 0: off")	\
	X(samples,		"objects sampled so far")			\
	X(live_samples,		"sampled objects that are live")		\
	X(sampled_live_bytes,	"the profiler's estimate of live_bytes")	\
	X(dropped_samples,	"samples not recorded, for lack of memory")	\
	X(dropped_bytes,	"bytes that these stood for")			\
	X(other_samples,	"samples recorded without stack or labels")	\
	X(profile_sites,	"rows of the profiler's table")			\
	X(profile_max_sites,	"rows that the table may have")			\
	X(profile_label_sets,	"distinct label sets, at most 1,024")		\
	X(label_scopes,		"labels that tasks have set, at most 1,024")	\
	X(dropped_labels,	"labels dropped because so many were set")	\
	X(profile_bytes,	"part of metadata_bytes: the profiler's")	\
	X(profile_max_bytes,	"limit of profile_bytes")			\
	X(misuse_foreign,	"frees of pointers that are not Quarry's")	\
	X(misuse_interior,	"frees of pointers into an object")		\
	X(misuse_wrong_cache,	"frees to the wrong cache")			\
	X(misuse_double_free,	"frees of free objects")			\
	X(misuse_busy_destroy,	"caches destroyed while they had live objects")	\
	X(misuse_stale_mark,	"releases of arenas to marks that are not valid")	\
	X(misuse_red_zone,	"red zones, behind objects, that were written to")	\
	X(misuse_poison,	"free objects that were written to")		\
	X(misuse_kernel_free,	"frees by the kernel that were not handed to Quarry")	\
	X(leaked_objects,	"objects lost to misuse")
/* clang-format on */

/* The whole allocator's numbers. */
struct quarry_stats {
#define QR_STATS_MEMBER(name, help) u64 name;
	QUARRY_STATS(QR_STATS_MEMBER)
#undef QR_STATS_MEMBER
};

/**
 * struct quarry_cache_stats - one cache's numbers
 * @name: as given to quarry_cache_create()
 * @id: unique since the module was loaded
 * @class: the size class it serves, or 0
 * @zombie: it was destroyed while it had live objects
 * @size: bytes an object offers
 * @stride: bytes from one object to the next
 * @slab_pages: pages of a slab
 * @slab_objects: objects in a slab
 * @magazine: capacity of a magazine
 * @poison: it was created with QUARRY_POISON
 * @red_zone: it was created with QUARRY_RED_ZONE
 * @account_node: it was created with QUARRY_ACCOUNT_NODE
 * @account_reclaim: it was created with QUARRY_ACCOUNT_RECLAIM
 * @useroffset: where the part of an object begins that may be copied to and from user space
 * @usersize: bytes of that part
 * @slabs: slabs held
 * @inuse_bytes: bytes of their pages
 * @capacity_objects: objects in these slabs, free or not
 * @live_objects: mallocs - frees
 * @cached_objects: free objects in magazines and depots
 * @mallocs: allocations so far
 * @frees: frees so far
 * @refilled: objects moved from the depot to magazines
 * @flushed: objects moved from magazines to the depot
 * @direct_allocs: allocations that bypassed the magazine
 * @direct_frees: frees that bypassed the magazine
 * @alloc_misses: allocations that no magazine served.  A bulk allocation that takes a batch from
 *	the depot is one of them
 * @free_misses: frees that went beyond the magazine.  A batch of frees of another node's objects
 *	is one of them
 * @remote_allocs: allocations from another node than the call or the cache's policy asked for,
 *	because that one had no memory left or a soft limit was near
 * @local_allocs: all other allocations
 * @remote_frees: frees of objects of another node
 * @remote_batches: batches in which such objects went back to their node
 */
struct quarry_cache_stats {
	char name[QUARRY_NAME_LEN];
	unsigned int id;
	unsigned int class;
	bool zombie;
	unsigned int size;
	unsigned int stride;
	unsigned int slab_pages;
	unsigned int slab_objects;
	unsigned int magazine;
	bool poison;
	bool red_zone;
	bool account_node;
	bool account_reclaim;
	unsigned int useroffset;
	unsigned int usersize;
	u64 slabs;
	u64 inuse_bytes;
	u64 capacity_objects;
	u64 live_objects;
	u64 cached_objects;
	u64 mallocs;
	u64 frees;
	u64 refilled;
	u64 flushed;
	u64 direct_allocs;
	u64 direct_frees;
	u64 alloc_misses;
	u64 free_misses;
	u64 local_allocs;
	u64 remote_allocs;
	u64 remote_frees;
	u64 remote_batches;
};

/**
 * struct quarry_cache_node - what a cache has on one node
 * @node: the node
 * @slabs: slabs on its pages
 * @inuse_bytes: bytes of their pages
 * @depot_objects: free objects in batches, which any CPU of the node may take
 */
struct quarry_cache_node {
	int node;
	u64 slabs;
	u64 inuse_bytes;
	u64 depot_objects;
};

/**
 * struct quarry_cache_cpu - what a cache has on one CPU
 * @cpu: the CPU
 * @magazine: objects that the CPU's magazine may hold now
 * @magazine_objects: objects that it holds
 */
struct quarry_cache_cpu {
	unsigned int cpu;
	unsigned int magazine;
	unsigned int magazine_objects;
};

/**
 * struct quarry_arena_stats - one arena's numbers
 * @name: as given to quarry_arena_create()
 * @id: unique among caches and arenas since the module was loaded
 * @blocks: runs of pages that it has
 * @bytes: bytes of their pages
 * @live_bytes: bytes of them that are allocated, including gaps for alignment
 * @peak_bytes: the largest value that @live_bytes has had
 */
struct quarry_arena_stats {
	char name[QUARRY_NAME_LEN];
	unsigned int id;
	u64 blocks;
	u64 bytes;
	u64 live_bytes;
	u64 peak_bytes;
};

/**
 * struct quarry_node_stats - one node's numbers
 * @chunks: whole 2 MiB chunks held, by kind: ordinary, sampled, large
 * @inuse_bytes: pages in use
 * @idle_bytes: idle pages
 * @hole_bytes: holes in whole chunks: pages that went back to the kernel
 * @mixed_bytes: the part of @inuse_bytes in mixed chunks, of which Quarry owns single runs
 * @searches: searches of the chunks held for a run of pages
 * @search_steps: summaries of the tree that these searches looked at
 */
struct quarry_node_stats {
	u64 chunks[3];
	u64 inuse_bytes;
	u64 idle_bytes;
	u64 hole_bytes;
	u64 mixed_bytes;
	u64 searches;
	u64 search_steps;
};

/**
 * struct quarry_chunk_info - one chunk
 * @pfn: its first page frame
 * @kind: "ordinary", "sampled", "large" or "mixed"
 * @used: pages in use
 * @owned: pages that Quarry holds, in use or idle
 * @longest: pages in its longest idle run
 */
struct quarry_chunk_info {
	unsigned long pfn;
	const char *kind;
	unsigned int used;
	unsigned int owned;
	unsigned int longest;
};

/**
 * struct quarry_slab_info - one slab
 * @addr: its first byte
 * @node: the node of its pages
 * @pages: pages that it has
 * @gone: pages that were trimmed from it
 * @objects: objects on its pages
 * @free: objects that are free in the slab; cached objects (in magazines, depots) are not
 * @mixed: its pages lie in a mixed chunk
 */
struct quarry_slab_info {
	const void *addr;
	int node;
	unsigned int pages;
	unsigned int gone;
	unsigned int objects;
	unsigned int free;
	bool mixed;
};

/**
 * struct quarry_pool_stats - one pool's numbers
 * @name: as given to quarry_pool_create()
 * @id: its cache's number
 * @size: bytes an object offers
 * @gets: gets so far: the sum of all hits and misses
 * @private_hits: gets from the magazine of the CPU
 * @shared_hits: gets from the shelf of the CPU
 * @stolen_hits: gets from the shelf of another CPU
 * @victim_hits: gets of objects that the shrinker was about to take from a shelf
 * @misses: gets that made a new object
 * @remote_hits: the part of @stolen_hits and @victim_hits that is objects of another node
 * @puts: objects put back
 * @dropped: the part of @puts for which there was no room
 * @idle: objects in magazines and on shelves
 */
struct quarry_pool_stats {
	char name[QUARRY_NAME_LEN];
	unsigned int id;
	unsigned int size;
	u64 gets;
	u64 private_hits;
	u64 shared_hits;
	u64 stolen_hits;
	u64 victim_hits;
	u64 misses;
	u64 remote_hits;
	u64 puts;
	u64 dropped;
	u64 idle;
};

void quarry_stats_read(struct quarry_stats *st);
int quarry_cache_stats_read(struct quarry_cache *cache, struct quarry_cache_stats *st);
/* Read the numbers of the cache with number @id.  Returns 0, or -ENOENT.  Sleeps. */
int qr_cache_stats_read(unsigned int id, struct quarry_cache_stats *st);
void qr_node_stats_read(int node, struct quarry_node_stats *st);

typedef int (*qr_cache_fn)(const struct quarry_cache_stats *st, void *arg);
typedef int (*qr_cache_node_fn)(const struct quarry_cache_node *cn, void *arg);
typedef int (*qr_cache_cpu_fn)(const struct quarry_cache_cpu *cc, void *arg);
typedef int (*qr_arena_fn)(const struct quarry_arena_stats *st, void *arg);
typedef int (*qr_chunk_fn)(const struct quarry_chunk_info *ci, void *arg);
typedef int (*qr_slab_fn)(const struct quarry_slab_info *si, void *arg);
typedef int (*qr_pool_fn)(const struct quarry_pool_stats *st, void *arg);

/* Each calls @fn until it returns non-zero, and returns that value.  @fn may sleep. */
int qr_walk_caches(qr_cache_fn fn, void *arg);
/* Each node that the cache has depots for; each CPU whose magazine has capacity or objects. */
int qr_walk_cache_nodes(unsigned int id, qr_cache_node_fn fn, void *arg);
int qr_walk_cache_cpus(unsigned int id, qr_cache_cpu_fn fn, void *arg);
int qr_walk_arenas(qr_arena_fn fn, void *arg);
int qr_walk_chunks(int node, qr_chunk_fn fn, void *arg);
int qr_walk_slabs(unsigned int id, qr_slab_fn fn, void *arg);
int qr_walk_pools(qr_pool_fn fn, void *arg);

/* The limit, in KiB of objects, on the capacity of all magazines of one CPU together. */
u32 qr_percpu_kib_get(void);
/* Set the limit.  When this returns, magazines that were too large are smaller.  Sleeps. */
void qr_percpu_kib_set(u32 kib);

/* Move the objects of all magazines and depots back to their slabs.  Returns how many. */
u64 qr_drain_all(void);

/* Give all idle pages back to the kernel.  Returns how many pages. */
u64 qr_scavenge_now(void);

/* Idle pages that the scavenger keeps, in per cent of those in use.  -ERANGE above 100. */
unsigned int qr_retain_get(void);
int qr_retain_set(unsigned int percent);

/*
 * A cache's limits, or the module's (QUARRY_LIMIT_ALL), in bytes of pages; ULONG_MAX is no
 * limit.  Returns 0, or -ENOENT for no such cache.
 */
#define QUARRY_LIMIT_ALL 0u
int qr_limit_read(unsigned int cache, unsigned long *soft, unsigned long *hard);
int qr_limit_write(unsigned int cache, bool is_hard, unsigned long bytes);
/* Read a limit as people write it: "max", or bytes with a suffix.  0, -EINVAL or -ERANGE. */
int qr_limit_parse(const char *text, unsigned long *bytes);

/**
 * struct quarry_validation - what the walker found
 * @caches: caches walked
 * @slabs: slabs walked
 * @chunks: chunks walked
 * @objects: objects in these slabs
 * @live: objects that clients hold
 * @unsettled: sums that changed while they were looked at, and so were not compared, and errors
 *	that were not confirmed with the machine stopped; 0 if it was stopped from the beginning
 * @errors: places where the books do not agree
 * @first: text that describes the first error
 */
struct quarry_validation {
	u64 caches;
	u64 slabs;
	u64 chunks;
	u64 objects;
	u64 live;
	u64 unsettled;
	u64 errors;
	char first[160];
};

/* For parts of the walker: count an error; the first one's text is kept in v->first. */
__printf(2, 3) void qr_invalid(struct quarry_validation *v, const char *fmt, ...);

/*
 * Check every layer's books at one moment, for which the machine is stopped.  Returns 0, or
 * -EUCLEAN with v->first set.  Sleeps.
 */
int qr_validate(struct quarry_validation *v);
/*
 * Check them in slices, while clients go on.  The machine is stopped only to confirm an error.  An
 * object that is cached in two places is not found unless both are in one magazine, and sums that
 * change meanwhile are not compared (v->unsettled).  Also returns -EINTR after a fatal signal.
 * Sleeps.
 */
int qr_validate_slices(struct quarry_validation *v);

/**
 * struct qr_observer - callbacks when caches are created and destroyed
 * @created: from now on a cache can be looked up by this id
 * @destroyed: the cache is about to be destroyed
 *
 * Both are called in process context and must not call functions of this header.  While
 * @destroyed runs, no lock is held that these take, so it may wait for their callers.
 */
struct qr_observer {
	void (*created)(unsigned int id, const char *name);
	void (*destroyed)(unsigned int id);
};

/* Set the only observer, or remove it (NULL).  Calls @created for each cache there is. */
void qr_observe(const struct qr_observer *observer);

#endif /* QUARRY_STATS_H */
