// SPDX-License-Identifier: GPL-2.0
/*
 * Cleanups: functions that run when an object is freed.
 *
 * The fast path of a free does not look for cleanups, so the free of an object that has some must
 * take the slow path.  The fast path reads two tables to decide which way a free goes (struct
 * qr_view in quarry/quarry.h).  While an object has cleanups, the entry of its slab, or of its
 * chunk, is set to "slow".  Frees of other objects of that slab, or chunk, are then slow, too.
 *
 * The change of the entry needs no barrier and no message to other CPUs, because only the CPU
 * that frees this one object has to see it.  If that is another CPU, it received the pointer
 * after the cleanup was added, with an ordering that makes the object's contents visible, and so
 * the entry.  CPUs of other nodes have tables of their own, in which the entry is always slow.
 * quarry_cache_free_bulk() looks at the tables for each object in turn, after the cleanups of
 * the objects before it have run.
 *
 * Context: adding and removing in any context but NMI.  qr_cleanups_lock guards all lists; no
 * cleanup runs with it held.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <quarry/cleanup.h>

#include <linux/printk.h>
#include <linux/ratelimit.h>
#include "compat.h"
#include "core/caller.h"
#include "core/metadata.h"
#include "magazine/cleanup.h"
#include "magazine/magazine.h"
#include "slab/large.h"

/* The index in slab->cleanups of the object that begins at @p, or -1. */
static int row_of(const struct qr_slab *slab, const void *p)
{
	if (!READ_ONCE(slab->cache))
		return qr_is_large(slab) && p == slab->base ? 0 : -1;
	return qr_slab_index(slab, p);
}

/*
 * Find the slab of a live object, and the index of its cleanups there.  Returns NULL, or why the
 * object cannot have cleanups, to be read after "which is".  With the lock.
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

/*
 * Put the list from @first to @last in front of the cleanups that the object has.  If it has none,
 * @last may be NULL.
 */
static void attach(struct qr_slab *slab, int row, struct qr_cleanup *first, struct qr_cleanup *last)
{
	if (!slab->cleanups[row]) {
		if (!slab->nr_cleaned)
			qr_slab_set_fast(slab, false);
		WRITE_ONCE(slab->nr_cleaned, slab->nr_cleaned + 1);
	} else {
		last->next = slab->cleanups[row];
	}
	if (!slab->cleanups_mark)
		qr_cleanups_change(slab);
	slab->cleanups[row] = first;
}

static void detach(struct qr_slab *slab, int row)
{
	qr_cleanups_change(slab);
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
 * Allocate the array of cleanups for the slab of the object at @p, unless the slab has one.  It
 * stays until the slab is destroyed.  Returns 0, -ENOMEM, or -EINVAL and sets *@why.
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
	qr_meta_free(rows, nr * sizeof(*rows)); /* NULL, unless another CPU was faster */
	return *why ? -EINVAL : 0;
}

static int refuse(const void *p, const char *why, unsigned long ip)
{
	pr_warn_ratelimited("no cleanup for %p, which is %s, from %s\n", p, why,
			    qr_caller_name(ip));
	return -EINVAL;
}

/**
 * quarry_cleanup_add_gfp() - have a function called when an object is freed
 * @p: from any Quarry allocation, and not freed before this returns
 * @fn: the function
 * @arg: its second argument; the first is @p
 * @gfp: as for quarry_cache_alloc()
 *
 * The same as quarry_cleanup_add(), for callers that may not sleep.
 *
 * Context: process, softirq, hardirq; not NMI.  In an NMI @p must not be freed either.
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
 * struct search - a search for the cleanup of an object that was added first
 * @fn: what to look for
 * @arg: likewise
 * @mark: the slab's mark when the search began; when it has changed, the search begins anew, since
 *	a cleanup that it remembers may be gone.  0: not begun
 * @at: the next cleanup to look at
 * @last: the one before @at
 * @found: the last match; NULL: none so far
 * @before: the one before @found; NULL: @found was the first of the list
 */
