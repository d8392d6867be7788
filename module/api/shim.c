// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's slab API for unedited modules (see quarry/kmem_shim.h): caches and frees.
 *
 * A module uses a struct kmem_cache only by its address.  The address of a Quarry cache is
 * given to the module with its topmost bit inverted.  The bit tells Quarry's caches from the
 * kernel's, some of which modules use too (__getname() does).  And if a module passes such an
 * address to the kernel, the kernel faults on it at once, instead of taking a Quarry cache for
 * one of its own.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "api/shim.h"

#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <quarry/quarry.h>
#include "cache/cache.h"
#include "core/clean_name.h"
#include "slab/mapped.h"

#define MARK BIT(BITS_PER_LONG - 1)

/* Flags that have no effect in Quarry. */
#define FLAGS_IGNORED                                                                              \
	(SLAB_MEM_SPREAD | SLAB_NOLEAKTRACE | SLAB_NO_MERGE | SLAB_NO_USER_FLAGS | SLAB_KASAN |    \
	 SLAB_SKIP_KFENCE)
#define FLAGS_DEBUG                                                                                \
	(SLAB_CONSISTENCY_CHECKS | SLAB_STORE_USER | SLAB_TRACE | SLAB_DEBUG_OBJECTS |             \
	 SLAB_FAILSLAB)
#define FLAGS_KNOWN                                                                                \
	(FLAGS_IGNORED | FLAGS_DEBUG | SLAB_HWCACHE_ALIGN | SLAB_PANIC | SLAB_TYPESAFE_BY_RCU |    \
	 SLAB_ACCOUNT | SLAB_RECLAIM_ACCOUNT | SLAB_RED_ZONE | SLAB_POISON)

static __always_inline bool is_ours(const struct kmem_cache *s)
{
	return (long)s > 0;
}

static __always_inline struct quarry_cache *to_ours(struct kmem_cache *s)
{
	return (struct quarry_cache *)((unsigned long)s ^ MARK);
}

static struct kmem_cache *to_kmem(struct quarry_cache *cache)
{
	return cache ? (struct kmem_cache *)((unsigned long)cache ^ MARK) : NULL;
}

/* --- Life of a cache --- */

/* Returns why Quarry cannot serve such a cache, or NULL if it can. */
static const char *unfit(unsigned int size, unsigned int align, slab_flags_t flags)
{
	if (flags & (SLAB_CACHE_DMA | SLAB_CACHE_DMA32))
		return "its objects are in a zone of memory";
	if (flags & ~FLAGS_KNOWN)
		return "unknown flags";
	if (align && !is_power_of_2(align))
		return "its alignment is no power of two";
	if (align > QUARRY_MAX_SMALL || size > QUARRY_MAX_SMALL ||
	    round_up(size + (flags & SLAB_RED_ZONE ? QR_RED_ZONE : 0), align ?: 1) >
		    QUARRY_MAX_SMALL)
		return "its objects are larger than 32 KiB";
	return NULL;
}

