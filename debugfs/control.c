// SPDX-License-Identifier: GPL-2.0
/*
 * control/: actions and settings of the allocator.  Writing "1" to the file of an action
 * carries it out.  Each file has one of mode 0200 beside it, which can only be written.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "private.h"

void qr_control_file(const char *name, struct dentry *dir, void *data,
		     const struct file_operations *fops)
{
	char control[32];

	debugfs_create_file(name, 0400, dir, data, fops);
	snprintf(control, sizeof(control), "%s.write", name);
	debugfs_create_file(control, 0200, dir, data, fops);
}

ssize_t qr_do_on_one(const char __user *buf, size_t len, int (*verb)(void))
{
	unsigned int value;
	int err = kstrtouint_from_user(buf, len, 10, &value);

	if (!err && value != 1)
		err = -EINVAL;
	if (!err)
		err = verb();
	return err ?: len;
}

char *qr_written(char *text, size_t size, const char __user *buf, size_t len, int *err)
{
	*err = -EINVAL;
	if (len >= size)
		return NULL;
	if (copy_from_user(text, buf, len)) {
		*err = -EFAULT;
		return NULL;
	}
	text[len] = '\0';
	return strlen(text) == len ? strim(text) : NULL;
}

static atomic64_t last_drained;

static int do_drain(void)
{
	atomic64_set(&last_drained, qr_drain_all());
	return 0;
}

static int drain_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%llu\n", (u64)atomic64_read(&last_drained));
	return 0;
}

static ssize_t drain_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	return qr_do_on_one(buf, len, do_drain);
}

QR_DEFINE_CONTROL(drain);

void qr_drain_file(struct dentry *dir)
{
	qr_control_file("drain", dir, NULL, &drain_fops);
}

/* If the books do not agree, the file shows that, and reading it is no error. */
static int validate_show(struct seq_file *m, void *unused)
{
	struct quarry_validation v;
	int err = qr_validate_slices(&v);

	if (err && err != -EUCLEAN)
		return err;
	qr_show_value(m, "caches", v.caches);
	qr_show_value(m, "slabs", v.slabs);
	qr_show_value(m, "chunks", v.chunks);
	qr_show_value(m, "objects", v.objects);
	qr_show_value(m, "live", v.live);
	qr_show_value(m, "unsettled", v.unsettled);
	qr_show_value(m, "errors", v.errors);
	seq_printf(m, "%-20s %s\n", "verdict", err ? v.first : "ok");
	return 0;
}

static int do_validate(void)
{
	struct quarry_validation v;

	return qr_validate_slices(&v);
}

/*
 * For scripts: "echo 1 > validate" fails if the books do not agree.  "echo strict > validate"
 * checks them with the machine stopped.
 */
static ssize_t validate_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct quarry_validation v;
	char text[8], *word;
	int err;

	word = qr_written(text, sizeof(text), buf, len, &err);
	if (!word || strcmp(word, "strict"))
		return qr_do_on_one(buf, len, do_validate);
	return qr_validate(&v) ?: len;
}

QR_DEFINE_CONTROL(validate);

static atomic64_t last_scavenged;

static int do_scavenge(void)
{
	atomic64_set(&last_scavenged, qr_scavenge_now());
	return 0;
}

static int scavenge_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%llu\n", (u64)atomic64_read(&last_scavenged));
	return 0;
}

static ssize_t scavenge_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	return qr_do_on_one(buf, len, do_scavenge);
}

QR_DEFINE_CONTROL(scavenge);

static int retain_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%u\n", qr_retain_get());
	return 0;
}

static ssize_t retain_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	unsigned int percent;
	int err = kstrtouint_from_user(buf, len, 10, &percent);

	if (!err)
		err = qr_retain_set(percent);
	if (err)
		pr_info_ratelimited("%pD4: not a number from 0 to 100\n", file);
	return err ?: len;
}

QR_DEFINE_CONTROL(retain);

static int percpu_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%u\n", qr_percpu_kib_get());
	return 0;
}

static ssize_t percpu_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	u32 kib;
	int err = kstrtou32_from_user(buf, len, 10, &kib);

	if (err)
		return err;
	qr_percpu_kib_set(kib);
	return len;
}

QR_DEFINE_CONTROL(percpu);

void qr_debugfs_control(struct dentry *root)
{
	struct dentry *dir = debugfs_create_dir("control", root);

	qr_drain_file(dir);
	qr_control_file("validate", dir, NULL, &validate_fops);
	qr_control_file("scavenge", dir, NULL, &scavenge_fops);
	qr_control_file("retain_percent", dir, NULL, &retain_fops);
	qr_debugfs_limits(dir);
	qr_control_file("percpu_cache_kib", dir, NULL, &percpu_fops);
	qr_debugfs_findleaks(dir);
}
