/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/quarry.  Every function that can fail prints why, and returns an exit status. */
#ifndef Q_DEVICE_H
#define Q_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quarry.h"

/**
 * struct q_device - an open device
 * @fd: the file
 * @info: what the module said when it was opened
 */
struct q_device {
	int fd;
	struct quarry_dev_info info;
};

/**
 * struct q_what - which profile
 * @domain: QUARRY_DEV_DOMAIN_*
 * @kind: QUARRY_DEV_KIND_*
 * @format: QUARRY_DEV_FORMAT_*
 * @cache: the number of one, or QUARRY_DEV_CACHE_ALL
 * @drain: empty magazines and depots first
 */
struct q_what {
	unsigned int domain;
	unsigned int kind;
	unsigned int format;
	unsigned int cache;
	bool drain;
};

/* @write: the file shall also change something. */
int q_device_open(struct q_device *d, bool write);
void q_device_close(struct q_device *d);

/* The number of a domain or a kind by its name, or -1; the name by the number. */
int q_domain_number(const char *name);
int q_kind_number(const char *name);
extern const char *const q_domain_name[QUARRY_DEV_DOMAINS];
extern const char *const q_kind_name[QUARRY_DEV_KINDS];

/* An ioctl of the device; @doing tells what for, for the message. */
int q_device_do(struct q_device *d, unsigned long request, void *arg, const char *doing);

/* A profile: *@data is to be freed.  It has a zero behind its end. */
int q_device_profile(struct q_device *d, const struct q_what *what, char **data, size_t *size);

/* Remember this moment, and the profile of what happened since. */
int q_device_mark(struct q_device *d, unsigned int domain);
int q_device_delta(struct q_device *d, const struct q_what *what, char **data, size_t *size);

/* State of one of the kernel's domains; @enable: 1 and 0 switch it, -1 only reads. */
int q_device_domain(struct q_device *d, unsigned int domain, int enable,
		    struct quarry_dev_domain *state);

#endif
