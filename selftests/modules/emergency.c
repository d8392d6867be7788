// SPDX-License-Identifier: GPL-2.0
/*
 * "emergency" takes single pages until the free ones are down to the min watermarks.  Then a caller
 * with access to the kernel's emergency reserves asks for one object of 1 KiB, from Quarry or from
 * SLUB, and callers without access ask for objects and for pages.  All is freed again.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmstat.h>
#include "client.h"

#define HUMBLE	   64
#define QUIET	   10 /* turns without a new page */
#define LONGEST	   500
#define MOST_TRIES 20

enum { GFP_WORD_ATOMIC, GFP_WORD_MEMALLOC };

/* No reclaim: with it the test would wait for memory that others give up. */
static const gfp_t humble = __GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC;

/* The sum over the zones; a humble request fails when no zone has more. */
static long min_pages(void)
{
	struct zone *zone = NODE_DATA(first_online_node)->node_zones;
	long sum = 0;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		sum += managed_zone(&zone[i]) ? min_wmark_pages((&zone[i])) : 0;
	return sum;
}

static long free_pages_now(void)
{
	return global_zone_page_state(NR_FREE_PAGES);
}

/* Takes all pages that a humble caller gets, into a list through their first word. */
static void *hoard(void *list, unsigned long *n)
{
	void *page;

	for (; (page = (void *)__get_free_page(humble)); ++*n) {
		*(void **)page = list;
		list = page;
	}
	return list;
}

/* The same, until the kernel no longer reclaims pages in the background. */
static void *hoard_all(void *list, unsigned long *n)
{
	unsigned int quiet = 0, i;

	for (i = 0; i < LONGEST && quiet < QUIET; i++) {
		unsigned long before = *n;

		list = hoard(list, n);
		quiet = *n == before ? quiet + 1 : 0;
		msleep(20);
	}
	return list;
}

/* Has a page become free for humble callers since the last one was hoarded? */
static bool came_back(void **list, unsigned long *n)
{
	unsigned long before = *n;

	*list = hoard(*list, n);
	return *n > before;
}

static void spend(void *list)
{
	while (list) {
		void *page = list;

		list = *(void **)page;
		free_page((unsigned long)page);
	}
}

/*
 * How many objects a humble caller gets, and how many of them are on the page of @p.  The kernel
 * may reclaim pages meanwhile, which are anybody's, so they are hoarded too.
 */
static unsigned int humble_objects(struct quarry_cache *cache, const void *p, unsigned int *beside,
				   void **list, unsigned long *n)
{
	void *obj[HUMBLE];
	unsigned int i, got = 0;

	*beside = 0;
	for (i = 0; i < HUMBLE; i++) {
		*list = hoard(*list, n);
		obj[i] = quarry_cache_alloc(cache, humble);
		got += !!obj[i];
		*beside += obj[i] && !(((unsigned long)obj[i] ^ (unsigned long)p) & PAGE_MASK);
	}
	for (i = 0; i < HUMBLE; i++)
		quarry_cache_free(cache, obj[i]);
	return got;
}

static int run(const u64 *v)
{
	bool slub = v[0], memalloc = v[1] == GFP_WORD_MEMALLOC;
	gfp_t gfp = (memalloc ? GFP_NOIO : GFP_ATOMIC) | __GFP_NOWARN;
	struct quarry_cache *cache = quarry_cache_create("emergency", 1024, NULL);
	struct quarry_cache *other = quarry_cache_create("humble", PAGE_SIZE, NULL);
	struct kmem_cache *theirs = kmem_cache_create("emergency", 1024, 0, SLAB_POISON, NULL);
	unsigned int flags = 0, same = 0, others = 0, beside = 0, tries = 0, unused;
	long before, after;
	unsigned long n = 0;
	void *list = NULL, *p;

	if (!cache || !other || !theirs) {
		quarry_cache_destroy(cache);
		quarry_cache_destroy(other);
		kmem_cache_destroy(theirs);
		return -ENOMEM;
	}
	for (;;) {
		list = hoard_all(list, &n);
		before = free_pages_now();
		if (memalloc)
			flags = memalloc_noreclaim_save();
		p = slub ? kmem_cache_alloc(theirs, gfp) : quarry_cache_alloc(cache, gfp);
		if (memalloc)
			memalloc_noreclaim_restore(flags);
		after = free_pages_now();
		if (slub || ++tries == MOST_TRIES || !came_back(&list, &n))
			break;
		/* The object may be from a page that was nobody's reserve. */
		quarry_cache_free(cache, p);
		quarry_cache_shrink(cache);
	}
	if (!slub) {
		same = humble_objects(cache, p, &beside, &list, &n);
		others = humble_objects(other, p, &unused, &list, &n);
	}
	if (!slub)
		quarry_cache_free(cache, p);
	else if (p)
		kmem_cache_free(theirs, p);
	spend(list);
	client_say("hoarded %lu\nfree %ld\nmin %ld\nserved %d\ntaken %ld\nbeside %u\nsame %u\n"
		   "others %u\ntries %u\n",
		   n, before, min_pages(), !!p, before - after, beside, same, others, tries);
	quarry_cache_destroy(cache);
	quarry_cache_destroy(other);
	kmem_cache_destroy(theirs);
	return 0;
}

static const char *const sides[] = { "quarry", "slub", NULL };
static const char *const gfps[] = { "atomic", "memalloc", NULL };

const struct client_command client_emergency = {
	.name = "emergency",
	.run = run,
	.args = {
		{ .name = "from", .words = sides },
		{ .name = "gfp", .words = gfps },
	},
};
