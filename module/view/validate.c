// SPDX-License-Identifier: GPL-2.0
/*
 * The walker: checks that the books of all layers agree.  This is its strict form, which stops the
 * machine, for tests and for whom asks for it.  validate_slices.c has the form that does not.
 *
 * No head is claimed and no spinlock is held while the machine is stopped.  A task may
 * be in the middle of a section under a mutex.  That does no harm, with one exception: pages that
 * are being trimmed belong to no slab for a while, and qr_trim_lock keeps that out.  The walker
 * takes none of the mutexes that creating and destroying need, because it waits for CPU hotplug,
 * and clients create and destroy in callbacks of CPU hotplug.  It
 * checks for every slab that objects = free + cached + live, and that no object is
 * cached twice, or cached and free; for every cache that the live objects of its
 * slabs are those that its counters say; for every chunk that each page in use has a
 * slab, and that each slab owns its pages.
 *
 * Each slab has a bit per object that the walker sets for a cached object.  So the walker
 * needs no memory and finds objects that are cached twice.  In a slab with deferred
 * objects (cache/deferred.h) the same bits mark those, and the walker leaves them alone.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "view/validate.h"

#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/stop_machine.h>
#include <linux/string.h>
#include <quarry/stats.h>
#include "api/arena_view.h"
#include "compat.h"
#include "slab/large.h"

struct qr_slab *qr_check_cached(struct qr_cache *c, const void *p, const char *where,
				unsigned int *index, struct quarry_validation *v)
{
	struct qr_slab *slab = qr_slab_of(p);
	int k = slab && slab->cache == c ? qr_slab_index(slab, p) : -1;

	if (k < 0) {
		qr_invalid(v, "cache %s: %s holds %p, not an object of it", c->name, where, p);
		return NULL;
	}
	if (qr_slab_is_free(slab, k)) {
		qr_invalid(v, "cache %s: %s holds %p, which is free", c->name, where, p);
		return NULL;
	}
	*index = k;
	return slab;
}

static void visit(struct qr_cache *c, const void *p, const char *where, struct quarry_validation *v)
{
	unsigned int k;
	struct qr_slab *slab = qr_check_cached(c, p, where, &k, v);
	u64 *cached;

	if (!slab)
		return;
	cached = &qr_slab_cached(slab)[k / 64];
	if (*cached & BIT_ULL(k % 64))
		qr_invalid(v, "cache %s: %s holds %p, which is held twice", c->name, where, p);
	else if (likely(!atomic_read(&slab->nr_deferred)))
		*cached |= BIT_ULL(k % 64);
}

void qr_check_head(const struct qr_cache *c, const struct qr_head *h, unsigned int held,
		   unsigned int cpu, struct quarry_validation *v)
{
	const struct qr_array *a = qr_head_array(h);
	unsigned int room = a ? a->remote_room : 0, waiting = a ? a->nr_remote : 0;

	if (held > h->capacity || waiting > room)
		qr_invalid(v, "cache %s: CPU %u holds %u and %u, has room for %u and %u", c->name,
			   cpu, held, waiting, h->capacity, room);
	if (h->capacity > c->capacity || (room && room != c->remote_room))
		qr_invalid(v, "cache %s: CPU %u has room for %u and %u", c->name, cpu, h->capacity,
			   room);
	if (h->capacity + room > (a ? a->total : 0))
		qr_invalid(v, "cache %s: CPU %u has %u places for %u and %u", c->name, cpu,
			   a ? a->total : 0, h->capacity, room);
}

struct kept {
	struct qr_cache *cache;
	struct quarry_validation *v;
	u64 nr;
};

static void visit_kept(void *p, void *arg)
{
	struct kept *k = arg;

	visit(k->cache, p, "a pool", k->v);
	k->nr++;
}

/* Returns how many objects wait in the head's array to go home. */
static unsigned int visit_array(struct qr_cache *c, const struct qr_head *h,
				struct quarry_validation *v)
{
	struct qr_array *a = qr_head_array(h);
	unsigned int i, waiting = a ? a->nr_remote : 0;

	for (i = 0; i < waiting; i++)
		visit(c, qr_array_remote(c, a)[i], "a buffer of remote frees", v);
	return waiting;
}

static u64 visit_cached(struct qr_cache *c, struct quarry_validation *v)
{
	unsigned int cpu, i;
	u64 n = 0;
	int node;

	for_each_possible_cpu(cpu) {
		const struct qr_head *h = per_cpu_ptr(c->pub.head, cpu);
		unsigned int held = qr_head_peek(h);

		for (i = 0; i < held; i++)
			visit(c, h->obj[i], "a magazine", v);
		n += held;
		n += visit_array(c, h, v);
		qr_check_head(c, h, held, cpu, v);
	}
	for (node = 0; node < nr_node_ids; node++) {
		const struct qr_batch *b;
		u64 batched = 0;

		if (!c->depot[node])
			continue;
		for (b = c->depot[node]->stocked; b; b = b->next) {
			for (i = 0; i < b->nr; i++)
				visit(c, b->obj[i], "a depot", v);
			batched += b->nr;
		}
		n += batched;
	}
	if (c->keeper) {
		struct kept kept = { .cache = c, .v = v };

		c->keeper->walk(c->keeper, visit_kept, &kept);
		n += kept.nr;
	}
	return n;
}

