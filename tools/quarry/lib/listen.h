/* SPDX-License-Identifier: GPL-2.0 */
/* An address to listen at, from text such as "127.0.0.1:6061" or "[::1]:6061". */
#ifndef Q_LISTEN_H
#define Q_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

/**
 * struct q_address - an address
 * @store: as the kernel takes it
 * @size: its bytes
 * @loopback: only this machine can reach it
 */
struct q_address {
	struct sockaddr_storage store;
	socklen_t size;
	bool loopback;
};

/* A number, not a name: a name may change what it means.  NULL, or why it is none. */
const char *q_address_parse(struct q_address *a, const char *text);

#define Q_ADDRESS_LEN 64

/* As text, with the port. */
const char *q_address_text(char buf[Q_ADDRESS_LEN], const struct q_address *a);

/* A socket that listens there.  Afterwards @a has the port, if it was 0.  -1 after a message. */
int q_address_listen(struct q_address *a);

#endif
