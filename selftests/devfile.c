// SPDX-License-Identifier: GPL-2.0
/*
 * Several operations on one open /dev/quarry, which a shell cannot do:
 *
 *   devfile OPERATION...
 *
 *	info, rate, snapshot, mark, delta, heapdump, ring, domain
 *			an ioctl that only reads
 *	setrate, reset, drain, drainsnapshot, drainmark, drainheapdump, enable, disable
 *			an ioctl that changes something; the last two switch the domain slab
 *	text		copy the last result to stdout
 *	events		copy the addresses in the ring to stdout, one line "event ADDRESS" each
 *	drop		give up all capabilities but those that come next, if any
 *	sys_admin, perfmon, syslog
 *			with "drop" before it: keep this capability
 *	sh=COMMAND	run a shell command while the file is open
 *
 * Each ioctl prints a line: the operation, and "ok" or the name of the error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <kselftest.h>
#include "../include/uapi/quarry.h"

#define RECORDS 1024

static int fd;
static struct quarry_ring_control *ring;

/* --- ioctls --- */

static int do_info(__u32 flags)
{
	struct quarry_dev_info info = { .flags = flags };

	return ioctl(fd, QUARRY_IOC_INFO, &info);
}

static int do_rate(__u32 flags)
{
	struct quarry_dev_rate rate = {
		.cache = QUARRY_DEV_CACHE_ALL,
		.flags = flags,
		.rate = 1,
	};

	return ioctl(fd, QUARRY_IOC_RATE, &rate);
}

static int do_profile(unsigned long cmd, __u32 flags)
{
	struct quarry_dev_snapshot snap = {
		.format = QUARRY_DEV_FORMAT_TEXT,
		.cache = QUARRY_DEV_CACHE_ALL,
		.flags = flags,
	};

	return ioctl(fd, cmd, &snap);
}

static int do_snapshot(__u32 flags)
{
	return do_profile(QUARRY_IOC_SNAPSHOT, flags);
}

static int do_delta(__u32 flags)
{
	return do_profile(QUARRY_IOC_DELTA, flags);
}

static int act(unsigned long cmd, __u32 flags)
{
	struct quarry_dev_action action = { .flags = flags };

	return ioctl(fd, cmd, &action);
}

static int do_mark(__u32 flags)
{
	return act(QUARRY_IOC_MARK, flags);
}

static int do_drain(__u32 flags)
{
	return act(QUARRY_IOC_DRAIN, flags);
}

static int do_reset(__u32 flags)
{
	return act(QUARRY_IOC_RESET, flags);
}

static int do_heapdump(__u32 flags)
{
	return act(QUARRY_IOC_HEAPDUMP, flags);
}

static int do_ring(__u32 flags)
{
	struct quarry_dev_ring r = { .records = RECORDS, .flags = flags };

	if (ioctl(fd, QUARRY_IOC_RING, &r))
		return -1;
	ring = mmap(NULL, r.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return ring == MAP_FAILED ? -1 : 0;
}

static int do_domain(__u32 flags)
{
	struct quarry_dev_domain d = { .domain = QUARRY_DEV_DOMAIN_SLAB, .flags = flags };

	return ioctl(fd, QUARRY_IOC_DOMAIN, &d);
}

static int do_enable(__u32 flags)
{
	struct quarry_dev_domain d = {
		.domain = QUARRY_DEV_DOMAIN_SLAB,
		.flags = flags,
		.enabled = 1,
	};

	return ioctl(fd, QUARRY_IOC_DOMAIN, &d);
}

static const struct {
	const char *name;
	int (*run)(__u32 flags);
	__u32 flags;
} ioctls[] = {
	{ "info", do_info, 0 },
	{ "rate", do_rate, 0 },
	{ "snapshot", do_snapshot, 0 },
	{ "mark", do_mark, 0 },
	{ "delta", do_delta, 0 },
	{ "heapdump", do_heapdump, 0 },
	{ "ring", do_ring, 0 },
	{ "domain", do_domain, 0 },
	{ "setrate", do_rate, QUARRY_DEV_RATE_SET },
	{ "reset", do_reset, 0 },
	{ "drain", do_drain, 0 },
	{ "drainsnapshot", do_snapshot, QUARRY_DEV_DRAIN },
	{ "drainmark", do_mark, QUARRY_DEV_DRAIN },
	{ "drainheapdump", do_heapdump, QUARRY_DEV_DRAIN },
	{ "enable", do_enable, QUARRY_DEV_DOMAIN_SET },
	{ "disable", do_domain, QUARRY_DEV_DOMAIN_SET },
};

static bool run_ioctl(const char *op)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		if (strcmp(op, ioctls[i].name))
			continue;
		printf("%s %s\n", op,
		       ioctls[i].run(ioctls[i].flags) ? strerrorname_np(errno) : "ok");
		return true;
	}
	return false;
}

/* --- The other operations --- */

static int copy_result(void)
{
	char buf[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
		if (fwrite(buf, 1, n, stdout) != (size_t)n)
			return -1;
		at += n;
	}
	return n;
}

static int copy_events(void)
{
	struct quarry_event_record *record;
	__u64 i, head;

	if (!ring) {
		errno = ENODATA;
		return -1;
	}
	record = (void *)ring + ring->data_offset;
	head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	for (i = ring->tail; i != head; i++)
		printf("event %016llx\n", record[i % RECORDS].ptr);
	__atomic_store_n(&ring->tail, head, __ATOMIC_RELEASE);
	return 0;
}

static __u64 capability(const char *name)
{
	if (name && !strcmp(name, "sys_admin"))
		return 1ULL << CAP_SYS_ADMIN;
	if (name && !strcmp(name, "perfmon"))
		return 1ULL << CAP_PERFMON;
	if (name && !strcmp(name, "syslog"))
		return 1ULL << CAP_SYSLOG;
	return 0;
}

static int keep_only(__u64 caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = caps, .permitted = caps },
		{ .effective = caps >> 32, .permitted = caps >> 32 },
	};

	return syscall(SYS_capset, &header, data);
}

static int run(const char *op)
{
	if (run_ioctl(op))
		return 0;
	fflush(stdout);
	if (!strcmp(op, "text"))
		return copy_result();
	if (!strcmp(op, "events"))
		return copy_events();
	if (!strncmp(op, "sh=", 3))
		return system(op + 3);
	errno = EINVAL;
	return -1;
}

int main(int argc, char **argv)
{
	int i, err;

	fd = open(QUARRY_DEVICE, O_RDWR);
	if (fd < 0) {
		printf("open %s\n", strerrorname_np(errno));
		return 1;
	}
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "drop")) {
			__u64 caps = 0;

			for (; capability(argv[i + 1]); i++)
				caps |= capability(argv[i + 1]);
			err = keep_only(caps);
		} else {
			err = run(argv[i]);
		}
		if (err) {
			fprintf(stderr, "devfile: %s: %s\n", argv[i], strerror(errno));
			return 1;
		}
	}
	return fflush(stdout) != 0;
}
