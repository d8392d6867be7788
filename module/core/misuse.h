/* SPDX-License-Identifier: GPL-2.0 */
/* Reports of misuse. */
#ifndef QR_MISUSE_H
#define QR_MISUSE_H

#include <linux/atomic.h>
#include <linux/types.h>

enum qr_misuse {
	QR_MISUSE_NONE,
	QR_MISUSE_FOREIGN,
	QR_MISUSE_INTERIOR,
	QR_MISUSE_WRONG_CACHE,
	QR_MISUSE_DOUBLE_FREE,
	QR_MISUSE_BUSY_DESTROY,
	QR_MISUSE_STALE_MARK,
	QR_MISUSE_RED_ZONE,
	QR_MISUSE_POISON,
	QR_NR_MISUSE,
};

extern atomic64_t qr_misuse_count[QR_NR_MISUSE];
extern atomic64_t qr_leaked_objects;

/**
 * qr_report() - count misuse, and log it the first time it comes from a caller
 * @what: what was done
 * @p: the object
 * @cache: name of the cache the object belongs to, or NULL if none is known
 * @given: name of the cache it was given to, where that is another one
 * @ip: the caller
 *
 * Any context.
 *
 * Return: whether it was logged.
 */
bool qr_report(enum qr_misuse what, const void *p, const char *cache, const char *given,
	       unsigned long ip);
/* The same where the caller knows whether the object is lost. */
bool qr_report_loss(enum qr_misuse what, const void *p, const char *cache, const char *given,
		    unsigned long ip, bool lost);

#endif /* QR_MISUSE_H */
