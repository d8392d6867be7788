/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quarry: a memory allocator for kernel modules, with a heap profiler that is always on.
 *
 * This is the one header that a client includes.  It offers
 *
 *   quarry_malloc(), quarry_free()   memory of any size; variants are in quarry/malloc.h
 *   quarry_cache_alloc()             objects of one size, from quarry_cache_create()
 *   quarry_free_rcu()                frees after an RCU grace period: quarry/rcu.h
 *   quarry_cache_alloc_nolock()      allocation in any context, even NMI: quarry/rcu.h
 *   quarry_cleanup_add()             functions that run at a free: quarry/cleanup.h
 *   quarry_label_begin()             labels of samples: quarry/label.h
 *   quarry_pool_get()                objects that stay set up while unused: quarry/pool.h
 *   quarry_reserve_alloc()           objects that were set aside before: quarry/reserve.h
 *   quarry_arena_alloc()             memory that is given up all at once: quarry/arena.h
 *   quarry_allocs_per_run()          exact counts of allocations: quarry/testing.h
 *
 * A module that uses Quarry writes "QUARRY_IMPORT_NS;" once, after its includes.
 *
 * Contexts: every allocation and every free below may be called from process, softirq and
 * hardirq context, with interrupts on or off.  None may be called from NMI; there,
 * quarry_cache_alloc_nolock() and quarry_cache_free_nolock() work.  The gfp flags decide
 * whether an allocation may sleep.  On PREEMPT_RT, as with kmalloc(), do not allocate where
 * preemption or interrupts are off: an allocation that needs pages from the kernel takes locks
 * that sleep there.  Creating, destroying and shrinking a cache sleeps.
 *
 * gfp flags: Quarry passes the reclaim and retry flags to the page allocator unchanged.  It uses
 * the kernel's emergency reserves only for single objects, and only when nothing else is left
 * and the caller has access (__GFP_HIGH, __GFP_MEMALLOC, PF_MEMALLOC).  It honours __GFP_ZERO,
 * __GFP_NOFAIL (together with direct reclaim), __GFP_THISNODE, __GFP_NOWARN and
 * __GFP_NOLOCKDEP, and the kernel's boot options init_on_alloc and init_on_free.  A zone cannot
 * be chosen: a constant GFP_DMA does not compile, and with one that is only known at run time an
 * allocation returns NULL, which is logged once.  Quarry charges nothing to a memory cgroup.
 */
#ifndef QUARRY_QUARRY_H
#define QUARRY_QUARRY_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/gfp.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/numa.h>
#include <linux/sched/mm.h>
#include <linux/string.h>
#include <quarry/head.h>
#include <quarry/sizeclass.h>

/* Imports the symbol namespace in which all of Quarry's functions are exported. */
#define QUARRY_IMPORT_NS MODULE_INFO(import_ns, "QUARRY")

#define QUARRY_NO_LIMIT	  (~0UL)       /* bytes; for quarry_limit_set() */
#define QUARRY_MAX_LARGE  (64UL << 20) /* bytes; the largest contiguous object */
#define QUARRY_MAX_MAPPED (2UL << 30)  /* bytes; the largest object of quarry_vmalloc() */

/* Cache flags */
#define QUARRY_HWCACHE_ALIGN   BIT(0) /* objects never share a cache line */
#define QUARRY_NO_SAMPLE       BIT(1) /* objects of this cache are never sampled */
/*
 * A reader in an RCU read-side section may look at an object after it was freed.  The memory
 * may hold another object of the cache by then, but it stays with the cache until the reader
 * has left the section.  init_on_alloc and init_on_free do not zero such objects;
 * __GFP_ZERO does.
 */
