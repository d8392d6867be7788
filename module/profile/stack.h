/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The call stacks of allocations.  The kernel's stack depot keeps them and gives a
 * number (a handle) to each.
 */
#ifndef QR_STACK_H
#define QR_STACK_H

#include <linux/gfp.h>
#include <linux/types.h>

/* What to do with a stack that is not in the depot. */
enum qr_stack_add {
	QR_STACK_FIND,	    /* nothing: the answer is 0 */
	QR_STACK_ADD,	    /* add it; the depot may ask for memory */
	QR_STACK_ADD_LATER, /* add it if there is room; otherwise answer 0, and add it soon */
};

/**
 * qr_stack_save() - the call stack of an allocation that is under way
 * @ip: the return address into Quarry's caller; it only speeds up the search
 * @gfp: what the depot may do to get memory
 * @add: what to do with a stack that is not in the depot
 *
 * The stack has no frames of Quarry.  In an interrupt it has no frames of the
 * interrupted code either.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the depot's handle, or 0 if the stack is not in the depot and was not added.
 */
u32 qr_stack_save(unsigned long ip, gfp_t gfp, enum qr_stack_add add);

/*
 * The same for an allocation of the kernel's that a probe has seen: the stack begins with the
 * frame of @ip, the return address into the allocator's caller.  If @ip is not on the stack, it
 * begins behind the frames of Quarry.
 */
u32 qr_stack_save_from(unsigned long ip, gfp_t gfp, enum qr_stack_add add);

/* The same where @ip is unknown: the stack begins with the caller of @function, which is on it. */
u32 qr_stack_save_behind(unsigned long function, gfp_t gfp, enum qr_stack_add add);

/*
 * Set *@entries to the return addresses of @stack, leaf first.  They are in the depot's
 * own memory, which is never freed.  Returns how many there are; 0 for stack 0.
 */
unsigned int qr_stack_frames(u32 stack, unsigned long **entries);

/* A module was loaded or unloaded: forget the stacks that CPUs remember by address. */
void qr_stacks_forget(void);

int qr_stacks_init(void);
void qr_stacks_exit(void);

#endif /* QR_STACK_H */
