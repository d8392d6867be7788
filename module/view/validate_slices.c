// SPDX-License-Identifier: GPL-2.0
/*
 * The walker in slices: the check of all books that goes on beside everything else.
 *
 * It looks at one thing at a time: a chunk, a slab, a CPU's magazine of a cache, a batch, some
 * slabs of a depot's list.  Each look holds the lock that guards the thing, or the claim of the
 * head, for a bounded time, and what it sees is exact.  Where a thing can be in a passing state
 * that its lock does not keep out, the look is repeated.  If LOOKS looks in a row find an error,
 * the strict form has to confirm it at the end of the walk.
 *
 * What is true of many things together (sums, counters) can be compared only if nothing changed
 * while they were looked at.  A count of changes tells.  If there is a change in each of LOOKS
 * looks, the sum is not compared, and counted as unsettled.
 *
 * Two places that are looked at one after the other prove nothing about each other: an object may
 * have moved in between.  So only the strict form (validate.c) finds an object in the magazines of
 * two CPUs, or in a magazine and a batch.
 *
 * No lock is held from one look to the next, except qr_trim_lock for the lists of one depot.
 * Caches and arenas are found by their numbers, each time anew, so they may come and go.  A fatal
 * signal ends the walk.
 *
 * validate_caches.c has the looks at caches and magazines.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "view/validate.h"

#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <quarry/stats.h>
#include "api/arena_view.h"
#include "compat.h"
#include "slab/large.h"

#define LOOKS 3

static DEFINE_MUTEX(walk_lock); /* one walk at a time; outermost */

bool qr_walk_is_stopped(void)
{
	cond_resched();
	return fatal_signal_pending(current);
}

void qr_look_at(struct qr_walk *w, qr_look_fn look)
{
	struct quarry_validation *v = w->v, *found = &w->look;
	unsigned int tries;
	bool same = false;

	for (tries = 0; tries < LOOKS && !qr_walk_is_stopped(); tries++) {
		if (tries) {
			/* A work item may be about to open a view. */
			qr_directory_settle();
			usleep_range(1000, 2000);
		}
		memset(found, 0, sizeof(*found));
		same = look(w);
		if (same && !found->errors)
			break;
	}
	if (qr_walk_is_stopped())
		return;
	v->caches += found->caches;
	v->slabs += found->slabs;
	v->chunks += found->chunks;
	v->objects += found->objects;
	v->live += found->live;
	v->unsettled += !same;
	if (found->errors && !v->errors)
		memcpy(v->first, found->first, sizeof(v->first));
	v->errors += found->errors;
}

/* --- Chunks, and what lies in them --- */

static bool look_at_chunk(struct qr_walk *w)
{
	/* Pages that are being trimmed belong to no slab for a while. */
	mutex_lock(&qr_trim_lock);
	qr_heap_look_at_chunk(w->index, &w->look);
	mutex_unlock(&qr_trim_lock);
	return true;
}

static bool look_at_view(struct qr_walk *w)
{
	const struct qr_chunk *chunk;
	unsigned long flags;

	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	chunk = qr_chunk_at(w->index);
	if (chunk && chunk->kind == QR_ORDINARY)
		qr_check_view(chunk, &w->look);
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	return true;
}

/* Is @page the first one that the slab, the large object or the arena's block has? */
static bool begins_at(const struct qr_slab *slab, const struct qr_chunk *chunk, unsigned int page)
{
	return READ_ONCE(slab->run.chunk) == chunk &&
	       page == READ_ONCE(slab->run.first) + __ffs(~READ_ONCE(slab->gone));
}

/* Set w->place to the first page from it on at which something begins; false if there is none. */
static bool find_owner(struct qr_walk *w)
{
	const struct qr_chunk *chunk;
	const struct qr_slab *slab;
	bool found = false;

	rcu_read_lock();
	chunk = qr_chunk_at(w->index);
	for (; chunk && !found && w->place < QR_CHUNK_PAGES; w->place += !found) {
		slab = READ_ONCE(chunk->slab[w->place]);
		found = slab && begins_at(slab, chunk, w->place);
	}
	rcu_read_unlock();
	return found;
}

static void look_at_slab(struct qr_walk *w, const struct qr_chunk *chunk, struct qr_slab *slab,
			 struct qr_depot *d)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	if (READ_ONCE(slab->depot) == d && READ_ONCE(chunk->slab[w->place]) == slab &&
	    begins_at(slab, chunk, w->place)) {
		raw_spin_lock(&qr_cleanups_lock);
		qr_check_slab(d, slab, &w->look);
		raw_spin_unlock(&qr_cleanups_lock);
	}
	raw_spin_unlock_irqrestore(&d->lock, flags);
}

/* Is there still the same large object?  With the lock that guards the chunk, which keeps it. */
static bool is_still_large(const struct qr_walk *w, const struct qr_chunk *chunk,
			   const struct qr_slab *slab)
{
	return qr_chunk_at(w->index) == chunk && chunk->slab[w->place] == slab &&
	       qr_is_large(slab) && begins_at(slab, chunk, w->place);
}

