/* SPDX-License-Identifier: GPL-2.0 */
/* Allocations per run of a function. */
#ifndef QR_ALLOCS_PER_RUN_H
#define QR_ALLOCS_PER_RUN_H

/* No client is left; one may have died while it counted. */
void qr_allocs_per_run_exit(void);

#endif /* QR_ALLOCS_PER_RUN_H */
