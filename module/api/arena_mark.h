/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which marks of an arena are still good.  A mark dies when it is released, when the arena is
 * released to an earlier one, and when it is reset.
 *
 * Marks are copies in their owners' hands, so what is kept here is when the arena went back to
 * where: a mark is dead if the arena has been below it since, or is where a release left it.
 * Releases to lower places make those to higher ones forgotten.  What remains after that is,
 * from low to high, one for each place behind which something was kept since; of these the
 * highest QR_MARK_CUTS are known.  A dead mark of a time before them is taken for a good one; a
 * good one is never taken for dead.
 */
#ifndef QR_ARENA_MARK_H
#define QR_ARENA_MARK_H

#include <linux/types.h>

#define QR_MARK_CUTS 32

/**
 * struct qr_mark_cut - the arena went back to a place
 * @offset: which
 * @from: the first of the marks there that this killed
 * @to: when
 */
struct qr_mark_cut {
	u64 offset;
	u64 from;
	u64 to;
};

/**
 * struct qr_marks - what there was of an arena's marks
 * @serial: counts marks, releases and resets: what is later has a higher number
 * @reset: the last reset
 * @nr: number of @cut
 * @cut: releases since then; neither offsets nor times go down
 */
struct qr_marks {
	u64 serial;
	u64 reset;
	unsigned int nr;
	struct qr_mark_cut cut[QR_MARK_CUTS];
};

/* The number of a new mark; never 0. */
static inline u64 qr_mark_new(struct qr_marks *marks)
{
	return ++marks->serial;
}

bool qr_mark_is_live(const struct qr_marks *marks, u64 offset, u64 serial);
/* A live mark is released. */
void qr_mark_release(struct qr_marks *marks, u64 offset, u64 serial);
void qr_marks_reset(struct qr_marks *marks);

#endif /* QR_ARENA_MARK_H */
