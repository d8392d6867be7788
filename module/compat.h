/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernel releases.  This is the only file that may name a release.
 * Supported: 6.1 to 7.3, on x86-64 and arm64.
 */
#ifndef QR_COMPAT_H
#define QR_COMPAT_H

#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/mmzone.h>
#include <linux/rcupdate.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/stackdepot.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "Quarry needs Linux 6.1 or later: older kernels lack functions that it calls"
#endif
#ifndef CONFIG_64BIT
#error "Quarry needs a 64-bit kernel: elsewhere the direct map does not cover all memory"
#endif
#if PAGE_SHIFT != 12 && PAGE_SHIFT != 14
#error "Quarry needs pages of 4 or 16 KiB: with larger ones, slabs waste too much"
#endif

/* It builds, but nobody tried it.  main.c says so once. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 4, 0)
#define QR_COMPAT_NOTE "Quarry was not tried on Linux 7.4 or later; run its tests first"
#elif !defined(CONFIG_X86_64) && !defined(CONFIG_ARM64)
#define QR_COMPAT_NOTE "Quarry was not tried on this architecture; run its tests first"
#elif PAGE_SHIFT != 12
#define QR_COMPAT_NOTE "Quarry fails some of its tests with pages of 16 KiB; run them first"
#endif

/* 6.4 split the memory of a module into ranges by their use, such as text. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define qr_compat_module_text(mod)	((mod)->mem[MOD_TEXT].base)
#define qr_compat_module_text_size(mod) ((mod)->mem[MOD_TEXT].size)
#define qr_compat_module_init(mod)	((mod)->mem[MOD_INIT_TEXT].base)
#else
#define qr_compat_module_text(mod)	((mod)->core_layout.base)
#define qr_compat_module_text_size(mod) ((mod)->core_layout.text_size)
#define qr_compat_module_init(mod)	((mod)->init_layout.base)
#endif

/*
 * 6.3 removed __GFP_ATOMIC.  Before, it was a part of GFP_ATOMIC, and together with __GFP_HIGH it
 * gave access to more of the emergency reserves.
 */
#ifdef __GFP_ATOMIC
#define QR_COMPAT_GFP_ATOMIC __GFP_ATOMIC
#else
#define QR_COMPAT_GFP_ATOMIC ((__force gfp_t)0)
#endif

/* A kernel without memory of devices has no such zone. */
#ifdef CONFIG_ZONE_DEVICE
#define QR_COMPAT_ZONE_DEVICE ZONE_DEVICE
#else
#define QR_COMPAT_ZONE_DEVICE (-1)
#endif

/* 6.3 made vm_flags const, and added functions that change it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define qr_compat_vm_flags_clear(vma, flags) vm_flags_clear(vma, flags)
#else
#define qr_compat_vm_flags_clear(vma, flags) ((vma)->vm_flags &= ~(flags))
#endif

/* 6.4 made MAX_ORDER the largest order itself, not one more; 6.8 renamed it to MAX_PAGE_ORDER. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define QR_COMPAT_MAX_ORDER MAX_PAGE_ORDER
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define QR_COMPAT_MAX_ORDER MAX_ORDER
#else
#define QR_COMPAT_MAX_ORDER (MAX_ORDER - 1)
#endif

/* 6.8 made a flag of the argument that says whether the stack depot may allocate memory. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define qr_compat_depot_save(entries, nr, gfp, add)                                                \
	stack_depot_save_flags(entries, nr, gfp, (add) ? STACK_DEPOT_FLAG_CAN_ALLOC : 0)
#else
#define qr_compat_depot_save(entries, nr, gfp, add) __stack_depot_save(entries, nr, 0, gfp, add)
#endif

/*
 * 6.7 allocates shrinkers in the kernel; before, the user allocated them.  seeks is 0, because the
 * objects that are shrunk are idle and cost nothing to create again.
 */
typedef unsigned long (*qr_shrink_fn)(struct shrinker *s, struct shrink_control *sc);

static inline struct shrinker *qr_compat_shrinker_new(const char *name, unsigned int flags,
						      qr_shrink_fn count, qr_shrink_fn scan,
						      long batch)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	struct shrinker *s = shrinker_alloc(flags, "%s", name);
#else
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);
#endif

	if (!s)
		return NULL;
	s->flags |= flags;
	s->count_objects = count;
	s->scan_objects = scan;
	s->batch = batch;
	s->seeks = 0;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_register(s);
#else
	if (register_shrinker(s, "%s", name)) {
		kfree(s);
		return NULL;
	}
#endif
	return s;
}

static inline void qr_compat_shrinker_free(struct shrinker *s)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_free(s);
#else
	unregister_shrinker(s);
	kfree(s);
#endif
}

