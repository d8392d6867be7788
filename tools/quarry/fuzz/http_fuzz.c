// SPDX-License-Identifier: GPL-2.0
/*
 * A whole server, and one client that sends the input and hears the answer.  The module's files are
 * in memory, and ioctl() is a function here that does what the module would.
 */
#include "fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/device.h"
#include "lib/listen.h"
#include "lib/opener.h"
#include "lib/serve_http.h"

static char device[64], stats[64], caches[64], domain[64];
static struct q_address address;
static struct q_opener opener;
static struct q_server server = { .local = true,
				  .connections = 8,
				  .profiles = 2,
				  .opener = &opener };

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case QUARRY_IOC_SNAPSHOT:
	case QUARRY_IOC_DELTA:
		((struct quarry_dev_snapshot *)arg)->size = 1000;
		return 0;
	case QUARRY_IOC_MARK:
		return 0;
	case QUARRY_IOC_DOMAIN:
		((struct quarry_dev_domain *)arg)->enabled =
			((struct quarry_dev_domain *)arg)->domain == QUARRY_DEV_DOMAIN_SLAB;
		return 0;
	default:
		return (int)syscall(SYS_ioctl, fd, request, arg);
	}
}

/* In place of lib/opener.c, which has a process of its own. */
int q_opener_ask(struct q_opener *o, enum q_file file)
{
	const char *path = file == Q_FILE_DEVICE ? device :
			   file == Q_FILE_STATS	 ? stats :
			   file == Q_FILE_CACHES ? caches :
						   domain;
	int fd;

	(void)o;
	if (file == Q_FILE_DRAIN)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static pthread_barrier_t ready;

static void is_ready(void)
{
	pthread_barrier_wait(&ready);
}

static void *serve(void *arg)
{
	(void)arg;
	expect(!q_server_run(&server, is_ready));
	return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char text[] = "sys_bytes 4096\nmallocs 17\n";
	static const char table[] = "#name id size inuse_bytes live_objs cached mallocs\n"
				    "malloc-8 1 8 4096 3 4 17\n";
	static const char bytes[2000];
	static pthread_t thread;
	int pair[2];

	(void)argc;
	(void)argv;
	fuzz_file(device, bytes, sizeof(bytes));
	fuzz_file(stats, text, strlen(text));
	fuzz_file(caches, table, strlen(table));
	fuzz_file(domain, "enabled 1\nsamples 3\n", 20);
	expect(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	opener.socket = pair[0];
	expect(!q_address_parse(&address, "127.0.0.1:0"));
	server.listen = q_address_listen(&address);
	expect(server.listen >= 0);
	pthread_barrier_init(&ready, NULL, 2);
	expect(!pthread_create(&thread, NULL, serve, NULL));
	pthread_barrier_wait(&ready);
	return 0;
}

/* libFuzzer's timer may interrupt connect(), and ports may have to be waited for. */
static int dial(void)
{
	for (int tries = 0; tries < 3000; tries++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		expect(fd >= 0);
		if (!connect(fd, (struct sockaddr *)&address.store, address.size))
			return fd;
		close(fd);
		usleep(10000);
	}
	expect(!"the server takes clients");
	return -1;
}

/*
 * Waits for the server to answer or to close, but not for long: a request that is not complete is
 * given up by closing.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = dial();
	const struct linger hard = { 1, 0 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char answer[65536];

	/* A request that is given up is not to be served later. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	if (send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size) {
		if (memmem(data, size, "\r\n\r\n", 4))
			poll(&p, 1, 10);
		shutdown(fd, SHUT_WR);
		while (poll(&p, 1, 2) > 0 && recv(fd, answer, sizeof(answer), 0) > 0)
			;
	}
	close(fd);
	return 0;
}
