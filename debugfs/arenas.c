// SPDX-License-Identifier: GPL-2.0
/* arenas: a table of all arenas. */
#include "private.h"

static int arena_line(const struct quarry_arena_stats *st, void *arg)
{
	struct seq_file *m = arg;

	seq_printf(m, "%-20s %5u %7llu %12llu %12llu %12llu\n", st->name, st->id, st->blocks,
		   st->bytes, st->live_bytes, st->peak_bytes);
	return seq_has_overflowed(m);
}

static int arenas_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%-20s %5s %7s %12s %12s %12s\n", "#name", "id", "blocks", "bytes",
		   "live_bytes", "peak_bytes");
	qr_walk_arenas(arena_line, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(arenas);

void qr_debugfs_arenas(struct dentry *root)
{
	debugfs_create_file("arenas", 0400, root, NULL, &arenas_fops);
}
