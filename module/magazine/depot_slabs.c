// SPDX-License-Identifier: GPL-2.0
/*
 * Depots: slabs come and leave, and with them spare batches in proportion to their objects.  A
 * depot that is not used has no spare batches.
 *
 * Memory is allocated and freed without the depot's lock.  Slabs that leave are collected in a
 * list, and destroyed after the lock is dropped.
 */
#include "magazine/depot.h"

#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "compat.h"
#include "core/metadata.h"
#include "magazine/array.h"

static struct kmem_cache *batches;

static struct qr_batch *batches_new(unsigned int n, gfp_t gfp, int node, unsigned int *got)
{
	struct qr_batch *list = NULL;

	/* A depot works without batches: use no emergency reserves, and do not complain. */
	gfp = qr_gfp_humble(gfp & ~__GFP_NOFAIL) | __GFP_NOWARN;
	for (*got = 0; *got < n; ++*got) {
		struct qr_batch *b = qr_meta_cache_alloc(batches, gfp, node);

		if (!b)
			break;
		b->next = list;
		list = b;
	}
	return list;
}

static void batches_free(struct qr_batch *list)
{
	while (list) {
		struct qr_batch *next = list->next;

		qr_meta_cache_free(batches, list);
		list = next;
	}
}

/* How many batches the depot should have: as many as its slabs have objects for. */
static unsigned int batches_due(const struct qr_depot *d)
{
	return min_t(unsigned long, READ_ONCE(d->max_batches),
		     DIV_ROUND_UP(READ_ONCE(d->nr_objects), d->batch));
}

/* Put batches of *@list into the stack of spare ones, up to @most in all.  With the lock. */
static void add_spare(struct qr_depot *d, struct qr_batch **list, unsigned int most)
{
	while (*list && d->nr_batches < most) {
		struct qr_batch *b = *list;

		*list = b->next;
		b->next = d->spare;
		d->spare = b;
		d->nr_batches++;
	}
}

/* Take out spare batches until no more than @keep are left in all.  With the lock. */
static struct qr_batch *take_spare(struct qr_depot *d, unsigned int keep)
{
	struct qr_batch *list = NULL;

	while (d->spare && d->nr_batches > keep) {
		struct qr_batch *b = d->spare;

		d->spare = b->next;
		b->next = list;
		list = b;
		d->nr_batches--;
	}
	return list;
}

void qr_depot_rest(struct qr_depot *d)
{
	struct qr_batch *list;
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	d->wants_batches = false;
	list = take_spare(d, 0);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	batches_free(list);
}

void qr_depot_restock(struct qr_depot *d)
{
	struct qr_batch *list = NULL;
	unsigned int have, due, got;
	unsigned long flags;

	if (!READ_ONCE(d->wants_batches))
		return;
	have = READ_ONCE(d->nr_batches);
	due = batches_due(d);
	if (have < due)
		list = batches_new(due - have, GFP_NOWAIT, d->node, &got);
	raw_spin_lock_irqsave(&d->lock, flags);
	d->wants_batches = false;
	add_spare(d, &list, due);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	batches_free(list); /* another CPU has added some meanwhile */
}

void qr_depot_add(struct qr_depot *d, struct qr_slab *slab, gfp_t gfp)
{
	unsigned int want = DIV_ROUND_UP(slab->nr_objects, d->batch), got, have;
	struct qr_batch *list = NULL;
	unsigned long flags;

	have = READ_ONCE(d->nr_batches);
	if (have < d->max_batches && likely(!slab->run.access))
		list = batches_new(min(want, d->max_batches - have), gfp, slab->run.chunk->node,
				   &got);

	raw_spin_lock_irqsave(&d->lock, flags);
	d->changes++;
	slab->cache = d->cache;
	slab->depot = d;
	if (unlikely(slab->run.access)) {
		qr_depot_place(d, slab);
	} else {
		slab->bin = UINT_MAX;
		list_add(&slab->link, &d->empty);
		d->nr_empty++;
	}
	d->nr_slabs++;
	qr_depot_count_pages(d, slab->run.nr);
	d->nr_objects += slab->nr_objects;
	add_spare(d, &list, d->max_batches);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	batches_free(list);
}

/* Look at up to QR_DEPOT_SLICE of *@left empty slabs, with the lock.  Returns slabs moved. */
static unsigned int reclaim_some(struct qr_depot *d, unsigned long *left, struct list_head *doomed)
{
	unsigned int i, n = 0;

	for (i = 0; i < QR_DEPOT_SLICE && *left; i++, --*left) {
		struct qr_slab *slab = list_first_entry_or_null(&d->empty, struct qr_slab, link);

		if (!slab) {
			*left = 0;
			break;
		}
		if (unlikely(qr_slab_is_deferred(slab))) {
			d->changes++;
			list_move_tail(&slab->link, &d->empty);
			continue;
		}
		qr_depot_forget(d, slab, doomed);
		d->nr_empty--;
		n++;
	}
	return n;
}

