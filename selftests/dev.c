// SPDX-License-Identifier: GPL-2.0
/*
 * The character device, seen from a program: everything that it offers, and wrong uses of
 * it.  Prints one line "ok TEXT" or "not ok TEXT" for each check; dev.sh numbers these
 * lines, which makes them TAP.
 *
 *   dev [SECONDS [SEED [PART...]]]
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "dev.h"

#define DEBUGFS "/sys/kernel/debug/"

unsigned long held_objects;
unsigned long page_size;
unsigned int seconds = 2;
static unsigned int failed;
static __u64 seed;

static bool result(bool ok, const char *fmt, va_list args)
{
	if (!ok)
		__atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
	flockfile(stdout);
	fputs(ok ? "ok " : "not ok ", stdout);
	vprintf(fmt, args);
	return ok;
}

static void end_line(void)
{
	putchar('\n');
	fflush(stdout);
	funlockfile(stdout);
}

bool check(bool ok, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	result(ok, fmt, args);
	va_end(args);
	end_line();
	return ok;
}

bool check_error(long got, int want, const char *fmt, ...)
{
	int error = got < 0 ? errno : 0;
	bool ok = error == want;
	va_list args;

	va_start(args, fmt);
	result(ok, fmt, args);
	va_end(args);
	if (!ok)
		printf(": %s, should be %s", strerror(error), strerror(want));
	end_line();
	return ok;
}

bool check_equal(__u64 got, __u64 want, const char *fmt, ...)
{
	bool ok = got == want;
	va_list args;

	va_start(args, fmt);
	result(ok, fmt, args);
	va_end(args);
	if (!ok)
		printf(": %lld, should be %lld", (long long)got, (long long)want);
	end_line();
	return ok;
}

void note(const char *fmt, ...)
{
	va_list args;

	flockfile(stdout);
	fputs("# ", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	end_line();
}

void die(const char *what)
{
	check(false, "%s: %s", what, strerror(errno));
	exit(1);
}

/* SplitMix64.  Threads may share it: the order in which they get the numbers does not matter. */
__u64 random_number(void)
{
	__u64 z = __atomic_add_fetch(&seed, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

unsigned long random_below(unsigned long n)
{
	return random_number() % n;
}

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

__u64 value_of(const char *file, const char *name)
{
	char path[128], word[64], value[64];
	FILE *f;

	snprintf(path, sizeof(path), DEBUGFS "%s", file);
	f = fopen(path, "r");
	if (!f)
		die(path);
	while (fscanf(f, "%63s %63s", word, value) == 2) {
		if (!strcmp(word, name)) {
			fclose(f);
			return strtoull(value, NULL, 10);
		}
	}
	errno = ENOENT;
	die(name);
}

__u64 quarry_stat(const char *name)
{
	return value_of("quarry/stats", name);
}

int client(const char *command)
{
	int fd = open(DEBUGFS "quarry_client/run", O_WRONLY), error;
	ssize_t n;

	if (fd < 0)
		die("quarry_client/run");
	n = write(fd, command, strlen(command));
	error = errno;
	close(fd);
	errno = error;
	return n < 0 ? -1 : 0;
}

__u64 client_result(const char *name)
{
	return value_of("quarry_client/result", name);
}

void hold_objects(void)
{
	if (client("hold mib=1"))
		die("the client");
}

void release_objects(void)
{
	if (client("release"))
		die("the client");
}

int open_device(int flags)
{
	int fd = open(QUARRY_DEVICE, flags);

	if (fd < 0)
		die(QUARRY_DEVICE);
	return fd;
}

void set_rate(__u32 rate)
{
	struct quarry_dev_rate r = {
		.cache = QUARRY_DEV_CACHE_ALL,
		.flags = QUARRY_DEV_RATE_SET,
		.rate = rate,
	};
	int fd = open_device(O_RDWR);

	if (ioctl(fd, QUARRY_IOC_RATE, &r))
		die("setting the rate");
	close(fd);
}

__u32 get_rate(void)
{
	struct quarry_dev_rate r = { .cache = QUARRY_DEV_CACHE_ALL };
	int fd = open_device(O_RDONLY);

	if (ioctl(fd, QUARRY_IOC_RATE, &r))
		die("asking for the rate");
	close(fd);
	return r.rate;
}

int snapshot(int fd, __u32 kind, __u32 format, __u32 cache, __u32 flags,
	     struct quarry_dev_snapshot *snap)
{
	*snap = (struct quarry_dev_snapshot){
		.kind = kind,
		.format = format,
		.cache = cache,
		.flags = flags,
	};
	return ioctl(fd, QUARRY_IOC_SNAPSHOT, snap);
}

int mark(int fd)
{
	struct quarry_dev_action action = {};

	return ioctl(fd, QUARRY_IOC_MARK, &action);
}

int heapdump(int fd, __u32 flags, struct quarry_dev_action *action)
{
	*action = (struct quarry_dev_action){ .flags = flags };
	return ioctl(fd, QUARRY_IOC_HEAPDUMP, action);
}

int make_ring(int fd, __u32 records, __u32 flags, struct quarry_dev_ring *ring)
{
	*ring = (struct quarry_dev_ring){ .records = records, .flags = flags };
	return ioctl(fd, QUARRY_IOC_RING, ring);
}

char *read_all(int fd, size_t *len)
{
	size_t size = 4096;
	char *text = NULL;
	ssize_t n;

	*len = 0;
	do {
		size *= 2;
		text = realloc(text, size + 1);
		if (!text)
			die("realloc");
		n = pread(fd, text + *len, size - *len, *len);
		if (n < 0)
			die("pread");
		*len += n;
	} while (n);
	text[*len] = '\0';
	return text;
}

static const struct part parts[] = {
	{ "access", part_access },     { "info", part_info },	    { "rate", part_rate },
	{ "profiles", part_profiles }, { "delta", part_delta },	    { "reserved", part_reserved },
	{ "domain", part_domain },     { "misuse", part_misuse },   { "pointers", part_pointers },
	{ "numbers", part_numbers },   { "random", part_random },   { "read", part_read },
	{ "seek", part_seek },	       { "threads", part_threads }, { "close", part_close },
	{ "kill", part_kill },	       { "map", part_map },	    { "events", part_events },
	{ "overruns", part_overruns }, { "tails", part_tails },	    { "poll", part_poll },
	{ "fork", part_fork },	       { "faults", part_faults }, /* runs only when it is named */
};

static void control(const char *file)
{
	int fd = open(file, O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		die(file);
	close(fd);
}

/*
 * Returns the bytes of book-keeping, without the profiler's table, which only grows, and without
 * the arrays of magazines, which go while a CPU does not use them.  Each chunk has a descriptor,
 * and background work releases idle chunks.  Drain and scavenge first, so that none is left to be
 * released later.
 *
 * The descriptor of a released chunk is freed after a grace period, which takes long on a busy
 * machine.  So wait until the number is @expected, for up to ten seconds; what leaks never comes
 * back.  With @expected 0, wait until five readings in a row are equal.
 */
static __u64 books(__u64 expected)
{
	__u64 last, bytes = 0;
	unsigned int i, equal = 0;

	control(DEBUGFS "quarry/control/drain");
	control(DEBUGFS "quarry/control/scavenge");
	for (i = 0; i < 100; i++) {
		last = bytes;
		bytes = quarry_stat("metadata_bytes") - quarry_stat("profile_bytes") -
			quarry_stat("magazine_array_bytes");
		equal = bytes == last ? equal + 1 : 0;
		if (expected ? bytes == expected : equal == 4)
			break;
		sleep_ms(100);
	}
	return bytes;
}

static void run(const struct part *part)
{
	__u64 before;

	note("%s", part->name);
	set_rate(0);
	before = books(0);
	part->run();
	set_rate(0);
	check_equal(books(before), before, "%s: bytes of bookkeeping are what they were",
		    part->name);
}

static bool wanted(const struct part *part, int argc, char **argv)
{
	int i;

	for (i = 3; i < argc; i++)
		if (!strcmp(argv[i], part->name))
			return true;
	return argc <= 3 && part->run != part_faults && part->run != part_domain;
}

/*
 * Allocate and free on every CPU, and so on every node, with and without sampling.  The heap
 * and its book-keeping then have their final size before the first part runs.
 */
static void warm_up(void)
{
	cpu_set_t all, one;
	unsigned int i;
	int cpu;

	if (sched_getaffinity(0, sizeof(all), &all))
		die("sched_getaffinity");
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		for (i = 0; i < 2; i++) {
			set_rate(i);
			client("hold mib=32");
			release_objects();
		}
	}
	sched_setaffinity(0, sizeof(all), &all);
}

int main(int argc, char **argv)
{
	unsigned int i;
	__u32 rate;

	if (argc > 1)
		seconds = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 10);
	note("%u seconds, seed %llu", seconds, seed);
	page_size = sysconf(_SC_PAGESIZE);
	rate = get_rate();
	warm_up();
	hold_objects();
	held_objects = client_result("objects");
	release_objects();
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		if (wanted(&parts[i], argc, argv))
			run(&parts[i]);
	set_rate(rate);
	return failed != 0;
}