/*
 * 6.10 made macros of the allocation functions, for its allocation profiling; the functions behind
 * the macros have the suffix _noprof.  6.11 renamed the functions for constant sizes, and gave
 * others an argument for a set of caches ("buckets").
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define qr_compat_noprof(name) name##_noprof
#else
#define qr_compat_noprof(name) name
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define QR_COMPAT_KMALLOC_CACHE		      __kmalloc_cache_noprof
#define QR_COMPAT_KMALLOC_CACHE_NODE	      __kmalloc_cache_node_noprof
#define QR_COMPAT_KMALLOC_LARGE_NODE	      __kmalloc_large_node_noprof
#define QR_COMPAT_KVMALLOC_NODE		      __kvmalloc_node_noprof
#define qr_compat_buckets_alloc(b, size, gfp) kmem_buckets_alloc(b, size, gfp)
#else
#define QR_COMPAT_KMALLOC_CACHE		      qr_compat_noprof(kmalloc_trace)
#define QR_COMPAT_KMALLOC_CACHE_NODE	      qr_compat_noprof(kmalloc_node_trace)
#define QR_COMPAT_KMALLOC_LARGE_NODE	      qr_compat_noprof(kmalloc_large_node)
#define QR_COMPAT_KVMALLOC_NODE		      qr_compat_noprof(kvmalloc_node)
#define DECL_BUCKET_PARAMS(size, b)	      size_t(size)
#define PASS_BUCKET_PARAM(b)		      NULL
#define qr_compat_buckets_alloc(b, size, gfp) NULL
#endif

/*
 * The function that all allocations of pages come to; only its address is used.  The one of 7.3 is
 * exported, and declared where modules cannot see it.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
void __alloc_frozen_pages_noprof(void);
#define QR_COMPAT_ALLOC_PAGES __alloc_frozen_pages_noprof
#else
#define QR_COMPAT_ALLOC_PAGES qr_compat_noprof(__alloc_pages)
#endif

/*
 * The function that allocates many pages at a time, as its last two arguments a list and an array,
 * of which one is NULL.  6.14 dropped the list.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define QR_COMPAT_PAGES_BULK alloc_pages_bulk_noprof
#else
#define QR_COMPAT_PAGES_BULK __alloc_pages_bulk
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
#define QR_COMPAT_PAGES_BULK_HAS_LIST 0
#else
#define QR_COMPAT_PAGES_BULK_HAS_LIST 1
#endif

/* 6.12 passes the optional arguments of kmem_cache_create() in a structure. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
struct kmem_cache_args {
	unsigned int align;
	unsigned int useroffset;
	unsigned int usersize;
	void (*ctor)(void *obj);
};

#define qr_compat_cache_create(name, size, args, flags)                                            \
	kmem_cache_create_usercopy(name, size, (args)->align, flags, (args)->useroffset,           \
				   (args)->usersize, (args)->ctor)
#else
#define qr_compat_cache_create(name, size, args, flags)                                            \
	__kmem_cache_create_args(name, size, args, flags)
#endif

/* 6.12 added kmem_cache_charge(), which charges an object to a memory cgroup later. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define qr_compat_cache_charge(obj, gfp) kmem_cache_charge(obj, gfp)
#else
#define qr_compat_cache_charge(obj, gfp) true
#endif

/*
 * 6.3 passes the object to kvfree_call_rcu().  Before, the second argument was the distance from
 * the object to @head, or, without a head, the object itself.  7.3 has a smaller head for it.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
#define QR_COMPAT_FREE_RCU_ARGS		struct kvfree_rcu_head *head, void *ptr
#define qr_compat_rcu_object(head, ptr) (ptr)
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define QR_COMPAT_FREE_RCU_ARGS		struct rcu_head *head, void *ptr
#define qr_compat_rcu_object(head, ptr) (ptr)
#else
#define QR_COMPAT_FREE_RCU_ARGS struct rcu_head *head, rcu_callback_t ptr
#define qr_compat_rcu_object(head, ptr)                                                            \
	((head) ? (void *)(head) - (unsigned long)(ptr) : (void *)(ptr))
#endif

/*
 * 6.12 added a barrier for kfree_rcu().  7.3 no longer exports it: kmem_cache_destroy() waits there
 * by itself.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0) && LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#define qr_compat_rcu_barrier() kvfree_rcu_barrier()
#else
#define qr_compat_rcu_barrier() rcu_barrier()
#endif

/* 6.9 removed SLAB_MEM_SPREAD; 6.5 added SLAB_NO_MERGE. */
#ifndef SLAB_MEM_SPREAD
#define SLAB_MEM_SPREAD ((slab_flags_t __force)0)
#endif
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE ((slab_flags_t __force)0)
#endif

/*
 * 6.18 gave the functions behind krealloc() and kvmalloc() arguments for alignment and node; 6.12
 * removed the old size.  7.2 passes a token with each size, which the compiler may derive from the
 * type of the object.
 */
