// SPDX-License-Identifier: GPL-2.0
/* The slow paths of a free.  The overview at the head of magazine.c has the whole way. */
#define pr_fmt(fmt) "quarry: " fmt

#include "magazine/magazine.h"

#include <linux/bits.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "core/slow_path_time.h"
#include "magazine/cleanup.h"
#include "magazine/remote_free.h"
#include "magazine/twin.h"
#include "profile/stack.h"
#include "slab/large.h"

/*
 * Give the upper half of a full magazine of @n objects to the depot.  Returns how many objects
 * are left; all @n of them if the head was granted more capacity instead, or has none.
 * Interrupts off, the head claimed.
 */
static __always_inline int flush(struct qr_cache *c, struct qr_head *h, int n,
				 struct list_head *doomed, unsigned long ip)
{
	unsigned int refused, unit = qr_head_unit(c, h);

	if (unlikely(n < unit) || unlikely(n < h->capacity))
		return n;
	n -= unit;
	h->flushed += unit;
	trace_flush(c->name, raw_cpu_read(qr_home_node), unit);
	qr_head_cut(c, h, n + unit, n, raw_cpu_read(qr_home_node));
	refused = qr_depot_give(qr_home_depot(c), h->obj + n, unit, doomed);
	if (unlikely(refused))
		qr_settle_refused(c, h->obj + n, refused, doomed, ip);
	return n;
}

/*
 * Put a good object of an ordinary slab into the magazine or, if it is another node's (@remote),
 * with others that wait to go home.  False if neither has room or the head is claimed: then the
 * object must go to its slab at once.  If @p is the object that was put there last, it is not
 * put there again, but *@what is set.  With @ask, sets *@places and returns false if the head would
 * have room with an array of so many places.  Interrupts off.
 */
static __always_inline bool keep(struct qr_cache *c, struct qr_head *h, void *p, bool remote,
				 bool ask, unsigned int *places, struct list_head *doomed,
				 unsigned long ip, enum qr_misuse *what)
{
	int n = qr_head_claim(h);
	bool kept = true;

	if (unlikely(n < 0))
		return false;
	if (unlikely(remote)) {
		if (unlikely(qr_remote_repeats(c, h, p)))
			*what = QR_MISUSE_DOUBLE_FREE;
		else
			kept = qr_remote_put(c, h, p, doomed, ip);
		if (unlikely(!kept) && ask)
			*places = qr_head_wants(c, h, true);
	} else if (unlikely(qr_head_repeats(h, n, p))) {
		*what = QR_MISUSE_DOUBLE_FREE;
	} else {
		if (n >= h->capacity) {
			if (unlikely(h->capacity < c->capacity) && ask)
				*places = qr_head_wants(c, h, false);
			if (likely(!*places))
				n = flush(c, h, n, doomed, ip);
		}
		if (likely(n < h->capacity))
			h->obj[n++] = p;
		else
			kept = false;
	}
	qr_head_release(h, n);
	return kept;
}

/* Two bits: the object's cleanups have run, and the head has been given what array there was. */
#define CLEANED BIT(0)
#define ASKED	BIT(1)

/*
 * Free any object, good or not.  @given is the cache that the caller named, or NULL.  Entered
 * with interrupts off; restores them to @flags, and enables preemption if the free came from the
 * fast path, which had disabled it.
 *
 * If the object has cleanups, the first call only takes them off the object and returns them.
 * The caller runs them and calls again with CLEANED in @how.
 */
static struct qr_cleanup *free_any(struct qr_cache *given, void *p, unsigned long ip,
				   unsigned long flags, bool from_fast_path, unsigned int how);

static noinline struct qr_cleanup *free_timed(struct qr_cache *given, void *p, unsigned long ip,
					      unsigned long flags, bool from_fast_path,
					      unsigned int how)
{
	u64 begin = qr_timing_begin(QR_TIMED_ONE_IN);
	struct qr_cleanup *list = free_any(given, p, ip, flags, from_fast_path, how);

	qr_timing_done(begin);
	return list;
}

