// SPDX-License-Identifier: GPL-2.0
/* The client's two debugfs files: parsing of commands, and the text of their results. */
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "client.h"

static const struct client_command *const commands[] = {
	&client_stress,	    &client_hold,	 &client_release,   &client_fragment,
	&client_defragment, &client_misuse,	 &client_caches,    &client_place,
	&client_occupy,	    &client_vacate,	 &client_atomic,    &client_failnth,
	&client_stream,	    &client_unstream,	 &client_crowd,	    &client_uncrowd,
	&client_leak,	    &client_unleak,	 &client_mixed,	    &client_churn,
	&client_limited,    &client_sparse,	 &client_thin,	    &client_unsparse,
	&client_arena,	    &client_unarena,	 &client_twins,	    &client_untwins,
	&client_callbacks,  &client_uncallbacks, &client_reclaimer, &client_gap,
	&client_emergency,  &client_cost,	 &client_touch,	    &client_uncost,
	&client_kernel,	    &client_unkernel,	 &client_kstream,   &client_unkstream,
	&client_pages,	    &client_unpages,	 &client_kleak,	    &client_unkleak,
	&client_kcontext,   &client_unkcontext,	 &client_areas,	    &client_unareas,
	&client_stacks,	    &client_unstacks,	 &client_case,	    &client_uncase,
	&client_lose,	    &client_unlose,
};

static DEFINE_MUTEX(run_lock);	     /* one command at a time */
static DEFINE_SPINLOCK(result_lock); /* client_say() is called in any context */
static char result[4096];
static size_t result_len;

void client_say(const char *fmt, ...)
{
	unsigned long flags;
	va_list args;

	va_start(args, fmt);
	spin_lock_irqsave(&result_lock, flags);
	result_len += vscnprintf(result + result_len, sizeof(result) - result_len, fmt, args);
	spin_unlock_irqrestore(&result_lock, flags);
	va_end(args);
}

static int parse_value(const struct client_arg *arg, const char *text, u64 *value)
{
	int i;

	if (!arg->words) {
		int err = kstrtou64(text, 10, value);

		return err ?: *value > arg->max ? -EINVAL : 0;
	}
	for (i = 0; arg->words[i]; i++) {
		if (!strcmp(arg->words[i], text)) {
			*value = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_arg(const struct client_command *cmd, char *word, u64 *v)
{
	char *text = strchr(word, '=');
	int i;

	if (!text)
		return -EINVAL;
	*text++ = '\0';
	for (i = 0; cmd->args[i].name; i++)
		if (!strcmp(cmd->args[i].name, word))
			return parse_value(&cmd->args[i], text, &v[i]);
	return -EINVAL;
}

static int run_text(char *text)
{
	const struct client_command *cmd = NULL;
	u64 v[CLIENT_MAX_ARGS];
	char *word;
	int i, err;

	word = strsep(&text, " ");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, word))
			cmd = commands[i];
	if (!cmd)
		return -EINVAL;
	for (i = 0; cmd->args[i].name; i++)
		v[i] = cmd->args[i].value;
	while ((word = strsep(&text, " "))) {
		err = parse_arg(cmd, word, v);
		if (err)
			return err;
	}
	mutex_lock(&run_lock);
	result_len = 0;
	result[0] = '\0';
	err = cmd->run(v);
	mutex_unlock(&run_lock);
	return err;
}

static ssize_t run_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	char text[128];
	int err;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, len))
		return -EFAULT;
	text[len] = '\0';
	err = run_text(strim(text));
	return err ?: len;
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.write = run_write,
	.llseek = noop_llseek,
};

static int result_show(struct seq_file *m, void *unused)
{
	seq_puts(m, result);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(result);

static struct dentry *dir;

static int __init client_init(void)
{
	dir = debugfs_create_dir("quarry_client", NULL);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	debugfs_create_file("run", 0200, dir, NULL, &run_fops);
	debugfs_create_file("result", 0400, dir, NULL, &result_fops);
	return 0;
}

static void __exit client_exit(void)
{
	debugfs_remove(dir);
	client_vacate_all();
	client_release_all();
	client_uncase_all();
	client_unlose_all();
	client_defragment_all();
	client_unstream_all();
	client_unkstream_all();
	client_unpages_all();
	client_unareas_all();
	client_unstacks_all();
	client_unkleak_all();
	client_unkcontext_all();
	client_uncrowd_all();
	client_unleak_all();
	client_untwins_all();
	client_mixed_all();
	client_limited_all();
	client_unsparse_all();
	client_uncallbacks_all();
	client_uncost_all();
}

module_init(client_init);
module_exit(client_exit);
MODULE_AUTHOR("The Quarry developers");
MODULE_DESCRIPTION("Client of Quarry for its tests");
MODULE_LICENSE("GPL");
QUARRY_IMPORT_NS;
