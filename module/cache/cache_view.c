// SPDX-License-Identifier: GPL-2.0
/* The numbers of a cache, added up from its magazines and depots, for observers. */
#include "cache/cache.h"

#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include "compat.h"

void qr_cache_sum(struct qr_cache *c, struct quarry_cache_stats *st)
{
	u64 made = 0, held = 0, far = 0, waiting = 0;
	unsigned int cpu, i;

	memset(st, 0, sizeof(*st));
	strscpy(st->name, c->name, sizeof(st->name));
	st->id = c->id;
	st->class = c->stands_for ? 0 : c->class; /* a twin is no class of its own */
	st->zombie = c->zombie;
	st->size = c->pub.size;
	st->stride = c->geo.stride;
	st->slab_pages = c->geo.pages;
	st->slab_objects = c->geo.objects;
	st->magazine = c->capacity;
	st->poison = c->guard.poison;
	st->red_zone = c->guard.red_zone;
	st->account_node = c->account_node;
	st->account_reclaim = c->account_reclaim;
	st->useroffset = c->useroffset;
	st->usersize = c->usersize;
	for_each_possible_cpu(cpu) {
		const struct qr_head *h = per_cpu_ptr(c->pub.head, cpu);
		unsigned int n = qr_head_peek(h);
		const struct qr_array *a;

		made += READ_ONCE(h->drawn) - READ_ONCE(h->countdown);
		held += n;
		rcu_read_lock();
		a = qr_head_array(h);
		if (a) {
			waiting += READ_ONCE(a->nr_remote);
			far += qr_head_far(h, n, per_cpu(qr_home_node, cpu));
		}
		rcu_read_unlock();
		st->refilled += READ_ONCE(h->refilled);
		st->flushed += READ_ONCE(h->flushed);
		st->direct_allocs += READ_ONCE(h->direct_allocs);
		st->direct_frees += READ_ONCE(h->direct_frees);
	}
	/* Objects may have come and gone between the looks at the two. */
	st->remote_allocs = max_t(s64, atomic64_read(&c->remote_allocs) - far, 0);
	st->remote_frees = atomic64_read(&c->remote_frees) + waiting;
	st->remote_batches = atomic64_read(&c->remote_batches);
	st->cached_objects += waiting;
	if (c->keeper) {
		st->cached_objects += c->keeper->count(c->keeper);
		c->keeper->misses(c->keeper, &st->alloc_misses, &st->free_misses);
	}
	st->mallocs = made + st->direct_allocs + atomic64_read(&c->handed_on);
	st->frees = made - st->refilled + st->flushed + held + st->direct_frees -
		    atomic64_read(&c->refused) + atomic64_read(&c->handed_on);
	st->live_objects = st->mallocs - st->frees;
	st->local_allocs = st->mallocs - st->remote_allocs;
	st->cached_objects += held;
	for (i = 0; i < qr_nr_depots(); i++) {
		struct qr_depot *d = c->depot[i];

		if (!d)
			continue;
		st->slabs += READ_ONCE(d->nr_slabs);
		st->inuse_bytes += (u64)READ_ONCE(d->nr_pages) << PAGE_SHIFT;
		st->capacity_objects += READ_ONCE(d->nr_objects);
		st->cached_objects += READ_ONCE(d->nr_cached);
		/* A keeper stands between the magazines and the depots, and counts for itself. */
		if (c->keeper)
			continue;
		st->alloc_misses += READ_ONCE(d->takes);
		st->free_misses += READ_ONCE(d->gives);
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_sum);

int qr_cache_stats_read(unsigned int id, struct quarry_cache_stats *st)
{
	struct qr_cache *c;

	mutex_lock(&qr_caches_lock);
	c = qr_cache_find(id);
	if (c)
		qr_cache_sum(c, st);
	mutex_unlock(&qr_caches_lock);
	return c ? 0 : -ENOENT;
}

int qr_walk_caches(qr_cache_fn fn, void *arg)
{
	struct quarry_cache_stats st;
	struct qr_cache *c;
	int err = 0;

	mutex_lock(&qr_caches_lock);
	list_for_each_entry(c, &qr_caches, link) {
		qr_cache_sum(c, &st);
		err = fn(&st, arg);
		if (err)
			break;
	}
	mutex_unlock(&qr_caches_lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_walk_caches);

static void node_sum(const struct qr_cache *c, int node, struct quarry_cache_node *cn)
{
	unsigned int i;

	*cn = (struct quarry_cache_node){ .node = node };
	/* One depot has the ordinary slabs of the node, the other those of sampled objects. */
	for (i = node; i < qr_nr_depots(); i += nr_node_ids) {
		const struct qr_depot *d = c->depot[i];

		if (!d)
			continue;
		cn->slabs += READ_ONCE(d->nr_slabs);
		cn->inuse_bytes += (u64)READ_ONCE(d->nr_pages) << PAGE_SHIFT;
		cn->depot_objects += READ_ONCE(d->nr_cached);
	}
}

int qr_walk_cache_nodes(unsigned int id, qr_cache_node_fn fn, void *arg)
{
	struct quarry_cache_node cn;
	struct qr_cache *c;
	int err = 0, node;

	mutex_lock(&qr_caches_lock);
	c = qr_cache_find(id);
	if (!c)
		err = -ENOENT;
	for (node = 0; !err && node < nr_node_ids; node++) {
		if (!c->depot[node])
			continue;
		node_sum(c, node, &cn);
		err = fn(&cn, arg);
	}
	mutex_unlock(&qr_caches_lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_walk_cache_nodes);

int qr_walk_cache_cpus(unsigned int id, qr_cache_cpu_fn fn, void *arg)
{
	struct qr_cache *c;
	unsigned int cpu;
	int err = 0;

	mutex_lock(&qr_caches_lock);
	c = qr_cache_find(id);
	if (!c)
		err = -ENOENT;
	for_each_possible_cpu(cpu) {
		const struct qr_head *h;
		struct quarry_cache_cpu cc;

		if (err)
			break;
		h = per_cpu_ptr(c->pub.head, cpu);
		cc = (struct quarry_cache_cpu){
			.cpu = cpu,
			.magazine = READ_ONCE(h->capacity),
			.magazine_objects = qr_head_peek(h),
		};
		if (cc.magazine || cc.magazine_objects)
			err = fn(&cc, arg);
	}
	mutex_unlock(&qr_caches_lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_walk_cache_cpus);

int qr_walk_slabs(unsigned int id, qr_slab_fn fn, void *arg)
{
	struct qr_cache *c;
	unsigned int i;
	int err = 0;

	mutex_lock(&qr_caches_lock);
	c = qr_cache_find(id);
	if (!c)
		err = -ENOENT;
	for (i = 0; !err && i < qr_nr_depots(); i++)
		if (c->depot[i])
			err = qr_depot_walk_slabs(c->depot[i], fn, arg);
	mutex_unlock(&qr_caches_lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_walk_slabs);
