// SPDX-License-Identifier: GPL-2.0
/*
 * Clients of "quarry serve" that behave badly, and one that measures what others notice of them.
 *
 *   sloppy PORT good PATH N        N requests in turns: the slowest and the median, in ms
 *   sloppy PORT bad KIND N SECS    N clients of a kind at the same time, for so many seconds:
 *                                    silent    say nothing
 *                                    half      send half a request, a byte a second
 *                                    slow      ask for the heap as text, read 100 bytes a second
 *                                    big       send 10 MB of headers
 *                                    storm     ask for all kinds of profiles, again and again
 *                                    mixed     the first four in turns
 *   sloppy PORT crowd PATH N AT_ONCE PID
 *       N mixed bad clients or more, AT_ONCE at the same time.  A good client asks for PATH in
 *       turns among them and when they have gone, and the means of both are printed: in us, and in
 *       us that a processor worked meanwhile for the server, which is the process PID
 *   sloppy PORT gone N             N clients ask for a delta of 600 s, and go away
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BIG   (10 << 20)
#define TURNS 20 /* of a good client, between two changes of a crowd */

static struct sockaddr_in to = { .sin_family = AF_INET };

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

	/* What the kernel stores for a client that does not read is little. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void ask(int fd, const char *path)
{
	char head[256];
	int len = snprintf(head, sizeof(head),
			   "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);

	if (send(fd, head, len, MSG_NOSIGNAL) < 0)
		return; /* It is seen when the answer is missing. */
}

/* --- A good client --- */

enum { FAILED = -1, BUSY = -2 };

/* Microseconds; BUSY if the server said that it has too much to do, FAILED at another answer. */
static long long fetch(const char *path)
{
	long long begin = now_us(), us = FAILED;
	char buf[65536], status[16] = "none";
	bool first = true;
	int fd = dial();
	ssize_t n = -1;

	if (fd >= 0) {
		ask(fd, path);
		while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
			if (first)
				snprintf(status, sizeof(status), "%.12s", buf);
			first = false;
		}
	}
	if (!n && !strcmp(status, "HTTP/1.1 200"))
		us = now_us() - begin;
	else if (!n && !strcmp(status, "HTTP/1.1 503"))
		us = BUSY;
	else
		printf("# %s after %lld us: %s, the answer begins with: %s\n", path,
		       now_us() - begin, n ? strerror(errno) : "ended", status);
	if (fd >= 0)
		close(fd);
	return us;
}

static int by_size(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return x < y ? -1 : x > y;
}

static int good(const char *path, int nr)
{
	long long *us = calloc(nr, sizeof(*us));
	int failed = 0, i;

	for (i = 0; i < nr; i++) {
		us[i] = fetch(path);
		failed += us[i] < 0;
	}
	qsort(us, nr, sizeof(*us), by_size);
	printf("failed %d\nmedian_ms %lld\nslowest_ms %lld\n", failed, us[nr / 2] / 1000,
	       us[nr - 1] / 1000);
	return failed != 0;
}

/* --- Bad ones --- */

enum kind { SILENT, HALF, SLOW, HUGE_HEAD, STORM, KINDS };

static const char *const kinds[KINDS] = { "silent", "half", "slow", "big", "storm" };

static const char *const storm[] = {
	"/debug/pprof/heap",
	"/debug/pprof/allocs?debug=1",
	"/debug/pprof/heap?gc=1",
	"/debug/pprof/lifetime",
	"/debug/pprof/heap?domain=slab",
	"/debug/pprof/heap?seconds=600",
	"/debug/pprof/peak?debug=1",
	"/debug/pprof/fragmentation",
	"/metrics",
	"/nix",
};

struct bad {
	enum kind kind;
	int fd;
	size_t sent;
	unsigned int round;
};

static void begin(struct bad *b)
{
	b->fd = dial();
	b->sent = 0;
	if (b->fd >= 0 && b->kind == SLOW)
		ask(b->fd, "/debug/pprof/heap?debug=1");
	if (b->fd >= 0 && b->kind == STORM)
		ask(b->fd, storm[b->round++ % (sizeof(storm) / sizeof(*storm))]);
	if (b->fd >= 0 && b->kind == HUGE_HEAD)
		send(b->fd, "GET / HTTP/1.1\r\nX: ", 19, MSG_NOSIGNAL);
}

