/* SPDX-License-Identifier: GPL-2.0 */
/* What the tested parts of the module use of the kernel. */
#ifndef SHIM_H
#define SHIM_H

#include <asm/errno.h> /* the C library's includes <linux/errno.h>, which is this file */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;
typedef unsigned int gfp_t;

#define U32_MAX	      UINT32_MAX
#define U64_MAX	      UINT64_MAX
#define BITS_PER_LONG 64
#define GFP_KERNEL    0
#define NUMA_NO_NODE  (-1)

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __maybe_unused	__attribute__((unused))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define BUILD_BUG_ON(x) _Static_assert(!(x), #x)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

/* --- Numbers --- */

#define min(a, b)                                                                                  \
	({                                                                                         \
		__auto_type min_a = (a);                                                           \
		__auto_type min_b = (b);                                                           \
		min_a < min_b ? min_a : min_b;                                                     \
	})
#define max(a, b)                                                                                  \
	({                                                                                         \
		__auto_type max_a = (a);                                                           \
		__auto_type max_b = (b);                                                           \
		max_a > max_b ? max_a : max_b;                                                     \
	})
#define max3(a, b, c)	  max(max(a, b), c)
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))

#define DIV_ROUND_UP(a, b)     (((a) + (b)-1) / (b))
#define BIT_ULL(n)	       (1ULL << (n))
#define GENMASK_ULL(high, low) ((~0ULL << (low)) & (~0ULL >> (63 - (high))))
#define __ffs64(x)	       ((unsigned int)__builtin_ctzll(x))
#define hweight64(x)	       ((unsigned int)__builtin_popcountll(x))

static inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

#define div_u64(a, b)		       ((u64)(a) / (u32)(b))
#define div64_u64(a, b)		       ((u64)(a) / (u64)(b))
#define mul_u64_u32_shr(a, mul, s)     ((u64)(((__uint128_t)(a) * (u32)(mul)) >> (s)))
#define check_mul_overflow(a, b, to)   __builtin_mul_overflow(a, b, to)
#define check_add_overflow(a, b, to)   __builtin_add_overflow(a, b, to)
#define struct_size_t(type, member, n) (sizeof(type) + (n) * sizeof(*((type *)0)->member))

static inline u64 div64_round_closest(u64 a, u64 b)
{
	return (a + b / 2) / b;
}
#define DIV64_U64_ROUND_CLOSEST(a, b) div64_round_closest(a, b)

/* --- Characters: the kernel's table is that of Latin-1 --- */

#define isdigit(c) ((c) >= '0' && (c) <= '9')
#define isgraph(c) ((c) > ' ' && (c) < 0x7f)

static inline int tolower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

static inline char *skip_spaces(const char *s)
{
	while (*s == ' ' || (*s >= '\t' && *s <= '\r') || (u8)*s == 0xa0)
		s++;
	return (char *)s;
}

/* --- One processor --- */

#define DEFINE_PER_CPU(type, name)    type name
#define __this_cpu_add_return(var, n) ((var) += (n))
#define per_cpu_ptr(p, cpu)	      (p)
#define for_each_possible_cpu(cpu)    for ((cpu) = 0; (cpu) < 1; (cpu)++)
#define get_random_bytes(p, size)     memset(p, 0x5a, size)

#endif
