// SPDX-License-Identifier: GPL-2.0
/*
 * The verdicts on sites whose truth is known.  Allocations and frees are drawn and sampled as the
 * module samples them, so that the series have the errors of real ones.
 */
#include "tests/tap.h"

#include <math.h>
#include <stdlib.h>
#include "lib/growth.h"

#define PERIOD	(512 << 10)
#define MOMENTS 13
#define RUNS	200

static uint64_t state;

static double random_part(void)
{
	/* xorshift*: the same in every run of the test. */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (double)((state * UINT64_C(2685821657736338717)) >> 11) /
	       (double)(UINT64_C(1) << 53);
}

/**
 * struct model - what a site does between two moments
 * @size: of an object
 * @allocs: objects that are allocated
 * @keep: part of them that stays
 * @until: the moment from which on nothing stays
 * @slow: the moment from which on only one object in so many is allocated
 * @slower: that many
 */
struct model {
	unsigned int size;
	unsigned int allocs;
	double keep;
	unsigned int until;
	unsigned int slow;
	unsigned int slower;
};

/* The series is valid until the next one is asked for. */
static struct q_series run(const struct model *m)
{
	static struct q_amount at[MOMENTS];
	double p = -expm1(-(double)m->size / PERIOD), objects = 0, live = 0;
	struct q_series s = { .at = at, .moments = MOMENTS };

	for (unsigned int t = 0; t < MOMENTS; t++) {
		unsigned int allocs = m->slower && t >= m->slow ? m->allocs / m->slower : m->allocs;

		/* Only samples are drawn, as most objects are none: their number is geometric. */
		for (double i = floor(log(1 - random_part()) / log1p(-p)); t && i < allocs;
		     i += 1 + floor(log(1 - random_part()) / log1p(-p))) {
			objects += 1 / p;
			if (t < m->until && random_part() < m->keep)
				live += 1 / p;
		}
		at[t].allocated_objects = llround(objects);
		at[t].allocated = llround(objects * m->size);
		at[t].live_objects = llround(live);
		at[t].live = llround(live * m->size);
	}
	return s;
}

/* How many of RUNS runs get the verdict. */
static unsigned int count(const struct model *m, enum q_verdict verdict)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < RUNS; i++) {
		struct q_series s = run(m);

		n += q_growth_of(&s, PERIOD).verdict == verdict;
	}
	return n;
}

static void verdicts(void)
{
	/* 40 MiB stay: 80 samples. */
	const struct model leak = {
		.size = 1024, .allocs = 200000, .keep = 0.017, .until = MOMENTS
	};
	const struct model plain = { .size = 1024, .allocs = 3400, .keep = 1, .until = MOMENTS };
	const struct model fills = { .size = 1024, .allocs = 20000, .keep = 0.5, .until = 5 };
	const struct model churn = { .size = 1024, .allocs = 200000, .keep = 0, .until = MOMENTS };
	const struct model rest = { .size = 1024, .allocs = 0, .keep = 0, .until = MOMENTS };

	ok(count(&leak, Q_LEAK) > RUNS * 95 / 100, "a leak of one object in 60 is called a leak");
	ok(count(&leak, Q_FILLS) + count(&leak, Q_CHURN) + count(&leak, Q_STEADY) < RUNS * 2 / 100,
	   "and hardly ever harmless");
	ok(count(&plain, Q_LEAK) > RUNS * 95 / 100, "a site that only allocates is called a leak");
	ok(count(&fills, Q_FILLS) > RUNS * 95 / 100,
	   "a cache that fills and stops is said to fill");
	same(count(&fills, Q_LEAK), 0, "and never to leak");
	same(count(&churn, Q_CHURN), RUNS, "what allocates and frees churns");
	same(count(&rest, Q_STEADY), RUNS, "what does nothing is steady");
}

