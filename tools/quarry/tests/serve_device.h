/* SPDX-License-Identifier: GPL-2.0 */
/* The device of a module that is files: a profile is the file, and only the domain slab is on. */
#ifndef SERVE_DEVICE_H
#define SERVE_DEVICE_H

#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "quarry.h"

int ioctl(int fd, unsigned long request, ...)
{
	struct quarry_dev_domain *domain;
	struct stat st;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case QUARRY_IOC_SNAPSHOT:
	case QUARRY_IOC_DELTA:
		if (fstat(fd, &st))
			return -1;
		((struct quarry_dev_snapshot *)arg)->size = (uint64_t)st.st_size;
		return 0;
	case QUARRY_IOC_MARK:
	case QUARRY_IOC_DRAIN:
		return 0;
	case QUARRY_IOC_DOMAIN:
		domain = arg;
		domain->enabled = domain->domain == QUARRY_DEV_DOMAIN_SLAB;
		return 0;
	default:
		return (int)syscall(SYS_ioctl, fd, request, arg);
	}
}

#endif
