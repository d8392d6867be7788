// SPDX-License-Identifier: GPL-2.0
/*
 * Overview: the way of an allocation, and of a free, down through the layers.  Read this first.
 *
 * A client calls quarry_cache_alloc() for an object of its cache, or quarry_malloc(), which
 * looks the size up in a table of size classes; each class is a cache of its own.  Sizes over
 * 32 KiB have no class: they get whole pages from slab/large.c.  All other allocations go down
 * these steps, until one of them has an object:
 *
 *  1. Magazine: include/quarry/head.h, inlined into the client.  For each cache, each CPU has a
 *     head with an array of free objects, the magazine.  Take the last one: no lock, interrupts
 *     stay on.  The same instructions count down to the next sample.
 *  2. Slow path: alloc.c.  The magazine is empty, the countdown has run out, or this code
 *     interrupted another operation on the same head.  Interrupts go off and the head is
 *     claimed.  If it is claimed already, the magazine is bypassed: step 3 gives one object.
 *     If a sample is due, see below.
 *  3. Depot: depot.c, one for each cache and node, under its raw spinlock.  A batch of objects,
 *     half of what the magazine may hold, is copied into the magazine, if the depot has batches.
 *  4. Slabs: the same depot.  It has no batch, so objects are taken from its slabs, the fullest
 *     slab first, the lowest address first.
 *  5. New slab: grow.c.  The depot has no free object at all.  Interrupts are on again and the
 *     head is released, since from here on the caller may sleep.  The slab's pages are charged
 *     to the cache's limit; the page heap of the node hands out a run of pages
 *     (pages/page_heap.c), and the run is cut into objects (slab/slab.c).  Back to step 3.
 *  6. New chunk: pages/chunk.c.  The page heap has no run that is long enough, so it asks the
 *     kernel for a block of 2 MiB, or for a smaller one when memory is fragmented.  When the
 *     kernel has none on this node, it may give one of another node.
 *  7. Other nodes: alloc.c again.  Take an object from another node's depot.  If no depot has
 *     one either, the allocation returns NULL and says so in the log.  Near a soft limit this
 *     step comes before step 5.
 *
 * A free goes down these steps, until one of them keeps the object:
 *
 *  1. Magazine: inlined.  A table says whether the object's chunk holds ordinary slabs of this
 *     CPU's node.  If so, the object is put on top of the magazine: no lock, no look at its
 *     slab.  If it lies there already, this is a double free, and step 2 reports it.  All other
 *     double frees of such objects are noticed in step 4.
 *  2. Slow path: free.c.  The magazine is full or claimed, or the object is not an ordinary one
 *     of this node.  Look up the object's slab and check that the pointer is the start of an
 *     object of the right cache.  Run the object's cleanups, if it has some (cleanup.c).  Then
 *     - a full magazine gives its upper half to the depot, and has room again: step 3;
 *     - an object of another node waits, with others, for its way home (remote_free.c);
 *     - an object that is sampled, guarded or in a mixed chunk goes to its slab: step 4;
 *     - a large object's pages go to the page heap: step 6.
 *  3. Depot: depot.c.  If this CPU has checked enough batches in this tick of the clock, keep the
 *     batch, without a look at its objects, for the next CPU whose magazine is empty.  Otherwise,
 *     or if there is no room for the batch, its objects go to their slabs.
 *  4. Slab: slab/slab.h.  Set the object's bit in the map of free objects.  If the bit is set
 *     already, this is a double free: it is reported (slab/misuse.c), and nothing changes.
 *  5. Empty slab: depot.c.  The depot keeps some for the next burst: 4, or an eighth of its
 *     slabs if that is more.  Others are destroyed, after interrupts have been restored.
 *  6. Page heap: pages/page_heap.c.  The pages are idle: the next slab may have them.  The
 *     scavenger (reclaim/scavenger.c) returns idle pages to the kernel, little by little.
 *
 * A sample: qr_alloc_sampled() takes the object from a depot of its own, whose slabs lie in
 * chunks that step 1 of a free does not accept.  So the free of a sampled object cannot miss
 * the slow path, which ends the sample (profile/profile.c).
 *
 * How much a magazine may hold is decided in capacity.c; a magazine starts with nothing.  What
 * empties magazines and depots from outside, such as memory pressure, is in drain.c.
 *
 * This file has what the slow paths have in common: the countdown, objects of another node in
 * a magazine, and which depot a call means.  The layer's rules are at the head of magazine.h.
 */
#include "magazine/magazine.h"