/* Look at some pages of a large object; sets w->more if there are others. */
static void look_at_large(struct qr_walk *w, const struct qr_chunk *chunk,
			  const struct qr_slab *slab, unsigned int *from)
{
	raw_spinlock_t *lock = qr_chunk_lock(chunk);
	unsigned long flags;

	if (!*from) {
		raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
		raw_spin_lock(lock);
		if (is_still_large(w, chunk, slab))
			qr_large_validate_cleaned(slab, &w->look);
		raw_spin_unlock(lock);
		raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	}
	raw_spin_lock_irqsave(lock, flags);
	w->more = is_still_large(w, chunk, slab);
	if (w->more) {
		if (!*from)
			qr_large_add(&w->large, slab);
		w->more = qr_large_look(slab, from, &w->look);
	}
	raw_spin_unlock_irqrestore(lock, flags);
}

/* Look at the slab, or at the large object, at w->place.  Blocks of arenas come later. */
static bool look_at_owner(struct qr_walk *w)
{
	const struct qr_large_sum large = w->large;
	const struct qr_chunk *chunk;
	unsigned int from = 0;
	struct qr_slab *slab;
	struct qr_depot *d;

	do {
		w->more = false;
		rcu_read_lock();
		chunk = qr_chunk_at(w->index);
		slab = chunk ? READ_ONCE(chunk->slab[w->place]) : NULL;
		d = slab ? READ_ONCE(slab->depot) : NULL;
		if (d)
			look_at_slab(w, chunk, slab, d);
		else if (slab && qr_is_large(slab))
			look_at_large(w, chunk, slab, &from);
		rcu_read_unlock();
	} while (w->more && !qr_walk_is_stopped());
	if (w->look.errors) /* the next look adds the object */
		w->large = large;
	return true;
}

static void walk_chunks(struct qr_walk *w)
{
	u64 moves = qr_large_moves();
	unsigned long i;

	for (i = qr_directory_next(0); i < READ_ONCE(qr_directory)->nr && !qr_walk_is_stopped();
	     i = qr_directory_next(i + 1)) {
		w->index = i;
		qr_look_at(w, look_at_chunk);
		qr_look_at(w, look_at_view);
		for (w->place = 0; find_owner(w) && !qr_walk_is_stopped(); w->place++)
			qr_look_at(w, look_at_owner);
	}
	if (qr_walk_is_stopped())
		return;
	if (moves == qr_large_moves())
		qr_large_validate_sum(&w->large, w->v);
	else
		w->v->unsettled++;
}

static bool look_at_counts(struct qr_walk *w)
{
	return qr_heap_look_at_counts(w->index, &w->look);
}

static bool look_at_charge(struct qr_walk *w)
{
	return qr_heap_look_at_charge(&w->look);
}

static void walk_heaps(struct qr_walk *w)
{
	int node;

	for_each_node_mask(node, qr_nodes) {
		w->index = node;
		qr_look_at(w, look_at_counts);
	}
	qr_look_at(w, look_at_charge);
}

/* --- Arenas --- */

static bool look_at_arena(struct qr_walk *w)
{
	struct qr_arena_look at = {};

	while (qr_arena_look(w->id, &at, &w->look))
		if (qr_walk_is_stopped())
			break;
	return at.same;
}

static void walk_arenas(struct qr_walk *w)
{
	u32 id;

	for (id = 0; !qr_walk_is_stopped() && qr_arena_next(&id); id++) {
		w->id = id;
		qr_look_at(w, look_at_arena);
	}
}

/*
 * A CPU that stays in one section (the host of a virtual machine took it away, or an interrupt is
 * long) shows a passing state for longer than all looks take.  So an error counts only if the
 * strict form finds one, too: no CPU is in such a section while the machine is stopped.
 */
static void confirm(struct qr_walk *w)
{
	struct quarry_validation *v = w->v;

	qr_check_stopped(&w->look);
	if (w->look.errors)
		return;
	v->unsettled += v->errors;
	v->errors = 0;
	v->first[0] = '\0';
}

int qr_validate_slices(struct quarry_validation *v)
{
	static struct qr_walk walk; /* with walk_lock */
	struct qr_walk *w = &walk;

	memset(v, 0, sizeof(*v));
	if (mutex_lock_killable(&walk_lock))
		return -EINTR;
	memset(w, 0, sizeof(*w));
	w->v = v;
	walk_chunks(w);
	walk_heaps(w);
	qr_walk_all_caches(w);
	walk_arenas(w);
	if (v->errors && !qr_walk_is_stopped())
		confirm(w);
	mutex_unlock(&walk_lock);
	return qr_walk_is_stopped() ? -EINTR : qr_verdict(v);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_validate_slices);