struct search {
	quarry_cleanup_fn fn;
	void *arg;
	u32 mark;
	struct qr_cleanup *at;
	struct qr_cleanup *last;
	struct qr_cleanup *found;
	struct qr_cleanup *before;
};

/* Look at the next QR_CLEANUP_SLICE cleanups, with the lock.  True if there are no more. */
static bool search_on(struct search *s, struct qr_slab *slab, int row)
{
	unsigned int n;

	if (s->mark != slab->cleanups_mark) {
		s->mark = slab->cleanups_mark;
		s->at = slab->cleanups[row];
		s->last = NULL;
		s->found = NULL;
	}
	for (n = 0; s->at && n < QR_CLEANUP_SLICE; n++) {
		if (s->at->fn == s->fn && s->at->arg == s->arg) {
			s->found = s->at;
			s->before = s->last;
		}
		s->last = s->at;
		s->at = s->at->next;
	}
	return !s->at;
}

/* Take the match out of its list.  False if so many cleanups came that the search begins anew. */
static bool cut_out(struct search *s, struct qr_slab *slab, int row)
{
	struct qr_cleanup **link = s->before ? &s->before->next : &slab->cleanups[row];
	unsigned int n;

	/* Cleanups that were added since the search began are in front of a first one. */
	for (n = 0; *link != s->found; n++) {
		if (n == QR_CLEANUP_SLICE) {
			s->mark = 0;
			return false;
		}
		link = &(*link)->next;
	}
	*link = s->found->next;
	qr_cleanups_change(slab);
	if (!slab->cleanups[row])
		detach(slab, row);
	return true;
}

/**
 * quarry_cleanup_remove() - take a cleanup off an object without calling it
 * @p: as for quarry_cleanup_add()
 * @fn: as for quarry_cleanup_add()
 * @arg: as for quarry_cleanup_add()
 *
 * If @fn was added to @p several times with the same @arg, the one added first is removed.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: true if there was such a cleanup.  Once the free of @p has begun there is none.
 */
bool quarry_cleanup_remove(void *p, quarry_cleanup_fn fn, void *arg)
{
	struct search s = { .fn = fn, .arg = arg };
	struct qr_cleanup *cleanup = NULL;
	struct qr_slab *slab;
	unsigned long flags;
	bool done;
	int row;

	if (in_nmi())
		return false;
	do {
		raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
		done = find(p, &slab, &row) || !has_list(slab, row);
		if (!done && search_on(&s, slab, row)) {
			done = !s.found || cut_out(&s, slab, row);
			cleanup = done ? s.found : NULL;
		}
		raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	} while (!done);
	if (cleanup)
		qr_cleanup_free(cleanup);
	return cleanup;
}
EXPORT_SYMBOL_QUARRY(quarry_cleanup_remove);

/* --- For frees --- */

/* Take the lock; in an NMI, which may have interrupted its holder, only try it. */
static __always_inline bool try_lock(void)
{
	if (unlikely(in_nmi())) {
		if (!raw_spin_trylock(&qr_cleanups_lock))
			return false;
	} else {
		raw_spin_lock(&qr_cleanups_lock);
	}
	__release(&qr_cleanups_lock); /* for sparse; cleanups_lock() tells it the truth */
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
			qr_cleanups_change(slab);
		}
	} else if (row >= 0 && slab->cleanups[row]) {
		what = QR_MISUSE_DOUBLE_FREE;
	}
	raw_spin_unlock(&qr_cleanups_lock);
	return what;
}

/* The list begins with the cleanup that was added last, so it is reversed first. */
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
		last = NULL;
		if (unlikely(new->cleanups[new_row]))
			for (last = first; last->next; last = last->next)
				;
		detach(slab, row);
		attach(new, new_row, first, last);
	}
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cleanups_move);