/*
 * Checks the slab's lost objects, which left it with trimmed pages: they are neither free in
 * the slab nor counted.
 */
static void check_lost(const struct qr_slab *slab, const char *name, struct quarry_validation *v)
{
	unsigned int i, lost = 0;

	for (i = 0; i < slab->nr_cut; i++) {
		if (!qr_slab_has_lost(slab, i))
			continue;
		lost++;
		if (slab->free[i / 64] & BIT_ULL(i % 64))
			qr_invalid(v, "cache %s: slab %p lost object %u and has it", name,
				   slab->base, i);
	}
	if (slab->nr_objects + lost != slab->nr_cut)
		qr_invalid(v, "cache %s: slab %p of %u objects lost %u and has %u", name,
			   slab->base, slab->nr_cut, lost, slab->nr_objects);
	if (!slab->gone != !!slab->inverse)
		qr_invalid(v, "cache %s: slab %p finds objects that left", name, slab->base);
}

/*
 * Checks that the objects with cleanups are counted, and that clients hold them.  In a slab with
 * deferred objects the bits mark those, not cached objects.  The form in slices sets no bits.
 */
static void check_cleanups(struct qr_slab *slab, const char *name, struct quarry_validation *v)
{
	unsigned int i, nr = 0;

	for (i = 0; slab->cleanups && i < slab->nr_cut; i++) {
		if (!slab->cleanups[i])
			continue;
		nr++;
		if (qr_slab_is_free(slab, i) ||
		    (!qr_slab_is_deferred(slab) && qr_slab_cached(slab)[i / 64] & BIT_ULL(i % 64)))
			qr_invalid(v, "cache %s: slab %p: object %u is free and has cleanups", name,
				   slab->base, i);
	}
	if (nr != slab->nr_cleaned)
		qr_invalid(v, "cache %s: slab %p: %u objects have cleanups, counts %u", name,
			   slab->base, nr, slab->nr_cleaned);
}

u64 qr_check_slab(struct qr_depot *d, struct qr_slab *slab, struct quarry_validation *v)
{
	unsigned int i, free = 0, deferred = 0, nr_deferred = atomic_read(&slab->nr_deferred);
	const struct qr_cache *c = d->cache;
	const struct qr_run *run = &slab->run;
	const u64 *marks = qr_slab_cached(slab);

	v->slabs++;
	v->objects += slab->nr_objects;
	check_cleanups(slab, c->name, v);
	for (i = 0; i < slab->words; i++) {
		free += hweight64(slab->free[i]);
		if (nr_deferred)
			deferred += hweight64(marks[i]);
	}
	if (deferred != nr_deferred)
		qr_invalid(v, "cache %s: slab %p has %u deferred objects, counts %u", c->name,
			   slab->base, deferred, nr_deferred);
	free -= min(free, qr_slab_spare_bits(slab));
	if (free != slab->nr_free)
		qr_invalid(v, "cache %s: slab %p has %u free bits, counts %u", c->name, slab->base,
			   free, slab->nr_free);
	if (slab->depot != d || slab->cache != c)
		qr_invalid(v, "cache %s: slab %p is somebody else's", c->name, slab->base);
	if (slab->base != qr_chunk_addr(run->chunk, run->first))
		qr_invalid(v, "cache %s: slab %p is not where its pages are", c->name, slab->base);
	check_lost(slab, c->name, v);
	for (i = 0; i < run->nr; i++) {
		const struct qr_chunk *chunk = run->chunk;
		u8 class = chunk->kind == QR_ORDINARY && !slab->nr_cleaned && !run->access ?
				   c->class :
				   0;

		if (slab->gone & BIT(i)) {
			if (chunk->slab[run->first + i] == slab)
				qr_invalid(v, "cache %s: slab %p still owns page %u", c->name,
					   slab->base, i);
			continue;
		}
		if (chunk->slab[run->first + i] != slab || !test_bit(run->first + i, chunk->used))
			qr_invalid(v, "cache %s: slab %p does not own page %u", c->name, slab->base,
				   i);
		if (chunk->class[run->first + i] != class)
			qr_invalid(v, "cache %s: page %u of slab %p has class %u", c->name, i,
				   slab->base, chunk->class[run->first + i]);
	}
	return slab->nr_objects - free;
}

