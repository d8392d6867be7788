/* SPDX-License-Identifier: GPL-2.0 */
#ifndef QR_LARGE_LESSON_H
#define QR_LARGE_LESSON_H

#include <linux/types.h>

/* Learn which call sites the kernel reports besides the caller's.  0 or an error.  Sleeps. */
int qr_large_learn(void);

/* Is this event of a large object a second report of it? */
bool qr_large_is_repeated(unsigned long call_site);

#endif /* QR_LARGE_LESSON_H */
