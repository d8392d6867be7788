// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas.
 *
 * An allocation is sampled if the next sample lies within its bytes; how far away that is, is
 * drawn from an exponential in bytes, so a limit for the fast path is all that it takes, and an
 * object of s bytes is sampled with probability 1 - exp(-s / rate), whatever comes before it. Only
 * bytes that are given to objects count: where a block ends, or the arena goes back, the
 * distance stays what it was.  Were it drawn anew at the end of a block, the object that did
 * not fit would have two chances.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "api/arena.h"

#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include <trace/events/quarry.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/metadata.h"
#include "core/misuse.h"
#include "profile/bucket.h"
#include "profile/draw.h"

/* The next sample is that far away when there is to be none. */
#define NEVER BIT_ULL(62)

/* An object over that share of the largest block has pages of its own rather than a new block. */
#define OWN_SHARE 4

DEFINE_MUTEX(qr_arenas_lock); /* the list, and that each on it exists */
LIST_HEAD(qr_arenas);
static atomic_t turn; /* of nodes, for QUARRY_NODE_INTERLEAVE */

atomic64_t qr_arena_failed, qr_arena_fallbacks;

/* --- The next sample --- */

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

/* At whatever the rate is now; a multiple of 8.  Interrupts off. */
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

/* --- Blocks --- */

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
	block->length = own ? size : 0;
	WRITE_ONCE(block->bin, QR_ARENA_BLOCK);
	return block;
}

/* It comes, and has @size bytes for an object.  Returns where.  Under the lock. */
static unsigned long block_add(struct qr_arena *a, struct qr_slab *block, size_t size)
{
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

/* One that goes is the spare one, or goes to @doomed.  Under the lock. */
static void block_drop(struct qr_arena *a, struct qr_slab *block, struct list_head *doomed)
{
	list_del_init(&block->link);
	if (!block->length && (!a->spare || a->spare->run.nr < block->run.nr))
		swap(a->spare, block);
	if (!block)
		return;
	a->nr_blocks--;
	a->nr_pages -= block->run.nr;
	list_add_tail(&block->link, doomed);
}

/* The block at hand is the last that is not one object, and @offset is where we are in it. */
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
	/* A mark that should not have been found good must do no harm here. */
	WRITE_ONCE(a->pub.next,
		   a->base + (offset > a->start ? min_t(u64, offset - a->start, a->end - a->base) :
						  0));
}

/* Nothing of what is at @offset and behind shall be readable.  Blocks that go, whole. */
static void wipe_blocks(struct qr_arena *a, u64 offset)
{
	struct qr_slab *block;

	list_for_each_entry_reverse(block, &a->blocks, link) {
		if (block->start < offset)
			break;
		memset(block->base, 0, qr_slab_bytes(block));
	}
}

/* Give up what was allocated at @offset and behind. */
static void cut(struct qr_arena *a, u64 offset)
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
	if (!(gfp & __GFP_NOWARN) || (gfp & __GFP_NOFAIL))
		pr_warn_ratelimited("arena %s: %s for %zu bytes, gfp %pGg\n", a->name,
				    size > QUARRY_MAX_LARGE ?
					    "too much" :
				    qr_limit_is_full(&qr_limit_all, 1) ?
					    "Quarry's hard limit leaves no memory" :
					    "no memory",
				    size, &gfp);
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

/* @align: bytes, a power of two from 8 to a page. */
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
	/* What is due was drawn at the old rate, and what is not is not by that. */
	if (due || unlikely(rate != rate_of(a)))
		bytes = draw(a);
	else
		bytes -= given;
	set_distance(a, bytes);
	raw_spin_unlock_irqrestore(&a->lock, flags);

	if (due && a->rate) /* it may have been turned off */
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
 * quarry_arena_alloc_aligned() - allocate memory of an arena at a multiple of a power of two
 * @arena: as for quarry_arena_alloc()
 * @align: bytes, a power of two up to a page
 * @size: as for quarry_arena_alloc()
 * @gfp: likewise
 *
 * Context: process, softirq, hardirq; not NMI.  The caller is the arena's only user.
 * Return: the memory, or NULL when it could not be had, @size is too large, or @align is no
 * power of two or too large; the latter is logged.
 */
