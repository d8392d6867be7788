// SPDX-License-Identifier: GPL-2.0
/*
 * control/findleaks: live objects that nothing points to, by cache and call stack.  Each reading
 * from the start searches anew.
 */
#include <linux/err.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <quarry/profile.h>
#include "private.h"

/**
 * struct finder - an open file
 * @lock: protects @text
 * @text: what the last search found, or NULL
 */
struct finder {
	struct mutex lock; /* see above */
	struct qr_text *text;
};

static int findleaks_open(struct inode *inode, struct file *file)
{
	struct finder *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	mutex_init(&f->lock);
	file->private_data = f;
	return 0;
}

static int findleaks_release(struct inode *inode, struct file *file)
{
	struct finder *f = file->private_data;

	qr_text_free(f->text);
	mutex_destroy(&f->lock);
	kfree(f);
	return 0;
}

/* Under the lock. */
static int search(struct finder *f)
{
	struct qr_text *t = qr_lost_render();

	if (IS_ERR(t))
		return PTR_ERR(t);
	qr_text_free(f->text);
	f->text = t;
	return 0;
}

static ssize_t findleaks_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct finder *f = file->private_data;
	ssize_t ret;

	if (!len)
		return 0;
	if (mutex_lock_killable(&f->lock))
		return -EINTR;
	ret = *pos ? 0 : search(f);
	if (!ret)
		ret = f->text ? qr_text_read(f->text, buf, len, pos) : -ESPIPE;
	mutex_unlock(&f->lock);
	return ret;
}

static const struct file_operations findleaks_fops = {
	.owner = THIS_MODULE,
	.open = findleaks_open,
	.read = findleaks_read,
	.llseek = no_seek_end_llseek,
	.release = findleaks_release,
};

void qr_debugfs_findleaks(struct dentry *dir)
{
	debugfs_create_file("findleaks", 0400, dir, NULL, &findleaks_fops);
}
