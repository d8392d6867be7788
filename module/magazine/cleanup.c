// SPDX-License-Identifier: GPL-2.0
/*
 * Cleanups: functions that run when an object is freed.
 *
 * Nothing tells on the fast path that an object has some, so its free must not take that
 * path.  Which frees do, two tables say that it reads anyway (quarry.h), and the slab's
 * or the chunk's entry is changed for as long as an object there has cleanups.  Other objects
 * of the slab, or of the chunk, are then freed the slow way too.
 *
 * No CPU has to be told of the change.  What counts is that the entry is seen by whoever
 * frees this one object; if that is another CPU it was handed the pointer after the
 * cleanup was added, by whatever orders what was written to the object before, and so orders
 * this.  The CPUs of other nodes have views of their own, in which our entries are slow
 * at all times.  And frees by the bulk look at each object when its turn comes, after the
 * cleanups of those before it have run.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <quarry/cleanup.h>

#include <linux/printk.h>
#include <linux/ratelimit.h>
#include "compat.h"
#include "core/metadata.h"
#include "magazine/magazine.h"
#include "slab/large.h"

/* The row of the object that begins at @p, or -1. */
static int row_of(const struct qr_slab *slab, const void *p)
{
	if (!READ_ONCE(slab->cache))
		return qr_is_large(slab) && p == slab->base ? 0 : -1;
	return qr_slab_index(slab, p);
}

/*
 * Where the cleanups of a live object are, if its slab has any; *@row is set to its row.
 * Returns why there cannot be any, or NULL.  With the lock.
 */
static const char *find(const void *p, struct qr_slab **slabp, int *row)
{
	struct qr_slab *slab = qr_slab_of(p) ?: qr_mapped_of(p);
	struct qr_cache *c = slab ? READ_ONCE(slab->cache) : NULL;

	if (!slab || (!c && !qr_is_large(slab)))
		return "not Quarry's";
	*row = row_of(slab, p);
	if (*row < 0)
		return "not the start of an object";
	if (c && qr_slab_is_free(slab, *row))
		return "free";
	if (c && READ_ONCE(c->zombie))
		return "of a cache that was destroyed";
	if (slab->cleanups && slab->cleanups[*row] == QR_CLEANUPS_RUN)
		return "being freed";
	*slabp = slab;
	return NULL;
}

/* The last ones added come first. */
static void attach(struct qr_slab *slab, int row, struct qr_cleanup *first, struct qr_cleanup *last)
{
	if (!slab->cleanups[row]) {
		if (!slab->nr_cleaned)
			qr_slab_set_fast(slab, false);
		WRITE_ONCE(slab->nr_cleaned, slab->nr_cleaned + 1);
	}
	last->next = slab->cleanups[row];
	slab->cleanups[row] = first;
}

static void detach(struct qr_slab *slab, int row)
{
	slab->cleanups[row] = NULL;
	WRITE_ONCE(slab->nr_cleaned, slab->nr_cleaned - 1);
	if (!slab->nr_cleaned)
		qr_slab_set_fast(slab, true);
}

static bool has_list(const struct qr_slab *slab, int row)
{
	return row >= 0 && slab->cleanups && slab->cleanups[row] &&
	       slab->cleanups[row] != QR_CLEANUPS_RUN;
}

/*
 * Room for cleanups in the slab of the object at @p; it stays while the slab does.  0, or
 * -ENOMEM, or -EINVAL and *@why is set.
 */
static int ensure_room(const void *p, gfp_t gfp, const char **why)
{
	struct qr_cleanup **rows;
	struct qr_slab *slab;
	unsigned int nr = 0;
	unsigned long flags;
	int row, node = 0;

	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	*why = find(p, &slab, &row);
	if (!*why && !slab->cleanups) {
		nr = qr_slab_rows(slab);
		node = slab->run.chunk->node;
	}
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	if (!nr)
		return *why ? -EINVAL : 0;
	rows = qr_meta_alloc(nr * sizeof(*rows), gfp, node);
	if (!rows)
		return -ENOMEM;
	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	*why = find(p, &slab, &row);
	if (!*why && !slab->cleanups && nr == qr_slab_rows(slab))
		swap(slab->cleanups, rows);
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	qr_meta_free(rows, nr * sizeof(*rows)); /* another CPU was faster */
	return *why ? -EINVAL : 0;
}

static int refuse(const void *p, const char *why, unsigned long ip)
{
	pr_warn_ratelimited("no cleanup for %px, which is %s, from %pS\n", p, why, (void *)ip);
	return -EINVAL;
}

/**
 * quarry_cleanup_add_gfp() - have a function called when an object is freed
 * @p: from any Quarry allocation, and not freed before this returns
 * @fn: the function
 * @arg: its second argument; the first is @p
 * @gfp: as for quarry_cache_alloc()
 *
 * What quarry_cleanup_add() does, for those who may not sleep.
 *
 * Context: process, softirq, hardirq; not NMI, where such objects must not be freed either.
 * Return: 0, -ENOMEM, or -EINVAL when @p is not the start of a live object, which is logged.
 */
