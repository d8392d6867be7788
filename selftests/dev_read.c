// SPDX-License-Identifier: GPL-2.0
/*
 * Results: reads of every kind, reads by several threads at once, and reads and polls that are
 * interrupted because the file is closed or the process is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "dev.h"

#define HUGE 0x7ffff000UL /* the most bytes that one read() transfers on Linux */

static bool is_snapped(int fd)
{
	struct quarry_dev_snapshot snap;

	return !snapshot(fd, QUARRY_DEV_KIND_HEAP, QUARRY_DEV_FORMAT_TEXT, QUARRY_DEV_CACHE_ALL, 0,
			 &snap);
}

/* Make a result of some pages of text. */
static void dump(int fd)
{
	struct quarry_dev_action action;

	if (heapdump(fd, 0, &action))
		die("HEAPDUMP");
}

static void read_in_pieces(int fd, const char *whole, size_t len, unsigned int max)
{
	char *text = malloc(len + max);
	struct iovec iov[2];
	size_t done = 0;
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	do {
		iov[0] = (struct iovec){ text + done, 1 + random_below(max / 2 + 1) };
		iov[1] = (struct iovec){ text + done + iov[0].iov_len, max / 2 };
		n = max < 2 ? read(fd, text + done, 1) : readv(fd, iov, 2);
		if (n > 0)
			done += n;
	} while (n > 0 && done <= len);
	check(!n && done == len && !memcmp(text, whole, len), "read in pieces of up to %u", max);
	free(text);
}

void part_read(void)
{
	char *map = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	int fd = open_device(O_RDWR);
	char byte[2] = "", *whole, *large;
	ssize_t got;
	size_t len;

	check_error(read(fd, byte, 1), ENODATA, "read before the first result");
	check_error(pread(fd, byte, 1, 0), ENODATA, "pread before it");
	check_error(lseek(fd, 0, SEEK_CUR), ENODATA, "lseek before it");
	set_rate(1);
	hold_objects();
	dump(fd);
	whole = read_all(fd, &len);
	check(len > 4 * page_size, "a result of %zu bytes", len);
	read_in_pieces(fd, whole, len, 1);
	read_in_pieces(fd, whole, len, 100);
	read_in_pieces(fd, whole, len, 10000);

	/* A buffer for the longest read(), of which only the first pages are ever touched. */
	large = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(large != MAP_FAILED && pread(fd, large, HUGE, 0) == (ssize_t)len &&
		      !memcmp(large, whole, len),
	      "read of %#lx bytes", HUGE);
	munmap(large, HUGE);
	check_equal(pread(fd, byte, 0, 0), 0, "read of nothing");
	check(pread(fd, byte, 2, len - 1) == 1 && byte[0] == whole[len - 1] && !byte[1],
	      "read of the last byte");
	check_equal(pread(fd, byte, 1, len), 0, "read at the end");
	check_equal(pread(fd, byte, 1, len + 1), 0, "read beyond the end");
	check_equal(pread(fd, byte, 1, LLONG_MAX - 1), 0, "read far beyond the end");
	check_error(pread(fd, byte, 1, -1), EINVAL, "read before the start");
	check_error(pwrite(fd, byte, 1, 0), EINVAL, "write");

	check_error(pread(fd, KERNEL_ADDRESS, 100, 0), EFAULT, "read to the kernel's");
	munmap(map + page_size, page_size);
	/* A copy that meets the end stops there on x86, and may stop earlier elsewhere. */
	got = pread(fd, map + page_size - 10, 100, 0);
#ifdef __x86_64__
	check_equal(got, 10, "read to the last 10 bytes");
#else
	check(got >= 1 && got <= 10, "read to the last 10 bytes: %zd", got);
#endif
	check_error(pread(fd, map + page_size, 100, 0), EFAULT, "read to behind them");
	check(got > 0 && !memcmp(map + page_size - 10, whole, got), "what was read is right");
	mprotect(map, page_size, PROT_READ);
	check_error(pread(fd, map, 100, 0), EFAULT, "read to memory that is read-only");
	munmap(map, page_size);
	free(whole);
	release_objects();
	close(fd);
}

