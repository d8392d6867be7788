/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The arithmetic of sampling: which allocations are drawn, and how many others
 * each of them stands for.
 *
 * One sample per @rate bytes on average: an object of @size bytes is drawn with
 * probability 1 - exp(-@size / @rate), independently of all others, as if a
 * Poisson process ran along the bytes.  The number of objects between two that
 * are drawn is then geometric, which is the integer part of an exponential.
 */
#ifndef QR_DRAW_H
#define QR_DRAW_H

#include <linux/bits.h>
#include <linux/types.h>

/* Weights are binary fractions with so many places; QR_OBJECTS_SHIFT for observers. */
#define QR_WEIGHT_SHIFT 16
#define QR_WEIGHT_ONE	BIT_ULL(QR_WEIGHT_SHIFT)

/* Fractional places of qr_neg_log2(). */
#define QR_LOG2_SHIFT 26

/* No draw is larger, so that sums stay in an int. */
#define QR_DRAW_MAX   0x40000000U
#define QR_DRAW_AGAIN 0x80000000U

/* -log2((@x + 1) / 2^32), a binary fraction with QR_LOG2_SHIFT places; at most 32. */
u32 qr_neg_log2(u32 x);

/*
 * What an object of @size bytes stands for when it is drawn: 1 / (1 - exp(-size / rate)),
 * with QR_WEIGHT_SHIFT places; exactly one at a rate of 1.  Neither is 0.
 */
u64 qr_weight(u32 rate, u32 size);

/* 32 random bits of this CPU's own; interrupts off, not from NMI. */
u32 qr_random(void);

/* qr_draw() in one number: with QR_DRAW_AGAIN, nothing is drawn. */
u32 qr_draw_marked(u32 rate, u32 size);

/*
 * How many objects of @size bytes to let pass before the next one is drawn, at
 * most QR_DRAW_MAX; beyond that *@drawn is false: let QR_DRAW_MAX pass, and ask
 * again.  Interrupts off.
 */
static __always_inline unsigned int qr_draw(u32 rate, u32 size, bool *drawn)
{
	u32 n = qr_draw_marked(rate, size);

	*drawn = !(n & QR_DRAW_AGAIN);
	return n & ~QR_DRAW_AGAIN;
}

/* The same for a random number that is given: what qr_draw() is made of. */
unsigned int qr_draw_from(u32 random, u32 rate, u32 size, bool *drawn);

/* Is this one object drawn?  Interrupts off. */
bool qr_draw_one(u32 rate, u32 size);

int qr_draw_init(void);

#endif /* QR_DRAW_H */
