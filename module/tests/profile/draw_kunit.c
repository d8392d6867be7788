// SPDX-License-Identifier: GPL-2.0
/*
 * The arithmetic of sampling (profile/draw.c), compared with slower computations of
 * the same numbers that use more fractional bits ("places").
 */
#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/prandom.h>
#include "profile/draw.h"
#include "profile/log2_table.h"

#define STRATA 65536U /* equally spaced random numbers; a sum over them has 16 places */
#define TRIALS 200000
#define SIGMAS 6 /* two of 10^9 results are farther off by chance */

static const u32 rates[] = { 1, 2, 8, 100, 4096, 65536, 512 << 10, 1 << 30, U32_MAX };
static const u32 sizes[] = { 1, 4, 6, 8, 16, 64, 256, 4096, 32768, 1 << 20, 2 << 20 };

/* The same numbers in every run. */
static struct rnd_state repeatable(void)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 20250101);
	return rnd;
}

static u64 distance(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

/* --- Logarithm --- */

/* -log2((x + 1) / 2^32) with 32 places, bit by bit: squaring doubles the logarithm. */
static u64 long_neg_log2(u32 x)
{
	u64 v = (u64)x + 1, log = 0;
	unsigned int whole = ilog2(v), i;

	v <<= 62 - whole;
	for (i = 0; i < 32; i++) {
		v = mul_u64_u64_shr(v, v, 62);
		log <<= 1;
		if (v >> 63) {
			v >>= 1;
			log |= 1;
		}
	}
	return ((u64)(32 - whole) << 32) - log;
}

static void expect_log2(struct kunit *test, u32 x)
{
	/* The errors of rounding to QR_LOG2_SHIFT places, of the table and of the slow way. */
	const u64 rounding = (1 << (32 - QR_LOG2_SHIFT - 1)) + 2;
	const u64 table = QR_LOG2_TABLE_ERROR << (32 - QR_LOG2_TABLE_SHIFT);
	u64 is = (u64)qr_neg_log2(x) << (32 - QR_LOG2_SHIFT), should = long_neg_log2(x);

	/* Chords lie below the curve of log2, so its negation can only be too large. */
	KUNIT_ASSERT_GE_MSG(test, is + rounding, should, "x = %u", x);
	KUNIT_ASSERT_LE_MSG(test, is, should + table + rounding, "x = %u", x);
}

static void log2_is_within_the_tables_error(struct kunit *test)
{
	struct rnd_state rnd = repeatable();
	unsigned int i;

	for (i = 0; i <= 32; i++) {
		u32 x = BIT_ULL(i) - 1;

		KUNIT_EXPECT_EQ_MSG(test, (32 - i) << QR_LOG2_SHIFT, qr_neg_log2(x), "2^%u", i);
		if (i)
			expect_log2(test, x - 1);
		if (i < 32)
			expect_log2(test, x + 1);
	}
	for (i = 0; i < 100000; i++) {
		u32 x = prandom_u32_state(&rnd);

		expect_log2(test, x >> (i % 32));
		expect_log2(test, ~(x >> (i % 32)));
	}
}

static void log2_is_monotonic(struct kunit *test)
{
	u32 last = U32_MAX, x = 0;
	u64 knot;

	for (; x < U32_MAX - 4093; x += 4093) {
		u32 first = qr_neg_log2(x), second = qr_neg_log2(x + 1);

		KUNIT_ASSERT_LE_MSG(test, first, last, "x = %u", x);
		KUNIT_ASSERT_LE_MSG(test, second, first, "x = %u", x);
		last = second;
	}
	/* At the borders between two pieces, where it would most likely fail. */
	for (knot = BIT_ULL(31); knot < BIT_ULL(32); knot += BIT_ULL(31 - QR_LOG2_TABLE_BITS)) {
		for (x = knot - 4; x != (u32)knot + 4; x++)
			KUNIT_ASSERT_LE_MSG(test, qr_neg_log2(x + 1), qr_neg_log2(x), "x = %u", x);
	}
}

/* --- Weight --- */

#define FULL BIT_ULL(58) /* one, with 58 places */

/* 1 - exp(-f) for f up to one, by the power series of the exponential. */
static u64 series(u64 f)
{
	u64 term = f, sum = 0;
	unsigned int n;

	for (n = 2; term; n++) {
		sum = n % 2 ? sum - term : sum + term;
		term = div_u64(mul_u64_u64_shr(term, f, 58), n);
	}
	return sum;
}

/* 1 - exp(-size / rate), for size / rate below 32. */
static u64 probability(u32 rate, u32 size)
{
	u64 e = FULL - series(FULL), rest = FULL, whole, f;
	u32 remainder;

	/* size << 58 does not fit into 64 bits: divide in two halves. */
	f = (u64)div_u64_rem((u64)size << 29, rate, &remainder) << 29;
	f += div_u64((u64)remainder << 29, rate);
	whole = f / FULL;
	f %= FULL;
	if (!whole)
		return series(f);
	while (whole--)
		rest = mul_u64_u64_shr(rest, e, 58);
	return FULL - mul_u64_u64_shr(rest, FULL - series(f), 58);
}

/* The error is at most 2^-20 and half of the last place; the test allows a whole one. */
static void expect_weight(struct kunit *test, u32 rate, u32 size)
{
	u64 weight = qr_weight(rate, size), p, product;

	KUNIT_ASSERT_GE_MSG(test, weight, QR_WEIGHT_ONE, "rate %u size %u", rate, size);
	if (rate == 1 || size / 32 >= rate) {
		KUNIT_ASSERT_EQ_MSG(test, weight, QR_WEIGHT_ONE, "rate %u size %u", rate, size);
		return;
	}
	p = probability(rate, size);
	product = mul_u64_u64_shr(weight, p, QR_WEIGHT_SHIFT);
	KUNIT_ASSERT_LE_MSG(test, distance(product, FULL), (FULL >> 20) + (p >> QR_WEIGHT_SHIFT),
			    "rate %u size %u: %llu", rate, size, weight);
}

static void weight_is_exact(struct kunit *test)
{
	struct rnd_state rnd = repeatable();
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		for (k = 0; k < ARRAY_SIZE(sizes); k++)
			expect_weight(test, rates[i], sizes[k]);
	}
	for (i = 0; i < 20000; i++) {
		u32 size = (prandom_u32_state(&rnd) >> (11 + i % 21)) + 1;
		u32 rate = max(prandom_u32_state(&rnd) >> (i / 21 % 32), 1U);

		expect_weight(test, rate, size);
		/* Rates near the size and below it, so that all numbers of doublings occur. */
		expect_weight(test, size / (1 + i % 33) + 1, size);
	}
}

