// SPDX-License-Identifier: GPL-2.0
/*
 * Reserves.
 *
 * A reserve is a list of blocks.  A block has places for objects and a count of the objects in
 * it.  A taker first decrements the count.  That entitles it to one object: one of the places
 * holds an object for it, whoever else takes objects meanwhile.  There is no lock, so a reserve
 * can be used by interrupts and NMIs that arrive in the middle of any operation.
 *
 * The statistics and the profile show an object that leaves a reserve as freed by the client
 * that filled the reserve, and as allocated by the client that takes the object.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <quarry/quarry.h>

#include <linux/atomic.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/caller.h"
#include "core/metadata.h"
#include "core/task_count.h"
#include "slab/sizeclass.h"

/* Most places of a block: a block then fills whole pages, but only a few. */
#define BLOCK_MAX 2040U
/* Objects that are allocated at a time while a reserve is filled. */
#define UNIT	  16U

/**
 * struct qr_reserve_block - a part of a reserve
 * @next: the block that was added before this one, or NULL
 * @cache: the cache that the objects are from
 * @places: entries of @obj
 * @left: objects in this block that no taker has claimed yet
 * @obj: the objects; NULL marks a free place
 *
 * A block exists until the reserve is returned.
 */
struct qr_reserve_block {
	struct qr_reserve_block *next;
	struct qr_cache *cache;
	unsigned int places;
	atomic_t left;
	void *obj[];
};

static size_t block_bytes(unsigned int places)
{
	return struct_size_t(struct qr_reserve_block, obj, places);
}

static struct qr_reserve_block *first_block(const struct quarry_reserve *r)
{
	return smp_load_acquire(&r->blocks); /* pairs with add_block() */
}

static bool add_block(struct quarry_reserve *r, struct qr_cache *c, unsigned int n, gfp_t gfp)
{
	unsigned int places = min(n, BLOCK_MAX);
	struct qr_reserve_block *b = qr_meta_alloc(block_bytes(places), gfp, NUMA_NO_NODE);

	if (!b)
		return false;
	b->next = r->blocks;
	b->cache = c;
	b->places = places;
	smp_store_release(&r->blocks, b); /* pairs with first_block() */
	return true;
}

/*
 * Put @p into a free place, looking from *@place on.  False if there is none: a taker has
 * decremented the count but not yet taken its object.  Do not wait for it, because this context
 * may have interrupted it.
 */
static bool put(struct qr_reserve_block *b, void *p, unsigned int *place)
{
	unsigned int i;

	for (i = 0; i < b->places; i++) {
		if (!cmpxchg(&b->obj[*place], NULL, p)) {
			atomic_inc(&b->left); /* only now may it be taken */
			return true;
		}
		*place = (*place + 1) % b->places;
	}
	return false;
}

/* Add up to @n objects, as far as the block has room.  Returns how many, or -ENOMEM. */
static int fill_block(struct qr_reserve_block *b, unsigned int n, size_t asked, gfp_t gfp,
		      unsigned long ip)
{
	unsigned int left = atomic_read(&b->left), place = left % b->places, done = 0;
	void *objs[UNIT];

	n = min(n, b->places - left);
	while (done < n) {
		unsigned int k = min(n - done, UNIT), i;

		if (!qr_bulk_alloc(b->cache, gfp, asked, k, objs, ip))
			return -ENOMEM;
		for (i = 0; i < k && put(b, objs[i], &place); i++)
			done++;
		if (i < k) {
			quarry_cache_free_bulk(&b->cache->pub, k - i, objs + i);
			break;
		}
	}
	return done;
}

static int fill(struct quarry_reserve *r, struct qr_cache *c, size_t asked, unsigned int n,
		gfp_t gfp, unsigned long ip)
{
	unsigned int left = quarry_reserve_left(r), want;
	struct qr_reserve_block *b;
	int done;

	if (r->blocks && r->blocks->cache != c) {
		if (left) {
			pr_warn_ratelimited("reserve of %s asked to hold %s, from %s\n",
					    r->blocks->cache->name, c->name, qr_caller_name(ip));
			return -EINVAL;
		}
		quarry_reserve_return(r);
	}
	if (left >= n)
		return 0;
	/* Anyone may take an object from a reserve: it must not be from the kernel's reserves. */
	gfp = qr_gfp_humble(gfp);
	want = n - left;
	for (b = r->blocks; b && want; b = b->next) {
		done = fill_block(b, want, asked, gfp, ip);
		if (done < 0)
			return done;
		want -= done;
	}
	while (want) {
		if (!add_block(r, c, want, gfp))
			return -ENOMEM;
		done = fill_block(r->blocks, want, asked, gfp, ip);
		if (done < 0)
			return done;
		want -= done;
	}
	return 0;
}

static bool is_sane(const struct quarry_reserve *r, const void *of, unsigned int n,
		    unsigned long ip)
{
	if (likely(r && of && n <= QUARRY_RESERVE_MAX))
		return true;
	pr_warn_ratelimited("reserve not filled with %u objects, from %s: %s\n", n,
			    qr_caller_name(ip),
			    r && of ? "too many" : "no reserve, or nothing to fill it with");
	return false;
}

/**
 * quarry_reserve_fill() - fill a reserve up to a number of objects
 * @r: the reserve; a zeroed struct is an empty one
 * @cache: the cache to allocate from.  The reserve must be empty or hold objects of this cache
 * @n: number of objects that the reserve holds afterwards, up to QUARRY_RESERVE_MAX; a reserve
 *	that holds more is left as it is
 * @gfp: as for quarry_cache_alloc().  With __GFP_ZERO the added objects are zeroed.  The kernel's
 *	emergency reserves are not used
 *
 * The objects normally come from this CPU's node.  Other contexts may take objects meanwhile,
 * but only one at a time may fill or return the reserve.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: 0; -ENOMEM if there is not enough memory, and the reserve then holds what it held
 * before and what could be added; -EINVAL, which is logged, if an argument is NULL, @n is too
 * large or the reserve holds objects of another cache.
 */
