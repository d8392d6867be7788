/* SPDX-License-Identifier: GPL-2.0 */
/* Functions that run when an object is freed.  Included by quarry/quarry.h. */
#ifndef QUARRY_CLEANUP_H
#define QUARRY_CLEANUP_H

#include <linux/gfp.h>
#include <linux/types.h>

typedef void (*quarry_cleanup_fn)(void *p, void *arg);

int quarry_cleanup_add(void *p, quarry_cleanup_fn fn, void *arg, gfp_t gfp);
bool quarry_cleanup_remove(void *p, quarry_cleanup_fn fn, void *arg);

#endif /* QUARRY_CLEANUP_H */