#include <linux/minmax.h>
#include <linux/string.h>
#include "core/task_count.h"
#include "profile/draw.h"

/* The countdown is 0, so the first allocation draws. */
void qr_head_init(struct qr_head *h)
{
	h->nr = QR_HEAD_REST;
}

/*
 * Draw the next countdown, and whether a sample is due at its end.  Interrupts are off, the head is
 * claimed, and its countdown is zero.
 */
static __always_inline void head_draw(struct qr_cache *c, struct qr_head *h)
{
	u32 rate = READ_ONCE(c->rate);
	unsigned int n = QR_DRAW;
	bool drawn = false;

	if (rate)
		n = qr_draw(rate, c->pub.size, &drawn);
	h->countdown += n;
	h->drawn += n;
	h->rate = drawn ? rate : 0;
}

void qr_head_redraw(struct qr_cache *c, struct qr_head *h)
{
	/*
	 * The rest of the old countdown may be dropped without bias: the distances between
	 * samples are exponential, so what has passed says nothing about what is to come.
	 */
	h->drawn -= h->countdown;
	h->countdown = 0;
	if (unlikely(qr_is_counting()))
		h->rate = 0;
	else
		head_draw(c, h);
}

/* How many of the @n objects at @obj come before the first one of node @home. */
static unsigned int count_far(void *const *obj, unsigned int n, int home)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (page_to_nid(virt_to_page(READ_ONCE(obj[i]))) == home)
			break;
	return i;
}

/*
 * Objects of another node enter a magazine only by a refill, which needs it empty; frees never
 * put one there.  So they are at the beginning of the array, and at most @far of them are left.
 */
unsigned int qr_head_far(const struct qr_head *h, unsigned int n, int home)
{
	const struct qr_array *a = qr_head_array(h);
	unsigned int far = a ? READ_ONCE(a->far) : 0;

	return far ? count_far(a->obj, min(n, far), home) : 0;
}

void qr_head_far_leave(struct qr_cache *c, struct qr_head *h, unsigned int n, unsigned int left,
		       int home)
{
	unsigned int far = qr_head_far(h, n, home);

	if (far > left)
		atomic64_sub(far - left, &c->remote_allocs);
	qr_head_array(h)->far = min(far, left);
}

static int node_in_turn(atomic_t *turn)
{
	int node = (unsigned int)atomic_inc_return(turn) % nr_node_ids;

	while (!node_isset(node, qr_nodes))
		node = (node + 1) % nr_node_ids;
	return node;
}

int qr_call_node(int node, atomic_t *turn)
{
	switch (node) {
	case QUARRY_CALL_LOCAL:
		return raw_cpu_read(qr_home_node);
	case QUARRY_CALL_INTERLEAVE:
		return node_in_turn(turn);
	default:
		return node < 0 || node >= nr_node_ids ? -EINVAL : node;
	}
}

noinline struct qr_depot *qr_depot_by_policy(struct qr_cache *c)
{
	return c->depot[c->policy == QUARRY_NODE_FIXED ? c->node : node_in_turn(&c->turn)];
}

void *qr_zero_slow(const struct quarry_cache *cache, void *p, gfp_t gfp)
{
	if (cache->no_init) {
		const struct qr_cache *c = container_of(cache, struct qr_cache, pub);

		if (c->ctor || !(gfp & __GFP_ZERO))
			return p;
	}
	return memset(p, 0, cache->size);
}
EXPORT_SYMBOL_QUARRY(qr_zero_slow);

u64 qr_is_drawn(struct qr_cache *c)
{
	u32 rate = in_nmi() ? 0 : READ_ONCE(c->rate);

	return rate && qr_draw_one(rate, c->pub.size) ? qr_weight(rate, c->pub.size) : 0;
}

noinline u64 qr_head_expired(struct qr_cache *c, struct qr_head *h, bool may_sample)
{
	u32 rate = h->rate;

	if (rate && !may_sample)
		return 0;
	if (unlikely(qr_is_counting())) {
		/*
		 * A task's allocations are counted (api/allocs_per_run.c).  The countdown stays
		 * at zero, so that the next allocation comes here, too.
		 */
		h->rate = 0;
		if (!rate)
			return may_sample ? qr_is_drawn(c) : 0;
		return qr_weight(rate, c->pub.size);
	}
	do {
		head_draw(c, h);
		if (rate)
			return qr_weight(rate, c->pub.size);
		rate = h->rate;
	} while (!h->countdown);
	return 0;
}
