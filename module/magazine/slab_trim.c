// SPDX-License-Identifier: GPL-2.0
/*
 * Trimming: pages on which no object is live leave slabs that still have live objects.
 *
 * Objects cannot be moved, so a slab with one live object has to stay; its other pages need not.
 * A slab that lost pages works as any other, with fewer objects, until all of them are free.
 *
 * The depot's lock is held for at most TRIM_SLABS slabs at a time.  Meanwhile, slabs that are still
 * to be trimmed wait in a bin of their own, the last one in which allocations look.  So no slab is
 * looked at twice, and allocations can still use all of them.
 */
#include "magazine/slab_trim.h"

#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

/* Slabs that are looked at before the lock is dropped and interrupts are allowed. */
#define TRIM_SLABS 8

atomic64_t qr_trimmed_pages;

/* Destroy empty slabs until @want pages have left; returns pages. */
static unsigned long give_up_empty(struct qr_depot *d, unsigned long want)
{
	unsigned long pages = 0, flags;
	bool more = READ_ONCE(d->nr_empty);

	while (more && pages < want) {
		struct qr_slab *slab, *next;
		unsigned int n = 0;
		LIST_HEAD(doomed);

		raw_spin_lock_irqsave(&d->lock, flags);
		list_for_each_entry_safe(slab, next, &d->empty, link) {
			if (n++ == TRIM_SLABS)
				break;
			if (unlikely(qr_slab_is_deferred(slab)))
				continue;
			pages += qr_slab_pages_left(slab);
			d->nr_empty--;
			qr_depot_forget(d, slab, &doomed);
		}
		more = d->nr_empty && !list_empty(&doomed);
		raw_spin_unlock_irqrestore(&d->lock, flags);
		qr_slabs_destroy(&doomed);
		cond_resched();
	}
	return pages;
}

/* Trim up to TRIM_SLABS of the waiting slabs; returns pages that left.  *@more: others wait. */
static unsigned long trim_some(struct qr_depot *d, bool *more)
{
	struct list_head *waiting = &d->bins[QR_SLAB_BINS];
	unsigned int i, n = 0, objects;
	unsigned long flags, sum = 0;
	struct {
		struct qr_run run;
		u32 pages;
	} left[TRIM_SLABS];

	raw_spin_lock_irqsave(&d->lock, flags);
	for (i = 0; i < TRIM_SLABS && !list_empty(waiting); i++) {
		struct qr_slab *slab = list_first_entry(waiting, struct qr_slab, link);

		objects = slab->nr_objects;
		left[n].run = slab->run;
		left[n].pages = qr_slab_trim(slab);
		if (!left[n].pages) {
			/* To the end: they keep their order, behind slabs that came since. */
			d->used_bins |= BIT(slab->bin - 1);
			list_move_tail(&slab->link, &d->bins[slab->bin - 1]);
			continue;
		}
		qr_depot_count_pages(d, -(long)hweight32(left[n].pages));
		d->nr_objects -= objects - slab->nr_objects;
		qr_depot_place(d, slab);
		n++;
	}
	*more = !list_empty(waiting);
	raw_spin_unlock_irqrestore(&d->lock, flags);

	/* Without the lock the slabs may be destroyed by now, but these pages are ours. */
	for (i = 0; i < n; i++) {
		sum += hweight32(left[i].pages);
		qr_limit_give(d->limit, hweight32(left[i].pages));
		qr_slab_put_pages(&left[i].run, left[i].pages);
	}
	atomic64_add(sum, &qr_trimmed_pages);
	cond_resched();
	return sum;
}

/* Trim the slabs of one bin until @want pages have left; returns pages. */
static unsigned long trim_bin(struct qr_depot *d, unsigned int bin, unsigned long want)
{
	struct list_head *waiting = &d->bins[QR_SLAB_BINS];
	unsigned long pages = 0, flags;
	bool more;

	raw_spin_lock_irqsave(&d->lock, flags);
	list_splice_init(&d->bins[bin], waiting);
	d->used_bins |= BIT(QR_SLAB_BINS);
	more = !list_empty(waiting);
	raw_spin_unlock_irqrestore(&d->lock, flags);

	while (more && pages < want)
		pages += trim_some(d, &more);
	if (!more)
		return pages;
	raw_spin_lock_irqsave(&d->lock, flags);
	/* In front of the slabs that had no page to lose: the next call goes on here. */
	list_splice_init(waiting, &d->bins[bin]);
	d->used_bins |= BIT(bin);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return pages;
}

unsigned long qr_depot_trim(struct qr_depot *d, unsigned long want)
{
	unsigned long pages = give_up_empty(d, want);
	unsigned int bin;

	for (bin = QR_SLAB_BINS; bin-- && pages < want;)
		if (!list_empty(&d->bins[bin]))
			pages += trim_bin(d, bin, want - pages);
	return pages;
}
