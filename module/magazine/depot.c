// SPDX-License-Identifier: GPL-2.0
/*
 * Depots: objects come and go, in batches and one by one.
 *
 * That CPUs exchange objects in batches is Bonwick and Adams' idea ("Magazines and Vmem", USENIX
 * 2001).  They swap whole magazines; here objects are copied, so that the array of the fast path
 * stays where it is.
 *
 * Nothing looks at the objects of a batch while it is in the depot.  Objects are checked, and
 * misuse is found, when they reach their slab.
 */
#include "magazine/depot.h"

#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <quarry/stats.h>
#include "compat.h"
#include "core/metadata.h"

static struct kmem_cache *batches;

qr_depot_fn qr_depot_watcher;

/* Empty slabs to keep, so that the next burst of allocations need not cut new ones. */
static unsigned long empties_kept(const struct qr_depot *d)
{
	if (qr_limit_is_near(&qr_limit_all, QR_CHUNK_PAGES))
		return 0;
	return max(4UL, d->nr_slabs / 8);
}

/*
 * Take the lock; in an NMI, which may have interrupted its holder, only try it.  Callers treat a
 * refusal as "the depot has nothing" or "the depot takes nothing".
 */
static __always_inline bool try_lock(struct qr_depot *d)
{
	if (unlikely(in_nmi())) {
		if (!raw_spin_trylock(&d->lock))
			return false;
	} else {
		raw_spin_lock(&d->lock);
	}
	__release(&d->lock); /* for sparse; depot_lock() tells it the truth */
	return true;
}

#define depot_lock(d) __cond_lock(&(d)->lock, try_lock(d))

void qr_depot_init(struct qr_depot *d, struct qr_cache *cache, struct qr_limit *limit, int node,
		   unsigned int stride, bool batches, bool account)
{
	unsigned int i;

	raw_spin_lock_init(&d->lock);
	d->cache = cache;
	d->limit = limit;
	d->node = node;
	d->account = account;
	d->batch = qr_magazine_capacity(stride) / 2;
	d->max_batches = batches ? qr_depot_batches(stride) : 0;
	for (i = 0; i < ARRAY_SIZE(d->bins); i++)
		INIT_LIST_HEAD(&d->bins[i]);
	INIT_LIST_HEAD(&d->empty);
	INIT_LIST_HEAD(&d->used_up);
}

/* Move a slab to the bin, counted from 1; 0: used up. */
static void slab_move(struct qr_depot *d, struct qr_slab *slab, unsigned int bin)
{
	slab->bin = bin;
	/* The number of free objects at which the next bin begins or the slab is empty. */
	slab->mark = min(bin * slab->nr_objects / QR_SLAB_BINS + 1, slab->nr_objects);
	if (bin)
		d->used_bins |= BIT(bin - 1);
	list_move(&slab->link, bin ? &d->bins[bin - 1] : &d->used_up);
}

void qr_depot_place(struct qr_depot *d, struct qr_slab *slab)
{
	slab_move(d, slab, qr_depot_bin(slab));
}

void qr_depot_count_pages(struct qr_depot *d, long pages)
{
	d->nr_pages += pages;
	if (unlikely(d->account))
		mod_node_page_state(NODE_DATA(d->node), NR_SLAB_UNRECLAIMABLE_B,
				    pages * (long)PAGE_SIZE);
}

void qr_depot_forget(struct qr_depot *d, struct qr_slab *slab, struct list_head *doomed)
{
	list_move(&slab->link, doomed);
	qr_limit_give(d->limit, qr_slab_pages_left(slab));
	d->nr_slabs--;
	qr_depot_count_pages(d, -(long)qr_slab_pages_left(slab));
	d->nr_objects -= slab->nr_objects;
}

static noinline void slab_emptied(struct qr_depot *d, struct qr_slab *slab,
				  struct list_head *doomed)
{
	/*
	 * A slab that lost pages is not kept, as a new one is whole.  A slab with deferred objects
	 * must stay, and an NMI destroys nothing.
	 */
	if ((d->nr_empty < empties_kept(d) && !slab->gone) || in_nmi() ||
	    qr_slab_is_deferred(slab)) {
		slab->bin = UINT_MAX;
		list_move(&slab->link, &d->empty);
		d->nr_empty++;
		return;
	}
	qr_depot_forget(d, slab, doomed);
}

/* Call the watcher, once. */
static noinline void tell(void)
{
	qr_depot_fn watcher = xchg(&qr_depot_watcher, NULL);

	if (watcher && !in_nmi())
		watcher();
}

/* The number of free objects has reached the mark: the slab changes lists. */
static noinline void slab_filled(struct qr_depot *d, struct qr_slab *slab, struct list_head *doomed)
{
	if (unlikely(READ_ONCE(qr_depot_watcher)))
		tell();
	if (slab->nr_free == slab->nr_objects)
		slab_emptied(d, slab, doomed);
	else
		slab_move(d, slab, qr_depot_bin(slab));
}

/* The slab to allocate from: the fullest that has an object free; NULL if there is none. */
static struct qr_slab *fullest(struct qr_depot *d)
{
	struct qr_slab *slab;

