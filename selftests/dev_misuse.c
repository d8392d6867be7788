// SPDX-License-Identifier: GPL-2.0
/* QUARRY_IOC_MISUSE: what it says of a client's mistake. */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "dev.h"

/* The next report after @after.  False if there is none. */
static bool next(int fd, __u64 after, struct quarry_dev_misuse *d)
{
	memset(d, 0, sizeof(*d));
	d->after = after;
	if (ioctl(fd, QUARRY_IOC_MISUSE, d))
		die("MISUSE");
	return d->number;
}

void part_misuse(void)
{
	int fd = open_device(O_RDONLY);
	struct quarry_dev_misuse d;
	__u64 last = 0;

	while (next(fd, last, &d))
		last = d.number;
	check(!client("misuse kind=interior") && !client("misuse kind=interior"),
	      "a client makes the same mistake twice");
	if (!check(next(fd, last, &d), "there is a report"))
		goto out;
	check_equal(d.number, last + 1, "it is the next one");
	check_equal(d.after, last, "the number that was asked for stays");
	check_equal(d.times, 2, "times");
	check(d.first_ns && d.last_ns > d.first_ns, "the first time is before the last");
	check(!strcmp(d.what, "interior"), "what: %s", d.what);
	check(!strcmp(d.result, "object leaked"), "result: %s", d.result);
	check(!strcmp(d.cache, "client_misused"), "cache: %s", d.cache);
	check(!d.given[0], "no other cache was named");
	check(strstr(d.caller, "free_interior+") && strstr(d.caller, "[quarry_client]"),
	      "caller: %s", d.caller);
	/* Where a magazine is emptied on another CPU, a work item notices the mistake. */
	check(d.pid && d.comm[0], "task: %s (%u)", d.comm, d.pid);
	check_equal(d.interrupt, 0, "in an interrupt");
	check_equal(d.offset, 8, "offset in the object");
	check(d.size >= 96 && d.size <= 128, "bytes of the object: %llu", d.size);
	check(d.object, "the object has an address or a number");
	check(!next(fd, last + 1, &d), "there is no other report");
	check(!d.times && !d.what[0] && !d.caller[0], "and nothing is said");
	check(!next(fd, ~0ULL, &d), "none after the highest number");
out:
	close(fd);
}
