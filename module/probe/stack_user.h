/* SPDX-License-Identifier: GPL-2.0 */
/* Whom memory is for, by the names of functions on the call stack of its allocation. */
#ifndef QR_STACK_USER_H
#define QR_STACK_USER_H

#include <linux/types.h>

#define QR_REMEMBERED_BITS 8

/**
 * struct qr_user_function - a function that tells the user
 * @prefix: how its name begins, without underscores in front.  Kernels have more or fewer
 *	underscores and suffixes, and inline differently
 * @user: the user
 */
struct qr_user_function {
	const char *prefix;
	const char *user;
};

/**
 * struct qr_stack_users - the users of one allocator
 * @function: their functions
 * @nr: how many these are, at most 254
 * @callers: how many frames are looked at, from the leaf on
 * @other: the user of a stack that has none of these functions
 * @remembered: stacks, and the answer for each.  One word, so that it needs no lock
 */
struct qr_stack_users {
	const struct qr_user_function *function;
	unsigned int nr;
	unsigned int callers;
	const char *other;
	u64 remembered[1 << QR_REMEMBERED_BITS];
};

/*
 * The user of memory that was allocated with the call stack @stack.  "quarry" if a function of
 * Quarry's is found first.  Any context but NMI.
 */
const char *qr_stack_user(struct qr_stack_users *users, u32 stack);

#endif /* QR_STACK_USER_H */