/* @ip: code of the module that wants the cache. */
static struct kmem_cache *cache_create(const char *name, unsigned int size,
				       struct kmem_cache_args *args, slab_flags_t flags,
				       unsigned long ip)
{
	struct kmem_cache_args plain = {};
	struct kmem_cache *s;
	struct quarry_cache_args ours = {};
	char clean[QUARRY_NAME_LEN];
	struct quarry_cache *cache;
	const char *why;

	qr_clean_name(clean, name ?: "", sizeof(clean));
	if (!args)
		args = &plain;
	why = unfit(size, args->align, flags);
	if (why) {
		pr_info("cache %s stays the kernel's: %s\n", clean, why);
		return qr_compat_cache_create(name, size, args, flags);
	}
	if (args->usersize > size || args->useroffset > size - args->usersize) {
		pr_err("cache %s: %u bytes at %u for user space are more than its %u\n", clean,
		       args->usersize, args->useroffset, size);
	} else {
		ours.useroffset = args->useroffset;
		ours.usersize = args->usersize;
	}
	if (flags & FLAGS_DEBUG)
		pr_info("cache %s: debugging flags %#x are of no effect\n", clean,
			(__force unsigned int)(flags & FLAGS_DEBUG));
	ours.align = args->align;
	ours.ctor = args->ctor;
	if (flags & SLAB_HWCACHE_ALIGN)
		ours.flags |= QUARRY_HWCACHE_ALIGN;
	if (flags & SLAB_TYPESAFE_BY_RCU)
		ours.flags |= QUARRY_TYPESAFE_BY_RCU;
	if (flags & SLAB_ACCOUNT)
		ours.flags |= QUARRY_ACCOUNT_NODE;
	if (flags & SLAB_RECLAIM_ACCOUNT)
		ours.flags |= QUARRY_ACCOUNT_RECLAIM;
	if (flags & SLAB_RED_ZONE)
		ours.flags |= QUARRY_RED_ZONE;
	/* Objects that must keep their contents are not poisoned; SLUB does the same. */
	if ((flags & SLAB_POISON) && !args->ctor && !(flags & SLAB_TYPESAFE_BY_RCU))
		ours.flags |= QUARRY_POISON;
	cache = quarry_cache_create(name, size, &ours);
	if (!cache && (flags & SLAB_PANIC))
		panic("quarry: no cache %s\n", clean);
	s = to_kmem(cache);
	if (s)
		qr_handed_add(s, name, ip);
	return s;
}

