// SPDX-License-Identifier: GPL-2.0
/*
 * Many objects at a time: one claim of the magazine serves all that it can.  What is left comes
 * from the depot, or goes there, in batches.
 */
#include "magazine/magazine.h"

#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <trace/events/quarry.h>
#include "compat.h"

/* Take up to @n objects from this CPU's magazine, without a lock.  Returns how many. */
static __always_inline unsigned int take_cached(struct qr_cache *c, void **objs, unsigned int n)
{
	struct qr_head *h;
	int have;

	preempt_disable();
	h = this_cpu_ptr(c->pub.head);
	have = qr_head_claim(h);
	if (unlikely(have < 0)) {
		n = 0;
	} else {
		n = min3(n, (unsigned int)have, qr_head_quota(h));
		have -= n;
		qr_copy(objs, h->obj + have, n);
		qr_head_count(h, n);
		qr_head_release(h, have);
	}
	preempt_enable();
	return n;
}

unsigned int qr_magazine_bypass(struct qr_cache *c, void **objs, unsigned int n)
{
	struct qr_depot *d;
	unsigned long flags;
	struct qr_head *h;
	int have;

	if (unlikely(READ_ONCE(c->single)))
		return 0;
	local_irq_save(flags);
	h = this_cpu_ptr(c->pub.head);
	have = qr_head_claim(h);
	if (unlikely(have < 0)) {
		n = 0; /* the caller allocates one by one, as each may be sampled */
	} else {
		/* Interrupts are off: at most four batches at a time. */
		n = min3(n, 4 * c->batch, qr_head_quota(h));
		if (n) {
			d = qr_depot_for(c);
			n = qr_depot_take(d, objs, n);
			h->refilled += n;
			if (trace_refill_enabled() && n)
				trace_refill(c->name, d->node, n);
		}
		qr_head_count(h, n);
		qr_head_release(h, have);
	}
	local_irq_restore(flags);
	return n;
}

static __always_inline unsigned int bulk_alloc(struct qr_cache *c, gfp_t gfp, size_t asked,
					       unsigned int n, void **objs, unsigned long ip)
{
	unsigned int got, i;

	for (got = take_cached(c, objs, n); unlikely(got < n);) {
		unsigned int more = 0;

		if (n - got >= c->batch)
			more = qr_magazine_bypass(c, objs + got, n - got);
		if (!more) {
			/* This may refill the magazine; the rest of the batch is taken below. */
			objs[got] = qr_magazine_alloc(c, gfp & ~__GFP_ZERO, asked, ip);
			if (!objs[got])
				goto undo;
			got++;
			more = take_cached(c, objs + got, n - got);
		}
		got += more;
	}
	if (qr_want_zero(gfp))
		for (i = 0; i < n; i++)
			qr_zero(&c->pub, objs[i], gfp);
	return n;

undo:
	quarry_cache_free_bulk(&c->pub, got, objs);
	return 0;
}

unsigned int qr_bulk_alloc(struct qr_cache *c, gfp_t gfp, size_t asked, unsigned int n, void **objs,
			   unsigned long ip)
{
	return bulk_alloc(c, gfp, asked, n, objs, ip);
}

/**
 * quarry_cache_alloc_bulk() - allocate many objects
 * @cache: from quarry_cache_create()
 * @gfp: as for quarry_cache_alloc()
 * @n: how many
 * @objs: where to put them
 *
 * Allocates all of them or none.  They come from the same nodes as with quarry_cache_alloc().
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: @n, or 0 when there is not memory for all.
 */
unsigned int quarry_cache_alloc_bulk(struct quarry_cache *cache, gfp_t gfp, unsigned int n,
				     void **objs)
{
	struct qr_cache *c = qr_cache_of(cache);

	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp) && !qr_zone_refused(gfp))
		return 0;
	return bulk_alloc(c, gfp, c->asked, n, objs, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_cache_alloc_bulk);

/* May the object at that offset enter this CPU's magazine?  @fast: the CPU's view. */
static __always_inline bool is_fast(const u8 *fast, unsigned long off)
{
	return likely(off >> QR_CHUNK_SHIFT < qr_nr_chunks) &&
	       likely(fast[off >> QR_CHUNK_SHIFT] == 1);
}

/*
 * Put objects into this CPU's magazine, without a lock, up to the first that needs the slow path,
 * has no room or is the one that was freed just before it.  Returns how many.
 */
static __always_inline unsigned int give_cached(struct qr_cache *c, void **objs, unsigned int n)
{
	unsigned long base = QR_MAP_START, i = 0, room, off, last;
	struct qr_head *h;
	const u8 *fast;
	void **to;
	int have;

	preempt_disable();
	h = this_cpu_ptr(c->pub.head);
	fast = __this_cpu_read(qr_view.fast);
	have = qr_head_claim(h);
	if (unlikely(have < 0))
		goto out;
	to = h->obj + have;
	room = min(n, h->capacity - have);
	if (unlikely(!room) || unlikely(qr_head_repeats(h, have, objs[0])))
		goto release;
	off = (unsigned long)objs[0] - base;
	if (unlikely(!is_fast(fast, off)))
		goto release;
	do {
		to[i] = objs[i];
		if (++i == room)
			break;
		last = off;
		off = (unsigned long)objs[i] - base;
		/* One comparison for two: another object, and in the chunk of the last one. */
	} while (likely((off ^ last) - 1 < BIT(QR_CHUNK_SHIFT) - 1) ||
		 (off != last && is_fast(fast, off)));
release:
	qr_head_release(h, have + i);
out:
	preempt_enable();
	return i;
}

/**
 * quarry_cache_free_bulk() - give many objects back
 * @cache: the cache that all of them were allocated from
 * @n: how many
 * @objs: the objects; NULLs among them are skipped
 *
 * Frees each of them as quarry_cache_free() does.
 *
 * Context: process, softirq, hardirq; not NMI.
 */
void quarry_cache_free_bulk(struct quarry_cache *cache, unsigned int n, void **objs)
{
	unsigned int i = 0;

	for (;;) {
		if (!qr_want_wipe())
			i += give_cached(qr_cache_of(cache), objs + i, n - i);
		if (likely(i == n))
			return;
		/* The magazine is full: this makes room.  Or the object needs the slow path. */
		qr_free_slow(cache, objs[i++]);
	}
}
EXPORT_SYMBOL_QUARRY(quarry_cache_free_bulk);
