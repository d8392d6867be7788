/* SPDX-License-Identifier: GPL-2.0 */
/* When memory runs out: snapshots, and what the log says of them. */
#ifndef QR_OOM_REPORT_H
#define QR_OOM_REPORT_H

/*
 * From now on a snapshot is taken when the kernel's memory comes to an end, or a request is refused
 * because of a hard limit.  If there is no memory for snapshots, the log says so, and none is
 * taken.  0 or an error.  Sleeps.
 */
int qr_oom_init(void);
/* Nobody reads snapshots any more, and no domain is switched on.  Sleeps. */
void qr_oom_exit(void);

#endif /* QR_OOM_REPORT_H */
