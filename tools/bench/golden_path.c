// SPDX-License-Identifier: GPL-2.0
/*
 * The fast paths as a client's compiler inlines them, each in a function of its own.  Nothing calls
 * these functions; scripts/golden-path reads their machine code.
 */
#include <linux/gfp.h>
#include <quarry/quarry.h>
#include "measure.h"

static noinline void *golden_cache_alloc(struct quarry_cache *cache)
{
	return quarry_cache_alloc(cache, GFP_KERNEL);
}

static noinline void golden_cache_free(struct quarry_cache *cache, void *p)
{
	quarry_cache_free(cache, p);
}

static noinline void *golden_malloc_const(void)
{
	return quarry_malloc(192, GFP_KERNEL);
}

static noinline void *golden_malloc(size_t size)
{
	return quarry_malloc(size, GFP_KERNEL);
}

static noinline void golden_free(void *p)
{
	quarry_free(p);
}

static noinline void *golden_pool_get(struct quarry_pool *pool)
{
	return quarry_pool_get(pool, GFP_KERNEL);
}

static noinline void golden_pool_put(struct quarry_pool *pool, void *p)
{
	quarry_pool_put(pool, p);
}

/* They are in the module because something has their addresses. */
const void *const bench_golden_paths[] = {
	golden_cache_alloc, golden_cache_free, golden_malloc_const, golden_malloc,
	golden_free,	    golden_pool_get,   golden_pool_put,
};
