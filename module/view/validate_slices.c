// SPDX-License-Identifier: GPL-2.0
/*
 * The walker in slices: the check of all books that goes on beside everything else.
 *
 * It looks at one thing at a time: a chunk, a slab, a CPU's magazine of a cache, a batch, some slabs
 * of a depot's list.  Each look holds the lock that guards the thing, or the claim of the head, for
 * a bounded time, and what it sees is exact.  Where a thing can be in a passing state that its lock
 * does not keep out, the look is repeated: an error counts if LOOKS looks in a row find one.
 *
 * What is true of many things together (sums, counters) can be compared only if nothing changed
 * while they were looked at.  A count of changes tells.  If there is a change in each of LOOKS
 * looks, the sum is not compared, and counted as unsettled.
 *
 * Two places that are looked at one after the other prove nothing about each other: an object may
 * have moved in between.  So only the strict form (validate.c) finds an object in the magazines of
 * two CPUs, or in a magazine and a batch.
 *
 * No lock is held from one look to the next, except qr_trim_lock for the lists of one depot.
 * Caches and arenas are found by their numbers, each time anew, so they may come and go.  A fatal
 * signal ends the walk.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "view/validate.h"

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <quarry/stats.h>
#include "api/arena_view.h"
#include "compat.h"
#include "slab/large.h"

#define LOOKS 3

/**
 * struct walk - a walk in slices; with walk_lock
 * @v: what was found so far
 * @look: what the look under way has found
 * @id: the cache or arena that is looked at
 * @index: the chunk, depot or CPU
 * @place: the page of the chunk, the batch of the depot, or an object of the shelf
 * @more: there is something at @place or behind it
 * @large: what large objects add up to
 * @before: the cache's numbers before the look
 * @after: the same after it
 * @depot: how far the look has come in a depot
 */
struct walk {
	struct quarry_validation *v;
	struct quarry_validation look;
	unsigned long id;
	unsigned long index;
	unsigned int place;
	bool more;
	struct qr_large_sum large;
	struct quarry_cache_stats before;
	struct quarry_cache_stats after;
	struct qr_depot_look depot;
};

static DEFINE_MUTEX(walk_lock); /* one walk at a time; outermost */

/* Returns false if what was to be compared changed meanwhile. */
typedef bool (*look_fn)(struct walk *w);

static bool is_stopped(void)
{
	cond_resched();
	return fatal_signal_pending(current);
}

static void look_at(struct walk *w, look_fn look)
{
	struct quarry_validation *v = w->v, *found = &w->look;
	unsigned int tries;
	bool same = false;

	for (tries = 0; tries < LOOKS && !is_stopped(); tries++) {
		if (tries) {
			/* A work item may be about to open a view. */
			qr_directory_settle();
			usleep_range(1000, 2000);
		}
		memset(found, 0, sizeof(*found));
		same = look(w);
		if (same && !found->errors)
			break;
	}
	if (is_stopped())
		return;
	v->caches += found->caches;
	v->slabs += found->slabs;
	v->chunks += found->chunks;
	v->objects += found->objects;
	v->live += found->live;
	v->unsettled += !same;
	if (found->errors && !v->errors)
		memcpy(v->first, found->first, sizeof(v->first));
	v->errors += found->errors;
}

/* --- Chunks, and what lies in them --- */

static bool look_at_chunk(struct walk *w)
{
	/* Pages that are being trimmed belong to no slab for a while. */
	mutex_lock(&qr_trim_lock);
	qr_heap_look_at_chunk(w->index, &w->look);
	mutex_unlock(&qr_trim_lock);
	return true;
}

static bool look_at_view(struct walk *w)
{
	const struct qr_chunk *chunk;
	unsigned long flags;

	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	chunk = qr_chunk_at(w->index);
	if (chunk && chunk->kind == QR_ORDINARY)
		qr_check_view(chunk, &w->look);
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	return true;
}

