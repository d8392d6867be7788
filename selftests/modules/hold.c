// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is held from one command to another: objects of Quarry ("hold", "release"), and a
 * page of each free block of 2 MiB of the kernel ("fragment", "defragment").
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include "client.h"

/* The start of a held object.  @check is ~@size, unless something else wrote there. */
struct held {
	struct held *next;
	size_t size;
	size_t check;
};

static struct held *held;

static int hold(size_t size, gfp_t gfp)
{
	struct held *h = quarry_malloc(size, GFP_KERNEL | __GFP_NOWARN | gfp);

	if (!h)
		return -ENOMEM;
	h->next = held;
	h->size = size;
	h->check = ~size;
	held = h;
	return 0;
}

static int hold_run(const u64 *v)
{
	/* A round has 256 KiB of each size, but only 100 objects of 24 bytes. */
	static const size_t sizes[] = { 24, 192, 1000, 4096, 30000, 262144 };
	size_t want = v[0] << 20, bytes = 0, objects = 0;
	unsigned int i;
	int err = 0;

	while (!err && bytes < want) {
		for (i = 0; !err && i < ARRAY_SIZE(sizes); i++) {
			size_t n = i ? 262144 / sizes[i] : 100;

			for (; !err && n; n--) {
				err = hold(sizes[i], v[1] ? __GFP_NOFAIL : 0);
				if (err)
					break;
				bytes += sizes[i];
				objects++;
			}
		}
		cond_resched();
	}
	client_say("objects %zu\nbytes %zu\n", objects, bytes);
	return err;
}

const struct client_command client_hold = {
	"hold",
	hold_run,
	{ { .name = "mib", .value = 256, .max = 1 << 20 }, { .name = "nofail", .max = 1 } },
};

static int release_run(const u64 *v)
{
	size_t objects = 0;

	while (held) {
		struct held *h = held;

		if (h->check != ~h->size)
			return -EIO;
		held = h->next;
		quarry_free(h);
		if (!(++objects % 1024))
			cond_resched();
	}
	client_say("objects %zu\n", objects);
	return 0;
}

const struct client_command client_release = { "release", release_run };

void client_release_all(void)
{
	release_run(NULL);
}

/*
 * Take every free block of 2 MiB from the kernel, keep a page from the middle of
 * each, and give the rest back.  Then much memory is free, but no block of 2 MiB
 * is.  Compaction cannot move the pages that are kept.
 */
static LIST_HEAD(kept);

/* The kernel keeps some blocks back for requests that cannot wait, so make such a request too. */
static struct page *whole_block(int node, unsigned int order)
{
	const gfp_t gfp = __GFP_NOWARN | __GFP_THISNODE;

	return alloc_pages_node(node, GFP_KERNEL | __GFP_NORETRY | gfp, order) ?:
		       alloc_pages_node(node, GFP_ATOMIC | gfp, order);
}

static unsigned long take_apart(int node)
{
	const unsigned int order = get_order(2UL << 20), middle = 1U << (order - 1);
	struct page *page, *next;
	unsigned long blocks = 0;
	LIST_HEAD(blocked);
	unsigned int i;

	while ((page = whole_block(node, order))) {
		split_page(page, order);
		list_add(&page->lru, &blocked);
		blocks++;
	}
	list_for_each_entry_safe(page, next, &blocked, lru) {
		list_del(&page->lru);
		for (i = 0; i < 1U << order; i++)
			if (i != middle)
				__free_page(page + i);
		list_add(&page[middle].lru, &kept);
		cond_resched();
	}
	return blocks;
}

static int fragment_run(const u64 *v)
{
	unsigned long blocks = 0, more;
	int node;

	/* A node refuses its last blocks while all others are taken.  The next round gets them. */
	for_each_node_state(node, N_MEMORY) {
		do {
			more = take_apart(node);
			blocks += more;
		} while (more);
	}
	client_say("blocks %lu\n", blocks);
	return 0;
}

const struct client_command client_fragment = { "fragment", fragment_run };

static int defragment_run(const u64 *v)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &kept, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	return 0;
}

const struct client_command client_defragment = { "defragment", defragment_run };

void client_defragment_all(void)
{
	defragment_run(NULL);
}
