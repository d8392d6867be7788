// SPDX-License-Identifier: GPL-2.0
/*
 * The name of an address takes thousands of instructions to find, so the answer for a stack is
 * remembered.  The number of a stack always stands for the same addresses.
 */
#include "probe/stack_user.h"

#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>
#include "profile/stack.h"

/* An answer is one of these, or 1 + the index of a function. */
#define ANSWER_BITS 8
#define OTHER	    0
#define QUARRY	    255

static unsigned int by_name(const struct qr_stack_users *users, unsigned long caller)
{
	char name[KSYM_SYMBOL_LEN];
	const char *begin = name;
	unsigned int i;

	/* A return address may be behind the function's last instruction. */
	sprint_symbol_no_offset(name, caller - 1);
	begin += strspn(begin, "_");
	for (i = 0; i < users->nr; i++)
		if (!strncmp(begin, users->function[i].prefix, strlen(users->function[i].prefix)))
			return i + 1;
	return OTHER;
}

static unsigned int search(const struct qr_stack_users *users, u32 stack)
{
	unsigned int answer = OTHER, i;
	unsigned long *callers;
	unsigned int nr = qr_stack_frames(stack, &callers);

	for (i = 0; i < nr && i < users->callers && answer == OTHER; i++)
		answer = within_module(callers[i], THIS_MODULE) ? QUARRY :
								  by_name(users, callers[i]);
	return answer;
}

const char *qr_stack_user(struct qr_stack_users *users, u32 stack)
{
	u64 *slot = &users->remembered[hash_32(stack, QR_REMEMBERED_BITS)];
	u64 known = READ_ONCE(*slot);
	unsigned int answer = known & ((1 << ANSWER_BITS) - 1);

	if (known >> ANSWER_BITS != stack) {
		answer = search(users, stack);
		WRITE_ONCE(*slot, (u64)stack << ANSWER_BITS | answer);
	}
	if (answer == OTHER)
		return users->other;
	return answer == QUARRY ? "quarry" : users->function[answer - 1].user;
}
