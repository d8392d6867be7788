// SPDX-License-Identifier: GPL-2.0
/* Whose limit is set; what limits do is core/limit.h's, the page heap's and grow()'s. */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/mutex.h>
#include <linux/printk.h>
#include <quarry/stats.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/limit.h"

/* With qr_caches_lock; NULL if there is no such cache. */
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
 * quarry_limit_set() - bound the pages that the module or a cache may hold
 * @cache: from quarry_cache_create(), or NULL for all of Quarry
 * @soft: bytes of pages, rounded down to whole ones; beyond it memory is still given,
 *	but idle pages are given back first, so that allocations that have to
 *	grow get slower.  QUARRY_NO_LIMIT for none
 * @hard: bytes of pages; beyond it allocations return NULL, except with
 *	__GFP_NOFAIL.  QUARRY_NO_LIMIT for none
 *
 * Quarry's pages are those of its chunks, in use or idle, without its own bookkeeping; a
 * cache's those of its slabs.  They count for all nodes together.  A limit below
 * what is held takes nothing away from anybody.
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
