// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas: allocation, marks and giving up.  arena_life.c creates and destroys arenas.
 *
 * Sampling: an arena draws the distance to its next sample from an exponential distribution
 * over bytes.  The object in whose bytes the sample lies is sampled.  So the fast path needs
 * nothing but a limit, and an object of s bytes is sampled with probability
 * 1 - exp(-s / rate), whatever was allocated before it.  Only bytes that are given to objects
 * count: the distance stays the same at the end of a block and when the arena goes back.  If it
 * were drawn anew at the end of a block, the object that did not fit would have two chances.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "api/arena.h"

#include <linux/instruction_pointer.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include <trace/events/quarry.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/caller.h"
#include "core/limit.h"
#include "slab/misuse.h"
#include "profile/draw.h"

/* Distance to the next sample in bytes while sampling is off. */
#define NEVER BIT_ULL(62)

/*
 * An object that does not fit into the block at hand gets pages of its own, not a new block, if
 * it has more pages than the arena's largest block divided by this.
 */
#define OWN_SHARE 4

static atomic_t turn; /* picks the next node for QUARRY_NODE_INTERLEAVE */

atomic64_t qr_arena_failed, qr_arena_fallbacks;

/* --- The next sample --- */

/* Bytes that may still be given to objects before one is sampled. */
static u64 distance(const struct qr_arena *a)
{
	return a->pub.limit - a->pub.next + a->ahead;
}

static void set_distance(struct qr_arena *a, u64 bytes)
{
	u64 room = min_t(u64, a->end - a->pub.next, bytes);

	a->pub.limit = a->pub.next + room;
	a->ahead = bytes - room;
}

static u32 rate_of(const struct qr_arena *a)
{
	return a->no_sample ? 0 : READ_ONCE(qr_default_rate);
}

/* Draw a new distance at the present rate: bytes, a multiple of 8.  Interrupts off. */
static u64 draw(struct qr_arena *a)
{
	bool drawn = false;
	u64 bytes = 0;

	a->rate = rate_of(a);
	if (!a->rate)
		return NEVER;
	while (!drawn)
		bytes += (u64)qr_draw(a->rate, QR_MIN_OBJECT, &drawn) * QR_MIN_OBJECT;
	return bytes;
}

void qr_arena_draw_first(struct qr_arena *a)
{
	unsigned long flags;

	local_irq_save(flags);
	set_distance(a, draw(a));
	local_irq_restore(flags);
}

/* --- Blocks --- */

/* Get pages for an object of @size bytes: a new block, or pages of its own.  May be NULL. */
static struct qr_slab *block_get(struct qr_arena *a, size_t size, gfp_t gfp)
{
	unsigned int least = DIV_ROUND_UP(size, PAGE_SIZE);
	bool own = least > a->most / OWN_SHARE && least > 1;
	struct qr_slab *block;
	int node = a->node;

	if (a->policy == QUARRY_NODE_FIXED)
		gfp |= __GFP_THISNODE;
	else
		node = qr_call_node(a->policy == QUARRY_NODE_INTERLEAVE ? QUARRY_CALL_INTERLEAVE :
									  QUARRY_CALL_LOCAL,
				    &turn);
	if (own)
		block = qr_slab_create_large(least, 1, node, gfp);
	else
		block = qr_slab_create_block(max(a->grow, least), least, node, gfp);
	if (!block)
		return NULL;
	trace_slab_get(a->name, block->base, block->run.nr, block->run.chunk->node);
	if (page_to_nid(virt_to_page(block->base)) != node)
		atomic64_inc(&qr_arena_fallbacks);
	block->start = 0;
	/* What is left of pages from the emergency reserves is not for later objects. */
	block->length = own || block->run.access ? size : 0;
	WRITE_ONCE(block->bin, QR_ARENA_BLOCK);
	return block;
}

/*
 * Append @block to the arena's blocks and place an object of @size bytes at its beginning.
 * Returns the object's address.  With the arena's lock held.
 */
static unsigned long block_add(struct qr_arena *a, struct qr_slab *block, size_t size)
{
	a->changes++;
	block->start = qr_arena_offset(a);
	list_add_tail(&block->link, &a->blocks);
	if (block == a->spare) {
		a->spare = NULL;
	} else {
		a->nr_blocks++;
		a->nr_pages += block->run.nr;
	}
	if (block->length) {
		a->start += block->length;
	} else {
		a->start = block->start;
		a->base = (unsigned long)block->base;
		a->end = a->base + qr_slab_bytes(block);
		WRITE_ONCE(a->pub.next, a->base + size);
		a->grow = clamp(2 * block->run.nr, a->grow, a->most);
	}
	return (unsigned long)block->base;
}

/*
 * Take @block from the arena's blocks.  The larger of it and the spare block becomes the spare
 * block, the other one goes to @doomed.  Pages of a single object always go to @doomed.  With
 * the arena's lock held.
 */
