// SPDX-License-Identifier: GPL-2.0
/*
 * The profiler is always on, so its memory must not grow without bound.  The bound
 * is a share of the machine's memory unless the module parameter profile_kib sets
 * another.
 */
#include "profile/profile_memory.h"

#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/numa.h>
#include <linux/preempt.h>
#include "compat.h"
#include "core/metadata.h"

#define LEAST (4UL << 20)
#define MOST  (64UL << 20)
#define SHARE 64 /* of the machine's memory */

static unsigned int profile_kib;
module_param(profile_kib, uint, 0444);
/* clang-format off */
MODULE_PARM_DESC(profile_kib,
		 "most memory that the profiler may use, KiB (1024 to 4194304; 0, the default: a 64th of the machine's, within 4 and 64 MiB)");
/* clang-format on */

unsigned long qr_profile_memory_limit;
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_memory_limit);
atomic_long_t qr_profile_memory_used;
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_memory_used);

/*
 * On PREEMPT_RT, objects of a reserve may be taken where preemption is off, but memory may not be
 * asked for there.  A sample that needs some is dropped.
 */
static bool may_ask(void)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) || preemptible();
}

static bool charge(size_t size)
{
	long used = atomic_long_read(&qr_profile_memory_used);

	/* Compare and exchange: no reader ever sees more than the limit. */
	do {
		if (used + size > qr_profile_memory_limit)
			return false;
	} while (!atomic_long_try_cmpxchg(&qr_profile_memory_used, &used, used + size));
	return true;
}

/* The profiler's memory matters less than any client's: no retries, no reserves. */
void *qr_profile_memory_alloc(size_t size, gfp_t gfp)
{
	void *p;

	if (!may_ask() || !charge(size))
		return NULL;
	p = qr_meta_alloc(size, qr_gfp_modest(gfp), NUMA_NO_NODE);
	if (!p)
		atomic_long_sub(size, &qr_profile_memory_used);
	return p;
}

void qr_profile_memory_free(void *p, size_t size)
{
	if (!p)
		return;
	qr_meta_free(p, size);
	atomic_long_sub(size, &qr_profile_memory_used);
}

void *qr_profile_memory_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	void *p;

	if (!may_ask() || !charge(kmem_cache_size(cache)))
		return NULL;
	p = qr_meta_cache_alloc(cache, qr_gfp_modest(gfp), NUMA_NO_NODE);
	if (!p)
		atomic_long_sub(kmem_cache_size(cache), &qr_profile_memory_used);
	return p;
}

void qr_profile_memory_cache_free(struct kmem_cache *cache, void *p)
{
	qr_meta_cache_free(cache, p);
	atomic_long_sub(kmem_cache_size(cache), &qr_profile_memory_used);
}

void *qr_profile_memory_valloc(size_t size)
{
	void *p;

	if (!charge(size))
		return NULL;
	p = qr_meta_valloc(size);
	if (!p)
		atomic_long_sub(size, &qr_profile_memory_used);
	return p;
}

void qr_profile_memory_vfree(void *p, size_t size)
{
	if (!p)
		return;
	qr_meta_vfree(p, size);
	atomic_long_sub(size, &qr_profile_memory_used);
}

void qr_profile_memory_init(void)
{
	if (profile_kib)
		qr_profile_memory_limit = clamp(profile_kib, 1024U, 4194304U) * 1024UL;
	else
		qr_profile_memory_limit = clamp((totalram_pages() << PAGE_SHIFT) / SHARE, LEAST,
						MOST);
}
