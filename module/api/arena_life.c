// SPDX-License-Identifier: GPL-2.0
/* How arenas are created and destroyed, and the list of all arenas. */
#define pr_fmt(fmt) "quarry: " fmt

#include "api/arena.h"

#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/rculist.h>
#include <linux/string.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/clean_name.h"
#include "core/metadata.h"
#include "profile/bucket.h"

DEFINE_MUTEX(qr_arenas_lock); /* protects the list; an arena on it exists while it is held */
LIST_HEAD(qr_arenas);

static struct quarry_arena *refuse_arena(const char *name, const char *why)
{
	char clean[QUARRY_NAME_LEN] = "(no name)";

	if (name && *name)
		qr_clean_name(clean, name, sizeof(clean));
	pr_err("arena %s not created: %s\n", clean, why);
	return NULL;
}

/**
 * quarry_arena_create() - create an arena
 * @name: shown to people and in profiles; copied, cut to 47 bytes, need not be unique
 * @args: options, or NULL for the defaults
 *
 * The arena has no pages until the first allocation.  Its first block has one page, and each
 * further block has twice the pages of the one before, up to the largest size in @args.  An
 * object that does not fit into the rest of a block and is larger than a quarter of the
 * largest block gets pages of its own.  The policy in @args decides which node pages come from.
 *
 * Context: process; sleeps.  Also in callbacks of CPU hotplug and with cpus_read_lock() held.
 * Return: the arena, or NULL if there is no memory or an argument is bad; the log says why.
 */
struct quarry_arena *quarry_arena_create(const char *name, const struct quarry_arena_args *args)
{
	static const struct quarry_arena_args plain;
	struct qr_arena *a;

	might_sleep();
	if (!args)
		args = &plain;
	if (!name || !*name)
		return refuse_arena(name, "it needs a name");
	if (args->block > QUARRY_ARENA_MAX_BLOCK)
		return refuse_arena(name, "blocks are up to 2 MiB");
	if (args->flags & ~QUARRY_NO_SAMPLE)
		return refuse_arena(name, "unknown flags");
	if (args->policy > QUARRY_NODE_INTERLEAVE)
		return refuse_arena(name, "unknown node policy");
	if (args->policy == QUARRY_NODE_FIXED &&
	    (args->node < 0 || args->node >= nr_node_ids || !node_isset(args->node, qr_nodes)))
		return refuse_arena(name, "its node has no memory");

	a = qr_meta_alloc(sizeof(*a), GFP_KERNEL, NUMA_NO_NODE);
	if (!a)
		return refuse_arena(name, "no memory");
	if (qr_cache_id_get(&a->id)) {
		qr_meta_free(a, sizeof(*a));
		return refuse_arena(name, "no memory for its number");
	}
	a->grow = 1;
	a->most = DIV_ROUND_UP(args->block ?: QUARRY_ARENA_BLOCK, PAGE_SIZE);
	a->no_sample = args->flags & QUARRY_NO_SAMPLE;
	a->policy = args->policy;
	a->node = args->node;
	raw_spin_lock_init(&a->lock);
	INIT_LIST_HEAD(&a->blocks);
	qr_arena_samples_init(&a->samples);
	qr_clean_name(a->name, name, sizeof(a->name));
	qr_arena_draw_first(a);
	mutex_lock(&qr_arenas_lock);
	list_add_tail_rcu(&a->link, &qr_arenas); /* for the walker, see qr_validate() */
	mutex_unlock(&qr_arenas_lock);
	return &a->pub;
}
EXPORT_SYMBOL_QUARRY(quarry_arena_create);

static void destroy(struct qr_arena *a)
{
	mutex_lock(&qr_arenas_lock);
	list_del_rcu(&a->link);
	mutex_unlock(&qr_arenas_lock);
	qr_arena_cut(a, 0);
	if (a->spare)
		qr_slab_destroy(a->spare);
	qr_arena_samples_exit(&a->samples);
	qr_cache_id_put(a->id);
	if (a->sampled)
		qr_profile_cache_gone(a->id);
	qr_meta_free(a, sizeof(*a));
}

/**
 * quarry_arena_destroy() - destroy an arena and everything that is allocated in it
 * @arena: from quarry_arena_create(), or NULL.  The caller must have stopped using it
 *
 * The call takes time for each block and for each sample, not for each object.
 *
 * Context: process; sleeps.  Also in callbacks of CPU hotplug and with cpus_read_lock() held.
 */
void quarry_arena_destroy(struct quarry_arena *arena)
{
	might_sleep();
	if (arena)
		destroy(qr_arena_of(arena));
}
EXPORT_SYMBOL_QUARRY(quarry_arena_destroy);

void qr_arenas_exit(void)
{
	struct qr_arena *a, *next;

	list_for_each_entry_safe(a, next, &qr_arenas, link) {
		pr_warn("arena %s: never destroyed, %llu bytes allocated\n", a->name,
			qr_arena_offset(a));
		destroy(a);
	}
}
