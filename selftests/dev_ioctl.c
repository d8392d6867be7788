// SPDX-License-Identifier: GPL-2.0
/* What each ioctl does, and which processes may open the device and use it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "dev.h"

#define NOBODY 65534
#define NO_CAP -1

/* --- Access --- */

static void set_caps(__u64 caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = caps, .permitted = caps },
		{ .effective = caps >> 32, .permitted = caps >> 32 },
	};

	if (syscall(SYS_capset, &header, data))
		_exit(255);
}

/*
 * Open the device in a child process of user @uid, or of root with only the capability @cap.
 * Returns the error number of open(), or 0.
 */
static int open_as(uid_t uid, int cap)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (uid && (setgid(uid) || setuid(uid)))
			_exit(255);
		if (!uid)
			set_caps(cap == NO_CAP ? 0 : 1ULL << cap);
		_exit(open(QUARRY_DEVICE, O_RDWR) < 0 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		die("open by another");
	return WEXITSTATUS(status);
}

void part_access(void)
{
	struct quarry_dev_rate rate = { .cache = QUARRY_DEV_CACHE_ALL };
	struct quarry_dev_action action = {};
	struct stat st;
	char byte = 0;
	int fd;

	check(!stat(QUARRY_DEVICE, &st) && S_ISCHR(st.st_mode) && (st.st_mode & 07777) == 0600,
	      "%s has mode 0600", QUARRY_DEVICE);
	check_equal(open_as(NOBODY, NO_CAP), EACCES, "open by nobody is refused");
	if (chmod(QUARRY_DEVICE, 0666))
		die("chmod");
	check_equal(open_as(NOBODY, NO_CAP), EPERM, "so it is when the mode allows it");
	chmod(QUARRY_DEVICE, 0600);
	check_equal(open_as(0, NO_CAP), EPERM, "open by root without capabilities is refused");
	check_equal(open_as(0, CAP_SYS_PTRACE), EPERM, "open with another one is refused");
	check_equal(open_as(0, CAP_PERFMON), 0, "open with CAP_PERFMON alone");
	check_equal(open_as(0, CAP_SYS_ADMIN), 0, "open with CAP_SYS_ADMIN alone");

	fd = open_device(O_RDONLY);
	check_error(ioctl(fd, QUARRY_IOC_RATE, &rate), 0, "a reader may ask for the rate");
	rate.flags = QUARRY_DEV_RATE_SET;
	check_error(ioctl(fd, QUARRY_IOC_RATE, &rate), EBADF, "a reader may not set it");
	check_error(ioctl(fd, QUARRY_IOC_RESET, &action), EBADF, "a reader may not reset");
	check_error(write(fd, &byte, 1), EBADF, "a reader may not write");
	close(fd);
	fd = open_device(O_WRONLY);
	check_error(ioctl(fd, QUARRY_IOC_RESET, &action), 0, "a writer may reset");
	check_error(read(fd, &byte, 1), EBADF, "a writer may not read");
	check_error(write(fd, &byte, 1), EINVAL, "there is nothing to write");
	close(fd);
}

/* --- Numbers --- */

static __u64 wall_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/*
 * Background work frees bookkeeping at any moment, so the ioctl and the file can be compared only
 * where the file has the same numbers before and after.
 */
static void check_bytes(int fd)
{
	struct quarry_dev_info info;
	__u64 sys, metadata;
	int tries = 0;

	do {
		sys = quarry_stat("sys_bytes");
		metadata = quarry_stat("metadata_bytes");
		memset(&info, 0, sizeof(info));
		if (ioctl(fd, QUARRY_IOC_INFO, &info))
			die("INFO");
	} while ((sys != quarry_stat("sys_bytes") || metadata != quarry_stat("metadata_bytes")) &&
		 ++tries < 100);
	check_equal(info.sys_bytes, sys, "bytes held");
	check_equal(info.metadata_bytes, metadata, "bytes of bookkeeping");
}

