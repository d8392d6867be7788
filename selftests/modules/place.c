// SPDX-License-Identifier: GPL-2.0
/*
 * Many caches ("caches"), objects of given nodes ("place"), nodes without free memory ("occupy",
 * "vacate"), and objects in atomic context ("atomic").
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "client.h"

#define ALIVE 50 /* caches at a time */

static int caches_run(const u64 *v)
{
	struct quarry_cache *caches[ALIVE] = {};
	unsigned int i;
	int err = 0;

	for (i = 0; i < v[0]; i++) {
		struct quarry_cache **c = &caches[i % ALIVE];
		void *p;

		quarry_cache_destroy(*c);
		*c = quarry_cache_create("client_many", 8 + i % 4000, NULL);
		if (!*c) {
			err = -ENOMEM;
			break;
		}
		p = quarry_cache_alloc(*c, GFP_KERNEL);
		if (!p) {
			err = -ENOMEM;
			break;
		}
		quarry_cache_free(*c, p);
		cond_resched();
	}
	client_say("created %u\n", i);
	for (i = 0; i < ALIVE; i++)
		quarry_cache_destroy(caches[i]);
	return err;
}

const struct client_command client_caches = {
	"caches",
	caches_run,
	{ { .name = "n", .value = 10000, .max = 1000000 } },
};

static int move_to(unsigned int cpu)
{
	return set_cpus_allowed_ptr(current, cpumask_of(cpu));
}

enum { PLACE_N, PLACE_SIZE, PLACE_CPU, PLACE_NODE, PLACE_FREE_CPU, PLACE_THIS, PLACE_FROM };

/* What chooses the node: the arguments of the call, or the policy of a cache. */
static const char *const sources[] = { "malloc", "fixed", "interleave", "local", NULL };

static struct quarry_cache *place_cache(const u64 *v, int node)
{
	static const enum quarry_policy policies[] = {
		[1] = QUARRY_NODE_FIXED,
		[2] = QUARRY_NODE_INTERLEAVE,
		[3] = QUARRY_NODE_LOCAL,
	};
	struct quarry_cache_args args = { .policy = policies[v[PLACE_FROM]], .node = node };

	return quarry_cache_create("client_place", v[PLACE_SIZE], &args);
}

static void *place_one(const u64 *v, struct quarry_cache *cache, gfp_t gfp, int node)
{
	if (cache)
		return quarry_cache_alloc(cache, gfp);
	if (node < 0)
		return quarry_malloc(v[PLACE_SIZE], gfp);
	return quarry_malloc_node(v[PLACE_SIZE], gfp, node);
}

/* The argument "node" is the number of the node plus one; 0 asks for no node in particular. */
static int place_run(const u64 *v)
{
	gfp_t gfp = GFP_KERNEL | (v[PLACE_THIS] ? __GFP_THISNODE : 0);
	unsigned int i, local = 0, n = v[PLACE_N];
	int node = (int)v[PLACE_NODE] - 1, wanted, err;
	struct quarry_cache *cache = NULL;
	struct client_object *o;
	cpumask_var_t before;

	if (v[PLACE_CPU] >= nr_cpu_ids || !cpu_online(v[PLACE_CPU]) ||
	    v[PLACE_FREE_CPU] >= nr_cpu_ids || !cpu_online(v[PLACE_FREE_CPU]))
		return -EINVAL;
	wanted = node < 0 ? cpu_to_node(v[PLACE_CPU]) : node;
	if (v[PLACE_FROM]) {
		cache = place_cache(v, node);
		if (!cache)
			return -ENOMEM;
	}
	if (!alloc_cpumask_var(&before, GFP_KERNEL)) {
		quarry_cache_destroy(cache);
		return -ENOMEM;
	}
	cpumask_copy(before, current->cpus_ptr);
	o = kvcalloc(n, sizeof(*o), GFP_KERNEL);
	err = o ? move_to(v[PLACE_CPU]) : -ENOMEM;
	if (err)
		goto out;
	for (i = 0; i < n; i++) {
		o[i].size = v[PLACE_SIZE];
		o[i].seq = i;
		o[i].cache = cache;
		o[i].p = place_one(v, cache, gfp, node);
		if (!o[i].p) {
			err = -ENOMEM;
			break;
		}
		client_fill(&o[i]);
		if (page_to_nid(virt_to_page(o[i].p)) == wanted)
			local++;
	}
	n = i;
	client_say("objects %u\nplaced %u\n", n, local);
	err = err ?: move_to(v[PLACE_FREE_CPU]);
	for (i = 0; i < n; i++)
		err = client_free(&o[i]) ?: err;
	set_cpus_allowed_ptr(current, before);
out:
	kvfree(o);
	free_cpumask_var(before);
	quarry_cache_destroy(cache);
	return err;
}

