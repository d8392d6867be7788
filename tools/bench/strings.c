// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that the words of a text take, each as a string of its own: kstrdup() compared with
 * quarry_strdup().  The text is written to the file "words", one word on each line.
 *
 * "hold SIDE" allocates the strings, and "drop SIDE" frees them.  Between the two, scripts/bench
 * reads the kernel's count of pages.
 */
#include <linux/debugfs.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <quarry/quarry.h>
#include "measure.h"

#define MAX_TEXT SZ_4M

static DEFINE_MUTEX(lock); /* guards the variables below */
static char *text;	   /* the words, each with a zero behind it */
static size_t text_len, nr_words;
static char **held;
static const struct bench_side *holder;

static char *dup(const struct bench_side *side, const char *s)
{
	return side == &bench_slub ? kstrdup(s, GFP_KERNEL) : quarry_strdup(s, GFP_KERNEL);
}

static void drop(void)
{
	size_t i;

	for (i = 0; holder && i < nr_words; i++) {
		if (holder == &bench_slub)
			kfree(held[i]);
		else
			quarry_free(held[i]);
		if (!(i % 4096))
			cond_resched();
	}
	vfree(held);
	held = NULL;
	holder = NULL;
}

static int hold(const struct bench_side *side)
{
	const char *word = text;
	size_t i;

	if (holder)
		return -EBUSY;
	if (!nr_words) {
		bench_note("skipped strings: no words");
		return 0;
	}
	held = vcalloc(nr_words, sizeof(*held));
	if (!held)
		return -ENOMEM;
	holder = side;
	for (i = 0; i < nr_words; i++, word += strlen(word) + 1) {
		held[i] = dup(side, word);
		if (!held[i]) {
			drop();
			return -ENOMEM;
		}
		if (!(i % 4096))
			cond_resched();
	}
	bench_line("strings %zu %zu\n", nr_words, text_len);
	return 0;
}

int bench_hold(const struct bench_side *side)
{
	int err;

	mutex_lock(&lock);
	err = hold(side);
	mutex_unlock(&lock);
	return err;
}

int bench_drop(const struct bench_side *side)
{
	int err = 0;

	mutex_lock(&lock);
	if (holder == side)
		drop();
	else
		err = -EINVAL;
	mutex_unlock(&lock);
	return err;
}

/* A write adds to the text.  A word ends with its line. */
static ssize_t words_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	size_t i;
	ssize_t ret = count;

	mutex_lock(&lock);
	if (holder)
		ret = -EBUSY;
	else if (count > MAX_TEXT - text_len)
		ret = -ENOSPC;
	else if (copy_from_user(text + text_len, buf, count))
		ret = -EFAULT;
	for (i = text_len; ret > 0 && i < text_len + count; i++) {
		if (text[i] != '\n')
			continue;
		text[i] = '\0';
		nr_words++;
	}
	if (ret > 0)
		text_len += count;
	mutex_unlock(&lock);
	return ret;
}

static const struct file_operations words_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = words_write,
	.llseek = noop_llseek,
};

int bench_strings_init(struct dentry *dir)
{
	text = vzalloc(MAX_TEXT);
	if (!text)
		return -ENOMEM;
	debugfs_create_file("words", 0200, dir, NULL, &words_fops);
	return 0;
}

void bench_strings_exit(void)
{
	drop();
	vfree(text);
}