#define QUARRY_TYPESAFE_BY_RCU BIT(2)
/*
 * Two flags for finding errors.  Objects of such a cache bypass the magazines: each allocation
 * and each free takes a lock and checks the object.
 *
 * QUARRY_POISON reports a write to a free object (misuse_poison) when the object is allocated
 * again or when its slab is destroyed.  It cannot be combined with a constructor or with
 * QUARRY_TYPESAFE_BY_RCU.
 *
 * QUARRY_RED_ZONE guards at least 8 bytes behind each object and reports a write to them
 * (misuse_red_zone) when the object is freed.  quarry_usable_size() of such an object is
 * exactly the size that was asked for.
 */
#define QUARRY_POISON	       BIT(3)
#define QUARRY_RED_ZONE	       BIT(4)
/* The kernel's statistics count the cache's pages as unreclaimable slab pages of their node. */
#define QUARRY_ACCOUNT_NODE    BIT(5)
/*
 * The same, but as reclaimable slab pages, which MemAvailable counts too: the client frees
 * objects when the kernel is short of memory.  Prevails over QUARRY_ACCOUNT_NODE.
 */
#define QUARRY_ACCOUNT_RECLAIM BIT(6)
#define QUARRY_CACHE_FLAGS                                                                         \
	(QUARRY_HWCACHE_ALIGN | QUARRY_NO_SAMPLE | QUARRY_TYPESAFE_BY_RCU | QUARRY_POISON |        \
	 QUARRY_RED_ZONE | QUARRY_ACCOUNT_NODE | QUARRY_ACCOUNT_RECLAIM)

/*
 * For quarry_cache_check().  With each of them, a double free and a pointer into an object are
 * reported in the free itself; QUARRY_CHECK_SANE does nothing else.  The others are for objects
 * that are allocated from then on: red zones and poison as by the flags above, and the call stack
 * that allocated each object, for reports and profiles.  Red zones and poison include the stacks.
 */
#define QUARRY_CHECK_SANE     BIT(0)
#define QUARRY_CHECK_RED_ZONE BIT(1)
#define QUARRY_CHECK_POISON   BIT(2)
#define QUARRY_CHECK_STACKS   BIT(3)

/**
 * enum quarry_policy - which NUMA node a cache's objects come from
 * @QUARRY_NODE_LOCAL: the node of the allocating CPU; another node if that one has no memory
 * @QUARRY_NODE_FIXED: the node in &struct quarry_cache_args.node, and no other unless
 *	quarry_cache_alloc_node() names one
 * @QUARRY_NODE_INTERLEAVE: the nodes that have memory, in turn
 */
enum quarry_policy {
	QUARRY_NODE_LOCAL,
	QUARRY_NODE_FIXED,
	QUARRY_NODE_INTERLEAVE,
};

/*
 * Functions that take a node also take one of these instead.  They apply the policy of the
 * same name to this one call.
 */
#define QUARRY_CALL_LOCAL      (-2)
#define QUARRY_CALL_INTERLEAVE (-3)

/**
 * struct quarry_cache_args - options of quarry_cache_create(); all zero is the default
 * @align: alignment of objects in bytes, a power of two up to 32 KiB; 0 means 8
 * @flags: a combination of the cache flags above, or 0
 * @ctor: constructor, called once for each object when its slab is created, possibly in
 *	atomic context; NULL for none.  The client must free an object in the state that the
 *	constructor left.  Neither __GFP_ZERO nor init_on_alloc nor init_on_free zeroes objects
 *	that have a constructor
 * @policy: which node objects come from, see &enum quarry_policy
 * @node: the node of QUARRY_NODE_FIXED
 * @limit: bytes of pages that the cache may hold, 0 for no limit; see quarry_limit_set()
 * @useroffset: offset in bytes of the part of an object that may be copied to and from user
 *	space
 * @usersize: bytes of that part, 0 for none.  The part must lie within the object.  The
 *	cache's statistics show it, but no kernel enforces it: hardened usercopy checks the
 *	kernel's own slabs only, and lets other pages through
 */
struct quarry_cache_args {
	unsigned int align;
	unsigned int flags;
	void (*ctor)(void *obj);
	enum quarry_policy policy;
	int node;
	size_t limit;
	unsigned int useroffset;
	unsigned int usersize;
};

