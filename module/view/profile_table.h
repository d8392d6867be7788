/* SPDX-License-Identifier: GPL-2.0 */
/* Formats in which the rows of a stack and a cache are one, whatever their labels. */
#ifndef QR_PROFILE_TABLE_H
#define QR_PROFILE_TABLE_H

#include "view/profile_report.h"
#include "view/symbol.h"
#include "view/text_buffer.h"

/* 0 or -ENOMEM; other errors are the text's. */
int qr_table_top(struct qr_text *t, struct qr_report *r, const struct qr_symbols *s);
int qr_table_folded(struct qr_text *t, struct qr_report *r, const struct qr_symbols *s);

#endif /* QR_PROFILE_TABLE_H */
