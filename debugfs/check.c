// SPDX-License-Identifier: GPL-2.0
/* A cache's "check": the checks that are on, switched while the cache is in use. */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <quarry/misuse.h>
#include <quarry/quarry.h>
#include "private.h"

static int check_show(struct seq_file *m, void *unused)
{
	unsigned int checks;
	int err = qr_cache_check_get(qr_file_number(m), &checks);

	if (!err)
		seq_puts(m, checks & QUARRY_CHECK_SANE ? "sane\n" : "none\n");
	return err;
}

/* Takes "sane" or "none". */
static ssize_t check_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	unsigned int cache = qr_file_number(file->private_data), checks;
	char text[16], *word;
	int err;

	word = qr_written(text, sizeof(text), buf, len, &err);
	if (!word)
		return err;
	if (!strcmp(word, "sane")) {
		checks = QUARRY_CHECK_SANE;
	} else if (!strcmp(word, "none")) {
		checks = 0;
	} else {
		pr_info_ratelimited("%pD4: \"%*pE\" is not \"sane\" and not \"none\"\n", file,
				    (int)strlen(word), word);
		return -EINVAL;
	}
	err = qr_cache_check_set(cache, checks);
	if (err == -EOPNOTSUPP)
		pr_info_ratelimited("%pD4: the cache has red zones or poison, belongs to a pool or is destroyed\n",
				    file);
	return err ?: len;
}

QR_DEFINE_CONTROL(check);

void qr_debugfs_cache_check(struct dentry *dir, unsigned int cache)
{
	qr_control_file("check", dir, qr_file_data(cache), &check_fops);
}
