/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Call stacks: whose allocation is this?  They are kept by the kernel's stack
 * depot, which hands out a number for each.
 */
#ifndef QR_STACK_H
#define QR_STACK_H

#include <linux/gfp.h>
#include <linux/types.h>

/**
 * qr_stack_save() - the call stack of an allocation that is under way
 * @ip: where Quarry was called from: a hint, not part of the answer
 * @gfp: what the depot may do to get memory
 * @add: whether a stack that was never seen may be added to the depot
 *
 * Frames of Quarry are left out, and in an interrupt all frames of what it
 * interrupted.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the depot's handle, or 0 when the stack is not known and was not added.
 */
u32 qr_stack_save(unsigned long ip, gfp_t gfp, bool add);

/* A stack's frames, leaf first; the depot's own memory, which stays.  Returns how many. */
unsigned int qr_stack_frames(u32 stack, unsigned long **entries);

/* Modules come and go: nothing is remembered by address any more. */
void qr_stacks_forget(void);

int qr_stacks_init(void);
void qr_stacks_exit(void);

#endif /* QR_STACK_H */
