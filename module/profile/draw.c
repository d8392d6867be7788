// SPDX-License-Identifier: GPL-2.0
/*
 * The heap profilers of tcmalloc and of Go count bytes down to the next sample.
 * After each sample they set the countdown to an exponentially distributed number
 * (the negative logarithm of a uniform one), so that no pattern of sizes can stay
 * in step with it.  Quarry counts objects of equal size instead of bytes: the
 * exponential number divided by the size, without its fraction, is geometric.
 *
 * Each sample counts as the reciprocal of its probability.  Sums over samples are
 * then right on average, whatever the sizes (Horvitz and Thompson, 1952).
 *
 * The kernel has no floating point, so all numbers here are fixed-point numbers;
 * "places" are fractional bits.
 */
#include "profile/draw.h"

#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/math64.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include "compat.h"
#include "profile/log2_table.h"

#define LN2	  2977044472U /* natural logarithm of 2, with LN2_SHIFT places */
#define LN2_SHIFT 32

/* Places of intermediate results of qr_weight(). */
#define SHIFT 30
#define ONE   BIT_ULL(SHIFT)

static DEFINE_PER_CPU(u64, random_state);

static __always_inline u32 neg_log2(u32 x)
{
	const unsigned int low_bits = 32 - QR_LOG2_TABLE_BITS;
	const unsigned int places = QR_LOG2_TABLE_SHIFT + low_bits;
	u64 v = (u64)x + 1;
	unsigned int whole = fls64(v) - 1;
	/* The bits after the leading one, as 32 places. */
	u32 mantissa = v << (32 - whole);
	unsigned int i = mantissa >> low_bits;
	u64 low = mantissa & ((1U << low_bits) - 1);
	u64 log;

	log = ((u64)qr_log2_table[i] << low_bits) + (qr_log2_table[i + 1] - qr_log2_table[i]) * low;
	log = ((u64)(32 - whole) << places) - log;
	return (log + (1ULL << (places - QR_LOG2_SHIFT - 1))) >> (places - QR_LOG2_SHIFT);
}

u32 qr_neg_log2(u32 x)
{
	return neg_log2(x);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_neg_log2);

u64 qr_weight(u32 rate, u32 size)
{
	u64 bytes = rate, w, y, yy;
	unsigned int doublings = 0;

	/* From 32 on, the weight differs from one by less than half of the last place. */
	if (rate == 1 || size >= 32 * bytes)
		return QR_WEIGHT_ONE;
	while (bytes < size) {
		bytes <<= 1;
		doublings++;
	}

	/*
	 * The Laurent series of the weight in y = size / bytes, which is at most 1.
	 * The omitted terms are below y^7 / 1209600.
	 */
	y = div64_u64((u64)size << SHIFT, bytes);
	yy = (y * y) >> SHIFT;
	w = ONE / 720 - ((yy * (ONE / 30240)) >> SHIFT);
	w = ONE / 12 - ((yy * w) >> SHIFT);
	w = div_u64(bytes << SHIFT, size) + ONE / 2 + ((y * w) >> SHIFT);

	/*
	 * From w(y) to w(2y).  Each step makes the error smaller.  w is below 1.6, so
	 * nothing overflows.
	 */
	while (doublings--)
		w = div64_u64(w * w, 2 * w - ONE);
	return (w + (1U << (SHIFT - QR_WEIGHT_SHIFT - 1))) >> (SHIFT - QR_WEIGHT_SHIFT);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_weight);

static __always_inline u32 random_bits(void)
{
	/* SplitMix64 (Steele, Lea and Flood, 2014): a counter whose bits are mixed. */
	u64 z = __this_cpu_add_return(random_state, 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z >> 32;
}

u32 qr_random(void)
{
	return random_bits();
}
EXPORT_SYMBOL_QUARRY_TEST(qr_random);

/* At most 32 ln 2 times a rate of 2^32: below 2^37, with QR_LOG2_SHIFT places. */
static __always_inline u64 bytes_from(u32 random, u32 rate)
{
	return mul_u64_u32_shr((u64)neg_log2(random) * LN2, rate, LN2_SHIFT);
}

static __always_inline unsigned int draw_from(u32 random, u32 rate, u32 size, bool *drawn)
{
	u64 objects;

	*drawn = true;
	if (rate == 1)
		return 0;
	objects = div_u64(bytes_from(random, rate), size) >> QR_LOG2_SHIFT;
	if (objects <= QR_DRAW_MAX)
		return objects;
	*drawn = false;
	return QR_DRAW_MAX;
}

unsigned int qr_draw_from(u32 random, u32 rate, u32 size, bool *drawn)
{
	return draw_from(random, rate, size, drawn);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_draw_from);

u32 qr_draw_marked(u32 rate, u32 size)
{
	bool drawn;
	u32 n = draw_from(random_bits(), rate, size, &drawn);

	return drawn ? n : n | QR_DRAW_AGAIN;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_draw_marked);

u64 qr_draw_bytes(u32 rate)
{
	return rate == 1 ? 0 : bytes_from(random_bits(), rate) >> QR_LOG2_SHIFT;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_draw_bytes);

bool qr_draw_one(u32 rate, u32 size)
{
	/* When the weight is one, this is 2^32, and every random number is below it. */
	u64 below = DIV64_U64_ROUND_CLOSEST(QR_WEIGHT_ONE << 32, qr_weight(rate, size));

	return qr_random() < below;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_draw_one);

int qr_draw_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		get_random_bytes(per_cpu_ptr(&random_state, cpu), sizeof(random_state));
	return 0;
}
