// SPDX-License-Identifier: GPL-2.0
/*
 * The tree under /sys/kernel/debug/quarry.
 *
 * Only root can read the files.  debugfs/ is an observer: it uses the allocator through
 * <quarry/stats.h>, <quarry/profile.h> and <quarry/oom.h> only.  <quarry/exposure.h> says what a
 * kernel that is locked down shows.
 * If debugfs cannot create a file, that file is missing, and nothing else is affected.
 */
#include "debugfs.h"
#include "private.h"

static struct dentry *qr_root;

int qr_debugfs_init(void)
{
	qr_root = debugfs_create_dir("quarry", NULL);
	qr_debugfs_stats(qr_root);
	qr_debugfs_misuse(qr_root);
	qr_debugfs_pools(qr_root);
	qr_debugfs_nodes(qr_root);
	qr_debugfs_control(qr_root);
	qr_debugfs_profile(qr_root);
	qr_debugfs_kernel(qr_root);
	qr_debugfs_caches(qr_root);
	qr_debugfs_arenas(qr_root);
	return 0;
}

void qr_debugfs_exit(void)
{
	qr_debugfs_caches_stop();
	debugfs_remove(qr_root);
}
