/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quarry: per-CPU object caches over size-classed slabs.
 *
 * A module that uses it says QUARRY_IMPORT_NS; once, after its includes.
 *
 * Contexts: every allocation and free below may be called from process,
 * softirq and hardirq context, with interrupts on or off, but not from NMI,
 * where quarry_cache_alloc_nolock() and quarry_cache_free_nolock() may be.
 * As with kmalloc(), an allocation that has to ask the kernel for pages takes
 * locks that sleep on PREEMPT_RT, so not from contexts that are atomic there.
 * Whether an allocation may sleep is what its gfp flags say.  Creating,
 * destroying and shrinking a cache sleeps.
 *
 * gfp flags: the reclaim, retry and reserve flags reach the page allocator as
 * they are.  __GFP_ZERO, __GFP_NOFAIL (with direct reclaim), __GFP_THISNODE
 * and __GFP_NOWARN are honoured, and so are the kernel's init_on_alloc and
 * init_on_free.  Zones cannot be chosen (GFP_DMA does not compile), and
 * nothing is charged to a memory cgroup.
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

/* Quarry's symbols live in a namespace of their own. */
#define QUARRY_IMPORT_NS MODULE_INFO(import_ns, "QUARRY")

#define QUARRY_NO_LIMIT	  (~0UL)       /* for quarry_limit_set() */
#define QUARRY_MAX_LARGE  (64UL << 20) /* bytes; the largest object of pages in a row */
#define QUARRY_MAX_MAPPED (2UL << 30)  /* bytes; the largest of quarry_vmalloc() */

/* Cache flags */
#define QUARRY_HWCACHE_ALIGN   BIT(0) /* objects never share a cache line */
#define QUARRY_NO_SAMPLE       BIT(1) /* the profiler does not see this cache */
/*
 * Readers in an RCU read-side section may look at an object after it was freed: it may be
 * another one of the cache by then, but its memory stays the cache's until they have
 * left.  Such objects are zeroed by __GFP_ZERO only, and not by init_on_alloc and
 * init_on_free.
 */
#define QUARRY_TYPESAFE_BY_RCU BIT(2)
/*
 * For finding errors.  Such objects go past the magazines: each allocation and each free takes
 * a lock, and looks at the object.  Writes to free objects are reported when these are
 * allocated again or their slab goes (misuse_poison), and writes to at least 8 bytes behind an
 * object when it is freed (misuse_red_zone).  Poisoned objects have no constructor and are not
 * QUARRY_TYPESAFE_BY_RCU; one with a red zone offers exactly the bytes that were asked for.
 */
#define QUARRY_POISON	       BIT(3)
#define QUARRY_RED_ZONE	       BIT(4)
/* Its slabs' pages are in the kernel's books as unreclaimable slab pages of their node. */
#define QUARRY_ACCOUNT_NODE    BIT(5)
#define QUARRY_CACHE_FLAGS                                                                         \
	(QUARRY_HWCACHE_ALIGN | QUARRY_NO_SAMPLE | QUARRY_TYPESAFE_BY_RCU | QUARRY_POISON |        \
	 QUARRY_RED_ZONE | QUARRY_ACCOUNT_NODE)

/**
 * enum quarry_policy - which node a cache's objects come from
 * @QUARRY_NODE_LOCAL: the allocating CPU's node; others when it has nothing
 * @QUARRY_NODE_FIXED: the node in &struct quarry_cache_args.node, and no other
 *	but where quarry_cache_alloc_node() names one
 * @QUARRY_NODE_INTERLEAVE: slabs go round the nodes that have memory
 */
enum quarry_policy {
	QUARRY_NODE_LOCAL,
	QUARRY_NODE_FIXED,
	QUARRY_NODE_INTERLEAVE,
};

/*
 * In place of a node, in a call that names one: what the policy of the same name means,
 * for this call.
 */
#define QUARRY_CALL_LOCAL      (-2)
#define QUARRY_CALL_INTERLEAVE (-3)

/**
 * struct quarry_cache_args - what is out of the ordinary about a cache
 * @align: bytes, a power of two up to 32 KiB; 0 means 8
 * @flags: QUARRY_HWCACHE_ALIGN and the others above, or 0
 * @ctor: called once for each object when its slab is cut, possibly in atomic
 *	context; a freed object must be left as it was constructed.  Such objects
 *	are zeroed neither by __GFP_ZERO nor by init_on_alloc or init_on_free
 * @policy: see &enum quarry_policy
 * @node: for QUARRY_NODE_FIXED
 * @limit: bytes of pages that the cache may hold, or 0: see quarry_limit_set()
 * @useroffset: where in an object the part begins that may be copied to and from user space
 * @usersize: bytes of that part, 0 for none.  It has to lie within the object, and is shown
 *	in the cache's numbers.  No kernel's hardened usercopy asks for it: that knows the
 *	kernel's own slabs, and lets other pages through
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
 * struct quarry_cache - a cache of equal objects
 * @head: per-CPU magazines
 * @size: bytes an object offers, a multiple of 8 but for small size classes and red zones
 * @zero_inline: bytes to zero inline, a multiple of 32; 0: see qr_zero_slow()
 * @no_init: objects are constructed, or readers may see them: see qr_zero_slow()
 *
 * The fast path needs these; treat them as private.
 */
