/* SPDX-License-Identifier: GPL-2.0 */
/* Formats in which rows that differ only in their labels are merged. */
#ifndef QR_PROFILE_TABLE_H
#define QR_PROFILE_TABLE_H

#include "report/profile_report.h"
#include "report/symbol.h"
#include "report/text_buffer.h"

/* Write @r to @t.  Returns 0 or -ENOMEM; a lack of memory for @t shows in qr_text_done(). */
int qr_table_top(struct qr_text *t, struct qr_report *r, const struct qr_symbols *s);
int qr_table_folded(struct qr_text *t, struct qr_report *r, const struct qr_symbols *s);

#endif /* QR_PROFILE_TABLE_H */