/* It does what it does; if the server has closed the connection, it comes again. */
static void act(struct bad *b, bool second)
{
	static const char half[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Long: ";
	static char many[16384];
	char buf[16384];
	ssize_t n = 1;

	if (b->fd < 0) {
		begin(b);
		return;
	}
	if (b->kind == HALF && second)
		n = send(b->fd, b->sent < sizeof(half) - 1 ? half + b->sent : "x", 1,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (b->kind == HUGE_HEAD) {
		if (!*many)
			memset(many, 'x', sizeof(many));
		n = send(b->fd, many, sizeof(many), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0 && b->sent + n > BIG)
			n = 0;
	}
	if (n > 0)
		b->sent += n;
	if (n > 0 && (b->kind != SLOW || second))
		n = recv(b->fd, buf, b->kind == SLOW ? 100 : sizeof(buf), MSG_DONTWAIT);
	if (!n || (n < 0 && errno != EAGAIN)) {
		close(b->fd);
		b->fd = -1;
	}
}

static struct bad *make_bad(int kind, int nr)
{
	struct bad *all = calloc(nr, sizeof(*all));

	for (int i = 0; i < nr; i++) {
		all[i].kind = kind < KINDS ? kind : i % STORM;
		all[i].round = i;
		all[i].fd = -1;
	}
	return all;
}

static int bad(const char *name, int nr, int seconds)
{
	long long end = now_us() + seconds * 1000000LL, tick = 0;
	struct bad *all;
	int i, kind;

	for (kind = 0; kind < KINDS && strcmp(kinds[kind], name); kind++)
		;
	all = make_bad(kind, nr);
	for (i = 0; i < nr; i++)
		begin(&all[i]);
	printf("all %d are there\n", nr);
	fflush(stdout);
	while (now_us() < end) {
		bool second = now_us() >= tick;

		if (second)
			tick = now_us() + 1000000;
		for (i = 0; i < nr; i++)
			act(&all[i], second);
		/* 200 clients of one process must not be the load of the machine. */
		poll(NULL, 0, 50);
	}
	return 0;
}

/* --- A crowd that comes and goes --- */

/*
 * A process of its own.  At a byte from @fd the whole crowd comes, and at the next one it goes.  It
 * answers with a byte when all have said something, and with a number when all have gone.
 */
static void be_crowd(int fd, int nr)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct bad *all = make_bad(KINDS, nr);
	int begun = 0;
	char c;

	while (read(fd, &c, 1) == 1) {
		long long tick = 0;
		bool ready = false;

		do {
			bool second = now_us() >= tick;

			if (second)
				tick = now_us() + 1000000;
			for (int i = 0; i < nr; i++) {
				if (all[i].fd < 0) {
					begin(&all[i]);
					begun += all[i].fd >= 0;
				}
				act(&all[i], second);
			}
			if (!ready && write(fd, "", 1) != 1)
				_exit(1);
			ready = true;
		} while (!poll(&p, 1, 50));
		if (read(fd, &c, 1) != 1)
			break;
		for (int i = 0; i < nr; i++) {
			if (all[i].fd >= 0)
				close(all[i].fd);
			all[i].fd = -1;
		}
		if (write(fd, &begun, sizeof(begun)) != sizeof(begun))
			_exit(1);
	}
	_exit(0);
}

static long long clock_us(clockid_t clock)
{
	struct timespec t = { 0 };

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* Among others and alone, a good client's requests have the same machine: they take turns. */
static int crowd(const char *path, int nr, int at_once, int pid)
{
	enum { AMONG, ALONE, WAYS };
	static const char *const ways[WAYS] = { "among", "alone" };
	int rounds = (nr + at_once - 1) / at_once, failed = 0, busy = 0, begun = 0, pair[2];
	long long *us[WAYS], *work[WAYS];
	clockid_t clock;
	pid_t child;
	char c;

	if (clock_getcpuclockid(pid, &clock) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 2;
	child = fork();
	if (!child) {
		close(pair[0]);
		be_crowd(pair[1], at_once);
	}
	close(pair[1]);
	for (int w = 0; w < WAYS; w++) {
		us[w] = calloc(rounds * TURNS, sizeof(*us[w]));
		work[w] = calloc(rounds * TURNS, sizeof(*work[w]));
	}
	fetch(path);
	for (int i = 0; i < rounds * TURNS * WAYS; i++) {
		int w = i / TURNS % WAYS, at = i / TURNS / WAYS * TURNS + i % TURNS;
		long long before;

		if (!(i % TURNS) && write(pair[0], "", 1) != 1)
			return 3;
		if (!(i % TURNS) &&
		    (w == AMONG ? read(pair[0], &c, 1) != 1 :
				  read(pair[0], &begun, sizeof(begun)) != sizeof(begun)))
			return 3;
		/* A second for a turn, in which the crowd does what it does. */
		poll(NULL, 0, 1000 / TURNS);
		before = clock_us(clock);
		us[w][at] = fetch(path);
		work[w][at] = clock_us(clock) - before;
		failed += us[w][at] == FAILED;
		busy += us[w][at] == BUSY;
	}
	close(pair[0]);
	waitpid(child, NULL, 0);
	printf("clients %d\nfailed %d\nbusy %d\n", begun, failed, busy);
	for (int w = 0; w < WAYS; w++) {
		long long sum = 0, worked = 0;
		int n = rounds * TURNS;

		for (int i = 0; i < n; i++) {
			sum += us[w][i];
			worked += work[w][i];
		}
		qsort(us[w], n, sizeof(*us[w]), by_size);
		printf("%s_us %lld\n%s_median_us %lld\n%s_slowest_us %lld\n%s_work_us %lld\n",
		       ways[w], sum / n, ways[w], us[w][n / 2], ways[w], us[w][n - 1], ways[w],
		       worked / n);
	}
	return failed || busy;
}

static int gone(int nr)
{
	int *fd = calloc(nr, sizeof(*fd)), i;
	char c;

	for (i = 0; i < nr; i++) {
		fd[i] = dial();
		if (fd[i] < 0)
			return 1;
		ask(fd[i], "/debug/pprof/heap?seconds=600");
	}
	/* None has an answer yet: the server has begun with all, or it would refuse at once. */
	for (i = 0; i < nr; i++) {
		struct pollfd p = { .fd = fd[i], .events = POLLIN };

		if (poll(&p, 1, 1000) > 0 && recv(fd[i], &c, 1, 0) > 0)
			return 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	to.sin_port = htons(atoi(argv[1]));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!strcmp(argv[2], "good") && argc == 5)
		return good(argv[3], atoi(argv[4]));
	if (!strcmp(argv[2], "bad") && argc == 6)
		return bad(argv[3], atoi(argv[4]), atoi(argv[5]));
	if (!strcmp(argv[2], "crowd") && argc == 7 && atoi(argv[5]) > 0)
		return crowd(argv[3], atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
	if (!strcmp(argv[2], "gone"))
		return gone(atoi(argv[3]));
	return 2;
}
