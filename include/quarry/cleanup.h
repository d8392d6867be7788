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
 * It is called once, in the context in which the object is freed, before its memory can be
 * anybody else's; the memory is as it was, but quarry_free_sensitive() has zeroed it by
 * then.  An object may have several cleanups, which are called in the order in which they were
 * added.  quarry_realloc() takes them along.  Those of an object that is never freed are never
 * called, and none are once quarry_cache_destroy() has found the object live.
 *
 * @fn may allocate, free other objects and have cleanups added to them; whether it may sleep
 * depends on who frees.  It must neither free @p, which is reported as a double free, nor add
 * cleanups to it.  Its module must be there until it was called or removed.
 *
 * While an object has cleanups, its free and those of its neighbours are slower: of all
 * objects in the same slab, or, if they are of a cache from quarry_cache_create(), of those of
 * such caches in the same 2 MiB.  Room for the cleanups of a slab's objects stays until the slab
 * goes; it is on the slab's node.
 *
 * Context: process; sleeps.
 * Return: 0, -ENOMEM, or -EINVAL when @p is not the start of a live object, which is logged.
 */
static inline int quarry_cleanup_add(void *p, quarry_cleanup_fn fn, void *arg)
{
	return quarry_cleanup_add_gfp(p, fn, arg, GFP_KERNEL);
}

#endif /* QUARRY_CLEANUP_H */