/* Is @page the first one that the slab, the large object or the arena's block has? */
static bool begins_at(const struct qr_slab *slab, const struct qr_chunk *chunk, unsigned int page)
{
	return READ_ONCE(slab->run.chunk) == chunk &&
	       page == READ_ONCE(slab->run.first) + __ffs(~READ_ONCE(slab->gone));
}

/* Set w->place to the first page from it on at which something begins; false if there is none. */
static bool find_owner(struct walk *w)
{
	const struct qr_chunk *chunk;
	const struct qr_slab *slab;
	bool found = false;

	rcu_read_lock();
	chunk = qr_chunk_at(w->index);
	for (; chunk && !found && w->place < QR_CHUNK_PAGES; w->place += !found) {
		slab = READ_ONCE(chunk->slab[w->place]);
		found = slab && begins_at(slab, chunk, w->place);
	}
	rcu_read_unlock();
	return found;
}

static void look_at_slab(struct walk *w, const struct qr_chunk *chunk, struct qr_slab *slab,
			 struct qr_depot *d)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	if (READ_ONCE(slab->depot) == d && READ_ONCE(chunk->slab[w->place]) == slab &&
	    begins_at(slab, chunk, w->place)) {
		raw_spin_lock(&qr_cleanups_lock);
		qr_check_slab(d, slab, &w->look);
		raw_spin_unlock(&qr_cleanups_lock);
	}
	raw_spin_unlock_irqrestore(&d->lock, flags);
}

/* Is there still the same large object?  With the lock that guards the chunk, which keeps it. */
static bool is_still_large(const struct walk *w, const struct qr_chunk *chunk,
			   const struct qr_slab *slab)
{
	return qr_chunk_at(w->index) == chunk && chunk->slab[w->place] == slab &&
	       qr_is_large(slab) && begins_at(slab, chunk, w->place);
}

/* Look at some pages of a large object; sets w->more if there are others. */
static void look_at_large(struct walk *w, const struct qr_chunk *chunk, const struct qr_slab *slab,
			  unsigned int *from)
{
	raw_spinlock_t *lock = qr_chunk_lock(chunk);
	unsigned long flags;

	if (!*from) {
		raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
		raw_spin_lock(lock);
		if (is_still_large(w, chunk, slab))
			qr_large_validate_cleaned(slab, &w->look);
		raw_spin_unlock(lock);
		raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	}
	raw_spin_lock_irqsave(lock, flags);
	w->more = is_still_large(w, chunk, slab);
	if (w->more) {
		if (!*from)
			qr_large_add(&w->large, slab);
		w->more = qr_large_look(slab, from, &w->look);
	}
	raw_spin_unlock_irqrestore(lock, flags);
}

/* Look at the slab, or at the large object, at w->place.  Blocks of arenas come later. */
static bool look_at_owner(struct walk *w)
{
	const struct qr_large_sum large = w->large;
	const struct qr_chunk *chunk;
	unsigned int from = 0;
	struct qr_slab *slab;
	struct qr_depot *d;

	do {
		w->more = false;
		rcu_read_lock();
		chunk = qr_chunk_at(w->index);
		slab = chunk ? READ_ONCE(chunk->slab[w->place]) : NULL;
		d = slab ? READ_ONCE(slab->depot) : NULL;
		if (d)
			look_at_slab(w, chunk, slab, d);
		else if (slab && qr_is_large(slab))
			look_at_large(w, chunk, slab, &from);
		rcu_read_unlock();
	} while (w->more && !is_stopped());
	if (w->look.errors) /* the next look adds the object */
		w->large = large;
	return true;
}

static void walk_chunks(struct walk *w)
{
	u64 moves = qr_large_moves();
	unsigned long i;

	for (i = qr_directory_next(0); i < READ_ONCE(qr_directory)->nr && !is_stopped();
	     i = qr_directory_next(i + 1)) {
		w->index = i;
		look_at(w, look_at_chunk);
		look_at(w, look_at_view);
		for (w->place = 0; find_owner(w) && !is_stopped(); w->place++)
			look_at(w, look_at_owner);
	}
	if (is_stopped())
		return;
	if (moves == qr_large_moves())
		qr_large_validate_sum(&w->large, w->v);
	else
		w->v->unsettled++;
}

