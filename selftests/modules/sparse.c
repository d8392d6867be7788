// SPDX-License-Identifier: GPL-2.0
/*
 * A heap that grows, and of which then only a small part is left, picked at random.  The
 * same trace runs on caches of Quarry and of the kernel, so that a test can compare the
 * pages that they hold.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include "client.h"

#define MOST_CACHES 40
#define MIX_FROM    16	 /* bytes */
#define MIX_TO	    8192 /* bytes */

/* From 6.5 on, this flag keeps the kernel from sharing a cache's slabs with other caches. */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE 0
#endif

struct pair {
	struct quarry_cache *quarry;
	struct kmem_cache *slub;
	unsigned int size;
};

struct twin {
	void *quarry;
	void *slub;
	struct pair *pair;
};

static struct pair pairs[MOST_CACHES];
static struct twin *twins;
static unsigned int nr_pairs, nr_twins, most_twins;
static struct rnd_state rnd;

static int add_pair(unsigned int size)
{
	struct pair *pair = &pairs[nr_pairs];
	char name[24];

	if (nr_pairs == MOST_CACHES)
		return -E2BIG;
	snprintf(name, sizeof(name), "sparse-%u", size);
	pair->size = size;
	pair->quarry = quarry_cache_create(name, size, NULL);
	pair->slub = kmem_cache_create(name, size, 0, SLAB_NO_MERGE, NULL);
	nr_pairs++;
	return pair->quarry && pair->slub ? 0 : -ENOMEM;
}

static void free_twin(unsigned int i)
{
	struct twin *twin = &twins[i];

	quarry_cache_free(twin->pair->quarry, twin->quarry);
	kmem_cache_free(twin->pair->slub, twin->slub);
	*twin = twins[--nr_twins];
}

static int unsparse_run(const u64 *v)
{
	while (nr_twins)
		free_twin(nr_twins - 1);
	kvfree(twins);
	twins = NULL;
	while (nr_pairs) {
		struct pair *pair = &pairs[--nr_pairs];

		quarry_cache_destroy(pair->quarry);
		kmem_cache_destroy(pair->slub);
		*pair = (struct pair){};
	}
	return 0;
}

const struct client_command client_unsparse = { "unsparse", unsparse_run };

void client_unsparse_all(void)
{
	unsparse_run(NULL);
}

static int by_value(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

/* Sorts @at and moves its distinct values to the front.  Returns how many there are. */
static unsigned int distinct(unsigned long *at, unsigned int n)
{
	unsigned int i, different = 0;

	sort(at, n, sizeof(*at), by_value, NULL);
	for (i = 0; i < n; i++)
		if (!different || at[i] != at[different - 1])
			at[different++] = at[i];
	return different;
}

/*
 * Report the pages that the live objects need.  With Quarry, these are the pages that an
 * object lies on.  With SLUB, they are all pages of each slab with a live object.
 */
static int say_pages(void)
{
	const unsigned int most = QUARRY_MAX_SMALL / PAGE_SIZE + 1;
	unsigned long *at = kvmalloc_array(nr_twins, most * sizeof(*at), GFP_KERNEL), page;
	unsigned long slub = 0;
	unsigned int i, n;

	if (!at)
		return -ENOMEM;
	for (i = 0; i < nr_twins; i++)
		at[i] = (unsigned long)virt_to_folio(twins[i].slub);
	n = distinct(at, nr_twins);
	for (i = 0; i < n; i++)
		slub += folio_nr_pages((struct folio *)at[i]);
	for (i = 0, n = 0; i < nr_twins; i++) {
		unsigned long start = (unsigned long)twins[i].quarry;
		unsigned long last = start + twins[i].pair->size - 1;

		for (page = start >> PAGE_SHIFT; page <= last >> PAGE_SHIFT; page++)
			at[n++] = page;
	}
	n = distinct(at, n);
	kvfree(at);
	client_say("objects %u\nquarry_pages %u\nslub_pages %lu\n", nr_twins, n, slub);
	return 0;
}

enum { SPARSE_SIZE, SPARSE_BYTES };

/*
 * All objects have "size" bytes.  With 0 they are a mix, in which there are about as many objects
 * of 16 to 32 bytes as of 4 to 8 KiB.
 */
static int sparse_run(const u64 *v)
{
	unsigned int size = v[SPARSE_SIZE], room, i;
	u64 bytes = 0, want = v[SPARSE_BYTES];
	int err;

	unsparse_run(NULL);
	prandom_seed_state(&rnd, 20);
	if (size)
		err = add_pair(size);
	else
		for (err = 0, i = MIX_FROM; !err && i <= MIX_TO; i = round_up(i * 5 / 4, 8))
			err = add_pair(i);
	if (err)
		goto fail;
	room = DIV_ROUND_UP(want, pairs[0].size);
	twins = kvcalloc(room, sizeof(*twins), GFP_KERNEL);
	err = -ENOMEM;
	if (!twins)
		goto fail;
	while (bytes < want) {
		struct pair *pair = &pairs[prandom_u32_state(&rnd) % nr_pairs];
		struct twin twin = {
			.quarry = quarry_cache_alloc(pair->quarry, GFP_KERNEL),
			.slub = kmem_cache_alloc(pair->slub, GFP_KERNEL),
			.pair = pair,
		};

		if (!twin.quarry || !twin.slub) {
			quarry_cache_free(pair->quarry, twin.quarry);
			if (twin.slub)
				kmem_cache_free(pair->slub, twin.slub);
			goto fail;
		}
		twins[nr_twins++] = twin;
		bytes += pair->size;
		if (!(nr_twins % 1024))
			cond_resched();
	}
	most_twins = nr_twins;
	return say_pages();

fail:
	unsparse_run(NULL);
	return err;
}

const struct client_command client_sparse = {
	"sparse",
	sparse_run,
	{
		[SPARSE_SIZE] = { .name = "size", .max = QUARRY_MAX_SMALL },
		[SPARSE_BYTES] = { .name = "bytes", .value = 8 << 20, .max = 1 << 30 },
	},
};

/* Free random objects until "permille" of 1,000 are left, then shrink the caches of both. */
static int thin_run(const u64 *v)
{
	unsigned int left = div_u64(most_twins * v[0], 1000), i;

	while (nr_twins > left) {
		free_twin(prandom_u32_state(&rnd) % nr_twins);
		if (!(nr_twins % 1024))
			cond_resched();
	}
	for (i = 0; i < nr_pairs; i++) {
		quarry_cache_shrink(pairs[i].quarry);
		kmem_cache_shrink(pairs[i].slub);
	}
	return say_pages();
}

const struct client_command client_thin = {
	"thin",
	thin_run,
	{ { .name = "permille", .value = 100, .max = 1000 } },
};
