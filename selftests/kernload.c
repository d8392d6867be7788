// SPDX-License-Identifier: GPL-2.0
/*
 * A load for the kernel's own allocators:
 *
 *   kernload ROUNDS DIR
 *
 * In each round, files of DIR are created, written, renamed and removed; pipes, pairs of sockets, a
 * connection over the loopback device, an epoll set and a timer come and go; and a child process
 * runs and ends.  Nothing that a round made is left when it ends.  A kernel without a network has
 * the rest of it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES 8
#define BYTES 3000

static char bytes[BYTES];
static int network; /* the kernel has sockets */

static void check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void files(const char *dir)
{
	char path[256], to[256];
	int i, fd;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/%d.a name that a dentry does not hold", dir, i);
		snprintf(to, sizeof(to), "%s/%d", dir, i);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		check(fd >= 0 && write(fd, bytes, BYTES) == BYTES, path);
		close(fd);
		check(!rename(path, to) && !unlink(to), to);
	}
}

static void exchange(int a, int b)
{
	check(write(a, bytes, BYTES) == BYTES && read(b, bytes, BYTES) > 0, "exchange");
	close(a);
	close(b);
}

static void pipes(void)
{
	int fds[2];

	check(!pipe(fds), "pipe");
	exchange(fds[1], fds[0]);
	if (!network)
		return;
	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	exchange(fds[0], fds[1]);
	check(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), "socketpair");
	exchange(fds[0], fds[1]);
}

static void loopback(int listener, const struct sockaddr_in *addr)
{
	int from = socket(AF_INET, SOCK_STREAM, 0), to;
	struct linger now = { .l_onoff = 1 };

	check(from >= 0 && !connect(from, (const void *)addr, sizeof(*addr)), "connect");
	to = accept(listener, NULL, NULL);
	check(to >= 0, "accept");
	/* Leave no socket behind that waits for packets that may be late. */
	check(!setsockopt(from, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), "linger");
	exchange(from, to);
}

static void events(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0),
	    count = eventfd(0, 0);

	check(set >= 0 && count >= 0, "events");
	check(!epoll_ctl(set, EPOLL_CTL_ADD, count, &event), "count");
	if (timer >= 0 || network) {
		check(timer >= 0 && !epoll_ctl(set, EPOLL_CTL_ADD, timer, &event), "timer");
		close(timer);
	}
	close(count);
	close(set);
}

static void processes(void)
{
	int status;
	pid_t pid = fork();

	check(pid >= 0, "fork");
	if (!pid) {
		void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p != MAP_FAILED)
			memset(p, 1, 65536);
		_exit(p == MAP_FAILED);
	}
	check(waitpid(pid, &status, 0) == pid && !status, "child");
}

/* A socket that listens on the loopback device, which is switched on; -1 without a network. */
static int listen_on(struct sockaddr_in *addr)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*addr);

	if (fd < 0 && access("/proc/net", F_OK))
		return -1;
	check(fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &lo), "lo");
	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(!bind(fd, (void *)addr, len) && !listen(fd, 8), "listen");
	check(!getsockname(fd, (void *)addr, &len), "getsockname");
	return fd;
}

int main(int argc, char **argv)
{
	int rounds = argc == 3 ? atoi(argv[1]) : 0, listener;
	struct sockaddr_in addr;

	if (rounds <= 0) {
		fprintf(stderr, "usage: kernload ROUNDS DIR\n");
		return 2;
	}
	listener = listen_on(&addr);
	network = listener >= 0;
	while (rounds--) {
		files(argv[2]);
		pipes();
		if (network)
			loopback(listener, &addr);
		events();
		processes();
	}
	return 0;
}