/**
 * struct quarry_cache - a cache of objects of one size
 * @head: one head per CPU: its counters and its magazine
 * @size: usable bytes of an object; a multiple of 8, except in size classes under 8 bytes and
 *	in caches with a red zone
 * @zero_inline: bytes that the fast path zeroes inline, a multiple of 32; with 0 it calls
 *	qr_zero_slow()
 * @no_init: init_on_alloc and init_on_free must not zero the objects, because they have a
 *	constructor or because RCU readers may still read them; see qr_zero_slow()
 *
 * Private: the members are here because the inline fast paths read them.
 */
struct quarry_cache {
	struct qr_head __percpu *head;
	unsigned int size;
	unsigned int zero_inline;
	bool no_init;
};

#define QR_CHUNK_SHIFT 21 /* log2 of a chunk's bytes, whatever the size of a page */

/*
 * A CPU's view of the chunks: two arrays with one entry per 2 MiB of the direct map.  Parts of them
 * without chunks of the CPU's node share their memory, see module/pages/view.c.
 * fast[i] is 1 if the chunk holds ordinary slabs and is on this CPU's node.  class[i] then
 * points to the chunk's table of size classes, one byte per page.  The pointer is biased, so
 * that its index is the page's number in its 4 GiB of the direct map, which are the low 32 bits
 * of the offset.  For every other chunk, class[i] points to a shared table of zeros.
 */
struct qr_view {
	const u8 *fast;
	const u8 **class;
};

DECLARE_PER_CPU(struct qr_view, qr_view);
extern unsigned long qr_nr_chunks;
extern struct quarry_cache *qr_class_cache[QR_NR_CLASSES];
extern struct qr_head __percpu *qr_class_head[QR_NR_CLASSES];
extern u8 qr_size_class[QUARRY_MAX_SMALL / 8 + 1];

struct quarry_cache *quarry_cache_create(const char *name, unsigned int size,
					 const struct quarry_cache_args *args);
void quarry_cache_destroy(struct quarry_cache *cache);
unsigned int quarry_cache_shrink(struct quarry_cache *cache);
int quarry_limit_set(struct quarry_cache *cache, size_t soft, size_t hard);
int quarry_cache_check(struct quarry_cache *cache, unsigned int checks);
void *quarry_cache_alloc_node(struct quarry_cache *cache, gfp_t gfp, int node) __malloc;
unsigned int quarry_cache_alloc_bulk(struct quarry_cache *cache, gfp_t gfp, unsigned int n,
				     void **objs);
void quarry_cache_free_bulk(struct quarry_cache *cache, unsigned int n, void **objs);
void *quarry_malloc_node(size_t size, gfp_t gfp, int node) __malloc;
void *quarry_vmalloc(size_t size, gfp_t gfp) __malloc;
void *__must_check quarry_realloc(void *p, size_t size, gfp_t gfp);
size_t quarry_usable_size(const void *p);

/*
 * The slow paths.  The first three are called with preemption off, after a failed
 * qr_head_pop() or qr_head_push(), and return with it on.  qr_malloc_slow() differs from
 * qr_alloc_slow() in that it takes the size asked for, which a profile reports beside the
 * size given.  qr_malloc_other() serves the sizes that qr_malloc() does not look up: tiny and
 * large ones.
 */
void *qr_alloc_slow(struct quarry_cache *cache, gfp_t gfp);
void *qr_malloc_slow(struct quarry_cache *cache, gfp_t gfp, size_t size);
void qr_free_full(void *p, struct qr_head __percpu *head, struct quarry_cache *cache);
void qr_free_slow(struct quarry_cache *cache, void *p);
void *qr_malloc_other(size_t size, gfp_t gfp);

/* @gfp demands a zone: logs that once, and returns NULL. */
void *qr_zone_refused(gfp_t gfp);

