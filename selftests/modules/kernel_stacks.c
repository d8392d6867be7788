// SPDX-License-Identifier: GPL-2.0
/*
 * "stacks" allocates objects by kmalloc(), each with a call stack of its own, and "unstacks" frees
 * them.  Two functions call themselves and each other: which of them is at a level of the stack is
 * a bit of the object's number.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "client.h"

#define SIZE 64
#define BITS 20 /* levels above these repeat the bits */

static void **held;
static u64 nr_held;

static void *stacks_zero(u32 bits, unsigned int level);
static void *stacks_one(u32 bits, unsigned int level);

static __always_inline void *go_on(u32 bits, unsigned int level)
{
	if (!level)
		return kmalloc(SIZE, GFP_KERNEL);
	return bits & 1 ? stacks_one(bits, level - 1) : stacks_zero(bits, level - 1);
}

static __always_inline u32 next(u32 bits)
{
	return bits >> 1 | (bits & 1) << (BITS - 1);
}

/*
 * The barriers keep calls from becoming tail calls, and the compiler from making one function of
 * the two.
 */
static noinline void *stacks_zero(u32 bits, unsigned int level)
{
	void *p = go_on(next(bits), level);

	barrier();
	return p;
}

static noinline void *stacks_one(u32 bits, unsigned int level)
{
	void *p;

	barrier();
	p = go_on(next(bits), level);
	barrier();
	return p;
}

static void free_all(void)
{
	while (nr_held) {
		kfree(held[--nr_held]);
		if (!(nr_held % 1024))
			cond_resched();
	}
	vfree(held);
	held = NULL;
}

static int stacks_run(const u64 *v)
{
	u64 n = v[0], depth = v[1];

	if (held)
		return -EBUSY;
	if (!depth || n > 1ULL << min_t(u64, depth, BITS))
		return -EINVAL;
	held = vcalloc(n, sizeof(void *));
	if (!held)
		return -ENOMEM;
	for (; nr_held < n; nr_held++) {
		held[nr_held] = go_on(nr_held, depth);
		if (!held[nr_held]) {
			free_all();
			return -ENOMEM;
		}
		if (!(nr_held % 1024))
			cond_resched();
	}
	return 0;
}

static int unstacks_run(const u64 *v)
{
	free_all();
	return 0;
}

void client_unstacks_all(void)
{
	free_all();
}

const struct client_command client_stacks = {
	.name = "stacks",
	.run = stacks_run,
	.args = {
		{ "n", 100000, 1 << BITS },
		{ "depth", 17, 55 },
	},
};

const struct client_command client_unstacks = {
	.name = "unstacks",
	.run = unstacks_run,
};