void *quarry_arena_alloc_aligned(struct quarry_arena *arena, size_t align, size_t size, gfp_t gfp)
{
	qr_check_gfp(gfp);
	if (!is_power_of_2(align) || align > PAGE_SIZE) {
		pr_warn_ratelimited("no memory of an arena is aligned to %zu bytes, from %pS\n",
				    align, (void *)_RET_IP_);
		return NULL;
	}
	return alloc(qr_arena_of(arena), max_t(size_t, align, QR_MIN_OBJECT), size, gfp, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_arena_alloc_aligned);

/* --- Marks --- */

/**
 * quarry_arena_mark() - remember how much of an arena is allocated
 * @arena: from quarry_arena_create()
 *
 * Marks nest: there may be any number of them.
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
 * quarry_arena_release() - give up what was allocated since a mark
 * @arena: from quarry_arena_create()
 * @mark: from quarry_arena_mark() of the same arena
 *
 * All that was allocated since is gone, and zeroed if init_on_free says so.  The mark can be
 * used once; marks that were made after it die with it, those from before stay good.  Blocks
 * go back to the page heap, but for one, see quarry_arena_reset().  It takes time for each
 * block that goes and for each sample, not for each object.
 *
 * A mark that is not good (any more), or another arena's, is reported once for each caller, and
 * nothing changes.  One that has been dead for long may not be recognised: when the arena has
 * since been released to 32 places further on, and what was allocated behind each of them was
 * kept.
 *
 * Context: process, softirq, hardirq.  The caller is the arena's only user.
 * Return: 0, or -EINVAL for a mark that is not good.
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
	cut(a, m.offset);
	qr_mark_release(&a->marks, m.offset, m.serial);
	return 0;
}
EXPORT_SYMBOL_QUARRY(quarry_arena_release);

/* --- The life of an arena --- */

/**
 * quarry_arena_reset() - give up all that an arena has allocated
 * @arena: from quarry_arena_create()
 *
 * As a release to a mark from before the first allocation; no mark survives it.  One block is
 * kept, of at most the size of the largest that the arena may have; all others go back to the
 * page heap.
 *
 * Context: process, softirq, hardirq.  The caller is the arena's only user.
 */
void quarry_arena_reset(struct quarry_arena *arena)
{
	struct qr_arena *a = qr_arena_of(arena);

	cut(a, 0);
	qr_marks_reset(&a->marks);
}
EXPORT_SYMBOL_QUARRY(quarry_arena_reset);

static struct quarry_arena *refuse_arena(const char *name, const char *why)
{
	pr_err("arena %s not created: %s\n", name && *name ? name : "(no name)", why);
	return NULL;
}

/**
 * quarry_arena_create() - make an arena
 * @name: for people and in profiles; copied, cut to 47 bytes.  Need not be unique
 * @args: what is out of the ordinary, or NULL
 *
 * It has no pages until something is allocated.  The first block is one page, and each has
 * twice the pages of the one before, up to the largest.  An object that does not fit into what
 * is left of a block and is over a quarter of the largest one has pages of its own.
 *
 * Context: process; sleeps.
 * Return: the arena, or NULL.  Bad arguments are explained in the log.
 */
struct quarry_arena *quarry_arena_create(const char *name, const struct quarry_arena_args *args)
{
	static const struct quarry_arena_args plain;
	struct qr_arena *a;
	unsigned long flags;

	might_sleep();
	if (!args)
		args = &plain;
	if (!name || !*name)
		return refuse_arena(name, "it needs a name");
	if (args->block > QUARRY_ARENA_MAX_BLOCK)
		return refuse_arena(name, "blocks are up to 2 MiB");
	if (args->flags & ~QUARRY_NO_SAMPLE)
		return refuse_arena(name, "unknown flags");
	if (args->policy > QUARRY_NODE_INTERLEAVE)
		return refuse_arena(name, "unknown node policy");
	if (args->policy == QUARRY_NODE_FIXED &&
	    (args->node < 0 || args->node >= nr_node_ids || !node_isset(args->node, qr_nodes)))
		return refuse_arena(name, "its node has no memory");

	a = qr_meta_alloc(sizeof(*a), GFP_KERNEL, NUMA_NO_NODE);
	if (!a)
		return refuse_arena(name, "no memory");
	if (qr_cache_id_get(&a->id)) {
		qr_meta_free(a, sizeof(*a));
		return refuse_arena(name, "no memory for its number");
	}
	a->grow = 1;
	a->most = DIV_ROUND_UP(args->block ?: QUARRY_ARENA_BLOCK, PAGE_SIZE);
	a->no_sample = args->flags & QUARRY_NO_SAMPLE;
	a->policy = args->policy;
	a->node = args->node;
	raw_spin_lock_init(&a->lock);
	INIT_LIST_HEAD(&a->blocks);
	qr_arena_samples_init(&a->samples);
	strscpy(a->name, name, sizeof(a->name));
	local_irq_save(flags);
	set_distance(a, draw(a));
	local_irq_restore(flags);
	mutex_lock(&qr_arenas_lock);
	list_add_tail(&a->link, &qr_arenas);
	mutex_unlock(&qr_arenas_lock);
	return &a->pub;
}
EXPORT_SYMBOL_QUARRY(quarry_arena_create);

static void destroy(struct qr_arena *a)
{
	mutex_lock(&qr_arenas_lock);
	list_del(&a->link);
	mutex_unlock(&qr_arenas_lock);
	cut(a, 0);
	if (a->spare)
		qr_slab_destroy(a->spare);
	qr_arena_samples_exit(&a->samples);
	qr_cache_id_put(a->id);
	if (a->sampled)
		qr_profile_cache_gone(a->id);
	qr_meta_free(a, sizeof(*a));
}

/**
 * quarry_arena_destroy() - destroy an arena and all that is allocated in it
 * @arena: from quarry_arena_create(), or NULL.  Nobody uses it any more
 *
 * It takes time for each block and for each sample, not for each object.
 *
 * Context: process; sleeps.
 */
void quarry_arena_destroy(struct quarry_arena *arena)
{
	might_sleep();
	if (arena)
		destroy(qr_arena_of(arena));
}
EXPORT_SYMBOL_QUARRY(quarry_arena_destroy);

void qr_arenas_exit(void)
{
	struct qr_arena *a, *next;

	list_for_each_entry_safe(a, next, &qr_arenas, link) {
		pr_warn("arena %s: never destroyed, %llu bytes allocated\n", a->name,
			qr_arena_offset(a));
		destroy(a);
	}
}
