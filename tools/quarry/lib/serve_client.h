/* SPDX-License-Identifier: GPL-2.0 */
/* The clients of "quarry serve": who is connected, what each waits for, and who waits too long. */
#ifndef Q_SERVE_CLIENT_H
#define Q_SERVE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/serve_request.h"

struct MHD_Connection;
struct q_job;

#define Q_TARGET_MAX 512

/**
 * enum q_phase - what a client does
 * @Q_IDLE: it has not begun with a request
 * @Q_ASKS: it sends one
 * @Q_WAITS: it waits for its answer
 * @Q_READS: it reads the answer
 */
enum q_phase { Q_IDLE, Q_ASKS, Q_WAITS, Q_READS };

/**
 * struct q_client - a connection
 * @connection: libmicrohttpd's, once there is a request
 * @fd: its socket
 * @phase: what it does
 * @since: when the phase began
 * @deadline: when the connection is closed, or 0
 * @target: the target of the request; longer ones are cut
 * @too_long: it is cut
 * @job: what it waits for
 * @gone: it has closed the connection while it waited
 * @shut: its connection is being closed
 * @next: the one that connected after it
 */
struct q_client {
	struct MHD_Connection *connection;
	int fd;
	enum q_phase phase;
	int64_t since;
	int64_t deadline;
	char target[Q_TARGET_MAX];
	bool too_long;
	struct q_job *job;
	bool gone;
	bool shut;
	struct q_client *next;
};

/**
 * struct q_clients - all of them, the oldest connection first
 * @first: the first
 * @nr: how many
 * @max: how many there may be
 */
struct q_clients {
	struct q_client *first;
	unsigned int nr;
	unsigned int max;
};

/* A client connects.  If few places are left, the one that has been slow for longest must go. */
struct q_client *q_client_add(struct q_clients *all, int fd, int64_t now);
void q_client_remove(struct q_clients *all, struct q_client *c);

/* It goes on to a phase, which may take @time ms; 0: no limit. */
void q_client_phase(struct q_client *c, enum q_phase phase, int64_t now, int64_t time);

/* Close the connection that has been reading for longest, if that is over a second. */
void q_clients_shut_reader(struct q_clients *all, int64_t now);

/* Close connections that take too long.  Returns the next moment when one may, or 0. */
int64_t q_clients_reap(struct q_clients *all, int64_t now);

#endif
