// SPDX-License-Identifier: GPL-2.0
/* The walker in slices, for caches: their counters, batches, magazines and shelves. */
#include "view/validate.h"

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/hash.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <quarry/stats.h>
#include "compat.h"

static bool sum_up(const struct qr_walk *w, struct quarry_cache_stats *st)
{
	struct qr_cache *c;

	rcu_read_lock();
	c = qr_cache_find(w->id);
	if (c)
		qr_cache_sum(c, st);
	rcu_read_unlock();
	return c;
}

/* Look at the lists of depot @i.  Returns false if slabs moved meanwhile. */
static bool look_at_lists(struct qr_walk *w, unsigned int i)
{
	struct qr_depot *d;
	struct qr_cache *c;
	bool more;

	w->depot = (struct qr_depot_look){};
	mutex_lock(&qr_trim_lock);
	do {
		rcu_read_lock();
		c = qr_cache_find(w->id);
		d = c ? READ_ONCE(c->depot[i]) : NULL;
		more = d && qr_depot_look(d, &w->depot, &w->look);
		rcu_read_unlock();
	} while (more && !qr_walk_is_stopped());
	mutex_unlock(&qr_trim_lock);
	return !d || w->depot.same;
}

static bool look_at_cache(struct qr_walk *w)
{
	struct qr_cache *c;
	bool same = true;
	unsigned int i;
	u64 live = 0;

	if (!sum_up(w, &w->before))
		return true;
	for (i = 0; i < qr_nr_depots() && !qr_walk_is_stopped(); i++) {
		same &= look_at_lists(w, i);
		live += w->depot.sums.taken;
	}
	if (!sum_up(w, &w->after))
		return true;
	live -= w->before.cached_objects;
	w->look.caches = 1;
	w->look.live = live;
	/* Each allocation, free and move of objects counts somewhere. */
	if (!same || memcmp(&w->before, &w->after, sizeof(w->after)))
		return false;
	rcu_read_lock();
	c = qr_cache_find(w->id);
	if (c)
		qr_check_sums(c, &w->after, live, &w->look);
	rcu_read_unlock();
	return true;
}

struct cached {
	struct qr_cache *cache;
	const char *where;
	struct quarry_validation *v;
};

static void check_one(void *p, void *arg)
{
	const struct cached *k = arg;
	unsigned int index;

	qr_check_cached(k->cache, p, k->where, &index, k->v);
}

static bool look_at_batch(struct qr_walk *w)
{
	struct cached k = { .where = "a depot", .v = &w->look };
	struct qr_depot *d;

	rcu_read_lock();
	k.cache = qr_cache_find(w->id);
	d = k.cache ? READ_ONCE(k.cache->depot[w->index]) : NULL;
	w->more = d && qr_depot_look_at_batch(d, w->place, check_one, &k);
	rcu_read_unlock();
	return true;
}

static bool look_at_shelf(struct qr_walk *w)
{
	struct cached k = { .where = "a pool", .v = &w->look };
	struct qr_keeper *keeper;

	rcu_read_lock();
	k.cache = qr_cache_find(w->id);
	keeper = k.cache ? READ_ONCE(k.cache->keeper) : NULL;
	w->more = keeper && keeper->look(keeper, w->index, w->place, check_one, &k);
	rcu_read_unlock();
	return true;
}

/* --- Magazines --- */

struct head_look {
	struct qr_cache *cache;
	unsigned int cpu;
	struct quarry_validation *v;
	bool done;
};

#define SEEN_BITS 10

/* Is @p in the magazine a second time, below place @i?  A bit of @seen is set for each object. */
static bool is_twice(const struct qr_head *h, unsigned int i, unsigned long *seen)
{
	unsigned int k;

	if (likely(!__test_and_set_bit(hash_ptr(h->obj[i], SEEN_BITS), seen)))
		return false;
	for (k = 0; k < i; k++)
		if (h->obj[k] == h->obj[i])
			return true;
	return false;
}

