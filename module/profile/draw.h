/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The arithmetic of sampling: which allocations are drawn (become samples), and
 * how many objects each sample stands for (its weight).
 *
 * On average one sample is drawn per @rate bytes: an object of @size bytes is drawn
 * with probability 1 - exp(-@size / @rate), independently of all others, as if a
 * Poisson process ran along the bytes.  The number of objects between two samples
 * then has a geometric distribution: it is the integer part of an exponentially
 * distributed number.
 */
#ifndef QR_DRAW_H
#define QR_DRAW_H

#include <linux/bits.h>
#include <linux/types.h>

/* Fractional bits of a weight.  Observers know this number as QR_OBJECTS_SHIFT. */
#define QR_WEIGHT_SHIFT 16
#define QR_WEIGHT_ONE	BIT_ULL(QR_WEIGHT_SHIFT)

/* Fractional bits of qr_neg_log2(). */
#define QR_LOG2_SHIFT 26

/* The largest result of a draw, so that sums of draws fit into an int. */
#define QR_DRAW_MAX   0x40000000U
#define QR_DRAW_AGAIN 0x80000000U

/* -log2((@x + 1) / 2^32), with QR_LOG2_SHIFT fractional bits; at most 32. */
u32 qr_neg_log2(u32 x);

/*
 * The number of objects that a sampled object of @size bytes stands for:
 * 1 / (1 - exp(-size / rate)), with QR_WEIGHT_SHIFT fractional bits.  Exactly one at
 * a rate of 1.  Neither @rate nor @size may be 0.
 */
u64 qr_weight(u32 rate, u32 size);

/* 32 bits of this CPU's own random number generator.  Interrupts off; not in NMI. */
u32 qr_random(void);

/* qr_draw() in one number: QR_DRAW_AGAIN is set if *@drawn would be false. */
u32 qr_draw_marked(u32 rate, u32 size);

/*
 * Returns how many objects of @size bytes pass before the next one is sampled, at
 * most QR_DRAW_MAX.  If it would be more, *@drawn is false: let QR_DRAW_MAX objects
 * pass, sample none, and draw again.  Interrupts off.
 */
static __always_inline unsigned int qr_draw(u32 rate, u32 size, bool *drawn)
{
	u32 n = qr_draw_marked(rate, size);

	*drawn = !(n & QR_DRAW_AGAIN);
	return n & ~QR_DRAW_AGAIN;
}

/* qr_draw() with a given random number. */
unsigned int qr_draw_from(u32 random, u32 rate, u32 size, bool *drawn);

/*
 * The same for objects of any sizes: how many bytes pass before the next object is sampled.  The
 * first object that begins no later and ends behind them is the one.  0 at a rate of 1.
 * Interrupts off.
 */
u64 qr_draw_bytes(u32 rate);

/* Decides whether one object of @size bytes is sampled.  Interrupts off. */
bool qr_draw_one(u32 rate, u32 size);

int qr_draw_init(void);

#endif /* QR_DRAW_H */
