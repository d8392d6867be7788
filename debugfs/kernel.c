// SPDX-License-Identifier: GPL-2.0
/* kernel/: a folder for each of the kernel's allocators that can be profiled. */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/stringify.h>
#include <quarry/profile.h>
#include "private.h"

#define STATS_NAME(name, ...) __stringify(name),
static const char *const stats_names[] = { QUARRY_DOMAIN_STATS(STATS_NAME) };

static_assert(sizeof(struct quarry_domain_stats) == ARRAY_SIZE(stats_names) * sizeof(u64));

static int stats_show(struct seq_file *m, void *unused)
{
	struct quarry_domain_stats st;
	const u64 *values = (const u64 *)&st;
	unsigned int i;

	qr_domain_stats_read(qr_file_number(m), &st);
	for (i = 0; i < ARRAY_SIZE(stats_names); i++)
		qr_show_value(m, stats_names[i], values[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/*
 * The number that was written to @file: @low to 1.  Anything else is an error, which is logged;
 * @wanted says what the file takes.
 */
static int written_number(struct file *file, const char __user *buf, size_t len, unsigned int low,
			  const char *wanted)
{
	char text[32], *word;
	unsigned int number;
	int err;

	word = qr_written(text, sizeof(text), buf, len, &err);
	if (word) {
		if (!kstrtouint(word, 10, &number) && number >= low && number <= 1)
			return number;
		pr_info_ratelimited("%pD4: \"%*pE\" is not %s\n", file, (int)strlen(word), word,
				    wanted);
		return -EINVAL;
	}
	if (err == -EINVAL)
		pr_info_ratelimited("%pD4: %zu bytes, too many or with a zero among them, are not %s\n",
				    file, len, wanted);
	return err;
}

static int enable_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%d\n", qr_domain_is_on(qr_file_number(m)));
	return 0;
}

static ssize_t enable_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	int on = written_number(file, buf, len, 0, "0 or 1"), err;

	if (on < 0)
		return on;
	err = qr_domain_enable(qr_file_number(file->private_data), on);
	return err ?: len;
}

QR_DEFINE_CONTROL(enable);

static int rate_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%u\n", qr_domain_rate_get(qr_file_number(m)));
	return 0;
}

static ssize_t rate_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	char text[32], *word;
	u32 rate = 0;
	int err;

	word = qr_written(text, sizeof(text), buf, len, &err);
	if (!word)
		return err;
	err = qr_written_rate(file, word, &rate);
	if (!err)
		qr_domain_rate_set(qr_file_number(file->private_data), rate);
	return err ?: len;
}

QR_DEFINE_CONTROL(rate);

static atomic_t resets[QUARRY_DOMAINS];

static int reset_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%d\n", atomic_read(&resets[qr_file_number(m)]));
	return 0;
}

static ssize_t reset_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	unsigned int domain = qr_file_number(file->private_data);
	int err = written_number(file, buf, len, 1, "1");

	if (err < 0)
		return err;
	qr_domain_reset(domain);
	atomic_inc(&resets[domain]);
	return len;
}

QR_DEFINE_CONTROL(reset);

static void domain_files(struct dentry *kernel, enum quarry_domain domain)
{
	struct dentry *dir = debugfs_create_dir(qr_domain_name(domain), kernel);

	qr_debugfs_domain_files(dir, domain);
	debugfs_create_file("stats", 0400, dir, qr_file_data(domain), &stats_fops);
	qr_control_file("enable", dir, qr_file_data(domain), &enable_fops);
	qr_control_file("rate", dir, qr_file_data(domain), &rate_fops);
	qr_control_file("reset", dir, qr_file_data(domain), &reset_fops);
}

void qr_debugfs_kernel(struct dentry *root)
{
	struct dentry *dir = debugfs_create_dir("kernel", root);
	unsigned int domain;

	for (domain = QUARRY_DOMAIN_QUARRY + 1; domain < QUARRY_DOMAINS; domain++)
		domain_files(dir, domain);
	qr_debugfs_oom(dir);
}
