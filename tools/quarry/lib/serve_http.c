// SPDX-License-Identifier: GPL-2.0
#include "lib/serve_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "lib/problem.h"
#include "lib/serve_client.h"
#include "lib/serve_jobs.h"
#include "lib/serve_live.h"

/**
 * struct server - a server that runs
 * @set: how to serve
 * @daemon: libmicrohttpd's part
 * @jobs: the work
 * @clients: the connections
 * @numbers: what it counts
 */
struct server {
	const struct q_server *set;
	struct MHD_Daemon *daemon;
	struct q_jobs *jobs;
	struct q_clients clients;
	struct q_serve_numbers numbers;
};

/* --- Answers --- */

static void count(struct server *s, int status)
{
	for (unsigned int i = 0; i < Q_STATUSES; i++) {
		if (s->numbers.status[i] && s->numbers.status[i] != status)
			continue;
		s->numbers.status[i] = status;
		s->numbers.answers[i]++;
		return;
	}
}

/* libmicrohttpd has sent the content to all who get it.  It is freed by its start. */
static void content_free(void *content)
{
	struct q_answer *a = content;

	q_answer_free(a);
	free(a);
}

/* The answer belongs to the response afterwards. */
static struct MHD_Response *make_response(struct q_answer *from)
{
	struct q_answer *a = malloc(sizeof(*a));
	struct MHD_Response *r = NULL;
	const char *policy = from->policy;
	char seconds[16];

	if (a) {
		*a = *from;
		*from = (struct q_answer){ 0 };
		r = MHD_create_response_from_buffer_with_free_callback_cls(a->size, a->data,
									   content_free, a);
		if (!r)
			content_free(a);
	}
	if (!r)
		return NULL;
	MHD_add_response_header(r, "Content-Type", a->type);
	if (a->gzip)
		MHD_add_response_header(r, "Content-Disposition",
					"attachment; filename=\"quarry.pb.gz\"");
	if (a->retry) {
		snprintf(seconds, sizeof(seconds), "%u", a->retry);
		MHD_add_response_header(r, "Retry-After", seconds);
	}
	if (a->status == 401)
		MHD_add_response_header(r, "WWW-Authenticate", "Bearer realm=\"quarry\"");
	if (a->status == 405)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	if (a->status == 413)
		MHD_add_response_header(r, "Connection", "close");
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(r, "Content-Security-Policy",
				policy ?: "default-src 'none'; style-src 'unsafe-inline'");
	return r;
}

/* Give @r to a client that is not suspended. */
static enum MHD_Result reply(struct server *s, struct q_client *c, int status, size_t size,
			     struct MHD_Response *r)
{
	count(s, status);
	q_client_phase(c, Q_READS, q_jobs_now(), Q_READ_TIME + (int64_t)(size / Q_READ_RATE));
	return MHD_queue_response(c->connection, (unsigned int)status, r);
}

static enum MHD_Result reply_now(struct server *s, struct q_client *c, struct q_answer *a)
{
	int status = a->status;
	size_t size = a->size;
	struct MHD_Response *r = make_response(a);
	enum MHD_Result ok = MHD_NO;

	if (r) {
		ok = reply(s, c, status, size, r);
		MHD_destroy_response(r);
	}
	return ok;
}

static enum MHD_Result reply_text(struct server *s, struct q_client *c, int status,
				  const char *text)
{
	struct q_answer a;

	q_answer_text(&a, status, text);
	return reply_now(s, c, &a);
}

/**
 * struct shared - the answer of a job, for all of its clients
 * @response: libmicrohttpd's
 * @status: of HTTP
 * @size: bytes
 */
struct shared {
	struct MHD_Response *response;
	int status;
	size_t size;
};

/* The client does not need its job any more. */
static void put_job(struct server *s, struct q_client *c)
{
	struct q_job *job = c->job;

	c->job = NULL;
	if (job && job->clients == 1 && job->user) {
		struct shared *shared = job->user;

		if (shared->response)
			MHD_destroy_response(shared->response);
		free(shared);
	}
	if (job)
		q_jobs_put(s->jobs, job);
}

static enum MHD_Result reply_job(struct server *s, struct q_client *c)
{
	struct shared *shared = c->job->user;
	enum MHD_Result ok = MHD_NO;

	if (shared && shared->response)
		ok = reply(s, c, shared->status, shared->size, shared->response);
	put_job(s, c);
	return ok;
}

/* --- Requests --- */

static const char *header(struct q_client *c, const char *name)
{
	return MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, name);
}

