/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers for the names of the kernel's caches.  A row of the profiler has a number for its cache.
 * A kmem_cache may be destroyed, and another one may get its address, so its name is what the
 * number stands for.
 */
#ifndef QR_CACHE_NAMES_H
#define QR_CACHE_NAMES_H

#include <linux/spinlock.h>
#include <quarry/stats.h>

#define QR_CACHE_NAMES 2048 /* a power of two; three quarters of them are used at most */

/**
 * struct qr_cache_names - names that have a number
 * @lock: protects the rest
 * @nr: how many there are
 * @name: a hash table; empty strings are unused
 *
 * It is allocated beforehand, and a name stays until the end.
 */
struct qr_cache_names {
	raw_spinlock_t lock; /* see above */
	unsigned int nr;
	char name[QR_CACHE_NAMES][QUARRY_NAME_LEN];
};

/*
 * The number of a cache's name, made to a clean one, or 0 if there is no room: then the name is
 * "(other)".  *@clean is the name that the number stands for.  Interrupts off; not in NMI.
 */
u32 qr_cache_name_number(struct qr_cache_names *names, const char *name, const char **clean);

#endif /* QR_CACHE_NAMES_H */
