/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A copy of a table that has only its largest rows, and the sum of all others, so that it fits into
 * memory that was taken before anybody knew how many rows there would be.
 */
#ifndef QR_LARGEST_H
#define QR_LARGEST_H

#include <quarry/profile.h>

#define QR_LARGEST 128

/**
 * struct qr_largest - such a copy while it is made
 * @p: the copy, with room for QR_LARGEST + 1 rows.  Row 0 sums the rows that are not kept; with it
 *	the sums over the copy are those over the table
 * @only: only rows of the cache of this name count; NULL: all rows do
 * @nr: rows that are kept so far
 * @heap: their indices, as a binary heap: the row with the fewest live bytes comes first
 * @next: the row that qr_largest_add() adds
 */
struct qr_largest {
	struct quarry_profile *p;
	const char *only;
	u32 nr;
	u32 heap[QR_LARGEST];
	struct quarry_site next;
};

void qr_largest_begin(struct qr_largest *l, struct quarry_profile *p, const char *only);
/* Add the row in @l->next.  Under the lock of its table; also in NMI. */
void qr_largest_add(struct qr_largest *l);
/* All rows have been added: note the label sets of those that are kept. */
void qr_largest_end(struct qr_largest *l);

#endif /* QR_LARGEST_H */
