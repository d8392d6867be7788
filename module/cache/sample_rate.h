/* SPDX-License-Identifier: GPL-2.0 */
/* The rates of the profiler.  Observers read and set them with <quarry/profile.h>. */
#ifndef QR_SAMPLE_RATE_H
#define QR_SAMPLE_RATE_H

/* Begin to sample, at the rate of the module parameter. */
void qr_rate_init(void);
void qr_rate_exit(void);

#endif /* QR_SAMPLE_RATE_H */
