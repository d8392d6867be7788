// SPDX-License-Identifier: GPL-2.0
/*
 * profile/ of the whole heap and of each cache, the profiles of kernel/, and "heapdump".
 *
 * A profile is taken and rendered as a whole when a file is read for the first time, or
 * again from offset 0.  Reads at other offsets continue in the same text, so that it can
 * be read in pieces of any size.  Each open file has its own text.
 *
 * A heap dump may be larger than the memory that is left.  It is made while it is read, so it
 * must be read from front to back.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <quarry/profile.h>
#include "private.h"

/* --- Profiles --- */

/*
 * A file's private pointer holds all that the file needs to know, as in qr_file_data(): the
 * cache's number in the upper 32 bits, below it the domain, the kind and the format in a byte each.
 */
static void *profile_data(u32 cache, enum quarry_domain domain, enum quarry_profile_kind kind,
			  enum quarry_profile_format format)
{
	return (void *)((unsigned long)cache << 32 | domain << 16 | kind << 8 | format);
}

/**
 * struct reader - an open file
 * @lock: protects the other members; outside of the session's lock
 * @session: takes and renders the profiles
 * @kind: kind of profile that the file shows
 * @format: format of its text
 * @rendered: the session has a text from which reads continue
 * @delta: "reset" has been written, so profiles are deltas
 */
struct reader {
	struct mutex lock; /* see above */
	struct qr_session *session;
	enum quarry_profile_kind kind;
	enum quarry_profile_format format;
	bool rendered;
	bool delta;
};

static int profile_open(struct inode *inode, struct file *file)
{
	unsigned long data = (unsigned long)inode->i_private;
	enum quarry_domain domain = data >> 16 & 0xff;
	struct reader *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	r->session = domain == QUARRY_DOMAIN_QUARRY ? qr_session_open(data >> 32) :
						      qr_session_open_domain(domain);
	if (!r->session) {
		kfree(r);
		return -ENOMEM;
	}
	mutex_init(&r->lock);
	r->kind = data >> 8 & 0xff;
	r->format = data & 0xff;
	file->private_data = r;
	return 0;
}

static int profile_release(struct inode *inode, struct file *file)
{
	struct reader *r = file->private_data;

	qr_session_close(r->session);
	mutex_destroy(&r->lock);
	kfree(r);
	return 0;
}

static ssize_t profile_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct reader *r = file->private_data;
	ssize_t ret = 0;

	if (!len)
		return 0;
	if (mutex_lock_killable(&r->lock))
		return -EINTR;
	if (!*pos || !r->rendered) {
		ret = qr_session_take(r->session, r->kind, r->format, r->delta);
		r->rendered = !ret;
	}
	if (!ret)
		ret = qr_session_read(r->session, buf, len, pos);
	mutex_unlock(&r->lock);
	return ret;
}

/*
 * Begins the deltas of this open file.  That changes nothing for others, so the file has mode 0400,
 * and whoever could open it for writing too may do it.
 */
static ssize_t profile_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct reader *r = file->private_data;
	char text[16], *word;
	int err;

	word = qr_written(text, sizeof(text), buf, len, &err);
	if (!word)
		return err;
	if (strcmp(word, "reset"))
		return -EINVAL;
	mutex_lock(&r->lock);
	err = qr_session_mark(r->session);
	if (!err) {
		r->delta = true;
		r->rendered = false;
		*pos = 0;
	}
	mutex_unlock(&r->lock);
	return err ?: len;
}

/* The size is not known before a read renders the text, so SEEK_END is refused. */
static const struct file_operations profile_fops = {
	.owner = THIS_MODULE,
	.open = profile_open,
	.read = profile_read,
	.write = profile_write,
	.llseek = no_seek_end_llseek,
	.release = profile_release,
};

/* --- Heap dumps --- */

/**
 * struct dumper - an open "heapdump"
 * @lock: protects @dump
 * @dump: the dump that is being read, or NULL
 */
struct dumper {
	struct mutex lock; /* see above */
	struct qr_dump *dump;
};

static int heapdump_open(struct inode *inode, struct file *file)
{
	struct dumper *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return -ENOMEM;
	mutex_init(&d->lock);
	file->private_data = d;
	return 0;
}

static int heapdump_release(struct inode *inode, struct file *file)
{
	struct dumper *d = file->private_data;

	qr_dump_close(d->dump);
	mutex_destroy(&d->lock);
	kfree(d);
	return 0;
}

/* At offset 0 a dump begins; an error ends it.  Under the lock. */
static ssize_t dump_read(struct dumper *d, char __user *buf, size_t len, loff_t *pos)
{
	ssize_t ret;

	if (!*pos) {
		qr_dump_close(d->dump);
		d->dump = qr_dump_open();
		if (IS_ERR(d->dump)) {
			ret = PTR_ERR(d->dump);
			d->dump = NULL;
			return ret;
		}
	}
	if (!d->dump)
		return -ESPIPE;
	ret = qr_dump_read(d->dump, buf, len, pos);
	if (ret < 0 && ret != -ESPIPE && ret != -EFAULT) {
		qr_dump_close(d->dump);
		d->dump = NULL;
	}
	return ret;
}

