// SPDX-License-Identifier: GPL-2.0
/*
 * Magazines, and what the slow paths of allocation (magazine/alloc.c) and free (magazine/free.c) have in common.
 *
 * An allocation climbs down: (1) this CPU's magazine, inline; (2) the depot of
 * the node, for a batch; (3) the depot's slabs, fullest first; (4) a new slab,
 * from the node's page heap; (5) a new chunk, from the kernel; (6) other nodes.
 * A free climbs up: (1) this CPU's magazine, if the object is of this node;
 * (2) a full magazine gives a batch to the depot; (3) a depot without room
 * gives it to the slabs; (4) a slab that is empty goes back to the page heap.
 * A magazine without capacity (see magazine/capacity.c) is passed by, and another node's
 * object waits for some more before it goes home (magazine/remote_free.c).
 *
 * Steps 2 and 3 run with interrupts off and the head claimed; steps 4 to 6
 * with neither, so that they may sleep.
 */
#include "magazine/magazine.h"

#include <linux/minmax.h>
#include "core/task_count.h"
#include "profile/draw.h"

void qr_head_init(struct qr_head *h)
{
	h->nr = QR_HEAD_REST;
	h->capacity = 0;
	h->countdown = QR_DRAW;
	h->drawn = QR_DRAW;
}

/* Interrupts off, the head claimed, its countdown at zero. */
static __always_inline void head_draw(struct qr_cache *c, struct qr_head *h)
{
	u32 rate = READ_ONCE(c->rate);
	unsigned int n = QR_DRAW;
	bool drawn = false;

	if (rate)
		n = qr_draw(rate, c->pub.size, &drawn);
	h->countdown += n;
	h->drawn += n;
	if (!drawn) {
		h->weight = 0;
	} else if (unlikely(!h->weight) || unlikely(h->rate != rate)) {
		h->weight = qr_weight(rate, c->pub.size);
		h->rate = rate;
	}
}

void qr_head_redraw(struct qr_cache *c, struct qr_head *h)
{
	/*
	 * What is left of a countdown says nothing about the next sample: the
	 * exponential has no memory.
	 */
	h->drawn -= h->countdown;
	h->countdown = 0;
	if (unlikely(qr_is_counting()))
		h->weight = 0;
	else
		head_draw(c, h);
}

static unsigned int count_far(void *const *obj, unsigned int n, int home)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (page_to_nid(virt_to_page(READ_ONCE(obj[i]))) == home)
			break;
	return i;
}

/*
 * Objects of another node come into a magazine when it is empty, and none is
 * ever put there by a free: they are the first ones, as many as still are.
 */
unsigned int qr_head_far(const struct qr_head *h, unsigned int n, int home)
{
	unsigned int far = READ_ONCE(h->far);

	return far ? count_far(h->obj, min(n, far), home) : 0;
}

void qr_head_far_leave(struct qr_head *h, unsigned int n, unsigned int left, int home)
{
	unsigned int far = qr_head_far(h, n, home);

	if (far > left)
		h->remote_allocs -= far - left;
	h->far = min(far, left);
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

u64 qr_is_drawn(struct qr_cache *c)
{
	u32 rate = in_nmi() ? 0 : READ_ONCE(c->rate);

	return rate && qr_draw_one(rate, c->pub.size) ? qr_weight(rate, c->pub.size) : 0;
}

noinline u64 qr_head_expired(struct qr_cache *c, struct qr_head *h, bool may_sample)
{
	u64 weight = h->weight;

	if (weight && !may_sample)
		return 0;
	if (unlikely(qr_is_counting())) {
		/* It stays at zero, for the next one to come here as well: see api/allocs_per_run.c. */
		h->weight = 0;
		return weight || !may_sample ? weight : qr_is_drawn(c);
	}
	do {
		head_draw(c, h);
		if (weight)
			return weight;
		weight = h->weight;
	} while (!h->countdown);
	return 0;
}
