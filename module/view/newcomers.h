/* SPDX-License-Identifier: GPL-2.0 */
/* Objects that are met in a search for lost ones, and were allocated after it began. */
#ifndef QR_NEWCOMERS_H
#define QR_NEWCOMERS_H

#include <linux/types.h>
#include <linux/xarray.h>

/**
 * struct qr_newcomers - those that were met in a round of the search
 * @met: their sizes, by their offset in the direct map; marked until they are searched
 * @err: 0, or the error that kept one from being entered
 *
 * As all of the search's memory, this has no addresses.
 */
struct qr_newcomers {
	struct xarray met;
	int err;
};

void qr_newcomers_init(struct qr_newcomers *n);
void qr_newcomers_exit(struct qr_newcomers *n);
/* If @p points into a live object, remember the object.  Sleeps. */
void qr_newcomers_meet(struct qr_newcomers *n, const void *p);
/* One that was not searched yet, which now counts as searched.  False if there is none. */
bool qr_newcomers_next(struct qr_newcomers *n, const void **start, size_t *size);

#endif /* QR_NEWCOMERS_H */
