/* SPDX-License-Identifier: GPL-2.0 */
/* Modules that are unloaded while the profile tells of them. */
#ifndef QR_GONE_H
#define QR_GONE_H

/*
 * The names of @n frames, one a line; "" if they cannot be kept.  They last until
 * qr_gone_exit(), and are the same pointer for the same text.  Sleeps.
 */
const char *qr_gone_names(const unsigned long *frames, unsigned int n);

int qr_gone_init(void);
void qr_gone_exit(void);

#endif /* QR_GONE_H */
