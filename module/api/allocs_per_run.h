/* SPDX-License-Identifier: GPL-2.0 */
/* Allocations per run of a function. */
#ifndef QR_PERRUN_H
#define QR_PERRUN_H

/* No client is left; one may have died while it counted. */
void qr_perrun_exit(void);

#endif /* QR_PERRUN_H */
