/* SPDX-License-Identifier: GPL-2.0 */
/* Names the caches of shimmed modules that the kernel takes for its own, before it faults. */
#ifndef QR_SHIM_HANDED_H
#define QR_SHIM_HANDED_H

struct kmem_cache;

/* The module with the code at @ip knows a cache of Quarry's as @as.  Sleeps. */
void qr_handed_add(const struct kmem_cache *as, const char *name, unsigned long ip);
/* The cache is about to be destroyed.  Process context. */
void qr_handed_del(const struct kmem_cache *as);

int qr_handed_init(void);
void qr_handed_exit(void);

#endif /* QR_SHIM_HANDED_H */