static void weight_of_known_arguments(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		KUNIT_EXPECT_EQ(test, QR_WEIGHT_ONE, qr_weight(1, sizes[i]));
	/* 1 / (1 - 1/e) = 1.58198 */
	KUNIT_EXPECT_EQ(test, 103676ULL, qr_weight(512 << 10, 512 << 10));
	KUNIT_EXPECT_EQ(test, 103676ULL, qr_weight(U32_MAX, U32_MAX));
	/* rate / size + 1/2 */
	KUNIT_EXPECT_EQ(test, ((u64)U32_MAX << QR_WEIGHT_SHIFT) + QR_WEIGHT_ONE / 2,
			qr_weight(U32_MAX, 1));
	KUNIT_EXPECT_EQ(test, QR_WEIGHT_ONE, qr_weight(2, U32_MAX));
	KUNIT_EXPECT_EQ(test, QR_WEIGHT_ONE, qr_weight(U32_MAX / 32, U32_MAX));
}

/* --- Draws --- */

/* Over all random numbers, the mean distance between two samples is the weight. */
static void draws_have_the_right_distribution(struct kunit *test)
{
	unsigned int i, k, n, cases = 0;

	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		for (k = 0; k < ARRAY_SIZE(sizes); k++) {
			u32 rate = rates[i], size = sizes[k];
			u64 weight = qr_weight(rate, size), mean = STRATA, zeros = 0;
			bool drawn;

			/* The largest draw is 11.8 times the mean, so it is not capped. */
			if (rate / size > QR_DRAW_MAX / 12)
				continue;
			for (n = 0; n < STRATA; n++) {
				u32 random = n * (BIT_ULL(32) / STRATA) + BIT_ULL(31) / STRATA;
				unsigned int draw = qr_draw_from(random, rate, size, &drawn);

				KUNIT_ASSERT_TRUE(test, drawn);
				mean += draw;
				zeros += !draw;
			}
			KUNIT_EXPECT_LE_MSG(test, distance(mean, weight), weight >> 14,
					    "rate %u size %u: %llu is not %llu", rate, size, mean,
					    weight);
			/* The border is within one stratum; half of one is for the logarithm. */
			KUNIT_EXPECT_LE_MSG(test, distance(zeros * weight, STRATA * QR_WEIGHT_ONE),
					    weight + weight / 2, "rate %u size %u: %llu zeros",
					    rate, size, zeros);
			cases++;
		}
	}
	KUNIT_EXPECT_GE(test, cases, ARRAY_SIZE(rates) * ARRAY_SIZE(sizes) * 9 / 10);
}

static void everything_is_drawn_at_rate_one(struct kunit *test)
{
	static const u32 randoms[] = { 0, 1, BIT(31), U32_MAX };
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(randoms); i++) {
		for (k = 0; k < ARRAY_SIZE(sizes); k++) {
			bool drawn = false;

			KUNIT_EXPECT_EQ(test, 0, qr_draw_from(randoms[i], 1, sizes[k], &drawn));
			KUNIT_EXPECT_TRUE(test, drawn);
		}
	}
}