/* What the request may not be, whatever it asks for.  True: it has its answer. */
static bool is_refused(struct server *s, struct q_client *c, enum MHD_Result *result)
{
	const char *host = header(c, "Host"), *site = header(c, "Sec-Fetch-Site");

	/* The live page is the same everywhere; it asks for the token, and the views need it. */
	if (s->set->token && strcmp(c->target, "/live") &&
	    !q_token_allows(s->set->token, header(c, "Authorization"))) {
		*result = reply_text(s, c, 401, "This server wants a token.");
		return true;
	}
	if (s->set->token)
		return false;
	/* A browser of this machine can be made to ask by any page of the Internet. */
	if (s->set->local && host && !q_host_is_local(host)) {
		*result = reply_text(s, c, 403,
				     "Ask for \"localhost\" or for an address, not for a name.");
		return true;
	}
	if (site && !strcmp(site, "cross-site")) {
		*result = reply_text(s, c, 403, "No other site may ask.");
		return true;
	}
	return false;
}

static enum MHD_Result start(struct server *s, struct q_client *c, const char *method)
{
	struct q_serve_numbers numbers;
	char why[Q_WHY_LEN];
	enum MHD_Result result;
	struct q_request r;
	struct q_answer a;
	int status;

	if (is_refused(s, c, &result))
		return result;
	if (c->too_long)
		return reply_text(s, c, 414, "That is longer than any page's name.");
	status = q_request_parse(&r, method, c->target, why);
	if (status != 200)
		return reply_text(s, c, status, why);
	if (r.endpoint == Q_INDEX) {
		q_answer_index(&a);
		return reply_now(s, c, &a);
	}
	if (r.endpoint == Q_LIVE) {
		q_answer_live_page(&a);
		return reply_now(s, c, &a);
	}
	r.openmetrics = r.endpoint == Q_METRICS && q_accepts_openmetrics(header(c, "Accept"));
	numbers = s->numbers;
	numbers.connections = s->clients.nr;
	numbers.profiles = q_jobs_profiles(s->jobs);
	numbers.held_bytes = q_held();
	c->job = q_jobs_get(s->jobs, &r, &numbers);
	if (!c->job)
		return reply_text(s, c, 503, "Too many profiles are being taken; try again.");
	q_client_phase(c, Q_WAITS, q_jobs_now(), 0);
	MHD_suspend_connection(c->connection);
	return MHD_YES;
}

/* libmicrohttpd calls this when the head of a request is there, when all of it is, and later again. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **con_cls)
{
	struct server *s = cls;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct q_client *c = info ? info->socket_context : NULL;
	const char *length;

	(void)url;
	(void)version;
	(void)data;
	if (!c)
		return MHD_NO;
	c->connection = connection;
	if (!*con_cls) {
		*con_cls = c;
		length = header(c, "Content-Length");
		/* Nothing here has a body, so none is read. */
		if (header(c, "Transfer-Encoding") || (length && strcmp(length, "0")))
			return reply_text(s, c, 413, "No page takes a body.");
		return MHD_YES;
	}
	if (*size) {
		*size = 0;
		return MHD_YES;
	}
	if (c->gone)
		return MHD_NO;
	if (c->job && c->job->done)
		return reply_job(s, c);
	return start(s, c, method);
}

/* The first line of a request is there. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct q_client *c = info ? info->socket_context : NULL;

	(void)cls;
	if (!c)
		return NULL;
	c->too_long = strlen(target) >= sizeof(c->target);
	snprintf(c->target, sizeof(c->target), "%s", target);
	if (c->phase == Q_IDLE)
		q_client_phase(c, Q_ASKS, q_jobs_now(), Q_HEAD_TIME);
	return NULL;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
			 enum MHD_RequestTerminationCode code)
{
	struct q_client *c = *con_cls;

	(void)connection;
	(void)code;
	*con_cls = NULL;
	if (!c)
		return;
	put_job(cls, c);
	q_client_phase(c, Q_IDLE, q_jobs_now(), Q_IDLE_TIME);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct server *s = cls;
	const union MHD_ConnectionInfo *info;
	struct q_client *c = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		*context = q_client_add(&s->clients, info->connect_fd, q_jobs_now());
	} else if (c) {
		put_job(s, c);
		q_client_remove(&s->clients, c);
		*context = NULL;
	}
}

/* --- The loop --- */

static void resume(struct q_client *c)
{
	/* It goes on in on_request(). */
	c->phase = Q_READS;
	MHD_resume_connection(c->connection);
}

/* Jobs that are done have their answers turned into responses, and their clients go on. */
static void collect(struct server *s)
{
	struct q_job *job;

	while ((job = q_jobs_collect(s->jobs))) {
		struct shared *shared = calloc(1, sizeof(*shared));

		if (shared) {
			shared->status = job->answer.status;
			shared->size = job->answer.size;
			shared->response = make_response(&job->answer);
		}
		job->user = shared;
		for (struct q_client *c = s->clients.first; c; c = c->next)
			if (c->job == job && c->phase == Q_WAITS)
				resume(c);
	}
}

