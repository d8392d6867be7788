/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The malloc family beyond quarry_malloc(): arrays, copies, alignment, many at a time.
 * Included by quarry/quarry.h.
 *
 * Functions are inline here for two reasons: a profile then names the client's function, and
 * the compiler picks the size class of a constant size, as in quarry_malloc().
 */
#ifndef QUARRY_MALLOC_H
#define QUARRY_MALLOC_H

#include <linux/overflow.h>
#include <linux/string.h>

#define QUARRY_MAX_ALIGN (2UL << 20) /* bytes; the most for quarry_aligned_alloc() */

void *quarry_aligned_alloc(size_t align, size_t size, gfp_t gfp) __malloc;
unsigned int quarry_malloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **objs);
void quarry_free_bulk(unsigned int n, void **objs);
void quarry_free_sensitive(const void *p);
/* Logs, unless @gfp has __GFP_NOWARN, that an array's size overflows a size_t.  Returns NULL. */
void *qr_malloc_overflow(size_t n, size_t size, gfp_t gfp);

/**
 * quarry_malloc_array() - allocate memory for an array
 * @n: number of elements
 * @size: bytes of each element
 * @gfp: as for quarry_cache_alloc()
 *
 * Alignment and node are those of quarry_malloc() for the product of @n and @size.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL if there is none or the product is too large.  A product that
 * overflows a size_t is logged.
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
 * @size: bytes of each element
 * @gfp: as for quarry_cache_alloc()
 *
 * Alignment and node are those of quarry_malloc() for the product of @n and @size.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the memory, or NULL if there is none or the product is too large.  A product that
 * overflows a size_t is logged.
 */
static __always_inline void *quarry_calloc(size_t n, size_t size, gfp_t gfp)
{
	return quarry_malloc_array(n, size, gfp | __GFP_ZERO);
}

/**
 * quarry_zalloc_node() - allocate memory on a node, filled with zeros
 * @size: bytes, as for quarry_malloc()
 * @gfp: as for quarry_malloc_node()
 * @node: as for quarry_malloc_node()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: as quarry_malloc_node().
 */
static inline void *quarry_zalloc_node(size_t size, gfp_t gfp, int node)
{
	return quarry_malloc_node(size, gfp | __GFP_ZERO, node);
}

/**
 * quarry_malloc_array_node() - allocate memory for an array on a node
 * @n: number of elements
 * @size: bytes of each element
 * @gfp: as for quarry_malloc_node()
 * @node: as for quarry_malloc_node()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: as quarry_malloc_node() for the product of @n and @size.  A product that overflows a
 * size_t is logged, and the result is NULL.
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
 * @size: bytes of each element
 * @gfp: as for quarry_malloc_node()
 * @node: as for quarry_malloc_node()
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: as quarry_malloc_node() for the product of @n and @size.  A product that overflows a
 * size_t is logged, and the result is NULL.
 */
static inline void *quarry_calloc_node(size_t n, size_t size, gfp_t gfp, int node)
{
	return quarry_malloc_array_node(n, size, gfp | __GFP_ZERO, node);
}

/**
 * quarry_realloc_array() - change the number of an array's elements
 * @p: as for quarry_realloc()
 * @n: the new number of elements
 * @size: bytes of each element
 * @gfp: as for quarry_realloc()
 *
 * The node is that of quarry_realloc().
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: as quarry_realloc() for the product of @n and @size.  A product that overflows a
 * size_t is logged, the result is NULL, and @p stays valid and unchanged.
 */
static inline void *__must_check quarry_realloc_array(void *p, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return qr_malloc_overflow(n, size, gfp);
	return quarry_realloc(p, bytes, gfp);
}

/**
 * quarry_memdup() - copy memory into newly allocated memory
 * @src: the memory to copy
 * @size: bytes, as for quarry_malloc()
 * @gfp: as for quarry_cache_alloc()
 *
 * Alignment and node are those of quarry_malloc().
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the copy, or NULL if there is no memory or @size is too large.
 */
static inline void *quarry_memdup(const void *src, size_t size, gfp_t gfp)
{
	void *p = quarry_malloc(size, gfp);

	if (p)
		memcpy(p, src, size);
	return p;
}

/**
 * quarry_strndup() - copy the beginning of a string into newly allocated memory
 * @s: the string, or NULL; it need not be terminated within the first @max characters
 * @max: most characters to copy
 * @gfp: as for quarry_cache_alloc()
 *
 * The memory normally comes from this CPU's node.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the copy, terminated by a zero byte; NULL if @s is NULL or there is no memory.
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
 * quarry_strdup() - copy a string into newly allocated memory
 * @s: the string, or NULL
 * @gfp: as for quarry_cache_alloc()
 *
 * The memory normally comes from this CPU's node.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the copy, or NULL if @s is NULL or there is no memory.
 */
static inline char *quarry_strdup(const char *s, gfp_t gfp)
{
	return s ? quarry_memdup(s, strlen(s) + 1, gfp) : NULL;
}

#endif /* QUARRY_MALLOC_H */
