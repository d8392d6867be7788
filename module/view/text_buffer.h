/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Output that is written once, from front to back, and then read by anybody at
 * any place.  It grows page by page.  Once memory is short it stays short: what
 * is put after that is dropped, and a writer asks only at the end.
 */
#ifndef QR_TEXT_BUFFER_H
#define QR_TEXT_BUFFER_H

#include <linux/types.h>

struct qr_text;

/* NULL without memory.  Process context; sleeps, as qr_text_put() and so on do. */
struct qr_text *qr_text_new(void);

void qr_text_put(struct qr_text *t, const void *data, size_t len);
void qr_text_puts(struct qr_text *t, const char *s);
/* At most 1,023 bytes at a time. */
__printf(2, 3) void qr_text_printf(struct qr_text *t, const char *fmt, ...);
/* All of @from behind all of @t. */
void qr_text_append(struct qr_text *t, const struct qr_text *from);

/* 0, or -ENOMEM when something is missing. */
int qr_text_error(const struct qr_text *t);

/* The end of a writer's work: @t, or ERR_PTR(-ENOMEM) and @t is gone. */
struct qr_text *qr_text_done(struct qr_text *t);

/* Copy from anywhere within, for the kernel's own eyes.  Returns bytes copied. */
size_t qr_text_copy(const struct qr_text *t, size_t pos, void *buf, size_t len);

/* Readers: <quarry/profile.h> has qr_text_size(), qr_text_read() and qr_text_free(). */

/*
 * The first bytes of a string up to @max as text that every reader takes: UTF-8
 * without control characters or @not.  What is neither becomes '?'.  @buf holds
 * @max + 1 bytes.  Returns the length.
 */
size_t qr_text_clean(char *buf, const char *s, size_t max, char except);

#endif /* QR_TEXT_BUFFER_H */
