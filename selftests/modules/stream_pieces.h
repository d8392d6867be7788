/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stream of allocations that is known exactly, so that a test can compare a
 * profile's estimates with the truth.  The stream is the same each time.  It
 * comes in pieces, between which a test may do something else.
 *
 * Each site is a function of its own, so that its name is in the call stack.
 * Half of its objects, picked at random, are freed at the end of their piece;
 * the others stay until the command that undoes it.
 *
 * A file that includes this one has defined the type side_cache and the functions side_malloc(),
 * side_zalloc(), side_usable_size(), side_free(), side_cache_create(), side_cache_destroy(),
 * side_cache_alloc_node(), side_cache_free(), side_bulk_alloc() and side_bulk_free().
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include "client.h"

#define SITES  8
#define PIECES 8
#define BULK   64

/* The start of an object.  It fills the smallest one. */
struct object {
	struct object *next;
};

/**
 * struct site - what a site has done
 * @cache: the cache that its objects are freed to, or NULL: side_free() frees them
 * @rnd: random sizes, and the choice of the objects to be kept
 * @doomed: objects that are freed at the end of the piece
 * @kept: objects that are kept until "unstream"
 * @objects: objects allocated so far
 * @space: usable bytes of @objects
 * @live: how many of @objects are kept
 * @live_space: usable bytes of the kept objects
 * @smallest: usable bytes of the smallest object
 */
struct site {
	side_cache *cache;
	struct rnd_state rnd;
	struct object *doomed;
	struct object *kept;
	u64 objects;
	u64 space;
	u64 live;
	u64 live_space;
	u64 smallest;
};

static struct site sites[SITES];

static u32 between(struct site *s, u32 low, u32 high)
{
	return low + (((u64)prandom_u32_state(&s->rnd) * (high - low + 1)) >> 32);
}

static int took(struct site *s, void *p)
{
	size_t size = side_usable_size(p);
	struct object *o = p, **list = &s->doomed;

	if (!o)
		return -ENOMEM;
	s->objects++;
	s->space += size;
	if (!s->smallest || size < s->smallest)
		s->smallest = size;
	if (prandom_u32_state(&s->rnd) & 1) {
		s->live++;
		s->live_space += size;
		list = &s->kept;
	}
	o->next = *list;
	*list = o;
	return 0;
}

/* --- The sites: each allocates @n objects --- */

static noinline __noclone int stream_site_0(struct site *s, unsigned int n)
{
	int err = 0;

	while (n-- && !err)
		err = took(s, side_malloc(8, GFP_KERNEL));
	return err;
}

static noinline __noclone int stream_site_1(struct site *s, unsigned int n)
{
	int err = 0;

	while (n-- && !err)
		err = took(s, side_zalloc(48, GFP_KERNEL));
	return err;
}

/* Sizes of many size classes, among them the one of stream_site_1(). */
static noinline __noclone int stream_site_2(struct site *s, unsigned int n)
{
	int err = 0;

	while (n-- && !err)
		err = took(s, side_malloc(between(s, 48, 512), GFP_KERNEL));
	return err;
}

/* Each node in turn.  Objects of other nodes do not come from the magazine. */
static noinline __noclone int stream_site_3(struct site *s, unsigned int n)
{
	int err = 0, node = first_node(node_states[N_MEMORY]);

	while (n-- && !err) {
		err = took(s, side_cache_alloc_node(s->cache, GFP_KERNEL, node));
		node = next_node_in(node, node_states[N_MEMORY]);
	}
	return err;
}

static noinline __noclone int stream_site_4(struct site *s, unsigned int n)
{
	void *objs[BULK];
	unsigned int i, k;

	for (; n; n -= k) {
		k = min_t(unsigned int, n, BULK);
		if (!side_bulk_alloc(s->cache, GFP_KERNEL, k, objs))
			return -ENOMEM;
		for (i = 0; i < k; i++)
			took(s, objs[i]);
	}
	return 0;
}

static noinline __noclone int stream_site_5(struct site *s, unsigned int n)
{
	int err = 0;

	while (n-- && !err)
		err = took(s, side_malloc(between(s, SZ_2K, SZ_32K), GFP_KERNEL));
	return err;
}