static void check_magazine(struct qr_cache *c, struct qr_head *h, unsigned int n, void *arg)
{
	struct head_look *l = arg;
	DECLARE_BITMAP(seen, 1 << SEEN_BITS) = {};
	struct qr_array *a = qr_head_array(h);
	unsigned int i, index;

	qr_check_head(c, h, n, l->cpu, l->v);
	if (!a)
		return;
	for (i = 0; i < min(n, a->total); i++) {
		qr_check_cached(c, h->obj[i], "a magazine", &index, l->v);
		if (is_twice(h, i, seen))
			qr_invalid(l->v, "cache %s: a magazine holds %p, which is held twice",
				   c->name, h->obj[i]);
	}
	for (i = 0; i < min_t(unsigned int, a->nr_remote, a->total); i++)
		qr_check_cached(c, qr_array_remote(c, a)[i], "a buffer of remote frees", &index,
				l->v);
}

static void look_at_head(void *arg)
{
	struct head_look *l = arg;

	l->done = qr_magazine_look(l->cache, l->cpu, check_magazine, l);
}

/*
 * Only its own CPU claims a head.  An interrupt does, and not a work item, for which a real-time
 * task might keep the walker waiting.
 */
static bool look_at_magazine(struct qr_walk *w)
{
	struct head_look l = { .cpu = w->index, .v = &w->look, .done = true };
	const struct qr_head *h;

	cpus_read_lock();
	rcu_read_lock();
	l.cache = qr_cache_find(w->id);
	h = l.cache ? per_cpu_ptr(l.cache->pub.head, l.cpu) : NULL;
	if (h && (qr_head_array(h) || READ_ONCE(h->capacity) || qr_head_peek(h))) {
		if (cpu_online(l.cpu))
			smp_call_function_single(l.cpu, look_at_head, &l, 1);
		else
			look_at_head(&l);
	}
	rcu_read_unlock();
	cpus_read_unlock();
	return l.done;
}

/* The capacities of a CPU's heads, of all caches, against what it has counted as granted. */
static bool look_at_budget(struct qr_walk *w)
{
	unsigned int cpu = w->index, before = qr_percpu_changes(cpu);
	unsigned long granted = qr_percpu_granted(cpu), sum = 0, id = 0;
	struct qr_cache *c;

	do {
		rcu_read_lock();
		c = qr_cache_next(&id, ULONG_MAX);
		if (c)
			sum += qr_head_granted(c, per_cpu_ptr(c->pub.head, cpu));
		rcu_read_unlock();
		id++;
	} while (c && !qr_walk_is_stopped());
	if (qr_percpu_changes(cpu) != before)
		return false;
	if (sum != granted)
		qr_invalid(&w->look, "CPU %u has capacity for %lu bytes, counts %lu", cpu, sum,
			   granted);
	return true;
}

/* Look at all that begins at w->place and behind it. */
static void look_at_rest(struct qr_walk *w, qr_look_fn look, unsigned int step)
{
	w->place = 0;
	do {
		qr_look_at(w, look);
		w->place += step;
	} while (w->more && !qr_walk_is_stopped());
}

static void walk_cache(struct qr_walk *w)
{
	unsigned int i;

	qr_look_at(w, look_at_cache);
	for (i = 0; i < qr_nr_depots() && !qr_walk_is_stopped(); i++) {
		w->index = i;
		look_at_rest(w, look_at_batch, 1);
	}
	for_each_possible_cpu(i) {
		if (qr_walk_is_stopped())
			return;
		w->index = i;
		qr_look_at(w, look_at_magazine);
		look_at_rest(w, look_at_shelf, QR_LOOK_OBJECTS);
	}
}

static bool next_cache(struct qr_walk *w)
{
	bool found;

	rcu_read_lock();
	found = qr_cache_next(&w->id, ULONG_MAX);
	rcu_read_unlock();
	return found;
}

void qr_walk_all_caches(struct qr_walk *w)
{
	unsigned int cpu;

	for (w->id = 0; !qr_walk_is_stopped() && next_cache(w); w->id++)
		walk_cache(w);
	for_each_possible_cpu(cpu) {
		w->index = cpu;
		qr_look_at(w, look_at_budget);
	}
}
