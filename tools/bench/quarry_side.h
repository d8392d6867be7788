/* SPDX-License-Identifier: GPL-2.0 */
/* Quarry as a side.  The including file defines QUARRY_CALLED, or not. */
#include <linux/sched.h>
#include <quarry/quarry.h>
#include "measure.h"

static void *side_create(unsigned int size)
{
	return quarry_cache_create("quarry_bench", size, NULL);
}

static void side_destroy(void *cache)
{
	quarry_cache_destroy(cache);
}

static __always_inline void *side_alloc(void *cache, gfp_t gfp)
{
	return quarry_cache_alloc(cache, gfp);
}

static __always_inline void side_free(void *cache, void *p)
{
	quarry_cache_free(cache, p);
}

static __always_inline void *side_malloc(size_t size, gfp_t gfp)
{
	return quarry_malloc(size, gfp);
}

static __always_inline void side_malloc_free(void *p)
{
	quarry_free(p);
}

static __always_inline void side_free_rcu(void *p)
{
	quarry_free_rcu(p);
}

#ifdef QUARRY_CALLED
/* Bulk operations are calls on both sides, so only the side "called" measures them. */
static __always_inline bool side_bulk_alloc(void *cache, gfp_t gfp, unsigned int n, void **objs)
{
	return quarry_cache_alloc_bulk(cache, gfp, n, objs);
}

static __always_inline void side_bulk_free(void *cache, unsigned int n, void **objs)
{
	quarry_cache_free_bulk(cache, n, objs);
}

#define SIDE_BULK
#endif

#include "pairs.h"
#include "workers.h"
