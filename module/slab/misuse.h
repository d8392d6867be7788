/* SPDX-License-Identifier: GPL-2.0 */
/* Reports of misuse: what clients did wrong with objects, caches and arenas. */
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
	QR_MISUSE_KERNEL_FREE,
	QR_NR_MISUSE,
};

extern atomic64_t qr_misuse_count[QR_NR_MISUSE];
extern atomic64_t qr_leaked_objects;

/**
 * qr_report() - count and trace misuse, and log it the first time a caller does it
 * @what: what was done
 * @p: address of the object
 * @cache: name of the cache that the object belongs to, or NULL if none is known
 * @given: name of the cache that the caller named, if it is another one; else NULL
 * @ip: the caller's address; if it is one of Quarry's own, the log names the client's function that
 *	led there, see qr_caller()
 *
 * The log also has the call stack that allocated the object, if that is sampled.  The last reports
 * are kept, see <quarry/misuse.h>.
 *
 * The object counts as leaked for %QR_MISUSE_INTERIOR, %QR_MISUSE_WRONG_CACHE and
 * %QR_MISUSE_KERNEL_FREE.
 *
 * Context: Any.
 *
 * Return: true if it was logged, false if it was only counted.
 */
bool qr_report(enum qr_misuse what, const void *p, const char *cache, const char *given,
	       unsigned long ip);
/* The same for a caller that knows whether the object is leaked (@lost). */
bool qr_report_loss(enum qr_misuse what, const void *p, const char *cache, const char *given,
		    unsigned long ip, bool lost);

#endif /* QR_MISUSE_H */
