/* SPDX-License-Identifier: GPL-2.0 */
/* The malloc family, which has a cache for each size class. */
#ifndef QR_MALLOC_H
#define QR_MALLOC_H

int qr_malloc_init(void);
void qr_malloc_exit(void);

#endif /* QR_MALLOC_H */
