/* SPDX-License-Identifier: GPL-2.0 */
/* The options of commands that take profiles: which domain, which cache. */
#ifndef Q_TARGET_H
#define Q_TARGET_H

#include <argp.h>
#include "lib/device.h"

/**
 * struct q_target - where a profile is taken
 * @domain: QUARRY_DEV_DOMAIN_*
 * @cache: the name of one, or NULL
 */
struct q_target {
	unsigned int domain;
	const char *cache;
};

/* A child parser; its input is the struct q_target. */
extern const struct argp q_target_argp;

/*
 * Open the device for a target.  A domain of the kernel's that is off is an error, which says how
 * to switch it on.  *@cache is the cache's number, or QUARRY_DEV_CACHE_ALL.
 */
int q_target_open(const struct q_target *target, struct q_device *d, unsigned int *cache);

/* Sleep, and show on a terminal how long it will be, with @later seconds that come after. */
void q_wait(unsigned int seconds, unsigned int later, const char *doing);

#endif
