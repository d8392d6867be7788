// SPDX-License-Identifier: GPL-2.0
/*
 * Guards: red zones and poison.  An object found written to behind its end, or while it was
 * free, is leaked and stays exactly as it was found, because its bytes are the only evidence.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "slab/guard.h"

#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/string.h>
#include "compat.h"
#include "slab/shadow.h"

/* Number of bytes that the log shows around the first bad one. */
#define SHOWN 16u

static u8 red(bool free)
{
	return free ? SLUB_RED_INACTIVE : SLUB_RED_ACTIVE;
}

static void fill(const struct qr_guard *g, void *p, bool free)
{
	if (g->poison) {
		memset(p, free ? POISON_FREE : POISON_INUSE, g->size);
		if (free)
			((u8 *)p)[g->size - 1] = POISON_END;
	}
	if (g->red_zone)
		memset(p + g->size, red(free), g->stride - g->size);
}

/* The first byte that is not what it should be, or NULL.  The red zone is checked first. */
static const u8 *find_bad(const struct qr_guard *g, const void *p, bool free, enum qr_misuse *what,
			  u8 *expected)
{
	const u8 *last = p + g->size - 1, *bad;

	*what = QR_MISUSE_RED_ZONE;
	*expected = red(free);
	bad = g->red_zone ? memchr_inv(last + 1, *expected, g->stride - g->size) : NULL;
	if (bad || !free || !g->poison)
		return bad;
	*what = QR_MISUSE_POISON;
	*expected = POISON_FREE;
	bad = memchr_inv(p, *expected, g->size - 1);
	if (bad)
		return bad;
	*expected = POISON_END;
	return *last == *expected ? NULL : last;
}

/* Guards may look at what is hidden from KASAN. */
static enum qr_misuse check(const struct qr_guard *g, const void *p, bool free)
{
	enum qr_misuse what;
	const u8 *bad;
	u8 expected;

	kasan_disable_current();
	bad = find_bad(g, p, free, &what, &expected);
	kasan_enable_current();
	return bad ? what : QR_MISUSE_NONE;
}

/* KASAN knows of each 8 bytes which of them may be used, so objects have to begin there. */
static bool has_shadow(const struct qr_guard *g)
{
	return !(g->stride % 8);
}

static void hide(const struct qr_guard *g, const void *p, bool free)
{
	if (!has_shadow(g))
		return;
	if (free && !g->shared)
		qr_shadow_free(p, g->stride);
	else
		qr_shadow_live(p, g->size, g->stride);
}

static void refill(const struct qr_guard *g, void *p, bool free)
{
	if (has_shadow(g))
		qr_shadow_open(p, g->stride);
	fill(g, p, free);
	hide(g, p, free);
}

void qr_guard_cut(const struct qr_guard *g, void *p)
{
	fill(g, p, true);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_guard_cut);

void qr_guard_hide(const struct qr_guard *g, void *p)
{
	hide(g, p, true);
}

void qr_guard_hide_rest(const struct qr_guard *g, void *from, void *end)
{
	if (has_shadow(g))
		qr_shadow_live(from, 0, end - from);
}

enum qr_misuse qr_guard_check(const struct qr_guard *g, const void *p)
{
	return check(g, p, true);
}

enum qr_misuse qr_guard_take(const struct qr_guard *g, void *p)
{
	enum qr_misuse what = check(g, p, true);

	if (likely(!what))
		refill(g, p, false);
	return what;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_guard_take);

enum qr_misuse qr_guard_give(const struct qr_guard *g, void *p)
{
	enum qr_misuse what = check(g, p, false);

	if (likely(!what))
		refill(g, p, true);
	return what;
}

/* Look again: other writes may have come since the check, and changed what is wrong. */
static void show_bytes(const struct qr_guard *g, const void *p, bool free)
{
	const u8 *bad, *from, *end = p + g->stride;
	enum qr_misuse now;
	u8 expected;

	bad = find_bad(g, p, free, &now, &expected);
	if (!bad)
		return;
	from = max(bad - min_t(size_t, bad - (u8 *)p, SHOWN / 2), (const u8 *)p);
	pr_err("misuse: byte %zu of %u is %#04x and should be %#04x; from byte %zu: %*ph\n",
	       (size_t)(bad - (u8 *)p), g->size, *bad, expected, (size_t)(from - (u8 *)p),
	       (int)min_t(size_t, end - from, SHOWN), from);
}

void qr_guard_report(const struct qr_guard *g, enum qr_misuse what, const void *p, bool free,
		     unsigned long ip, bool lost)
{
	if (!qr_report_loss(what, p, g->name, NULL, ip, lost))
		return;
	kasan_disable_current();
	show_bytes(g, p, free);
	kasan_enable_current();
}