void part_info(void)
{
	struct quarry_dev_info info = {};
	int fd = open_device(O_RDONLY);
	__u64 live, samples, before;

	before = wall_clock();
	if (!check_error(ioctl(fd, QUARRY_IOC_INFO, &info), 0, "INFO"))
		die("INFO");
	check_equal(info.version, QUARRY_ABI_VERSION, "version");
	check_equal(info.features,
		    QUARRY_DEV_FEATURE_DELTA | QUARRY_DEV_FEATURE_HEAPDUMP |
			    QUARRY_DEV_FEATURE_RING | QUARRY_DEV_FEATURE_DOMAINS |
			    QUARRY_DEV_FEATURE_MISUSE,
		    "features");
	check_equal(info.domains, QUARRY_DEV_DOMAINS, "domains");
	check_equal(info.page_size, page_size, "page size");
	check_equal(info.kinds, QUARRY_DEV_KINDS, "kinds of profiles");
	check_equal(info.formats, QUARRY_DEV_FORMATS, "formats");
	check_equal(info.record_size, sizeof(struct quarry_event_record), "bytes of a record");
	check(info.ring_max && !(info.ring_max & (info.ring_max - 1)), "most records: %u",
	      info.ring_max);
	check(info.time_ns >= before && info.time_ns <= wall_clock(), "time is now");
	check_equal(info.rate, 0, "rate");
	check_equal(info.max_sites, quarry_stat("profile_max_sites"), "most sites");
	check_equal(info.profile_max_bytes, quarry_stat("profile_max_bytes"), "most bytes");
	check_bytes(fd);

	live = info.live_objects;
	samples = info.samples;
	set_rate(1);
	hold_objects();
	memset(&info, 0, sizeof(info));
	check_error(ioctl(fd, QUARRY_IOC_INFO, &info), 0, "INFO again");
	check_equal(info.rate, 1, "rate of 1");
	check_equal(info.live_objects - live, held_objects, "objects that are live");
	check_equal(info.samples - samples, held_objects, "objects that were sampled");
	check_equal(info.dropped_samples, quarry_stat("dropped_samples"), "dropped samples");
	check_equal(info.sites, quarry_stat("profile_sites"), "sites");
	release_objects();
	close(fd);
}

void part_rate(void)
{
	__u32 number = value_of("quarry/caches/malloc-64/stats", "id");
	struct quarry_dev_rate r = {
		.cache = QUARRY_DEV_CACHE_ALL,
		.flags = QUARRY_DEV_RATE_SET,
		.rate = 12345,
	};
	int fd = open_device(O_RDWR);

	check(!ioctl(fd, QUARRY_IOC_RATE, &r) && r.rate == 12345 && !r.own, "set the rate");
	r = (struct quarry_dev_rate){ .cache = QUARRY_DEV_CACHE_ALL, .rate = 7, .own = 7 };
	check(!ioctl(fd, QUARRY_IOC_RATE, &r) && r.rate == 12345 && !r.own, "ask for it");
	r = (struct quarry_dev_rate){ .cache = number };
	check(!ioctl(fd, QUARRY_IOC_RATE, &r) && r.rate == 12345 && !r.own,
	      "ask for a cache's that has none");
	r = (struct quarry_dev_rate){ .cache = number, .flags = QUARRY_DEV_RATE_SET, .rate = 3 };
	check(!ioctl(fd, QUARRY_IOC_RATE, &r) && r.rate == 3 && r.own == 1, "set a cache's own");
	set_rate(777);
	r = (struct quarry_dev_rate){ .cache = number };
	check(!ioctl(fd, QUARRY_IOC_RATE, &r) && r.rate == 3 && r.own == 1,
	      "which all others' does not change");
	r.flags = QUARRY_DEV_RATE_INHERIT;
	r.rate = 0;
	check_error(ioctl(fd, QUARRY_IOC_RATE, &r), EINVAL, "INHERIT without SET");
	r.flags |= QUARRY_DEV_RATE_SET;
	r.rate = 1;
	check_error(ioctl(fd, QUARRY_IOC_RATE, &r), EINVAL, "INHERIT with a rate");
	r.rate = 0;
	check(!ioctl(fd, QUARRY_IOC_RATE, &r) && r.rate == 777 && !r.own, "INHERIT");
	r.cache = QUARRY_DEV_CACHE_ALL;
	r.rate = 0;
	check_error(ioctl(fd, QUARRY_IOC_RATE, &r), EINVAL, "INHERIT for all");
	r = (struct quarry_dev_rate){ .cache = QUARRY_DEV_CACHE_ALL - 1 };
	check_error(ioctl(fd, QUARRY_IOC_RATE, &r), ENOENT, "ask for no cache's");
	r.flags = QUARRY_DEV_RATE_SET;
	check_error(ioctl(fd, QUARRY_IOC_RATE, &r), ENOENT, "set no cache's");
	r = (struct quarry_dev_rate){ .cache = QUARRY_DEV_CACHE_ALL, .flags = 4 };
	check_error(ioctl(fd, QUARRY_IOC_RATE, &r), EINVAL, "a flag that is none");
	check_equal(get_rate(), 777, "errors change nothing");
	close(fd);
}

