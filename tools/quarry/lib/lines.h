/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Source lines and inlined functions for the addresses of a profile, from files with debug
 * information.
 *
 * A reader of a profile names its mappings and addresses, has all of them found at once, and then
 * asks for each.  So each file is open once, and only one at a time.
 */
#ifndef Q_LINES_H
#define Q_LINES_H

#include <stddef.h>
#include <stdint.h>
#include "lib/debug_file.h"
#include "lib/dwarf.h"

struct q_source;

struct q_source *q_source_new(void);
void q_source_free(struct q_source *l);

/*
 * Add the code of @file, "NAME.ko" or anything else for the kernel, which begins at @start.  Returns
 * its number.  Without a @build_id no file can be found for it.
 */
unsigned int q_source_mapping(struct q_source *l, const char *file, const char *build_id,
			      uint64_t start);

/* Ask for the lines at @address of a mapping.  The same one may be asked for again. */
void q_source_want(struct q_source *l, unsigned int mapping, uint64_t address);

/* Find all lines that were asked for. */
void q_source_find(struct q_source *l, const struct q_debug_places *places);

/* The functions at an address, the innermost first; NULL if nothing is known. */
const struct q_frame *q_source_at(const struct q_source *l, unsigned int mapping, uint64_t address,
				  unsigned int *nr);

/* Has the mapping a file with debug information? */
bool q_source_has(const struct q_source *l, unsigned int mapping);

/*
 * One sentence on what is wrong with the files, or NULL: a damaged one, or that the places that the
 * user named have none.
 */
const char *q_source_problem(const struct q_source *l);

/*
 * Write lines into a profile of pprof's format, which is not compressed.  *@data is replaced.  Returns
 * NULL, or why this is no profile; then *@data is as before.  *@problem is to be freed: the sentence of
 * q_source_problem(), or NULL.
 */
const char *q_source_into_pprof(char **data, size_t *size, const struct q_debug_places *places,
				char **problem);

/* The same for the comments of the legacy text. */
void q_source_into_text(char **data, size_t *size, const struct q_debug_places *places,
			char **problem);

#endif
