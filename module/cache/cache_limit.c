// SPDX-License-Identifier: GPL-2.0
/*
 * Setting and reading limits, of a cache or of the module.  Limits take effect in core/limit.c,
 * pages/page_heap.c (the module's) and magazine/grow.c (a cache's).
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/mutex.h>
#include <linux/printk.h>
#include <quarry/stats.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/limit.h"

/* The limit of a cache or of the module; NULL if there is no such cache.  With qr_caches_lock. */
static struct qr_limit *limit_of(unsigned int id)
{
	struct qr_cache *c;

	if (id == QUARRY_LIMIT_ALL)
		return &qr_limit_all;
	c = qr_cache_find(id);
	return c ? &c->limit : NULL;
}

int qr_limit_read(unsigned int cache, unsigned long *soft, unsigned long *hard)
{
	struct qr_limit *limit;

	mutex_lock(&qr_caches_lock);
	limit = limit_of(cache);
	if (limit) {
		*soft = qr_limit_bytes(limit->soft);
		*hard = qr_limit_bytes(limit->hard);
	}
	mutex_unlock(&qr_caches_lock);
	return limit ? 0 : -ENOENT;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_limit_read);

int qr_limit_write(unsigned int cache, bool is_hard, unsigned long bytes)
{
	struct qr_limit *limit;

	mutex_lock(&qr_caches_lock);
	limit = limit_of(cache);
	if (limit)
		qr_limit_change(limit, is_hard, bytes);
	mutex_unlock(&qr_caches_lock);
	return limit ? 0 : -ENOENT;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_limit_write);

/**
 * quarry_limit_set() - limit the pages that the module or a cache may hold
 * @cache: from quarry_cache_create(), or NULL for all of Quarry
 * @soft: bytes of pages, rounded down to whole pages.  Beyond it allocations still succeed, but
 *	those that need new pages first give idle pages back, and get slower.
 *	QUARRY_NO_LIMIT for none
 * @hard: bytes of pages.  Beyond it allocations return NULL, except with __GFP_NOFAIL.
 *	QUARRY_NO_LIMIT for none
 *
 * All nodes count together.  For the module, the pages of its chunks count, in use or idle, but
 * not its metadata; for a cache, the pages of its slabs.  If more than the limit is held when it
 * is set, live objects stay.
 *
 * Context: any but NMI.
 * Return: 0, or -EINVAL when @soft is beyond @hard.
 */
int quarry_limit_set(struct quarry_cache *cache, size_t soft, size_t hard)
{
	struct qr_limit *limit;

	if (soft > hard && soft != QUARRY_NO_LIMIT) {
		pr_warn_ratelimited("cache %s: a soft limit of %zu bytes is beyond the hard one of %zu\n",
				    cache ? qr_cache_of(cache)->name : "(all)", soft, hard);
		return -EINVAL;
	}
	limit = cache ? &qr_cache_of(cache)->limit : &qr_limit_all;
	qr_limit_change(limit, false, soft);
	qr_limit_change(limit, true, hard);
	return 0;
}
EXPORT_SYMBOL_QUARRY(quarry_limit_set);