	while (d->used_bins) {
		struct list_head *bin = &d->bins[__ffs(d->used_bins)];

		if (likely(!list_empty(bin)))
			return list_first_entry(bin, struct qr_slab, link);
		d->used_bins &= d->used_bins - 1;
	}
	slab = list_first_entry_or_null(&d->empty, struct qr_slab, link);
	if (slab)
		d->nr_empty--;
	return slab;
}

static unsigned int take_from_slabs(struct qr_depot *d, void **out, unsigned int want)
{
	unsigned int n = 0;

	while (n < want) {
		struct qr_slab *slab = fullest(d);
		unsigned int bin;

		if (!slab)
			break;
		n += qr_slab_take(slab, out + n, want - n);
		bin = qr_depot_bin(slab);
		if (bin != slab->bin)
			slab_move(d, slab, bin);
	}
	return n;
}

static __always_inline unsigned int take_locked(struct qr_depot *d, void **out, unsigned int want)
{
	unsigned int n = 0;

	d->moves++;
	while (n < want && d->stocked) {
		struct qr_batch *b = d->stocked;
		unsigned int k = min(want - n, b->nr);

		b->nr -= k;
		qr_copy(out + n, b->obj + b->nr, k);
		d->nr_cached -= k;
		n += k;
		if (!b->nr) {
			d->stocked = b->next;
			b->next = d->spare;
			d->spare = b;
		}
	}
	if (n < want)
		n += take_from_slabs(d, out + n, want - n);
	return n;
}

unsigned int qr_depot_take(struct qr_depot *d, void **out, unsigned int want)
{
	unsigned int n;

	if (!depot_lock(d))
		return 0;
	n = take_locked(d, out, want);
	raw_spin_unlock(&d->lock);
	return n;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_depot_take);

unsigned int qr_depot_take_nolock(struct qr_depot *d, void **out, unsigned int want)
{
	unsigned int n;

	if (!raw_spin_trylock(&d->lock))
		return 0;
	n = take_locked(d, out, want);
	raw_spin_unlock(&d->lock);
	return n;
}

void *qr_depot_take_one(struct qr_depot *d, struct qr_slab **from, unsigned int *index)
{
	struct qr_slab *slab;
	void *p = NULL;

	if (!depot_lock(d))
		return NULL;
	d->moves++;
	slab = fullest(d);
	if (likely(slab)) {
		*from = slab;
		*index = qr_slab_take_first(slab);
		p = slab->base + (size_t)*index * slab->stride;
		if (unlikely(qr_depot_lags(slab)))
			slab_move(d, slab, qr_depot_bin(slab));
	}
	raw_spin_unlock(&d->lock);
	return p;
}

static unsigned int give_slabs_locked(struct qr_depot *d, void **in, unsigned int n,
				      struct list_head *doomed)
{
	struct qr_chunk **chunks = qr_chunks;
	unsigned int i, refused = 0;

	for (i = 0; i < n; i++) {
		void *p = in[i];
		struct qr_chunk *chunk = READ_ONCE(chunks[qr_chunk_index(p)]);
		struct qr_slab *slab;

		/* The index is in range: the fast path has checked that before. */
		if (unlikely(!chunk))
			goto refuse;
		slab = READ_ONCE(chunk->slab[qr_page_in_chunk(p)]);
		if (unlikely(!slab) || unlikely(slab->depot != d) ||
		    unlikely(!qr_slab_give(slab, p)))
			goto refuse;
		if (unlikely(slab->nr_free == slab->mark))
			slab_filled(d, slab, doomed);
		continue;
refuse:
		in[refused++] = p;
	}
	return refused;
}

unsigned int qr_depot_give_slabs(struct qr_depot *d, void **in, unsigned int n,
				 struct list_head *doomed)
{
	unsigned int refused;

	if (!depot_lock(d))
		return n;
	refused = give_slabs_locked(d, in, n, doomed);
	raw_spin_unlock(&d->lock);
	return refused;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_depot_give_slabs);

unsigned int qr_depot_give(struct qr_depot *d, void **in, unsigned int n, struct list_head *doomed)
{
	unsigned int refused = 0;
	struct qr_batch *b;

	if (!depot_lock(d))
		return n;
	d->moves++;
	b = d->spare;
	if (n == d->batch && b) {
		d->spare = b->next;
		qr_copy(b->obj, in, n);
		b->nr = n;
		/* Only the topmost batch may be partly full. */
		if (d->stocked && d->stocked->nr < d->batch) {
			b->next = d->stocked->next;
			d->stocked->next = b;
		} else {
			b->next = d->stocked;
			d->stocked = b;
		}
		d->nr_cached += n;
	} else {
		refused = give_slabs_locked(d, in, n, doomed);
	}
	raw_spin_unlock(&d->lock);
	return refused;
}

/*
 * Check the red zone of a live object.  A pointer that is not a live object's passes here, and
 * qr_slab_give() refuses it.
 */
