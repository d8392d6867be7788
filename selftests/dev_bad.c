// SPDX-License-Identifier: GPL-2.0
/* Wrong ioctls: numbers, pointers, reserved members and random bytes that must be refused. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "dev.h"

#define MAX_SIZE 512

/* Each ioctl with a valid argument, and the bytes of it that are reserved. */
static const struct ioc {
	const char *name;
	unsigned long cmd;
	union {
		struct quarry_dev_info info;
		struct quarry_dev_rate rate;
		struct quarry_dev_snapshot snapshot;
		struct quarry_dev_action action;
		struct quarry_dev_ring ring;
		struct quarry_dev_domain domain;
		struct quarry_dev_misuse misuse;
	} arg;
	struct {
		unsigned int begin, end;
	} reserved[3];
} iocs[] = {
#define MEMBER(type, member)                                                                       \
	{                                                                                          \
		offsetof(struct type, member),                                                     \
			offsetof(struct type, member) + sizeof(((struct type *)0)->member)         \
	}
	{ "INFO",
	  QUARRY_IOC_INFO,
	  {},
	  { MEMBER(quarry_dev_info, reserved), MEMBER(quarry_dev_info, reserved0),
	    MEMBER(quarry_dev_info, flags) } },
	{ "RATE",
	  QUARRY_IOC_RATE,
	  { .rate = { .cache = QUARRY_DEV_CACHE_ALL } },
	  { MEMBER(quarry_dev_rate, reserved) } },
	{ "SNAPSHOT",
	  QUARRY_IOC_SNAPSHOT,
	  { .snapshot = { .cache = QUARRY_DEV_CACHE_ALL } },
	  { MEMBER(quarry_dev_snapshot, reserved), MEMBER(quarry_dev_snapshot, reserved0) } },
	{ "MARK", QUARRY_IOC_MARK, {}, { MEMBER(quarry_dev_action, reserved) } },
	{ "DELTA",
	  QUARRY_IOC_DELTA,
	  { .snapshot = { .cache = QUARRY_DEV_CACHE_ALL } },
	  { MEMBER(quarry_dev_snapshot, reserved), MEMBER(quarry_dev_snapshot, reserved0) } },
	{ "DRAIN", QUARRY_IOC_DRAIN, {}, { MEMBER(quarry_dev_action, reserved) } },
	{ "RESET", QUARRY_IOC_RESET, {}, { MEMBER(quarry_dev_action, reserved) } },
	{ "HEAPDUMP", QUARRY_IOC_HEAPDUMP, {}, { MEMBER(quarry_dev_action, reserved) } },
	{ "RING",
	  QUARRY_IOC_RING,
	  { .ring = { .records = 64 } },
	  { MEMBER(quarry_dev_ring, reserved), MEMBER(quarry_dev_ring, reserved0) } },
	{ "DOMAIN",
	  QUARRY_IOC_DOMAIN,
	  { .domain = { .domain = QUARRY_DEV_DOMAIN_SLAB } },
	  { MEMBER(quarry_dev_domain, reserved) } },
	{ "MISUSE",
	  QUARRY_IOC_MISUSE,
	  {},
	  { MEMBER(quarry_dev_misuse, reserved), MEMBER(quarry_dev_misuse, reserved0),
	    MEMBER(quarry_dev_misuse, flags) } },
};

#define for_each_ioc(i) for (i = iocs; i < iocs + ARRAY_SIZE(iocs); i++)

static bool is_refused(int fd, unsigned long cmd, void *arg, int error)
{
	return ioctl(fd, cmd, arg) == -1 && errno == error;
}

/* Opens a file of its own, because a file can have only one ring.  DELTA needs the mark. */
static bool is_accepted(const struct ioc *i, void *arg)
{
	int fd = open_device(O_RDWR), err;

	mark(fd);
	err = ioctl(fd, i->cmd, arg);
	close(fd);
	return !err;
}

/* True if the ioctl is refused when the first or the last bit of the byte at @at is set. */
static bool is_reserved_checked(int fd, const struct ioc *i, unsigned int at)
{
	unsigned char arg[MAX_SIZE];
	unsigned int bit;

	for (bit = 0; bit < 8; bit += 7) {
		memcpy(arg, &i->arg, sizeof(i->arg));
		arg[at] = 1 << bit;
		if (!is_refused(fd, i->cmd, arg, EINVAL)) {
			note("%s: byte %u may be %#x", i->name, at, 1 << bit);
			return false;
		}
	}
	return true;
}

void part_reserved(void)
{
	int fd = open_device(O_RDWR);
	unsigned int bytes, k, at;
	const struct ioc *i;
	bool ok;

	mark(fd);
	for_each_ioc(i) {
		unsigned char arg[MAX_SIZE];

		for (k = 0, bytes = 0, ok = true; k < ARRAY_SIZE(i->reserved); k++)
			for (at = i->reserved[k].begin; at < i->reserved[k].end; at++, bytes++)
				ok = is_reserved_checked(fd, i, at) && ok;
		check(ok && bytes, "%s: each of %u reserved bytes has to be 0", i->name, bytes);
		memcpy(arg, &i->arg, sizeof(i->arg));
		check(is_accepted(i, arg), "%s: with zeroes it is accepted", i->name);
	}
	close(fd);
}

