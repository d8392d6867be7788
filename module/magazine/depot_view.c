// SPDX-License-Identifier: GPL-2.0
/* Walks over all slabs of a depot: for statistics, the walker, and caches that are destroyed. */
#include "magazine/depot.h"

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <quarry/stats.h>

/* Objects whose cleanups are taken off while the lock is held once. */
#define STRIP_SLICE 16

/*
 * Go round a list once: a slab that has been dealt with goes to its end.  Slabs may leave the list
 * and come meanwhile, so this looks @left times at most.
 */
static void strip_list(struct qr_depot *d, struct list_head *list, unsigned long left)
{
	struct qr_cleanup *off[STRIP_SLICE];
	const struct qr_slab *first = NULL;
	struct qr_slab *slab;
	unsigned long flags;
	unsigned int i, n;

	while (left) {
		n = 0;
		raw_spin_lock_irqsave(&d->lock, flags);
		for (i = 0; i < QR_DEPOT_SLICE && !n && left; i++) {
			slab = list_first_entry_or_null(list, struct qr_slab, link);
			if (!slab || slab == first) {
				left = 0;
				break;
			}
			if (READ_ONCE(slab->nr_cleaned))
				n = qr_slab_strip(slab, off, STRIP_SLICE);
			if (READ_ONCE(slab->nr_cleaned))
				break;
			first = first ?: slab;
			d->changes++;
			list_move_tail(&slab->link, list);
			left--;
		}
		raw_spin_unlock_irqrestore(&d->lock, flags);
		while (n)
			qr_cleanups_free(off[--n]);
		cond_resched();
	}
}

/*
 * With each free a slab moves from "used up" to the bins, and on to "empty".  In this order none is
 * missed.
 */
void qr_depot_strip(struct qr_depot *d)
{
	unsigned int i;

	atomic_inc(&d->rounds);
	for (i = 0; i < QR_DEPOT_LISTS; i++)
		strip_list(d, qr_depot_list(d, (QR_SLAB_BINS + 1 + i) % QR_DEPOT_LISTS),
			   READ_ONCE(d->nr_slabs));
	atomic_dec(&d->rounds);
}

/* All slabs but the empty ones have live objects, so this looks at one slab only. */
const void *qr_depot_first_live(struct qr_depot *d)
{
	const void *first = NULL;
	struct qr_slab *slab;
	unsigned long flags;
	unsigned int i, k;

	raw_spin_lock_irqsave(&d->lock, flags);
	for (i = 0; i < QR_DEPOT_LISTS && !first; i++) {
		slab = list_first_entry_or_null(qr_depot_list(d, i), struct qr_slab, link);
		for (k = 0; slab && k < slab->nr_cut && !first; k++)
			if (!qr_slab_is_free(slab, k))
				first = slab->base + (size_t)k * slab->stride;
	}
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return first;
}

static struct quarry_slab_info info_of(const struct qr_slab *slab)
{
	return (struct quarry_slab_info){
		.addr = slab->base,
		.node = page_to_nid(slab->run.chunk->page + slab->run.first),
		.pages = qr_slab_pages_left(slab),
		.gone = hweight32(slab->gone),
		.objects = slab->nr_objects,
		.free = slab->nr_free,
		.mixed = slab->run.chunk->kind == QR_MIXED,
	};
}

/*
 * Copy what is known of up to @room slabs of a list; returns how many.  Goes round the list once,
 * as strip_list() does, so in the end the slabs are in their old order.
 */
static unsigned long copy_list(struct qr_depot *d, struct list_head *list,
			       struct quarry_slab_info *copy, unsigned long room)
{
	const struct qr_slab *first = NULL;
	unsigned long flags, n = 0;
	struct qr_slab *slab;
	unsigned int i;

	while (room) {
		raw_spin_lock_irqsave(&d->lock, flags);
		for (i = 0; i < QR_DEPOT_SLICE && room; i++, room--) {
			slab = list_first_entry_or_null(list, struct qr_slab, link);
			if (!slab || slab == first) {
				room = 0;
				break;
			}
			copy[n++] = info_of(slab);
			first = first ?: slab;
			d->changes++;
			list_move_tail(&slab->link, list);
		}
		raw_spin_unlock_irqrestore(&d->lock, flags);
		cond_resched();
	}
	return n;
}

/*
 * @fn may sleep, so the slabs are copied first.  A slab that changes lists meanwhile may be in the
 * copy twice, or not at all.
 */
