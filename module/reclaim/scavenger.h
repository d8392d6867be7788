/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The scavenger: idle pages decay, in the background, to a share of those in use.
 * What observers may do with it is in <quarry/stats.h>.
 */
#ifndef QR_SCAVENGER_H
#define QR_SCAVENGER_H

#include <linux/atomic.h>
#include <linux/types.h>

extern atomic64_t qr_scavenged_pages, qr_scavenger_ns;
/* When the module was loaded. */
extern u64 qr_loaded_ns;

int qr_scavenger_init(void);
void qr_scavenger_exit(void);

/* Tests set it: nothing goes by itself. */
extern bool qr_scavenger_paused;

#endif /* QR_SCAVENGER_H */
