/* SPDX-License-Identifier: GPL-2.0 */
/* In place of module/core/metadata.h: memory that is zeroed, from malloc(). */
#include "compat.h"

struct kmem_cache {
	size_t size;
};

static inline struct kmem_cache *qr_meta_cache_create(const char *name, size_t size, bool zeroed)
{
	struct kmem_cache *cache = malloc(sizeof(*cache));

	if (cache)
		cache->size = size;
	return cache;
}

static inline void kmem_cache_destroy(struct kmem_cache *cache)
{
	free(cache);
}

static inline void *qr_meta_cache_alloc(struct kmem_cache *cache, gfp_t gfp, int node)
{
	return calloc(1, cache->size);
}

static inline void qr_meta_cache_free(struct kmem_cache *cache, void *p)
{
	free(p);
}
