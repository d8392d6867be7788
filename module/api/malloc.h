/* SPDX-License-Identifier: GPL-2.0 */
/* The malloc family, which has a cache for each size class. */
#ifndef QR_MALLOC_H
#define QR_MALLOC_H

#include <quarry/quarry.h>

/*
 * Each called form begins a cache line and has no ftrace site, which would cost an instruction
 * even while tracing is off.  The inline forms have no ftrace site either.
 */
#define QR_CALLED __attribute__((hot)) __aligned(64) notrace

/* @cache is that of the size class for @size. */
static __always_inline void *qr_malloc_class(struct quarry_cache *cache, gfp_t gfp, size_t size)
{
	void *p;

	qr_check_gfp(gfp);
	preempt_disable();
	if (unlikely(!qr_head_pop(cache->head, &p)))
		return qr_malloc_slow(cache, gfp, size);
	preempt_enable();
	if (qr_want_zero(gfp))
		return qr_zero(cache, p, gfp);
	return p;
}

int qr_malloc_init(void);
void qr_malloc_exit(void);

#endif /* QR_MALLOC_H */
