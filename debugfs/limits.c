// SPDX-License-Identifier: GPL-2.0
/*
 * control/soft_limit and control/hard_limit, which show and set one limit of the module each,
 * and a cache's "limit", which shows and sets both of the cache's limits.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/string.h>
#include "private.h"

static void show_limit(struct seq_file *m, const char *name, unsigned long bytes)
{
	if (bytes == QUARRY_NO_LIMIT)
		seq_printf(m, "%smax\n", name);
	else
		seq_printf(m, "%s%lu\n", name, bytes);
}

static int limit_show(struct seq_file *m, void *unused)
{
	unsigned long soft, hard;
	int err = qr_limit_read(qr_file_number(m), &soft, &hard);

	if (err)
		return err;
	show_limit(m, "soft ", soft);
	show_limit(m, "hard ", hard);
	return 0;
}

static int show_one(struct seq_file *m, bool is_hard)
{
	unsigned long soft, hard;
	int err = qr_limit_read(QUARRY_LIMIT_ALL, &soft, &hard);

	if (!err)
		show_limit(m, "", is_hard ? hard : soft);
	return err;
}

static int soft_show(struct seq_file *m, void *unused)
{
	return show_one(m, false);
}

static int hard_show(struct seq_file *m, void *unused)
{
	return show_one(m, true);
}

static int write_size(struct file *file, const char *word, unsigned int cache, bool is_hard)
{
	unsigned long bytes;
	int err = qr_limit_parse(word, &bytes);

	if (err) {
		pr_info_ratelimited("%pD4: \"%*pE\" is %s\n", file, (int)strlen(word), word,
				    err == -ERANGE ? "too much" :
						     "no number of bytes and not \"max\"");
		return err;
	}
	return qr_limit_write(cache, is_hard, bytes);
}

/* Takes "soft SIZE" or "hard SIZE"; SIZE alone sets the hard limit. */
static ssize_t limit_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	unsigned int cache = qr_file_number(file->private_data);
	bool is_hard = true;
	char text[48], *word;
	int err;

	word = qr_written(text, sizeof(text), buf, len, &err);
	if (!word)
		return err;
	if (!strncmp(word, "soft ", 5) || !strncmp(word, "hard ", 5)) {
		is_hard = *word == 'h';
		word = skip_spaces(word + 5);
	}
	err = write_size(file, word, cache, is_hard);
	return err ?: len;
}

static ssize_t write_one(struct file *file, const char __user *buf, size_t len, bool is_hard)
{
	char text[48], *word;
	int err;

	word = qr_written(text, sizeof(text), buf, len, &err);
	if (word)
		err = write_size(file, word, QUARRY_LIMIT_ALL, is_hard);
	return err ?: len;
}

static ssize_t soft_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	return write_one(file, buf, len, false);
}

static ssize_t hard_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	return write_one(file, buf, len, true);
}

QR_DEFINE_CONTROL(limit);
QR_DEFINE_CONTROL(soft);
QR_DEFINE_CONTROL(hard);

void qr_debugfs_cache_limit(struct dentry *dir, unsigned int cache)
{
	qr_control_file("limit", dir, qr_file_data(cache), &limit_fops);
}

void qr_debugfs_limits(struct dentry *dir)
{
	qr_control_file("soft_limit", dir, NULL, &soft_fops);
	qr_control_file("hard_limit", dir, NULL, &hard_fops);
}
