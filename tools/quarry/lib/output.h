/* SPDX-License-Identifier: GPL-2.0 */
/* Files that a command writes. */
#ifndef Q_OUTPUT_H
#define Q_OUTPUT_H

#include <stddef.h>

/*
 * Write all of it into @file, or nothing: a file that is there is replaced at the end.  NULL and "-"
 * are standard output.  An exit status.
 */
int q_output(const char *file, const void *data, size_t size);

#endif
