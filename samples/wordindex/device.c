// SPDX-License-Identifier: GPL-2.0
/*
 * wordindex: the demo of Quarry, /dev/wordindex.
 *
 *   cat text > /dev/wordindex	index a text in place of the one before
 *   cat more >> /dev/wordindex	add a text
 *   cat /dev/wordindex		show the most frequent words
 *   : > /dev/wordindex		forget everything
 *
 * A word is a sequence of ASCII letters, digits and inner apostrophes; case does not matter.  A
 * word may be split between two writes: each open file keeps the beginning of an unfinished word.
 * When the file is closed, the word ends.
 */
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include <quarry/quarry.h>
#include "index.h"

#define TOP_MAX 1000
#define PIECE	1024 /* bytes taken from a writer at a time */

static unsigned int top = 20;
module_param(top, uint, 0644);
MODULE_PARM_DESC(top, "words shown, 1 to 1000 (default 20)");

static unsigned int max_words = 1U << 20;
module_param(max_words, uint, 0644);
MODULE_PARM_DESC(max_words,
		 "length of the text in words, after which the device is full (default 1048576)");

static struct word_index word_index;
static DEFINE_MUTEX(word_index_lock);

/**
 * struct writer - what an open file keeps between two writes
 * @len: bytes in @word
 * @word: the beginning of a word that has not ended yet
 * @piece: buffer for text from user space
 *
 * word_index_lock guards all members.
 */
struct writer {
	size_t len;
	char word[WORD_MAX];
	char piece[PIECE];
};

/* The word in @writer has ended: add it to the index. */
static int end_word(struct writer *writer)
{
	size_t len = writer->len;
	int err;

	while (len && writer->word[len - 1] == '\'')
		len--;
	if (len) {
		if (word_index.length >= READ_ONCE(max_words))
			return -ENOSPC;
		err = word_index_add(&word_index, writer->word, len);
		if (err)
			return err;
	}
	writer->len = 0;
	return 0;
}

/*
 * Returns the number of bytes consumed, which is less than @len only if *err is set.  A word that
 * could not be added is kept, and the byte that ended it is not consumed.  So a client that
 * writes the rest again tries the word again.
 */
static size_t take_text(struct writer *writer, size_t len, int *err)
{
	size_t i;

	for (i = 0; i < len; i++) {
		char c = writer->piece[i];

		if (isascii(c) && (isalnum(c) || (c == '\'' && writer->len))) {
			if (writer->len < WORD_MAX)
				writer->word[writer->len++] = tolower(c);
			continue;
		}
		*err = end_word(writer);
		if (*err)
			break;
	}
	return i;
}

static struct writer *writer_of(const struct file *file)
{
	const struct seq_file *m = file->private_data;

	return m->private;
}

static ssize_t wordindex_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct writer *writer = writer_of(file);
	size_t done = 0;
	int err = 0;

	while (done < len && !err) {
		size_t n = min_t(size_t, len - done, PIECE);

		mutex_lock(&word_index_lock);
		if (copy_from_user(writer->piece, buf + done, n))
			err = -EFAULT;
		else
			done += take_text(writer, n, &err);
		mutex_unlock(&word_index_lock);

		cond_resched();
		if (!err && signal_pending(current))
			break;
	}
	return done ?: err;
}

static int wordindex_show(struct seq_file *m, void *unused)
{
	unsigned int i, nr, max = clamp(READ_ONCE(top), 1U, (unsigned int)TOP_MAX);
	const struct word **words = quarry_malloc(max * sizeof(*words), GFP_KERNEL);

	if (!words)
		return -ENOMEM;
	mutex_lock(&word_index_lock);
	nr = word_index_top(&word_index, words, max);
	seq_printf(m, "# %u words, %u different\n", word_index.length, word_index.nr_words);
	seq_printf(m, "%-8s %10s  %s\n", "#count", "first_at", "word");
	for (i = 0; i < nr; i++)
		seq_printf(m, "%-8u %10u  %s\n", words[i]->count, word_first_position(words[i]),
			   words[i]->text);
	mutex_unlock(&word_index_lock);
	quarry_free(words);
	return 0;
}

static int wordindex_open(struct inode *inode, struct file *file)
{
	struct writer *writer = quarry_zalloc(sizeof(*writer), GFP_KERNEL);
	int err;

	if (!writer)
		return -ENOMEM;
	file->private_data = NULL; /* it pointed to the misc device; seq_file needs it */
	err = single_open(file, wordindex_show, writer);
	if (err) {
		quarry_free(writer);
		return err;
	}
	if ((file->f_mode & FMODE_WRITE) && (file->f_flags & O_TRUNC)) {
		mutex_lock(&word_index_lock);
		word_index_clear(&word_index);
		mutex_unlock(&word_index_lock);
	}
	return 0;
}

static int wordindex_release(struct inode *inode, struct file *file)
{
	struct writer *writer = writer_of(file);

	mutex_lock(&word_index_lock);
	end_word(writer); /* a failure cannot be reported any more */
	mutex_unlock(&word_index_lock);
	quarry_free(writer);
	return single_release(inode, file);
}

static const struct file_operations wordindex_fops = {
	.owner = THIS_MODULE,
	.open = wordindex_open,
	.read = seq_read,
	.write = wordindex_write,
	.llseek = seq_lseek,
	.release = wordindex_release,
};

static struct miscdevice wordindex_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "wordindex",
	.fops = &wordindex_fops,
	.mode = 0600,
};

static int __init wordindex_init(void)
{
	int err = word_index_init();

	if (err)
		return err;
	err = misc_register(&wordindex_device);
	if (err)
		word_index_exit();
	return err;
}

static void __exit wordindex_exit(void)
{
	misc_deregister(&wordindex_device);
	word_index_clear(&word_index);
	word_index_exit();
}

module_init(wordindex_init);
module_exit(wordindex_exit);

MODULE_AUTHOR("The Quarry authors");
MODULE_DESCRIPTION("Inverted index of words, a demo of the Quarry allocator");
MODULE_LICENSE("GPL");
QUARRY_IMPORT_NS;
