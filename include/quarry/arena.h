/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arenas: memory that goes all at once.  Included by quarry/quarry.h.
 *
 * An allocation moves a pointer within a block of pages; nothing is known of the single
 * object, so it cannot be freed by itself.  What was allocated since a mark goes together,
 * or all of it, in time that depends on the number of blocks and not on that of objects.
 *
 * An arena has one user at a time: whoever calls a function on it, but for
 * quarry_arena_create(), has made sure that nobody else does meanwhile, by a lock or
 * otherwise.  Different arenas have nothing in common.
 */
#ifndef QUARRY_ARENA_H
#define QUARRY_ARENA_H

#include <linux/align.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/types.h>

#define QUARRY_ARENA_BLOCK     (256UL << 10) /* bytes of the largest block, by default */
#define QUARRY_ARENA_MAX_BLOCK (2UL << 20)   /* bytes that it may be */

/**
 * struct quarry_arena_args - what is out of the ordinary about an arena
 * @block: bytes of its largest block, up to QUARRY_ARENA_MAX_BLOCK, rounded up to pages;
 *	0 means QUARRY_ARENA_BLOCK
 * @flags: QUARRY_NO_SAMPLE or 0
 * @policy: which node blocks come from, see &enum quarry_policy; with QUARRY_NODE_FIXED from
 *	no other
 * @node: for QUARRY_NODE_FIXED
 */
struct quarry_arena_args {
	size_t block;
	unsigned int flags;
	enum quarry_policy policy;
	int node;
};

/**
 * struct quarry_arena - memory that goes all at once
 * @next: address of the next object
 * @limit: address up to which objects are none of the slow path's business: the end of the
 *	block, or where the next sample is due
 *
 * The fast path needs these; treat them as private.  Both are multiples of 8.
 */
struct quarry_arena {
	unsigned long next;
	unsigned long limit;
};

/**
 * struct quarry_arena_mark - a moment in the life of an arena
 * @offset: private
 * @serial: private
 * @arena: private
 *
 * From quarry_arena_mark(), for quarry_arena_release().  May be copied, and needs not be
 * released.
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

/* There is no room up to the limit, or @size is 0. */
void *qr_arena_alloc_slow(struct quarry_arena *arena, size_t size, gfp_t gfp);

/**
 * quarry_arena_alloc() - allocate memory of an arena
 * @arena: from quarry_arena_create()
 * @size: bytes, up to QUARRY_MAX_LARGE, rounded up to a multiple of 8; 0 gives 8
 * @gfp: as for quarry_cache_alloc(); it matters when the arena needs another block
 *
 * Aligned to 8 bytes and physically contiguous.  With __GFP_ZERO or init_on_alloc it is zero, up
 * to the multiple of 8.  It is the caller's until the arena is released to an earlier mark,
 * reset or destroyed.  Blocks come from the node that the arena's policy names.
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the memory, or NULL when it could not be had or @size is too large.
 */
static __always_inline void *quarry_arena_alloc(struct quarry_arena *arena, size_t size, gfp_t gfp)
{
	unsigned long p = arena->next;

	qr_check_gfp(gfp);
	/* What lies between is a multiple of 8, and 0 bytes are more than there can be. */
	if (unlikely(size - 1 >= arena->limit - p))
		return qr_arena_alloc_slow(arena, size, gfp);
	size = ALIGN(size, 8);
	WRITE_ONCE(arena->next, p + size);
	if (qr_want_zero(gfp))
		memset((void *)p, 0, size);
	return (void *)p;
}

/**
 * quarry_arena_zalloc() - allocate memory of an arena, filled with zeros
 * @arena: as for quarry_arena_alloc()
 * @size: likewise
 * @gfp: likewise
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the memory, or NULL when it could not be had or @size is too large.
 */
static __always_inline void *quarry_arena_zalloc(struct quarry_arena *arena, size_t size, gfp_t gfp)
{
	return quarry_arena_alloc(arena, size, gfp | __GFP_ZERO);
}

/**
 * quarry_arena_calloc() - allocate memory of an arena for an array, filled with zeros
 * @arena: as for quarry_arena_alloc()
 * @n: number of elements
 * @size: bytes of each
 * @gfp: as for quarry_arena_alloc()
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the memory, or NULL when it could not be had or the product is too large; when that
 * is no size_t it is logged.
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
 * @src: what to copy
 * @size: bytes, as for quarry_arena_alloc()
 * @gfp: likewise
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the copy, or NULL when memory could not be had or @size is too large.
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
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the copy, or NULL when @s is or memory could not be had.
 */
static __always_inline char *quarry_arena_strdup(struct quarry_arena *arena, const char *s,
						 gfp_t gfp)
{
	return s ? quarry_arena_memdup(arena, s, strlen(s) + 1, gfp) : NULL;
}

#endif /* QUARRY_ARENA_H */