struct quarry_cache {
	struct qr_head __percpu *head;
	unsigned int size;
	unsigned int zero_inline;
	bool no_init;
};

/*
 * A CPU's view of the chunks, one entry per 2 MiB of the direct map.  fast[] is
 * 1 for chunks of ordinary slabs on this CPU's node.  class[] points at the
 * chunk's table of size classes, biased so that it takes a page number of
 * the whole map; every other chunk's entry points at a table of zeros.
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

/**
 * struct quarry_label_scope - a label of a task, from quarry_label_begin() to _end()
 * @link: private
 * @task: private
 * @key: private
 * @value: private
 */
struct quarry_label_scope {
	struct hlist_node link;
	struct task_struct *task;
	const char *key;
	const char *value;
};

int quarry_label_begin(struct quarry_label_scope *scope, const char *key, const char *value);
void quarry_label_end(struct quarry_label_scope *scope);

struct quarry_cache *quarry_cache_create(const char *name, unsigned int size,
					 const struct quarry_cache_args *args);
void quarry_cache_destroy(struct quarry_cache *cache);
unsigned int quarry_cache_shrink(struct quarry_cache *cache);
int quarry_limit_set(struct quarry_cache *cache, size_t soft, size_t hard);
void *quarry_cache_alloc_node(struct quarry_cache *cache, gfp_t gfp, int node) __malloc;
unsigned int quarry_cache_alloc_bulk(struct quarry_cache *cache, gfp_t gfp, unsigned int n,
				     void **objs);
void quarry_cache_free_bulk(struct quarry_cache *cache, unsigned int n, void **objs);
void *quarry_malloc_node(size_t size, gfp_t gfp, int node) __malloc;
void *quarry_vmalloc(size_t size, gfp_t gfp) __malloc;
void *__must_check quarry_realloc(void *p, size_t size, gfp_t gfp);
size_t quarry_usable_size(const void *p);

/*
 * The slow paths.  The first three return with preemption on.  A profile tells
 * what was asked for from what was given, so malloc has one of its own.  The last
 * is for the sizes that qr_malloc() does not look up, which are tiny or large.
 */
void *qr_alloc_slow(struct quarry_cache *cache, gfp_t gfp);
void *qr_malloc_slow(struct quarry_cache *cache, gfp_t gfp, size_t size);
void qr_free_full(void *p, struct qr_head __percpu *head, struct quarry_cache *cache);
void qr_free_slow(struct quarry_cache *cache, void *p);
void *qr_malloc_other(size_t size, gfp_t gfp);

/*
 * What is too long or too odd.  Objects that are constructed stay as they are, and those
 * that readers may still see too, unless @gfp asks.  Returns @p.
 */
void *qr_zero_slow(const struct quarry_cache *cache, void *p, gfp_t gfp);

/* The inline functions below, out of line: see QUARRY_CALLED. */
void *qr_cache_alloc_call(struct quarry_cache *cache, gfp_t gfp) __malloc;
void qr_cache_free_call(struct quarry_cache *cache, void *obj);
void *qr_malloc_class_call(struct quarry_cache *cache, gfp_t gfp, size_t size) __malloc;
void *qr_malloc_call(size_t size, gfp_t gfp) __malloc;
void qr_free_call(void *p);

static __always_inline unsigned long qr_offset(const void *p)
{
	return (unsigned long)p - PAGE_OFFSET;
}

static __always_inline void qr_check_gfp(gfp_t gfp)
{
	if (__builtin_constant_p(gfp))
		BUILD_BUG_ON_MSG(gfp & GFP_ZONEMASK, "Quarry cannot choose a zone");
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) || IS_ENABLED(CONFIG_LOCKDEP))
		might_alloc(gfp);
}

static __always_inline bool qr_want_zero(gfp_t gfp)
{
	return static_branch_maybe(CONFIG_INIT_ON_ALLOC_DEFAULT_ON, &init_on_alloc) ||
	       (gfp & __GFP_ZERO);
}

/* init_on_free: rare enough for the whole free to go the slow way. */
static __always_inline bool qr_want_wipe(void)
{
	return static_branch_maybe(CONFIG_INIT_ON_FREE_DEFAULT_ON, &init_on_free);
}

