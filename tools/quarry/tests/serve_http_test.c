// SPDX-License-Identifier: GPL-2.0
/*
 * A whole server with a module that is files in a folder: what clients get, and that slow and
 * hostile ones do not keep others from it.  Profiles need a module; selftests/serve.sh takes them.
 */
#include "tests/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
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

static void remove_module(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ok(!system(command), "the folder is removed");
}

/* --- The server --- */

static void nothing(void)
{
}

static pid_t start(const struct q_token *token)
{
	static const char any[] = "127.0.0.1:0";
	struct q_opener opener;
	struct q_server s = { .local = true,
			      .token = token,
			      .connections = CONNECTIONS,
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
	if (q_opener_start(&opener, getuid() ?: 65534, getgid() ?: 65534))
		_exit(1);
	/* exit() and not _exit(), so that leaks are found. */
	exit(q_server_run(&s, nothing));
}

static void stop(pid_t pid)
{
	int status = -1;

	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	same(status, 0, "the server ends without an error and without a leak");
}

/* --- Clients --- */

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address.store, address.size)) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return; /* The server may have had enough. */
}

/* All that comes until the end, as text, for 10 s at most.  -1: nothing ended. */
static int hear(int fd, char *buf, size_t size)
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

static void get(const char *head, const char *want, const char *what)
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

static void pages(void)
{
	get(ASK("/", ""), "HTTP/1.1 200", "the index");
	ok(strstr(answer, "text/html") && strstr(answer, "/debug/pprof/heap"),
	   "is a page with links");
	get(ASK("/debug/pprof/", ""), "HTTP/1.1 200", "the index of profiles");
	get(ASK("/metrics", ""), "\r\n\r\n# TYPE quarry_sys_bytes gauge\n", "metrics");
	ok(strstr(answer, "Content-Type: text/plain; version=0.0.4") != NULL, "as text");
	ok(strstr(answer, "\nquarry_mallocs_total 17\n") != NULL, "with the module's numbers");
	get(ASK("/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n"),
	    "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8",
	    "OpenMetrics");
	ok(!strcmp(answer + strlen(answer) - 6, "# EOF\n"), "has its end mark");
	get("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	    "HTTP/1.1 200", "HEAD");
	ok(!strstr(answer, "quarry_"), "has no content");
	get(ASK("/nix", ""), "HTTP/1.1 404", "no such page");
	get(ASK("/debug/pprof/heap?seconds=0", ""), "HTTP/1.1 400", "a bad argument");
	ok(strstr(answer, "seconds takes 1 to 600") != NULL, "and what is wrong with it");
	get(ASK("/debug/pprof/heap", ""), "HTTP/1.1 503", "no module");
	ok(strstr(answer, "Retry-After: ") != NULL, "and when to try again");
	get("POST /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	    "HTTP/1.1 405", "POST");
	get("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\nx",
	    "HTTP/1.1 413", "a body");
	get("POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "HTTP/1.1 413", "a body of unknown length");
	get("GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
	    "HTTP/1.1 403", "a name that is not this machine's");
	get(ASK("/metrics", "Sec-Fetch-Site: cross-site\r\n"), "HTTP/1.1 403",
	    "another site's page");
	get(ASK("/metrics", "Sec-Fetch-Site: same-origin\r\n"), "HTTP/1.1 200", "our own page");
}

/* The module goes and comes back, and the server stays. */
static void reload(void)
{
	char path[256], hidden[300];

	snprintf(path, sizeof(path), "%s/stats", dir);
	snprintf(hidden, sizeof(hidden), "%s.hidden", path);
	ok(!rename(path, hidden), "the module is unloaded");
	get(ASK("/metrics", ""), "HTTP/1.1 503", "then there are no metrics");
	ok(strstr(answer, "modprobe quarry") != NULL, "and a sentence says why");
	ok(!rename(hidden, path), "it is loaded again");
	get(ASK("/metrics", ""), "HTTP/1.1 200", "and there are again");
}

/* More clients than there is room for say nothing, half a request, or too much. */
static void hostile(void)
{
	static char big[256];
	int fd[4 * CONNECTIONS];
	size_t sent = 0;

	memset(big, 'x', sizeof(big) - 1);
	for (int i = 0; i < 4 * CONNECTIONS; i++) {
		fd[i] = dial();
		if (i % 4 == 1)
			say(fd[i], "GET /metr");
		if (i % 4 == 2)
			say(fd[i], ASK("/metrics", "")); /* and does not read */
		if (i % 4 == 3)
			say(fd[i], "GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
		if (i % 16 == 0)
			get(ASK("/metrics", ""), "HTTP/1.1 200", "a good client meanwhile");
	}
	get(ASK("/metrics", ""), "HTTP/1.1 200", "a good client afterwards");
	for (int i = 0; i < 4 * CONNECTIONS; i++)
		close(fd[i]);

	fd[0] = dial();
	say(fd[0], "GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
	while (sent < 10 << 20) {
		ssize_t n = send(fd[0], big, sizeof(big) - 1, MSG_NOSIGNAL);

		if (n < 0)
			break;
		sent += (size_t)n;
	}
	ok(sent < 10 << 20, "10 MB of headers are not taken");
	close(fd[0]);
	get(ASK("/", ""), "HTTP/1.1 200", "a good client after that");
	get("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "", "bytes that are no HTTP");
	get("GET  HTTP/9.9\r\n\r\n", "", "a line that is no request");
	get(ASK("/metrics", ""), "HTTP/1.1 200", "a good client at the end");
}

static void with_token(void)
{
	struct q_token token;
	pid_t pid;

	q_token_parse(&token, "t0ken", 5);
	pid = start(&token);
	get(ASK("/metrics", ""), "HTTP/1.1 401", "no token");
	ok(strstr(answer, "WWW-Authenticate: Bearer") != NULL, "the scheme");
	ok(!strstr(answer, "quarry_"), "and nothing of the module");
	get(ASK("/nix", ""), "HTTP/1.1 401", "no token, whatever the page");
	get(ASK("/metrics", "Authorization: Bearer t0kem\r\n"), "HTTP/1.1 401", "a wrong token");
	get(ASK("/metrics", "Authorization: Bearer t0ken\r\n"), "HTTP/1.1 200", "the token");
	get("GET / HTTP/1.1\r\nHost: metrics.example\r\nConnection: close\r\n"
	    "Authorization: Bearer t0ken\r\n\r\n",
	    "HTTP/1.1 200", "with a token any name of the machine will do");
	stop(pid);
}

int main(void)
{
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	make_module();
	pid = start(NULL);
	pages();
	reload();
	hostile();
	stop(pid);
	with_token();
	remove_module();
	return tap_end();
}
