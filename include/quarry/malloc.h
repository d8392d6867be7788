/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The malloc family beyond quarry_malloc() itself.  Included by quarry/quarry.h.
 *
 * What is inline here is inline so that a profile names the caller, and that sizes the
 * compiler knows fold as in quarry_malloc().
 */
#ifndef QUARRY_MALLOC_H
#define QUARRY_MALLOC_H

#include <linux/overflow.h>
#include <linux/string.h>

#define QUARRY_MAX_ALIGN (2UL << 20) /* bytes, for quarry_aligned_alloc() */

void *quarry_aligned_alloc(size_t align, size_t size, gfp_t gfp) __malloc;
unsigned int quarry_malloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **objs);
void quarry_free_bulk(unsigned int n, void **objs);
void quarry_free_sensitive(const void *p);
/* An array's size in bytes is more than a size_t can be: one line in the log.  Returns NULL. */
void *qr_malloc_overflow(size_t n, size_t size, gfp_t gfp);

/**
 * quarry_malloc_array() - allocate memory for an array
 * @n: number of elements
 * @size: bytes of each
 * @gfp: as for quarry_cache_alloc()
 *
 * The memory is that of quarry_malloc() for the product of the two.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL when it could not be had or the product is no size_t.
 */
static __always_inline void *quarry_malloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return qr_malloc_overflow(n, size, gfp);
	return quarry_malloc(bytes, gfp);
}

/**
 * quarry_calloc() - allocate memory for an array, filled with zeros
 * @n: number of elements
 * @size: bytes of each
 * @gfp: as for quarry_cache_alloc()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL when it could not be had or the product is no size_t.
 */
static __always_inline void *quarry_calloc(size_t n, size_t size, gfp_t gfp)
{
	return quarry_malloc_array(n, size, gfp | __GFP_ZERO);
}

/**
 * quarry_zalloc_node() - allocate memory filled with zeros on a node
 * @size: bytes, as for quarry_malloc()
 * @gfp: as for quarry_cache_alloc_node()
 * @node: as for quarry_malloc_node()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL when it could not be had or @size is too large.
 */
static inline void *quarry_zalloc_node(size_t size, gfp_t gfp, int node)
{
	return quarry_malloc_node(size, gfp | __GFP_ZERO, node);
}

/**
 * quarry_malloc_array_node() - allocate memory for an array on a node
 * @n: number of elements
 * @size: bytes of each
 * @gfp: as for quarry_cache_alloc_node()
 * @node: as for quarry_malloc_node()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL when it could not be had or the product is no size_t.
 */
static inline void *quarry_malloc_array_node(size_t n, size_t size, gfp_t gfp, int node)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return qr_malloc_overflow(n, size, gfp);
	return quarry_malloc_node(bytes, gfp, node);
}

/**
 * quarry_calloc_node() - allocate memory for an array on a node, filled with zeros
 * @n: number of elements
 * @size: bytes of each
 * @gfp: as for quarry_cache_alloc_node()
 * @node: as for quarry_malloc_node()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL when it could not be had or the product is no size_t.
 */
static inline void *quarry_calloc_node(size_t n, size_t size, gfp_t gfp, int node)
{
	return quarry_malloc_array_node(n, size, gfp | __GFP_ZERO, node);
}

/**
 * quarry_realloc_array() - change the number of an array's elements
 * @p: as for quarry_realloc()
 * @n: number of elements that it shall have
 * @size: bytes of each
 * @gfp: as for quarry_realloc()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: as quarry_realloc() for the product of the two; NULL when that is no size_t, and
 * @p is as it was.
 */
static inline void *__must_check quarry_realloc_array(void *p, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return qr_malloc_overflow(n, size, gfp);
	return quarry_realloc(p, bytes, gfp);
}

/**
 * quarry_memdup() - copy memory into memory of its own
 * @src: what to copy
 * @size: bytes, as for quarry_malloc()
 * @gfp: as for quarry_cache_alloc()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the copy, or NULL when memory could not be had or @size is too large.
 */
static inline void *quarry_memdup(const void *src, size_t size, gfp_t gfp)
{
	void *p = quarry_malloc(size, gfp);

	if (p)
		memcpy(p, src, size);
	return p;
}

/**
 * quarry_strndup() - copy the beginning of a string into memory of its own
 * @s: the string, or NULL
 * @max: characters to copy at most; it need not have a zero among these
 * @gfp: as for quarry_cache_alloc()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the copy, which ends with a zero; NULL when @s is, or memory could not be had.
 */
static inline char *quarry_strndup(const char *s, size_t max, gfp_t gfp)
{
	size_t len;
	char *p;

	if (!s)
		return NULL;
	len = strnlen(s, max);
	p = quarry_malloc(len + 1, gfp);
	if (p) {
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

/**
 * quarry_strdup() - copy a string into memory of its own
 * @s: the string, or NULL
 * @gfp: as for quarry_cache_alloc()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the copy, or NULL when @s is or memory could not be had.
 */
static inline char *quarry_strdup(const char *s, gfp_t gfp)
{
	return s ? quarry_memdup(s, strlen(s) + 1, gfp) : NULL;
}

#endif /* QUARRY_MALLOC_H */