/* --- Results --- */

static unsigned long lines_with(const char *text, const char *word)
{
	unsigned long n = 0;

	while ((text = strstr(text, word))) {
		n++;
		text++;
	}
	return n;
}

static void check_profile(int fd, __u32 kind, __u32 format)
{
	struct quarry_dev_snapshot snap;
	__u64 before = wall_clock();
	size_t len;
	char *text;

	if (!check_error(snapshot(fd, kind, format, QUARRY_DEV_CACHE_ALL, 0, &snap), 0,
			 "kind %u in format %u", kind, format))
		return;
	text = read_all(fd, &len);
	check(len && len == snap.size && snap.time_ns >= before && snap.time_ns <= wall_clock() &&
		      !snap.drained,
	      "has %llu bytes, as announced", snap.size);
	free(text);
}

void part_profiles(void)
{
	struct quarry_dev_snapshot snap;
	struct quarry_dev_action action;
	int fd = open_device(O_RDWR);
	__u32 kind, format;
	char *text, *again;
	size_t len;

	set_rate(1);
	hold_objects();
	for (kind = 0; kind < QUARRY_DEV_KINDS; kind++)
		for (format = 0; format < QUARRY_DEV_FORMATS; format++)
			check_profile(fd, kind, format);

	check_error(snapshot(fd, 0, QUARRY_DEV_FORMAT_TEXT, 0, 0, &snap), 0, "of large objects");
	text = read_all(fd, &len);
	check_error(snapshot(fd, 0, QUARRY_DEV_FORMAT_TEXT, 12345678, 0, &snap), ENOENT,
		    "of no cache");
	check_error(snapshot(fd, QUARRY_DEV_KINDS, 0, QUARRY_DEV_CACHE_ALL, 0, &snap), EINVAL,
		    "of no kind");
	check_error(snapshot(fd, 0, QUARRY_DEV_FORMATS, QUARRY_DEV_CACHE_ALL, 0, &snap), EINVAL,
		    "in no format");
	check_error(snapshot(fd, 0, 0, QUARRY_DEV_CACHE_ALL, 2, &snap), EINVAL, "no flag");
	again = read_all(fd, &len);
	check(!strcmp(text, again), "errors leave the last result");
	free(text);
	free(again);

	check_error(heapdump(fd, QUARRY_DEV_DRAIN, &action), 0, "HEAPDUMP");
	text = read_all(fd, &len);
	check_equal(len, action.size, "bytes of it");
	check(lines_with(text, "\n") >= held_objects, "it has every object");
	free(text);

	release_objects();
	action = (struct quarry_dev_action){};
	check(!ioctl(fd, QUARRY_IOC_DRAIN, &action) && action.time_ns, "DRAIN moves %llu objects",
	      action.drained);
	check_equal(quarry_stat("cached_objects"), 0, "cached objects after it");
	action = (struct quarry_dev_action){ .flags = QUARRY_DEV_DRAIN };
	check_error(ioctl(fd, QUARRY_IOC_DRAIN, &action), EINVAL, "DRAIN takes no flag");
	set_rate(0);
	hold_objects();
	release_objects();
	check(!snapshot(fd, 0, 0, QUARRY_DEV_CACHE_ALL, QUARRY_DEV_DRAIN, &snap) && snap.drained,
	      "SNAPSHOT drains first: %llu objects", snap.drained);
	close(fd);
}