#ifdef DECL_TOKEN_PARAMS
#define qr_compat_size(size)	   DECL_TOKEN_PARAMS(size, token)
#define qr_compat_size_of(size, b) DECL_KMALLOC_PARAMS(size, b, token)
#else
#define qr_compat_size(size)	   size_t size
#define qr_compat_size_of(size, b) DECL_BUCKET_PARAMS(size, b)
#endif
/* clang-format off */
#ifdef krealloc_node_align
#define QR_COMPAT_KREALLOC			krealloc_node_align_noprof
#define QR_COMPAT_KVREALLOC			kvrealloc_node_align_noprof
#define QR_COMPAT_KREALLOC_ARGS							\
	const void *p, qr_compat_size(size), unsigned long align, gfp_t gfp, int node
#define QR_COMPAT_KVREALLOC_ARGS		QR_COMPAT_KREALLOC_ARGS
#define QR_COMPAT_KVMALLOC_ARGS							\
	qr_compat_size_of(size, b), unsigned long align, gfp_t gfp, int node
#define QR_COMPAT_ALIGN				max(align, 1UL)
#define QR_COMPAT_NODE				node
#define qr_compat_krealloc(p, size, gfp)	krealloc_node_align(p, size, align, gfp, node)
#define qr_compat_kvrealloc(p, size, gfp)	kvrealloc_node_align(p, size, align, gfp, node)
#else
#define QR_COMPAT_KREALLOC			qr_compat_noprof(krealloc)
#define QR_COMPAT_KVREALLOC			qr_compat_noprof(kvrealloc)
#define QR_COMPAT_KREALLOC_ARGS			const void *p, size_t size, gfp_t gfp
#define QR_COMPAT_KVMALLOC_ARGS			qr_compat_size_of(size, b), gfp_t gfp, int node
#define QR_COMPAT_ALIGN				1UL
#define QR_COMPAT_NODE				NUMA_NO_NODE
#define qr_compat_krealloc(p, size, gfp)	krealloc(p, size, gfp)
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define QR_COMPAT_KVREALLOC_ARGS		const void *p, size_t size, gfp_t gfp
#define qr_compat_kvrealloc(p, size, gfp)	kvrealloc(p, size, gfp)
#else
#define QR_COMPAT_KVREALLOC_ARGS		const void *p, size_t old, size_t size, gfp_t gfp
#define qr_compat_kvrealloc(p, size, gfp)	kvrealloc(p, old, size, gfp)
#endif
/* clang-format on */
#endif

/* Since 6.13 krealloc() takes the size of what it gets from the pages, without __ksize(). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define QR_COMPAT_KREALLOC_SIZES 1
#else
#define QR_COMPAT_KREALLOC_SIZES 0
#endif

/* 7.2 added frees for contexts in which kfree() and kvfree() must not be called. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
#define qr_compat_kfree_nolock(p)  kfree_nolock(p)
#define qr_compat_kvfree_atomic(p) kvfree_atomic(p)
#else
#define qr_compat_kfree_nolock(p)  kfree(p)
#define qr_compat_kvfree_atomic(p) kvfree(p)
#endif

/* 6.18 added a flag for queues whose work runs where it was queued.  7.3 warns of one without. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#define QR_COMPAT_WQ_PERCPU WQ_PERCPU
#else
#define QR_COMPAT_WQ_PERCPU 0
#endif

/* 6.13 made the symbol namespace a string; before, it was a bare token. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define EXPORT_SYMBOL_QUARRY(sym) EXPORT_SYMBOL_NS_GPL(sym, "QUARRY")
#else
#define EXPORT_SYMBOL_QUARRY(sym) EXPORT_SYMBOL_NS_GPL(sym, QUARRY)
#endif

/* In 6.13 to 6.17 a binary file of sysfs has either read() or read_new(). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0) && LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define qr_compat_bin_read(kobj, attr, buf, size)                                                  \
	((attr)->read_new ? (attr)->read_new(NULL, kobj, attr, buf, 0, size) :                     \
	 (attr)->read	  ? (attr)->read(NULL, kobj, attr, buf, 0, size) :                         \
			    -EIO)
#else
#define qr_compat_bin_read(kobj, attr, buf, size)                                                  \
	((attr)->read ? (attr)->read(NULL, kobj, attr, buf, 0, size) : -EIO)
#endif

/* About 6.19, clang took over lock tracking, and the macros for sparse were removed. */
#ifndef __cond_lock
#define __cond_lock(lock, taken) (taken)
#endif

/* 6.13 sets a timer up and its function in one call; 6.17 removed hrtimer_init(). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define qr_compat_hrtimer_setup(timer, fn, clock, mode) hrtimer_setup(timer, fn, clock, mode)
#else
#define qr_compat_hrtimer_setup(timer, fn, clock, mode)                                            \
	do {                                                                                       \
		hrtimer_init(timer, clock, mode);                                                  \
		(timer)->function = (fn);                                                          \
	} while (0)
#endif

/* Exports an internal symbol to the KUnit module, on kernels with KUnit. */
#if IS_ENABLED(CONFIG_KUNIT)
#define EXPORT_SYMBOL_QUARRY_TEST(sym) EXPORT_SYMBOL_QUARRY(sym)
#else
#define EXPORT_SYMBOL_QUARRY_TEST(sym)
#endif

#endif /* QR_COMPAT_H */