static void block_drop(struct qr_arena *a, struct qr_slab *block, struct list_head *doomed)
{
	a->changes++;
	list_del_init(&block->link);
	if (!block->length && (!a->spare || a->spare->run.nr < block->run.nr))
		swap(a->spare, block);
	if (!block)
		return;
	a->nr_blocks--;
	a->nr_pages -= block->run.nr;
	list_add_tail(&block->link, doomed);
}

/*
 * Blocks were taken from the end.  The block at hand becomes the last one that is not the pages
 * of a single object, and the next object goes to @offset.  With the arena's lock held.
 */
static void block_go_back(struct qr_arena *a, u64 offset)
{
	struct qr_slab *block;
	u64 behind = 0;

	a->start = 0;
	a->base = 0;
	a->end = 0;
	list_for_each_entry_reverse(block, &a->blocks, link) {
		if (block->length) {
			behind += block->length;
			continue;
		}
		a->start = block->start;
		a->base = (unsigned long)block->base;
		a->end = a->base + qr_slab_bytes(block);
		break;
	}
	a->start += behind;
	/* Clamp: a dead mark that was accepted by mistake must do no harm. */
	WRITE_ONCE(a->pub.next,
		   a->base + (offset > a->start ? min_t(u64, offset - a->start, a->end - a->base) :
						  0));
}

/* For init_on_free: zero all blocks that begin at @offset or behind it. */
static void wipe_blocks(struct qr_arena *a, u64 offset)
{
	struct qr_slab *block;

	list_for_each_entry_reverse(block, &a->blocks, link) {
		if (block->start < offset)
			break;
		memset(block->base, 0, qr_slab_bytes(block));
	}
}

void qr_arena_cut(struct qr_arena *a, u64 offset)
{
	unsigned long was_base = a->base, was_next = a->pub.next, flags;
	struct qr_slab *block, *before;
	LIST_HEAD(doomed);
	u64 bytes;

	qr_arena_samples_cut(&a->samples, offset);
	if (qr_want_wipe())
		wipe_blocks(a, offset);

	raw_spin_lock_irqsave(&a->lock, flags);
	a->peak = max(a->peak, qr_arena_offset(a));
	bytes = distance(a);
	list_for_each_entry_safe_reverse(block, before, &a->blocks, link) {
		if (block->start < offset)
			break;
		block_drop(a, block, &doomed);
	}
	block_go_back(a, offset);
	if (unlikely(a->rate != rate_of(a)))
		bytes = draw(a);
	set_distance(a, bytes);
	raw_spin_unlock_irqrestore(&a->lock, flags);

	if (qr_want_wipe())
		memset((void *)a->pub.next, 0,
		       (a->base == was_base ? was_next : a->end) - a->pub.next);
	list_for_each_entry_safe(block, before, &doomed, link)
		qr_slab_destroy(block);
}

/* --- Allocation --- */

static void *refuse(const struct qr_arena *a, size_t size, gfp_t gfp)
{
	atomic64_inc(&qr_arena_failed);
	if ((gfp & __GFP_NOWARN) && !(gfp & __GFP_NOFAIL))
		return NULL;
	if (size > QUARRY_MAX_LARGE)
		pr_warn_ratelimited("refused %zu bytes to %s, arena %s, gfp %pGg: more than %lu MiB\n",
				    size, qr_caller_name(0), a->name, &gfp, QUARRY_MAX_LARGE >> 20);
	else
		qr_limit_refused("arena", a->name, NULL, 1, size, gfp);
	return NULL;
}

static noinline void sample(struct qr_arena *a, const void *p, size_t given, size_t asked, u32 rate,
			    u64 offset, gfp_t gfp, unsigned long ip)
{
	const struct qr_sampled what = {
		.ptr = p,
		.cache = a->id,
		.name = a->name,
		.node = page_to_nid(virt_to_page(p)),
		.size = given,
		.asked = asked,
		.weight = qr_weight(rate, given),
		.ip = ip,
	};

	a->sampled = true;
	qr_arena_samples_add(&a->samples, &what, offset, gfp);
}

/* Allocate @size bytes; @align is in bytes, a power of two from 8 to a page. */
static void *alloc(struct qr_arena *a, size_t align, size_t size, gfp_t gfp, unsigned long ip)
{
	size_t given = ALIGN(max(size, 1UL), QR_MIN_OBJECT);
	struct qr_slab *block = NULL;
	unsigned long p, flags;
	u64 bytes, offset;
	u32 rate;
	bool due;

	might_alloc(gfp);
	if (size > QUARRY_MAX_LARGE || in_nmi())
		return refuse(a, size, gfp);
	p = ALIGN(a->pub.next, align);
	if (p > a->end || given > a->end - p) {
		block = a->spare && qr_slab_bytes(a->spare) >= given ? a->spare :
								       block_get(a, given, gfp);
		if (!block)
			return refuse(a, size, gfp);
	}

	raw_spin_lock_irqsave(&a->lock, flags);
	bytes = distance(a);
	rate = a->rate;
	due = bytes < given;
	if (block)
		p = block_add(a, block, given);
	else
		WRITE_ONCE(a->pub.next, p + given);
	offset = qr_arena_offset(a) - given;
	/* A sample that is due keeps the rate it was drawn at.  A new rate draws anew. */
	if (due || unlikely(rate != rate_of(a)))
		bytes = draw(a);
	else
		bytes -= given;
	set_distance(a, bytes);
	raw_spin_unlock_irqrestore(&a->lock, flags);

	if (due && a->rate) /* unless sampling was just turned off */
		sample(a, (void *)p, given, size, rate, offset, gfp, ip);
	if (qr_want_zero(gfp))
		memset((void *)p, 0, given);
	return (void *)p;
}