/*
 * Zero an object and return it, so that the long form can be a tail call.  A
 * short loop costs less than a call of memset().
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
	unsigned long i = qr_offset(obj) >> 21;

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
	/* In one compare: up to QR_MAX_TINY, which wraps, or over QUARRY_MAX_SMALL. */
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
 * "Not ours", "on another node", "not of a size class", "full" and "claimed"
 * all end in the one branch on qr_head_push(): class 0 has a magazine of
 * capacity 0.
 */
static __always_inline void qr_free(void *p)
{
	unsigned long off = qr_offset(p);
	struct qr_head __percpu *head;

	if (qr_want_wipe() || unlikely(off >> 21 >= qr_nr_chunks)) {
		qr_free_slow(NULL, p);
		return;
	}
	preempt_disable();
	head = qr_class_head[__this_cpu_read(qr_view.class)[off >> 21][off >> 12]];
	if (unlikely(!qr_head_push(head, p))) {
		qr_free_full(p, head, NULL);
		return;
	}
	preempt_enable();
}

/*
 * By default the fast paths are inlined into the caller.  A module that wants
 * small code instead defines QUARRY_CALLED before including this file and
 * calls them in quarry.ko.
 */
#ifdef QUARRY_CALLED
#define qr_form(fn) fn##_call
#else
#define qr_form(fn) fn
#endif

/**
 * quarry_cache_alloc() - allocate an object
 * @cache: from quarry_cache_create()
 * @gfp: may it sleep, must it be zeroed, and so on; see the head of this file
 *
 * The object comes from this CPU's magazine, so normally from this CPU's node;
 * the cache's policy says where from if the magazine is empty.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the object, or NULL when the memory could not be had.
 */
static __always_inline void *quarry_cache_alloc(struct quarry_cache *cache, gfp_t gfp)
{
	return qr_form(qr_cache_alloc)(cache, gfp);
}

/**
 * quarry_cache_zalloc() - allocate an object filled with zeros
 * @cache: from quarry_cache_create(), without a constructor
 * @gfp: as for quarry_cache_alloc()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the object, or NULL when the memory could not be had.
 */
static __always_inline void *quarry_cache_zalloc(struct quarry_cache *cache, gfp_t gfp)
{
	return quarry_cache_alloc(cache, gfp | __GFP_ZERO);
}

/**
 * quarry_cache_free() - give an object back
 * @cache: the cache it was allocated from
 * @obj: the object, or NULL
 *
 * An object of another node goes home to that node.  A pointer that is not an
 * object of @cache is reported once and left alone, at the latest when it
 * would reach its slab.
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
 * Up to 32 KiB it comes from a size class, above that in whole pages, which
 * are physically contiguous.  Sizes that are powers of two are aligned to
 * their size up to 32 KiB, to a page above, and all others to 8 bytes, but those
 * below 7 bytes: up to 4 they are aligned to 4, and 5 and 6 to 2.  No type of such
 * a size wants more; who keeps marks in the low bits of pointers must ask for 7
 * bytes or more, or for quarry_aligned_alloc().  Normally from this CPU's node.
 *
 * Above 2 MiB it takes luck: the kernel's largest free blocks are 4 MiB, and what is
 * larger is to be had if some of them lie side by side.  There, __GFP_NOFAIL may fail, and
 * is logged whether or not there is __GFP_NOWARN.  quarry_vmalloc() needs no luck.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL when it could not be had or @size is too large.
 */
static __always_inline void *quarry_malloc(size_t size, gfp_t gfp)
{
	/* Out of line too, the class of a constant size is settled here. */
	if (__builtin_constant_p(size) && size <= QUARRY_MAX_SMALL)
		return qr_form(qr_malloc_const)(size, gfp);
	return qr_form(qr_malloc)(size, gfp);
}

/**
 * quarry_zalloc() - allocate memory filled with zeros
 * @size: bytes, as for quarry_malloc()
 * @gfp: as for quarry_cache_alloc()
 *
 * All of quarry_usable_size() is zero.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL when it could not be had or @size is too large.
 */
static __always_inline void *quarry_zalloc(size_t size, gfp_t gfp)
{
	return quarry_malloc(size, gfp | __GFP_ZERO);
}

/**
 * quarry_free() - give back what any Quarry allocation returned
 * @p: from quarry_malloc() and its like or from a cache, or NULL
 *
 * Memory of another node goes home to that node.  Misuse is dealt with as in
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
#include <quarry/testing.h>
#include <quarry/pool.h>
#include <quarry/reserve.h>
#include <quarry/arena.h>

#endif /* QUARRY_QUARRY_H */
