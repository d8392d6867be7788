/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Text that is written once, from front to back, and then read at any offset.  It grows
 * page by page, up to an eighth of the machine's memory, and does not let the kernel kill
 * processes for a page.  Once memory has been short, or the task is being killed,
 * everything that is written later is dropped, so a writer needs to ask for errors only at
 * the end.
 */
#ifndef QR_TEXT_BUFFER_H
#define QR_TEXT_BUFFER_H

#include <linux/types.h>

struct qr_text;

/* NULL without memory.  Process context; this and the functions that write sleep. */
struct qr_text *qr_text_new(void);

void qr_text_put(struct qr_text *t, const void *data, size_t len);
void qr_text_puts(struct qr_text *t, const char *s);
/* At most 1,023 bytes per call; more may be cut off. */
__printf(2, 3) void qr_text_printf(struct qr_text *t, const char *fmt, ...);
/* Append all text of @from to @t. */
void qr_text_append(struct qr_text *t, const struct qr_text *from);

/* 0, or if text was dropped: -ENOMEM if memory was short, -EINTR if the task is being killed. */
int qr_text_error(const struct qr_text *t);

/* To be called after the last write.  Returns @t, or frees it and returns the error. */
struct qr_text *qr_text_done(struct qr_text *t);

/* Copy up to @len bytes from offset @pos to kernel memory.  Returns the bytes copied. */
size_t qr_text_copy(const struct qr_text *t, size_t pos, void *buf, size_t len);

/* Readers: <quarry/profile.h> has qr_text_size(), qr_text_read() and qr_text_free(). */

/*
 * Copy the first @max bytes of @s to @buf as text that every reader accepts: UTF-8 without
 * control characters.  Each byte of anything else becomes '?'.  @buf has room for @max + 1
 * bytes.  Returns the length.  Names were made words before, by qr_clean_name().
 */
size_t qr_text_clean(char *buf, const char *s, size_t max);

#endif /* QR_TEXT_BUFFER_H */