/* --- Deltas --- */

struct totals {
	unsigned long long live_objects, live_bytes, objects, bytes;
};

/* The first line of the legacy text has the sums of all rows. */
static struct totals totals(int fd)
{
	struct totals t = {};
	size_t len;
	char *text = read_all(fd, &len);

	if (sscanf(text, "heap profile: %llu: %llu [%llu: %llu]", &t.live_objects, &t.live_bytes,
		   &t.objects, &t.bytes) != 4)
		check(false, "the sums of \"%.100s\"", text);
	free(text);
	return t;
}

static int delta(int fd, __u32 cache, struct totals *t)
{
	struct quarry_dev_snapshot snap = {
		.kind = QUARRY_DEV_KIND_HEAP,
		.format = QUARRY_DEV_FORMAT_TEXT,
		.cache = cache,
	};

	if (ioctl(fd, QUARRY_IOC_DELTA, &snap))
		return -1;
	*t = totals(fd);
	return 0;
}

void part_delta(void)
{
	int fd = open_device(O_RDWR), other = open_device(O_RDWR);
	struct quarry_dev_action action = { .flags = QUARRY_DEV_DRAIN };
	struct quarry_dev_snapshot snap;
	struct totals t = {}, before;

	set_rate(1);
	hold_objects();
	check_error(delta(fd, QUARRY_DEV_CACHE_ALL, &t), ENODATA, "a delta before a mark");
	snapshot(fd, 0, QUARRY_DEV_FORMAT_TEXT, QUARRY_DEV_CACHE_ALL, 0, &snap);
	before = totals(fd);
	check(!ioctl(fd, QUARRY_IOC_MARK, &action) && action.time_ns && !action.size, "MARK");
	check_error(mark(other), 0, "MARK of another file");
	hold_objects();
	check_error(delta(fd, 12345678, &t), ENOENT, "of no cache");
	check_error(delta(fd, QUARRY_DEV_CACHE_ALL, &t), 0, "a delta");
	check_equal(t.objects, held_objects, "objects allocated since");
	check_equal(t.live_objects, before.live_objects + held_objects, "objects in use");
	check_error(delta(fd, QUARRY_DEV_CACHE_ALL, &t), 0, "another one");
	check_equal(t.objects, 0, "objects allocated since then");
	check_equal(t.live_objects, before.live_objects + held_objects, "objects in use");
	hold_objects();
	check_error(delta(fd, 0, &t), 0, "one of large objects");
	check_equal(t.objects, 1, "large objects allocated since then");
	check_error(delta(fd, QUARRY_DEV_CACHE_ALL, &t), 0, "one of all");
	check_equal(t.objects, 0, "objects allocated since then");
	check_error(delta(other, QUARRY_DEV_CACHE_ALL, &t), 0, "the other file's");
	check_equal(t.objects, 2 * held_objects, "objects allocated since its mark");

	release_objects();
	action = (struct quarry_dev_action){};
	check(!ioctl(other, QUARRY_IOC_RESET, &action) && action.time_ns, "RESET");
	hold_objects();
	check_error(delta(fd, QUARRY_DEV_CACHE_ALL, &t), 0, "a delta across a reset");
	check_equal(t.objects, held_objects, "objects allocated since the reset");
	release_objects();
	close(fd);
	close(other);
}