struct kmem_cache *qr_shim_cache_create_args(const char *name, unsigned int size,
					     struct kmem_cache_args *args, slab_flags_t flags)
{
	return cache_create(name, size, args, flags, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_create_args);

struct kmem_cache *qr_shim_cache_create(const char *name, unsigned int size, unsigned int align,
					slab_flags_t flags, void (*ctor)(void *obj))
{
	struct kmem_cache_args args = { .align = align, .ctor = ctor };

	return cache_create(name, size, &args, flags, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_create);

struct kmem_cache *qr_shim_cache_create_usercopy(const char *name, unsigned int size,
						 unsigned int align, slab_flags_t flags,
						 unsigned int useroffset, unsigned int usersize,
						 void (*ctor)(void *obj))
{
	struct kmem_cache_args args = {
		.align = align,
		.ctor = ctor,
		.useroffset = useroffset,
		.usersize = usersize,
	};

	return cache_create(name, size, &args, flags, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_create_usercopy);

void qr_shim_cache_destroy(struct kmem_cache *s)
{
	if (is_ours(s)) {
		qr_handed_del(s);
		quarry_cache_destroy(to_ours(s));
	} else {
		kmem_cache_destroy(s);
	}
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_destroy);

int qr_shim_cache_shrink(struct kmem_cache *s)
{
	if (!is_ours(s))
		return kmem_cache_shrink(s);
	quarry_cache_shrink(to_ours(s));
	return 0;
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_shrink);

unsigned int qr_shim_cache_size(struct kmem_cache *s)
{
	return is_ours(s) ? qr_cache_of(to_ours(s))->asked : kmem_cache_size(s);
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_size);

/* --- Objects --- */

void *qr_shim_cache_alloc(struct kmem_cache *s, gfp_t gfp)
{
	if (unlikely(!is_ours(s)))
		return kmem_cache_alloc(s, gfp);
	return qr_cache_alloc(to_ours(s), gfp);
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_alloc);

void *qr_shim_cache_alloc_lru(struct kmem_cache *s, struct list_lru *lru, gfp_t gfp)
{
	if (unlikely(!is_ours(s)))
		return kmem_cache_alloc_lru(s, lru, gfp);
	return qr_cache_alloc(to_ours(s), gfp);
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_alloc_lru);

void *qr_shim_cache_alloc_node(struct kmem_cache *s, gfp_t gfp, int node)
{
	struct qr_cache *c;

	if (unlikely(!is_ours(s)))
		return kmem_cache_alloc_node(s, gfp, node);
	c = qr_cache_of(to_ours(s));
	return qr_magazine_alloc_node(c, gfp, node, c->asked, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_alloc_node);

qr_shim_bulk_t qr_shim_cache_alloc_bulk(struct kmem_cache *s, gfp_t gfp, size_t n, void **objs)
{
	struct qr_cache *c;

	if (unlikely(!is_ours(s)))
		return kmem_cache_alloc_bulk(s, gfp, n, objs);
	c = qr_cache_of(to_ours(s));
	return qr_bulk_alloc(c, gfp, c->asked, n, objs, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_alloc_bulk);

void qr_shim_cache_free(struct kmem_cache *s, void *obj)
{
	if (unlikely(!is_ours(s)))
		kmem_cache_free(s, obj);
	else
		qr_cache_free(to_ours(s), obj);
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_free);

/* If @s is NULL, this is kfree_bulk(). */
void qr_shim_cache_free_bulk(struct kmem_cache *s, size_t n, void **objs)
{
	if (is_ours(s)) {
		quarry_cache_free_bulk(to_ours(s), n, objs);
	} else if (s) {
		kmem_cache_free_bulk(s, n, objs);
	} else {
		while (n--)
			qr_shim_kfree(objs[n]);
	}
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_free_bulk);

/* Quarry charges nothing to memory cgroups, so charging its objects succeeds. */
bool qr_shim_cache_charge(void *obj, gfp_t gfp)
{
	return qr_shim_owns(obj) || qr_compat_cache_charge(obj, gfp);
}
EXPORT_SYMBOL_QUARRY(qr_shim_cache_charge);

/* The kernel's mempools call these two, if a module created the mempool on a cache. */
void *qr_shim_mempool_alloc(gfp_t gfp, void *pool_data)
{
	return qr_shim_cache_alloc(pool_data, gfp);
}
EXPORT_SYMBOL_QUARRY(qr_shim_mempool_alloc);

void qr_shim_mempool_free(void *element, void *pool_data)
{
	qr_shim_cache_free(pool_data, element);
}
EXPORT_SYMBOL_QUARRY(qr_shim_mempool_free);

/* --- Frees, of Quarry's memory and of the kernel's --- */

/*
 * In a whole chunk every page that is not a hole belongs to Quarry, even if no object on it is
 * live: otherwise a double free would reach the kernel.  A hole, and a page of a mixed chunk
 * without a slab, may belong to the kernel.  Such a page cannot become Quarry's while the
 * caller's object is on it.
 */
bool qr_shim_owns(const void *p)
{
	unsigned long i = qr_chunk_index(p);
	const struct qr_chunk *chunk;
	bool ours = false;

	rcu_read_lock();
	if (i >= READ_ONCE(qr_directory)->nr) {
		ours = is_vmalloc_addr(p) && qr_mapped_of(p);
	} else {
		unsigned int page = qr_page_in_chunk(p);

		chunk = qr_chunk_at(i);
		if (chunk)
			ours = READ_ONCE(chunk->slab[page]) ||
			       (chunk->kind != QR_MIXED && !test_bit(page, chunk->holes));
	}
	rcu_read_unlock();
	return ours;
}

/*
 * The fast path of quarry_free(), for memory of a size class on this CPU's node.  False for all
 * other memory, whether it is Quarry's or not.
 */
static __always_inline bool free_fast(void *p)
{
	unsigned long off = qr_offset(p);
	struct qr_head __percpu *head;
	unsigned int class;

	if (qr_want_wipe() || unlikely(off >> QR_CHUNK_SHIFT >= qr_nr_chunks))
		return false;
	preempt_disable();
	class = __this_cpu_read(qr_view.class)[off >> QR_CHUNK_SHIFT][(u32)off >> PAGE_SHIFT];
	if (unlikely(!class)) {
		preempt_enable();
		return false;
	}
	head = qr_class_head[class];
	if (likely(qr_head_push(head, p)))
		preempt_enable();
	else
		qr_free_full(p, head, NULL);
	return true;
}

/*
 * Most memory that is not on the fast path is the kernel's and lies in a block without a page of
 * Quarry's.  That takes one look-up.
 */
static __always_inline bool owns(const void *p)
{
	unsigned long i = qr_chunk_index(p);

	if (likely(i < READ_ONCE(qr_directory)->nr) && !qr_chunk_at(i))
		return false;
	return qr_shim_owns(p);
}

void qr_shim_kfree(const void *obj)
{
	void *p = (void *)obj;

	/* The kfree() of quarry/kmem_shim.h has looked already; callers by address have not. */
	if (unlikely(!p) || likely(free_fast(p)))
		return;
	if (owns(p))
		qr_free_slow(NULL, p);
	else
		kfree(p);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kfree);

void qr_shim_kvfree(const void *obj)
{
	void *p = (void *)obj;

	if (unlikely(!p) || likely(free_fast(p)))
		return;
	if (owns(p))
		qr_free_slow(NULL, p);
	else
		kvfree(p);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kvfree);

void qr_shim_kfree_sensitive(const void *p)
{
	if (qr_shim_owns(p))
		quarry_free_sensitive(p);
	else
		kfree_sensitive(p);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kfree_sensitive);

void qr_shim_kvfree_sensitive(const void *p, size_t len)
{
	if (qr_shim_owns(p))
		quarry_free_sensitive(p);
	else
		kvfree_sensitive(p, len);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kvfree_sensitive);

/* Quarry's free works in every context in which the kernel's does, except in NMI. */
void qr_shim_kfree_nolock(const void *p)
{
	if (qr_shim_owns(p))
		qr_free_slow(NULL, (void *)p);
	else
		qr_compat_kfree_nolock(p);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kfree_nolock);

void qr_shim_kvfree_atomic(const void *p)
{
	if (qr_shim_owns(p))
		qr_free_slow(NULL, (void *)p);
	else
		qr_compat_kvfree_atomic(p);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kvfree_atomic);

/* The kernel's function recognizes constants; Quarry's memory never is one. */
void qr_shim_kfree_const(const void *p)
{
	if (qr_shim_owns(p))
		qr_free_slow(NULL, (void *)p);
	else
		kfree_const(p);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kfree_const);

size_t qr_shim_ksize(const void *p)
{
	return quarry_usable_size(p) ?: ksize(p);
}
EXPORT_SYMBOL_QUARRY(qr_shim_ksize);

/* kfree_rcu() and its variants all call this function, with an rcu_head or without. */
void qr_shim_kvfree_call_rcu(QR_COMPAT_FREE_RCU_ARGS)
{
	const void *p = qr_compat_rcu_object(head, ptr);

	if (qr_shim_owns(p))
		quarry_free_rcu(p);
	else
		kvfree_call_rcu(head, ptr);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kvfree_call_rcu);

void qr_shim_kvfree_rcu_barrier(void)
{
	quarry_rcu_barrier();
	qr_compat_rcu_barrier();
}
EXPORT_SYMBOL_QUARRY(qr_shim_kvfree_rcu_barrier);

/* For a cache of the kernel this waits for more than was asked: for all caches. */
void qr_shim_kvfree_rcu_barrier_on_cache(struct kmem_cache *s)
{
	if (is_ours(s))
		quarry_rcu_barrier();
	else
		qr_compat_rcu_barrier();
}
EXPORT_SYMBOL_QUARRY(qr_shim_kvfree_rcu_barrier_on_cache);

/* The next two are functions that modules pass to the kernel, which frees memory by them. */
void qr_shim_kfree_link(void *p)
{
	qr_shim_kfree(p);
}
EXPORT_SYMBOL_QUARRY(qr_shim_kfree_link);

int qr_shim_seq_release_private(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;

	qr_shim_kfree(seq->private);
	seq->private = NULL;
	return seq_release(inode, file);
}
EXPORT_SYMBOL_QUARRY(qr_shim_seq_release_private);