/*
 * Zero an object that qr_zero() does not zero inline, and return @p.  An object with a
 * constructor is never zeroed; one that RCU readers may still read only if @gfp has
 * __GFP_ZERO.
 */
void *qr_zero_slow(const struct quarry_cache *cache, void *p, gfp_t gfp);

/* Copies of the inline functions below that live in quarry.ko: see QUARRY_CALLED. */
void *qr_cache_alloc_call(struct quarry_cache *cache, gfp_t gfp) __malloc;
void qr_cache_free_call(struct quarry_cache *cache, void *obj);
void *qr_malloc_class_call(struct quarry_cache *cache, gfp_t gfp, size_t size) __malloc;
void *qr_malloc_call(size_t size, gfp_t gfp) __malloc;
void qr_free_call(void *p);

/*
 * Where the chunks are counted from: the start of the direct map, or the first memory in it.  On
 * x86-64 the map begins at physical address 0.  Elsewhere memory may begin far above that, or the
 * map may begin far above PAGE_OFFSET (arm64 with addresses of 52 bits on a processor with 48).
 */
#ifdef CONFIG_X86_64
#define QR_MAP_START PAGE_OFFSET
#else
extern unsigned long qr_map_start;
#define QR_MAP_START qr_map_start
#endif

static __always_inline unsigned long qr_offset(const void *p)
{
	return (unsigned long)p - QR_MAP_START;
}

static __always_inline void qr_check_gfp(gfp_t gfp)
{
	if (__builtin_constant_p(gfp))
		BUILD_BUG_ON_MSG(gfp & GFP_ZONEMASK, "Quarry cannot choose a zone");
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) || IS_ENABLED(CONFIG_LOCKDEP))
		might_alloc(gfp);
}

/*
 * Does @gfp demand a zone, although the compiler could not tell?  Two instructions, for flags that
 * are not constant.
 */
static __always_inline bool qr_wants_zone(gfp_t gfp)
{
	return !__builtin_constant_p(gfp) && unlikely(gfp & (__GFP_DMA | __GFP_DMA32));
}

static __always_inline bool qr_want_zero(gfp_t gfp)
{
	return static_branch_maybe(CONFIG_INIT_ON_ALLOC_DEFAULT_ON, &init_on_alloc) ||
	       (gfp & __GFP_ZERO);
}

/* With init_on_free, which is rare, every free takes the slow path. */
static __always_inline bool qr_want_wipe(void)
{
	return static_branch_maybe(CONFIG_INIT_ON_FREE_DEFAULT_ON, &init_on_free);
}

/*
 * Zero an object.  Returns @p, so that the compiler can make the call of qr_zero_slow() a
 * tail call.  For short objects the loop costs less than a call of memset().
 */
static __always_inline void *qr_zero(struct quarry_cache *cache, void *p, gfp_t gfp)
{
	unsigned int n = cache->zero_inline;
	u64 *q = p;

	if (unlikely(!n))
		return qr_zero_slow(cache, p, gfp);
	do {
		WRITE_ONCE(q[0], 0);
		WRITE_ONCE(q[1], 0);
		WRITE_ONCE(q[2], 0);
		WRITE_ONCE(q[3], 0);
		q += 4;
	} while (n -= 32);
	return p;
}

static __always_inline void *qr_cache_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	void *p;

	qr_check_gfp(gfp);
	preempt_disable();
	if (unlikely(!qr_head_pop(cache->head, &p)))
		return qr_alloc_slow(cache, gfp);
	preempt_enable();
	if (qr_want_zero(gfp))
		return qr_zero(cache, p, gfp);
	return p;
}

static __always_inline void qr_cache_free(struct quarry_cache *cache, void *obj)
{
	unsigned long i = qr_offset(obj) >> QR_CHUNK_SHIFT;

	if (qr_want_wipe() || unlikely(i >= qr_nr_chunks)) {
		qr_free_slow(cache, obj);
		return;
	}
	preempt_disable();
	if (unlikely(__this_cpu_read(qr_view.fast)[i] != 1)) {
		preempt_enable();
		qr_free_slow(cache, obj);
		return;
	}
	if (unlikely(!qr_head_push(cache->head, obj))) {
		qr_free_full(obj, cache->head, cache);
		return;
	}
	preempt_enable();
}

