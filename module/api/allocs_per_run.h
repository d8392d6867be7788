/* SPDX-License-Identifier: GPL-2.0 */
/* Counts of a task's allocations; the functions for clients are in quarry/testing.h. */
#ifndef QR_ALLOCS_PER_RUN_H
#define QR_ALLOCS_PER_RUN_H

/*
 * At unload, when no client is left: drops the reference to a task that exited while it was
 * counting.
 */
void qr_allocs_per_run_exit(void);

#endif /* QR_ALLOCS_PER_RUN_H */
