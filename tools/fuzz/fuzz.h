/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the harnesses share.  A harness is a function that libFuzzer calls with any bytes.  They
 * say what to do with a part of the module, and a simple model says what must come out.  A fault
 * is what ASan or UBSan reports, and expect() that is not true.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "shim.h"

/* libFuzzer calls these. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define expect(what)                                                                               \
	do {                                                                                       \
		if (!(what))                                                                       \
			__builtin_trap();                                                          \
	} while (0)

/**
 * struct bytes - an input that is read from its start
 * @at: the next byte
 * @left: bytes from there on
 */
struct bytes {
	const uint8_t *at;
	size_t left;
};

/* A number of @n bytes; where the input ends, with zeroes. */
static inline u64 take(struct bytes *b, unsigned int n)
{
	u64 value = 0;
	unsigned int i;

	for (i = 0; i < n && b->left; i++, b->left--)
		value |= (u64)*b->at++ << (8 * i);
	return value;
}

#endif
