// SPDX-License-Identifier: GPL-2.0
/*
 * What a cache costs: "cost" creates caches, and as many of the kernel's, in turns; "touch"
 * allocates an object from each on one CPU; "uncost" frees the objects and destroys the caches.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/smp.h>
#include <quarry/stats.h>
#include "client.h"

static struct quarry_cache **caches;
static struct kmem_cache **slub;
static void **objs;
static unsigned int nr;

static int compare(const void *a, const void *b)
{
	return *(const u64 *)a < *(const u64 *)b ? -1 : *(const u64 *)a > *(const u64 *)b;
}

static u64 median(u64 *v, unsigned int n)
{
	sort(v, n, sizeof(*v), compare, NULL);
	return v[n / 2];
}

static void forget(void)
{
	kvfree(caches);
	kvfree(slub);
	kvfree(objs);
	caches = NULL;
	slub = NULL;
	objs = NULL;
	nr = 0;
}

static void destroy(unsigned int n)
{
	while (n--) {
		quarry_cache_free(caches[n], objs[n]);
		quarry_cache_destroy(caches[n]);
		kmem_cache_destroy(slub[n]);
	}
}

static void construct(void *obj)
{
}

static int cost_run(const u64 *v)
{
	u64 *ours = NULL, *theirs = NULL;
	struct quarry_stats *before, *after;
	unsigned int n = v[0];
	int err = -ENOMEM;
	char name[32];
	u64 start;

	if (nr)
		return -EBUSY;
	if (!n)
		return -EINVAL;
	before = kzalloc(sizeof(*before), GFP_KERNEL);
	after = kzalloc(sizeof(*after), GFP_KERNEL);
	ours = kvcalloc(n, sizeof(*ours), GFP_KERNEL);
	theirs = kvcalloc(n, sizeof(*theirs), GFP_KERNEL);
	caches = kvcalloc(n, sizeof(*caches), GFP_KERNEL);
	slub = kvcalloc(n, sizeof(*slub), GFP_KERNEL);
	objs = kvcalloc(n, sizeof(*objs), GFP_KERNEL);
	if (!before || !after || !ours || !theirs || !caches || !slub || !objs)
		goto out;
	quarry_stats_read(before);
	for (nr = 0; nr < n;) {
		unsigned int i = nr++;

		snprintf(name, sizeof(name), "client/cost%u", i);
		start = ktime_get_ns();
		caches[i] = quarry_cache_create(name, v[1], NULL);
		ours[i] = ktime_get_ns() - start;
		if (!caches[i])
			goto out;
		snprintf(name, sizeof(name), "client_cost%u", i);
		start = ktime_get_ns();
		/* With a constructor it cannot be merged with another cache. */
		slub[i] = kmem_cache_create(name, v[1], 0, 0, construct);
		theirs[i] = ktime_get_ns() - start;
		if (!slub[i])
			goto out;
	}
	quarry_stats_read(after);
	client_say("cpus %u\n", num_possible_cpus());
	client_say("metadata_each %llu\n", (after->metadata_bytes - before->metadata_bytes) / n);
	client_say("create_ns %llu\n", median(ours, n));
	client_say("slub_create_ns %llu\n", median(theirs, n));
	err = 0;
out:
	kfree(before);
	kfree(after);
	kvfree(ours);
	kvfree(theirs);
	if (err) {
		if (caches)
			destroy(nr);
		forget();
	}
	return err;
}

/* On one CPU, so that the arrays of that CPU's magazines are all that comes. */
static int touch_run(const u64 *v)
{
	unsigned int i;

	migrate_disable();
	for (i = 0; i < nr; i++)
		if (!objs[i])
			objs[i] = quarry_cache_alloc(caches[i], GFP_KERNEL);
	migrate_enable();
	for (i = 0; i < nr; i++)
		if (!objs[i])
			return -ENOMEM;
	return nr ? 0 : -ENOENT;
}

static int uncost_run(const u64 *v)
{
	destroy(nr);
	forget();
	return 0;
}

void client_uncost_all(void)
{
	uncost_run(NULL);
}

const struct client_command client_cost = {
	.name = "cost",
	.run = cost_run,
	.args = { { "n", 300, 100000 }, { "size", 256, 32768 } },
};

const struct client_command client_touch = { .name = "touch", .run = touch_run };
const struct client_command client_uncost = { .name = "uncost", .run = uncost_run };
