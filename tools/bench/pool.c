// SPDX-License-Identifier: GPL-2.0
/*
 * An object taken from a pool and put back, compared with an object allocated from SLUB and freed
 * ("pool"), and with a mempool over SLUB ("pool-mempool").  The objects need no set-up here, which
 * is the work that a pool saves.
 */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mempool.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <quarry/quarry.h>
#include "measure.h"

#define PAIRS 1000 /* pairs per repeat */
#define SIZE  256  /* bytes */
#define DEEP  12   /* the most objects held at a time, for the hit rate */

static unsigned int made;

static int count_made(void *obj, void *arg, gfp_t gfp)
{
	made++;
	return 0;
}

static bench_timed s64 loop_pool(void *pool)
{
	return BENCH_LOOP(PAIRS, quarry_pool_get(pool, GFP_KERNEL), quarry_pool_put(pool, p));
}

static bench_timed s64 loop_slub(void *cache)
{
	return BENCH_LOOP(PAIRS, kmem_cache_alloc(cache, GFP_KERNEL), kmem_cache_free(cache, p));
}

static bench_timed s64 loop_mempool(void *mempool)
{
	return BENCH_LOOP(PAIRS, mempool_alloc(mempool, GFP_KERNEL), mempool_free(p, mempool));
}

static int repeat(const char *name, const char *side, s64 (*loop)(void *from), void *from)
{
	u64 values[BENCH_REPEATS];
	s64 ticks = loop(from);
	unsigned int r;

	for (r = 0; ticks >= 0 && r < BENCH_REPEATS; r++) {
		cond_resched();
		ticks = loop(from);
		values[r] = bench_x100(ticks - bench_overhead.clock, PAIRS, bench_overhead.pair);
	}
	if (ticks < 0)
		return ticks;
	bench_report(name, SIZE, 1, side, values, BENCH_REPEATS);
	return 0;
}

/* Hold 1 to DEEP objects at a time, and count how many gets needed a new object. */
static int hit_rate(struct quarry_pool *pool)
{
	unsigned int gets = 0, round, n, i;

	made = 0;
	for (round = 0; round < PAIRS; round++) {
		n = 1 + round % DEEP;
		for (i = 0; i < n; i++) {
			bench_objs[i] = quarry_pool_get(pool, GFP_KERNEL);
			if (!bench_objs[i])
				break;
		}
		gets += i;
		while (i--)
			quarry_pool_put(pool, bench_objs[i]);
	}
	if (gets < PAIRS)
		return -ENOMEM;
	bench_note("pool: %u gets, %u objects made: %llu of 10000 were hits", gets, made,
		   div_u64(10000ULL * (gets - made), gets));
	return 0;
}

int bench_pool(void)
{
	static const struct quarry_pool_args args = {
		.name = "quarry_bench",
		.size = SIZE,
		.init = count_made,
	};
	struct kmem_cache *cache = kmem_cache_create("quarry_bench", SIZE, 0, 0, NULL);
	struct quarry_pool *pool = quarry_pool_create(&args);
	mempool_t *mempool = cache ? mempool_create_slab_pool(16, cache) : NULL;
	int err = -ENOMEM;

	if (!cache || !pool || !mempool)
		goto out;
	err = repeat("pool", "slub", loop_slub, cache)			    ?:
		      repeat("pool", "inline", loop_pool, pool)		    ?:
		      repeat("pool-mempool", "slub", loop_mempool, mempool) ?:
		      repeat("pool-mempool", "inline", loop_pool, pool)	    ?:
									      hit_rate(pool);
out:
	mempool_destroy(mempool);
	quarry_pool_destroy(pool);
	kmem_cache_destroy(cache);
	return err;
}
