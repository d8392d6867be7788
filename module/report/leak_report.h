/* SPDX-License-Identifier: GPL-2.0 */
/* What the log says about objects that clients never freed. */
#ifndef QR_LEAK_REPORT_H
#define QR_LEAK_REPORT_H

/*
 * Log the sites that hold most of what is live.  For the unload of the module: no client is left,
 * so all of it is lost.  Sleeps.
 */
void qr_leaks_report(void);

#endif /* QR_LEAK_REPORT_H */
