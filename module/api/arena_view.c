// SPDX-License-Identifier: GPL-2.0
/* What observers see of arenas: statistics, sampled objects and checks. */
#include "api/arena_view.h"

#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "compat.h"

static void read_stats(struct qr_arena *a, struct quarry_arena_stats *st)
{
	unsigned long flags;

	strscpy(st->name, a->name, sizeof(st->name));
	st->id = a->id;
	raw_spin_lock_irqsave(&a->lock, flags);
	st->blocks = a->nr_blocks;
	st->bytes = a->nr_pages << PAGE_SHIFT;
	st->live_bytes = qr_arena_offset(a);
	st->peak_bytes = max(a->peak, st->live_bytes);
	raw_spin_unlock_irqrestore(&a->lock, flags);
}

int qr_walk_arenas(qr_arena_fn fn, void *arg)
{
	struct quarry_arena_stats st;
	struct qr_arena *a;
	int err = 0;

	mutex_lock(&qr_arenas_lock);
	list_for_each_entry(a, &qr_arenas, link) {
		read_stats(a, &st);
		err = fn(&st, arg);
		if (err)
			break;
	}
	mutex_unlock(&qr_arenas_lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_walk_arenas);

static int walk_samples(struct qr_arena *a, qr_arena_object_fn fn, void *arg)
{
	struct qr_arena_sample o[QR_ARENA_SAMPLES_PART];
	unsigned int i, n;
	int err = 0;

	qr_arena_samples_rewind(&a->samples);
	while (!err && (n = qr_arena_samples_read(&a->samples, o)))
		for (i = 0; !err && i < n; i++)
			if (o[i].sample.site != U32_MAX)
				err = fn(a, &o[i], arg);
	return err;
}

int qr_walk_arena_samples(qr_arena_object_fn fn, void *arg)
{
	struct qr_arena *a;
	int err = 0;

	mutex_lock(&qr_arenas_lock);
	list_for_each_entry(a, &qr_arenas, link) {
		err = walk_samples(a, fn, arg);
		if (err)
			break;
		cond_resched();
	}
	mutex_unlock(&qr_arenas_lock);
	return err;
}

/* --- The walker --- */

static void validate_kind(const struct qr_arena *a, const struct qr_slab *block,
			  struct quarry_validation *v)
{
	if (block->bin != QR_ARENA_BLOCK || block->cache || block->depot || block->samples.at)
		qr_invalid(v, "arena %s: block %p is something else", a->name, block->base);
}

static void validate_pages(const struct qr_arena *a, const struct qr_slab *block, unsigned int from,
			   unsigned int to, struct quarry_validation *v)
{
	unsigned int i;

	for (i = from; i < to; i++)
		if (qr_slab_of(block->base + ((size_t)i << PAGE_SHIFT)) != block)
			qr_invalid(v, "arena %s: block %p does not own page %u", a->name,
				   block->base, i);
}

/* Add a block of the list. */
static void validate_place(const struct qr_arena *a, const struct qr_slab *block,
			   struct qr_arena_sums *sums, struct quarry_validation *v)
{
	sums->pages += block->run.nr;
	sums->blocks++;
	if (block->start < sums->last)
		qr_invalid(v, "arena %s: block %p is not in its place", a->name, block->base);
	sums->last = block->start + block->length;
	if (!block->length)
		sums->at_hand = block;
}

static void validate_sums(const struct qr_arena *a, const struct qr_arena_sums *sums,
			  struct quarry_validation *v)
{
	/* The arena's user raises @next without the lock, but never above @limit. */
	const unsigned long next = READ_ONCE(a->pub.next), limit = READ_ONCE(a->pub.limit);
	u64 pages = sums->pages + (a->spare ? a->spare->run.nr : 0);
	u64 blocks = sums->blocks + !!a->spare;

	if (pages != a->nr_pages || blocks != a->nr_blocks)
		qr_invalid(v, "arena %s: %llu blocks of %llu pages, %llu of %llu counted", a->name,
			   blocks, pages, a->nr_blocks, a->nr_pages);
	if (sums->at_hand ? a->base != (unsigned long)sums->at_hand->base : a->base)
		qr_invalid(v, "arena %s: the block at hand is not its last", a->name);
	if (next < a->base || limit < next || a->end < limit || (next | limit) % QR_MIN_OBJECT ||
	    qr_arena_offset(a) < sums->last)
		qr_invalid(v, "arena %s: block from %lx to %lx, next object at %lx, limit %lx",
			   a->name, a->base, a->end, next, limit);
}

static void validate_arena(const struct qr_arena *a, struct quarry_validation *v)
{
	struct qr_arena_sums sums = {};
	const struct qr_slab *block;

	list_for_each_entry(block, &a->blocks, link) {
		validate_kind(a, block, v);
		validate_pages(a, block, 0, block->run.nr, v);
		validate_place(a, block, &sums, v);
	}
	if (a->spare) {
		validate_kind(a, a->spare, v);
		validate_pages(a, a->spare, 0, a->spare->run.nr, v);
	}
	validate_sums(a, &sums, v);
}

void qr_arenas_validate(struct quarry_validation *v)
{
	const struct qr_arena *a;

	list_for_each_entry(a, &qr_arenas, link)
		validate_arena(a, v);
}

/* The arena with the least id from @id on, or NULL.  With qr_arenas_lock. */
static struct qr_arena *arena_from(u32 id)
{
	struct qr_arena *a, *least = NULL;

	list_for_each_entry(a, &qr_arenas, link)
		if (a->id >= id && (!least || a->id < least->id))
			least = a;
	return least;
}

bool qr_arena_next(u32 *id)
{
	const struct qr_arena *a;

	mutex_lock(&qr_arenas_lock);
	a = arena_from(*id);
	if (a)
		*id = a->id;
	mutex_unlock(&qr_arenas_lock);
	return a;
}

/* Pages whose owner is looked up while the lock is held, and blocks that are looked at. */
#define LOOK_PAGES  512U
#define LOOK_BLOCKS 64U

/* Look at some pages of the block at hand; goes on to the next block after the last of them. */
static void look_at_block(struct qr_arena *a, struct qr_arena_look *at, unsigned int *room,
			  struct quarry_validation *v)
{
	const struct qr_slab *block = at->block;
	unsigned int to = min(block->run.nr, at->page + *room);

	if (!at->page) {
		validate_kind(a, block, v);
		if (block != a->spare)
			validate_place(a, block, &at->sums, v);
	}
	validate_pages(a, block, at->page, to, v);
	*room -= to - at->page;
	at->page = to;
	if (to < block->run.nr)
		return;
	at->page = 0;
	if (block == a->spare)
		at->block = NULL;
	else if (list_is_last(&block->link, &a->blocks))
		at->block = a->spare;
	else
		at->block = list_next_entry(block, link);
}

static bool look_at(struct qr_arena *a, struct qr_arena_look *at, struct quarry_validation *v)
{
	unsigned int room = LOOK_PAGES, blocks = LOOK_BLOCKS;
	unsigned long flags;
	bool more;

	raw_spin_lock_irqsave(&a->lock, flags);
	if (!at->begun) {
		at->begun = true;
		at->changes = a->changes;
		at->block = list_first_entry_or_null(&a->blocks, struct qr_slab, link) ?: a->spare;
	}
	at->same = at->changes == a->changes;
	while (at->same && at->block && room && blocks--)
		look_at_block(a, at, &room, v);
	more = at->same && at->block;
	if (at->same && !more)
		validate_sums(a, &at->sums, v);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return more;
}

bool qr_arena_look(u32 id, struct qr_arena_look *at, struct quarry_validation *v)
{
	struct qr_arena *a;
	bool more = false;

	mutex_lock(&qr_arenas_lock);
	a = arena_from(id);
	if (a && a->id == id)
		more = look_at(a, at, v);
	else
		at->same = true; /* it was destroyed */
	mutex_unlock(&qr_arenas_lock);
	return more;
}
