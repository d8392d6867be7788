// SPDX-License-Identifier: GPL-2.0
/*
 * Many call stacks of kmalloc(): "kstacks" allocates and frees an object at the end of each of many
 * paths through functions that call each other.  A path is a number, with two bits for each step,
 * so each number is a different call stack.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "client.h"

#define STEPS 8 /* 65,536 paths */

static noinline __noclone int kstacks_arrive(void)
{
	void *p = kmalloc(100, GFP_KERNEL);

	barrier();
	kfree(p);
	return p ? 0 : -ENOMEM;
}

static int kstacks_step(unsigned int path, unsigned int left);

/*
 * The asm statement differs in each function, so the compiler cannot merge them.  It stands after
 * the call, so that the call is no tail call, which would leave no frame in the stack.
 */
/* clang-format off */
#define KSTACKS_WAY(way)							\
static noinline __noclone int kstacks_##way(unsigned int path, unsigned int left)	\
{										\
	int err = kstacks_step(path, left);					\
										\
	asm volatile("# " #way);						\
	return err;								\
}

/* clang-format on */

KSTACKS_WAY(north);
KSTACKS_WAY(east);
KSTACKS_WAY(south);
KSTACKS_WAY(west);

static __always_inline int kstacks_step(unsigned int path, unsigned int left)
{
	if (!left)
		return kstacks_arrive();
	switch (path & 3) {
	case 0:
		return kstacks_north(path >> 2, left - 1);
	case 1:
		return kstacks_east(path >> 2, left - 1);
	case 2:
		return kstacks_south(path >> 2, left - 1);
	default:
		return kstacks_west(path >> 2, left - 1);
	}
}

static noinline int kstacks_walk(unsigned int path)
{
	int err = kstacks_step(path, STEPS);

	barrier();
	return err;
}

static int kstacks_run(const u64 *v)
{
	unsigned int path;
	int err = 0;

	for (path = v[0]; path < v[0] + v[1] && !err; path++) {
		err = kstacks_walk(path);
		cond_resched();
	}
	return err;
}

const struct client_command client_kstacks = {
	.name = "kstacks",
	.run = kstacks_run,
	.args = {
		{ "from", 0, 65535 },
		{ "n", 1000, 65536 },
	},
};
