// SPDX-License-Identifier: GPL-2.0
/* nodes/<n>/: the page heap of each node that has memory. */
#include <linux/kernel.h>
#include <linux/nodemask.h>
#include "private.h"

static int node_stats_show(struct seq_file *m, void *unused)
{
	struct quarry_node_stats st;

	qr_node_stats_read(qr_file_number(m), &st);
	qr_show_value(m, "chunks_ordinary", st.chunks[0]);
	qr_show_value(m, "chunks_sampled", st.chunks[1]);
	qr_show_value(m, "chunks_large", st.chunks[2]);
	qr_show_value(m, "inuse_bytes", st.inuse_bytes);
	qr_show_value(m, "idle_bytes", st.idle_bytes);
	qr_show_value(m, "hole_bytes", st.hole_bytes);
	qr_show_value(m, "mixed_bytes", st.mixed_bytes);
	qr_show_value(m, "searches", st.searches);
	qr_show_value(m, "search_steps", st.search_steps);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(node_stats);

/* A page frame is an address as well, of physical memory. */
static int chunk_line(const struct quarry_chunk_info *ci, void *arg)
{
	const struct qr_table *t = arg;

	seq_printf(t->m, "%-12lu %-8s %10u %11u %18u\n", t->hide ? 0 : ci->pfn, ci->kind, ci->used,
		   ci->owned, ci->longest);
	return seq_has_overflowed(t->m);
}

static int chunks_show(struct seq_file *m, void *unused)
{
	struct qr_table t = { .m = m, .hide = qr_hides_addresses() };

	seq_printf(m, "%-12s %-8s %10s %11s %18s\n", "#pfn", "kind", "used_pages", "owned_pages",
		   "longest_free_pages");
	qr_walk_chunks(qr_file_number(m), chunk_line, &t);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(chunks);

void qr_debugfs_nodes(struct dentry *root)
{
	struct dentry *nodes = debugfs_create_dir("nodes", root);
	int node;

	for_each_node_state(node, N_MEMORY) {
		struct dentry *dir;
		char name[12];

		snprintf(name, sizeof(name), "%d", node);
		dir = debugfs_create_dir(name, nodes);
		debugfs_create_file("stats", 0400, dir, qr_file_data(node), &node_stats_fops);
		debugfs_create_file("chunks", 0400, dir, qr_file_data(node), &chunks_fops);
	}
}
