// SPDX-License-Identifier: GPL-2.0
/* The single steps of the stress: they allocate, pass on and free objects of all kinds. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/nodemask.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "stress.h"

#define BULK	   48
#define CTOR_MAGIC 0x5ca1ab1eU

/* Objects of client_ctor begin with this word, and must still have it when they are freed. */
static void ctor(void *obj)
{
	*(u32 *)obj = CTOR_MAGIC;
}

struct quarry_cache *stress_cache[STRESS_CACHES];
static struct stress_shard *shards;

static const struct {
	const char *name;
	unsigned int size;
	struct quarry_cache_args args;
} kinds[STRESS_CACHES] = {
	{ "client_8", 8, {} },
	{ "client_40", 40, {} },
	{ "client_line", 100, { .flags = QUARRY_HWCACHE_ALIGN } },
	{ "client_ctor", 264, { .ctor = ctor } },
	{ "client_inter", 1000, { .policy = QUARRY_NODE_INTERLEAVE } },
	{ "client_fixed", 2048, { .policy = QUARRY_NODE_FIXED } },
	{ "client_page", 5000, { .align = 4096 } },
};

/* In objects of client_ctor the pattern begins behind the constructor's word. */
#define KIND_CTOR  3
#define CTOR_BYTES 8

int stress_create(void)
{
	unsigned int i, k;

	shards = vzalloc(STRESS_SHARDS * sizeof(*shards));
	if (!shards)
		return -ENOMEM;
	for (i = 0; i < STRESS_SHARDS; i++)
		raw_spin_lock_init(&shards[i].lock);
	for (k = 0; k < STRESS_CACHES; k++) {
		struct quarry_cache_args args = kinds[k].args;

		args.node = first_memory_node;
		stress_cache[k] = quarry_cache_create(kinds[k].name, kinds[k].size, &args);
		if (!stress_cache[k]) {
			stress_destroy();
			return -ENOMEM;
		}
	}
	return 0;
}

void stress_destroy(void)
{
	unsigned int k;

	for (k = 0; k < STRESS_CACHES; k++) {
		quarry_cache_destroy(stress_cache[k]);
		stress_cache[k] = NULL;
	}
	vfree(shards);
	shards = NULL;
}

static void failed(struct stress_user *u, int err, const char *what, const void *p, u32 size)
{
	if (!u->err)
		client_say("%s object %px size %u\n", what, p, size);
	u->err = u->err ?: err;
}

/* Check a new object, then fill it with its pattern. */
static void admit(struct stress_user *u, struct client_object *o, gfp_t gfp)
{
	if (!o->p) {
		u->failed++;
		return;
	}
	u->allocs++;
	o->seq = u->seq++;
	o->cpu = raw_smp_processor_id();
	if (quarry_usable_size(o->p) < o->size)
		failed(u, -EIO, "too small", o->p, o->size);
	if (o->cache && o->cache == stress_cache[KIND_CTOR]) {
		if (*(u32 *)o->p != CTOR_MAGIC)
			failed(u, -EIO, "not constructed", o->p, o->size);
		o->p += CTOR_BYTES;
		o->size -= CTOR_BYTES;
	} else if ((gfp & __GFP_ZERO) && !client_all_zero(o->p, o->size)) {
		failed(u, -EIO, "not zeroed", o->p, o->size);
	}
	client_fill(o);
}

static void dismiss(struct stress_user *u, struct client_object *o)
{
	int err = client_check(o);

	if (err) {
		u->err = u->err ?: err;
		return;
	}
	if (o->cache && o->cache == stress_cache[KIND_CTOR])
		o->p -= CTOR_BYTES;
	u->frees++;
	if (o->cpu != raw_smp_processor_id())
		u->cross++;
	/* Both functions may free an object of a cache. */
	if (o->cache && o->seq % 4)
		quarry_cache_free(o->cache, o->p);
	else
		quarry_free(o->p);
	o->p = NULL;
}

