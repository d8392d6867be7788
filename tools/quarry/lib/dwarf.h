/* SPDX-License-Identifier: GPL-2.0 */
/* Source lines and inlined functions of one file with debug information: a module or the kernel. */
#ifndef Q_DWARF_H
#define Q_DWARF_H

#include <stdbool.h>
#include <stdint.h>

#define Q_DWARF_FRAMES 64 /* of one address, at most */

/**
 * struct q_frame - a function at an address
 * @function: its name, or NULL if the debug information has none, as for assembly
 * @file: where its code is, or NULL
 * @line: the line there, or 0
 */
struct q_frame {
	const char *function;
	const char *file;
	unsigned int line;
};

struct q_dwarf;

/*
 * After so many units of compilation the file is opened again, because libdw keeps the lines of all
 * that it read.  256; tests take less.
 */
extern unsigned int q_dwarf_units;

/* What q_dwarf_check() says of a file. */
enum q_dwarf_fit {
	Q_DWARF_FITS,
	Q_DWARF_OTHER,	  /* another build id, which is in the text */
	Q_DWARF_STRIPPED, /* this build id, but no debug information */
	Q_DWARF_DAMAGED,  /* no ELF file, or not all of it; the reason is in the text */
};

#define Q_BUILD_ID_LEN 129

/*
 * Does the file have the build id @id, of lower-case hexadecimal digits, and debug information?
 * @text has room for Q_BUILD_ID_LEN characters.
 */
enum q_dwarf_fit q_dwarf_check(const char *path, const char *id, char *text);

/* Open a file that fits.  NULL if its debug information cannot be read; *@why says why. */
struct q_dwarf *q_dwarf_open(const char *path, const char **why);
void q_dwarf_close(struct q_dwarf *d);

/*
 * The functions at @offset from the beginning of the code, as the kernel loads it: the innermost
 * first, and the last one is the function that the compiler did not inline.  Texts are valid until
 * the next call.  Calls in the order of offsets are fast.  Returns how many; 0 if nothing is known.
 */
unsigned int q_dwarf_frames(struct q_dwarf *d, uint64_t offset,
			    struct q_frame frame[Q_DWARF_FRAMES]);

/* Why the debug information is damaged, if a call met such a place; else NULL. */
const char *q_dwarf_damage(const struct q_dwarf *d);

#endif
