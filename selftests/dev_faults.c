// SPDX-License-Identifier: GPL-2.0
/*
 * Injected failures: each operation is repeated, and each time another one of the allocations
 * that the kernel makes for it fails.  This part runs only when it is named, because it needs a
 * kernel with fault injection, which reports every injected failure in the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "dev.h"

static int counter;	 /* /proc/self/fail-nth */
static char last[65536]; /* start of the last result */

/* Make the @nth allocation from now on fail; with 0 none fails. */
static void inject(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(counter, text, len, 0) != len)
		die("fail-nth");
}

static bool is_injected(void)
{
	char text[16] = "";

	if (pread(counter, text, sizeof(text) - 1, 0) < 0)
		die("fail-nth");
	return atoi(text) == 0;
}

static int do_open(int fd)
{
	int new = open(QUARRY_DEVICE, O_RDWR);

	(void)fd;
	if (new < 0)
		return -1;
	close(new);
	return 0;
}

static int do_snapshot(int fd)
{
	struct quarry_dev_snapshot snap;

	return snapshot(fd, QUARRY_DEV_KIND_LIFETIME, QUARRY_DEV_FORMAT_PPROF, QUARRY_DEV_CACHE_ALL,
			0, &snap);
}

static int do_delta(int fd)
{
	struct quarry_dev_snapshot snap = {
		.kind = QUARRY_DEV_KIND_LIFETIME,
		.format = QUARRY_DEV_FORMAT_TOP,
	};

	return ioctl(fd, QUARRY_IOC_DELTA, &snap);
}

static int do_heapdump(int fd)
{
	struct quarry_dev_action action;

	return heapdump(fd, 0, &action);
}

static int do_ring(int fd)
{
	struct quarry_dev_ring ring;

	return make_ring(fd, 4096, 0, &ring);
}

static int do_map(int fd)
{
	size_t size = page_size + 4096 * sizeof(struct quarry_event_record);
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -1;
	munmap(p, size);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int fd);
} operations[] = {
	{ "open", do_open },	     { "MARK", mark },
	{ "SNAPSHOT", do_snapshot }, { "DELTA", do_delta },
	{ "HEAPDUMP", do_heapdump }, { "RING", do_ring },
	{ "mmap", do_map },
};

/* An operation that fails must leave the file's previous result: it is in @last. */
static bool is_unchanged(int fd)
{
	static char again[sizeof(last)];
	ssize_t n = pread(fd, again, sizeof(again), 0);

	return n > 0 && !memcmp(again, last, n);
}

static void sweep(const char *name, int (*run)(int fd))
{
	unsigned int nth = 0, failures = 0, wrong = 0;
	bool injected;

	do {
		int fd = open_device(O_RDWR), err;
		struct quarry_dev_action action;

		mark(fd);
		if (run == do_map && do_ring(fd))
			die("RING");
		if (heapdump(fd, 0, &action) || pread(fd, last, sizeof(last), 0) <= 0)
			die("HEAPDUMP");
		inject(++nth);
		err = run(fd) ? errno : 0;
		injected = is_injected();
		inject(0);
		failures += !!err;
		if ((err && err != ENOMEM) || (err && !is_unchanged(fd))) {
			note("%s, allocation %u: %s", name, nth, strerror(err));
			wrong++;
		}
		/* An operation that failed must succeed when it is repeated without a fault. */
		if (err && run(fd)) {
			note("%s, after allocation %u: %s", name, nth, strerror(errno));
			wrong++;
		}
		close(fd);
	} while (injected && nth < 2000);
	note("%s: %u allocations, of which %u made it fail", name, nth - 1, failures);
	check(failures && nth < 2000, "%s: some failures are errors", name);
	check_equal(wrong, 0, "%s: wrong endings", name);
}

void part_faults(void)
{
	unsigned int i;

	counter = open("/proc/self/fail-nth", O_RDWR);
	if (counter < 0)
		die("fail-nth");
	set_rate(1);
	hold_objects();
	for (i = 0; i < ARRAY_SIZE(operations); i++)
		sweep(operations[i].name, operations[i].run);
	release_objects();
	close(counter);
}
