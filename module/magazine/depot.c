// SPDX-License-Identifier: GPL-2.0
/*
 * Depots: objects come and go, in batches and one by one.  Slabs come and go in depot_slabs.c.
 *
 * That CPUs exchange objects in batches is Bonwick and Adams' idea ("Magazines and Vmem", USENIX
 * 2001).  They swap whole magazines; here objects are copied, so that the array of the fast path
 * stays where it is.
 *
 * Objects are checked, and misuse is found, when they reach their slab.  Nothing looks at the
 * objects of a batch while it is in the depot.  So a full batch that comes from a magazine goes to
 * the slabs, too, as long as that takes no more than some 1 % of the CPU's time: the parameter
 * checked_flushes says how many batches of a CPU are checked in a tick of the clock.
 */
#include "magazine/depot.h"

#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include "compat.h"
#include "core/exposure.h"

qr_depot_fn qr_depot_watcher;

/*
 * A checked batch of 64 objects costs some 3,000 instructions more than an unchecked one.  At 250
 * ticks a second, 32 of them in a tick take 24 million instructions a second.
 */
unsigned int qr_checked_flushes = 32;
EXPORT_SYMBOL_QUARRY_TEST(qr_checked_flushes);
module_param_cb(checked_flushes, &qr_uint_param_ops, &qr_checked_flushes, 0644);
MODULE_PARM_DESC(checked_flushes, "batches that a CPU checks in a tick (default 32)");

/**
 * struct checks - the checks that a CPU has left; an NMI may disturb the count, which does no harm
 * @tick: the tick of the clock that @left is for
 * @left: batches that may still be checked
 */
struct checks {
	u32 tick;
	unsigned int left;
};

static DEFINE_PER_CPU(struct checks, checks);

/* May this CPU take the time to check another batch? */
static bool may_check(void)
{
	struct checks *c = this_cpu_ptr(&checks);
	u32 now = jiffies;

	if (c->tick != now) {
		c->tick = now;
		c->left = READ_ONCE(qr_checked_flushes);
	}
	if (!c->left)
		return false;
	c->left--;
	return true;
}

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
		   unsigned int stride, bool batches, int account)
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
	for (i = 0; i < ARRAY_SIZE(d->emergency); i++)
		INIT_LIST_HEAD(&d->emergency[i]);
	INIT_LIST_HEAD(&d->empty);
	INIT_LIST_HEAD(&d->used_up);
}

/* Move a slab to the bin, counted from 1; 0: used up. */
static void slab_move(struct qr_depot *d, struct qr_slab *slab, unsigned int bin)
{
	d->changes++;
	slab->bin = bin;
	/* The number of free objects at which the next bin begins or the slab is empty. */
	slab->mark = min(bin * slab->nr_objects / QR_SLAB_BINS + 1, slab->nr_objects);
	if (unlikely(slab->run.access) && bin) {
		list_move(&slab->link, &d->emergency[slab->run.access - QR_SOME_ACCESS]);
		return;
	}
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
	if (unlikely(d->account != QR_NO_ACCOUNT))
		mod_node_page_state(NODE_DATA(d->node), d->account, pages * (long)PAGE_SIZE);
}

void qr_depot_forget(struct qr_depot *d, struct qr_slab *slab, struct list_head *doomed)
{
	d->changes++;
	list_move(&slab->link, doomed);
	qr_limit_give(d->limit, qr_slab_pages_left(slab));
	d->nr_slabs--;
	qr_depot_count_pages(d, -(long)qr_slab_pages_left(slab));
	d->nr_objects -= slab->nr_objects;
}

/*
 * A slab that lost pages is not kept, as a new one is whole.  Nor is one from the emergency
 * reserves, which need their pages back.  A slab with deferred objects must stay, and an NMI
 * destroys nothing.
 */
static noinline void slab_emptied(struct qr_depot *d, struct qr_slab *slab,
				  struct list_head *doomed)
{
	bool must_stay = in_nmi() || qr_slab_is_deferred(slab);

	if (unlikely(slab->run.access) && must_stay) {
		slab_move(d, slab, qr_depot_bin(slab));
		return;
	}
	if ((d->nr_empty < empties_kept(d) && !slab->gone && !slab->run.access) || must_stay) {
		d->changes++;
		slab->bin = UINT_MAX;
		list_move(&slab->link, &d->empty);
		d->nr_empty++;
		return;
	}
	qr_depot_forget(d, slab, doomed);
}