/* The machine does less at the end than at the beginning: it has other work. */
static void slower(void)
{
	const struct model leak = { .size = 2048,
				    .allocs = 2000000,
				    .keep = 0.005,
				    .until = MOMENTS,
				    .slow = 9,
				    .slower = 5 };
	const struct model fills = {
		.size = 2048, .allocs = 2000000, .keep = 0.015, .until = 4, .slow = 9, .slower = 5
	};
	const struct model stops = { .size = 2048,
				     .allocs = 2000000,
				     .keep = 0.005,
				     .until = MOMENTS,
				     .slow = 9,
				     .slower = 10000000 };
	unsigned int leaks = count(&leak, Q_LEAK);

	printf("# of %u leaks that slow down, %u are called so\n", RUNS, leaks);
	ok(leaks > RUNS * 80 / 100, "a leak of a site that works less is called a leak");
	same(count(&leak, Q_FILLS), 0, "and never harmless");
	ok(count(&fills, Q_FILLS) > RUNS * 95 / 100, "a cache that is full fills all the same");
	same(count(&stops, Q_GROWS), RUNS, "what stops working cannot be told");
}

/* Objects that are all samples have no error of their own.  How many are in work is chance. */
static void in_work(void)
{
	unsigned int harmless = 0;

	for (unsigned int i = 0; i <= RUNS; i++) {
		struct q_amount at[MOMENTS];
		struct q_series s = { .at = at, .moments = MOMENTS };

		for (unsigned int t = 0; t < MOMENTS; t++) {
			/* In the last run there is one more at the end only. */
			at[t].live_objects = i < RUNS ? 3 + (int64_t)(4 * random_part()) :
							4 + (t == MOMENTS - 1);
			at[t].live = at[t].live_objects * (64 << 20);
			at[t].allocated_objects = 1000 * t + at[t].live_objects;
			at[t].allocated = at[t].allocated_objects * (64 << 20);
		}
		harmless += q_growth_of(&s, PERIOD).verdict == Q_CHURN;
	}
	same(harmless, RUNS + 1, "one buffer more in work is no leak");
}

static void errors(void)
{
	double sum = 0, squares = 0, error = 0;
	const struct model m = { .size = 4096, .allocs = 4096, .keep = 1, .until = MOMENTS };
	const double truth = 4096. * 4096 * (MOMENTS - 1);

	for (unsigned int i = 0; i < RUNS; i++) {
		struct q_series s = run(&m);
		double off = (double)q_growth_of(&s, PERIOD).growth - truth;

		sum += off;
		squares += off * off;
		error += (double)q_growth_of(&s, PERIOD).error;
	}
	ok(fabs(sum / RUNS) < 3 * sqrt(squares / RUNS / RUNS), "the growth is unbiased");
	ok(fabs(error / RUNS / sqrt(squares / RUNS) - 1) < 0.15, "its error is what it says");
	same((int64_t)q_standard_error(4096, 1, 1), 0, "at a period of 1 there is no error");
	same((int64_t)q_standard_error(0, 0, PERIOD), 0, "nothing has no error");
}

/* Sites are sorted by their verdicts. */
static void order(void)
{
	ok(Q_LEAK < Q_GROWS && Q_GROWS < Q_FILLS && Q_FILLS < Q_CHURN && Q_CHURN < Q_STEADY,
	   "what may be a leak comes before what is none");
}

/* What is live at both moments does not add to the error of the growth. */
static void old_memory(void)
{
	struct q_amount at[2];
	struct q_series s = { .at = at, .moments = 2 };
	struct q_growth g;

	at[0].live = INT64_C(10) << 30;
	at[0].live_objects = at[0].live / 1024;
	at[0].allocated = at[0].live;
	at[0].allocated_objects = at[0].live_objects;
	at[1].live = at[0].live + (50 << 20);
	at[1].live_objects = at[1].live / 1024;
	at[1].allocated = at[1].live;
	at[1].allocated_objects = at[1].live_objects;
	g = q_growth_of(&s, PERIOD);
	ok(g.error < 10 << 20, "50 MiB more of 10 GiB have the error of 50 MiB");
	same(g.verdict, Q_GROWS, "two moments tell growth, but not which");
}

int main(void)
{
	state = 88172645463325252;
	verdicts();
	slower();
	in_work();
	errors();
	old_memory();
	order();
	return tap_end();
}
