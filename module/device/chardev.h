/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/quarry: made by main.c when all else is there, removed first. */
#ifndef QR_CHARDEV_H
#define QR_CHARDEV_H

int qr_chardev_init(void);
void qr_chardev_exit(void);

#endif /* QR_CHARDEV_H */
