/* SPDX-License-Identifier: GPL-2.0 */
/* Covers memory that comes online, and gives back pages of memory that is about to go offline. */
#ifndef QR_MEMORY_HOTPLUG_H
#define QR_MEMORY_HOTPLUG_H

int qr_memory_hotplug_init(void);
void qr_memory_hotplug_exit(void);

#endif /* QR_MEMORY_HOTPLUG_H */