static noinline enum qr_misuse look_at_guard(const struct qr_slab *slab, void *p)
{
	int i = qr_slab_index(slab, p);

	return i < 0 || qr_slab_is_free(slab, i) ? QR_MISUSE_NONE : qr_guard_give(slab->guard, p);
}

enum qr_misuse qr_depot_give_one(struct qr_slab *slab, struct qr_cache *cache, void *p,
				 struct list_head *doomed)
{
	struct qr_depot *d = READ_ONCE(slab->depot);
	enum qr_misuse what = QR_MISUSE_NONE;

	if (!d || !depot_lock(d))
		return QR_MISUSE_FOREIGN;
	d->moves++;
	/* If @p is dangling, its slab may have been destroyed and be another depot's by now. */
	if (slab->depot != d || qr_slab_of(p) != slab) {
		what = QR_MISUSE_FOREIGN;
	} else if (cache && slab->cache != cache) {
		what = QR_MISUSE_WRONG_CACHE;
	} else {
		if (unlikely(slab->guard))
			what = look_at_guard(slab, p);
		if (unlikely(what))
			;
		else if (unlikely(!qr_slab_give(slab, p)))
			what = qr_slab_index(slab, p) < 0 ? QR_MISUSE_INTERIOR :
							    QR_MISUSE_DOUBLE_FREE;
		else if (slab->nr_free == slab->mark)
			slab_filled(d, slab, doomed);
	}
	raw_spin_unlock(&d->lock);
	return what;
}

static struct qr_batch *batches_new(unsigned int n, gfp_t gfp, int node, unsigned int *got)
{
	struct qr_batch *list = NULL;

	/* A depot works without batches: use no reserves of memory, and do not complain. */
	gfp = (gfp & ~(__GFP_NOFAIL | __GFP_MEMALLOC | __GFP_HIGH)) | __GFP_NOWARN;
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

void qr_depot_add(struct qr_depot *d, struct qr_slab *slab, gfp_t gfp)
{
	unsigned int want = DIV_ROUND_UP(slab->nr_objects, d->batch), got, have;
	struct qr_batch *list = NULL;
	unsigned long flags;

	have = READ_ONCE(d->nr_batches);
	if (have < d->max_batches)
		list = batches_new(min(want, d->max_batches - have), gfp, slab->run.chunk->node,
				   &got);

	raw_spin_lock_irqsave(&d->lock, flags);
	slab->cache = d->cache;
	slab->depot = d;
	slab->bin = UINT_MAX;
	list_add(&slab->link, &d->empty);
	d->nr_empty++;
	d->nr_slabs++;
	qr_depot_count_pages(d, slab->run.nr);
	d->nr_objects += slab->nr_objects;
	while (list && d->nr_batches < d->max_batches) {
		struct qr_batch *b = list;

		list = b->next;
		b->next = d->spare;
		d->spare = b;
		d->nr_batches++;
	}
	raw_spin_unlock_irqrestore(&d->lock, flags);
	batches_free(list); /* another CPU has added some meanwhile */
}

unsigned int qr_depot_unstock(struct qr_depot *d, void **out)
{
	struct qr_batch *b;
	unsigned int n = 0;

	raw_spin_lock(&d->lock);
	b = d->stocked;
	if (b) {
		d->stocked = b->next;
		n = b->nr;
		qr_copy(out, b->obj, n);
		d->nr_cached -= n;
		b->next = d->spare;
		d->spare = b;
	}
	raw_spin_unlock(&d->lock);
	return n;
}

/* Take out the spare batches that the slabs have no objects for. */
static struct qr_batch *batches_beyond(struct qr_depot *d)
{
	unsigned int keep = min_t(unsigned long, d->max_batches,
				  DIV_ROUND_UP(d->nr_objects, d->batch));
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

unsigned int qr_depot_reclaim(struct qr_depot *d, struct list_head *doomed)
{
	struct qr_slab *slab, *next;
	struct qr_batch *spare;
	unsigned long flags;
	unsigned int n = 0;

	raw_spin_lock_irqsave(&d->lock, flags);
	list_for_each_entry_safe(slab, next, &d->empty, link) {
		if (unlikely(qr_slab_is_deferred(slab)))
			continue;
		qr_depot_forget(d, slab, doomed);
		d->nr_empty--;
		n++;
	}
	spare = batches_beyond(d);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	batches_free(spare);
	return n;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_depot_reclaim);

unsigned long qr_depot_abandon(struct qr_depot *d, struct list_head *doomed)
{
	struct qr_slab *slab, *next;
	unsigned long flags, live = 0;
	struct qr_batch *spare;
	unsigned int i;

	raw_spin_lock_irqsave(&d->lock, flags);
	qr_for_each_depot_slab(slab, next, d, i) {
		live += slab->nr_objects - slab->nr_free;
		qr_depot_forget(d, slab, doomed);
	}
	d->nr_empty = 0;
	spare = batches_beyond(d);
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
	batches = qr_meta_cache_create("quarry_batch", sizeof(struct qr_batch));
	return batches ? 0 : -ENOMEM;
}

void qr_depots_exit(void)
{
	kmem_cache_destroy(batches);
}
