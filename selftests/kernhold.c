// SPDX-License-Identifier: GPL-2.0
/*
 * Holds objects of the kernel's slab allocator, and reads what the kernel and its profile say
 * about them:
 *
 *   kernhold N DIR PROFILE OUT
 *
 * PROFILE is a directory of the kernel profile that is off.  It is switched on; then files, links
 * and directories are created in DIR, and pipes, sockets, connections, messages, locks, timers,
 * mappings, watches, mounts and processes elsewhere, N of the most frequent kinds.  All are kept
 * until the program ends.  It leaves in OUT:
 *
 *   off      /proc/allocinfo before the profile was switched on
 *   before   /proc/allocinfo after that
 *   after    /proc/allocinfo while everything is held
 *   top      the profile's table of growth between the last two
 *
 * One process does it all, since another one's objects would be in some of the four only.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define BYTES	     3000
#define PER_QUEUE    16
#define MESSAGE	     512
#define MAPPINGS     20
#define SETTLE_USECS 3000000

static char bytes[BYTES];
static const char *dir;
static int n;

/* The program writes to all of it beforehand, so that reading needs no memory of the kernel's. */
static struct text {
	size_t len;
	char data[4 << 20];
} off, before, after, top;

static int queues[1 << 16], sets[1 << 16];

static void check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* --- Objects --- */

static const char *path_of(const char *kind, int i)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s with a name that a dentry does not hold %d", dir, kind,
		 i);
	return path;
}

static void files(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	char target[100];
	int i, fd;

	memset(target, 'x', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	for (i = 0; i < n; i++) {
		fd = open(path_of("file", i), O_RDWR | O_CREAT | O_EXCL, 0600);
		check(fd >= 0 && write(fd, bytes, BYTES) == BYTES, "file");
		check(!fsetxattr(fd, "trusted.held", bytes, 200, 0), "xattr");
		check(!fcntl(fd, F_SETLK, &lock), "lock");
		check(!symlink(target, path_of("link", i)), "link");
	}
}

static void directories(void)
{
	int watches = inotify_init(), i;

	check(watches >= 0, "inotify");
	for (i = 0; i < n / 4; i++) {
		check(!mkdir(path_of("directory", i), 0700), "mkdir");
		check(inotify_add_watch(watches, path_of("directory", i), IN_CREATE) >= 0, "watch");
	}
	for (i = 0; i < n / 40; i++)
		check(!mount("held", path_of("directory", i), "tmpfs", 0, NULL), "mount");
}

static void pipes(void)
{
	int fds[2], i;

	for (i = 0; i < n / 2; i++) {
		check(!pipe(fds) && write(fds[1], bytes, BYTES) == BYTES, "pipe");
		check(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
		check(write(fds[0], bytes, BYTES) == BYTES, "stream");
		check(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), "socketpair");
		check(write(fds[0], bytes, 500) == 500, "datagram");
	}
}

static void connections(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), i, fd;
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(listener >= 0 && !ioctl(listener, SIOCSIFFLAGS, &lo), "lo");
	check(!bind(listener, (void *)&addr, len) && !listen(listener, 8), "listen");
	check(!getsockname(listener, (void *)&addr, &len), "getsockname");
	for (i = 0; i < n / 4; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		check(fd >= 0 && !connect(fd, (void *)&addr, sizeof(addr)), "connect");
		check(accept(listener, NULL, NULL) >= 0, "accept");
		check(write(fd, bytes, BYTES) == BYTES, "connection");
		check(socket(AF_INET, SOCK_DGRAM, 0) >= 0, "socket");
	}
}

static void events(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	timer_t timer;
	sigset_t set;
	int i;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (i = 0; i < n / 2; i++) {
		int polled = epoll_create1(0), fd = timerfd_create(CLOCK_MONOTONIC, 0),
		    count = eventfd(0, 0);

		check(polled >= 0 && fd >= 0 && count >= 0, "events");
		check(!epoll_ctl(polled, EPOLL_CTL_ADD, fd, &event), "timer");
		check(!epoll_ctl(polled, EPOLL_CTL_ADD, count, &event), "count");
		check(signalfd(-1, &set, 0) >= 0, "signalfd");
		check(!timer_create(CLOCK_MONOTONIC, NULL, &timer), "timer_create");
	}
}

