/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limits on pages: one for the module, and one for each cache.  Beyond a soft limit an
 * allocation still succeeds, but it first helps to give idle pages back to the kernel.
 * Beyond a hard limit an allocation fails.
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
 * struct qr_limit - how many pages may be held, and how many are held
 * @soft: soft limit in pages; ULONG_MAX means no limit
 * @hard: hard limit in pages; ULONG_MAX means no limit
 * @held: pages that are charged now
 * @soft_hits: allocations that found the soft limit reached
 * @hard_hits: allocations that failed because of the hard limit
 */
struct qr_limit {
	unsigned long soft;
	unsigned long hard;
	atomic_long_t held;
	atomic64_t soft_hits;
	atomic64_t hard_hits;
};

#define QR_LIMIT_NONE ((struct qr_limit){ .soft = ULONG_MAX, .hard = ULONG_MAX })

/* The limit of the module.  It counts pages of chunks, in use or idle, but not metadata. */
extern struct qr_limit qr_limit_all;

/*
 * The one function that is called when a limit was hit or changed (the scavenger's).  It is
 * called in any context but NMI.
 */
typedef void (*qr_limit_fn)(void);
extern qr_limit_fn qr_limit_watcher;

/*
 * The one function that is told of a request that was refused because of a hard limit, as
 * qr_limit_refused() describes it; @own: because of the limit of @what.  Called in any context.
 */
typedef void (*qr_refusal_fn)(const char *what, const char *name, bool own);
extern qr_refusal_fn qr_refusal_watcher;

/* Charge @pages.  False if that exceeds the hard limit, unless @gfp has __GFP_NOFAIL. */
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

/* Would @pages more exceed the soft limit? */
static inline bool qr_limit_is_near(const struct qr_limit *limit, unsigned long pages)
{
	unsigned long soft = READ_ONCE(limit->soft);

	return unlikely(soft != ULONG_MAX) && atomic_long_read(&limit->held) + pages > soft;
}

/* By how many pages would @pages more exceed the lower of the two limits?  0 if they fit. */
static inline unsigned long qr_limit_excess(const struct qr_limit *limit, unsigned long pages)
{
	unsigned long most = min(READ_ONCE(limit->soft), READ_ONCE(limit->hard));
	unsigned long held = atomic_long_read(&limit->held) + pages;

	return held > most ? held - most : 0;
}

/* Would @pages more exceed the hard limit? */
static inline bool qr_limit_is_full(const struct qr_limit *limit, unsigned long pages)
{
	unsigned long hard = READ_ONCE(limit->hard);

	return unlikely(hard != ULONG_MAX) && atomic_long_read(&limit->held) + pages > hard;
}

/* Count the hit, trace it and call the watcher.  @name: the cache's name, or "all". */
void qr_limit_hit_soft(struct qr_limit *limit, const char *name);
void qr_limit_hit_hard(struct qr_limit *limit, const char *name);

/*
 * Log in one line, at most ten times in five seconds, that a request for @size bytes was refused:
 * the caller, @what (for example "cache") of the name @name, why, and usage and limits.  @own: the
 * limit of @what, or NULL if it has none.  @pages: what it would have taken.  If it was a hard
 * limit, call the watcher of refusals.
 */
void qr_limit_refused(const char *what, const char *name, const struct qr_limit *own,
		      unsigned long pages, size_t size, gfp_t gfp);

/* Set a limit.  @bytes is rounded down to pages; ULONG_MAX means no limit. */
void qr_limit_change(struct qr_limit *limit, bool is_hard, unsigned long bytes);
/*
 * Read a limit: "max" gives ULONG_MAX (no limit), anything else is as for qr_size_parse().
 * Returns 0, -EINVAL or -ERANGE.
 */
int qr_limit_parse(const char *text, unsigned long *bytes);
/* A limit of @pages in bytes; ULONG_MAX stays ULONG_MAX (no limit). */
unsigned long qr_limit_bytes(unsigned long pages);

#endif /* QR_LIMIT_H */