/* The same with the machine stopped: the marks of cached objects have been looked at. */
static u64 check_marked(struct qr_depot *d, struct qr_slab *slab, struct quarry_validation *v)
{
	u64 taken = qr_check_slab(d, slab, v);

	if (!qr_slab_is_deferred(slab))
		memset(qr_slab_cached(slab), 0, slab->words * sizeof(u64));
	return taken;
}

void qr_check_sums(const struct qr_cache *c, const struct quarry_cache_stats *st, u64 live,
		   struct quarry_validation *v)
{
	if (live != st->live_objects)
		qr_invalid(v, "cache %s: %llu objects live, %lld counted", c->name, live,
			   st->live_objects);
	/* More pages may be charged, for a slab that is being made or freed. */
	if (st->inuse_bytes >> PAGE_SHIFT > atomic_long_read(&c->limit.held))
		qr_invalid(v, "cache %s: %llu pages of slabs, %ld charged", c->name,
			   st->inuse_bytes >> PAGE_SHIFT, atomic_long_read(&c->limit.held));
}

static void check_cache(struct qr_cache *c, struct quarry_validation *v)
{
	struct quarry_cache_stats st;
	u64 live = 0, cached;
	unsigned int i;

	v->caches++;
	cached = visit_cached(c, v);
	for (i = 0; i < qr_nr_depots(); i++)
		if (c->depot[i])
			live += qr_depot_validate(c->depot[i], check_marked, v);
	live -= cached;

	qr_cache_sum(c, &st);
	if (cached != st.cached_objects)
		qr_invalid(v, "cache %s: %llu objects cached, %llu counted", c->name, cached,
			   st.cached_objects);
	qr_check_sums(c, &st, live, v);
	v->live += live;
}

/*
 * Checks for each CPU that the capacities of its heads add up to what it has counted as
 * granted, and that this is within its budget.
 */
static void check_budget(struct quarry_validation *v)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		unsigned long granted = qr_percpu_granted(cpu), sum = 0;
		struct qr_cache *c;

		list_for_each_entry(c, &qr_caches, link)
			sum += qr_head_granted(c, per_cpu_ptr(c->pub.head, cpu));
		if (sum != granted || granted > qr_percpu_budget)
			qr_invalid(v, "CPU %u has capacity for %lu bytes, counts %lu, budget %lu",
				   cpu, sum, granted, qr_percpu_budget);
		if (!cpu_online(cpu) && granted)
			qr_invalid(v, "CPU %u is offline and has capacity", cpu);
		if (per_cpu_ptr(qr_class_head[0], cpu)->capacity)
			qr_invalid(v, "class 0 has capacity on CPU %u", cpu);
	}
}

/*
 * An ordinary chunk is fast unless a slab of it has cleanups and no class, or is from the emergency
 * reserves.
 */
void qr_check_view(const struct qr_chunk *chunk, struct quarry_validation *v)
{
	unsigned int page, slow = 0;

	for (page = 0; page < QR_CHUNK_PAGES; page++) {
		const struct qr_slab *slab = READ_ONCE(chunk->slab[page]);

		/* Count each slab once, at the first page that it still has. */
		if (slab && page == slab->run.first + __ffs(~slab->gone))
			slow += (slab->nr_cleaned && !slab->class) + slab->apart;
	}
	if (slow != chunk->nr_slow || qr_chunk_is_fast(chunk) != (!slow && qr_view_covers(chunk)))
		qr_invalid(v, "chunk %lu has %u slow slabs, counts %u, and is%s fast", chunk->index,
			   slow, chunk->nr_slow, qr_chunk_is_fast(chunk) ? "" : " not");
}

static void check_views(struct quarry_validation *v)
{
	const struct qr_chunk *chunk;
	unsigned long i;

	qr_for_each_chunk(i, chunk)
		if (chunk->kind == QR_ORDINARY)
			qr_check_view(chunk, v);
}

static int walk_all(void *arg)
{
	struct quarry_validation *v = arg;
	struct qr_cache *c;

	check_budget(v);
	check_views(v);
	qr_heap_validate(v);
	qr_large_validate(v);
	qr_arenas_validate(v);
	list_for_each_entry(c, &qr_caches, link)
		check_cache(c, v);
	return 0;
}

int qr_verdict(const struct quarry_validation *v)
{
	if (!v->errors)
		return 0;
	pr_err("the books do not agree in %llu places, first: %s\n", v->errors, v->first);
	return -EUCLEAN;
}

void qr_check_stopped(struct quarry_validation *v)
{
	memset(v, 0, sizeof(*v));
	mutex_lock(&qr_trim_lock);
	stop_machine(walk_all, v, NULL);
	mutex_unlock(&qr_trim_lock);
}

int qr_validate(struct quarry_validation *v)
{
	qr_check_stopped(v);
	return qr_verdict(v);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_validate);
