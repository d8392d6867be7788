// SPDX-License-Identifier: GPL-2.0
/*
 * Clients that reach limits.
 *
 * "churn" holds "mib" MiB of objects and replaces all of them in each turn, roughly the
 * oldest first.  Turns of small objects and turns of large ones alternate, because memory
 * that the former leave free does not serve the latter.  With "most", all turns have
 * objects of up to that many bytes.  With "lossy", churn goes on when a request is
 * refused; otherwise it ends with -ENOMEM.
 *
 * "limited" has a cache with a limit, and also sets the limits of the whole module.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>
#include "client.h"

/* --- Objects that come and go --- */

#define RING   BIT(20) /* slots: room for 16 MiB of the smallest objects */
#define WINDOW 64      /* the next object to be freed is one of the 64 oldest */

struct churn {
	void **ring;
	unsigned long head, tail;
	size_t live;
	struct rnd_state rnd;
	u64 allocs;
	u64 refused;
	size_t peak;
	unsigned int doublings;
	bool lossy;
};

static u32 churn_size(struct churn *c, bool large)
{
	u32 r = prandom_u32_state(&c->rnd);

	/* 33 to 256 KiB, or from 16 bytes up; each doubling of the size has as many objects. */
	if (large)
		return 33 * SZ_1K + r % (223 * SZ_1K);
	return (16u << (r & 0xff) % c->doublings) * (64 + ((r >> 8) & 63)) / 64;
}

static void churn_free_one(struct churn *c)
{
	unsigned long span = min(c->head - c->tail, (unsigned long)WINDOW);
	unsigned long pick = c->tail + prandom_u32_state(&c->rnd) % span;
	void **oldest = &c->ring[c->tail++ % RING], *p;

	p = c->ring[pick % RING];
	c->ring[pick % RING] = *oldest;
	c->live -= quarry_usable_size(p);
	quarry_free(p);
}

static int churn_turn(struct churn *c, size_t want, bool large)
{
	size_t done = 0, size;
	void *p;
	u32 ask;

	/* A turn allocates as many bytes as are held, and so replaces everything. */
	while (done < want) {
		ask = churn_size(c, large);
		p = quarry_malloc(ask, GFP_KERNEL | __GFP_NOWARN);
		c->refused += !p;
		if (!p && !c->lossy)
			return -ENOMEM;
		if (!p) {
			done += ask;
			continue;
		}
		size = quarry_usable_size(p);
		c->ring[c->head++ % RING] = p;
		c->live += size;
		c->allocs++;
		done += size;
		while (c->live > want || c->head - c->tail == RING)
			churn_free_one(c);
		c->peak = max(c->peak, c->live);
		cond_resched();
	}
	return 0;
}

static int churn_run(const u64 *v)
{
	struct churn c = { .ring = vmalloc(RING * sizeof(void *)), .lossy = v[3] };
	u64 most = v[4] ?: SZ_32K;
	unsigned int turn;
	int err = 0;

	if (!c.ring)
		return -ENOMEM;
	if (most < 32) {
		vfree(c.ring);
		return -EINVAL;
	}
	c.doublings = ilog2(most / 16);
	prandom_seed_state(&c.rnd, v[2]);
	for (turn = 0; turn < v[1] && !err; turn++)
		err = churn_turn(&c, v[0] << 20, !v[4] && turn % 2);
	client_say("turns %u\nallocs %llu\nrefused %llu\npeak %zu\n", turn, c.allocs, c.refused,
		   c.peak);
	while (c.head != c.tail)
		churn_free_one(&c);
	vfree(c.ring);
	return err;
}

const struct client_command client_churn = {
	"churn",
	churn_run,
	{
		{ .name = "mib", .value = 60, .max = 1 << 20 },
		{ .name = "turns", .value = 6, .max = 1000000 },
		{ .name = "seed", .value = 1, .max = U32_MAX },
		{ .name = "lossy", .max = 1 },
		{ .name = "most", .max = SZ_32K },
	},
};

/* --- A cache with a limit --- */

#define LIMITED_SIZE 1000

struct limited_object {
	struct limited_object *next;
};

static struct quarry_cache *limited;
static struct limited_object *limited_objects;

static void limited_free(void)
{
	while (limited_objects) {
		struct limited_object *o = limited_objects;

		limited_objects = o->next;
		quarry_cache_free(limited, o);
		cond_resched();
	}
}

static int limited_create(u64 hard)
{
	struct quarry_cache_args args = { .limit = hard };

	if (limited)
		return -EBUSY;
	limited = quarry_cache_create("client_limited", LIMITED_SIZE, &args);
	return limited ? 0 : -ENOMEM;
}

/* Allocate up to @n more objects.  If the limit allows fewer, that is a result, and no error. */
static noinline int limited_fill(u64 n, gfp_t gfp)
{
	struct limited_object *o = NULL;
	u64 got;

	if (!limited)
		return -EINVAL;
	for (got = 0; got < n; got++) {
		o = quarry_cache_alloc(limited, gfp);
		if (!o)
			break;
		o->next = limited_objects;
		limited_objects = o;
		cond_resched();
	}
	client_say("objects %llu\nrefused %d\n", got, got < n);
	return 0;
}

static noinline int limited_big(gfp_t gfp)
{
	void *p = quarry_malloc(SZ_16M, gfp);

	quarry_free(p);
	return p ? 0 : -ENOMEM;
}

static int limited_set(bool all, u64 soft, u64 hard)
{
	if (!all && !limited)
		return -EINVAL;
	return quarry_limit_set(all ? NULL : limited, soft, hard);
}

static void limited_end(void)
{
	limited_free();
	quarry_cache_destroy(limited);
	limited = NULL;
}

enum { LIMITED_OP, LIMITED_N, LIMITED_SOFT, LIMITED_HARD, LIMITED_GFP };
enum { OP_CREATE, OP_FILL, OP_SET, OP_SETALL, OP_FREE, OP_BIG, OP_END };
static const char *const ops[] = { "create", "fill", "set", "setall", "free", "big", "end", NULL };
static const char *const gfp_names[] = { "kernel", "atomic", "nofail", NULL };
/* Without __GFP_NOWARN, because a request that a limit refuses must not warn anyway. */
static const gfp_t gfps[] = { GFP_KERNEL, GFP_ATOMIC, GFP_KERNEL | __GFP_NOFAIL };

static int limited_run(const u64 *v)
{
	switch (v[LIMITED_OP]) {
	case OP_CREATE:
		return limited_create(v[LIMITED_HARD]);
	case OP_FILL:
		return limited_fill(v[LIMITED_N], gfps[v[LIMITED_GFP]]);
	case OP_SET:
	case OP_SETALL:
		return limited_set(v[LIMITED_OP] == OP_SETALL, v[LIMITED_SOFT], v[LIMITED_HARD]);
	case OP_FREE:
		limited_free();
		return 0;
	case OP_BIG:
		return limited_big(gfps[v[LIMITED_GFP]]);
	default:
		limited_end();
		return 0;
	}
}

const struct client_command client_limited = {
	"limited",
	limited_run,
	{
		[LIMITED_OP] = { .name = "op", .words = ops },
		[LIMITED_N] = { .name = "n", .value = 1, .max = 1 << 30 },
		[LIMITED_SOFT] = { .name = "soft", .value = U64_MAX, .max = U64_MAX },
		[LIMITED_HARD] = { .name = "hard", .value = U64_MAX, .max = U64_MAX },
		[LIMITED_GFP] = { .name = "gfp", .words = gfp_names },
	},
};

void client_limited_all(void)
{
	limited_end();
}
