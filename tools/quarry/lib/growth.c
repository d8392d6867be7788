// SPDX-License-Identifier: GPL-2.0
#include "lib/growth.h"

#include <math.h>
#include "lib/clamp.h"

/* Growth counts if it is as many standard errors. */
#define ERRORS 3

/* So many steps between moments tell how much a site's memory goes up and down. */
#define STEPS 3

/* A site that fills grows at the end less than this part of what it would if it leaked. */
#define FLAT 2

const char *const q_verdict_name[Q_VERDICTS] = {
	[Q_LEAK] = "leak",   [Q_GROWS] = "grows",   [Q_FILLS] = "fills",
	[Q_CHURN] = "churn", [Q_STEADY] = "steady",
};

/*
 * An object of @size bytes is a sample with p = 1 - exp(-size / period), and stands for 1 / p
 * objects (Documentation/profiling.rst).  So the estimate of n objects has the variance n (1 - p) / p.
 */
double q_standard_error(int64_t bytes, int64_t objects, int64_t period)
{
	double size, p;

	if (objects <= 0 || bytes <= 0 || period <= 1)
		return 0;
	size = (double)bytes / (double)objects;
	p = -expm1(-size / (double)period);
	return size * sqrt((double)objects * (1 - p) / p);
}

static double squared(double x)
{
	return x * x;
}

/*
 * The error of live[to] - live[from], at most.  It comes from the objects that are live at one of
 * the moments only, because a sample that is live at both cancels.  How many these are is not
 * known, but they are not more than all that are live at the moments, and not more than all that were
 * allocated or freed in between.  The first bound is the lower one where much comes and goes, the
 * second where much stays.
 */
static double error_between(const struct q_series *s, unsigned int from, unsigned int to,
			    int64_t period)
{
	const struct q_amount *a = &s->at[from], *b = &s->at[to];
	int64_t bytes = q_sub(b->allocated, a->allocated);
	int64_t objects = q_sub(b->allocated_objects, a->allocated_objects);
	int64_t freed = q_sub(bytes, q_sub(b->live, a->live));
	int64_t freed_objects = q_sub(objects, q_sub(b->live_objects, a->live_objects));
	double all = squared(q_standard_error(a->live, a->live_objects, period)) +
		     squared(q_standard_error(b->live, b->live_objects, period));
	double moved = squared(q_standard_error(bytes, objects, period)) +
		       squared(q_standard_error(freed, freed_objects, period));

	return sqrt(fmin(all, moved));
}

/*
 * How much what the site holds goes up and down from one moment to the next: the standard deviation of
 * the steps.  The objects that are in work at a moment are more or fewer by chance.  Of objects that
 * are all samples this is the only error.  It is an object at least, because the moments may have
 * missed it.
 */
static double swing(const struct q_series *s)
{
	unsigned int steps = s->moments - 1;
	const struct q_amount *last = &s->at[steps];
	double mean = (double)q_sub(last->live, s->at[0].live) / steps, sum = 0, object;

	if (steps < STEPS)
		return 0;
	for (unsigned int i = 0; i < steps; i++)
		sum += squared((double)q_sub(s->at[i + 1].live, s->at[i].live) - mean);
	object = last->live_objects > 0 ? (double)last->live / (double)last->live_objects : 0;
	return sqrt(sum / (steps - 1) + squared(object));
}

/*
 * The part of its growth that a leak has between @late and the end.  A leak grows as the site
 * works, and what was freed tells how much it worked, as long as it frees more than it keeps.  Time
 * is a poor measure: a machine that is busy with something else at the end slows the leak, too.  A
 * site that frees little has no other measure.
 */
static double late_part(const struct q_series *s, unsigned int late, int64_t growth)
{
	unsigned int last = s->moments - 1;
	int64_t freed = q_sub(q_sub(s->at[last].allocated, s->at[0].allocated), growth);
	int64_t freed_late = q_sub(q_sub(s->at[last].allocated, s->at[late].allocated),
				   q_sub(s->at[last].live, s->at[late].live));

	if (freed < growth)
		return (double)(last - late) / last;
	return (double)(freed_late < 0 ? 0 : freed_late) / (double)freed;
}

struct q_growth q_growth_of(const struct q_series *s, int64_t period)
{
	unsigned int last = s->moments - 1, late = last - last / 3;
	struct q_growth g = { 0 };
	double late_growth, late_error, leak;

	g.growth = q_sub(s->at[last].live, s->at[0].live);
	g.error = q_whole(ceil(hypot(error_between(s, 0, last, period), swing(s))));
	g.allocated = q_sub(s->at[last].allocated, s->at[0].allocated);
	g.sure = q_sub(g.growth, q_mul(ERRORS, g.error));
	if (g.sure < 0)
		g.sure = 0;
	if (g.growth <= 0 || !g.sure) {
		g.verdict = g.allocated > s->at[0].live && g.allocated > 0 ? Q_CHURN : Q_STEADY;
		return g;
	}
	if (last < STEPS) {
		g.verdict = Q_GROWS;
		return g;
	}
	late_growth = (double)q_sub(s->at[last].live, s->at[late].live);
	late_error = error_between(s, late, last, period);
	leak = (double)g.growth * late_part(s, late, g.growth);
	if (late_growth < leak / FLAT)
		g.verdict = late_growth + late_error < leak ? Q_FILLS : Q_GROWS;
	else
		g.verdict = late_growth > late_error || late_growth > leak * 3 / 4 ? Q_LEAK :
										     Q_GROWS;
	return g;
}

int64_t q_growth_kept(const struct q_growth *g)
{
	if (g->growth <= 0 || g->allocated <= 0)
		return 0;
	return g->growth >= g->allocated ?
		       1000 :
		       (int64_t)((double)g->growth * 1000 / (double)g->allocated);
}