static __always_inline void *qr_malloc_const(size_t size, gfp_t gfp)
{
	unsigned int class = qr_class_const(size);
	void *p;

	qr_check_gfp(gfp);
	preempt_disable();
	if (unlikely(!qr_head_pop(qr_class_head[class], &p)))
		return qr_malloc_slow(qr_class_cache[class], gfp, size);
	preempt_enable();
	if (!qr_want_zero(gfp))
		return p;
	if (qr_class_const_size(class) <= 128)
		return __builtin_memset(p, 0, qr_class_const_size(class));
	return qr_zero(qr_class_cache[class], p, gfp);
}

static __always_inline void *qr_malloc_const_call(size_t size, gfp_t gfp)
{
	return qr_malloc_class_call(qr_class_cache[qr_class_const(size)], gfp, size);
}

static __always_inline void *qr_malloc(size_t size, gfp_t gfp)
{
	unsigned int class;
	void *p;

	qr_check_gfp(gfp);
	/* One compare finds tiny sizes, for which the subtraction wraps, and large ones. */
	if (unlikely(size - QR_MAX_TINY - 1 > QUARRY_MAX_SMALL - QR_MAX_TINY - 1))
		return qr_malloc_other(size, gfp);
	class = qr_size_class[(size + 7) / 8];
	preempt_disable();
	if (unlikely(!qr_head_pop(qr_class_head[class], &p)))
		return qr_malloc_slow(qr_class_cache[class], gfp, size);
	preempt_enable();
	if (qr_want_zero(gfp))
		return qr_zero(qr_class_cache[class], p, gfp);
	return p;
}

/*
 * One branch, on qr_head_push(), catches a pointer that is not ours, is on another node or has
 * no size class, a full magazine and a claimed head: the first three have class 0, whose
 * magazine has capacity 0.
 */
static __always_inline void qr_free(void *p)
{
	unsigned long off = qr_offset(p);
	struct qr_head __percpu *head;

	if (qr_want_wipe() || unlikely(off >> QR_CHUNK_SHIFT >= qr_nr_chunks)) {
		qr_free_slow(NULL, p);
		return;
	}
	preempt_disable();
	head = qr_class_head[__this_cpu_read(
		qr_view.class)[off >> QR_CHUNK_SHIFT][(u32)off >> PAGE_SHIFT]];
	if (unlikely(!qr_head_push(head, p))) {
		qr_free_full(p, head, NULL);
		return;
	}
	preempt_enable();
}

/*
 * By default the compiler inlines the fast paths into the client.  A client that prefers small
 * code defines QUARRY_CALLED before it includes this file; it then calls the copies in
 * quarry.ko.
 */
#ifdef QUARRY_CALLED
#define qr_form(fn) fn##_call
#else
#define qr_form(fn) fn
#endif

/**
 * quarry_cache_alloc() - allocate an object of a cache
 * @cache: from quarry_cache_create()
 * @gfp: GFP_KERNEL, GFP_ATOMIC and so on: whether the call may sleep, whether the object is
 *	zeroed.  The beginning of this file lists the flags that Quarry honours
 *
 * The object comes from this CPU's magazine, so normally from this CPU's node.  If the
 * magazine is empty, the cache's policy decides which node serves.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the object, or NULL if there is no memory or a limit forbids to take more.
 */
static __always_inline void *quarry_cache_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	if (qr_wants_zone(gfp))
		return qr_zone_refused(gfp);
	return qr_form(qr_cache_alloc)(cache, gfp);
}

