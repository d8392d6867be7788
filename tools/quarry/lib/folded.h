/* SPDX-License-Identifier: GPL-2.0 */
/* Folded stacks, one a line, as programs that draw flame graphs read them. */
#ifndef Q_FOLDED_H
#define Q_FOLDED_H

#include "lib/pprof.h"

/*
 * Write the value that @p shows first, in the format of the module's files NAME.folded; inlined
 * functions are functions.  Labels of @p are gone afterwards, and its sites are joined and in the
 * order of the text.  An exit status.
 */
int q_folded_make(struct q_pprof *p, char **text, size_t *size);

#endif