void part_seek(void)
{
	int fd = open_device(O_RDWR);
	char byte;
	off_t len;

	hold_objects();
	dump(fd);
	len = lseek(fd, 0, SEEK_END);
	check(len > 100, "SEEK_END tells %lld bytes", (long long)len);
	check_equal(read(fd, &byte, 1), 0, "nothing to read there");
	check_equal(lseek(fd, -100, SEEK_END), len - 100, "SEEK_END by -100");
	check_equal(read(fd, &byte, 1), 1, "a byte there");
	check_equal(lseek(fd, 0, SEEK_CUR), len - 99, "SEEK_CUR");
	check_equal(lseek(fd, -9, SEEK_CUR), len - 108, "SEEK_CUR by -9");
	check_equal(lseek(fd, 50, SEEK_SET), 50, "SEEK_SET");
	check_error(lseek(fd, -51, SEEK_CUR), EINVAL, "before the start");
	check_error(lseek(fd, len + 1, SEEK_SET), EINVAL, "beyond the end");
	check_error(lseek(fd, 0, SEEK_DATA), EINVAL, "SEEK_DATA");
	check_error(lseek(fd, 0, 99), EINVAL, "no such direction");
	check_equal(lseek(fd, 0, SEEK_CUR), 50, "errors leave the position");
	dump(fd);
	check_equal(lseek(fd, 0, SEEK_CUR), 0, "a new result is read from its start");
	release_objects();
	close(fd);
}

/* --- Many at once --- */

static bool stop;
static unsigned long unexpected;

static void expect(bool ok, const char *what)
{
	if (!ok) {
		note("%s: %s", what, strerror(errno));
		__atomic_add_fetch(&unexpected, 1, __ATOMIC_RELAXED);
	}
}

static void one_thing(int fd, char *buf, size_t size)
{
	struct quarry_dev_snapshot snap = { .cache = QUARRY_DEV_CACHE_ALL };
	struct quarry_dev_action action = {};
	struct quarry_dev_info info = {};
	ssize_t n;

	switch (random_below(8)) {
	case 0:
		snap.kind = random_below(QUARRY_DEV_KINDS);
		snap.format = random_below(QUARRY_DEV_FORMATS);
		snap.flags = random_below(2) ? QUARRY_DEV_DRAIN : 0;
		expect(!ioctl(fd, QUARRY_IOC_SNAPSHOT, &snap), "SNAPSHOT");
		break;
	case 1:
		expect(!mark(fd), "MARK");
		break;
	case 2:
		snap.kind = random_below(QUARRY_DEV_KINDS);
		expect(!ioctl(fd, QUARRY_IOC_DELTA, &snap) || errno == ENODATA, "DELTA");
		break;
	case 3:
		expect(!heapdump(fd, 0, &action), "HEAPDUMP");
		break;
	case 4:
		expect(!ioctl(fd, QUARRY_IOC_INFO, &info) && info.version == QUARRY_ABI_VERSION,
		       "INFO");
		break;
	case 5:
		expect(!ioctl(fd, random_below(2) ? QUARRY_IOC_RESET : QUARRY_IOC_DRAIN, &action),
		       "RESET or DRAIN");
		break;
	case 6:
		n = pread(fd, buf, size, random_below(10000));
		expect(n >= 0 || errno == ENODATA, "pread");
		break;
	default:
		n = read(fd, buf, 1 + random_below(size));
		expect(n >= 0 || errno == ENODATA, "read");
		n = lseek(fd, 0, SEEK_SET);
		expect(n >= 0 || errno == ENODATA, "lseek");
	}
}

