// SPDX-License-Identifier: GPL-2.0
#include "lib/serve_client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "lib/serve_http.h"

/*
 * The socket is not closed here, because libmicrohttpd has it.  It sees that the connection has
 * ended, and calls back.
 */
static void shut(struct q_client *c)
{
	shutdown(c->fd, SHUT_RDWR);
	c->shut = true;
	c->deadline = 0;
}

/*
 * With an eighth of the places left, the client goes that has been at the same phase for longest.
 * One that has sent no whole request goes before one that reads.  One that waits for us stays.
 */
static void make_room(struct q_clients *all)
{
	struct q_client *slowest = NULL;

	for (struct q_client *c = all->first; c; c = c->next) {
		if (c->shut || c->phase == Q_WAITS)
			continue;
		if (!slowest || (slowest->phase == Q_READS && c->phase != Q_READS) ||
		    ((slowest->phase == Q_READS) == (c->phase == Q_READS) &&
		     c->since < slowest->since))
			slowest = c;
	}
	if (slowest)
		shut(slowest);
}

struct q_client *q_client_add(struct q_clients *all, int fd, int64_t now)
{
	struct q_client **last = &all->first, *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (all->nr >= all->max - all->max / 8)
		make_room(all);
	while (*last)
		last = &(*last)->next;
	*last = c;
	all->nr++;
	c->fd = fd;
	q_client_phase(c, Q_ASKS, now, Q_HEAD_TIME);
	return c;
}

void q_client_remove(struct q_clients *all, struct q_client *c)
{
	struct q_client **at = &all->first;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	all->nr--;
	free(c);
}

void q_client_phase(struct q_client *c, enum q_phase phase, int64_t now, int64_t time)
{
	c->phase = phase;
	c->since = now;
	if (!c->shut)
		c->deadline = time ? now + time : 0;
}

void q_clients_shut_reader(struct q_clients *all, int64_t now)
{
	struct q_client *slowest = NULL;

	for (struct q_client *c = all->first; c; c = c->next)
		if (!c->shut && c->phase == Q_READS && (!slowest || c->since < slowest->since))
			slowest = c;
	if (slowest && slowest->since + 1000 < now)
		shut(slowest);
}

int64_t q_clients_reap(struct q_clients *all, int64_t now)
{
	int64_t next = 0;

	for (struct q_client *c = all->first; c; c = c->next) {
		if (c->deadline && c->deadline <= now)
			shut(c);
		else if (c->deadline && (!next || c->deadline < next))
			next = c->deadline;
	}
	return next;
}