/**
 * quarry_cache_zalloc() - allocate an object of a cache, filled with zeros
 * @cache: from quarry_cache_create(); without a constructor
 * @gfp: as for quarry_cache_alloc()
 *
 * The node is chosen as by quarry_cache_alloc().
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the object, or NULL if there is no memory or a limit forbids to take more.
 */
static __always_inline void *quarry_cache_zalloc(struct quarry_cache *cache, gfp_t gfp)
{
	return quarry_cache_alloc(cache, gfp | __GFP_ZERO);
}

/**
 * quarry_cache_free() - free an object of a cache
 * @cache: the cache that the object was allocated from
 * @obj: the object; NULL is allowed and does nothing
 *
 * An object of another node is sent back to that node.  Misuse (a double free, a pointer that
 * is not an object of @cache) is reported, once for each caller, and the memory is left alone.
 * The fast path does not look at the object, so the report can come late: at the latest when
 * the object would return to its slab.
 *
 * Context: process, softirq, hardirq; not NMI.
 */
static __always_inline void quarry_cache_free(struct quarry_cache *cache, void *obj)
{
	qr_form(qr_cache_free)(cache, obj);
}

/**
 * quarry_malloc() - allocate memory of any size
 * @size: bytes, up to QUARRY_MAX_LARGE; 0 gives the smallest object
 * @gfp: as for quarry_cache_alloc()
 *
 * Up to 32 KiB the memory is an object of a size class.  Above that it consists of whole
 * pages, which are physically contiguous.  Either way it normally comes from this CPU's node.
 *
 * Alignment up to 32 KiB: a size that is a power of two is aligned to itself, but at least to
 * 4 bytes; any other size to 8 bytes, except 0 and 3 (aligned to 4), and 5 and 6 (aligned
 * to 2).  No type of such a size needs more.  A client that keeps marks in the low bits of
 * pointers asks for at least 7 bytes, or uses quarry_aligned_alloc().  Alignment above 32 KiB:
 * a page.
 *
 * Above 2 MiB the allocation can fail although much memory is free, because physical memory
 * is fragmented: Quarry takes blocks of at most 4 MiB from the kernel, and a larger object needs
 * several of them side by side.  At these sizes __GFP_NOFAIL may fail too; that is logged, even
 * with __GFP_NOWARN.  quarry_vmalloc() does not need contiguous memory.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL if there is none or @size is too large.
 */
static __always_inline void *quarry_malloc(size_t size, gfp_t gfp)
{
	if (qr_wants_zone(gfp))
		return qr_zone_refused(gfp);
	/* The compiler knows the class of a constant size, even if the rest is called. */
	if (__builtin_constant_p(size) && size <= QUARRY_MAX_SMALL)
		return qr_form(qr_malloc_const)(size, gfp);
	return qr_form(qr_malloc)(size, gfp);
}

/**
 * quarry_zalloc() - allocate memory filled with zeros
 * @size: bytes, as for quarry_malloc()
 * @gfp: as for quarry_cache_alloc()
 *
 * All bytes are zero, up to quarry_usable_size().  The memory normally comes from this CPU's
 * node.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL if there is none or @size is too large.
 */
static __always_inline void *quarry_zalloc(size_t size, gfp_t gfp)
{
	return quarry_malloc(size, gfp | __GFP_ZERO);
}

/**
 * quarry_free() - free memory of the malloc family or an object of any cache
 * @p: from quarry_malloc(), another function of its family or a cache; NULL is allowed and
 *	does nothing
 *
 * Memory of another node is sent back to that node.  Misuse is reported as by
 * quarry_cache_free().
 *
 * Context: process, softirq, hardirq; not NMI.
 */
static __always_inline void quarry_free(void *p)
{
	qr_form(qr_free)(p);
}

#include <quarry/malloc.h>
#include <quarry/rcu.h>
#include <quarry/cleanup.h>
#include <quarry/label.h>
#include <quarry/testing.h>
#include <quarry/pool.h>
#include <quarry/reserve.h>
#include <quarry/arena.h>

#endif /* QUARRY_QUARRY_H */
