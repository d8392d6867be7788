/* SPDX-License-Identifier: GPL-2.0 */
/* A whole server for tests, with a module that is files in a folder, and clients of it. */
#ifndef SERVE_UTIL_H
#define SERVE_UTIL_H

#include "tests/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/listen.h"
#include "lib/opener.h"
#include "lib/options.h"
#include "lib/serve_http.h"

#define CONNECTIONS 32

static char dir[] = "/tmp/quarry-serve.XXXXXX";
static struct q_address address;
static unsigned int connections = CONNECTIONS; /* of the next server */

/* --- The module --- */

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f || fputs(text, f) < 0 || fclose(f)) {
		perror(path);
		exit(1);
	}
}

static void make(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (mkdir(path, 0755) && errno != EEXIST) {
		perror(path);
		exit(1);
	}
}

static void make_module(void)
{
	static const char *const domain[] = { "slab", "pages", "percpu", "vmalloc" };
	char name[64];

	if (!mkdtemp(dir))
		exit(1);
	make("caches");
	make("kernel");
	put("stats", "sys_bytes 4096\nmallocs 17\n");
	put("caches/table", "#name id size inuse_bytes live_objs cached mallocs\n"
			    "malloc-8 1 8 4096 3 4 17\n");
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "kernel/%s", domain[i]);
		make(name);
		snprintf(name, sizeof(name), "kernel/%s/stats", domain[i]);
		put(name, "enabled 0\nsamples 0\n");
	}
	/* What the opener is asked for is below this folder, and here. */
	q_options.debugfs = dir;
	q_options.device = "/dev/null";
}

static inline void remove_module(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ok(!system(command), "the folder is removed");
}

/* --- The server --- */

static inline void nothing(void)
{
}

static inline pid_t start(const struct q_token *token)
{
	static const char any[] = "127.0.0.1:0";
	struct q_opener opener;
	struct q_server s = { .local = true,
			      .token = token,
			      .connections = connections,
			      .profiles = 2,
			      .opener = &opener };
	pid_t pid;

	q_address_parse(&address, any);
	s.listen = q_address_listen(&address);
	fflush(stdout);
	pid = fork();
	if (pid) {
		close(s.listen);
		return pid;
	}
	/* No server is left of a test that is killed. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (q_opener_start(&opener, getuid() ?: 65534, getgid() ?: 65534))
		_exit(1);
	/* exit() and not _exit(), so that leaks are found. */
	exit(q_server_run(&s, nothing));
}

static inline void stop(pid_t pid)
{
	int status = -1;

	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	same(status, 0, "the server ends without an error and without a leak");
}

/* --- Clients --- */

static inline int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address.store, address.size)) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static inline void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return; /* The server may have had enough. */
}

/* All that comes until the end, as text, for 10 s at most.  -1: nothing ended. */
static inline int hear(int fd, char *buf, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t used = 0;
	ssize_t n = 1;

	while (n > 0 && used < size - 1 && poll(&p, 1, 10000) > 0) {
		n = recv(fd, buf + used, size - 1 - used, 0);
		used += n > 0 ? (size_t)n : 0;
	}
	buf[used] = '\0';
	return n > 0 ? -1 : (int)used;
}

static char answer[1 << 20];

static inline void get(const char *head, const char *want, const char *what)
{
	int fd = dial();

	say(fd, head);
	hear(fd, answer, sizeof(answer));
	close(fd);
	ok(strstr(answer, want) != NULL, what);
	if (!strstr(answer, want))
		printf("# got %.300s\n", answer);
}

#define ASK(path, more)                                                                            \
	"GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" more "\r\n"

#endif
