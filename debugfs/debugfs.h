/* SPDX-License-Identifier: GPL-2.0 */
/* The debugfs tree.  main.c makes it last and removes it first. */
#ifndef QR_DEBUGFS_H
#define QR_DEBUGFS_H

#include <linux/kconfig.h>

#if IS_ENABLED(CONFIG_DEBUG_FS)
int qr_debugfs_init(void);
void qr_debugfs_exit(void);
#else
static inline int qr_debugfs_init(void)
{
	return 0;
}

static inline void qr_debugfs_exit(void)
{
}
#endif

#endif /* QR_DEBUGFS_H */
