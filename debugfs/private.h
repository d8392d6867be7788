/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of debugfs/ share.  Only they include it.
 *
 * debugfs files have two kinds of text.  A list has one "name value" per line.  A table
 * begins with a line of column names.  The '#' at its start is part of the first name,
 * so a field has the same number in the first line and below it.
 */
#ifndef QR_DEBUGFS_PRIVATE_H
#define QR_DEBUGFS_PRIVATE_H

#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/types.h>
#include <quarry/exposure.h>
#include <quarry/profile.h>
#include <quarry/stats.h>

static inline void qr_show_value(struct seq_file *m, const char *name, u64 value)
{
	seq_printf(m, "%-20s %15llu\n", name, value);
}

/* The same for a limit. */
static inline void qr_show_limit(struct seq_file *m, const char *name, u64 bytes)
{
	if (bytes == QUARRY_NO_LIMIT)
		seq_printf(m, "%-20s %15s\n", name, "max");
	else
		qr_show_value(m, name, bytes);
}

/**
 * struct qr_table - a table that has a column of addresses
 * @m: its file
 * @hide: what qr_hides_addresses() said
 */
struct qr_table {
	struct seq_file *m;
	bool hide;
};

/* A file's private pointer is a number (of a cache, of a node): nothing has to be kept alive. */
static inline void *qr_file_data(unsigned int number)
{
	return (void *)(unsigned long)number;
}

static inline unsigned int qr_file_number(const struct seq_file *m)
{
	return (unsigned long)m->private;
}

/* The write of a file that takes "1": call @verb.  Returns @len or an error. */
ssize_t qr_do_on_one(const char __user *buf, size_t len, int (*verb)(void));

/*
 * Copy the text that was written to @text, and return it without the white space around it.
 * NULL, with *@err set, if it does not fit into @size bytes (it is then no word that a file
 * takes), has a zero in it, or cannot be read.
 */
char *qr_written(char *text, size_t size, const char __user *buf, size_t len, int *err);

/*
 * Define name_fops for a file that is read by name_show() and written by name_write().  A file
 * that was opened before the kernel was locked down is not written to any more.
 */
/* clang-format off */
#define QR_DEFINE_CONTROL(name)							\
static int name##_open(struct inode *inode, struct file *file)			\
{										\
	return single_open(file, name##_show, inode->i_private);		\
}										\
										\
static ssize_t name##_write_checked(struct file *file, const char __user *buf,	\
				    size_t len, loff_t *pos)			\
{										\
	return qr_may_change() ?: name##_write(file, buf, len, pos);		\
}										\
										\
static const struct file_operations name##_fops = {				\
	.owner		= THIS_MODULE,						\
	.open		= name##_open,						\
	.read		= seq_read,						\
	.write		= name##_write_checked,					\
	.llseek		= seq_lseek,						\
	.release	= single_release,					\
}

/* clang-format on */

/*
 * Make the file @name, which shows something, and beside it name.write, which changes it.  debugfs
 * opens only files of mode 0400 on a kernel that is locked down for integrity.  Root may write to
 * @name as well, in spite of its mode, on all other kernels.
 */
void qr_control_file(const char *name, struct dentry *dir, void *data,
		     const struct file_operations *fops);

/* Make the file "drain", which is in control/ and in profile/. */
void qr_drain_file(struct dentry *dir);

/* qr_rate_parse() for what was written to @file; an error is logged. */
int qr_written_rate(struct file *file, const char *word, u32 *rate);

/* Make kernel/oom/. */
void qr_debugfs_oom(struct dentry *kernel);

/* Make the profiles of a domain of the kernel's. */
void qr_debugfs_domain_files(struct dentry *dir, enum quarry_domain domain);

/* Make the files of a cache's profile/, or of the whole heap's (QUARRY_CACHE_ALL). */
void qr_debugfs_profile_files(struct dentry *dir, u32 cache);

/* Make a cache's "limit", and in control/ the files of the module's limits. */
void qr_debugfs_cache_limit(struct dentry *dir, unsigned int cache);
void qr_debugfs_cache_check(struct dentry *dir, unsigned int cache);
void qr_debugfs_limits(struct dentry *dir);

void qr_debugfs_stats(struct dentry *root);
void qr_debugfs_misuse(struct dentry *root);
void qr_debugfs_pools(struct dentry *root);
void qr_debugfs_nodes(struct dentry *root);
void qr_debugfs_control(struct dentry *root);
void qr_debugfs_findleaks(struct dentry *control);
void qr_debugfs_profile(struct dentry *root);
void qr_debugfs_kernel(struct dentry *root);
void qr_debugfs_caches(struct dentry *root);
void qr_debugfs_cache_table(struct dentry *caches);
void qr_debugfs_caches_stop(void);
void qr_debugfs_arenas(struct dentry *root);

#endif /* QR_DEBUGFS_PRIVATE_H */
