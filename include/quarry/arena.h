/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arenas: memory that is given up all at once.  Included by quarry/quarry.h.
 *
 * An allocation moves a pointer within a block of pages.  The arena keeps no record of single
 * objects, so none can be freed by itself.  Instead a client gives up everything at once, or
 * everything that it allocated since a mark.  That takes time for each block, not for each
 * object.
 *
 * An arena has one user at a time.  The caller of any function on an arena, except
 * quarry_arena_create(), makes sure that no other context uses the same arena meanwhile, by a
 * lock or otherwise.  Different arenas may be used at the same time.
 */
#ifndef QUARRY_ARENA_H
#define QUARRY_ARENA_H

#include <linux/align.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/types.h>

#define QUARRY_ARENA_BLOCK     (256UL << 10) /* bytes; default size of the largest block */
#define QUARRY_ARENA_MAX_BLOCK (2UL << 20)   /* bytes; upper bound for that size */

/**
 * struct quarry_arena_args - options of quarry_arena_create(); all zero is the default
 * @block: bytes of the arena's largest block, up to QUARRY_ARENA_MAX_BLOCK, rounded up to
 *	pages; 0 means QUARRY_ARENA_BLOCK
 * @flags: QUARRY_NO_SAMPLE or 0
 * @policy: which node blocks come from, see &enum quarry_policy.  With QUARRY_NODE_FIXED an
 *	allocation fails rather than take a block from another node
 * @node: the node of QUARRY_NODE_FIXED
 */
struct quarry_arena_args {
	size_t block;
	unsigned int flags;
	enum quarry_policy policy;
	int node;
};

/**
 * struct quarry_arena - memory that is given up all at once
 * @next: address of the next object
 * @limit: the fast path serves objects that end at or before this address.  It is the end of
 *	the block, or the place where the next sample is due
 *
 * Private: the members are here because the inline fast path uses them.  Both are multiples
 * of 8.
 */
struct quarry_arena {
	unsigned long next;
	unsigned long limit;
};

/**
 * struct quarry_arena_mark - remembers how much of an arena was allocated at one moment
 * @offset: private
 * @serial: private
 * @arena: private
 *
 * quarry_arena_mark() makes a mark, quarry_arena_release() uses it.  A mark may be copied, and
 * it need not be released.
 */
struct quarry_arena_mark {
	u64 offset;
	u64 serial;
	u32 arena;
};

struct quarry_arena *quarry_arena_create(const char *name, const struct quarry_arena_args *args);
void quarry_arena_destroy(struct quarry_arena *arena);
void quarry_arena_reset(struct quarry_arena *arena);
struct quarry_arena_mark quarry_arena_mark(struct quarry_arena *arena);
int quarry_arena_release(struct quarry_arena *arena, const struct quarry_arena_mark *mark);
void *quarry_arena_alloc_aligned(struct quarry_arena *arena, size_t align, size_t size,
				 gfp_t gfp) __malloc;

/* The slow path: the object does not fit before the limit, or @size is 0. */
void *qr_arena_alloc_slow(struct quarry_arena *arena, size_t size, gfp_t gfp);

/**
 * quarry_arena_alloc() - allocate memory from an arena
 * @arena: from quarry_arena_create()
 * @size: bytes, up to QUARRY_MAX_LARGE, rounded up to a multiple of 8; 0 gives 8
 * @gfp: as for quarry_cache_alloc().  Whether the call may sleep matters only when the arena
 *	needs another block
 *
 * The memory is aligned to 8 bytes and physically contiguous.  With __GFP_ZERO or
 * init_on_alloc it is zero, up to the multiple of 8.  It belongs to the caller until the arena
 * is released to an earlier mark, reset or destroyed.  The arena's policy decides which node
 * its blocks come from.
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the memory, or NULL if there is none or @size is too large.
 */
static __always_inline void *quarry_arena_alloc(struct quarry_arena *arena, size_t size, gfp_t gfp)
{
	unsigned long p = arena->next;

	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp))
		return qr_zone_refused(gfp);
	/* The room is a multiple of 8, so rounding @size up cannot exceed it.  Size 0 wraps. */
	if (unlikely(size - 1 >= arena->limit - p))
		return qr_arena_alloc_slow(arena, size, gfp);
	size = ALIGN(size, 8);
	WRITE_ONCE(arena->next, p + size);
	if (qr_want_zero(gfp))
		memset((void *)p, 0, size);
	return (void *)p;
}

/**
 * quarry_arena_zalloc() - allocate memory from an arena, filled with zeros
 * @arena: as for quarry_arena_alloc()
 * @size: bytes, as for quarry_arena_alloc()
 * @gfp: as for quarry_arena_alloc()
 *
 * Alignment and node are those of quarry_arena_alloc().
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the memory, or NULL if there is none or @size is too large.
 */
static __always_inline void *quarry_arena_zalloc(struct quarry_arena *arena, size_t size, gfp_t gfp)
{
	return quarry_arena_alloc(arena, size, gfp | __GFP_ZERO);
}

/**
 * quarry_arena_calloc() - allocate an array from an arena, filled with zeros
 * @arena: as for quarry_arena_alloc()
 * @n: number of elements
 * @size: bytes of each element
 * @gfp: as for quarry_arena_alloc()
 *
 * Alignment and node are those of quarry_arena_alloc() for the product of @n and @size.
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the memory, or NULL if there is none or the product is too large.  A product that
 * overflows a size_t is logged.
 */
static __always_inline void *quarry_arena_calloc(struct quarry_arena *arena, size_t n, size_t size,
						 gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return qr_malloc_overflow(n, size, gfp);
	return quarry_arena_alloc(arena, bytes, gfp | __GFP_ZERO);
}

/**
 * quarry_arena_memdup() - copy memory into an arena
 * @arena: as for quarry_arena_alloc()
 * @src: the memory to copy
 * @size: bytes, as for quarry_arena_alloc()
 * @gfp: as for quarry_arena_alloc()
 *
 * Alignment and node are those of quarry_arena_alloc().
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the copy, or NULL if there is no memory or @size is too large.
 */
static __always_inline void *quarry_arena_memdup(struct quarry_arena *arena, const void *src,
						 size_t size, gfp_t gfp)
{
	void *p = quarry_arena_alloc(arena, size, gfp);

	if (p)
		memcpy(p, src, size);
	return p;
}

/**
 * quarry_arena_strdup() - copy a string into an arena
 * @arena: as for quarry_arena_alloc()
 * @s: the string, or NULL
 * @gfp: as for quarry_arena_alloc()
 *
 * The node is that of quarry_arena_alloc().
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the copy, or NULL if @s is NULL, there is no memory or the string is too long.
 */
static __always_inline char *quarry_arena_strdup(struct quarry_arena *arena, const char *s,
						 gfp_t gfp)
{
	return s ? quarry_arena_memdup(arena, s, strlen(s) + 1, gfp) : NULL;
}

#endif /* QUARRY_ARENA_H */
