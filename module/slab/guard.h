/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guards watch the objects of a cache that asked for them: a red zone behind each object, and
 * poison in each free object.  The bytes are the ones that SLUB writes, see linux/poison.h.  On a
 * kernel with KASAN, both are hidden from it as well, see shadow.h.
 */
#ifndef QR_GUARD_H
#define QR_GUARD_H

#include <linux/poison.h>
#include <linux/types.h>
#include "slab/misuse.h"

/* The least length of a red zone in bytes. */
#define QR_RED_ZONE 8u

/**
 * struct qr_guard - how a cache's objects are watched
 * @size: bytes of an object that its owner may use
 * @stride: bytes from one object to the next; those behind @size are the red zone
 * @poison: the cache has QUARRY_POISON
 * @red_zone: the cache has QUARRY_RED_ZONE
 * @shared: readers may look at free objects, so these are not hidden from KASAN
 * @name: name of the cache
 */
struct qr_guard {
	u32 size;
	u32 stride;
	bool poison;
	bool red_zone;
	bool shared;
	const char *name;
};

/*
 * qr_guard_cut() fills a free object of a new slab, and when a constructor has run, qr_guard_hide()
 * hides it from KASAN; qr_guard_hide_rest() does so with the bytes behind the slab's last object.
 * qr_guard_check() checks a free object.
 * qr_guard_take() checks a free object and then fills it for its next owner.  qr_guard_give()
 * checks an object that its owner frees, and then fills it as free.  The last three return what
 * is wrong, or QR_MISUSE_NONE; if something is, they change no byte.  Any context.
 */
void qr_guard_cut(const struct qr_guard *guard, void *p);
void qr_guard_hide(const struct qr_guard *guard, void *p);
void qr_guard_hide_rest(const struct qr_guard *guard, void *from, void *end);
enum qr_misuse qr_guard_check(const struct qr_guard *guard, const void *p);
enum qr_misuse qr_guard_take(const struct qr_guard *guard, void *p);
enum qr_misuse qr_guard_give(const struct qr_guard *guard, void *p);

/*
 * As qr_report_loss(), and the log also shows the first bad byte and those around it.  @free:
 * the object is free, so the write came after its last free.
 */
void qr_guard_report(const struct qr_guard *guard, enum qr_misuse what, const void *p, bool free,
		     unsigned long ip, bool lost);

#endif /* QR_GUARD_H */
