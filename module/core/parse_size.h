/* SPDX-License-Identifier: GPL-2.0 */
/* Reads numbers of bytes as people write them: "4096", "64K". */
#ifndef QR_PARSE_SIZE_H
#define QR_PARSE_SIZE_H

#include <linux/types.h>

/*
 * @text is decimal digits and then K, M, G (in either case) or nothing; blanks may surround it.
 * Returns 0, -EINVAL for any other text, or -ERANGE if the number exceeds @max.
 */
int qr_size_parse(const char *text, u64 max, u64 *bytes);

#endif /* QR_PARSE_SIZE_H */
