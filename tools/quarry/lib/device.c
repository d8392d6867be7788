// SPDX-License-Identifier: GPL-2.0
#include "lib/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "lib/options.h"
#include "lib/problem.h"
#include "lib/recording.h"
#include "lib/table.h"

const char *const q_domain_name[QUARRY_DEV_DOMAINS] = {
	[QUARRY_DEV_DOMAIN_QUARRY] = "quarry",	 [QUARRY_DEV_DOMAIN_SLAB] = "slab",
	[QUARRY_DEV_DOMAIN_PAGES] = "pages",	 [QUARRY_DEV_DOMAIN_PERCPU] = "percpu",
	[QUARRY_DEV_DOMAIN_VMALLOC] = "vmalloc",
};

const char *const q_kind_name[QUARRY_DEV_KINDS] = {
	[QUARRY_DEV_KIND_HEAP] = "heap",
	[QUARRY_DEV_KIND_ALLOCS] = "allocs",
	[QUARRY_DEV_KIND_PEAK] = "peak",
	[QUARRY_DEV_KIND_LIFETIME] = "lifetime",
	[QUARRY_DEV_KIND_FRAGMENTATION] = "fragmentation",
};

static int find(const char *const *names, int nr, const char *name)
{
	while (nr--)
		if (!strcmp(names[nr], name))
			return nr;
	return -1;
}

int q_domain_number(const char *name)
{
	return find(q_domain_name, QUARRY_DEV_DOMAINS, name);
}

int q_kind_number(const char *name)
{
	return find(q_kind_name, QUARRY_DEV_KINDS, name);
}

int q_device_open(struct q_device *d, bool write)
{
	if (q_options.recording)
		return q_recording_open(d, write);
	memset(d, 0, sizeof(*d));
	d->fd = open(q_options.device, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (d->fd < 0)
		return q_cannot_open(q_options.device);
	/* A module whose structures have other sizes does not know the ioctl. */
	if (ioctl(d->fd, QUARRY_IOC_INFO, &d->info)) {
		int error = errno;

		close(d->fd);
		if (error == ENOTTY)
			return q_problem(Q_OTHER_ABI,
					 "this program is for another version of the module; "
					 "install both from one version (\"quarry doctor\")");
		return q_problem(Q_FAILED, "%s: %s", q_options.device, strerror(error));
	}
	if (d->info.version != QUARRY_ABI_VERSION) {
		close(d->fd);
		return q_problem(Q_OTHER_ABI,
				 "the module's interface is version %u, this program's is %u; "
				 "install both from one version",
				 d->info.version, QUARRY_ABI_VERSION);
	}
	return Q_OK;
}

void q_device_close(struct q_device *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

int q_device_do(struct q_device *d, unsigned long request, void *arg, const char *doing)
{
	if (d->fd < 0)
		return q_problem(Q_USAGE, "%s: a recording cannot do that", doing);
	if (ioctl(d->fd, request, arg) == 0)
		return Q_OK;
	switch (errno) {
	case EPERM:
		return q_problem(Q_NO_PERMISSION, "%s: not permitted%s", doing,
				 q_locked_down() ? ", the kernel is locked down" :
						   "; try it with sudo");
	case ENOTTY:
		return q_problem(Q_OTHER_ABI, "%s: the module that is loaded cannot do that",
				 doing);
	case EOPNOTSUPP:
		return q_problem(Q_FAILED, "%s: not on this kernel; \"dmesg\" says why", doing);
	default:
		return q_problem(Q_FAILED, "%s: %s", doing, strerror(errno));
	}
}

/* The result of the last ioctl, of @size bytes. */
static int result(struct q_device *d, uint64_t size, char **data)
{
	size_t used = 0;
	ssize_t n = 1;

	*data = q_realloc(NULL, size + 1);
	while (used < size && n) {
		n = pread(d->fd, *data + used, size - used, (off_t)used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(*data);
			*data = NULL;
			return q_problem(Q_FAILED, "reading the profile: %s", strerror(errno));
		}
		used += (size_t)n;
	}
	(*data)[used] = '\0';
	return Q_OK;
}

static int take(struct q_device *d, unsigned long request, const struct q_what *what, char **data,
		size_t *size)
{
	struct quarry_dev_snapshot snap = {
		.kind = what->kind,
		.format = what->format,
		.cache = what->cache,
		.flags = what->drain ? QUARRY_DEV_DRAIN : 0,
		.domain = what->domain,
	};
	int status;

	if (d->fd < 0 && request == QUARRY_IOC_SNAPSHOT)
		return q_recording_profile(what, data, size);
	if (what->kind == QUARRY_DEV_KIND_FRAGMENTATION && what->domain)
		return q_problem(Q_USAGE, "only quarry's own heap has a profile of fragmentation");
	status = q_device_do(d, request, &snap, "taking a profile");
	if (status)
		return status;
	*size = snap.size;
	return result(d, snap.size, data);
}

int q_device_profile(struct q_device *d, const struct q_what *what, char **data, size_t *size)
{
	return take(d, QUARRY_IOC_SNAPSHOT, what, data, size);
}

int q_device_delta(struct q_device *d, const struct q_what *what, char **data, size_t *size)
{
	return take(d, QUARRY_IOC_DELTA, what, data, size);
}

int q_device_mark(struct q_device *d, unsigned int domain)
{
	struct quarry_dev_action mark = { .domain = domain };

	return q_device_do(d, QUARRY_IOC_MARK, &mark, "remembering this moment");
}

int q_device_domain(struct q_device *d, unsigned int domain, int enable,
		    struct quarry_dev_domain *state)
{
	char doing[64];

	if (d->fd < 0 && enable < 0)
		return q_recording_domain(domain, state);
	*state = (struct quarry_dev_domain){
		.domain = domain,
		.flags = enable >= 0 ? QUARRY_DEV_DOMAIN_SET : 0,
		.enabled = enable > 0,
	};
	snprintf(doing, sizeof(doing), "%s domain %s",
		 enable < 0 ? "reading" :
		 enable	    ? "switching on" :
			      "switching off",
		 q_domain_name[domain]);
	return q_device_do(d, QUARRY_IOC_DOMAIN, state, doing);
}
