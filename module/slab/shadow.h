/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The shadow that KASAN keeps of all memory, for the objects of guarded caches.  On a kernel with
 * KASAN, what a client may not touch is marked there, so the kernel reports the access itself, with
 * the stack that made it.  Elsewhere these functions do nothing.  See shadow.c.
 */
#ifndef QR_SHADOW_H
#define QR_SHADOW_H

#include <linux/kasan.h>
#include <linux/types.h>

/*
 * Of the @stride bytes at @p, which are multiples of 8: the first @size may be used; none may be,
 * because the object is free; all may be, because it is Quarry's memory.  Any context.
 */
#ifdef CONFIG_KASAN_GENERIC
void qr_shadow_live(const void *p, size_t size, size_t stride);
void qr_shadow_free(const void *p, size_t stride);
void qr_shadow_open(const void *p, size_t stride);

/* From now on, KASAN's reports name the object, see kasan_report.c. */
int qr_shadow_init(void);
void qr_shadow_exit(void);
#else
static inline void qr_shadow_live(const void *p, size_t size, size_t stride)
{
}

static inline void qr_shadow_free(const void *p, size_t stride)
{
}

static inline void qr_shadow_open(const void *p, size_t stride)
{
}

static inline int qr_shadow_init(void)
{
	return 0;
}

static inline void qr_shadow_exit(void)
{
}
#endif

#endif /* QR_SHADOW_H */