static void messages(void)
{
	static struct {
		long type;
		char text[MESSAGE];
	} message = { .type = 1 };
	int i;

	for (i = 0; i < n; i++) {
		int *queue = &queues[i / PER_QUEUE];

		if (!(i % PER_QUEUE))
			*queue = msgget(IPC_PRIVATE, 0600);
		check(*queue >= 0 && !msgsnd(*queue, &message, MESSAGE, 0), "message");
	}
	for (i = 0; i < n / 4; i++) {
		sets[i] = semget(IPC_PRIVATE, 4, 0600);
		check(sets[i] >= 0, "semaphores");
	}
}

/* Neighbours differ in what is allowed, so that the kernel does not make one of them. */
static void mappings(int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		char *p = mmap(NULL, 8192, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(p != MAP_FAILED, "mmap");
		if (i % 2 == 0)
			*p = 1;
	}
}

/* Each ends when this process does, and with it the last writer of the pipe. */
static void processes(void)
{
	int alive[2], ready[2], i;
	char c;

	check(!pipe(alive) && !pipe(ready), "pipe");
	for (i = 0; i < n / 10; i++) {
		pid_t pid = fork();

		check(pid >= 0, "fork");
		if (pid)
			continue;
		close(alive[1]);
		mappings(MAPPINGS);
		check(write(ready[1], "", 1) == 1, "ready");
		_exit(read(alive[0], &c, 1) != 0);
	}
	for (i = 0; i < n / 10; i++)
		check(read(ready[0], &c, 1) == 1, "child");
}

/* What the end of the process does not take away. */
static void release(void)
{
	int i;

	for (i = 0; i < n; i += PER_QUEUE)
		check(!msgctl(queues[i / PER_QUEUE], IPC_RMID, NULL), "queue");
	for (i = 0; i < n / 4; i++)
		check(!semctl(sets[i], 0, IPC_RMID), "semaphores");
	for (i = 0; i < n / 40; i++)
		check(!umount2(path_of("directory", i), MNT_DETACH), "umount");
}

/* --- Readings --- */

static void read_all(int fd, struct text *t)
{
	ssize_t got;

	for (t->len = 0; t->len < sizeof(t->data); t->len += got) {
		got = read(fd, t->data + t->len, sizeof(t->data) - t->len);
		check(got >= 0, "read");
		if (!got)
			return;
	}
	fprintf(stderr, "too long a text\n");
	exit(1);
}

static void read_allocinfo(struct text *t)
{
	int fd = open("/proc/allocinfo", O_RDONLY);

	check(fd >= 0, "/proc/allocinfo");
	read_all(fd, t);
	close(fd);
}

static void save(const char *out, const char *name, const struct text *t)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", out, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	check(fd >= 0 && write(fd, t->data, t->len) == (ssize_t)t->len && !close(fd), path);
}

static int open_in(const char *profile, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", profile, name);
	fd = open(path, O_RDWR);
	check(fd >= 0, path);
	return fd;
}

static void no_limit(int resource, rlim_t value)
{
	struct rlimit limit = { value, value };

	check(!setrlimit(resource, &limit), "limit");
}

int main(int argc, char **argv)
{
	int enable, table;

	n = argc == 5 ? atoi(argv[1]) : 0;
	if (n <= 0 || n > 1 << 16) {
		fprintf(stderr, "usage: kernhold N DIR PROFILE OUT\n");
		return 2;
	}
	dir = argv[2];
	no_limit(RLIMIT_NOFILE, 1 << 17);
	no_limit(RLIMIT_SIGPENDING, RLIM_INFINITY);
	memset(off.data, 1, sizeof(off.data));
	memset(before.data, 1, sizeof(before.data));
	memset(after.data, 1, sizeof(after.data));
	memset(top.data, 1, sizeof(top.data));
	enable = open_in(argv[3], "enable");
	table = open_in(argv[3], "top");

	usleep(SETTLE_USECS);
	read_allocinfo(&off);
	check(write(enable, "1", 1) == 1, "enable");
	usleep(SETTLE_USECS);
	check(write(table, "reset", 5) == 5, "reset");
	read_allocinfo(&before);

	processes();
	files();
	directories();
	pipes();
	connections();
	events();
	messages();
	mappings(n);
	usleep(SETTLE_USECS);

	read_allocinfo(&after);
	read_all(table, &top);
	save(argv[4], "off", &off);
	save(argv[4], "before", &before);
	save(argv[4], "after", &after);
	save(argv[4], "top", &top);
	release();
	return 0;
}
