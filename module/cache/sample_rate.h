/* SPDX-License-Identifier: GPL-2.0 */
/* The profiler's rates; what observers may do with them is in <quarry/profile.h>. */
#ifndef QR_SAMPLE_RATE_H
#define QR_SAMPLE_RATE_H

/* Begin to sample, at the rate that the module was loaded with. */
void qr_rate_init(void);

#endif /* QR_SAMPLE_RATE_H */