static void *work(void *arg)
{
	static __thread char buf[65536];
	int shared = *(int *)arg, own = -1;

	while (!is_set(&stop)) {
		if (own < 0)
			own = open_device(O_RDWR);
		one_thing(random_below(2) ? shared : own, buf, sizeof(buf));
		if (!random_below(20)) {
			close(own);
			own = -1;
		}
	}
	if (own >= 0)
		close(own);
	return NULL;
}

static void *allocate(void *unused)
{
	(void)unused;
	while (!is_set(&stop)) {
		set_rate(random_below(3) ? 1 : 4096);
		client("hold mib=2");
		release_objects();
	}
	return NULL;
}

void part_threads(void)
{
	int fd = open_device(O_RDWR);
	pthread_t thread[5];
	unsigned int i;

	set(&stop, false);
	unexpected = 0;
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		if (pthread_create(&thread[i], NULL, i ? work : allocate, &fd))
			die("thread");
	sleep_ms(1000 * seconds);
	set(&stop, true);
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		pthread_join(thread[i], NULL);
	check_equal(unexpected, 0, "unexpected errors of threads that share a file");
	check(is_snapped(fd), "it is still of use");
	close(fd);
}

/* --- Interrupted --- */

/*
 * Returns @arg if poll() reports an event in time.  Any event is good: once woken up, poll()
 * looks the file's number up again, and the number may be closed or another file's by then.
 */
static void *poller(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };
	double end = now() + TIMEOUT_MS / 2000.0;

	return poll(&p, 1, TIMEOUT_MS) == 1 && now() < end ? arg : NULL;
}

static void *reader(void *arg)
{
	static char buf[65536];

	struct quarry_dev_action action;

	while (read(*(int *)arg, buf, sizeof(buf)) >= 0) {
		if (!heapdump(*(int *)arg, 0, &action))
			continue;
		/* The number may have become another file's since the read. */
		if (errno != ENOTTY)
			die("HEAPDUMP");
		break;
	}
	return NULL;
}

void part_close(void)
{
	struct quarry_dev_ring ring;
	int fd = open_device(O_RDWR), again;
	pthread_t thread;
	void *result;
	char byte;

	check_error(make_ring(fd, 64, 0, &ring), 0, "RING");
	set_rate(1);
	pthread_create(&thread, NULL, poller, &fd);
	sleep_ms(200);
	close(fd);
	hold_objects();
	pthread_join(thread, &result);
	check(result, "poll of a file that was closed meanwhile ends with an event");
	release_objects();

	fd = open_device(O_RDWR);
	dump(fd);
	again = dup(fd);
	/* dup2() below keeps the number in use, so that the reader never meets another file. */
	pthread_create(&thread, NULL, reader, &fd);
	sleep_ms(200);
	dup2(open("/dev/null", O_WRONLY), fd);
	pthread_join(thread, NULL);
	check(is_snapped(again), "closing one of two numbers while it is read");
	check_equal(pread(again, &byte, 1, 0), 1, "the other one can be read");
	close(again);
	close(fd);
}

/*
 * Use the device until the process is killed.  It has a ring, its mapping and a mark.  With an
 * odd @how it makes random calls, with an even one it waits in poll().
 */
static void victim(unsigned int how)
{
	struct quarry_dev_ring ring;
	int fd = open_device(O_RDWR);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char buf[65536];

	make_ring(fd, 1024, QUARRY_DEV_RING_FREES, &ring);
	mmap(NULL, ring.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	mark(fd);
	for (;;) {
		if (how % 2)
			one_thing(fd, buf, sizeof(buf));
		else
			poll(&p, 1, 1000);
	}
}

void part_kill(void)
{
	unsigned int n, lost = 0;

	for (n = 0; n < 10 * seconds; n++) {
		pid_t pid = fork();
		int status;

		set_rate(n % 3 ? 1 : 0);
		if (!pid) {
			victim(n);
			_exit(1);
		}
		sleep_ms(random_below(50));
		hold_objects();
		kill(pid, SIGKILL);
		lost += waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status);
		release_objects();
	}
	check_equal(lost, 0, "of %u processes that were killed, those that did not end so", n);
}