/* Mostly up to 256 bytes, sometimes up to 32 KiB, and rarely more, but never so if @atomic. */
static u32 random_size(struct stress_user *u, bool atomic)
{
	u32 r = stress_below(u, 1024);

	if (r == 0 && !atomic)
		return 32769 + stress_below(u, 300000);
	if (r < 40)
		return 1 + stress_below(u, 32768);
	if (r < 200)
		return 1 + stress_below(u, 4096);
	return 1 + stress_below(u, 256);
}

static void make(struct stress_user *u, struct client_object *o, gfp_t gfp)
{
	u32 r = stress_below(u, 2 * STRESS_CACHES);
	int node = NUMA_NO_NODE;

	gfp |= __GFP_NOWARN;
	if (!stress_below(u, 8))
		gfp |= __GFP_ZERO;
	if (!stress_below(u, 8))
		node = stress_below(u, nr_online_nodes);
	if (r < STRESS_CACHES) {
		o->cache = stress_cache[r];
		o->size = kinds[r].size;
		o->p = node == NUMA_NO_NODE ? quarry_cache_alloc(o->cache, gfp) :
					      quarry_cache_alloc_node(o->cache, gfp, node);
	} else {
		o->cache = NULL;
		o->size = random_size(u, !gfpflags_allow_blocking(gfp));
		o->p = node == NUMA_NO_NODE ? quarry_malloc(o->size, gfp) :
					      quarry_malloc_node(o->size, gfp, node);
	}
	admit(u, o, gfp);
}

/* Swap @o with the content of a random slot of the shared table. */
static void swap_object(struct stress_user *u, struct client_object *o)
{
	u32 r = stress_below(u, STRESS_SHARDS * STRESS_SLOTS);
	struct stress_shard *s = &shards[r / STRESS_SLOTS];
	unsigned long flags;

	raw_spin_lock_irqsave(&s->lock, flags);
	swap(*o, s->slot[r % STRESS_SLOTS]);
	raw_spin_unlock_irqrestore(&s->lock, flags);
}

void stress_step_atomic(struct stress_user *u)
{
	struct client_object o = {};

	make(u, &o, GFP_ATOMIC);
	if (stress_below(u, 2))
		swap_object(u, &o);
	if (o.p)
		dismiss(u, &o);
}

static void step_bulk(struct stress_user *u)
{
	u32 k = stress_below(u, STRESS_CACHES), n = 1 + stress_below(u, BULK), i;
	struct client_object o = { .cache = stress_cache[k] };
	void *objs[BULK];
	u32 seq;

	if (quarry_cache_alloc_bulk(o.cache, GFP_KERNEL | __GFP_NOWARN, n, objs) != n) {
		u->failed++;
		return;
	}
	u->allocs += n;
	seq = u->seq;
	for (i = 0; i < n; i++) {
		o.p = objs[i];
		o.size = kinds[k].size;
		o.seq = seq + i;
		if (k != KIND_CTOR)
			client_fill(&o);
	}
	u->seq += n;
	for (i = 0; i < n; i++) {
		o.p = objs[i];
		o.size = kinds[k].size;
		o.seq = seq + i;
		if (k != KIND_CTOR && client_check(&o)) {
			u->err = u->err ?: -EIO;
			return;
		}
	}
	quarry_cache_free_bulk(o.cache, n, objs);
	u->frees += n;
}

/* Allocate up to 8 objects, swap one of them with the table, and free them, the last one first. */
void stress_step(struct stress_user *u)
{
	struct client_object o[8] = {};
	u32 n = 1 + stress_below(u, ARRAY_SIZE(o)), i;

	if (!stress_below(u, 16)) {
		step_bulk(u);
		return;
	}
	for (i = 0; i < n; i++)
		make(u, &o[i], stress_below(u, 4) ? GFP_KERNEL : GFP_ATOMIC);
	swap_object(u, &o[stress_below(u, n)]);
	while (n--)
		if (o[n].p)
			dismiss(u, &o[n]);
}

void stress_empty(struct stress_user *u)
{
	unsigned int i;

	for (i = 0; i < STRESS_SHARDS * STRESS_SLOTS; i++) {
		struct client_object *o = &shards[i / STRESS_SLOTS].slot[i % STRESS_SLOTS];

		if (o->p)
			dismiss(u, o);
	}
}
