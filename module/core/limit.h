/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limits on pages, the module's and each cache's.  Beyond the soft one memory is still
 * given, but whoever asks helps to give idle pages back first; beyond the hard one
 * a request fails.
 */
#ifndef QR_LIMIT_H
#define QR_LIMIT_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/types.h>

/**
 * struct qr_limit - what may be held, and what is
 * @soft: pages; ULONG_MAX is none
 * @hard: the same
 * @held: pages
 * @soft_hits: times that the soft limit was in the way
 * @hard_hits: requests that failed for the hard one
 */
struct qr_limit {
	unsigned long soft;
	unsigned long hard;
	atomic_long_t held;
	atomic64_t soft_hits;
	atomic64_t hard_hits;
};

#define QR_LIMIT_NONE ((struct qr_limit){ .soft = ULONG_MAX, .hard = ULONG_MAX })

/* The module's: pages of chunks, in use or idle, without metadata. */
extern struct qr_limit qr_limit_all;

/* Told, in any context but NMI, that a limit was hit or changed.  One watcher. */
typedef void (*qr_limit_fn)(void);
extern qr_limit_fn qr_limit_watcher;

/* False beyond the hard limit, which __GFP_NOFAIL may pass. */
bool qr_limit_take(struct qr_limit *limit, unsigned long pages, gfp_t gfp);

static inline void qr_limit_give(struct qr_limit *limit, unsigned long pages)
{
	atomic_long_sub(pages, &limit->held);
}

static inline bool qr_limit_charge(unsigned long pages, gfp_t gfp)
{
	return qr_limit_take(&qr_limit_all, pages, gfp);
}

static inline void qr_limit_uncharge(unsigned long pages)
{
	qr_limit_give(&qr_limit_all, pages);
}

/* Would @pages more be beyond the soft limit? */
static inline bool qr_limit_is_near(const struct qr_limit *limit, unsigned long pages)
{
	unsigned long soft = READ_ONCE(limit->soft);

	return unlikely(soft != ULONG_MAX) && atomic_long_read(&limit->held) + pages > soft;
}

/* By how much?  Of the soft limit, or of the hard one; 0 if there is none. */
static inline unsigned long qr_limit_excess(const struct qr_limit *limit, unsigned long pages)
{
	unsigned long most = min(READ_ONCE(limit->soft), READ_ONCE(limit->hard));
	unsigned long held = atomic_long_read(&limit->held) + pages;

	return held > most ? held - most : 0;
}

/* Or beyond the hard one? */
static inline bool qr_limit_is_full(const struct qr_limit *limit, unsigned long pages)
{
	unsigned long hard = READ_ONCE(limit->hard);

	return unlikely(hard != ULONG_MAX) && atomic_long_read(&limit->held) + pages > hard;
}

/* Count, trace and tell.  @name: the cache's, or "all". */
void qr_limit_hit_soft(struct qr_limit *limit, const char *name);
void qr_limit_hit_hard(struct qr_limit *limit, const char *name);

/* Bytes, ULONG_MAX for none; rounded down to pages. */
void qr_limit_change(struct qr_limit *limit, bool is_hard, unsigned long bytes);
/* "max", which is ULONG_MAX, or as for qr_size_parse(); -EINVAL, -ERANGE. */
int qr_limit_parse(const char *text, unsigned long *bytes);
/* In bytes, ULONG_MAX for none. */
unsigned long qr_limit_bytes(unsigned long pages);

#endif /* QR_LIMIT_H */
