// SPDX-License-Identifier: GPL-2.0
/*
 * Runs one operation in which the nth allocation that Quarry asks of the kernel
 * fails.  The count is set here and not through /proc/self/fail-nth, so that
 * only the allocations of this operation count.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "client.h"

#ifdef CONFIG_FAULT_INJECTION
static void arm(unsigned int nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

/* Returns true if the nth allocation was reached, and so failed. */
static bool disarm(unsigned int nth)
{
	bool left = READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return nth && !left;
}
#else
static void arm(unsigned int nth)
{
}

static bool disarm(unsigned int nth)
{
	return false;
}
#endif

#define QUIET (GFP_KERNEL | __GFP_NOWARN)
#define BULK  500

#define SMALL 100 /* bytes of an object whose contents must survive a failure */

enum {
	OP_CREATE,
	OP_FIRST,
	OP_LARGE,
	OP_BULK,
	OP_NOFAIL,
	OP_ROW,
	OP_MAPPED,
	OP_REALLOC,
	OP_RESERVE,
	OP_POOL,
	OP_ARENA,
};

static const char *const ops[] = { "create", "first",	"large",   "bulk", "nofail", "row",
				   "mapped", "realloc", "reserve", "pool", "arena",  NULL };

/*
 * Make @old larger.  Returns the new object, or NULL if that fails: @old must be unchanged then,
 * and is freed.
 */
static void *grow(u8 *old)
{
	void *p = quarry_realloc(old, 300000, QUIET);

	if (p ? memchr_inv(p, 0x5a, SMALL) : memchr_inv(old, 0x5a, SMALL))
		client_say("wrong contents\n");
	if (!p)
		quarry_free(old);
	return p;
}

/* Each object of the pool owns a second object, which comes from Quarry too. */
static int pool_init(void *obj, void *arg, gfp_t gfp)
{
	void **more = obj;

	*more = quarry_malloc(5000, gfp);
	return *more ? 0 : -ENOMEM;
}

static void pool_exit(void *obj, void *arg)
{
	void **more = obj;

	quarry_free(*more);
}

static const struct quarry_pool_args pool_args = {
	.name = "client_pool",
	.size = 700,
	.init = pool_init,
	.exit = pool_exit,
};

static bool use_pool(struct quarry_pool *pool)
{
	void *a = quarry_pool_get(pool, QUIET), *b = quarry_pool_get(pool, QUIET);
	bool both = a && b;

	quarry_pool_put(pool, a);
	quarry_pool_put(pool, b);
	return both;
}

/*
 * Allocate objects that share a block and objects with a block of their own.  Requests that
 * fail must not change the object before them.
 */
static bool use_arena(void)
{
	struct quarry_arena *arena = quarry_arena_create("client_faults", NULL);
	struct quarry_arena_mark mark;
	unsigned int i;
	bool good = true;
	u8 *p;

	if (!arena)
		return false;
	p = quarry_arena_alloc(arena, SMALL, QUIET);
	if (p)
		memset(p, 0x5a, SMALL);
	mark = quarry_arena_mark(arena);
	for (i = 0; i < 100; i++)
		good = quarry_arena_alloc(arena, i % 20 ? 700 : 90000, QUIET) && good;
	if (quarry_arena_release(arena, &mark) || (p && memchr_inv(p, 0x5a, SMALL)))
		client_say("wrong contents\n");
	quarry_arena_destroy(arena);
	return good && p;
}

static int failnth_run(const u64 *v)
{
	struct quarry_reserve reserve = {};
	struct quarry_pool *pool = NULL;
	struct quarry_cache *cache = NULL;
	static void *objs[BULK];
	unsigned int nth = v[1];
	bool injected, worked = false;
	void *p = NULL, *old = NULL;

	if (nth && !IS_ENABLED(CONFIG_FAULT_INJECTION))
		return -EOPNOTSUPP;
	if (v[0] == OP_REALLOC) {
		old = quarry_malloc(SMALL, GFP_KERNEL);
		if (!old)
			return -ENOMEM;
		memset(old, 0x5a, SMALL);
	} else if (v[0] == OP_FIRST || v[0] == OP_BULK || v[0] == OP_NOFAIL || v[0] == OP_RESERVE) {
		cache = quarry_cache_create("client_faults", 700, NULL);
		if (!cache)
			return -ENOMEM;
	}
	arm(nth);
	switch (v[0]) {
	case OP_CREATE:
		cache = quarry_cache_create("client_faults", 700, NULL);
		worked = cache;
		break;
	case OP_FIRST:
		p = quarry_cache_alloc(cache, QUIET);
		break;
	case OP_LARGE:
		p = quarry_malloc(300000, QUIET);
		break;
	case OP_ROW:
		p = quarry_malloc(3 << 20, QUIET);
		break;
	case OP_MAPPED:
		p = quarry_vmalloc(QUARRY_MAX_LARGE + 1, QUIET);
		break;
	case OP_REALLOC:
		p = grow(old);
		break;
	case OP_ARENA:
		worked = use_arena();
		break;
	case OP_BULK:
		worked = quarry_cache_alloc_bulk(cache, QUIET, BULK, objs) == BULK;
		break;
	case OP_POOL:
		pool = quarry_pool_create(&pool_args);
		worked = pool && use_pool(pool);
		break;
	case OP_RESERVE:
		worked = !quarry_reserve_fill(&reserve, cache, BULK, QUIET);
		break;
	default:
		p = quarry_cache_alloc(cache, GFP_KERNEL | __GFP_NOFAIL);
	}
	injected = disarm(nth);
	worked = worked || p;
	if (worked && v[0] == OP_BULK)
		quarry_cache_free_bulk(cache, BULK, objs);
	if (v[0] == OP_RESERVE && worked != (quarry_reserve_left(&reserve) == BULK))
		client_say("wrong contents: %u\n", quarry_reserve_left(&reserve));
	quarry_reserve_return(&reserve);
	quarry_pool_destroy(pool);
	quarry_free(p);
	quarry_cache_destroy(cache);
	/* Memory that is freed after a grace period counts as held until it ends. */
	rcu_barrier();
	client_say("injected %d\nworked %d\n", injected, worked);
	if (!worked && v[0] == OP_NOFAIL)
		return -EIO;
	return worked || injected ? 0 : -ENOMEM;
}

const struct client_command client_failnth = {
	"failnth",
	failnth_run,
	{
		{ .name = "op", .words = ops },
		{ .name = "nth", .max = 1000000 },
	},
};