/*
 * The same for a list of slabs from the emergency reserves, with the lock not taken.  Few are
 * empty: only those that became so in an NMI, or had deferred objects.  Goes round the list once: a
 * slab that stays goes to its end.
 */
static unsigned int reclaim_emergency(struct qr_depot *d, struct list_head *list,
				      struct list_head *doomed)
{
	unsigned long flags, left = list_empty(list) ? 0 : READ_ONCE(d->nr_slabs);
	const struct qr_slab *first = NULL;
	unsigned int i, n = 0;

	while (left) {
		raw_spin_lock_irqsave(&d->lock, flags);
		for (i = 0; i < QR_DEPOT_SLICE && left; i++, left--) {
			struct qr_slab *slab = list_first_entry_or_null(list, struct qr_slab, link);

			if (!slab || slab == first) {
				left = 0;
				break;
			}
			if (slab->nr_free < slab->nr_objects || qr_slab_is_deferred(slab)) {
				first = first ?: slab;
				d->changes++;
				list_move_tail(&slab->link, list);
				continue;
			}
			qr_depot_forget(d, slab, doomed);
			n++;
		}
		raw_spin_unlock_irqrestore(&d->lock, flags);
	}
	return n;
}

unsigned int qr_depot_reclaim(struct qr_depot *d, struct list_head *doomed)
{
	unsigned long flags, left = READ_ONCE(d->nr_empty);
	struct qr_batch *spare = NULL;
	unsigned int i, n = 0;

	atomic_inc(&d->rounds);
	do {
		raw_spin_lock_irqsave(&d->lock, flags);
		n += reclaim_some(d, &left, doomed);
		if (!left)
			spare = take_spare(d, batches_due(d));
		raw_spin_unlock_irqrestore(&d->lock, flags);
	} while (left);
	for (i = 0; i < ARRAY_SIZE(d->emergency); i++)
		n += reclaim_emergency(d, &d->emergency[i], doomed);
	atomic_dec(&d->rounds);
	batches_free(spare);
	return n;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_depot_reclaim);

unsigned long qr_depot_abandon(struct qr_depot *d, struct list_head *doomed)
{
	unsigned long flags, live = 0;
	struct qr_batch *spare;
	unsigned int i, n;

	for (i = 0; i < QR_DEPOT_LISTS; i++) {
		struct list_head *list = qr_depot_list(d, i);

		do {
			raw_spin_lock_irqsave(&d->lock, flags);
			for (n = 0; n < QR_DEPOT_SLICE && !list_empty(list); n++) {
				struct qr_slab *slab = list_first_entry(list, struct qr_slab, link);

				live += slab->nr_objects - slab->nr_free;
				qr_depot_forget(d, slab, doomed);
			}
			raw_spin_unlock_irqrestore(&d->lock, flags);
			cond_resched();
		} while (n);
	}
	raw_spin_lock_irqsave(&d->lock, flags);
	d->nr_empty = 0;
	spare = take_spare(d, batches_due(d));
	raw_spin_unlock_irqrestore(&d->lock, flags);
	batches_free(spare);
	return live;
}

static void slab_destroy_rcu(struct rcu_head *rcu)
{
	qr_slab_destroy(container_of(rcu, struct qr_slab, rcu));
}

/* The slab goes: report writes to its free objects, which would show when they are allocated. */
static noinline void last_look(const struct qr_slab *slab, unsigned long ip)
{
	unsigned int i;

	for (i = 0; i < slab->nr_cut; i++) {
		void *p = slab->base + (size_t)i * slab->stride;
		enum qr_misuse what = QR_MISUSE_NONE;

		if (qr_slab_is_free(slab, i))
			what = qr_guard_check(slab->guard, p);
		if (unlikely(what))
			qr_guard_report(slab->guard, what, p, true, ip, false);
	}
}

void qr_slabs_destroy(struct list_head *doomed)
{
	struct qr_slab *slab, *next;

	list_for_each_entry_safe(slab, next, doomed, link) {
		if (unlikely(slab->guard))
			last_look(slab, _RET_IP_);
		if (unlikely(slab->typesafe))
			call_rcu(&slab->rcu, slab_destroy_rcu);
		else
			qr_slab_destroy(slab);
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slabs_destroy);

int qr_depots_init(void)
{
	int err = qr_arrays_init();

	if (err)
		return err;
	batches = qr_meta_cache_create("quarry_batch", sizeof(struct qr_batch), true);
	if (batches)
		return 0;
	qr_arrays_exit();
	return -ENOMEM;
}

void qr_depots_exit(void)
{
	qr_arrays_exit();
	kmem_cache_destroy(batches);
}
