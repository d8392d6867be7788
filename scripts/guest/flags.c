// SPDX-License-Identifier: GPL-2.0
/*
 * Does the emulator keep the processor's flags?  Before QEMU 8.0, "cmpxchg16b" takes an operand of
 * the addition before it for the flags.  Exit status: 0 if they are right, or if there is no such
 * instruction; 1 if not.
 */
#include <cpuid.h>

#define BITS 0x489096d3UL /* as flags: among others the direction flag */

int main(void)
{
	static __int128 value;
	unsigned int a, b, c, d;
	unsigned long flags;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_CMPXCHG16B))
		return 0;
	asm volatile("pushfq\n\t"
		     "popfq\n\t"
		     "add %2, %%r8\n\t"
		     "cmpxchg16b %1\n\t"
		     "pushfq\n\t"
		     "cld\n\t"
		     "popq %0\n\t"
		     : "=r"(flags), "+m"(value)
		     : "r"(BITS), "a"(0UL), "d"(0UL), "b"(1UL), "c"(1UL)
		     : "r8", "cc");
	return (flags & 0xffffffffUL) == BITS;
}
