// SPDX-License-Identifier: GPL-2.0
/*
 * The same objects from Quarry or from SLUB, so that a test can compare the memory that
 * each of them holds for these objects.  The sizes are drawn from a seed; there are as many
 * objects of 16 to 32 bytes as of 16 to 32 KiB.  "begin" allocates the memory that the client
 * itself needs, and the other operations allocate nothing but objects:
 *
 *	begin	draw the sizes
 *	grow	allocate all objects
 *	thin	free "percent" per cent of the objects, picked at random
 *	cut	free the youngest "percent" per cent
 *	comb	free the first "percent" per cent of each 200 objects in a row, so that
 *		every node keeps the same share
 *	end	free the objects that are left, and forget the sizes
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "client.h"

struct mixed_object {
	void *p;
	u32 size;
};

static struct mixed_object *objects;
static size_t nr_objects;
static struct rnd_state picks;
static u64 side;

/* When memory runs out the test must fail: the OOM killer must not run. */
#define NO_KILL (GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

enum { SIDE_QUARRY, SIDE_SLUB };
static const char *const sides[] = { "quarry", "slub", NULL };

/*
 * A size of @low to @high bytes; each doubling of the size is as likely as another.  It is @low,
 * times a power of two, times 2^(k/256) for a random k of 8 bits.  Each bit of k that is set is a
 * factor, which is a root of two; @roots has these factors in units of 1/65536.
 */
static u32 draw_size(struct rnd_state *rnd, u32 low, u32 high)
{
	static const u32 roots[] = {
		65714, 65892, 66250, 66971, 68438, 71468, 77936, 92682,
	};
	u32 doublings = ilog2(high / low) ?: 1, r = prandom_u32_state(rnd), bit;
	u64 size = (u64)low << (16 + (r >> 8) % doublings);

	for (bit = 0; bit < ARRAY_SIZE(roots); bit++)
		if (r & BIT(bit))
			size = (size * roots[bit]) >> 16;
	return min_t(u64, size >> 16, high);
}

/* Mark both ends of the object.  If something else writes there, is_marked() says so. */
static void mark(const struct mixed_object *o)
{
	u64 value = (unsigned long)o->p ^ o->size;

	memcpy(o->p, &value, sizeof(value));
	memcpy(o->p + o->size - sizeof(value), &value, sizeof(value));
}

static bool is_marked(const struct mixed_object *o)
{
	u64 value = (unsigned long)o->p ^ o->size;

	return !memcmp(o->p, &value, sizeof(value)) &&
	       !memcmp(o->p + o->size - sizeof(value), &value, sizeof(value));
}

static int put(struct mixed_object *o)
{
	if (!o->p)
		return 0;
	if (!is_marked(o))
		return -EIO;
	if (side == SIDE_SLUB)
		kfree(o->p);
	else
		quarry_free(o->p);
	o->p = NULL;
	return 0;
}

static void say_held(void)
{
	size_t i, n = 0;
	u64 bytes = 0;

	for (i = 0; i < nr_objects; i++) {
		n += !!objects[i].p;
		bytes += objects[i].p ? objects[i].size : 0;
	}
	client_say("objects %zu\nbytes %llu\n", n, bytes);
}

static int begin(u64 want, u32 low, u32 high, u64 seed)
{
	struct rnd_state rnd;
	size_t n, i;
	u64 bytes;

	if (objects)
		return -EBUSY;
	if (low < 16 || high < low)
		return -EINVAL;
	prandom_seed_state(&rnd, seed);
	for (n = 0, bytes = 0; bytes < want; n++)
		bytes += draw_size(&rnd, low, high);
	objects = vcalloc(n, sizeof(*objects));
	if (!objects)
		return -ENOMEM;
	nr_objects = n;
	prandom_seed_state(&rnd, seed);
	for (i = 0; i < n; i++)
		objects[i].size = draw_size(&rnd, low, high);
	client_say("objects %zu\nbytes %llu\n", n, bytes);
	return 0;
}

static int grow(u64 from)
{
	struct mixed_object *o;

	side = from;
	prandom_seed_state(&picks, nr_objects);
	for (o = objects; o < objects + nr_objects; o++) {
		if (o->p)
			return -EBUSY;
		if (side == SIDE_SLUB)
			o->p = kmalloc(o->size, NO_KILL);
		else
			o->p = quarry_malloc(o->size, NO_KILL);
		if (!o->p)
			return -ENOMEM;
		mark(o);
		cond_resched();
	}
	return 0;
}

/* Visits the objects in steps of a large prime, and so not in the order of their allocation. */
static int thin(u32 percent)
{
	size_t i, at = 0;
	int err = 0;

	for (i = 0; i < nr_objects && !err; i++) {
		at = (at + 1000003) % nr_objects;
		if (prandom_u32_state(&picks) % 100 < percent)
			err = put(&objects[at]);
		cond_resched();
	}
	return err;
}

static int cut(u32 percent)
{
	size_t i, last = nr_objects - div_u64((u64)nr_objects * percent, 100);
	int err = 0;

	for (i = nr_objects; i > last && !err; i--) {
		err = put(&objects[i - 1]);
		cond_resched();
	}
	return err;
}

#define STRETCH 200u

static int comb(u32 percent)
{
	size_t i;
	int err = 0;

	for (i = 0; i < nr_objects && !err; i++) {
		if (i % STRETCH < STRETCH * percent / 100)
			err = put(&objects[i]);
		cond_resched();
	}
	return err;
}

static int end(void)
{
	int err = cut(100);

	/* An object was overwritten.  Keep it and the rest, so that no other client gets them. */
	if (err)
		return err;
	vfree(objects);
	objects = NULL;
	nr_objects = 0;
	return 0;
}

enum { MIXED_OP, MIXED_SIDE, MIXED_MIB, MIXED_PERCENT, MIXED_LOW, MIXED_HIGH, MIXED_SEED };
enum { OP_BEGIN, OP_GROW, OP_THIN, OP_CUT, OP_COMB, OP_END };
static const char *const ops[] = { "begin", "grow", "thin", "cut", "comb", "end", NULL };

static int mixed_run(const u64 *v)
{
	int err;

	if (v[MIXED_OP] == OP_BEGIN)
		return begin(v[MIXED_MIB] << 20, v[MIXED_LOW], v[MIXED_HIGH], v[MIXED_SEED]);
	if (!objects)
		return -EINVAL;
	switch (v[MIXED_OP]) {
	case OP_GROW:
		err = grow(v[MIXED_SIDE]);
		break;
	case OP_THIN:
		err = thin(v[MIXED_PERCENT]);
		break;
	case OP_CUT:
		err = cut(v[MIXED_PERCENT]);
		break;
	case OP_COMB:
		err = comb(v[MIXED_PERCENT]);
		break;
	default:
		err = end();
	}
	say_held();
	return err;
}

const struct client_command client_mixed = {
	"mixed",
	mixed_run,
	{
		[MIXED_OP] = { .name = "op", .words = ops },
		[MIXED_SIDE] = { .name = "side", .words = sides },
		[MIXED_MIB] = { .name = "mib", .value = 64, .max = 1 << 20 },
		[MIXED_PERCENT] = { .name = "percent", .value = 90, .max = 100 },
		[MIXED_LOW] = { .name = "low", .value = 16, .max = 1 << 20 },
		[MIXED_HIGH] = { .name = "high", .value = 32768, .max = 1 << 20 },
		[MIXED_SEED] = { .name = "seed", .value = 1, .max = U32_MAX },
	},
};

void client_mixed_all(void)
{
	end();
}
