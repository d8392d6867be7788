/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading the heap while it is in use: copies of the profiler's table, and a walk
 * over everything that is live.  For observers: <quarry/profile.h>.
 */
#ifndef QR_SNAPSHOT_H
#define QR_SNAPSHOT_H

#include "profile/profile.h"
#include "slab/slab.h"

/**
 * struct qr_object - something that a client holds
 * @ptr: where
 * @size: bytes it was given
 * @cache: its cache's number, 0 for objects over 32 KiB
 * @cache_name: its cache's name
 * @node: where its memory is
 * @sample: what the profiler knows of it; site U32_MAX: nothing
 */
struct qr_object {
	const void *ptr;
	u32 size;
	u32 cache;
	const char *cache_name;
	int node;
	struct qr_live_sample sample;
};

/*
 * Call @fn for everything that is live, by address, until it returns non-zero, and
 * return that.  Objects in magazines and depots look live: qr_drain_all() first
 * where that matters.  @sampled: only what is sampled.  @fn may sleep.
 */
typedef int (*qr_object_fn)(const struct qr_object *o, void *arg);
int qr_walk_objects(bool sampled, qr_object_fn fn, void *arg);

#endif /* QR_SNAPSHOT_H */
