/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers of bytes, as people write them. */
#ifndef QR_PARSE_SIZE_H
#define QR_PARSE_SIZE_H

#include <linux/types.h>

/*
 * Digits, then K, M or G in either case, or nothing; blanks around it.  0, -EINVAL for
 * any other text, or -ERANGE beyond @max.
 */
int qr_size_parse(const char *text, u64 max, u64 *bytes);

#endif /* QR_PARSE_SIZE_H */
