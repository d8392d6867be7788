// SPDX-License-Identifier: GPL-2.0
/*
 * quarry_bench: compares Quarry with the kernel's own allocator, in one boot.
 *
 * Write the name of a group (one of groups[], or "counts" for several) to
 * /sys/kernel/debug/quarry_bench/run.  When the write returns, the file "results" next to it has
 * one line for each result:
 *
 *   case size batch side min_x100 median_x100
 *
 * Lines that begin with '#' are remarks.  Groups that measure the profiler run for one side, as
 * "churn inline", at the rate that is set: the samples that "stats" counts meanwhile are then
 * that side's.  "search" has no sides; its lines are
 *
 *   search state find heap_mib searches mean_x100 worst bound
 *
 * A line of "arena" has all sides, see arena.c.  "hold inline" allocates a string for each line
 * that was written to the file "words", until "drop inline" frees them.  It prints
 *
 *   strings words bytes
 *
 * See scripts/bench and scripts/bench-native.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <quarry/quarry.h>
#include "measure.h"

static const struct bench_group {
	const char *name;
	bool counts; /* part of "counts" */
	int (*run)(void);
	int (*run_side)(const struct bench_side *side);
} groups[] = {
	{ "hot", true, bench_hot },
	{ "malloc", true, bench_malloc },
	{ "shim", true, bench_shim },
	{ "batch", true, bench_batch },
	{ "bulk", true, bench_bulk },
	{ "zeroed", true, bench_zeroed },
	{ "rcu", true, bench_rcu },
	{ "pool", true, bench_pool },
	{ "native", false, bench_native },
	{ "search", false, bench_search },
	{ "arena", false, bench_arena },
	{ "rate-hot", false, NULL, bench_rate_hot },
	{ "churn", false, NULL, bench_rate_churn },
	{ "bare", false, NULL, bench_rate_bare },
	{ "stacks", false, NULL, bench_rate_stacks },
	{ "page", false, NULL, bench_page },
	{ "hold", false, NULL, bench_hold },
	{ "drop", false, NULL, bench_drop },
};

static const struct bench_side *const sides[] = { &bench_slub, &bench_inline, &bench_called };

static struct dentry *dir;
static DEFINE_MUTEX(lock); /* one run at a time; guards the variables below */
static char text[16384];
static size_t text_len;

static __printf(1, 0) void append(const char *fmt, va_list args)
{
	text_len += vscnprintf(text + text_len, sizeof(text) - text_len, fmt, args);
}

void bench_line(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	append(fmt, args);
	va_end(args);
}

void bench_note(const char *fmt, ...)
{
	va_list args;

	bench_line("# ");
	va_start(args, fmt);
	append(fmt, args);
	va_end(args);
	bench_line("\n");
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

void bench_report(const char *name, unsigned int size, unsigned int batch, const char *side,
		  u64 *values, unsigned int n)
{
	sort(values, n, sizeof(*values), compare, NULL);
	bench_line("%s %u %u %s %llu %llu\n", name, size, batch, side, values[0], values[n / 2]);
}

struct run {
	const char *name;
	const char *side;
	struct completion done;
};

static int run_group(const struct bench_group *group, const char *side)
{
	unsigned int i;

	if (!group->run_side)
		return side ? -EINVAL : group->run();
	for (i = 0; side && i < ARRAY_SIZE(sides); i++)
		if (!strcmp(side, sides[i]->name))
			return group->run_side(sides[i]);
	return -EINVAL;
}

static int run_groups(void *data)
{
	struct run *run = data;
	bool found = false;
	unsigned int i;
	int err = 0;

	text_len = 0;
	bench_calibrate();
	for (i = 0; !err && i < ARRAY_SIZE(groups); i++) {
		if (strcmp(run->name, groups[i].name) &&
		    !(groups[i].counts && !strcmp(run->name, "counts")))
			continue;
		found = true;
		err = run_group(&groups[i], run->side);
	}
	complete(&run->done);
	if (err)
		bench_note("failed: %d", err);
	return found ? err : -EINVAL;
}

/* A thread that is bound to CPU 0 does the run.  The writer itself may be on any processor. */
static int run_on_first_cpu(char *name)
{
	struct run run = { .name = strsep(&name, " "), .side = name };
	struct task_struct *task;
	int ret;

	init_completion(&run.done);
	task = kthread_create(run_groups, &run, "quarry_bench");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, 0);
	get_task_struct(task);
	wake_up_process(task);
	/* Wait first: kthread_stop() on a thread that has not begun would keep it from running. */
	wait_for_completion(&run.done);
	ret = kthread_stop(task);
	put_task_struct(task);
	return ret;
}

static ssize_t run_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	char name[32];
	int ret;

	if (count >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buf, count))
		return -EFAULT;
	name[count] = 0;
	ret = mutex_lock_interruptible(&lock);
	if (ret)
		return ret;
	ret = run_on_first_cpu(strim(name));
	mutex_unlock(&lock);
	return ret ? ret : count;
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = run_write,
	.llseek = noop_llseek,
};

static int results_show(struct seq_file *m, void *v)
{
	mutex_lock(&lock);
	seq_write(m, text, text_len);
	mutex_unlock(&lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(results);

static int __init bench_init(void)
{
	int err = bench_buffers_alloc();

	if (err)
		return err;
	dir = debugfs_create_dir("quarry_bench", NULL);
	err = bench_strings_init(dir);
	if (err) {
		debugfs_remove_recursive(dir);
		bench_buffers_free();
		return err;
	}
	debugfs_create_file("run", 0200, dir, NULL, &run_fops);
	debugfs_create_file("results", 0400, dir, NULL, &results_fops);
	return 0;
}

static void __exit bench_exit(void)
{
	debugfs_remove_recursive(dir);
	bench_strings_exit();
	bench_buffers_free();
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Quarry against the kernel's own allocator");
MODULE_LICENSE("GPL");
QUARRY_IMPORT_NS;
