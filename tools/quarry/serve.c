// SPDX-License-Identifier: GPL-2.0
/*
 * serve: profiles and metrics over HTTP, for go tool pprof, Parca, Pyroscope and Prometheus.
 *
 * While it has rights it takes the port, starts the process that opens the module's files
 * (lib/opener.h), and reads the token, the certificate and the key.  Then it gives up all rights, and
 * only then it talks to a client.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "command.h"
#include "lib/confine.h"
#include "lib/debugfs.h"
#include "lib/device.h"
#include "lib/listen.h"
#include "lib/serve_http.h"

#define NOBODY 65534

/**
 * struct serve_options - the command line
 * @address: where to listen
 * @token_file: the file with the token, or NULL
 * @cert: the certificate's file, or NULL
 * @key: its key's file, or NULL
 * @uid: who the processes become if they are root
 * @gid: their group
 * @connections: most clients
 * @profiles: most profiles
 */
struct serve_options {
	struct q_address address;
	const char *token_file;
	const char *cert;
	const char *key;
	uid_t uid;
	gid_t gid;
	unsigned int connections;
	unsigned int profiles;
};

enum { KEY_TOKEN = 0x200, KEY_CERT, KEY_KEY, KEY_USER, KEY_CONNECTIONS, KEY_PROFILES };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct serve_options *o = state->input;
	const struct passwd *user;
	const char *why;

	switch (key) {
	case 'l':
		why = q_address_parse(&o->address, arg);
		if (why)
			argp_error(state, "no address to listen at: '%s': %s", arg, why);
		return 0;
	case KEY_TOKEN:
		o->token_file = arg;
		return 0;
	case KEY_CERT:
		o->cert = arg;
		return 0;
	case KEY_KEY:
		o->key = arg;
		return 0;
	case KEY_USER:
		user = getpwnam(arg);
		if (!user)
			argp_error(state, "there is no user '%s'", arg);
		if (user && !user->pw_uid)
			argp_error(state, "the user must not be root");
		if (user) {
			o->uid = user->pw_uid;
			o->gid = user->pw_gid;
		}
		return 0;
	case KEY_CONNECTIONS:
		o->connections = (unsigned int)q_option_count(state, "--connections", arg, 8, 4096);
		return 0;
	case KEY_PROFILES:
		o->profiles = (unsigned int)q_option_count(state, "--profiles", arg, 1, 64);
		return 0;
	case ARGP_KEY_END:
		if (!o->cert != !o->key)
			argp_error(state, "TLS needs both --cert and --key");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- Secrets --- */

/* A file that only its owner may read; for others a warning. */
static char *read_secret(const char *file, size_t *size, int *status)
{
	struct stat st;

	if (!stat(file, &st) && S_ISREG(st.st_mode) && st.st_mode & (S_IRWXG | S_IRWXO))
		q_problem(Q_OK, "%s: others than its owner may use this file; try \"chmod 600\"",
			  file);
	return q_read_file(file, size, status);
}

static int read_token(struct q_token *token, const char *file)
{
	const char *why;
	size_t size;
	int status;
	char *text = read_secret(file, &size, &status);

	if (!text)
		return status;
	why = q_token_parse(token, text, size);
	explicit_bzero(text, size);
	free(text);
	return why ? q_problem(Q_FAILED, "%s has no token: %s", file, why) : Q_OK;
}

/* --- Start --- */

/* Tell a service manager that the server is ready (sd_notify(3)). */
static void notify(void)
{
	static const char text[] = "READY=1";
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (!path || !*path || strlen(path) >= sizeof(to.sun_path))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (*path == '@')
		to.sun_path[0] = '\0';
	sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

static const struct serve_options *shown;

static void ready(void)
{
	char text[Q_ADDRESS_LEN];

	fprintf(stderr, "quarry: listening at http%s://%s/\n", shown->cert ? "s" : "",
		q_address_text(text, &shown->address));
	notify();
}

static void warn(const struct serve_options *o)
{
	char text[Q_ADDRESS_LEN];

	if (o->address.loopback)
		return;
	q_problem(Q_OK, "warning: %s can be reached from other machines%s%s",
		  q_address_text(text, &o->address),
		  o->token_file ? "" : "; anybody there can read profiles (--token-file)",
		  o->cert ? "" : "; nothing is encrypted (--cert, --key)");
}

/*
 * Say now what keeps the module from being read, rather than to each client.  The opener is asked
 * in the way in which the server will ask it.
 */
static int try_opener(struct q_opener *opener)
{
	struct q_device d = { .fd = q_opener_ask(opener, Q_FILE_DEVICE) };
	int fd;

	if (d.fd < 0) {
		if (d.fd == -EPIPE)
			return Q_FAILED; /* The opener has said why. */
		errno = -d.fd;
		return q_cannot_open(q_options.device);
	}
	q_device_close(&d);
	fd = q_opener_ask(opener, Q_FILE_STATS);
	if (fd < 0) {
		errno = -fd;
		return q_cannot_open(q_debugfs_path("stats"));
	}
	close(fd);
	return Q_OK;
}

static int serve(struct serve_options *o)
{
	struct q_opener opener = { .socket = -1 };
	struct q_server s = {
		.local = o->address.loopback,
		.connections = o->connections,
		.profiles = o->profiles,
		.opener = &opener,
	};
	struct q_token token;
	char *cert = NULL, *key = NULL;
	size_t key_size = 0;
	int status;

	s.listen = q_address_listen(&o->address);
	if (s.listen < 0)
		return Q_FAILED;
	/* First, so that the opener never has the secrets in its memory. */
	status = q_opener_start(&opener, o->uid, o->gid);
	if (!status && o->token_file) {
		status = read_token(&token, o->token_file);
		s.token = &token;
	}
	if (!status && o->cert) {
		cert = q_read_file(o->cert, NULL, &status);
		if (!status)
			key = read_secret(o->key, &key_size, &status);
		s.cert = cert;
		s.key = key;
	}
	if (!status)
		status = q_confine(o->uid, o->gid, 0);
	if (!status)
		status = try_opener(&opener);
	if (!status) {
		warn(o);
		shown = o;
		status = q_server_run(&s, ready);
	}
	if (key)
		explicit_bzero(key, key_size);
	free(key);
	free(cert);
	/* The socket was closed with the server. */
	if (opener.socket >= 0)
		close(opener.socket);
	return status;
}

int q_serve(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "listen", 'l', "ADDRESS", 0,
		  "Where to listen, with a port; 127.0.0.1:6061 if not given.  Port 0: any that is free",
		  0 },
		{ "token-file", KEY_TOKEN, "FILE", 0,
		  "Answer only clients that send \"Authorization: Bearer TOKEN\"", 0 },
		{ "cert", KEY_CERT, "FILE", 0, "Certificate for TLS, in PEM", 0 },
		{ "key", KEY_KEY, "FILE", 0, "Its key, in PEM", 0 },
		{ "user", KEY_USER, "NAME", 0,
		  "Whom to become when started by root; 65534 (nobody) if not given", 1 },
		{ "connections", KEY_CONNECTIONS, "N", 0,
		  "At most N clients at a time; 512 if not given", 1 },
		{ "profiles", KEY_PROFILES, "N", 0, "At most N profiles at a time; 4 if not given",
		  1 },
		{ 0 },
	};
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = {
		options,
		parse,
		NULL,
		"Profiles and metrics over HTTP, for go tool pprof, Prometheus, Parca and others.",
		children,
		NULL,
		NULL
	};
	struct serve_options o = {
		.uid = NOBODY,
		.gid = NOBODY,
		.connections = 512,
		.profiles = 4,
	};

	q_address_parse(&o.address, "127.0.0.1:6061");
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return serve(&o);
}