noinline void qr_depot_call_watcher(void)
{
	qr_depot_fn watcher = xchg(&qr_depot_watcher, NULL);

	if (watcher && !in_nmi())
		watcher();
}

/* The number of free objects has reached the mark: the slab changes lists. */
static noinline void slab_filled(struct qr_depot *d, struct qr_slab *slab, struct list_head *doomed)
{
	if (unlikely(READ_ONCE(qr_depot_watcher)))
		qr_depot_call_watcher();
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
	d->takes += n > 0;
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
	slab = fullest(d);
	if (likely(slab)) {
		d->takes++;
		*from = slab;
		*index = qr_slab_take_first(slab);
		p = slab->base + (size_t)*index * slab->stride;
		if (unlikely(qr_depot_lags(slab)))
			slab_move(d, slab, qr_depot_bin(slab));
	}
	raw_spin_unlock(&d->lock);
	return p;
}

void *qr_depot_take_emergency(struct qr_depot *d, enum qr_access access)
{
	struct qr_slab *slab = NULL;
	unsigned int i;
	void *p = NULL;

	if (!depot_lock(d))
		return NULL;
	for (i = 0; i < access && !slab; i++)
		slab = list_first_entry_or_null(&d->emergency[i], struct qr_slab, link);
	if (slab) {
		d->takes++;
		p = slab->base + (size_t)qr_slab_take_first(slab) * slab->stride;
		if (!slab->nr_free)
			slab_move(d, slab, 0);
	}
	raw_spin_unlock(&d->lock);
	return p;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_depot_take_emergency);

/* The slab of @p, which belongs to @d, or NULL. */
static __always_inline struct qr_slab *own_slab_of(const struct qr_depot *d,
						   const struct qr_directory *dir, const void *p)
{
	unsigned long index = qr_chunk_index(p);
	struct qr_chunk *chunk;
	struct qr_slab *slab;

	/* The index is in range: the fast path has checked that before. */
	chunk = READ_ONCE(dir->part[index / QR_DIRECTORY_PART][index % QR_DIRECTORY_PART]);
	if (unlikely(!chunk))
		return NULL;
	slab = READ_ONCE(chunk->slab[qr_page_in_chunk(p)]);
	return likely(slab) && likely(slab->depot == d) ? slab : NULL;
}

/*
 * With @neighbours, the slab of the object before is tried first.  If it was emptied meanwhile, it
 * still exists while the lock is held, and refuses all objects: none of them is live.
 */
static __always_inline unsigned int give_objects(struct qr_depot *d, void **in, unsigned int n,
						 struct list_head *doomed, bool neighbours)
{
	const struct qr_directory *dir = READ_ONCE(qr_directory);
	struct qr_slab *slab = NULL;
	unsigned int i, refused = 0;
	unsigned long page = 0; /* one of @slab's */

	for (i = 0; i < n; i++) {
		void *p = in[i];

		if (!neighbours || (unsigned long)p - page >= PAGE_SIZE) {
			slab = own_slab_of(d, dir, p);
			page = slab ? (unsigned long)p & PAGE_MASK : 0;
		}
		if (unlikely(!slab) || unlikely(!qr_slab_give(slab, p)))
			in[refused++] = p;
		else if (unlikely(slab->nr_free == slab->mark))
			slab_filled(d, slab, doomed);
	}
	return refused;
}

/*
 * Objects that are freed together often lie together.  The first two tell: to look for neighbours
 * saves a third of the work if there are any, and costs a tenth more if there are none.
 */
static unsigned int give_slabs_locked(struct qr_depot *d, void **in, unsigned int n,
				      struct list_head *doomed)
{
	if (n > 1 && !(((unsigned long)in[0] ^ (unsigned long)in[1]) >> PAGE_SHIFT))
		return give_objects(d, in, n, doomed, true);
	return give_objects(d, in, n, doomed, false);
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
	d->gives++;
	b = d->spare;
	if (n == d->batch && b && !may_check()) {
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
		d->wants_batches |= !b;
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
		d->gives += !what;
	}
	raw_spin_unlock(&d->lock);
	return what;
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
