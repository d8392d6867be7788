// SPDX-License-Identifier: GPL-2.0
/* pools: a table of all pools.  caches/ shows the memory of their objects. */
#include "private.h"

static int pool_line(const struct quarry_pool_stats *st, void *arg)
{
	struct seq_file *m = arg;

	seq_printf(m,
		   "%-20s %5u %10u %12llu %12llu %12llu %12llu %12llu %12llu %12llu %12llu %9llu %12llu\n",
		   st->name, st->id, st->size, st->gets, st->private_hits, st->shared_hits,
		   st->stolen_hits, st->victim_hits, st->misses, st->puts, st->dropped, st->idle,
		   st->remote_hits);
	return seq_has_overflowed(m);
}

static int pools_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%-20s %5s %10s %12s %12s %12s %12s %12s %12s %12s %12s %9s %12s\n", "#name",
		   "id", "size_bytes", "gets", "private_hits", "shared_hits", "stolen_hits",
		   "victim_hits", "misses", "puts", "dropped", "idle", "remote_hits");
	qr_walk_pools(pool_line, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pools);

void qr_debugfs_pools(struct dentry *root)
{
	debugfs_create_file("pools", 0400, root, NULL, &pools_fops);
}
