/* SPDX-License-Identifier: GPL-2.0 */
/* Which code of a client called Quarry. */
#ifndef QR_CALLER_H
#define QR_CALLER_H

#include <linux/percpu.h>
#include <linux/types.h>

/*
 * The address in the client that the code under way was called from: @ip, if it is not Quarry's
 * own; else, by the call stack, the nearest caller that is not Quarry's.  0 if that is no module:
 * background work of Quarry's own, a grace period that ends, a file that was written.  Any context.
 */
unsigned long qr_caller(unsigned long ip);

/* Longer names are cut. */
struct qr_caller_buf {
	char text[128];
};

/*
 * What a line of the log says of the caller: "function+0x1c/0x80 [module]", or "no client's call"
 * where qr_caller() finds none.  The only way to name a caller in the log.
 */
const char *qr_caller_text(struct qr_caller_buf *buf, unsigned long ip);
/* The same in an argument of a line. */
#define qr_caller_name(ip) qr_caller_text(&(struct qr_caller_buf){}, ip)

/*
 * On this CPU a work item of Quarry's empties magazines for a caller that waits for it: what
 * qr_caller() says in that work item.  0 if there is none.
 */
DECLARE_PER_CPU(unsigned long, qr_work_caller);

#endif /* QR_CALLER_H */
