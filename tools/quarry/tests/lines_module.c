// SPDX-License-Identifier: GPL-2.0
/*
 * Code like a module's, for lines_test.c, which knows the functions and looks for the comments
 * "line: NAME" to learn their lines.  mark_NAME is the address of the code of such a line.
 */
#include "include/quarry/lines_fast.h"

#define MARK(name) asm volatile(".globl mark_" #name "\nmark_" #name ": nop")
#define INLINE	   static inline __attribute__((always_inline))
#define ONCE	   __attribute__((noipa)) /* in one copy */

INLINE int innermost(int a)
{
	MARK(innermost); /* line: innermost */
	return a + 1;
}

INLINE int middle(int a)
{
	return innermost(a) * 2; /* line: middle */
}

ONCE int outer(int a)
{
	return middle(a) ^ 3; /* line: outer */
}

ONCE int client(int a)
{
	return lines_fast_alloc(a) + 5; /* line: client */
}

int rare(int a);

/* The kernel places this elsewhere, and not between the others. */
__attribute__((section(".init.text"))) int begin(int a)
{
	return rare(a) + outer(a) + client(a);
}

/* A section of its own, as the compiler makes for code that rarely runs. */
ONCE __attribute__((section(".text.rare"))) int rare(int a)
{
	MARK(rare); /* line: rare */
	return a * 7;
}