static ssize_t heapdump_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct dumper *d = file->private_data;
	ssize_t ret;

	if (!len)
		return 0;
	if (mutex_lock_killable(&d->lock))
		return -EINTR;
	ret = dump_read(d, buf, len, pos);
	mutex_unlock(&d->lock);
	return ret;
}

static const struct file_operations heapdump_fops = {
	.owner = THIS_MODULE,
	.open = heapdump_open,
	.read = heapdump_read,
	.llseek = no_seek_end_llseek,
	.release = heapdump_release,
};

/* --- Rates --- */

static int rate_show(struct seq_file *m, void *unused)
{
	u32 cache = qr_file_number(m), rate;
	bool own;
	int err;

	if (cache == QUARRY_CACHE_ALL) {
		seq_printf(m, "%u\n", qr_rate_get());
		return 0;
	}
	err = qr_cache_rate_get(cache, &rate, &own);
	if (!err)
		seq_printf(m, "%u%s\n", rate, own ? "" : " (inherited)");
	return err;
}

int qr_written_rate(struct file *file, const char *word, u32 *rate)
{
	int err = qr_rate_parse(word, rate);

	if (err)
		pr_info_ratelimited("%pD4: \"%*pE\" is %s\n", file, (int)strlen(word), word,
				    err == -ERANGE ? "4 GiB or more" :
						     "no number of bytes, \"off\" or \"default\"");
	return err;
}

static ssize_t rate_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	u32 cache = qr_file_number(file->private_data), rate = 0;
	char text[32], *word;
	bool inherit;
	int err;

	word = qr_written(text, sizeof(text), buf, len, &err);
	if (!word)
		return err;
	inherit = cache != QUARRY_CACHE_ALL && !strcmp(word, "inherit");
	err = inherit ? 0 : qr_written_rate(file, word, &rate);
	if (err)
		return err;
	if (cache == QUARRY_CACHE_ALL)
		qr_rate_set(rate);
	else
		err = qr_cache_rate_set(cache, rate, !inherit);
	return err ?: len;
}

QR_DEFINE_CONTROL(rate);

/* --- Reset --- */

static atomic_t resets;

static int reset_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%d\n", atomic_read(&resets));
	return 0;
}

static int do_reset(void)
{
	qr_profile_reset();
	atomic_inc(&resets);
	return 0;
}

static ssize_t reset_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	return qr_do_on_one(buf, len, do_reset);
}

QR_DEFINE_CONTROL(reset);

/* --- Directories --- */

/* Makes the files of one kind of profile. */
static void kind_files(struct dentry *dir, u32 cache, enum quarry_domain domain,
		       enum quarry_profile_kind kind)
{
	static const char *const suffix[] = {
		[QUARRY_FORMAT_PPROF] = "",
		[QUARRY_FORMAT_TEXT] = ".txt",
		[QUARRY_FORMAT_FOLDED] = ".folded",
		[QUARRY_FORMAT_TOP] = ".top",
	};
	unsigned int format;
	char name[32];

	for (format = 0; format < ARRAY_SIZE(suffix); format++) {
		/* The table of the heap has the shortest name: people read it most. */
		if (kind == QUARRY_PROFILE_HEAP && format == QUARRY_FORMAT_TOP)
			strscpy(name, "top", sizeof(name));
		else
			snprintf(name, sizeof(name), "%s%s", qr_profile_kind_name[kind],
				 suffix[format]);
		debugfs_create_file(name, 0400, dir, profile_data(cache, domain, kind, format),
				    &profile_fops);
	}
}

/* The kernel's allocators do not tell what they hold beside objects: no fragmentation. */
void qr_debugfs_domain_files(struct dentry *dir, enum quarry_domain domain)
{
	unsigned int kind;

	for (kind = 0; kind < QUARRY_PROFILE_FRAGMENTATION; kind++)
		kind_files(dir, QUARRY_CACHE_ALL, domain, kind);
}

void qr_debugfs_profile_files(struct dentry *dir, u32 cache)
{
	unsigned int kind;

	for (kind = 0; kind < QUARRY_PROFILE_KINDS; kind++)
		kind_files(dir, cache, QUARRY_DOMAIN_QUARRY, kind);
	qr_control_file("rate", dir, qr_file_data(cache), &rate_fops);
}

void qr_debugfs_profile(struct dentry *root)
{
	struct dentry *dir = debugfs_create_dir("profile", root);

	qr_debugfs_profile_files(dir, QUARRY_CACHE_ALL);
	qr_control_file("reset", dir, NULL, &reset_fops);
	qr_drain_file(dir);
	debugfs_create_file("heapdump", 0400, root, NULL, &heapdump_fops);
}
