/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stacks that the depot has no room for when they are found.  It asks for pages then, which
 * PREEMPT_RT allows only where the caller can be preempted.  A work item saves such a stack, and
 * the next sample of it finds it; the pages last for a hundred stacks or more.
 */
#ifndef QR_STACK_LATER_H
#define QR_STACK_LATER_H

/* Save a stack soon, unless another one waits for that already.  Any context but NMI. */
void qr_stack_later(const unsigned long *entries, unsigned int nr);

/* Nobody calls qr_stack_later() any more.  Sleeps. */
void qr_stack_later_exit(void);

#endif /* QR_STACK_LATER_H */
