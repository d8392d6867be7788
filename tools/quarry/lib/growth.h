/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a site does over time: does it leak, fill, churn or rest?
 *
 * The profile of a moment is an estimate with a known standard error, and what a site holds goes up
 * and down by chance.  Only what is larger than three errors counts as growth.
 */
#ifndef Q_GROWTH_H
#define Q_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

#define Q_MOMENTS_MAX 32

/**
 * enum q_verdict - what a site does; the worst comes first
 * @Q_LEAK: it grows, and does not grow more slowly at the end than at the beginning
 * @Q_GROWS: it grows, but too few moments or samples tell how
 * @Q_FILLS: it grew at the beginning, and did not at the end: a cache that fills
 * @Q_CHURN: it allocates much and keeps as much as it had
 * @Q_STEADY: nothing changes
 * @Q_VERDICTS: how many there are
 */
enum q_verdict { Q_LEAK, Q_GROWS, Q_FILLS, Q_CHURN, Q_STEADY, Q_VERDICTS };

extern const char *const q_verdict_name[Q_VERDICTS];

/**
 * struct q_amount - what a site had at a moment
 * @live: bytes in use
 * @live_objects: objects in use
 * @allocated: bytes allocated so far
 * @allocated_objects: objects allocated so far
 */
struct q_amount {
	int64_t live;
	int64_t live_objects;
	int64_t allocated;
	int64_t allocated_objects;
};

/**
 * struct q_series - one site at all moments
 * @at: what it had at each moment
 * @moments: how many
 */
struct q_series {
	struct q_amount *at;
	unsigned int moments;
};

/**
 * struct q_growth - the answer
 * @verdict: what the site does
 * @growth: bytes in use at the end less those at the beginning
 * @error: its standard error, at most: of the samples, and of the chance of the moment
 * @allocated: bytes allocated meanwhile
 * @sure: growth less three errors, 0 if that is negative: what it grew at least
 */
struct q_growth {
	enum q_verdict verdict;
	int64_t growth;
	int64_t error;
	int64_t allocated;
	int64_t sure;
};

/* The standard error of @bytes in @objects, by a profile with one sample in @period bytes. */
double q_standard_error(int64_t bytes, int64_t objects, int64_t period);

struct q_growth q_growth_of(const struct q_series *s, int64_t period);

/* Of what was allocated meanwhile, the part that stays, in thousandths. */
int64_t q_growth_kept(const struct q_growth *g);

#endif
