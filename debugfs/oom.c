// SPDX-License-Identifier: GPL-2.0
/*
 * kernel/oom/<n>/: what was live when memory ran out.  A folder is a slot, not an age: its files
 * show one snapshot until the fourth after it takes the slot.
 *
 * Files of a slot that is empty are empty, and so are those of a heap that the snapshot does not
 * have.  A profile is rendered when it is read for the first time, or again from offset 0.
 */
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <quarry/oom.h>
#include "private.h"

/* --- Profiles --- */

/**
 * struct reader - an open file
 * @lock: protects @text
 * @text: what is being read, or NULL
 */
struct reader {
	struct mutex lock; /* see above */
	struct qr_text *text;
};

static void *heap_data(unsigned int slot, enum quarry_domain heap,
		       enum quarry_profile_format format)
{
	return (void *)(unsigned long)(slot << 16 | heap << 8 | format);
}

static int heap_open(struct inode *inode, struct file *file)
{
	struct reader *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock);
	file->private_data = r;
	return 0;
}

static int heap_release(struct inode *inode, struct file *file)
{
	struct reader *r = file->private_data;

	qr_text_free(r->text);
	mutex_destroy(&r->lock);
	kfree(r);
	return 0;
}

/* Under the lock. */
static int render(struct reader *r, unsigned long data)
{
	struct qr_text *text = qr_oom_render(data >> 16, data >> 8 & 0xff, data & 0xff);

	if (IS_ERR(text))
		return PTR_ERR(text);
	qr_text_free(r->text);
	r->text = text;
	return 0;
}

static ssize_t heap_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct reader *r = file->private_data;
	ssize_t ret = 0;

	if (mutex_lock_killable(&r->lock))
		return -EINTR;
	if (len && (!*pos || !r->text))
		ret = render(r, (unsigned long)file_inode(file)->i_private);
	if (len && !ret)
		ret = qr_text_read(r->text, buf, len, pos);
	mutex_unlock(&r->lock);
	return ret;
}

static const struct file_operations heap_fops = {
	.owner = THIS_MODULE,
	.open = heap_open,
	.read = heap_read,
	.llseek = no_seek_end_llseek,
	.release = heap_release,
};

/* --- What a snapshot is of --- */

static void show_text(struct seq_file *m, const char *name, const char *text)
{
	seq_printf(m, "%-20s %15s\n", name, text);
}

static void show_heap(struct seq_file *m, enum quarry_domain heap, const char *what, u64 value)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", qr_domain_name(heap), what);
	qr_show_value(m, name, value);
}

static int info_show(struct seq_file *m, void *unused)
{
	enum quarry_domain heap;
	struct quarry_oom oom;

	qr_oom_read(qr_file_number(m), &oom);
	if (!oom.number)
		return 0;
	qr_show_value(m, "snapshot", oom.number);
	show_text(m, "why", oom.why);
	qr_show_value(m, "time_ns", oom.time_ns);
	qr_show_value(m, "uptime_ns", oom.uptime_ns);
	qr_show_value(m, "skipped", oom.skipped);
	for (heap = 0; heap < QUARRY_DOMAINS; heap++) {
		if (oom.heaps & BIT(heap)) {
			show_heap(m, heap, "bytes", oom.bytes[heap]);
			show_heap(m, heap, "error_bytes", oom.error[heap]);
		} else if (oom.busy & BIT(heap)) {
			show_text(m, "busy", qr_domain_name(heap));
		}
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(info);

/* --- Directories --- */

static void heap_files(struct dentry *slot_dir, unsigned int slot, enum quarry_domain heap)
{
	/* The names of profile/. */
	static const char *const names[QUARRY_PROFILE_FORMATS] = {
		[QUARRY_FORMAT_PPROF] = "heap",
		[QUARRY_FORMAT_TEXT] = "heap.txt",
		[QUARRY_FORMAT_FOLDED] = "heap.folded",
		[QUARRY_FORMAT_TOP] = "top",
	};
	struct dentry *dir = debugfs_create_dir(qr_domain_name(heap), slot_dir);
	unsigned int format;

	for (format = 0; format < QUARRY_PROFILE_FORMATS; format++)
		debugfs_create_file(names[format], 0400, dir, heap_data(slot, heap, format),
				    &heap_fops);
}

void qr_debugfs_oom(struct dentry *kernel)
{
	struct dentry *dir = debugfs_create_dir("oom", kernel), *slot_dir;
	enum quarry_domain heap;
	unsigned int slot;
	char name[12];

	for (slot = 0; slot < QUARRY_OOM_SLOTS; slot++) {
		snprintf(name, sizeof(name), "%u", slot);
		slot_dir = debugfs_create_dir(name, dir);
		debugfs_create_file("info", 0400, slot_dir, qr_file_data(slot), &info_fops);
		for (heap = 0; heap < QUARRY_DOMAINS; heap++)
			heap_files(slot_dir, slot, heap);
	}
}
