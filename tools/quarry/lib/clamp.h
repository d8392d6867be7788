/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arithmetic for numbers from files, which may be any.  A result that does not fit is the nearest
 * number that fits.
 */
#ifndef Q_CLAMP_H
#define Q_CLAMP_H

#include <math.h>
#include <stdint.h>

static inline int64_t q_add(int64_t a, int64_t b)
{
	int64_t n;

	return !__builtin_add_overflow(a, b, &n) ? n : b < 0 ? INT64_MIN : INT64_MAX;
}

static inline int64_t q_sub(int64_t a, int64_t b)
{
	int64_t n;

	return !__builtin_sub_overflow(a, b, &n) ? n : b > 0 ? INT64_MIN : INT64_MAX;
}

static inline int64_t q_mul(int64_t a, int64_t b)
{
	int64_t n;

	return !__builtin_mul_overflow(a, b, &n) ? n : (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
}

/* The whole part of @x; 0 if it is not a number. */
static inline int64_t q_whole(double x)
{
	if (isnan(x))
		return 0;
	/* 2 ** 63 is a double, the largest number is not. */
	if (x >= 0x1p63)
		return INT64_MAX;
	return x < -0x1p63 ? INT64_MIN : (int64_t)x;
}

#endif
