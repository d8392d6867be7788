// SPDX-License-Identifier: GPL-2.0
/*
 * "kleak" allocates and frees by kmalloc(), in one function, and loses one object of many.
 * "unkleak" frees what was lost.
 */
#include <linux/errno.h>
#include <linux/llist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "client.h"

static LLIST_HEAD(lost);

/* The barrier keeps the call from becoming a tail call, which would hide the function. */
static noinline void *kleak_busy(size_t size)
{
	void *p = kmalloc(size, GFP_KERNEL);

	barrier();
	return p;
}

static int kleak_run(const u64 *v)
{
	u64 n = v[0], every = v[1], size = v[2], i;

	if (!every || size < sizeof(struct llist_node))
		return -EINVAL;
	for (i = 1; i <= n; i++) {
		void *p = kleak_busy(size);

		if (!p)
			return -ENOMEM;
		if (i % every)
			kfree(p);
		else
			llist_add(p, &lost);
		if (!(i % 1024))
			cond_resched();
	}
	return 0;
}

static int unkleak_run(const u64 *v)
{
	struct llist_node *node = llist_del_all(&lost), *next;

	for (; node; node = next) {
		next = node->next;
		kfree(node);
	}
	return 0;
}

void client_unkleak_all(void)
{
	unkleak_run(NULL);
}

const struct client_command client_kleak = {
	.name = "kleak",
	.run = kleak_run,
	.args = {
		{ "n", 1000000, 1000000000 },
		{ "every", 1000, 1000000 },
		{ "size", 1024, 8192 },
	},
};

const struct client_command client_unkleak = { "unkleak", unkleak_run };
