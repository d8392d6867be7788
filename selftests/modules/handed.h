/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the parts of quarry_handed.  See handed.c. */
#ifndef QUARRY_HANDED_H
#define QUARRY_HANDED_H

#include <linux/types.h>

struct kmem_cache;

/* An object with room for the kernel's kfree_rcu(). */
struct handed {
	char text[200];
	struct rcu_head rcu;
};

/* What handed_kernel.c does with memory and caches of this module: the kernel's functions. */
void kernel_kfree(const void *p);
void kernel_kvfree(const void *p);
void kernel_kfree_sensitive(const void *p);
void kernel_kfree_bulk(size_t n, void **p);
void kernel_kfree_rcu(struct handed *p);
void *kernel_krealloc(void *p, size_t size);
size_t kernel_ksize(const void *p);
void kernel_barrier(void);
unsigned int kernel_cache_size(struct kmem_cache *s);

#endif /* QUARRY_HANDED_H */
