// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of /dev/quarry and of the files in debugfs as no sane program makes them, by several
 * processes at the same time:
 *
 *   abifuzz SECONDS SEED
 *
 * root opens what it wants; the others got the open device from root: root without capabilities,
 * nobody, and root in a user namespace of its own. The same seed makes the same calls; what they
 * meet depends on the others.
 *
 * Prints for each process a line "NAME calls N, done N, refused N, opened N". The exit status is 0
 * if all of them came to their end.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <kselftest.h>
#include "../include/uapi/quarry.h"

#define DEBUGFS	  "/sys/kernel/debug/quarry"
#define NOBODY	  65534
#define FDS	  8
#define FILES	  2048
#define BUFFER	  8192
#define MAP_BYTES (1024UL * 1024)

static __u64 state;
static unsigned long page_size;
static unsigned long calls, done, refused, opened;
static int device[FDS]; /* -1: not open */
static char *file[FILES];
static unsigned int nr_files;
static char *buffer; /* BUFFER bytes, and behind them a page that is not mapped */

/* --- Numbers --- */

/* Marsaglia's xorshift, which needs no state but one word. */
static __u64 random_number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dULL;
}

static unsigned long below(unsigned long n)
{
	return (random_number() >> 16) % n;
}

static bool one_in(unsigned long n)
{
	return !below(n);
}

/* A number that a program might pass, or one at the edge of something. */
static __u64 number(void)
{
	static const __u64 edges[] = {
		0,
		1,
		2,
		3,
		7,
		8,
		16,
		255,
		256,
		1024,
		4095,
		4096,
		65536,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		0x100000000ULL,
		0x7fffffffffffffffULL,
		0xffffffffffffffffULL,
		0xffff888000000000ULL,
		0xffffffff81000000ULL,
	};

	switch (below(4)) {
	case 0:
		return edges[below(ARRAY_SIZE(edges))];
	case 1:
		return random_number();
	default:
		return below(6);
	}
}

static long result(long got)
{
	calls++;
	if (got < 0)
		refused++;
	else
		done++;
	return got;
}

/* Where a call is to read or write @len bytes: mostly memory, filled with what @fill says. */
static void *place(size_t len)
{
	switch (below(16)) {
	case 0:
		return NULL;
	case 1:
		return (void *)0xffff888000001000UL;
	case 2:
		return buffer + BUFFER - below(len + 1); /* it ends where no memory is */
	case 3:
		return buffer + 1 + below(7);
	case 4:
		return (void *)(unsigned long)random_number();
	default:
		return buffer;
	}
}

/* --- The device --- */

static int a_device(void)
{
	return device[below(FDS)];
}

static void fuzz_ioctl(void)
{
	static const unsigned long cmds[] = {
		QUARRY_IOC_INFO,  QUARRY_IOC_RATE,   QUARRY_IOC_SNAPSHOT, QUARRY_IOC_MARK,
		QUARRY_IOC_DELTA, QUARRY_IOC_DRAIN,  QUARRY_IOC_RESET,	  QUARRY_IOC_HEAPDUMP,
		QUARRY_IOC_RING,  QUARRY_IOC_DOMAIN, QUARRY_IOC_MISUSE,
	};
	unsigned long cmd = cmds[below(ARRAY_SIZE(cmds))];
	__u32 words[128] = {};
	unsigned int i, n;
	void *at;

	if (one_in(8))
		cmd = one_in(2) ? random_number() : cmd ^ (1UL << below(32));
	/* Few members differ from 0, or each call would be refused for the first that is wrong. */
	n = below(4);
	for (i = 0; i < n; i++)
		words[below(one_in(4) ? ARRAY_SIZE(words) : 8)] = number();
	if (one_in(16))
		for (i = 0; i < ARRAY_SIZE(words); i++)
			words[i] = random_number();
	memcpy(buffer, words, sizeof(words));
	at = place(_IOC_SIZE(cmd));
	if (at > (void *)buffer && at < (void *)(buffer + BUFFER - sizeof(words)))
		memcpy(at, words, sizeof(words));
	result(ioctl(a_device(), cmd, at));
}

static void fuzz_read(void)
{
	size_t len = one_in(8) ? number() : below(BUFFER);

	switch (below(6)) {
	case 0:
		result(lseek(a_device(), number(), below(5)));
		break;
	case 1:
		result(write(a_device(), place(64), below(64)));
		break;
	case 2:
		result(pread(a_device(), place(len), len, number()));
		break;
	default:
		result(read(a_device(), place(len), len));
	}
}

static void fuzz_map(void)
{
	size_t len = one_in(4) ? number() : page_size * (1 + (1UL << below(9)));
	int prot = below(8), flags = one_in(4) ? MAP_PRIVATE : MAP_SHARED;
	off_t offset = one_in(4) ? (off_t)(below(4) * page_size) : 0;
	char *map;
	size_t i;

	if (len > 64 * MAP_BYTES)
		len = 64 * MAP_BYTES;
	map = mmap(NULL, len, prot, flags, a_device(), offset);
	if (result(map == MAP_FAILED ? -1 : 0))
		return;
	for (i = 0; (prot & PROT_READ) && i < len; i += page_size)
		__atomic_load_n(&map[i], __ATOMIC_RELAXED);
	/* Whatever the reader writes, the kernel must not believe it. */
	for (i = 0; (prot & PROT_WRITE) && i < 64; i++)
		__atomic_store_n(&map[below(page_size)], random_number(), __ATOMIC_RELAXED);
	if (one_in(4))
		result(mprotect(map, len, below(8)));
	if (one_in(4))
		result(munmap(map + page_size, page_size));
	munmap(map, len);
}

