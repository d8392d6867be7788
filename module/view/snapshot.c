// SPDX-License-Identifier: GPL-2.0
/*
 * The walk goes over the chunks by address, one page at a time.  It holds nothing that
 * keeps a slab from being destroyed: RCU only guarantees that the memory of a slab's
 * descriptor remains a descriptor.  So the walk copies the objects of a page under
 * the lock of the slab's depot, and passes the copies to the caller after that.
 */
#include "view/snapshot.h"

#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "api/arena_view.h"
#include "cache/cache.h"
#include "compat.h"
#include "core/metadata.h"
#include "kernel/domain.h"
#include "profile/bucket.h"
#include "profile/label.h"
#include "profile/stack.h"
#include "profile/unloaded.h"
#include "slab/large.h"

/* The live objects that begin on one page. */
struct look {
	struct qr_object object[QR_SLAB_MAX_OBJECTS];
	struct qr_live_sample sample[QR_SAMPLED_OBJECTS];
	char name[QUARRY_NAME_LEN];
	unsigned int n;
};

/* Adds the object with index @i in @slab; @sample is NULL if it is not sampled. */
static void found(struct look *l, const struct qr_slab *slab, unsigned int i, u32 size, u32 cache,
		  const struct qr_live_sample *sample)
{
	static const struct qr_live_sample none = { .site = U32_MAX };

	l->object[l->n++] = (struct qr_object){
		.ptr = slab->base + (size_t)i * slab->stride,
		.size = size,
		.cache = cache,
		.cache_name = l->name,
		.node = page_to_nid(slab->run.chunk->page + slab->run.first),
		.sample = sample ? *sample : none,
	};
}

/*
 * Finds the live objects that begin on @page.  A slab keeps a page on which an object is
 * live.  It may lose other pages during the walk; the walk then meets the same slab again
 * on the pages behind the lost ones, so only objects of this page count.
 */
static void look_at_objects(struct look *l, struct qr_slab *slab, struct qr_depot *d,
			    const void *page, bool sampled)
{
	unsigned int i, end, nr;
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	if (READ_ONCE(slab->depot) != d || qr_slab_of(page) != slab)
		goto out;
	nr = qr_samples_read(&slab->samples, ARRAY_SIZE(l->sample), l->sample);
	strscpy(l->name, d->cache->name, sizeof(l->name));
	i = DIV_ROUND_UP(page - slab->base, slab->stride);
	end = min_t(unsigned int, slab->nr_cut,
		    DIV_ROUND_UP(page + PAGE_SIZE - slab->base, slab->stride));
	for (; i < end; i++) {
		const struct qr_live_sample *s = i < nr ? &l->sample[i] : NULL;

		if (qr_slab_is_free(slab, i) || (sampled && (!s || s->site == U32_MAX)))
			continue;
		found(l, slab, i, d->cache->pub.size, d->cache->id, s);
	}
out:
	raw_spin_unlock_irqrestore(&d->lock, flags);
}

static void look_at_large(struct look *l, struct qr_slab *slab, bool sampled)
{
	const struct qr_live_sample *s = NULL;

	if (qr_samples_read(&slab->samples, 1, l->sample))
		s = &l->sample[0];
	if (sampled && (!s || s->site == U32_MAX))
		return;
	strscpy(l->name, "large", sizeof(l->name));
	found(l, slab, 0, qr_slab_bytes(slab), 0, s);
}

/* Finds the live objects that begin on a page of @chunk.  In an RCU read-side section. */
static void look_at_page(struct look *l, struct qr_chunk *chunk, unsigned int page, bool sampled)
{
	struct qr_slab *slab = READ_ONCE(chunk->slab[page]);
	struct qr_depot *d;

	l->n = 0;
	if (!slab || (sampled && !READ_ONCE(slab->samples.at)))
		return;
	d = READ_ONCE(slab->depot);
	if (d)
		look_at_objects(l, slab, d, qr_chunk_addr(chunk, page), sampled);
	else if (qr_is_large(slab) && READ_ONCE(slab->run.first) == page &&
		 READ_ONCE(slab->run.chunk) == chunk)
		look_at_large(l, slab, sampled);
}

