/* SPDX-License-Identifier: GPL-2.0 */
/* Functions that run when an object is freed.  Included by quarry/quarry.h. */
#ifndef QUARRY_CLEANUP_H
#define QUARRY_CLEANUP_H

#include <linux/gfp.h>
#include <linux/types.h>

typedef void (*quarry_cleanup_fn)(void *p, void *arg);

int quarry_cleanup_add_gfp(void *p, quarry_cleanup_fn fn, void *arg, gfp_t gfp);
bool quarry_cleanup_remove(void *p, quarry_cleanup_fn fn, void *arg);

/**
 * quarry_cleanup_add() - have a function called when an object is freed
 * @p: from any Quarry allocation, and not freed before this returns
 * @fn: the function
 * @arg: its second argument; the first is @p
 *
 * @fn is called once, in the context of the free, before the memory of @p can be allocated again.
 * The contents of @p are unchanged, except that quarry_free_sensitive() has zeroed them.  The
 * cleanups of an object are called in the order in which they were added.  quarry_realloc() moves
 * them to the new object.  Cleanups of an object that is never freed are never called, and neither
 * are those of an object that is live when quarry_cache_destroy() destroys its cache.
 *
 * @fn may allocate, free other objects and add cleanups to them.  It may sleep if the caller of
 * the free may.  It must not free @p, which is reported as a double free, nor add cleanups to it.
 * The module with @fn must stay loaded until @fn was called or removed.
 *
 * While an object has cleanups, its free and the frees of its neighbours are slower.  Neighbours of
 * an object of a size class are all objects in its slab; neighbours of an object of a cache from
 * quarry_cache_create() are all objects of such caches in the same 2 MiB.  The array of the
 * cleanups of a slab's objects stays until the slab is destroyed; it is on the slab's node.
 *
 * Context: process; sleeps.
 * Return: 0, -ENOMEM, or -EINVAL when @p is not the start of a live object, which is logged.
 */
static inline int quarry_cleanup_add(void *p, quarry_cleanup_fn fn, void *arg)
{
	return quarry_cleanup_add_gfp(p, fn, arg, GFP_KERNEL);
}

#endif /* QUARRY_CLEANUP_H */
