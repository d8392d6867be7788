/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where kernel releases differ, oldest first.  The only file that may name a
 * release.  Supported: 6.1 to 7.2.
 */
#ifndef QR_COMPAT_H
#define QR_COMPAT_H

#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/mmzone.h>
#include <linux/rcupdate.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/stackdepot.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "Quarry needs Linux 6.1 or later"
#endif

/* 6.4 gave each kind of a module's memory a range of its own. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define qr_compat_module_text(mod)	((mod)->mem[MOD_TEXT].base)
#define qr_compat_module_text_size(mod) ((mod)->mem[MOD_TEXT].size)
#else
#define qr_compat_module_text(mod)	((mod)->core_layout.base)
#define qr_compat_module_text_size(mod) ((mod)->core_layout.text_size)
#endif

/* 6.3 made the flags of a mapping const, and added functions to change them. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define qr_compat_vm_flags_clear(vma, flags) vm_flags_clear(vma, flags)
#else
#define qr_compat_vm_flags_clear(vma, flags) ((vma)->vm_flags &= ~(flags))
#endif

/* 6.4 made the order of the largest block inclusive; 6.8 gave it another name. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define QR_COMPAT_MAX_ORDER MAX_PAGE_ORDER
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define QR_COMPAT_MAX_ORDER MAX_ORDER
#else
#define QR_COMPAT_MAX_ORDER (MAX_ORDER - 1)
#endif

/* 6.8 made a flag of whether the stack depot may grow. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define qr_compat_depot_save(entries, nr, gfp, add)                                                \
	stack_depot_save_flags(entries, nr, gfp, (add) ? STACK_DEPOT_FLAG_CAN_ALLOC : 0)
#else
#define qr_compat_depot_save(entries, nr, gfp, add) __stack_depot_save(entries, nr, 0, gfp, add)
#endif

/*
 * 6.7 made shrinkers objects that the kernel allocates; until then they are the user's own.
 * No seeks: what is idle costs nothing to have again.
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
 * 6.10 gave the functions behind what may count allocations names of their own; 6.11
 * renamed those for constant sizes, and gave others a set of caches to choose from.
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

/* 6.12 made a structure of what is out of the ordinary about a cache. */
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

/* 6.12 can charge an object that was not charged at first. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define qr_compat_cache_charge(obj, gfp) kmem_cache_charge(obj, gfp)
#else
#define qr_compat_cache_charge(obj, gfp) true
#endif

/* 6.3 passes the object; until then the function was its distance to the head, or itself. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define QR_COMPAT_FREE_RCU_ARGS		struct rcu_head *head, void *ptr
#define qr_compat_rcu_object(head, ptr) (ptr)
#else
#define QR_COMPAT_FREE_RCU_ARGS struct rcu_head *head, rcu_callback_t ptr
#define qr_compat_rcu_object(head, ptr)                                                            \
	((head) ? (void *)(head) - (unsigned long)(ptr) : (void *)(ptr))
#endif

/* 6.12 can wait for kfree_rcu(); 6.18 for what it has of one cache. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define qr_compat_rcu_barrier() kvfree_rcu_barrier()
#else
#define qr_compat_rcu_barrier() rcu_barrier()
#endif

/* 6.9 took SLAB_MEM_SPREAD away; 6.5 added SLAB_NO_MERGE. */
#ifndef SLAB_MEM_SPREAD
#define SLAB_MEM_SPREAD ((slab_flags_t __force)0)
#endif
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE ((slab_flags_t __force)0)
#endif

/*
 * 6.18 gave the functions of krealloc() and kvmalloc() an alignment and a node; 6.12 did without
 * the old size. 7.2 has something beside each size that the compiler may infer from its type.
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

/* 7.2 has frees for contexts where kfree() and kvfree() are not to be called. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
#define qr_compat_kfree_nolock(p)  kfree_nolock(p)
#define qr_compat_kvfree_atomic(p) kvfree_atomic(p)
#else
#define qr_compat_kfree_nolock(p)  kfree(p)
#define qr_compat_kvfree_atomic(p) kvfree(p)
#endif

/* 6.13 made the namespace a string; until then it is a bare token. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define EXPORT_SYMBOL_QUARRY(sym) EXPORT_SYMBOL_NS_GPL(sym, "QUARRY")
#else
#define EXPORT_SYMBOL_QUARRY(sym) EXPORT_SYMBOL_NS_GPL(sym, QUARRY)
#endif

/* 6.13 to 6.17 had two ways to read a binary file of sysfs, of which each file had one. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0) && LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define qr_compat_bin_read(kobj, attr, buf, size)                                                  \
	((attr)->read_new ? (attr)->read_new(NULL, kobj, attr, buf, 0, size) :                     \
	 (attr)->read	  ? (attr)->read(NULL, kobj, attr, buf, 0, size) :                         \
			    -EIO)
#else
#define qr_compat_bin_read(kobj, attr, buf, size)                                                  \
	((attr)->read ? (attr)->read(NULL, kobj, attr, buf, 0, size) : -EIO)
#endif

/* 6.19 or so left lock tracking to clang and took sparse's macros away. */
#ifndef __cond_lock
#define __cond_lock(lock, taken) (taken)
#endif

/* Inner symbols, for the KUnit modules of kernels that have KUnit. */
#if IS_ENABLED(CONFIG_KUNIT)
#define EXPORT_SYMBOL_QUARRY_TEST(sym) EXPORT_SYMBOL_QUARRY(sym)
#else
#define EXPORT_SYMBOL_QUARRY_TEST(sym)
#endif

#endif /* QR_COMPAT_H */