struct arena_walk {
	qr_object_fn fn;
	void *arg;
};

static int show_arena_object(const struct qr_arena *a, const struct qr_arena_sample *o, void *arg)
{
	const struct arena_walk *walk = arg;
	const struct qr_object object = {
		.ptr = o->ptr,
		.size = o->size,
		.cache = a->id,
		.cache_name = a->name,
		.node = page_to_nid(virt_to_page(o->ptr)),
		.sample = o->sample,
	};

	return walk->fn(&object, walk->arg);
}

/* Takes one step: a page.  Returns what @fn returns. */
static int walk_page(struct qr_walk *w, struct look *l, bool sampled, qr_object_fn fn, void *arg)
{
	struct qr_chunk *chunk;
	unsigned int k;
	int err = 0;

	rcu_read_lock();
	chunk = qr_chunk_at(w->chunk);
	if (chunk)
		look_at_page(l, chunk, w->page, sampled);
	rcu_read_unlock();
	if (!chunk || ++w->page == QR_CHUNK_PAGES) {
		w->page = 0;
		w->chunk++;
	}
	for (k = 0; chunk && !err && k < l->n; k++)
		err = fn(&l->object[k], arg);
	return err;
}

int qr_walk_part(struct qr_walk *w, bool sampled, qr_object_fn fn, void *arg)
{
	struct arena_walk arenas = { .fn = fn, .arg = arg };
	struct look *l = qr_meta_kvalloc(sizeof(*l), GFP_KERNEL);
	int err = 0;

	if (!l)
		return -ENOMEM;
	w->pause = false;
	while (!err && !w->pause) {
		if (!w->page)
			w->chunk = qr_directory_next(w->chunk);
		if (w->chunk >= READ_ONCE(qr_directory)->nr)
			break;
		err = fatal_signal_pending(current) ? -EINTR : walk_page(w, l, sampled, fn, arg);
		cond_resched();
	}
	/* Addresses that are left here would be pointers to objects, for view/find_leaks.c. */
	memset(l, 0, sizeof(*l));
	qr_meta_kvfree(l, sizeof(*l));
	if (err || w->pause)
		return err;
	/* An arena does not record where its objects begin, except the sampled ones. */
	w->done = true;
	return qr_walk_arena_samples(show_arena_object, &arenas);
}

int qr_walk_objects(bool sampled, qr_object_fn fn, void *arg)
{
	struct qr_walk w = {};

	return qr_walk_part(&w, sampled, fn, arg);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_walk_objects);

static int add_age(const struct qr_object *o, void *arg)
{
	struct quarry_profile *p = arg;
	u64 now = ktime_get_mono_fast_ns();
	unsigned int age;

	if (o->sample.site < p->nr) {
		age = qr_age(now - min(now, o->sample.time));
		p->ages[o->sample.site].live_objects[age] += o->sample.weight;
		p->ages[o->sample.site].live_space[age] += qr_weighted(o->sample.weight, o->size);
	}
	return 0;
}

/* A profile with room for @nr rows, which are to be copied.  NULL without memory. */
static struct quarry_profile *profile_new(u32 nr, u32 rate, u32 cache, bool with_ages)
{
	struct quarry_profile *p = qr_meta_alloc(sizeof(*p), GFP_KERNEL, NUMA_NO_NODE);

	if (!p)
		return NULL;
	p->room = nr;
	p->nr = nr;
	p->rate = rate;
	p->cache = cache;
	p->site = qr_meta_valloc(array_size(p->room, sizeof(*p->site)));
	if (with_ages)
		p->ages = qr_meta_valloc(array_size(p->room, sizeof(*p->ages)));
	if (p->site && (!with_ages || p->ages))
		return p;
	qr_profile_free(p);
	return NULL;
}