int quarry_cleanup_add_gfp(void *p, quarry_cleanup_fn fn, void *arg, gfp_t gfp)
{
	struct qr_cleanup *cleanup;
	struct qr_slab *slab;
	unsigned long flags;
	const char *why;
	int row, err;

	qr_check_gfp(gfp);
	if (!fn || in_nmi())
		return refuse(p, fn ? "not for NMI" : "to get no function", _RET_IP_);
	err = ensure_room(p, gfp, &why);
	if (err == -EINVAL)
		return refuse(p, why, _RET_IP_);
	if (err)
		return err;
	cleanup = qr_cleanup_new(gfp);
	if (!cleanup)
		return -ENOMEM;
	cleanup->fn = fn;
	cleanup->arg = arg;
	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	why = find(p, &slab, &row);
	if (!why && slab->cleanups)
		attach(slab, row, cleanup, cleanup);
	else
		err = -EINVAL;
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	if (unlikely(err)) {
		qr_cleanup_free(cleanup);
		return refuse(p, why ?: "being freed", _RET_IP_);
	}
	return 0;
}
EXPORT_SYMBOL_QUARRY(quarry_cleanup_add_gfp);

/**
 * quarry_cleanup_remove() - have a function not called after all
 * @p: as for quarry_cleanup_add()
 * @fn: likewise
 * @arg: likewise
 *
 * Of several equal ones, the first that was added is removed.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: whether there was one.  There is none as soon as @p is being freed.
 */
bool quarry_cleanup_remove(void *p, quarry_cleanup_fn fn, void *arg)
{
	struct qr_cleanup **link, **found = NULL, *cleanup = NULL;
	struct qr_slab *slab;
	unsigned long flags;
	int row;

	if (in_nmi())
		return false;
	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	if (!find(p, &slab, &row) && has_list(slab, row)) {
		for (link = &slab->cleanups[row]; *link; link = &(*link)->next)
			if ((*link)->fn == fn && (*link)->arg == arg)
				found = link;
		if (found) {
			cleanup = *found;
			*found = cleanup->next;
			if (!slab->cleanups[row])
				detach(slab, row);
		}
	}
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	if (cleanup)
		qr_cleanup_free(cleanup);
	return cleanup;
}
EXPORT_SYMBOL_QUARRY(quarry_cleanup_remove);

/* --- For frees --- */

/* In an NMI the lock may be the interrupted code's. */
static __always_inline bool try_lock(void)
{
	if (unlikely(in_nmi())) {
		if (!raw_spin_trylock(&qr_cleanups_lock))
			return false;
	} else {
		raw_spin_lock(&qr_cleanups_lock);
	}
	__release(&qr_cleanups_lock); /* for sparse, which the macro tells instead */
	return true;
}

#define cleanups_lock() __cond_lock(&qr_cleanups_lock, try_lock())

enum qr_misuse qr_cleanups_take(struct qr_slab *slab, const void *p, struct qr_cleanup **list)
{
	enum qr_misuse what = QR_MISUSE_NONE;
	int row;

	if (!cleanups_lock())
		return QR_MISUSE_FOREIGN;
	row = slab->cleanups ? row_of(slab, p) : -1;
	if (has_list(slab, row)) {
		if (in_nmi()) {
			what = QR_MISUSE_FOREIGN;
		} else {
			*list = slab->cleanups[row];
			slab->cleanups[row] = QR_CLEANUPS_RUN;
		}
	} else if (row >= 0 && slab->cleanups[row]) {
		what = QR_MISUSE_DOUBLE_FREE;
	}
	raw_spin_unlock(&qr_cleanups_lock);
	return what;
}

void qr_cleanups_run(struct qr_cleanup *list, void *p)
{
	struct qr_cleanup *first = NULL, *next;

	for (; list; list = next) {
		next = list->next;
		list->next = first;
		first = list;
	}
	for (; first; first = next) {
		quarry_cleanup_fn fn = first->fn;
		void *arg = first->arg;

		next = first->next;
		qr_cleanup_free(first);
		fn(p, arg);
	}
}

void qr_cleanups_done(struct qr_slab *slab, const void *p)
{
	int row;

	raw_spin_lock(&qr_cleanups_lock);
	row = slab->cleanups ? row_of(slab, p) : -1;
	if (row >= 0 && slab->cleanups[row] == QR_CLEANUPS_RUN)
		detach(slab, row);
	raw_spin_unlock(&qr_cleanups_lock);
}

/* --- For realloc --- */

bool qr_cleanups_move(struct qr_slab *slab, const void *p, const void *to, gfp_t gfp)
{
	struct qr_cleanup *first, *last;
	struct qr_slab *new;
	unsigned long flags;
	const char *why;
	int row, new_row;
	bool any;

	if (likely(!READ_ONCE(slab->nr_cleaned)))
		return true;
	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	row = row_of(slab, p);
	any = has_list(slab, row);
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	if (!any)
		return true;
	if (ensure_room(to, gfp, &why))
		return false;
	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	if (has_list(slab, row) && !find(to, &new, &new_row) && new->cleanups) {
		first = slab->cleanups[row];
		for (last = first; last->next; last = last->next)
			;
		detach(slab, row);
		attach(new, new_row, first, last);
	}
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	return true;
}
