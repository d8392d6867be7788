// SPDX-License-Identifier: GPL-2.0
/* "stats": the whole allocator's numbers.  "classes": how well the size classes fit. */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/stringify.h>
#include "private.h"

#define STATS_NAME(name, ...) __stringify(name),
static const char *const stats_names[] = { QUARRY_STATS(STATS_NAME) };

static_assert(sizeof(struct quarry_stats) == ARRAY_SIZE(stats_names) * sizeof(u64));

static int stats_show(struct seq_file *m, void *unused)
{
	struct quarry_stats st;
	const u64 *values = (const u64 *)&st;
	unsigned int i;

	quarry_stats_read(&st);
	for (i = 0; i < ARRAY_SIZE(stats_names); i++) {
		if (&values[i] == &st.soft_limit_bytes || &values[i] == &st.hard_limit_bytes)
			qr_show_limit(m, stats_names[i], values[i]);
		else
			qr_show_value(m, stats_names[i], values[i]);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/* Shows a blank, then @part of @whole in per cent with one decimal. */
static void show_percent(struct seq_file *m, int width, u64 part, u64 whole)
{
	unsigned int permille = whole ? div64_u64(part * 1000, whole) : 0;

	seq_printf(m, " %*u.%u", width - 2, permille / 10, permille % 10);
}

/*
 * tail_pct is the part of a slab behind its last object.  round_pct is the most that rounding
 * a request up to the class may waste of an object: the request is then one byte larger
 * than the next smaller class.  (The class's fragmentation profile estimates what is
 * wasted that way.)  live_pct is the part of the slabs' pages that is live objects, and
 * tail_bytes the part that belongs to no object.
 */
static int class_line(const struct quarry_cache_stats *st, void *arg)
{
	unsigned long slab_bytes = (unsigned long)st->slab_pages << PAGE_SHIFT;
	struct seq_file *m = arg;

	if (!st->class)
		return 0;
	seq_printf(m, "%6u %6u %10u %9u", st->class, st->size, st->slab_pages, st->slab_objects);
	show_percent(m, 8, slab_bytes - (unsigned long)st->slab_objects * st->stride, slab_bytes);
	show_percent(m, 9, st->size - qr_class_const_size(st->class - 1) - 1, st->size);
	seq_printf(m, " %7llu %12llu %10llu %8llu", st->slabs, st->inuse_bytes, st->live_objects,
		   st->cached_objects);
	show_percent(m, 8, st->live_objects * st->size, st->inuse_bytes);
	seq_printf(m, " %10llu\n", st->inuse_bytes - st->capacity_objects * st->stride);
	return seq_has_overflowed(m);
}

static int classes_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%-6s %6s %10s %9s %8s %9s %7s %12s %10s %8s %8s %10s\n", "#class", "size",
		   "slab_pages", "slab_objs", "tail_pct", "round_pct", "slabs", "inuse_bytes",
		   "live_objs", "cached", "live_pct", "tail_bytes");
	qr_walk_caches(class_line, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(classes);

void qr_debugfs_stats(struct dentry *root)
{
	debugfs_create_file("stats", 0400, root, NULL, &stats_fops);
	debugfs_create_file("classes", 0400, root, NULL, &classes_fops);
}