struct quarry_profile *qr_profile_take(u32 cache, bool with_ages)
{
	struct qr_profile_counts counts;
	struct quarry_profile *p;
	u32 i, n, rate;
	bool own;
	int err;

	rate = qr_rate_get();
	if (cache != QUARRY_CACHE_ALL && cache) {
		err = qr_cache_rate_get(cache, &rate, &own);
		if (err)
			return ERR_PTR(err);
	}
	/* Rows that are made after this moment are not copied, so there is room for all others. */
	qr_profile_counts(&counts);
	p = profile_new(counts.sites, rate, cache, with_ages);
	if (!p)
		return ERR_PTR(-ENOMEM);
	qr_profile_copy(&qr_own_table, p);
	err = with_ages ? qr_walk_objects(true, add_age, p) : 0;
	if (err) {
		qr_profile_free(p);
		return ERR_PTR(err);
	}
	if (cache == QUARRY_CACHE_ALL)
		return p;
	for (i = 0, n = 0; i < p->nr; i++) {
		if (p->site[i].cache != cache || !p->site[i].id)
			continue;
		p->site[n] = p->site[i];
		if (p->ages)
			p->ages[n] = p->ages[i];
		n++;
	}
	p->nr = n;
	return p;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_take);

static void add_sample_age(const struct qr_live_sample *s, u32 size, void *arg)
{
	const struct qr_object o = { .size = size, .sample = *s };

	add_age(&o, arg);
}

/* The domain is held. */
static struct quarry_profile *take_held(struct qr_domain *d, bool with_ages)
{
	struct qr_profile_counts counts = { .sites = 1 };
	struct quarry_profile *p;

	if (d->on)
		qr_table_counts(&d->rows, &counts);
	p = profile_new(counts.sites, d->rate, QUARRY_CACHE_ALL, with_ages);
	if (!p)
		return ERR_PTR(-ENOMEM);
	if (d->on) {
		qr_profile_copy(&d->rows, p);
		if (with_ages)
			qr_sample_walk(&d->samples, add_sample_age, p);
	} else {
		p->nr = 0;
		p->rate = 0;
		p->time_ns = ktime_get_real_ns();
		p->mono_ns = ktime_get_mono_fast_ns();
		p->since_ns = p->mono_ns;
		p->resets = d->resets;
	}
	return p;
}

struct quarry_profile *qr_profile_take_domain(enum quarry_domain domain, bool with_ages)
{
	struct qr_domain *d = qr_domain_hold(domain);
	struct quarry_profile *p;

	if (!d)
		return qr_profile_take(QUARRY_CACHE_ALL, with_ages);
	p = take_held(d, with_ages);
	qr_domain_release(d);
	if (!IS_ERR(p))
		p->domain = domain;
	return p;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_take_domain);

void qr_profile_free(struct quarry_profile *p)
{
	if (IS_ERR_OR_NULL(p))
		return;
	qr_labels_release(p->label_sets);
	qr_meta_vfree(p->site, array_size(p->room, sizeof(*p->site)));
	qr_meta_vfree(p->ages, array_size(p->room, sizeof(*p->ages)));
	qr_meta_vfree(p->base, array_size(p->nr, sizeof(*p->base)));
	qr_meta_free(p, sizeof(*p));
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_free);

static void sum_subtract(struct quarry_sum *a, const struct quarry_sum *b)
{
	a->samples -= b->samples;
	a->objects -= b->objects;
	a->space -= b->space;
	a->var_objects -= b->var_objects;
	a->var_space -= b->var_space;
}

static void ages_subtract(struct quarry_ages *a, const struct quarry_ages *b)
{
	unsigned int i;

	for (i = 0; i < QR_AGES; i++) {
		a->freed_objects[i] -= b->freed_objects[i];
		a->freed_space[i] -= b->freed_space[i];
	}
}