void part_pointers(void)
{
	char *map = mmap(NULL, 3 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	char *constant = map + page_size, *hole = map + 2 * page_size;
	int fd = open_device(O_RDWR);
	const struct ioc *i;

	if (map == MAP_FAILED || munmap(hole, page_size))
		die("mmap");
	for_each_ioc(i) {
		size_t size = _IOC_SIZE(i->cmd);
		bool ok = true;

		ok = is_refused(fd, i->cmd, NULL, EFAULT) && ok;
		ok = is_refused(fd, i->cmd, hole, EFAULT) && ok;
		ok = is_refused(fd, i->cmd, KERNEL_ADDRESS, EFAULT) && ok;
		ok = is_refused(fd, i->cmd, (void *)-1, EFAULT) && ok;
		ok = is_refused(fd, i->cmd, (void *)-8, EFAULT) && ok;
		/* The last byte of the argument lies in the hole. */
		memcpy(hole - size + 1, &i->arg, size - 1);
		ok = is_refused(fd, i->cmd, hole - size + 1, EFAULT) && ok;
		check(ok, "%s: pointers to nothing", i->name);

		memcpy(map + 1, &i->arg, size);
		check(is_accepted(i, map + 1), "%s: a pointer at an odd address", i->name);
		memcpy(hole - size, &i->arg, size);
		check(is_accepted(i, hole - size), "%s: a pointer to the end", i->name);

		mark(fd);
		memcpy(constant, &i->arg, size);
		mprotect(constant, page_size, PROT_READ);
		check(is_refused(fd, i->cmd, constant, EFAULT), "%s: memory that is read-only",
		      i->name);
		mprotect(constant, page_size, PROT_READ | PROT_WRITE);
	}
	close(fd);
	munmap(map, 2 * page_size);
}

static bool is_ioc(unsigned long cmd)
{
	const struct ioc *i;

	for_each_ioc(i)
		if (i->cmd == cmd)
			return true;
	return false;
}

void part_numbers(void)
{
	unsigned char arg[16384] = {};
	int fd = open_device(O_RDWR);
	unsigned long n, tried, wrong;
	const struct ioc *i;
	unsigned int size;

	for_each_ioc(i) {
		bool ok = true;

		for (size = 0; size < 1 << _IOC_SIZEBITS; size++) {
			unsigned long cmd = _IOC(_IOC_DIR(i->cmd), 'Q', _IOC_NR(i->cmd), size);

			if (!is_ioc(cmd))
				ok = is_refused(fd, cmd, arg, ENOTTY) && ok;
		}
		for (n = 0; n < 3; n++)
			ok = is_refused(fd, _IOC(n, 'Q', _IOC_NR(i->cmd), _IOC_SIZE(i->cmd)), arg,
					ENOTTY) &&
			     ok;
		check(ok, "%s: with another size or direction it is unknown", i->name);
	}
	for (n = 0, tried = 0, wrong = 0; n < 100000; n++) {
		__u64 r = random_number();
		unsigned long cmd = _IOC(r & 3, 'Q', r >> 2 & 0xff, r >> 10 & 0x3fff);

		if (is_ioc(cmd))
			continue;
		tried++;
		wrong += !is_refused(fd, cmd, r >> 63 ? NULL : arg, ENOTTY);
	}
	check_equal(wrong, 0, "random numbers of %lu that are not unknown", tried);
	close(fd);
}

/* True for 0 and for the error numbers that include/uapi/quarry.h documents. */
static bool is_expected(int error)
{
	static const int errors[] = {
		0, EINVAL, ENOENT, ENODATA, EBUSY, EOPNOTSUPP, EFAULT, EUSERS,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		if (error == errors[i])
			return true;
	return false;
}

/*
 * Make a valid argument with up to three random bytes.  An argument of random bytes alone would
 * hardly ever pass the first checks.
 */
static void spoil(unsigned char *arg, const struct ioc *i)
{
	unsigned int n = random_below(4);
	size_t size = _IOC_SIZE(i->cmd);

	memcpy(arg, &i->arg, size);
	while (n--)
		arg[random_below(random_below(2) ? 16 : size)] = random_number();
}

void part_random(void)
{
	unsigned long n, accepted = 0, wrong = 0, rings = 0;
	double end = now() + seconds;
	int fd = open_device(O_RDWR);

	set_rate(64);
	hold_objects();
	for (n = 0; now() < end; n++) {
		const struct ioc *i = &iocs[random_below(ARRAY_SIZE(iocs))];
		unsigned char arg[MAX_SIZE];
		int err;

		spoil(arg, i);
		/* At least 64 KiB: a lower rate would slow the rest down. */
		if (i->cmd == QUARRY_IOC_RATE)
			((struct quarry_dev_rate *)arg)->rate |= 1 << 16;
		err = ioctl(fd, i->cmd, arg) ? errno : 0;
		accepted += !err;
		rings += !err && i->cmd == QUARRY_IOC_RING;
		if (!is_expected(err)) {
			note("%s: error %d", i->name, err);
			wrong++;
		}
		if (!random_below(32)) {
			close(fd);
			fd = open_device(O_RDWR);
		}
	}
	check_equal(wrong, 0, "undocumented errors of %lu random ioctls, %lu of them accepted", n,
		    accepted);
	check(accepted > n / 20 && rings, "some are accepted, %lu rings among them", rings);
	/* A random RATE may have set a cache's own rate: make every cache inherit again. */
	for (n = 0; n < 1000; n++) {
		struct quarry_dev_rate r = {
			.cache = n,
			.flags = QUARRY_DEV_RATE_SET | QUARRY_DEV_RATE_INHERIT,
		};

		ioctl(fd, QUARRY_IOC_RATE, &r);
	}
	for (n = QUARRY_DEV_DOMAIN_SLAB; n < QUARRY_DEV_DOMAINS; n++)
		forget_domain(fd, n);
	close(fd);
	release_objects();
}
