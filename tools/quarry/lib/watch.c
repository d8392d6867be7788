// SPDX-License-Identifier: GPL-2.0
#include "lib/watch.h"

#include <stdlib.h>
#include <string.h>
#include "lib/clamp.h"
#include "lib/table.h"

enum { LIVE, LIVE_OBJECTS, ALLOCATED, ALLOCATED_OBJECTS, VALUES };

static const char *const types[VALUES] = { "inuse_space", "inuse_objects", "alloc_space",
					   "alloc_objects" };

static void forget(struct q_watch *w)
{
	for (unsigned int i = 0; i < w->nr; i++) {
		free(w->site[i].stack);
		free(w->site[i].cache);
		free(w->site[i].s.at);
	}
	free(w->site);
	w->site = NULL;
	w->nr = w->moments = 0;
}

void q_watch_free(struct q_watch *w)
{
	forget(w);
	*w = (struct q_watch){ 0 };
}

static int compare(const struct q_watched *a, const struct q_site *b)
{
	return strcmp(a->stack, b->stack) ?: strcmp(a->cache, b->cache);
}

/* Room for so many moments: it doubles, so that few moments take little. */
static unsigned int room_for(unsigned int moments)
{
	unsigned int room = 1;

	if (!moments)
		return 0;
	while (room < moments)
		room *= 2;
	return room;
}

/* What the site has at moment @m.  At moments before it was seen it had nothing. */
static struct q_amount *amount_at(struct q_series *s, unsigned int m)
{
	unsigned int room = room_for(m + 1);

	if (room > room_for(s->moments))
		s->at = q_realloc(s->at, room * sizeof(*s->at));
	while (s->moments <= m)
		s->at[s->moments++] = (struct q_amount){ 0 };
	return &s->at[m];
}

/* A site that a profile lacks holds nothing; what it allocated so far stays. */
static void add_nothing(struct q_series *s, unsigned int m)
{
	struct q_amount *now = amount_at(s, m);

	if (!m)
		return;
	now->allocated = s->at[m - 1].allocated;
	now->allocated_objects = s->at[m - 1].allocated_objects;
}

static void add_values(struct q_series *s, unsigned int m, const struct q_site *site,
		       const int *type)
{
	*amount_at(s, m) = (struct q_amount){
		.live = site->value[type[LIVE]],
		.live_objects = site->value[type[LIVE_OBJECTS]],
		.allocated = site->value[type[ALLOCATED]],
		.allocated_objects = site->value[type[ALLOCATED_OBJECTS]],
	};
}

/* Both are sorted, so one walk over both is enough. */
static void merge(struct q_watch *w, const struct q_pprof *p, const int *type)
{
	struct q_watched *to = q_alloc((w->nr + p->sites) * sizeof(*to) + 1);
	unsigned int old = 0, new = 0, nr = 0;

	while (old < w->nr || new < p->sites) {
		int order = old == w->nr    ? 1 :
			    new == p->sites ? -1 :
					      compare(&w->site[old], &p->site[new]);

		if (order <= 0)
			to[nr] = w->site[old++];
		else
			to[nr] = (struct q_watched){ .stack = q_strdup(p->site[new].stack),
						     .cache = q_strdup(p->site[new].cache) };
		if (order < 0)
			add_nothing(&to[nr].s, w->moments);
		else
			add_values(&to[nr].s, w->moments, &p->site[new ++], type);
		nr++;
	}
	free(w->site);
	w->site = to;
	w->nr = nr;
}

bool q_watch_takes(const struct q_pprof *p)
{
	for (int i = 0; i < VALUES; i++)
		if (q_pprof_type(p, types[i]) < 0)
			return false;
	return true;
}

const char *q_watch_add(struct q_watch *w, const struct q_pprof *p)
{
	int64_t allocated = 0;
	int type[VALUES];

	if (!q_watch_takes(p))
		return "it is no profile of a heap";
	for (int i = 0; i < VALUES; i++)
		type[i] = q_pprof_type(p, types[i]);
	for (unsigned int i = 0; i < p->sites; i++)
		allocated = q_add(allocated, p->site[i].value[type[ALLOCATED]]);
	if (w->moments && allocated < w->allocated && !w->keep) {
		forget(w);
		w->restarts++;
	}
	if (w->moments == Q_MOMENTS_MAX)
		return "there are too many moments";
	merge(w, p, type);
	if (!w->moments++)
		w->from_ns = p->time_ns;
	w->to_ns = p->time_ns;
	w->allocated = allocated;
	w->period = p->period;
	return NULL;
}

int64_t q_watched_live(const struct q_watched *site)
{
	return site->s.moments ? site->s.at[site->s.moments - 1].live : 0;
}

static int by_verdict(const void *a, const void *b)
{
	const struct q_watched *x = a, *y = b;
	const struct q_growth *g = &x->growth, *h = &y->growth;

	if (g->verdict != h->verdict)
		return g->verdict < h->verdict ? -1 : 1;
	if (g->sure != h->sure)
		return g->sure > h->sure ? -1 : 1;
	if (g->allocated != h->allocated)
		return g->allocated > h->allocated ? -1 : 1;
	if (q_watched_live(x) != q_watched_live(y))
		return q_watched_live(x) > q_watched_live(y) ? -1 : 1;
	return strcmp(x->stack, y->stack) ?: strcmp(x->cache, y->cache);
}

void q_watch_judge(struct q_watch *w)
{
	for (unsigned int i = 0; i < w->nr; i++)
		w->site[i].growth = q_growth_of(&w->site[i].s, w->period);
	if (w->nr)
		qsort(w->site, w->nr, sizeof(*w->site), by_verdict);
}
