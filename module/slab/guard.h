/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What watches the objects of a cache that asked for it: a red zone behind each of them, and
 * poison in those that are free.  The bytes are the ones that SLUB writes, see linux/poison.h.
 */
#ifndef QR_GUARD_H
#define QR_GUARD_H

#include <linux/poison.h>
#include <linux/types.h>
#include "core/misuse.h"

/* Bytes behind an object that a red zone has at least. */
#define QR_RED_ZONE 8u

/**
 * struct qr_guard - how a cache's objects are watched
 * @size: bytes of an object that are its owner's
 * @stride: bytes from one object to the next; what lies between is the red zone
 * @poison: QUARRY_POISON
 * @red_zone: QUARRY_RED_ZONE
 * @name: the cache's
 */
struct qr_guard {
	u32 size;
	u32 stride;
	bool poison;
	bool red_zone;
	const char *name;
};

/*
 * The object at @p is nobody's: it has just been cut; is it as it was left; it is given to
 * somebody; it comes back.  Each of the last three says what is wrong, and then leaves the object
 * as it is.  Any context.
 */
void qr_guard_cut(const struct qr_guard *guard, void *p);
enum qr_misuse qr_guard_check(const struct qr_guard *guard, const void *p);
enum qr_misuse qr_guard_take(const struct qr_guard *guard, void *p);
enum qr_misuse qr_guard_give(const struct qr_guard *guard, void *p);

/*
 * As qr_report_loss(), and which byte it is and what stands there.  @free: it is what the last
 * owner left, and not the present one's.
 */
void qr_guard_report(const struct qr_guard *guard, enum qr_misuse what, const void *p, bool free,
		     unsigned long ip, bool lost);

#endif /* QR_GUARD_H */
