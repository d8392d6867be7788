// SPDX-License-Identifier: GPL-2.0
/*
 * Reserves.
 *
 * A block has places for objects and a count of those that are taken up.  Who takes an
 * object counts it off first, which is a promise: there is one in some place, whoever
 * else takes.  Nothing is locked, so a reserve serves interrupts and NMIs that come in the
 * middle of anything.
 *
 * In the books an object that leaves a reserve is freed by who filled it and allocated by
 * who takes it.
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
#include "core/metadata.h"
#include "core/task_count.h"
#include "slab/sizeclass.h"

/* Objects that one block has places for: whole pages of the kernel's, few at a time. */
#define BLOCK_MAX 2040U
/* Objects that are allocated at a time. */
#define UNIT	  16U

/**
 * struct qr_reserve_block - a part of a reserve
 * @next: one that was made before
 * @cache: whose objects it has
 * @places: for so many
 * @left: so many are here, and promised to nobody
 * @obj: the objects; NULL where there is none
 *
 * It stays until the reserve is returned.
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
	return smp_load_acquire(&r->blocks); /* with what is in it: see add_block() */
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
	smp_store_release(&r->blocks, b); /* for first_block() */
	return true;
}

/*
 * False if there is no place: who counted an object off may not have taken it yet, and may
 * wait for us.
 */
static bool put(struct qr_reserve_block *b, void *p, unsigned int *place)
{
	unsigned int i;

	for (i = 0; i < b->places; i++) {
		if (!cmpxchg(&b->obj[*place], NULL, p)) {
			atomic_inc(&b->left); /* after the object is there */
			return true;
		}
		*place = (*place + 1) % b->places;
	}
	return false;
}

/* Up to @n objects more, as there is room; returns how many, or -ENOMEM. */
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
			pr_warn_ratelimited("reserve of %s asked to hold %s, from %pS\n",
					    r->blocks->cache->name, c->name, (void *)ip);
			return -EINVAL;
		}
		quarry_reserve_return(r);
	}
	if (left >= n)
		return 0;
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
	pr_warn_ratelimited("reserve not filled with %u objects, from %pS: %s\n", n, (void *)ip,
			    r && of ? "too many" : "no reserve, or nothing to fill it with");
	return false;
}

/**
 * quarry_reserve_fill() - see to it that a reserve has a number of objects
 * @r: the reserve; a zeroed one is empty
 * @cache: whose objects; those of another only when it has none of these left
 * @n: objects that it has then, if it did not have more; up to QUARRY_RESERVE_MAX
 * @gfp: as for quarry_cache_alloc().  With __GFP_ZERO those that are added are zeroed
 *
 * The memory is this CPU's node's.  Others may take objects meanwhile; but one at a time
 * fills a reserve or returns it.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: 0; -ENOMEM when not all could be had: those that could are there, and so is
 * what was there before; -EINVAL, logged, when @n is too large or it has another
 * cache's objects.
 */
int quarry_reserve_fill(struct quarry_reserve *r, struct quarry_cache *cache, unsigned int n,
			gfp_t gfp)
{
	struct qr_cache *c;

	qr_check_gfp(gfp);
	if (!is_sane(r, cache, n, _RET_IP_))
		return -EINVAL;
	c = qr_cache_of(cache);
	return fill(r, c, c->asked, n, gfp, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_reserve_fill);

/**
 * quarry_reserve_fill_size() - the same with memory as from quarry_malloc()
 * @r: the reserve; a zeroed one is empty
 * @size: bytes of each, up to QUARRY_MAX_SMALL; another size class than before only when
 *	none is left
 * @n: as for quarry_reserve_fill()
 * @gfp: as for quarry_reserve_fill()
 *
 * What is taken is freed by quarry_free().
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: as quarry_reserve_fill(); -EINVAL as well when @size is too large.
 */
int quarry_reserve_fill_size(struct quarry_reserve *r, size_t size, unsigned int n, gfp_t gfp)
{
	struct quarry_cache *cache;

	qr_check_gfp(gfp);
	if (size > QUARRY_MAX_SMALL) {
		pr_warn_ratelimited("reserve not filled with objects of %zu bytes, from %pS: the most is %lu\n",
				    size, (void *)_RET_IP_, (unsigned long)QUARRY_MAX_SMALL);
		return -EINVAL;
	}
	cache = qr_class_cache[qr_class_for(size)];
	if (!is_sane(r, cache, n, _RET_IP_))
		return -EINVAL;
	return fill(r, qr_cache_of(cache), size, n, gfp, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_reserve_fill_size);

/* One that was counted off: it is in some place. */
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

/* From who filled the reserve to who takes it. */
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
	/* Not in NMI, where the profiler's lock cannot be waited for. */
	if (unlikely(slab->samples.at) && !in_nmi())
		qr_profile_handed_on(&slab->samples, qr_slab_index(slab, p), &what,
				     GFP_NOWAIT | __GFP_NOWARN);
}

/**
 * quarry_reserve_alloc() - take an object from a reserve
 * @r: the reserve
 *
 * From the node of the CPU that filled it.  Freed as any object of its cache, or by
 * quarry_free().  In the profile it is the caller's from now on; but where this is an NMI,
 * it stays that of who filled the reserve.
 *
 * Context: any, NMI included, and from several CPUs at a time; never sleeps.
 * Return: the object; NULL when none is left.
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
 * quarry_reserve_left() - how many objects a reserve has
 * @r: the reserve
 *
 * Context: any.
 * Return: objects; others may take some at the same time.
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
 * quarry_reserve_return() - give back what is left of a reserve
 * @r: the reserve, or NULL; nobody takes from it any more
 *
 * It is empty then, and can be filled anew.  To be done before the cache is destroyed.
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
