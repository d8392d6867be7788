/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's slab API as a side: SLUB, or Quarry in a file that is built with
 * quarry/kmem_shim.h.
 *
 * Boot with slab_nomerge.  Otherwise SLUB may merge the benchmark's cache with another cache of the
 * same size, whose users change the state of its slabs.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include "measure.h"

static void *side_create(unsigned int size)
{
	return kmem_cache_create("quarry_bench", size, 0, 0, NULL);
}

static void side_destroy(void *cache)
{
	kmem_cache_destroy(cache);
}

static __always_inline void *side_alloc(void *cache, gfp_t gfp)
{
	return kmem_cache_alloc(cache, gfp);
}

static __always_inline void side_free(void *cache, void *p)
{
	kmem_cache_free(cache, p);
}

static __always_inline void *side_malloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp);
}

static __always_inline void side_malloc_free(void *p)
{
	kfree(p);
}

static __always_inline void side_free_rcu(void *p)
{
	struct {
		struct rcu_head rcu;
	} *obj = p;

	kfree_rcu(obj, rcu);
}

static __always_inline bool side_bulk_alloc(void *cache, gfp_t gfp, unsigned int n, void **objs)
{
	return kmem_cache_alloc_bulk(cache, gfp, n, objs);
}

static __always_inline void side_bulk_free(void *cache, unsigned int n, void **objs)
{
	kmem_cache_free_bulk(cache, n, objs);
}

#define SIDE_BULK
#include "pairs.h"
#include "workers.h"
