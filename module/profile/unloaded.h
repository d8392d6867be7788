/* SPDX-License-Identifier: GPL-2.0 */
/* The function names of stacks through modules that were unloaded. */
#ifndef QR_UNLOADED_H
#define QR_UNLOADED_H

/*
 * The names of @n frames, one per line; "" without memory.  The text lasts until
 * qr_unloaded_exit(), and equal texts are the same pointer.  Sleeps.
 */
const char *qr_unloaded_names(const unsigned long *frames, unsigned int n);

int qr_unloaded_init(void);
void qr_unloaded_exit(void);

#endif /* QR_UNLOADED_H */