/* A client that has gone does not wait any more, and nobody works for it. */
static void let_go(struct server *s, struct q_client *c)
{
	c->gone = true;
	put_job(s, c);
	resume(c);
}

enum { POLL_HTTP, POLL_JOBS, POLL_SIGNAL, POLL_OPENER, POLL_CLIENTS };

static int time_left(struct server *s, int64_t next)
{
	MHD_UNSIGNED_LONG_LONG ms;
	int64_t left = next ? next - q_jobs_now() : 60000;

	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES && (int64_t)ms < left)
		left = (int64_t)ms;
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* Returns when a signal has come, or the opener has ended. */
static int loop(struct server *s, int signals)
{
	int http = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	struct pollfd *fds = calloc(POLL_CLIENTS + s->clients.max, sizeof(*fds));
	struct q_client **who = calloc(s->clients.max, sizeof(*who));
	int status = Q_OK;
	bool was_full;

	if (!fds || !who) {
		free(fds);
		free(who);
		return q_problem(Q_FAILED, "out of memory");
	}
	fds[POLL_HTTP] = (struct pollfd){ .fd = http, .events = POLLIN };
	fds[POLL_JOBS] = (struct pollfd){ .fd = q_jobs_fd(s->jobs), .events = POLLIN };
	fds[POLL_SIGNAL] = (struct pollfd){ .fd = signals, .events = POLLIN };
	fds[POLL_OPENER] = (struct pollfd){ .fd = s->set->opener->socket, .events = POLLRDHUP };
	for (;;) {
		int64_t next = sooner(q_clients_reap(&s->clients, q_jobs_now()),
				      q_jobs_tick(s->jobs));
		unsigned int waiting = 0;

		/* Who does not read must not keep others from their answers. */
		if (q_held() > Q_ANSWERS_MAX / 2)
			q_clients_shut_reader(&s->clients, q_jobs_now());
		/* libmicrohttpd does not look at those who wait. */
		for (struct q_client *c = s->clients.first; c; c = c->next) {
			if (c->phase != Q_WAITS || waiting == s->clients.max)
				continue;
			fds[POLL_CLIENTS + waiting] = (struct pollfd){ .fd = c->fd,
								       .events = POLLRDHUP };
			who[waiting++] = c;
		}
		if (poll(fds, POLL_CLIENTS + waiting, time_left(s, next)) < 0 && errno != EINTR) {
			status = q_problem(Q_FAILED, "waiting: %s", strerror(errno));
			break;
		}
		if (fds[POLL_SIGNAL].revents)
			break;
		if (fds[POLL_OPENER].revents) {
			status = q_problem(Q_FAILED, "the process that opens files has ended");
			break;
		}
		for (unsigned int i = 0; i < waiting; i++)
			if (fds[POLL_CLIENTS + i].revents)
				let_go(s, who[i]);
		collect(s);
		was_full = s->clients.nr >= s->clients.max;
		MHD_run(s->daemon);
		/*
		 * Where there is no room libmicrohttpd does not watch for new clients.  It watches
		 * again when it runs after there is, and nothing might wake us until then.
		 */
		if (was_full && s->clients.nr < s->clients.max)
			MHD_run(s->daemon);
	}
	free(fds);
	free(who);
	return status;
}

static struct MHD_Daemon *start_daemon(struct server *s)
{
	const struct q_server *set = s->set;
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
			     (set->cert ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)set->cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)set->key },
		{ MHD_OPTION_END, 0, NULL },
	};

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET,
				set->listen, MHD_OPTION_CONNECTION_LIMIT, set->connections,
				MHD_OPTION_CONNECTION_TIMEOUT, Q_IDLE_TIME / 1000 + 5,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)Q_HEAD_MAX,
				MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
				on_target, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_ARRAY,
				set->cert ? tls : tls + 2, MHD_OPTION_END);
}

int q_server_run(const struct q_server *set, void (*ready)(void))
{
	struct server s = { .set = set, .clients = { .max = set->connections } };
	sigset_t mask;
	int signals, status;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	/* Before there are threads, which inherit it. */
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return q_problem(Q_FAILED, "signals: %s", strerror(errno));
	s.jobs = q_jobs_start(set->opener, set->profiles);
	if (!s.jobs) {
		close(signals);
		return Q_FAILED;
	}
	s.daemon = start_daemon(&s);
	if (s.daemon) {
		ready();
		status = loop(&s, signals);
		for (struct q_client *c = s.clients.first; c; c = c->next)
			if (c->phase == Q_WAITS)
				let_go(&s, c);
		MHD_run(s.daemon);
		MHD_stop_daemon(s.daemon);
	} else {
		status = q_problem(Q_FAILED, "the server cannot start%s",
				   set->cert ? "; are certificate and key right?" : "");
	}
	q_jobs_stop(s.jobs);
	close(signals);
	return status;
}
