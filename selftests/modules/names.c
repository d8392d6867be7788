// SPDX-License-Identifier: GPL-2.0
/*
 * A client whose names are hard to show, whose init function leaves objects behind, and whose
 * threads end with labels still set.
 */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <quarry/quarry.h>
#include <quarry/stats.h>

static unsigned int forget;
module_param(forget, uint, 0444);
MODULE_PARM_DESC(forget, "threads that end with a label still set; as many others follow");

#define NR_CACHES 4

static struct quarry_cache *caches[NR_CACHES];
static void *objects[NR_CACHES];

/* Not in the init section, but called from there.  The store keeps its frame in the stack. */
static noinline __noclone void names_take(unsigned int i)
{
	objects[i] = quarry_cache_alloc(caches[i], GFP_KERNEL);
}

static void give_back(void)
{
	unsigned int i;

	for (i = 0; i < NR_CACHES; i++) {
		if (!caches[i])
			continue;
		quarry_cache_free(caches[i], objects[i]);
		quarry_cache_destroy(caches[i]);
	}
}

/* The second cache has the name that the directory of the third one would have. */
static int make_caches(void)
{
	struct quarry_cache_stats st;
	char name[32];
	unsigned int i;

	caches[0] = quarry_cache_create("clash", 64, NULL);
	if (!caches[0] || quarry_cache_stats_read(caches[0], &st))
		return -ENOMEM;
	snprintf(name, sizeof(name), "clash:%u", st.id + 2);
	caches[1] = quarry_cache_create(name, 64, NULL);
	caches[2] = quarry_cache_create("clash", 64, NULL);
	caches[3] = quarry_cache_create("a b\"c;\n# x/y", 64, NULL);
	if (!caches[1] || !caches[2] || !caches[3])
		return -ENOMEM;
	for (i = 0; i < NR_CACHES - 1; i++) {
		names_take(i);
		if (!objects[i])
			return -ENOMEM;
	}
	return 0;
}

static int forget_fn(void *unused)
{
	struct quarry_label_scope scope;

	quarry_label_begin(&scope, "request", "forgotten");
	quarry_cache_free(caches[0], quarry_cache_alloc(caches[0], GFP_KERNEL));
	return 0;
}

static int honest_fn(void *unused)
{
	QUARRY_LABEL("request", "honest");

	quarry_cache_free(caches[0], quarry_cache_alloc(caches[0], GFP_KERNEL));
	return 0;
}

/* Takes the last object under a name and a label that try to forge lines. */
static int forge_fn(void *unused)
{
	QUARRY_LABEL("k =", "v \"\n# site 2");

	names_take(NR_CACHES - 1);
	return 0;
}

/* Runs @n threads, one after the other, so that later ones get the stacks of earlier ones. */
static int run_threads(int (*fn)(void *unused), unsigned int n, const char *name)
{
	while (n--) {
		struct task_struct *task = kthread_create(fn, NULL, "%s", name);

		if (IS_ERR(task))
			return PTR_ERR(task);
		get_task_struct(task);
		wake_up_process(task);
		while (!READ_ONCE(task->exit_state))
			schedule_timeout_uninterruptible(1);
		put_task_struct(task);
	}
	return 0;
}

static int __init names_init(void)
{
	int err = make_caches();

	if (!err)
		err = run_threads(forge_fn, 1, "a \"b\n# s");
	if (!err)
		err = objects[NR_CACHES - 1] ? 0 : -ENOMEM;
	if (!err)
		err = run_threads(forget_fn, forget, "forgetful");
	if (!err)
		err = run_threads(honest_fn, forget, "honest");
	if (err)
		give_back();
	return err;
}

static void __exit names_exit(void)
{
	give_back();
}

module_init(names_init);
module_exit(names_exit);
MODULE_AUTHOR("The Quarry developers");
MODULE_DESCRIPTION("Client of Quarry with names that are hard to show, for its tests");
MODULE_LICENSE("GPL");
QUARRY_IMPORT_NS;
