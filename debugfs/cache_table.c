// SPDX-License-Identifier: GPL-2.0
/*
 * caches/table: the caches that hold memory, the one with most memory first.  caches/all: the same
 * with caches that hold none.
 *
 * A table is copied and sorted when a read begins at its start, and then shown line by line, so
 * that a long one needs no buffer for its text.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "private.h"

/* More rows than most machines have caches.  A table that needs more is copied again. */
#define FIRST_ROOM 512

struct row {
	char name[QUARRY_NAME_LEN];
	unsigned int id;
	unsigned int size;
	u64 inuse_bytes;
	u64 live_objects;
	u64 cached_objects;
	u64 mallocs;
	bool zombie;
};

/**
 * struct table - what an open file shows
 * @row: the rows, sorted
 * @nr: how many
 * @room: how many there is memory for
 * @all: caches that hold no memory are rows too
 * @name_width: of the column of names
 */
struct table {
	struct row *row;
	unsigned int nr;
	unsigned int room;
	bool all;
	int name_width;
};

static int add_row(const struct quarry_cache_stats *st, void *arg)
{
	struct table *t = arg;
	struct row *r;

	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	if (!t->all && !st->inuse_bytes)
		return 0;
	if (t->nr == t->room)
		return -ENOSPC;
	r = &t->row[t->nr++];
	*r = (struct row){
		.id = st->id,
		.size = st->size,
		.inuse_bytes = st->inuse_bytes,
		.live_objects = st->live_objects,
		.cached_objects = st->cached_objects,
		.mallocs = st->mallocs,
		.zombie = st->zombie,
	};
	strscpy(r->name, st->name, sizeof(r->name));
	t->name_width = max_t(int, t->name_width, strlen(r->name));
	return 0;
}

/* Most memory first; caches with equally much in the order in which they were created. */
static int compare(const void *a, const void *b)
{
	const struct row *r = a, *s = b;

	if (r->inuse_bytes != s->inuse_bytes)
		return r->inuse_bytes < s->inuse_bytes ? 1 : -1;
	return r->id < s->id ? -1 : r->id > s->id;
}

static int fill(struct table *t)
{
	unsigned int room = t->room ?: FIRST_ROOM;
	int err;

	do {
		if (room > t->room) {
			kvfree(t->row);
			t->room = 0;
			t->nr = 0;
			t->row = kvmalloc_array(room, sizeof(*t->row), GFP_KERNEL);
			if (!t->row)
				return -ENOMEM;
			t->room = room;
		}
		t->nr = 0;
		t->name_width = strlen("#name");
		err = qr_walk_caches(add_row, t);
		room *= 2;
	} while (err == -ENOSPC);
	if (!err)
		sort(t->row, t->nr, sizeof(*t->row), compare, NULL);
	return err;
}

/* Position 0 is the heading, and position n the row n - 1. */
static void *table_start(struct seq_file *m, loff_t *pos)
{
	struct table *t = m->private;
	int err = *pos ? 0 : fill(t);

	if (err)
		return ERR_PTR(err);
	if (!*pos)
		return SEQ_START_TOKEN;
	return *pos <= t->nr ? &t->row[*pos - 1] : NULL;
}

static void *table_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct table *t = m->private;

	++*pos;
	return *pos <= t->nr ? &t->row[*pos - 1] : NULL;
}

static void table_stop(struct seq_file *m, void *v)
{
}

/* The longest name has 47 characters, so that a line has 120 at most. */
static int table_show(struct seq_file *m, void *v)
{
	struct table *t = m->private;
	const struct row *r = v;
	u64 live, waste = 0;

	if (v == SEQ_START_TOKEN) {
		seq_printf(m, "%-*s %5s %5s %12s %9s %9s %7s %12s %6s\n", t->name_width, "#name",
			   "id", "size", "inuse_bytes", "waste_pct", "live_objs", "cached",
			   "mallocs", "state");
		return 0;
	}
	live = r->live_objects * r->size;
	if (r->inuse_bytes > live)
		waste = div64_u64((r->inuse_bytes - live) * 1000, r->inuse_bytes);
	seq_printf(m, "%-*s %5u %5u %12llu %7llu.%llu %9llu %7llu %12llu %6s\n", t->name_width,
		   r->name, r->id, r->size, r->inuse_bytes, waste / 10, waste % 10, r->live_objects,
		   r->cached_objects, r->mallocs, r->zombie ? "zombie" : "active");
	return 0;
}

static const struct seq_operations table_ops = {
	.start = table_start,
	.next = table_next,
	.stop = table_stop,
	.show = table_show,
};

static int table_open(struct inode *inode, struct file *file)
{
	struct table *t = __seq_open_private(file, &table_ops, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->all = inode->i_private;
	return 0;
}

static int table_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct table *t = m->private;

	kvfree(t->row);
	return seq_release_private(inode, file);
}

static const struct file_operations table_fops = {
	.owner = THIS_MODULE,
	.open = table_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = table_release,
};

void qr_debugfs_cache_table(struct dentry *caches)
{
	debugfs_create_file("table", 0400, caches, NULL, &table_fops);
	debugfs_create_file("all", 0400, caches, qr_file_data(true), &table_fops);
}
