// SPDX-License-Identifier: GPL-2.0
/*
 * The shadow of KASAN.  It has a byte for each 8 bytes of memory: 0 if all may be used, 1 to 7 if
 * only so many of them may be, and otherwise one that says why none may be.  The compiler puts a
 * look at it before each access of the kernel and of its modules.  The functions of the kernel that
 * write it are for its own allocators, and are not exported.
 *
 * Nothing here may be instrumented: the shadow has no shadow.
 */
#include "slab/shadow.h"

#include <linux/compiler.h>
#include "compat.h"

#ifdef CONFIG_KASAN_GENERIC

#define GRANULE 8

/* As in the kernel's mm/kasan/kasan.h: they choose the words of the report. */
#define SHADOW_RED_ZONE 0xfc /* "slab-out-of-bounds" */
#define SHADOW_FREE	0xfb /* "slab-use-after-free" */

/* WRITE_ONCE() keeps the compiler from making a call of memset() of it, which is instrumented. */
static __no_sanitize_address void mark(const void *p, size_t n, u8 value)
{
	u8 *shadow = kasan_mem_to_shadow(p);
	size_t i;

	for (i = 0; i < n / GRANULE; i++)
		WRITE_ONCE(shadow[i], value);
}

__no_sanitize_address void qr_shadow_live(const void *p, size_t size, size_t stride)
{
	size_t whole = size - size % GRANULE;

	mark(p, whole, 0);
	if (whole == stride)
		return;
	mark(p + whole, stride - whole, SHADOW_RED_ZONE);
	if (size > whole)
		mark(p + whole, GRANULE, size - whole);
}

void qr_shadow_free(const void *p, size_t stride)
{
	mark(p, stride, SHADOW_FREE);
}

void qr_shadow_open(const void *p, size_t stride)
{
	mark(p, stride, 0);
}

#endif /* CONFIG_KASAN_GENERIC */
