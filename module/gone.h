/* SPDX-License-Identifier: GPL-2.0 */
/* Modules that are unloaded while the profile tells of them. */
#ifndef QR_GONE_H
#define QR_GONE_H

int qr_gone_init(void);
void qr_gone_exit(void);

#endif /* QR_GONE_H */
