/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which marks of an arena are valid.  A mark dies when it is released, when the arena is
 * released to an earlier mark, and when the arena is reset.
 *
 * Clients hold copies of marks, so a mark cannot be changed when it dies.  Instead the arena
 * remembers its releases: to which offset it went back, and when.  A mark is dead if, after it
 * was made, the arena went back to a lower offset; or to the mark's own offset, by releasing
 * that mark or an earlier one there.
 *
 * A release to a lower offset makes the earlier ones to higher offsets superfluous.  What
 * remains is in order of both offset and time, with one entry for each offset behind which the
 * client kept something.  The arena remembers the QR_MARK_CUTS highest of them.  A mark that
 * died by an older release may be accepted by mistake, which cannot corrupt the arena.  A
 * valid mark is always accepted.
 *
 * The arena's user calls all functions here; they take no lock and work in any context.
 */
#ifndef QR_ARENA_MARK_H
#define QR_ARENA_MARK_H

#include <linux/types.h>

#define QR_MARK_CUTS 32

/**
 * struct qr_mark_cut - a release that is remembered
 * @offset: the offset that the arena went back to
 * @from: number of the first mark at @offset that the release killed
 * @to: number of the release: marks at @offset with numbers from @from up to this are dead
 */
struct qr_mark_cut {
	u64 offset;
	u64 from;
	u64 to;
};

/**
 * struct qr_marks - what an arena remembers to tell valid marks from dead ones
 * @serial: number of the last mark, release or reset; later events have higher numbers
 * @reset: number of the last reset
 * @nr: entries of @cut in use
 * @cut: releases since the last reset, in ascending order of both offset and number
 */
struct qr_marks {
	u64 serial;
	u64 reset;
	unsigned int nr;
	struct qr_mark_cut cut[QR_MARK_CUTS];
};

/* Returns the number of a new mark; never 0. */
static inline u64 qr_mark_new(struct qr_marks *marks)
{
	return ++marks->serial;
}

bool qr_mark_is_live(const struct qr_marks *marks, u64 offset, u64 serial);
/* The arena is released to a valid mark: that mark and all later ones die. */
void qr_mark_release(struct qr_marks *marks, u64 offset, u64 serial);
void qr_marks_reset(struct qr_marks *marks);

#endif /* QR_ARENA_MARK_H */
