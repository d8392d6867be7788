// SPDX-License-Identifier: GPL-2.0
/*
 * The tree under /sys/kernel/debug/quarry.
 *
 * Every file is for root alone: addresses are shown as they are.  The directory
 * is an observer like any other and knows the allocator by <quarry/stats.h>.
 * What debugfs itself cannot create is missing, and nothing else is affected.
 */
#include "debugfs.h"
#include "private.h"

static struct dentry *qr_root;

int qr_debugfs_init(void)
{
	qr_root = debugfs_create_dir("quarry", NULL);
	qr_debugfs_stats(qr_root);
	qr_debugfs_pools(qr_root);
	qr_debugfs_nodes(qr_root);
	qr_debugfs_control(qr_root);
	qr_debugfs_profile(qr_root);
	qr_debugfs_caches(qr_root);
	qr_debugfs_arenas(qr_root);
	return 0;
}

void qr_debugfs_exit(void)
{
	qr_debugfs_caches_stop();
	debugfs_remove(qr_root);
}