int quarry_reserve_fill(struct quarry_reserve *r, struct quarry_cache *cache, unsigned int n,
			gfp_t gfp)
{
	struct qr_cache *c;

	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp) && !qr_zone_refused(gfp))
		return -EINVAL;
	if (!is_sane(r, cache, n, _RET_IP_))
		return -EINVAL;
	c = qr_cache_of(cache);
	return fill(r, c, c->asked, n, gfp, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_reserve_fill);

/**
 * quarry_reserve_fill_size() - fill a reserve with memory as from quarry_malloc()
 * @r: the reserve; a zeroed struct is an empty one
 * @size: bytes of each object, up to QUARRY_MAX_SMALL.  The reserve must be empty or hold
 *	objects of the same size class
 * @n: as for quarry_reserve_fill()
 * @gfp: as for quarry_reserve_fill()
 *
 * Nodes and concurrent use are as for quarry_reserve_fill().  Objects that are taken are freed
 * by quarry_free().
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: as quarry_reserve_fill(); -EINVAL, which is logged, also if @size is too large.
 */
int quarry_reserve_fill_size(struct quarry_reserve *r, size_t size, unsigned int n, gfp_t gfp)
{
	struct quarry_cache *cache;

	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp) && !qr_zone_refused(gfp))
		return -EINVAL;
	if (size > QUARRY_MAX_SMALL) {
		pr_warn_ratelimited("reserve not filled with objects of %zu bytes, from %s: the most is %lu\n",
				    size, qr_caller_name(_RET_IP_),
				    (unsigned long)QUARRY_MAX_SMALL);
		return -EINVAL;
	}
	cache = qr_class_cache[qr_class_for(size)];
	if (!is_sane(r, cache, n, _RET_IP_))
		return -EINVAL;
	return fill(r, qr_cache_of(cache), size, n, gfp, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_reserve_fill_size);

/* Take an object after @b->left was decremented: some place, from @place down, holds it. */
static void *take(struct qr_reserve_block *b, unsigned int place)
{
	void *p;

	for (;;) {
		p = xchg(&b->obj[place], NULL);
		if (likely(p))
			return p;
		place = (place ?: b->places) - 1;
	}
}

/* Count the object, and move its sample, from the client that filled the reserve to the taker. */
static void hand_on(struct qr_cache *c, void *p, unsigned long ip)
{
	struct qr_slab *slab = qr_slab_of(p);
	struct qr_sampled what = {
		.ptr = p,
		.cache = c->id,
		.name = c->name,
		.node = slab->run.chunk->node,
		.size = c->pub.size,
		.ip = ip,
	};

	atomic64_inc(&c->handed_on);
	qr_count_alloc();
	/* Not in NMI, which must not wait for the profiler's lock. */
	if (unlikely(slab->samples.at) && !in_nmi())
		qr_profile_handed_on(&slab->samples, qr_slab_index(slab, p), &what,
				     GFP_NOWAIT | __GFP_NOWARN);
}

/**
 * quarry_reserve_alloc() - take an object from a reserve
 * @r: the reserve
 *
 * The object normally comes from the node of the CPU that filled the reserve.  It is freed like
 * any object of its cache.  From now on the profile shows it as allocated by the caller; in NMI
 * it stays with the client that filled the reserve.
 *
 * Context: any, NMI included, on several CPUs at a time; never sleeps.
 * Return: the object, or NULL if the reserve is empty.
 */
void *quarry_reserve_alloc(struct quarry_reserve *r)
{
	struct qr_reserve_block *b;
	int left;
	void *p;

	for (b = r ? first_block(r) : NULL; b; b = b->next) {
		left = atomic_dec_if_positive(&b->left);
		if (left < 0)
			continue;
		p = take(b, left);
		hand_on(b->cache, p, _RET_IP_);
		return p;
	}
	return NULL;
}
EXPORT_SYMBOL_QUARRY(quarry_reserve_alloc);

/**
 * quarry_reserve_left() - how many objects a reserve holds
 * @r: the reserve
 *
 * Context: any.
 * Return: number of objects; other contexts may take some at the same time.
 */
unsigned int quarry_reserve_left(const struct quarry_reserve *r)
{
	const struct qr_reserve_block *b;
	unsigned int left = 0;

	for (b = r ? first_block(r) : NULL; b; b = b->next)
		left += atomic_read(&b->left);
	return left;
}
EXPORT_SYMBOL_QUARRY(quarry_reserve_left);

/**
 * quarry_reserve_return() - free the objects that are left in a reserve
 * @r: the reserve, or NULL.  No other context may use it meanwhile
 *
 * The reserve is empty afterwards and can be filled again.  Return a reserve before its cache
 * is destroyed.  Objects of another node are sent back to that node.
 *
 * Context: process, softirq, hardirq; not NMI.
 */
void quarry_reserve_return(struct quarry_reserve *r)
{
	struct qr_reserve_block *b, *next;
	unsigned int i;

	for (b = r ? r->blocks : NULL; b; b = next) {
		next = b->next;
		for (i = 0; i < b->places; i++)
			if (b->obj[i])
				quarry_cache_free(&b->cache->pub, b->obj[i]);
		qr_meta_free(b, block_bytes(b->places));
	}
	if (r)
		r->blocks = NULL;
}
EXPORT_SYMBOL_QUARRY(quarry_reserve_return);
