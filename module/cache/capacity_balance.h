/* SPDX-License-Identifier: GPL-2.0 */
/* Balancing capacity: idle magazines shrink, and heads that need more capacity get it. */
#ifndef QR_CAPACITY_BALANCE_H
#define QR_CAPACITY_BALANCE_H

#include <linux/types.h>

/*
 * Look at all magazines: take capacity from those that need it less than others, judged by their
 * use since the last look, and empty the depots of caches that were not used.  Returns true if
 * another look is needed, because a magazine has capacity or a cache does not rest yet.  Process
 * context; sleeps.
 */
bool qr_magazines_tick(void);

/* A cache that was not used for so many looks rests: it keeps one page for objects to come. */
#define QR_REST 7

/* Turn the look on, once a second while a magazine has capacity, or off.  Sleeps. */
void qr_magazines_ticking(bool on);

/* Look at once, because memory is short.  Any context but NMI. */
void qr_magazines_soon(void);

void qr_balance_init(void);
void qr_balance_exit(void);

#endif /* QR_CAPACITY_BALANCE_H */
