// SPDX-License-Identifier: GPL-2.0
/* A cache's "check": the checks that are on, switched while the cache is in use. */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <quarry/misuse.h>
#include <quarry/quarry.h>
#include "private.h"

static const struct {
	const char *word;
	unsigned int checks;
} words[] = {
	{ "sane", QUARRY_CHECK_SANE },
	{ "redzone", QUARRY_CHECK_RED_ZONE },
	{ "poison", QUARRY_CHECK_POISON },
	{ "stacks", QUARRY_CHECK_STACKS },
	{ "none", 0 },
};

static int check_show(struct seq_file *m, void *unused)
{
	unsigned int checks, i;
	const char *sep = "";
	int err = qr_cache_check_get(qr_file_number(m), &checks);

	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (checks ? checks & words[i].checks : !words[i].checks) {
			seq_printf(m, "%s%s", sep, words[i].word);
			sep = " ";
		}
	seq_putc(m, '\n');
	return 0;
}

/* Takes words with blanks between them; "none" must be alone. */
static ssize_t check_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	unsigned int checks = 0, n = 0, none = 0, i;
	char text[64], *rest, *word;
	int err;

	rest = qr_written(text, sizeof(text), buf, len, &err);
	if (!rest)
		return err;
	while ((word = strsep(&rest, " "))) {
		for (i = 0; i < ARRAY_SIZE(words) && strcmp(word, words[i].word); i++)
			;
		if (i == ARRAY_SIZE(words)) {
			pr_info_ratelimited("%pD4: \"%*pE\" is not \"sane\", \"redzone\", \"poison\", \"stacks\" or \"none\"\n",
					    file, (int)strlen(word), word);
			return -EINVAL;
		}
		checks |= words[i].checks;
		none += !words[i].checks;
		n++;
	}
	if (none && n > 1) {
		pr_info_ratelimited("%pD4: \"none\" goes with no other check\n", file);
		return -EINVAL;
	}
	err = qr_cache_check_set(qr_file_number(file->private_data), checks);
	return err ?: len;
}

QR_DEFINE_CONTROL(check);

void qr_debugfs_cache_check(struct dentry *dir, unsigned int cache)
{
	qr_control_file("check", dir, qr_file_data(cache), &check_fops);
}