static bool look_at_counts(struct walk *w)
{
	return qr_heap_look_at_counts(w->index, &w->look);
}

static bool look_at_charge(struct walk *w)
{
	return qr_heap_look_at_charge(&w->look);
}

static void walk_heaps(struct walk *w)
{
	int node;

	for_each_node_mask(node, qr_nodes) {
		w->index = node;
		look_at(w, look_at_counts);
	}
	look_at(w, look_at_charge);
}

/* --- Caches --- */

static bool sum_up(const struct walk *w, struct quarry_cache_stats *st)
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
static bool look_at_lists(struct walk *w, unsigned int i)
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
	} while (more && !is_stopped());
	mutex_unlock(&qr_trim_lock);
	return !d || w->depot.same;
}

static bool look_at_cache(struct walk *w)
{
	struct qr_cache *c;
	bool same = true;
	unsigned int i;
	u64 live = 0;

	if (!sum_up(w, &w->before))
		return true;
	for (i = 0; i < qr_nr_depots() && !is_stopped(); i++) {
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

static bool look_at_batch(struct walk *w)
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

static bool look_at_shelf(struct walk *w)
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

static void check_magazine(struct qr_cache *c, const struct qr_head *h, unsigned int n, void *arg)
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
static bool look_at_magazine(struct walk *w)
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
static bool look_at_budget(struct walk *w)
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
	} while (c && !is_stopped());
	if (qr_percpu_changes(cpu) != before)
		return false;
	if (sum != granted)
		qr_invalid(&w->look, "CPU %u has capacity for %lu bytes, counts %lu", cpu, sum,
			   granted);
	return true;
}

/* Look at all that begins at w->place and behind it. */
static void look_at_rest(struct walk *w, look_fn look, unsigned int step)
{
	w->place = 0;
	do {
		look_at(w, look);
		w->place += step;
	} while (w->more && !is_stopped());
}

static void walk_cache(struct walk *w)
{
	unsigned int i;

	look_at(w, look_at_cache);
	for (i = 0; i < qr_nr_depots() && !is_stopped(); i++) {
		w->index = i;
		look_at_rest(w, look_at_batch, 1);
	}
	for_each_possible_cpu(i) {
		if (is_stopped())
			return;
		w->index = i;
		look_at(w, look_at_magazine);
		look_at_rest(w, look_at_shelf, QR_LOOK_OBJECTS);
	}
}

static bool next_cache(struct walk *w)
{
	bool found;

	rcu_read_lock();
	found = qr_cache_next(&w->id, ULONG_MAX);
	rcu_read_unlock();
	return found;
}

static void walk_caches(struct walk *w)
{
	unsigned int cpu;

	for (w->id = 0; !is_stopped() && next_cache(w); w->id++)
		walk_cache(w);
	for_each_possible_cpu(cpu) {
		w->index = cpu;
		look_at(w, look_at_budget);
	}
}

/* --- Arenas --- */

static bool look_at_arena(struct walk *w)
{
	struct qr_arena_look at = {};

	while (qr_arena_look(w->id, &at, &w->look))
		if (is_stopped())
			break;
	return at.same;
}

static void walk_arenas(struct walk *w)
{
	u32 id;

	for (id = 0; !is_stopped() && qr_arena_next(&id); id++) {
		w->id = id;
		look_at(w, look_at_arena);
	}
}

int qr_validate_slices(struct quarry_validation *v)
{
	static struct walk walk; /* with walk_lock */
	struct walk *w = &walk;

	memset(v, 0, sizeof(*v));
	if (mutex_lock_killable(&walk_lock))
		return -EINTR;
	memset(w, 0, sizeof(*w));
	w->v = v;
	walk_chunks(w);
	walk_heaps(w);
	walk_caches(w);
	walk_arenas(w);
	mutex_unlock(&walk_lock);
	return is_stopped() ? -EINTR : qr_verdict(v);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_validate_slices);
