/* SPDX-License-Identifier: GPL-2.0 */
/* A profile in the format profile.proto, which pprof, Parca and others read. */
#ifndef QR_PPROF_H
#define QR_PPROF_H

#include "report/profile_report.h"
#include "report/symbol.h"
#include "report/text_buffer.h"

/* Write @r to @t.  Returns 0 or -ENOMEM; a lack of memory for @t shows in qr_text_done(). */
int qr_pprof_write(struct qr_text *t, struct qr_report *r, struct qr_symbols *s);

#endif /* QR_PPROF_H */
