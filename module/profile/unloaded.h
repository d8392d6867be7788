/* SPDX-License-Identifier: GPL-2.0 */
/* Modules that are unloaded while the profile tells of them. */
#ifndef QR_UNLOADED_H
#define QR_UNLOADED_H

/*
 * The names of @n frames, one a line; "" if they cannot be kept.  They last until
 * qr_unloaded_exit(), and are the same pointer for the same text.  Sleeps.
 */
const char *qr_unloaded_names(const unsigned long *frames, unsigned int n);

int qr_unloaded_init(void);
void qr_unloaded_exit(void);

#endif /* QR_UNLOADED_H */
