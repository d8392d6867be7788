// SPDX-License-Identifier: GPL-2.0
/* Which marks of an arena are valid; arena_mark.h explains how. */
#include "api/arena_mark.h"

#include <linux/kernel.h>
#include <linux/string.h>
#include "compat.h"

bool qr_mark_is_live(const struct qr_marks *marks, u64 offset, u64 serial)
{
	const struct qr_mark_cut *cut;
	unsigned int i;

	if (serial <= marks->reset || serial > marks->serial)
		return false;
	for (i = marks->nr; i--;) {
		cut = &marks->cut[i];
		/* Entries further down are older, so this one decides. */
		if (cut->offset < offset)
			return serial > cut->to;
		if (cut->offset == offset && serial >= cut->from && serial < cut->to)
			return false;
	}
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_mark_is_live);

void qr_mark_release(struct qr_marks *marks, u64 offset, u64 serial)
{
	struct qr_mark_cut *last = marks->cut + marks->nr;

	while (last > marks->cut &&
	       (last[-1].offset > offset || (last[-1].offset == offset && last[-1].from >= serial)))
		last--;
	marks->serial++;
	/* The same offset again, and the only mark made since is this one: extend the entry. */
	if (last > marks->cut && last[-1].offset == offset && last[-1].to + 1 == serial) {
		last[-1].to = marks->serial;
		marks->nr = last - marks->cut;
		return;
	}
	if (last == marks->cut + QR_MARK_CUTS) {
		last--;
		memmove(marks->cut, marks->cut + 1, (QR_MARK_CUTS - 1) * sizeof(*last));
	}
	*last = (struct qr_mark_cut){ .offset = offset, .from = serial, .to = marks->serial };
	marks->nr = last + 1 - marks->cut;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_mark_release);

void qr_marks_reset(struct qr_marks *marks)
{
	marks->reset = ++marks->serial;
	marks->nr = 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_marks_reset);
