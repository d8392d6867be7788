/* SPDX-License-Identifier: GPL-2.0 */
/* profile.proto, as pprof, Parca and others read it. */
#ifndef QR_PPROF_H
#define QR_PPROF_H

#include "view/profile_report.h"
#include "view/symbol.h"
#include "view/text_buffer.h"

/* 0 or -ENOMEM; other errors are the text's. */
int qr_pprof_write(struct qr_text *t, struct qr_report *r, struct qr_symbols *s);

#endif /* QR_PPROF_H */
