/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the harnesses share.  A harness is a function that libFuzzer calls with any bytes.  It gives
 * them to a parser, uses what the parser made of them as the commands do, and frees it.  A fault is
 * what ASan or UBSan reports, a leak, the end of the program, and expect() that is not true.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer calls these. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define expect(what)                                                                               \
	do {                                                                                       \
		if (!(what))                                                                       \
			__builtin_trap();                                                          \
	} while (0)

/**
 * struct fuzz_part - a part of an input
 * @text: a copy of just so many bytes, so that ASan sees a read behind it, with a zero at the end
 * @size: bytes before the zero
 */
struct fuzz_part {
	char *text;
	size_t size;
};

/* Cut an input into @nr parts, between which there are lines with "@@".  Missing ones are empty. */
void fuzz_cut(const uint8_t *data, size_t size, struct fuzz_part *part, unsigned int nr);
void fuzz_parts_free(struct fuzz_part *part, unsigned int nr);

/* The text of a part for a parser that keeps it. */
char *fuzz_take(struct fuzz_part *part);

/* A file with these bytes that is not on a disk.  Its path, until fuzz_file_close(). */
const char *fuzz_file(char path[64], const void *data, size_t size);
void fuzz_file_close(const char *path);

#endif
