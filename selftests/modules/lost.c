// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that something points to, in several ways, and some among them that nothing does.  Two
 * and two of those point to one another.  "unlose" can free them, because their addresses are kept
 * as what is no pointer.  With "push=1" a thread puts new objects before the old ones on the list,
 * so that soon only a new one has the pointer to them.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/vmalloc.h>
#include "client.h"

#define SIZE 64

struct object {
	struct object *next;
	char rest[SIZE - sizeof(struct object *)];
};

static struct quarry_cache *cache;
static struct object **held; /* pointers to some objects, and into others */
static struct object *list;
static unsigned long *lost; /* addresses with all bits turned */
static unsigned int nr_held, nr_lost;
static struct task_struct *pusher;

static void unlose(void)
{
	struct object *next;
	unsigned int i;

	if (!IS_ERR_OR_NULL(pusher))
		kthread_stop(pusher);
	pusher = NULL;
	for (i = 0; i < nr_held; i++)
		quarry_cache_free(cache, (void *)((unsigned long)held[i] & ~(SIZE - 1UL)));
	for (; list; list = next) {
		next = list->next;
		quarry_cache_free(cache, list);
	}
	for (i = 0; i < nr_lost; i++)
		quarry_cache_free(cache, (void *)~lost[i]);
	quarry_cache_destroy(cache);
	vfree(held);
	vfree(lost);
	cache = NULL;
	held = NULL;
	lost = NULL;
	nr_held = 0;
	nr_lost = 0;
}

static noinline int lose_one(void)
{
	struct object *p = quarry_cache_alloc(cache, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	p->next = NULL;
	if (nr_lost % 2) {
		struct object *other = (void *)~lost[nr_lost - 1];

		p->next = other;
		other->next = p;
	}
	lost[nr_lost++] = ~(unsigned long)p;
	return 0;
}

static int push(void *unused)
{
	while (!kthread_should_stop()) {
		struct object *p = quarry_cache_alloc(cache, GFP_KERNEL);

		if (p) {
			p->next = list;
			list = p;
		}
		usleep_range(500, 1000);
	}
	return 0;
}

static noinline int hold_one(unsigned int i)
{
	struct object *p = quarry_cache_alloc(cache, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	p->next = NULL;
	if (i % 3 == 0) {
		p->next = list;
		list = p;
	} else {
		held[nr_held++] = i % 3 == 1 ? p : (void *)p + SIZE / 2;
	}
	return 0;
}

static int lose_run(const u64 *v)
{
	unsigned int n = v[0], lose = v[1], i;
	int err = 0;

	if (cache)
		return -EBUSY;
	cache = quarry_cache_create("client_lost", SIZE, NULL);
	held = vzalloc(n * sizeof(*held));
	lost = vzalloc((lose + 1) * sizeof(*lost));
	if (!cache || !held || !lost)
		err = -ENOMEM;
	for (i = 0; i < n && !err; i++) {
		err = hold_one(i);
		if (!err && nr_lost < lose && i % (n / lose) == 0)
			err = lose_one();
		if (i % 1024 == 0)
			cond_resched();
	}
	if (!err && v[2])
		pusher = kthread_run(push, NULL, "quarry_push");
	err = err ?: PTR_ERR_OR_ZERO(pusher);
	if (err)
		unlose();
	client_say("held %u\nlost %u\n", n, nr_lost);
	return err;
}

static int unlose_run(const u64 *v)
{
	if (!cache)
		return -EINVAL;
	unlose();
	return 0;
}

void client_unlose_all(void)
{
	if (cache)
		unlose();
}

const struct client_command client_lose = {
	.name = "lose",
	.run = lose_run,
	.args = { { "objects", 10, 10000000 }, { "lost", 1, 10000 }, { "push", 0, 1 } },
};

const struct client_command client_unlose = { .name = "unlose", .run = unlose_run };
