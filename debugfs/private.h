/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of debugfs/ share; nothing else includes it.
 *
 * Two kinds of text.  Lists have one "name value" per line.  Tables begin with
 * a line of column names, whose first word starts with '#', so that a field
 * has the same number in that line and below it.
 */
#ifndef QR_DEBUGFS_PRIVATE_H
#define QR_DEBUGFS_PRIVATE_H

#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/types.h>
#include <quarry/stats.h>

static inline void qr_show_value(struct seq_file *m, const char *name, u64 value)
{
	seq_printf(m, "%-20s %15llu\n", name, value);
}

/* A name as a word that can stand in a table and name a directory; of QUARRY_NAME_LEN bytes. */
void qr_clean_name(char *to, const char *name);

/* Numbers travel as a file's private pointer: there is nothing to keep alive. */
static inline void *qr_file_data(unsigned int number)
{
	return (void *)(unsigned long)number;
}

static inline unsigned int qr_file_number(const struct seq_file *m)
{
	return (unsigned long)m->private;
}

/* A file that takes "1": do it.  Returns @len, or what is wrong. */
ssize_t qr_do_on_one(const char __user *buf, size_t len, int (*verb)(void));

/*
 * The text that was written, without the white space around it.  NULL and *@err if it has
 * not the room: then it is none of the words that a file takes.
 */
char *qr_written(char *text, size_t size, const char __user *buf, size_t len, int *err);

/* name_fops, of a file that is read by name_show() and written by name_write(). */
/* clang-format off */
#define QR_DEFINE_CONTROL(name)							\
static int name##_open(struct inode *inode, struct file *file)			\
{										\
	return single_open(file, name##_show, inode->i_private);		\
}										\
										\
static const struct file_operations name##_fops = {				\
	.owner		= THIS_MODULE,						\
	.open		= name##_open,						\
	.read		= seq_read,						\
	.write		= name##_write,						\
	.llseek		= seq_lseek,						\
	.release	= single_release,					\
}

/* clang-format on */

/* In control/ and in profile/. */
extern const struct file_operations qr_drain_fops;

/* What a cache's profile/ has; the whole heap's has it too, by QUARRY_CACHE_ALL. */
void qr_debugfs_profile_files(struct dentry *dir, u32 cache);

/* A cache's limit, and in control/ those of all caches together. */
void qr_debugfs_cache_limit(struct dentry *dir, unsigned int cache);
void qr_debugfs_limits(struct dentry *dir);

void qr_debugfs_stats(struct dentry *root);
void qr_debugfs_pools(struct dentry *root);
void qr_debugfs_nodes(struct dentry *root);
void qr_debugfs_control(struct dentry *root);
void qr_debugfs_profile(struct dentry *root);
void qr_debugfs_caches(struct dentry *root);
void qr_debugfs_caches_stop(void);
void qr_debugfs_arenas(struct dentry *root);

#endif /* QR_DEBUGFS_PRIVATE_H */
