// SPDX-License-Identifier: GPL-2.0
/* The part of quarry_shimmed that is built without quarry/kmem_shim.h: a cache of the kernel's. */
#include <linux/slab.h>
#include "shimmed.h"

struct kmem_cache *not_shimmed_cache_create(void)
{
	return kmem_cache_create("not_shimmed", 100, 0, 0, NULL);
}

void not_shimmed_cache_destroy(struct kmem_cache *cache)
{
	kmem_cache_destroy(cache);
}
