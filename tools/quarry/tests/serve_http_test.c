// SPDX-License-Identifier: GPL-2.0
/*
 * The pages of a whole server, and that slow and hostile clients do not keep others from them.
 * serve_profile_test.c has profiles.
 */
#include "tests/serve_util.h"

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

/* More clients than there is room for ask and go at once.  The server must not wait for a timer. */
static void burst(void)
{
	const struct linger hard = { 1, 0 };
	int fd[24];
	pid_t pid;

	connections = 8;
	pid = start(NULL);
	for (int round = 0; round < 60; round++) {
		kill(pid, SIGSTOP);
		for (int i = 0; i < 24; i++) {
			fd[i] = dial();
			setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
			say(fd[i], i % 2 ? "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" :
					   "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
		}
		if (round == 1)
			kill(pid, SIGCONT);
		for (int i = 0; i < 24; i++)
			close(fd[i]);
		kill(pid, SIGCONT);
		get(ASK("/metrics", ""), "HTTP/1.1 200", "a client after a crowd that has gone");
	}
	stop(pid);
	connections = CONNECTIONS;
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
	burst();
	with_token();
	remove_module();
	return tap_end();
}
