// SPDX-License-Identifier: GPL-2.0
/*
 * Frees of another node's objects.
 *
 * The magazine is for objects of this CPU's node.  Freed objects of other nodes are collected
 * behind it, in the last places of the array.  When these are full the objects go home, to the
 * depots of their nodes: one lock for all objects of the same node.
 *
 * Called with interrupts off and the head claimed.
 */
#include "magazine/remote_free.h"

#include <linux/minmax.h>
#include <linux/preempt.h>
#include <trace/events/quarry.h>

void qr_settle_refused(struct qr_cache *given, void **in, unsigned int n, struct list_head *doomed,
		       unsigned long ip)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct qr_slab *slab = qr_slab_of(in[i]);
		struct qr_cache *owner = slab ? READ_ONCE(slab->cache) : NULL;
		enum qr_misuse what = QR_MISUSE_FOREIGN;

		if (slab && owner)
			what = qr_depot_give_one(slab, given, in[i], doomed);
		else if (slab)
			what = QR_MISUSE_WRONG_CACHE;
		if (!what)
			continue;
		atomic64_inc(&given->refused);
		qr_report(what, in[i], owner ? owner->name : NULL,
			  owner != given ? given->name : NULL, ip);
	}
}

/* The depot of the object's node; NULL if it was freed twice and its slab is gone or another's. */
static struct qr_depot *depot_of(struct qr_cache *c, const void *p)
{
	struct qr_slab *slab = qr_slab_of(p);
	struct qr_depot *d = slab ? READ_ONCE(slab->depot) : NULL;

	return d && d == c->depot[d->node] ? d : NULL;
}

unsigned int qr_remote_send(struct qr_cache *c, struct qr_head *h, struct list_head *doomed,
			    unsigned long ip)
{
	struct qr_array *a = qr_head_array(h);
	unsigned int sent = a->nr_remote, n = sent;
	void **obj = qr_array_remote(c, a);

	while (n) {
		struct qr_depot *d = depot_of(c, obj[n - 1]);
		unsigned int first = n - 1, i, refused;

		/* Move the objects of the same node to the end of the array. */
		for (i = first; i--;) {
			if (depot_of(c, obj[i]) == d) {
				first--;
				swap(obj[i], obj[first]);
			}
		}
		refused = n - first;
		if (likely(d)) {
			trace_flush(c->name, d->node, n - first);
			refused = qr_depot_give(d, obj + first, n - first, doomed);
			atomic64_inc(&c->remote_batches);
		}
		if (unlikely(refused))
			qr_settle_refused(c, obj + first, refused, doomed, ip);
		n = first;
	}
	atomic64_add(sent, &c->remote_frees);
	WRITE_ONCE(a->nr_remote, 0);
	return sent;
}

bool qr_remote_put(struct qr_cache *c, struct qr_head *h, void *p, struct list_head *doomed,
		   unsigned long ip)
{
	struct qr_array *a = qr_head_array(h);

	if (in_nmi() || !a || (!a->remote_room && !qr_head_grant_remote(c, h)))
		return false;
	qr_array_remote(c, a)[a->nr_remote] = p;
	WRITE_ONCE(a->nr_remote, a->nr_remote + 1);
	a->remote_puts++;
	h->direct_frees++;
	if (a->nr_remote == a->remote_room)
		qr_remote_send(c, h, doomed, ip);
	return true;
}
