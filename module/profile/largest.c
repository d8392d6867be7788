// SPDX-License-Identifier: GPL-2.0
/*
 * Rows come in any order, and under a lock.  So the ones that are kept are a binary heap, and a
 * row that is larger than the smallest of them replaces it in a number of steps that is bounded by
 * the logarithm of QR_LARGEST.
 */
#include "profile/largest.h"

#include <linux/minmax.h>
#include <linux/string.h>
#include "profile/bucket.h"
#include "profile/label.h"

static u64 size_at(const struct qr_largest *l, u32 i)
{
	return l->p->site[l->heap[i]].inuse.space;
}

static void sift_up(struct qr_largest *l, u32 i)
{
	u32 parent;

	for (; i; i = parent) {
		parent = (i - 1) / 2;
		if (size_at(l, parent) <= size_at(l, i))
			return;
		swap(l->heap[parent], l->heap[i]);
	}
}

static void sift_down(struct qr_largest *l, u32 i)
{
	u32 child;

	for (; (child = 2 * i + 1) < l->nr; i = child) {
		if (child + 1 < l->nr && size_at(l, child + 1) < size_at(l, child))
			child++;
		if (size_at(l, i) <= size_at(l, child))
			return;
		swap(l->heap[i], l->heap[child]);
	}
}

static void add_to_sum(struct qr_largest *l, const struct quarry_site *site)
{
	struct quarry_site *sum = &l->p->site[0];

	qr_sum_add(&sum->alloc, &site->alloc);
	qr_sum_add(&sum->inuse, &site->inuse);
	sum->peak_objects += site->peak_objects;
	sum->peak_space += site->peak_space;
	sum->asked += site->asked;
	if (site->id && site->inuse.samples)
		l->p->others++;
}

void qr_largest_add(struct qr_largest *l)
{
	struct quarry_site *smallest;

	if (l->only && strcmp(l->next.cache_name, l->only))
		return;
	if (!l->next.id || !l->next.inuse.samples) {
		add_to_sum(l, &l->next);
		return;
	}
	if (l->nr < QR_LARGEST) {
		l->heap[l->nr] = l->nr + 1;
		l->p->site[l->nr + 1] = l->next;
		sift_up(l, l->nr++);
		return;
	}
	smallest = &l->p->site[l->heap[0]];
	if (l->next.inuse.space <= smallest->inuse.space) {
		add_to_sum(l, &l->next);
		return;
	}
	add_to_sum(l, smallest);
	*smallest = l->next;
	sift_down(l, 0);
}

void qr_largest_begin(struct qr_largest *l, struct quarry_profile *p, const char *only)
{
	l->p = p;
	l->only = only;
	l->nr = 0;
	p->nr = U32_MAX; /* no row is left out of the copy */
	p->others = 0;
	p->site[0] = (struct quarry_site){};
	strscpy(p->site[0].cache_name, "(other)", QUARRY_NAME_LEN);
}

void qr_largest_end(struct qr_largest *l)
{
	u32 i;

	l->p->nr = l->nr + 1;
	for (i = 1; i < l->p->nr; i++)
		qr_labels_note(l->p->label_sets, l->p->site[i].labels);
}