const struct client_command client_place = {
	"place",
	place_run,
	{
		[PLACE_N] = { .name = "n", .value = 100, .max = 1000000 },
		[PLACE_SIZE] = { .name = "size", .value = 64, .max = QUARRY_MAX_LARGE },
		[PLACE_CPU] = { .name = "cpu", .max = 4095 },
		[PLACE_NODE] = { .name = "node", .max = MAX_NUMNODES },
		[PLACE_FREE_CPU] = { .name = "free_cpu", .max = 4095 },
		[PLACE_THIS] = { .name = "thisnode", .max = 1 },
		[PLACE_FROM] = { .name = "from", .words = sources },
	},
};

/* Pages taken by "occupy": all that the kernel gives on that node without reclaim. */
static LIST_HEAD(occupied);

void client_vacate_all(void)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &occupied, lru) {
		list_del(&page->lru);
		__free_pages(page, page_private(page));
	}
}

static int occupy_run(const u64 *v)
{
	gfp_t gfp = (GFP_NOWAIT | __GFP_THISNODE | __GFP_NORETRY | __GFP_NOWARN) &
		    ~__GFP_KSWAPD_RECLAIM;
	unsigned long pages = 0;
	struct page *page;
	int order;

	if (v[0] >= nr_node_ids || !node_state(v[0], N_MEMORY))
		return -EINVAL;
	for (order = 9; order >= 0; order--) {
		while ((page = alloc_pages_node(v[0], gfp, order))) {
			set_page_private(page, order);
			list_add(&page->lru, &occupied);
			pages += 1UL << order;
			cond_resched();
		}
	}
	client_say("pages %lu\n", pages);
	return 0;
}

const struct client_command client_occupy = {
	"occupy",
	occupy_run,
	{ { .name = "node", .max = MAX_NUMNODES } },
};

static int vacate_run(const u64 *v)
{
	client_vacate_all();
	return 0;
}

const struct client_command client_vacate = { "vacate", vacate_run };

static const char *const contexts[] = { "hardirq", "softirq", "irqsoff", NULL };

/* Many more objects than a magazine and a depot hold: slabs and chunks are made in the context. */
#define ATOMIC_OBJECTS 600

static struct atomic_job {
	struct irq_work irq;
	struct tasklet_struct tasklet;
	struct completion done;
	unsigned int size;
	unsigned int failed;
	bool softirq;
	int err;
	struct client_object o[ATOMIC_OBJECTS];
} job;

static void atomic_work(void)
{
	unsigned int i;

	for (i = 0; i < ATOMIC_OBJECTS; i++) {
		struct client_object *o = &job.o[i];

		o->cache = NULL;
		o->size = job.size;
		o->seq = i;
		o->p = quarry_malloc(o->size, GFP_ATOMIC | __GFP_NOWARN);
		if (o->p)
			client_fill(o);
		else
			job.failed++;
	}
	for (i = 0; i < ATOMIC_OBJECTS; i++)
		if (job.o[i].p)
			job.err = client_free(&job.o[i]) ?: job.err;
	complete(&job.done);
}

static void atomic_tasklet(struct tasklet_struct *t)
{
	atomic_work();
}

static void atomic_irq(struct irq_work *work)
{
	if (job.softirq)
		tasklet_schedule(&job.tasklet);
	else
		atomic_work();
}

static int atomic_run(const u64 *v)
{
	unsigned long flags;

	init_irq_work(&job.irq, atomic_irq);
	tasklet_setup(&job.tasklet, atomic_tasklet);
	init_completion(&job.done);
	job.softirq = v[0] == 1;
	job.size = v[1];
	job.failed = 0;
	job.err = 0;
	if (v[0] == 2) {
		local_irq_save(flags);
		atomic_work();
		local_irq_restore(flags);
	} else {
		irq_work_queue(&job.irq);
	}
	wait_for_completion(&job.done);
	irq_work_sync(&job.irq);
	tasklet_kill(&job.tasklet);
	client_say("objects %u\nfailed %u\n", ATOMIC_OBJECTS, job.failed);
	return job.err;
}

const struct client_command client_atomic = {
	"atomic",
	atomic_run,
	{
		{ .name = "context", .words = contexts },
		{ .name = "size", .value = 64, .max = QUARRY_MAX_LARGE },
	},
};
