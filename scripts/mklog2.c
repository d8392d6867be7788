// SPDX-License-Identifier: GPL-2.0
/*
 * Generates module/profile/log2_table.h: logarithms of mantissas, between which
 * module/profile/draw.c interpolates.  The table is checked in, and scripts/check-generated
 * compares it with what this program prints.
 */
#include <math.h>
#include <stdio.h>

#define BITS   8  /* 1 KB of table; its error is far below the noise of any sample */
#define PLACES 31 /* binary places: the most with which log2(2) = 1 still fits in 32 bits */

enum { N = 1 << BITS, PER_LINE = 7 };

static unsigned int table[N + 1];

/*
 * The error of log2(1 + f) as interpolated, with the rounding of the table.  Positive: too
 * large.
 */
static double error(double f)
{
	int i = f * N < N ? (int)(f * N) : N - 1;
	double slope = (double)table[i + 1] - table[i];

	return ldexp(table[i] + slope * (f * N - i), -PLACES) - log2(1 + f);
}

int main(void)
{
	double most = 0, least = 0;
	int i;

	for (i = 0; i <= N; i++)
		table[i] = (unsigned int)floor(ldexp(log2(1 + (double)i / N), PLACES) + 0.5);
	for (i = 0; i < N; i++) {
		/* Curve and chord are farthest apart where they are parallel. */
		double slope = ldexp((double)table[i + 1] - table[i], BITS - PLACES);
		double f = 1 / (M_LN2 * slope) - 1;

		most = fmax(most, error((double)i / N));
		least = fmin(least, error(f));
	}

	/* In two parts, so that tools do not take it for this file's own licence line. */
	printf("/* %s-License-Identifier: GPL-2.0 */\n", "SPDX");
	printf("/* Generated: see \"make generate\".  Do not edit. */\n"
	       "/*\n"
	       " * Entry i is log2(1 + i / %d), with %d binary places.  A value interpolated between\n"
	       " * two entries is at most %.3g too small and %.2g too large.\n"
	       " */\n"
	       "#ifndef QR_LOG2_TABLE_H\n#define QR_LOG2_TABLE_H\n\n",
	       N, PLACES, -least, most);
	printf("#define QR_LOG2_TABLE_BITS\t%d\n"
	       "#define QR_LOG2_TABLE_SHIFT\t%d\n"
	       "#define QR_LOG2_TABLE_ERROR\t%.0f\t/* the largest error, same places, rounded up */\n\n",
	       BITS, PLACES, ceil(ldexp(fmax(-least, most), PLACES)));
	printf("static const unsigned int qr_log2_table[] __maybe_unused = {\n");
	for (i = 0; i <= N; i++)
		printf("%s%u,%s", i % PER_LINE ? " " : "\t", table[i],
		       i % PER_LINE == PER_LINE - 1 || i == N ? "\n" : "");
	printf("};\n\n#endif /* QR_LOG2_TABLE_H */\n");
	return 0;
}
