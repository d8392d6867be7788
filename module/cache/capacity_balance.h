/* SPDX-License-Identifier: GPL-2.0 */
/* Magazines that shrink: those of caches at rest, and those that others could use. */
#ifndef QR_CAPACITY_BALANCE_H
#define QR_CAPACITY_BALANCE_H

#include <linux/types.h>

/*
 * Look at all magazines, and take from them what their CPU's use since the last
 * look does not call for; empty the depots of caches that nobody used.  Returns
 * whether anything is left to be taken the next time.  Process context; sleeps.
 */
bool qr_magazines_tick(void);

/* Do that once a second while a magazine has capacity, or leave it alone. */
void qr_magazines_ticking(bool on);

/* Do it now: memory is short.  Any context but NMI. */
void qr_magazines_soon(void);

void qr_balance_init(void);
void qr_balance_exit(void);

#endif /* QR_CAPACITY_BALANCE_H */
