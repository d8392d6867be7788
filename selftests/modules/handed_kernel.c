// SPDX-License-Identifier: GPL-2.0
/* The part of quarry_handed that is built without quarry/kmem_shim.h.  See handed.c. */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "handed.h"

/* The barrier makes it no tail call, so that the log names this function. */
noinline void kernel_kfree(const void *p)
{
	kfree(p);
	barrier();
}

void kernel_kvfree(const void *p)
{
	kvfree(p);
}

void kernel_kfree_sensitive(const void *p)
{
	kfree_sensitive(p);
}

void kernel_kfree_bulk(size_t n, void **p)
{
	kfree_bulk(n, p);
}

void kernel_kfree_rcu(struct handed *p)
{
	kfree_rcu(p, rcu);
}

void *kernel_krealloc(void *p, size_t size)
{
	return krealloc(p, size, GFP_KERNEL);
}

size_t kernel_ksize(const void *p)
{
	return ksize(p);
}

void kernel_barrier(void)
{
	rcu_barrier();
}

unsigned int kernel_cache_size(struct kmem_cache *s)
{
	return kmem_cache_size(s);
}