void *qr_arena_alloc_slow(struct quarry_arena *arena, size_t size, gfp_t gfp)
{
	return alloc(qr_arena_of(arena), QR_MIN_OBJECT, size, gfp, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(qr_arena_alloc_slow);

/**
 * quarry_arena_alloc_aligned() - allocate memory from an arena with a given alignment
 * @arena: as for quarry_arena_alloc()
 * @align: alignment in bytes, a power of two up to a page
 * @size: bytes, as for quarry_arena_alloc()
 * @gfp: as for quarry_arena_alloc()
 *
 * The arena's policy decides which node its blocks come from.
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the memory, or NULL if there is none, @size is too large, or @align is not a power
 * of two or too large; a bad @align is logged.
 */
void *quarry_arena_alloc_aligned(struct quarry_arena *arena, size_t align, size_t size, gfp_t gfp)
{
	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp))
		return qr_zone_refused(gfp);
	if (!is_power_of_2(align) || align > PAGE_SIZE) {
		pr_warn_ratelimited("no memory of an arena is aligned to %zu bytes, from %s\n",
				    align, qr_caller_name(_RET_IP_));
		return NULL;
	}
	return alloc(qr_arena_of(arena), max_t(size_t, align, QR_MIN_OBJECT), size, gfp, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_arena_alloc_aligned);

/* --- Marks and giving up --- */

/**
 * quarry_arena_mark() - remember how much of an arena is allocated
 * @arena: from quarry_arena_create()
 *
 * An arena may have any number of marks, and they nest.
 *
 * Context: process, softirq, hardirq.  The caller is the arena's only user.
 * Return: the mark, for quarry_arena_release().
 */
struct quarry_arena_mark quarry_arena_mark(struct quarry_arena *arena)
{
	struct qr_arena *a = qr_arena_of(arena);

	return (struct quarry_arena_mark){
		.offset = qr_arena_offset(a),
		.serial = qr_mark_new(&a->marks),
		.arena = a->id,
	};
}
EXPORT_SYMBOL_QUARRY(quarry_arena_mark);

/**
 * quarry_arena_release() - give up everything that was allocated since a mark
 * @arena: from quarry_arena_create()
 * @mark: from quarry_arena_mark() of the same arena
 *
 * The memory is zeroed if init_on_free is on.  The mark and all marks that were made after it
 * are dead from now on; marks that were made before it stay valid.  The blocks go back to the
 * page heap, except that one may be kept, see quarry_arena_reset().  The call takes time for
 * each block that goes and for each sample, not for each object.
 *
 * A mark that is dead or from another arena is reported, once for each caller, and nothing
 * changes.  A valid mark is always accepted.  A dead mark may be accepted by mistake if the
 * arena has since been released to 32 higher places and what was allocated behind each of them
 * was kept.
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: 0, or -EINVAL if the mark is not valid.
 */
int quarry_arena_release(struct quarry_arena *arena, const struct quarry_arena_mark *mark)
{
	struct qr_arena *a = qr_arena_of(arena);
	const struct quarry_arena_mark m = *mark;

	if (unlikely(m.arena != a->id) || unlikely(m.offset > qr_arena_offset(a)) ||
	    unlikely(!qr_mark_is_live(&a->marks, m.offset, m.serial))) {
		qr_report(QR_MISUSE_STALE_MARK, arena, a->name, NULL, _RET_IP_);
		return -EINVAL;
	}
	qr_arena_cut(a, m.offset);
	qr_mark_release(&a->marks, m.offset, m.serial);
	return 0;
}
EXPORT_SYMBOL_QUARRY(quarry_arena_release);

/**
 * quarry_arena_reset() - give up everything that an arena has allocated
 * @arena: from quarry_arena_create()
 *
 * Works like a release to a mark from before the first allocation.  All marks are dead
 * afterwards.  The arena keeps one block, of at most the size of its largest block; all others
 * go back to the page heap.
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 */
void quarry_arena_reset(struct quarry_arena *arena)
{
	struct qr_arena *a = qr_arena_of(arena);

	qr_arena_cut(a, 0);
	qr_marks_reset(&a->marks);
}
EXPORT_SYMBOL_QUARRY(quarry_arena_reset);
