/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the parts of quarry_shimmed.  See shimmed.c. */
#ifndef QUARRY_SHIMMED_H
#define QUARRY_SHIMMED_H

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <quarry/quarry.h>

/* Log and count a check. */
void check(bool good, const char *what);

/* The checks of kmalloc() and its family. */
void check_kmalloc_family(void);

/* A cache that was made without quarry/kmem_shim.h. */
struct kmem_cache *not_shimmed_cache_create(void);
void not_shimmed_cache_destroy(struct kmem_cache *cache);

/* True if @p is memory of Quarry. */
static inline bool ours(const void *p)
{
	return quarry_usable_size(p);
}

/* Memory of the kernel's: the kernel's own code allocates it, which the shim does not change. */
static inline char *kernels(void)
{
	return kasprintf(GFP_KERNEL, "%s", "from the kernel");
}

/* Hides a size from the compiler, so that it is no constant. */
static inline size_t size_of(size_t size)
{
	OPTIMIZER_HIDE_VAR(size);
	return size;
}

#endif /* QUARRY_SHIMMED_H */
