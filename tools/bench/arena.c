// SPDX-License-Identifier: GPL-2.0
/*
 * Many small objects that are all freed at once: an arena, compared with a free of each object.
 *
 * Lines of the result are
 *
 *   arena step size objects slub_x100 quarry_x100 arena_x100
 *
 * The step "alloc" is an allocation.  "free" is a free, or for the arena an object's share of
 * its destruction.  "both" is the sum.  The arena's figures include its creation.
 *
 * Each figure is the least of ROUNDS rounds.  Within a million allocations the kernel runs other
 * tasks too, and their instructions are counted as well: right after boot its tests of ciphers
 * (which scripts/bench turns off) took more instructions in one round than the arena did.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <quarry/quarry.h>
#include "measure.h"

#define OBJECTS 1000000u
#define ROUNDS	5u

enum { SLUB, QUARRY, ARENA, SIDES };

static struct quarry_arena *arena;

/* A loop for each side, with the side's own calls inlined. */
/* clang-format off */
#define FILL(objs, alloc)					\
({								\
	u64 start = bench_ticks();				\
	void **slot = (objs), **end = slot + OBJECTS;		\
								\
	do {							\
		*slot++ = alloc;				\
		barrier();					\
	} while (slot != end);					\
	bench_ticks() - start;					\
})
/* clang-format on */

/* clang-format off */
#define DRAIN(objs, release)					\
({								\
	u64 start = bench_ticks();				\
	void **slot = (objs), **end = slot + OBJECTS;		\
								\
	do {							\
		void *p = *slot++;				\
								\
		release;					\
		barrier();					\
	} while (slot != end);					\
	bench_ticks() - start;					\
})
/* clang-format on */

static bench_timed u64 fill_64(unsigned int side, void **objs)
{
	switch (side) {
	case SLUB:
		return FILL(objs, kmalloc(64, GFP_KERNEL));
	case QUARRY:
		return FILL(objs, quarry_malloc(64, GFP_KERNEL));
	default:
		return FILL(objs, quarry_arena_alloc(arena, 64, GFP_KERNEL));
	}
}

/* The same with a size that the compiler does not know. */
static bench_timed u64 fill(unsigned int side, void **objs, size_t size)
{
	switch (side) {
	case SLUB:
		return FILL(objs, kmalloc(size, GFP_KERNEL));
	case QUARRY:
		return FILL(objs, quarry_malloc(size, GFP_KERNEL));
	default:
		return FILL(objs, quarry_arena_alloc(arena, size, GFP_KERNEL));
	}
}

static bench_timed u64 drain(unsigned int side, void **objs)
{
	u64 start;

	switch (side) {
	case SLUB:
		return DRAIN(objs, kfree(p));
	case QUARRY:
		return DRAIN(objs, quarry_free(p));
	default:
		start = bench_ticks();
		quarry_arena_destroy(arena);
		return bench_ticks() - start;
	}
}

/* One round.  *@alloc and *@release are lowered to its figures if these are less. */
static int run(unsigned int side, void **objs, size_t size, u64 *alloc, u64 *release)
{
	u64 start = bench_ticks(), made = 0, ticks;
	unsigned int i, failed = 0;

	if (side == ARENA) {
		arena = quarry_arena_create("bench", NULL);
		made = bench_ticks() - start;
		if (!arena)
			return -ENOMEM;
	}
	ticks = size == 64 ? fill_64(side, objs) : fill(side, objs, size);
	for (i = 0; i < OBJECTS; i++)
		failed += !objs[i];
	*alloc = min(*alloc, bench_x100(ticks + made, OBJECTS, bench_overhead.fill));
	ticks = drain(side, objs);
	*release = min(*release,
		       bench_x100(ticks, OBJECTS, side == ARENA ? 0 : bench_overhead.drain));
	return failed ? -ENOMEM : 0;
}

int bench_arena(void)
{
	static const unsigned int sizes[] = { 64, 24 };
	void **objs = vmalloc(array_size(OBJECTS, sizeof(*objs)));
	u64 alloc[SIDES], release[SIDES];
	unsigned int i, side, round;
	int err = 0;

	if (!objs)
		return -ENOMEM;
	for (i = 0; !err && i < ARRAY_SIZE(sizes); i++) {
		memset(alloc, 0xff, sizeof(alloc));
		memset(release, 0xff, sizeof(release));
		for (round = 0; round < ROUNDS; round++)
			for (side = 0; !err && side < SIDES; side++)
				err = run(side, objs, sizes[i], &alloc[side], &release[side]);
		if (err)
			break;
		bench_line("arena alloc %u %u %llu %llu %llu\n", sizes[i], OBJECTS, alloc[SLUB],
			   alloc[QUARRY], alloc[ARENA]);
		bench_line("arena free %u %u %llu %llu %llu\n", sizes[i], OBJECTS, release[SLUB],
			   release[QUARRY], release[ARENA]);
		bench_line("arena both %u %u %llu %llu %llu\n", sizes[i], OBJECTS,
			   alloc[SLUB] + release[SLUB], alloc[QUARRY] + release[QUARRY],
			   alloc[ARENA] + release[ARENA]);
	}
	vfree(objs);
	return err;
}
