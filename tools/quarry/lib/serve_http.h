/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The server's connections, by libmicrohttpd.  One thread has all of them, and never waits for one:
 * a client that is slow costs its connection and its part of the answers' memory, and neither for
 * longer than the times below.
 */
#ifndef Q_SERVE_HTTP_H
#define Q_SERVE_HTTP_H

#include <stdbool.h>
#include "lib/opener.h"
#include "lib/serve_request.h"

/* In milliseconds. */
#define Q_HEAD_TIME 10000 /* for a request to be complete */
#define Q_IDLE_TIME 75000 /* between two requests: longer than scrapers wait */
#define Q_READ_TIME 30000 /* to read an answer, and more for a large one: */
#define Q_READ_RATE 64	  /* bytes a millisecond */

#define Q_HEAD_MAX 32768 /* bytes of a request */

/**
 * struct q_server - how to serve
 * @listen: a socket that listens
 * @local: only this machine can reach it
 * @token: what clients must know, or NULL
 * @cert: certificate in PEM for TLS, or NULL
 * @key: its key
 * @connections: most clients at a time
 * @profiles: most profiles at a time
 * @opener: opens the module's files
 */
struct q_server {
	int listen;
	bool local;
	const struct q_token *token;
	const char *cert;
	const char *key;
	unsigned int connections;
	unsigned int profiles;
	struct q_opener *opener;
};

/* Serve until SIGTERM or SIGINT, or until the opener ends.  @ready is called once.  An exit status. */
int q_server_run(const struct q_server *s, void (*ready)(void));

#endif