int qr_depot_walk_slabs(struct qr_depot *d, qr_slab_fn fn, void *arg)
{
	unsigned long room = READ_ONCE(d->nr_slabs) + 64, n = 0, k;
	struct quarry_slab_info *copy;
	unsigned int i;
	int err = 0;

	copy = kvmalloc_array(room, sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	atomic_inc(&d->rounds);
	for (i = 0; i < QR_DEPOT_LISTS; i++)
		n += copy_list(d, qr_depot_list(d, i), copy + n, room - n);
	atomic_dec(&d->rounds);
	for (k = 0; !err && k < n; k++)
		err = fn(&copy[k], arg);
	kvfree(copy);
	return err;
}

/* --- The walker --- */

static void invalid_count(struct quarry_validation *v, const char *what, unsigned long listed,
			  unsigned long counted)
{
	if (listed != counted)
		qr_invalid(v, "depot lists %lu %s, counts %lu", listed, what, counted);
}

/* Add a slab, which is in list @i. */
static void validate_place(const struct qr_slab *slab, unsigned int i, struct qr_depot_sums *sums,
			   struct quarry_validation *v)
{
	unsigned int bin = qr_depot_bin(slab), page = slab->run.first + __ffs(~slab->gone);
	bool right;

	sums->slabs++;
	sums->pages += qr_slab_pages_left(slab);
	sums->objects += slab->nr_objects;
	sums->taken += slab->nr_objects - slab->nr_free;
	if (i == QR_SLAB_BINS)
		sums->empty++;
	if (slab->run.access)
		right = i == QR_SLAB_BINS + 1 + (slab->nr_free ? slab->run.access : 0);
	else if (slab->nr_free == slab->nr_objects)
		right = i == QR_SLAB_BINS;
	else if (!slab->nr_free)
		right = i == QR_SLAB_BINS + 1;
	else
		right = i == bin - 1 || (i == bin && !qr_depot_lags(slab));
	if (!right)
		qr_invalid(v, "slab %p with %u of %u free is in list %u", slab->base, slab->nr_free,
			   slab->nr_objects, i);
	/* By this page the walker in slices finds the slab. */
	if (READ_ONCE(slab->run.chunk->slab[page]) != slab)
		qr_invalid(v, "slab %p does not own its first page", slab->base);
}

/* Compare what the slabs add up to, and the lists of batches, with the counters. */
static void validate_sums(const struct qr_depot *d, const struct qr_depot_sums *sums,
			  struct quarry_validation *v)
{
	unsigned int batches = 0, cached = 0, i;
	const struct qr_batch *b;

	for (i = 0; i < QR_SLAB_BINS; i++)
		if (!list_empty(&d->bins[i]) && !(d->used_bins & BIT(i)))
			qr_invalid(v, "depot overlooks bin %u", i);
	if (!list_empty(&d->bins[QR_SLAB_BINS]))
		qr_invalid(v, "depot has slabs that were to be trimmed");
	for (b = d->stocked; b; b = b->next) {
		batches++;
		cached += b->nr;
	}
	for (b = d->spare; b; b = b->next)
		batches++;
	invalid_count(v, "slabs", sums->slabs, d->nr_slabs);
	invalid_count(v, "pages", sums->pages, d->nr_pages);
	invalid_count(v, "objects", sums->objects, d->nr_objects);
	invalid_count(v, "empty slabs", sums->empty, d->nr_empty);
	invalid_count(v, "batches", batches, d->nr_batches);
	invalid_count(v, "objects in batches", cached, d->nr_cached);
}

u64 qr_depot_validate(struct qr_depot *d, qr_slab_check_fn fn, struct quarry_validation *v)
{
	struct qr_depot_sums sums = {};
	struct qr_slab *slab, *next;
	unsigned int i;
	u64 live = 0;

	qr_for_each_depot_slab(slab, next, d, i) {
		validate_place(slab, i, &sums, v);
		live += fn(d, slab, v);
	}
	validate_sums(d, &sums, v);
	return live;
}

bool qr_depot_look(struct qr_depot *d, struct qr_depot_look *at, struct quarry_validation *v)
{
	struct qr_slab *slab;
	unsigned long flags;
	unsigned int i;
	bool more;

	raw_spin_lock_irqsave(&d->lock, flags);
	/* A slab that moved to the end behind the other task's back would be overlooked there. */
	if (atomic_read(&d->rounds)) {
		raw_spin_unlock_irqrestore(&d->lock, flags);
		return false;
	}
	if (!at->begun) {
		at->begun = true;
		at->changes = d->changes;
		at->left = d->nr_slabs;
	}
	for (i = 0; i < QR_DEPOT_SLICE && at->list < QR_DEPOT_LISTS; i++) {
		struct list_head *list = qr_depot_list(d, at->list);

		slab = list_first_entry_or_null(list, struct qr_slab, link);
		if (!slab || slab == at->first || !at->left) {
			at->list++;
			at->first = NULL;
			at->left = d->nr_slabs;
			continue;
		}
		validate_place(slab, at->list, &at->sums, v);
		at->first = at->first ?: slab;
		list_move_tail(&slab->link, list);
		at->left--;
	}
	more = at->list < QR_DEPOT_LISTS;
	if (!more) {
		at->same = d->changes == at->changes;
		if (at->same)
			validate_sums(d, &at->sums, v);
	}
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return more;
}

bool qr_depot_look_at_batch(struct qr_depot *d, unsigned int nr, void (*fn)(void *p, void *arg),
			    void *arg)
{
	const struct qr_batch *b;
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&d->lock, flags);
	for (b = d->stocked; b && nr; b = b->next)
		nr--;
	for (i = 0; b && i < b->nr; i++)
		fn(b->obj[i], arg);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return b;
}
