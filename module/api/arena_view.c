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

static u64 validate_block(const struct qr_arena *a, const struct qr_slab *block,
			  struct quarry_validation *v)
{
	unsigned int i;

	if (block->bin != QR_ARENA_BLOCK || block->cache || block->depot || block->samples.at)
		qr_invalid(v, "arena %s: block %p is something else", a->name, block->base);
	for (i = 0; i < block->run.nr; i++)
		if (qr_slab_of(block->base + ((size_t)i << PAGE_SHIFT)) != block)
			qr_invalid(v, "arena %s: block %p does not own page %u", a->name,
				   block->base, i);
	return block->run.nr;
}

static void validate_arena(const struct qr_arena *a, struct quarry_validation *v)
{
	const unsigned long next = a->pub.next, limit = a->pub.limit;
	const struct qr_slab *block, *at_hand = NULL;
	u64 pages = 0, blocks = 0, last = 0;

	list_for_each_entry(block, &a->blocks, link) {
		pages += validate_block(a, block, v);
		blocks++;
		if (block->start < last)
			qr_invalid(v, "arena %s: block %p is not in its place", a->name,
				   block->base);
		last = block->start + block->length;
		if (!block->length)
			at_hand = block;
	}
	if (a->spare) {
		pages += validate_block(a, a->spare, v);
		blocks++;
	}
	if (pages != a->nr_pages || blocks != a->nr_blocks)
		qr_invalid(v, "arena %s: %llu blocks of %llu pages, %llu of %llu counted", a->name,
			   blocks, pages, a->nr_blocks, a->nr_pages);
	if (at_hand ? a->base != (unsigned long)at_hand->base : a->base)
		qr_invalid(v, "arena %s: the block at hand is not its last", a->name);
	if (next < a->base || limit < next || a->end < limit || (next | limit) % QR_MIN_OBJECT ||
	    qr_arena_offset(a) < last)
		qr_invalid(v, "arena %s: block from %lx to %lx, next object at %lx, limit %lx",
			   a->name, a->base, a->end, next, limit);
}

void qr_arenas_validate(struct quarry_validation *v)
{
	const struct qr_arena *a;

	list_for_each_entry(a, &qr_arenas, link)
		validate_arena(a, v);
}