/*
 * Some object of the slab has cleanups.  Take those of @p, or, with CLEANED, note that they have
 * run, once.
 */
static noinline enum qr_misuse look_for_cleanups(struct qr_slab *slab, void *p, unsigned int how,
						 struct qr_cleanup **list)
{
	if (!(how & CLEANED))
		return qr_cleanups_take(slab, p, list);
	if (!(how & ASKED))
		qr_cleanups_done(slab, p);
	return QR_MISUSE_NONE;
}

/*
 * This CPU's head has no room for @p, but would have it in an array of @places places.  Get one,
 * give it to the head, and free @p as if it came only now.  Meanwhile all may change, if @p is a
 * pointer to anything, or if the task comes to another CPU.
 */
static noinline struct qr_cleanup *free_with_array(struct qr_cache *given, void *p,
						   unsigned long ip, unsigned long flags,
						   bool from_fast_path, unsigned int how,
						   unsigned int places)
{
	struct qr_array *array;
	struct qr_slab *slab;
	struct qr_cache *c;
	struct qr_head *h;
	int n;

	local_irq_restore(flags);
	if (from_fast_path)
		preempt_enable();
	array = qr_array_new(places);
	local_irq_save(flags);
	slab = qr_slab_of(p);
	c = slab ? READ_ONCE(slab->cache) : NULL;
	if (c && !READ_ONCE(c->apart)) {
		h = this_cpu_ptr(c->pub.head);
		n = qr_head_claim(h);
		array = qr_head_equip(c, h, n, array,
				      slab->run.chunk->node != raw_cpu_read(qr_home_node));
		if (n >= 0)
			qr_head_release(h, n);
	}
	qr_array_free(array);
	return free_any(given, p, ip, flags, false, how | ASKED);
}

const char *qr_owner_name(const struct qr_cache *c, const struct qr_slab *slab)
{
	if (c)
		return c->name;
	if (!slab)
		return NULL;
	return READ_ONCE(slab->bin) == QR_ARENA_BLOCK ? "(arena)" : "(large)";
}

/* A sampled object of a twin was freed.  The stack that did it is kept. */
static noinline void keep_stack(struct qr_slab *slab, unsigned int i, unsigned long ip)
{
	if (!in_nmi())
		qr_sample_freed_by(&slab->samples, i, qr_stack_save(ip, 0, QR_STACK_ADD_LATER));
}

/* The object with index @i may be sampled. */
static __always_inline bool end_sample(struct qr_cache *c, struct qr_slab *slab, unsigned int i,
				       const void *p, unsigned long ip)
{
	if (!qr_profile_freed(&slab->samples, i, p, c->pub.size))
		return false;
	if (unlikely(READ_ONCE(c->stands_for)))
		keep_stack(slab, i, ip);
	return true;
}