static void draws_are_capped(struct kunit *test)
{
	bool drawn = false;
	unsigned int i;

	/* The largest draw is 32 ln 2 = 22.18070977791825 times the rate. */
	KUNIT_EXPECT_EQ(test, 1073741809, qr_draw_from(0, 48408812, 1, &drawn));
	KUNIT_EXPECT_TRUE(test, drawn);
	KUNIT_EXPECT_EQ(test, QR_DRAW_MAX, qr_draw_from(0, 48408813, 1, &drawn));
	KUNIT_EXPECT_FALSE(test, drawn);
	KUNIT_EXPECT_EQ(test, QR_DRAW_MAX, qr_draw_from(0, U32_MAX, 1, &drawn));
	KUNIT_EXPECT_FALSE(test, drawn);

	/* The product does not fit into 64 bits. */
	KUNIT_EXPECT_EQ(test, 45426, qr_draw_from(0, U32_MAX, 2 << 20, &drawn));
	KUNIT_EXPECT_TRUE(test, drawn);
	KUNIT_EXPECT_EQ(test, 22, qr_draw_from(0, U32_MAX, U32_MAX, &drawn));
	KUNIT_EXPECT_TRUE(test, drawn);
	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		KUNIT_EXPECT_EQ(test, 0, qr_draw_from(U32_MAX, rates[i], 1, &drawn));
		KUNIT_EXPECT_TRUE(test, drawn);
	}
}

/* --- With this CPU's own random numbers --- */

/* @sum is over TRIALS numbers of @mean and @variance; all three have 16 places. */
static void expect_sum(struct kunit *test, u64 sum, u64 mean, u64 variance, const char *what)
{
	u64 sigma = int_sqrt(variance * TRIALS) << (QR_WEIGHT_SHIFT / 2);

	KUNIT_EXPECT_LE_MSG(test, distance(sum, mean * TRIALS), SIGMAS * sigma, "%s, mean %llu",
			    what, mean);
}

/* Sizes from 1/128 of the rate to twice the rate. */
static void chance_is_fair(struct kunit *test)
{
	static const u32 rate = 512 << 10;
	unsigned int n, shift;
	unsigned long flags;

	for (shift = 0; shift <= 8; shift += 2) {
		u32 size = (1 << 20) >> shift;
		u64 weight = qr_weight(rate, size), less = weight - QR_WEIGHT_ONE;
		u64 hits = 0, ends = 0, objects = TRIALS;
		bool drawn;

		for (n = 0; n < TRIALS; n++) {
			local_irq_save(flags);
			hits += qr_draw_one(rate, size);
			objects += qr_draw(rate, size, &drawn);
			ends += qr_draw_bytes(rate) < size;
			local_irq_restore(flags);
		}
		/* Each trial counts w with probability 1 / w, otherwise 0. */
		expect_sum(test, hits * weight, QR_WEIGHT_ONE, less, "qr_draw_one");
		/* The countdown of bytes ends during an object with the same probability. */
		expect_sum(test, ends * weight, QR_WEIGHT_ONE, less, "qr_draw_bytes");
		/* The variance of the geometric distribution. */
		expect_sum(test, objects << QR_WEIGHT_SHIFT, weight,
			   (weight * less) >> QR_WEIGHT_SHIFT, "qr_draw");
	}
}

static void chance_at_its_ends(struct kunit *test)
{
	unsigned int n, one = 0, large = 0, rare = 0;
	unsigned long flags;

	for (n = 0; n < TRIALS; n++) {
		local_irq_save(flags);
		one += qr_draw_one(1, 1);
		large += qr_draw_one(100, 3200);
		rare += qr_draw_one(U32_MAX, 1);
		local_irq_restore(flags);
	}
	KUNIT_EXPECT_EQ(test, TRIALS, one);
	KUNIT_EXPECT_EQ(test, TRIALS, large);
	/* Each has probability 2^-32; two among all have a chance of one in 10^9. */
	KUNIT_EXPECT_LT(test, rare, 2);
}

static struct kunit_case cases[] = { KUNIT_CASE(log2_is_within_the_tables_error),
				     KUNIT_CASE(log2_is_monotonic),
				     KUNIT_CASE(weight_is_exact),
				     KUNIT_CASE(weight_of_known_arguments),
				     KUNIT_CASE(draws_have_the_right_distribution),
				     KUNIT_CASE(everything_is_drawn_at_rate_one),
				     KUNIT_CASE(draws_are_capped),
				     KUNIT_CASE(chance_is_fair),
				     KUNIT_CASE(chance_at_its_ends),
				     {} };

static struct kunit_suite draw_suite = {
	.name = "quarry_draw",
	.test_cases = cases,
};

kunit_test_suite(draw_suite);
