/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the kernel's slab allocator keeps what the profiler needs to know.  struct kmem_cache and
 * struct slab are private, and differ from kernel to kernel.  The places of three members are
 * found once, by looking for known values in caches of our own.
 */
#ifndef QR_SLAB_LAYOUT_H
#define QR_SLAB_LAYOUT_H

#include <linux/compiler.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/types.h>

/**
 * struct qr_slab_layout - offsets in bytes
 * @name: in a cache: pointer to its name
 * @size: in a cache: bytes from one object to the next, u32
 * @cache: in the first struct page of a slab: pointer to its cache
 * @known: they have been found; tests may clear it
 */
struct qr_slab_layout {
	unsigned int name;
	unsigned int size;
	unsigned int cache;
	bool known;
};

extern struct qr_slab_layout qr_slab_layout;

/*
 * Find the offsets, and check them on caches of the kernel.  0, -ENOMEM, or -EOPNOTSUPP if this
 * kernel has no such members; the log says which.  Sleeps.
 */
int qr_slab_layout_learn(void);

/* Bytes that an object of @s takes.  The cache is in use. */
static __always_inline u32 qr_kernel_cache_size(const struct kmem_cache *s)
{
	return READ_ONCE(*(const u32 *)((const char *)s + qr_slab_layout.size));
}

static __always_inline const char *qr_kernel_cache_name(const struct kmem_cache *s)
{
	return READ_ONCE(*(const char *const *)((const char *)s + qr_slab_layout.name));
}

/* The cache of a live object of kmalloc() or kmem_cache_alloc(); NULL if it is whole pages. */
static inline const struct kmem_cache *qr_kernel_cache_of(const void *object)
{
	struct page *page = virt_to_head_page(object);

	if (!PageSlab(page))
		return NULL;
	return READ_ONCE(
		*(const struct kmem_cache *const *)((const char *)page + qr_slab_layout.cache));
}

#endif /* QR_SLAB_LAYOUT_H */