static struct qr_cleanup *free_any(struct qr_cache *given, void *p, unsigned long ip,
				   unsigned long flags, bool from_fast_path, unsigned int how)
{
	enum qr_misuse what = QR_MISUSE_FOREIGN;
	struct qr_cleanup *list = NULL;
	unsigned int places = 0;
	struct qr_cache *c = NULL;
	struct qr_slab *slab;
	struct qr_head *h;
	LIST_HEAD(doomed);
	bool remote;
	int i;

	if (qr_timing_due())
		return free_timed(given, p, ip, flags, from_fast_path, how);
	slab = qr_slab_of(p);
	if (unlikely(!slab)) {
		slab = qr_mapped_of(p);
		if (!slab)
			goto out;
	}
	c = READ_ONCE(slab->cache);
	if (unlikely(!c)) {
		if (given) {
			if (qr_is_large(slab))
				what = QR_MISUSE_WRONG_CACHE;
			goto out;
		}
		what = QR_MISUSE_NONE;
		if (unlikely(READ_ONCE(slab->nr_cleaned)))
			what = look_for_cleanups(slab, p, how, &list);
		if (likely(!what && !list))
			what = qr_large_claim(slab, p);
		goto out;
	}
	if (unlikely(given ? !qr_serves(c, given) : !!c->keeper)) {
		what = QR_MISUSE_WRONG_CACHE;
		goto out;
	}
	i = qr_slab_index(slab, p);
	if (unlikely(i < 0)) {
		what = QR_MISUSE_INTERIOR;
		goto out;
	}
	what = QR_MISUSE_NONE;
	if (unlikely(READ_ONCE(slab->nr_cleaned))) {
		what = look_for_cleanups(slab, p, how, &list);
		if (what || list)
			goto out;
	}
	if (qr_want_wipe())
		qr_zero(&c->pub, p, 0);

	h = this_cpu_ptr(c->pub.head);
	remote = slab->run.chunk->node != raw_cpu_read(qr_home_node);
	if (likely(slab->run.chunk->kind == QR_ORDINARY) && likely(!READ_ONCE(c->apart)) &&
	    likely(!slab->run.access)) {
		if (likely(keep(c, h, p, remote, !(how & ASKED), &places, &doomed, ip, &what)))
			goto out;
		if (unlikely(places))
			return free_with_array(given, p, ip, flags, from_fast_path, how, places);
	}
	if (unlikely(slab->samples.at) && !end_sample(c, slab, i, p, ip))
		what = QR_MISUSE_FOREIGN; /* NMI */
	else
		what = qr_depot_give_one(slab, c, p, &doomed);
	if (likely(!what)) {
		h->direct_frees++;
		if (unlikely(remote))
			atomic64_inc(&c->remote_frees);
		if (unlikely(c->zombie))
			qr_zombie_freed();
	}
out:
	local_irq_restore(flags);
	if (from_fast_path)
		preempt_enable();
	if (unlikely(list))
		return list;
	if (unlikely(what == QR_MISUSE_RED_ZONE))
		qr_guard_report(&c->guard, what, p, false, ip, true);
	else if (unlikely(what))
		qr_report(what, p, qr_owner_name(c, slab), qr_given_name(c, given), ip);
	else if (unlikely(!c))
		qr_large_release(slab);
	if (unlikely(!list_empty(&doomed)))
		qr_slabs_destroy(&doomed);
	return NULL;
}

static noinline void free_cleaned(struct qr_cache *given, void *p, unsigned long ip,
				  struct qr_cleanup *list)
{
	unsigned long flags;

	qr_cleanups_run(list, p);
	local_irq_save(flags);
	free_any(given, p, ip, flags, false, CLEANED);
}

/* After a failed qr_head_push(): preemption is off, the claim is as qr_head_push() left it. */
void qr_free_full(void *p, struct qr_head __percpu *head, struct quarry_cache *cache)
{
	struct qr_cache *given = cache ? qr_cache_of(cache) : NULL;
	struct qr_cleanup *list;
	unsigned long flags;
	struct qr_head *h;
	int n;

	local_irq_save(flags);
	h = this_cpu_ptr(head);
	n = qr_head_enter_free(h);
	if (n >= 0)
		qr_head_release(h, n);
	list = free_any(given, p, _RET_IP_, flags, true, 0);
	if (unlikely(list))
		free_cleaned(given, p, _RET_IP_, list);
}
EXPORT_SYMBOL_QUARRY(qr_free_full);

/* For objects that the fast path does not handle, such as large ones and those of other nodes. */
void qr_free_slow(struct quarry_cache *cache, void *p)
{
	struct qr_cache *given = cache ? qr_cache_of(cache) : NULL;
	struct qr_cleanup *list;
	unsigned long flags;

	if (unlikely(!p))
		return;
	local_irq_save(flags);
	list = free_any(given, p, _RET_IP_, flags, false, 0);
	if (unlikely(list))
		free_cleaned(given, p, _RET_IP_, list);
}
EXPORT_SYMBOL_QUARRY(qr_free_slow);
