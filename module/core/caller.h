/* SPDX-License-Identifier: GPL-2.0 */
/* Which code of a client called Quarry. */
#ifndef QR_CALLER_H
#define QR_CALLER_H

#include <linux/percpu.h>

/*
 * The address in the client that the code under way was called from: @ip, if it is not Quarry's
 * own; else, by the call stack, the nearest caller that is not Quarry's.  0 if that is no module:
 * background work of Quarry's own, a grace period that ends, a file that was written.  Any context.
 */
unsigned long qr_caller(unsigned long ip);

/*
 * On this CPU a work item of Quarry's empties magazines for a caller that waits for it: what
 * qr_caller() says in that work item.  0 if there is none.
 */
DECLARE_PER_CPU(unsigned long, qr_work_caller);

#endif /* QR_CALLER_H */