static noinline __noclone int stream_site_6(struct site *s, unsigned int n)
{
	int err = 0;

	while (n-- && !err)
		err = took(s, side_malloc(between(s, SZ_32K + 1, 200 * SZ_1K), GFP_KERNEL));
	return err;
}

static noinline __noclone int stream_site_7(struct site *s, unsigned int n)
{
	int err = 0;

	while (n-- && !err)
		err = took(s, side_malloc(between(s, 600 * SZ_1K, SZ_1M), GFP_KERNEL));
	return err;
}

/**
 * struct kind - the constants of a site
 * @allocate: the site's function
 * @objects: objects in a piece
 * @cache_size: bytes of an object of the site's own cache; 0 if it has none
 */
struct kind {
	int (*allocate)(struct site *s, unsigned int n);
	unsigned int objects;
	unsigned int cache_size;
};

static const struct kind kinds[SITES] = {
	{ stream_site_0, 262144 / PIECES },	{ stream_site_1, 65536 / PIECES },
	{ stream_site_2, 12288 / PIECES },	{ stream_site_3, 16384 / PIECES, 200 },
	{ stream_site_4, 3072 / PIECES, 1400 }, { stream_site_5, 256 / PIECES },
	{ stream_site_6, 48 / PIECES },		{ stream_site_7, 24 / PIECES },
};

/* --- Pieces --- */

static void free_all(struct site *s, struct object **list)
{
	while (*list) {
		void *objs[BULK];
		unsigned int n;

		for (n = 0; *list && n < BULK; n++) {
			objs[n] = *list;
			*list = (*list)->next;
		}
		if (s == &sites[4]) {
			side_bulk_free(s->cache, n, objs);
			continue;
		}
		while (n--) {
			if (s->cache)
				side_cache_free(s->cache, objs[n]);
			else
				side_free(objs[n]);
		}
	}
}

static int stream_piece(unsigned int piece, unsigned int scale)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < SITES && !err; i++) {
		prandom_seed_state(&sites[i].rnd, 1000 * piece + i + 1);
		err = kinds[i].allocate(&sites[i], max(kinds[i].objects / scale, 1U));
		cond_resched();
	}
	for (i = 0; i < SITES; i++) {
		free_all(&sites[i], &sites[i].doomed);
		cond_resched();
	}
	return err;
}

enum { STREAM_FROM, STREAM_TO, STREAM_SCALE };

static int stream_run(const u64 *v)
{
	unsigned int i, piece;
	int err = 0;

	if (!v[STREAM_SCALE])
		return -EINVAL;
	for (i = 0; i < SITES; i++) {
		if (!kinds[i].cache_size || sites[i].cache)
			continue;
		sites[i].cache = side_cache_create("client_stream", kinds[i].cache_size);
		if (!sites[i].cache)
			return -ENOMEM;
	}
	for (piece = v[STREAM_FROM]; piece < v[STREAM_TO] && !err; piece++)
		err = stream_piece(piece, v[STREAM_SCALE]);
	for (i = 0; i < SITES; i++)
		client_say("stream_site_%u %llu %llu %llu %llu %llu\n", i, sites[i].objects,
			   sites[i].space, sites[i].live, sites[i].live_space, sites[i].smallest);
	return err;
}

#define STREAM_ARGS                                                                                \
	{                                                                                          \
		[STREAM_FROM] = { .name = "from", .max = PIECES },                                 \
		[STREAM_TO] = { .name = "to", .value = PIECES, .max = PIECES },                    \
		[STREAM_SCALE] = { .name = "scale", .value = 1, .max = 1000 },                     \
	}

static int unstream_run(const u64 *v)
{
	unsigned int i;

	for (i = 0; i < SITES; i++) {
		side_cache *cache = sites[i].cache;

		free_all(&sites[i], &sites[i].doomed);
		free_all(&sites[i], &sites[i].kept);
		sites[i] = (struct site){ .cache = cache };
	}
	return 0;
}

static void unstream_all(void)
{
	unsigned int i;

	unstream_run(NULL);
	for (i = 0; i < SITES; i++)
		side_cache_destroy(sites[i].cache);
}