static void fuzz_poll(void)
{
	struct pollfd fds[FDS];
	unsigned int i;

	for (i = 0; i < FDS; i++)
		fds[i] = (struct pollfd){ .fd = device[i], .events = random_number() };
	result(poll(fds, FDS, below(3)));
}

static void fuzz_open(void)
{
	unsigned int i = below(FDS);
	int fd = open(QUARRY_DEVICE, one_in(4) ? O_RDONLY : O_RDWR);

	if (result(fd) < 0)
		return;
	opened++;
	close(device[i]);
	device[i] = fd;
}

/* --- Files --- */

static void find_files(const char *dir, unsigned int depth)
{
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && nr_files < FILES && (e = readdir(d))) {
		char *path;

		if (e->d_name[0] == '.' || asprintf(&path, "%s/%s", dir, e->d_name) < 0)
			continue;
		if (e->d_type == DT_DIR && depth) {
			find_files(path, depth - 1);
			free(path);
		} else {
			file[nr_files++] = path;
		}
	}
	if (d)
		closedir(d);
}

static size_t some_text(char *text, size_t room)
{
	static const char *const words[] = {
		"0",
		"1",
		"max",
		"default",
		"inherit",
		"soft",
		"hard",
		"16M",
		"4K",
		"512K",
		"-1",
		"strict",
		"none",
		"sane",
		"redzone",
		"poison",
		"stacks",
		"1e9",
		"18446744073709551615",
		"%s%n",
		"\n",
		" ",
		"\t",
	};
	size_t len = 0;
	unsigned int n = 1 + below(3);

	if (one_in(6)) {
		len = below(room);
		while (room--)
			text[room] = random_number();
		return len;
	}
	while (n--)
		len += snprintf(text + len, room - len, "%s%s", words[below(ARRAY_SIZE(words))],
				n ? " " : "");
	return len;
}

static void fuzz_file(void)
{
	static const int modes[] = { O_RDONLY, O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_NONBLOCK };
	char text[512];
	unsigned int i;
	size_t len;
	int fd;

	if (!nr_files)
		return;
	fd = open(file[below(nr_files)], modes[below(ARRAY_SIZE(modes))]);
	if (result(fd) < 0)
		return;
	opened++;
	for (i = below(4); i > 0; i--) {
		len = some_text(text, sizeof(text));
		switch (below(5)) {
		case 0:
			result(lseek(fd, number(), below(5)));
			break;
		case 1:
			len = below(BUFFER);
			result(pread(fd, place(len), len, one_in(2) ? number() : 0));
			break;
		case 2:
			result(write(fd, one_in(8) ? place(len) : text, len));
			break;
		case 3:
			result(pwrite(fd, text, len, number()));
			break;
		default:
			len = below(BUFFER);
			result(read(fd, place(len), len));
		}
	}
	close(fd);
}

/* --- Processes --- */

static void run(const char *name, unsigned int seconds, __u64 seed)
{
	time_t end = time(NULL) + seconds;
	unsigned int i;

	state = seed * 0x9e3779b97f4a7c15ULL | 1;
	while (time(NULL) < end) {
		/* Caches, and so their files, come and go. */
		while (nr_files)
			free(file[--nr_files]);
		find_files(DEBUGFS, 4);
		for (i = 0; i < 500 && time(NULL) < end; i++)
			switch (below(16)) {
			case 0:
				fuzz_open();
				break;
			case 1:
				fuzz_map();
				break;
			case 2:
				fuzz_poll();
				break;
			case 3 ... 5:
				fuzz_read();
				break;
			case 6 ... 9:
				fuzz_file();
				break;
			default:
				fuzz_ioctl();
			}
	}
	printf("%s calls %lu, done %lu, refused %lu, opened %lu\n", name, calls, done, refused,
	       opened);
	exit(0);
}

static void drop_caps(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capset, &header, data))
		exit(1);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "root", "root_too", "no_capabilities", "nobody",
					     "namespace" };
	unsigned int seconds = argc > 1 ? atoi(argv[1]) : 0, i, k;
	__u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	int status, bad = 0;

	if (!seconds)
		return KSFT_FAIL;
	page_size = sysconf(_SC_PAGESIZE);
	buffer = mmap(NULL, BUFFER + page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (buffer == MAP_FAILED || munmap(buffer + BUFFER, page_size))
		return KSFT_FAIL;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (fork())
			continue;
		for (k = 0; k < FDS; k++) {
			device[k] = open(QUARRY_DEVICE, k % 2 ? O_RDONLY : O_RDWR);
			if (device[k] < 0)
				exit(1);
		}
		switch (i) {
		case 2:
			drop_caps();
			break;
		case 3:
		case 4:
			if (setgid(NOBODY) || setuid(NOBODY))
				exit(1);
			if (i == 4 && access("/proc/self/ns/user", F_OK))
				exit(0); /* the kernel has no such namespaces */
			if (i == 4 && unshare(CLONE_NEWUSER | CLONE_NEWNS))
				exit(1);
			break;
		}
		run(names[i], seconds, seed + i);
	}
	while (wait(&status) > 0)
		bad += !WIFEXITED(status) || WEXITSTATUS(status);
	return bad ? KSFT_FAIL : KSFT_PASS;
}