/* The row of number @id in @p, or NULL. */
static struct quarry_site *find_row(const struct quarry_profile *p, u32 id)
{
	u32 low = 0, high = p->nr;

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (p->site[mid].id == id)
			return &p->site[mid];
		if (p->site[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/*
 * Is @now the row that @then was?  Its module or cache may have gone since, but the row was
 * not reused for another site.
 */
static bool is_the_same(const struct quarry_site *now, const struct quarry_site *then)
{
	if (then->names ? now->names != then->names : now->stack != then->stack)
		return false;
	return now->labels == then->labels && !strcmp(now->cache_name, then->cache_name) &&
	       (now->cache == then->cache || now->cache == QR_CACHE_GONE);
}

/* The row of @p in which the allocations of @then are counted now, or NULL. */
static struct quarry_site *row_of(const struct quarry_profile *p, const struct quarry_site *then)
{
	struct quarry_site *now = find_row(p, then->id);
	u32 i;

	if (!now || is_the_same(now, then))
		return now;
	/* Follow the heirs: there is one after a module has gone, and one after the cache has. */
	for (i = 0; now && i < 3; i++) {
		now = find_row(p, now->heir);
		/* The heir is known by names, or else has the same stack. */
		if (now && now->labels == then->labels &&
		    (now->names || now->stack == then->stack) &&
		    !strcmp(now->cache_name, then->cache_name))
			return now;
	}
	/* The number was reused, and the heir of a later row has replaced ours: search all rows. */
	for (i = 0; i < p->nr; i++)
		if ((then->names || p->site[i].cache == QR_CACHE_GONE) &&
		    is_the_same(&p->site[i], then))
			return &p->site[i];
	return NULL;
}

/* The allocations in @now, a row of @p, become those since @then, a row of @base. */
static void subtract_row(struct quarry_profile *p, struct quarry_site *now,
			 const struct quarry_profile *base, const struct quarry_site *then)
{
	if (now->alloc.samples < then->alloc.samples)
		return;
	sum_subtract(&now->alloc, &then->alloc);
	if (p->ages && base->ages)
		ages_subtract(&p->ages[now - p->site], &base->ages[then - base->site]);
}

int qr_profile_subtract(struct quarry_profile *p, const struct quarry_profile *base)
{
	bool reset = base->resets != p->resets;
	u32 k;

	if (p->nr && !p->base) {
		p->base = qr_meta_valloc(array_size(p->nr, sizeof(*p->base)));
		if (!p->base)
			return -ENOMEM;
	}
	p->delta = true;
	/* By the monotonic clock: the wall clock may have been set meanwhile. */
	p->span_ns = p->mono_ns - min(base->mono_ns, p->mono_ns);
	p->duration_ns = p->span_ns;
	if (reset) {
		/* All allocations in @p were made after the reset. */
		p->duration_ns = p->mono_ns - min(p->since_ns, p->mono_ns);
	} else {
		p->dropped_samples -= base->dropped_samples;
		p->dropped_space -= base->dropped_space;
		p->other_samples -= base->other_samples;
	}
	for (k = 0; k < base->nr; k++) {
		const struct quarry_site *then = &base->site[k];
		struct quarry_site *now = NULL;

		cond_resched();
		if (then->alloc.samples || then->inuse.samples)
			now = row_of(p, then);
		if (!now)
			continue;
		if (!reset)
			subtract_row(p, now, base, then);
		qr_sum_add(&p->base[now - p->site], &then->inuse);
	}
	return 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_subtract);

unsigned int qr_site_stack(const struct quarry_site *site, unsigned long **entries)
{
	unsigned int nr = site->names ? qr_unloaded_frames(site->names, entries) : 0;

	return nr ?: qr_stack_frames(site->stack, entries);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_site_stack);
