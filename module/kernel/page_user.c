// SPDX-License-Identifier: GPL-2.0
/*
 * A user is known by the name of one of its functions.  The name of an address takes thousands of
 * instructions to find, so the answer is remembered.  The number of a stack always stands for the
 * same addresses.
 */
#include "kernel/page_user.h"

#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>
#include "profile/stack.h"

/* A user's functions are not far from the page allocator. */
#define CALLERS 6

enum page_user { OTHER, SLAB, VMALLOC, PERCPU, QUARRY };

static const char *const user_name[] = {
	[OTHER] = "other",   [SLAB] = "slab",	  [VMALLOC] = "vmalloc",
	[PERCPU] = "percpu", [QUARRY] = "quarry",
};

/* How names begin.  Kernels have more or fewer underscores and suffixes, and inline differently. */
static const struct {
	const char *prefix;
	enum page_user user;
} functions[] = {
	{ "alloc_slab_page", SLAB },  { "allocate_slab", SLAB },   { "new_slab", SLAB },
	{ "slab_alloc", SLAB },	      { "kmalloc_large", SLAB },   { "kmalloc_order", SLAB },
	{ "vm_area_alloc", VMALLOC }, { "vmalloc_area", VMALLOC }, { "vmalloc_node", VMALLOC },
	{ "pcpu_", PERCPU },
};

/* Stacks, and the user that was found in each.  One word, so that it needs no lock. */
#define REMEMBERED_BITS 8
#define USER_BITS	8
static u64 remembered[1 << REMEMBERED_BITS];

static enum page_user by_name(unsigned long caller)
{
	char name[KSYM_SYMBOL_LEN];
	const char *begin = name;
	unsigned int i;

	/* A return address may be behind the function's last instruction. */
	sprint_symbol_no_offset(name, caller - 1);
	begin += strspn(begin, "_");
	for (i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strncmp(begin, functions[i].prefix, strlen(functions[i].prefix)))
			return functions[i].user;
	return OTHER;
}

static enum page_user search(u32 stack)
{
	enum page_user user = OTHER;
	unsigned long *callers;
	unsigned int nr = qr_stack_frames(stack, &callers), i;

	for (i = 0; i < nr && i < CALLERS && user == OTHER; i++)
		user = within_module(callers[i], THIS_MODULE) ? QUARRY : by_name(callers[i]);
	return user;
}

const char *qr_page_user(u32 stack)
{
	u64 *slot = &remembered[hash_32(stack, REMEMBERED_BITS)], known = READ_ONCE(*slot);
	enum page_user user;

	if (known >> USER_BITS == stack)
		return user_name[known & ((1 << USER_BITS) - 1)];
	user = search(stack);
	WRITE_ONCE(*slot, (u64)stack << USER_BITS | user);
	return user_name[user];
}
